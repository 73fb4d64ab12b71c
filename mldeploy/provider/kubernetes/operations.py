"""Day-two questions to a service on a cluster: what it is doing, its log, an answer. Plain functions of a
rollout's inputs."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from mldeploy.provider.kubernetes import explain
from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.reply import Reply
from mldeploy.provider.kubernetes.rollout import RolloutFields
from mldeploy.provider.kubernetes.route import most
from mldeploy.provider.kubernetes.tree import condition, is_ready
from mldeploy.provider.kubernetes.versions import VERSION_LABEL, Service, Version, versions

StateName = Literal["healthy", "unhealthy", "starting", "stopped", "missing"]


@dataclass(frozen=True)
class Seen:
    """What a service is doing. ``weights``: percent by version; ``reason``: why it is not healthy."""

    state: StateName
    models: dict[str, str]
    weights: dict[str, int]
    scoring_uri: str | None
    swagger_uri: str | None
    reason: str = ""


def look(inputs: RolloutFields) -> Seen:
    """The live state, by the cluster and not by what the stack remembers.

    Raises:
        ClusterError: the API server refuses, or cannot be reached.
    """
    route = inputs.route
    service, weights = route.service, route.weights()
    there = versions(service)
    if not weights:
        return _unrouted(service, there)
    uri = route.base_uri()[0] + route.path
    serving = most(weights)
    models: dict[str, str] = {}
    if serving in there:
        models = cast("dict[str, str]", json.loads(there[serving].models or "{}"))
    state, reason = _state(service, weights)
    return Seen(state, models, weights, f"{uri}/score", f"{uri}/swagger.json", reason)


def _unrouted(service: Service, there: Mapping[str, Version]) -> Seen:
    """A service that has no traffic yet: its first version is starting, or has not passed its gate."""
    if not there:
        return Seen("missing", {}, {}, None, None, "it has no version and nothing routes to it")
    newest = _newest(there)
    models = cast("dict[str, str]", json.loads(there[newest].models or "{}"))
    state, reason = _state(service, [newest])
    if state == "healthy":
        reason = f"version {newest} runs and has not passed its gate: run `mldeploy up` and read its error"
    return Seen(
        "unhealthy" if state == "healthy" else state, models, {}, None, None, f"no traffic yet: {reason}"
    )


def _newest(there: Mapping[str, Version]) -> str:
    return max(there, key=lambda name: (there[name].created, name))


def _state(service: Service, names: Iterable[str]) -> tuple[StateName, str]:
    worst: tuple[StateName, str] = ("healthy", "")
    for version in names:
        deployment = service.cluster.get("Deployment", service.namespace, service.object_name(version))
        if deployment is None:
            return "unhealthy", f"version {version} has no Deployment"
        if deployment["spec"].get("replicas") == 0:
            worst = ("stopped", f"version {version} has no replicas")
        elif condition(deployment, "Available").get("status") != "True":
            facts = explain.gather(
                service.cluster,
                service.namespace,
                f"{service.selector},{VERSION_LABEL}={version}",
                logs=False,
            )
            found = next(iter(explain.causes(facts)), None)
            if found is not None and found.final:
                return "unhealthy", found.summary
            worst = ("starting", found.summary if found else f"version {version} is getting ready")
    return worst


def serving_version(inputs: RolloutFields) -> str:
    """The version with most of the traffic.

    Raises:
        ClusterError: nothing is routed.
    """
    weights = inputs.route.weights()
    if not weights:
        raise ClusterError(f"nothing routes to service {inputs.service}: run `mldeploy up`")
    return most(weights)


def score(inputs: RolloutFields, body: bytes, content_type: str, timeout: float) -> Reply:
    """POST to the serving version through the API server: no public path is needed.

    Raises:
        ClusterError: it has no ready pod, or the API server does not pass the request on.
    """
    service, version = inputs.place, serving_version(inputs)
    return service.cluster.proxy(
        "POST",
        "Service",
        service.namespace,
        f"{'https:' if inputs.tls else ''}{service.object_name(version)}:80",
        "/score",
        body=body,
        content_type=content_type,
        key=inputs.key,
        timeout=timeout,
    )


def logs(inputs: RolloutFields, *, lines: int, follow: bool) -> Iterator[str]:
    """The end of the logs of the serving version's pods, each line with its pod's name when there are several.

    As long as nothing is routed, the newest version's: they say why it has not passed its gate.

    Raises:
        ClusterError: there are no pods, or their logs cannot be read.
    """
    route = inputs.route
    service, there = route.service, versions(route.service)
    version = _newest(there) if there and not route.weights() else serving_version(inputs)
    pods = sorted(service.pods(version), key=lambda pod: (not is_ready(pod), pod["metadata"]["name"]))
    names = [str(pod["metadata"]["name"]) for pod in pods]
    if not names:
        raise ClusterError(f"version {version} of {service.name} has no pods: see `mldeploy status`")
    if follow:
        yield from _followed(service, names, lines)
        return
    for name in names:
        prefix = f"{name} " if len(names) > 1 else ""
        for line in service.cluster.logs(service.namespace, name, lines=lines):
            yield prefix + line


def _followed(service: Service, names: list[str], lines: int) -> Iterator[str]:
    """The pods' logs as they grow, until all of them have ended."""
    found: queue.Queue[str | ClusterError | None] = queue.Queue(1000)

    def read(name: str) -> None:
        try:
            for line in service.cluster.logs(service.namespace, name, lines=lines, follow=True):
                found.put(f"{name} {line}" if len(names) > 1 else line)
        except ClusterError as error:
            found.put(error)
        finally:
            found.put(None)

    for name in names:
        threading.Thread(target=read, args=(name,), daemon=True).start()
    ended = itertools.count(1)
    while True:
        item = found.get()
        if isinstance(item, ClusterError):
            raise item
        if item is not None:
            yield item
        elif next(ended) == len(names):
            return
