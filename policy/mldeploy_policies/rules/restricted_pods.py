"""Containers have no more rights than they need."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import DEPLOYMENT, UNKNOWN, at, containers
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    pod = at(args.props, "spec.template.spec.securityContext", {})
    for container in containers(args.resource_type, args.props):
        own = at(container.raw, "securityContext", {})
        if pod is UNKNOWN or own is UNKNOWN:
            continue
        faults = []
        if not (at(own, "runAsNonRoot") or at(pod, "runAsNonRoot")):
            faults.append("may run as root")
        if at(own, "allowPrivilegeEscalation", True) is True:
            faults.append("may gain privileges")
        if at(own, "privileged") is True:
            faults.append("is privileged")
        if not at(own, "readOnlyRootFilesystem"):
            faults.append("may write to its own files")
        if faults:
            yield f"container {container.name} {', '.join(faults)}"


RULE = Rule(
    name="restricted-pods",
    description="Containers on Kubernetes run without root, without new privileges, on a read-only file system.",
    fix="Deploy through mldeploy, which sets all of it.",
    severity=Severity.HIGH,
    types=(DEPLOYMENT,),
    check=check,
)
