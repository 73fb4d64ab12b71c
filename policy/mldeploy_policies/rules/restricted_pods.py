"""Containers have no more rights than they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import CRON_JOB, DEPLOYMENT, EDGE, UNKNOWN, at, containers, items, pod
from mldeploy_policies.rule import Rule, Settings

_HOSTS = {"hostNetwork": "network", "hostPID": "processes", "hostIPC": "shared memory"}
_MODES = {"NetworkMode": "network", "PidMode": "processes", "IpcMode": "shared memory", "UsernsMode": "users"}
_ENGINE = "docker.sock"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in containers(args.resource_type, args.props):
        if args.resource_type == EDGE:
            faults = list(_on_a_device(at(container.raw, "create_options", {})))
        else:
            faults = list(_in_a_pod(pod(args.resource_type, args.props), container.raw))
        if faults:
            yield f"container {container.name} {', '.join(faults)}"


def _in_a_pod(whole: Any, container: Any) -> Iterator[str]:
    outer, own = at(whole, "securityContext", {}), at(container, "securityContext", {})
    for key, what in _HOSTS.items():
        if at(whole, key) is True:
            yield f"shares the node's {what}"
    if outer is UNKNOWN or own is UNKNOWN:
        return
    if not (at(own, "runAsNonRoot") or at(outer, "runAsNonRoot")):
        yield "may run as root"
    if at(own, "allowPrivilegeEscalation", True) is True:
        yield "may gain privileges"
    if at(own, "privileged") is True:
        yield "is privileged"
    if not at(own, "readOnlyRootFilesystem"):
        yield "may write to its own files"


def _on_a_device(options: Any) -> Iterator[str]:
    """Docker's create options of a module."""
    host = at(options, "HostConfig", {})
    if host is UNKNOWN:
        return
    if at(host, "Privileged") is True:
        yield "is privileged"
    for key, what in _MODES.items():
        if at(host, key) == "host":
            yield f"shares the device's {what}"
    added = items(host, "CapAdd")
    if added:
        yield f"has the capabilities {', '.join(map(str, added))}"
    if "no-new-privileges" not in "".join(map(str, items(host, "SecurityOpt"))):
        yield "may gain privileges"
    if at(host, "ReadonlyRootfs") is not True:
        yield "may write to its own files"
    if any(_ENGINE in str(bind) for bind in items(host, "Binds")):
        yield "controls the device's container engine"
    if items(host, "Devices"):
        yield "has devices of the host"


RULE = Rule(
    name="restricted-pods",
    description="Containers in pods and on devices run without root, host namespaces or new privileges, on a read-only "
    "file system.",
    fix="Deploy through mldeploy, which sets all of it; on edge take it out of create_options.",
    severity=Severity.HIGH,
    types=(DEPLOYMENT, CRON_JOB, EDGE),
    check=check,
)
