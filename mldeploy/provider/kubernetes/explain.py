"""Why pods do not get ready: what the cluster says, in the order in which a person would look, with the probable
cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mldeploy.provider.kubernetes.causes import RULES
from mldeploy.provider.kubernetes.client import Cluster, ClusterError
from mldeploy.provider.kubernetes.facts import Cause, Container, Facts
from mldeploy.provider.kubernetes.tree import at, is_ready, obj, text
from mldeploy.provider.local.startup import readable

__all__ = ["Cause", "Facts", "causes", "gather", "report"]

_LOG_LINES = 20
_EVENTS_SHOWN = 6
_PODS_SHOWN = 5
_PODS_LOGGED = 2


def gather(cluster: Cluster, namespace: str, selector: str, *, logs: bool) -> Facts:
    """Ask the cluster for everything about the pods that ``selector`` matches.

    Args:
        cluster: whom to ask.
        namespace: where they are.
        selector: a label selector that their Deployment, ReplicaSets and pods have in common.
        logs: whether to fetch the end of the containers' logs (of at most two pods that are not ready).
    """
    deployments = cluster.list("Deployment", namespace, labels=selector)
    sets = cluster.list("ReplicaSet", namespace, labels=selector)
    pods = cluster.list("Pod", namespace, labels=selector)
    uids = {str(item["metadata"]["uid"]) for item in (*deployments, *sets, *pods)}
    events = [
        event for event in cluster.list("Event", namespace) if text(event, "involvedObject", "uid") in uids
    ]
    events.sort(key=_when)
    found: dict[str, list[str]] = {}
    if logs:
        unready = [pod for pod in pods if not is_ready(pod)]
        for pod in unready[:_PODS_LOGGED]:
            name = str(pod["metadata"]["name"])
            found[name] = _tail(cluster, namespace, name)
    return Facts(deployments=deployments, replica_sets=sets, pods=pods, events=events, logs=found)


def _when(event: Mapping[str, Any]) -> str:
    return str(
        at(event, "series", "lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or at(event, "metadata", "creationTimestamp")
        or ""
    )


def _tail(cluster: Cluster, namespace: str, pod: str) -> list[str]:
    """The end of the log, of the container before when the present one has not said anything."""
    for previous in (False, True):
        try:
            lines = list(cluster.logs(namespace, pod, lines=_LOG_LINES, previous=previous))
        except ClusterError:
            continue  # No container has run yet: there is no log to show, and the pod's state says so.
        if lines:
            return lines
    return []


def causes(facts: Facts) -> list[Cause]:
    """The probable causes, the most telling first; empty when nothing is known to be wrong."""
    found: list[Cause] = []
    for rule in RULES:
        cause = rule(facts)
        if cause is not None and cause.code not in {item.code for item in found}:
            found.append(cause)
    return found


def report(facts: Facts) -> str:
    """Cause, pod states, last events and log ends, as text."""
    lines: list[str] = []
    for cause in causes(facts)[:2]:
        lines += [f"  probable cause: {cause.summary}", f"  what to do: {cause.advice}"]
    if not lines:
        lines.append("  no known cause: see the states below")
    lines += ["  pods:", *(f"    {line}" for line in _pod_lines(facts))]
    warnings = [event for event in facts.events if event.get("type") != "Normal"] or facts.events
    if warnings:
        lines.append("  last events:")
        lines += [
            f"    {event.get('reason')}: {str(event.get('message', '')).strip()[:400]}"
            for event in warnings[-_EVENTS_SHOWN:]
        ]
    for pod, tail in facts.logs.items():
        if tail:
            lines += [f"  the end of the log of {pod}:", *(f"    {line[:500]}" for line in readable(tail))]
    return "\n".join(lines)


def _pod_lines(facts: Facts) -> list[str]:
    if not facts.pods:
        return ["none were created"]
    lines = [_pod_line(pod, facts) for pod in facts.pods[:_PODS_SHOWN]]
    if len(facts.pods) > _PODS_SHOWN:
        lines.append(f"… and {len(facts.pods) - _PODS_SHOWN} more")
    return lines


def _pod_line(pod: Mapping[str, Any], facts: Facts) -> str:
    name, status = pod["metadata"]["name"], obj(pod, "status")
    parts = [f"{name}: {status.get('phase', 'Unknown')}", "ready" if is_ready(pod) else "not ready"]
    parts += [_container_text(container) for container in facts.containers_of(pod)]
    return ", ".join(part for part in parts if part)


def _container_text(container: Container) -> str:
    shown = ""
    if container.waiting:
        shown = f"waiting ({container.waiting})"
    elif container.terminated:
        shown = f"ended ({container.terminated}, exit code {container.exit_code})"
    if container.restarts:
        shown += f"{', ' if shown else ''}{container.restarts} restarts"
        if container.last_reason:
            shown += f", the last one ended: {container.last_reason}, exit code {container.last_exit_code}"
    return shown
