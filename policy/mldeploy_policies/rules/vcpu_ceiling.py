"""Autoscalers have an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_policy import PolicyResource

from mldeploy_policies.machines import stack_vcpus
from mldeploy_policies.rule import Rule, Settings


def check(resources: Sequence[PolicyResource], settings: Settings) -> Iterator[tuple[str, str | None]]:
    total, most = stack_vcpus(resources), settings["vcpus"]
    if total > most:
        yield f"the stack can grow to {total:g} vCPUs; at most {most:g} are allowed", None


RULE = Rule(
    name="vcpu-ceiling",
    description="All nodes and container groups together have at most so many vCPUs, fully scaled out.",
    fix="Lower max_count, max_nodes, agent_count or vm_size.",
    check_stack=check,
    defaults={"vcpus": 200},
)
