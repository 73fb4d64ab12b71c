"""Nobody is surprised by the bill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_policy import PolicyResource

from mldeploy_policies.machines import gpus, machines, vcpus
from mldeploy_policies.rule import Rule, Settings

_HOURS = 730


def check(resources: Sequence[PolicyResource], settings: Settings) -> Iterator[tuple[str, str | None]]:
    hourly = 0.0
    for machine in machines(resources):
        price = (
            machine.vcpus * settings["per_vcpu_hour"]
            if machine.size is None
            else _price(machine.size, settings)
        )
        hourly += machine.most * price
    monthly, most = hourly * _HOURS, settings["per_month"]
    if monthly > most:
        yield (
            f"the stack can cost about {monthly:,.0f} a month, fully scaled out; at most {most:,.0f} are allowed",
            None,
        )


def _price(size: str, settings: Settings) -> float:
    return vcpus(size) * settings["per_vcpu_hour"] + gpus(size) * settings["per_gpu_hour"]


RULE = Rule(
    name="max-cost",
    description="The stack costs at most so much a month, fully scaled out: an estimate from vCPUs and GPUs.",
    fix="Lower max_count, max_nodes or vm_size, or raise the setting `per_month`.",
    check_stack=check,
    defaults={"per_month": 5000, "per_vcpu_hour": 0.06, "per_gpu_hour": 1.2},
)
