"""Node upgrades do not take a service down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_policy import PolicyResource

from mldeploy_policies.reading import DEPLOYMENT, UNKNOWN, at, key, noting_unknown, scoring
from mldeploy_policies.rule import Rule, Settings

_BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


def check(resources: Sequence[PolicyResource], settings: Settings) -> Iterator[tuple[str, str | None]]:
    budgets = [
        at(one.props, "spec.selector.matchLabels", {}) for one in resources if one.resource_type == _BUDGET
    ]
    for one in resources:
        if one.resource_type != DEPLOYMENT or not any(scoring(one.resource_type, one.props)):
            continue
        labels = at(one.props, "spec.template.metadata.labels", {})
        if labels is UNKNOWN or any(budget is UNKNOWN for budget in budgets):
            continue
        with noting_unknown():  # the version's label, the same on both
            covered = any(
                budget and all(key(labels, name) == key(budget, name) for name in budget)
                for budget in budgets
            )
        if not covered:
            yield f"{one.name}: no PodDisruptionBudget covers its pods", one.urn


RULE = Rule(
    name="disruption-budget",
    description="Every service on Kubernetes has a PodDisruptionBudget.",
    fix="Deploy through mldeploy, which makes one for each version.",
    check_stack=check,
)
