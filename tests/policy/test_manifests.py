# ruff: noqa: E501 - a case is a line
"""Manifests, planned from nothing, through every rule: those that comply, and single changes that each break a rule.

From them comes the table of docs/policy.md: which rule looks at which type of target.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.policy import manifests
from tests.policy.plans import Plan, planned
from tests.policy.test_rules import RULES, SETTINGS, unseen

ROOT = Path(__file__).resolve().parents[2]
ALL, PODS = tuple(manifests.TARGETS), ("aks", "kubernetes")
AZURE, BUILT, SERVED = (
    ("aci", "aks", "batch"),
    ("aci", "aks", "kubernetes", "batch", "edge"),
    ("local", "aci", *PODS, "edge"),
)

# A rule, the targets where a change breaks it, and the change. `packages` are those of the conda file.
Change = dict[str, Any]
BROKEN: list[tuple[str, tuple[str, ...], Change]] = [
    ("allowed-regions", AZURE, {"azure__location": "brazilsouth"}),
    ("allowed-registries", BUILT, {"images__i__base_image": "docker.io/library/python:3.12-slim"}),
    ("allowed-registries", ("kubernetes", "edge"), {"targets__t__registry": {"address": "registry.example.org"}}),
    ("app-insights", ("aci", *PODS, "edge"), {"services__churn__enable_app_insights": False}),
    ("approved-models", ALL, {"models__m__tags": {"stage": "trial"}}),
    ("approved-models", ALL, {"models__m__tags": None}),
    ("auth-enabled", ("local", "aci", *PODS), {"services__churn__auth_enabled": False}),
    ("auth-enabled", ("edge",), {"services__churn__auth_enabled": False, "services__churn__edge__keys_file": None}),
    ("data-collection", ("local", "aci", *PODS), {"services__churn__collect_model_data": True}),
    ("data-collection", ("edge",), {"services__churn__collect_model_data": {"destination": "/data"}, "services__churn__edge__mounts": [{"source": "/data", "target": "/data", "writable": True}]}),
    ("gated-updates", ("local", "aci", *PODS), {"services__churn__golden": None}),
    ("max-cost", ("aks",), {"targets__t__create__max_count": 40}),
    ("max-cost", ("batch",), {"targets__t__max_nodes": 60, "targets__t__vm_size": "Standard_NC6s_v3"}),
    ("min-replicas", ("local", *PODS), {"services__churn__num_replicas": 1}),
    ("min-replicas", PODS, {"services__churn__num_replicas": None, "services__churn__autoscale": {"min_replicas": 1}}),
    ("no-aci", ("aci",), {}),
    ("no-latest", BUILT, {"images__i__base_image": "mcr.microsoft.com/azureml/minimal-py312-inference"}),
    ("no-latest", BUILT, {"images__i__base_image": "mcr.microsoft.com/azureml/minimal-py312-inference:latest"}),
    ("pinned-packages", ALL, {"packages": ("numpy>=1.26",)}),
    ("pinned-packages", ALL, {"packages": ("numpy==2.*",)}),
    ("private-network", ("aci", "batch"), {"targets__t__subnet_id": None}),
    ("private-network", ("aks",), {"targets__t__create__private": False, "targets__t__create__subnet_id": None}),
    ("private-network", AZURE, {"azure__storage": None}),
    ("protect-stateful", AZURE, {"azure__protect": False}),
    ("resource-limits", ("edge",), {"services__churn__cpu_cores": None}),
    ("restricted-pods", ("edge",), {"services__churn__edge__create_options": {"HostConfig": {"Privileged": True}}}),
    ("restricted-pods", ("edge",), {"services__churn__edge__create_options": {"HostConfig": {"NetworkMode": "host"}}}),
    ("restricted-pods", ("edge",), {"services__churn__edge__create_options": {"HostConfig": {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}}}),
    ("secrets-not-in-clear", ALL, {"images__i__environment_variables": {"OPENAI_KEY": "abc123"}, "images__i__not_secret": ["OPENAI_KEY"]}),
    ("tls-enabled", ("local", "aci", *PODS), {"services__churn__ssl": None}),
    ("tls-enabled", ("edge",), {"services__churn__ssl": None, "services__churn__edge__cert_file": None, "services__churn__edge__key_file": None}),
    ("vcpu-ceiling", ("aks",), {"targets__t__create__max_count": 60}),
    ("vcpu-ceiling", ("batch",), {"targets__t__max_nodes": 60}),
    ("vm-sizes", ("aks",), {"targets__t__create__vm_size": "Standard_M128s"}),
    ("vm-sizes", ("batch",), {"targets__t__vm_size": "Standard_ND40rs_v2"}),
]  # fmt: skip
COMPLYING: list[tuple[tuple[str, ...], Change]] = [
    (ALL, {}),
    (ALL, {"images__i__base_image": "mcr.microsoft.com/azureml/minimal-py312-inference:20260101.v1"}),
    (("kubernetes", "edge"), {"images__i__environment_variables": {"LEVEL": "debug", "PAD_TOKEN": "<pad>"}}),
    (PODS, {"services__churn__num_replicas": None, "services__churn__autoscale": {"min_replicas": 2, "max_replicas": 4}}),
    (("kubernetes",), {"images__i__environment_variables": {"API_KEY": {"env": "PASSWORD"}}}),
    (("edge",), {"services__churn__edge__create_options": {"HostConfig": {"ShmSize": 1000000}}}),
    (("aks",), {"targets__t__create__max_count": 12}),
    (("batch",), {"targets__t__max_nodes": 8, "services__churn__batch__schedule": {"cron": "0 3 * * *", "input": "azureml://datastores/d/paths/in/"}}),
]  # fmt: skip
# Nothing in a manifest can break these: the components always make it so.
ALWAYS = {
    "auth-enabled": ("batch",), "disruption-budget": PODS, "images-by-digest": BUILT, "no-account-keys": AZURE,
    "no-local-accounts": ("aks",), "no-registry-admin": AZURE, "probes": ("aci", *PODS), "required-tags": AZURE,
    "resource-limits": ("aci", *PODS), "restricted-pods": PODS, "safe-dns-label": ("aci",), "storage-not-public": AZURE,
    "vault-protected": AZURE,
}  # fmt: skip
REASONS = {
    "no resource of Azure but with a foundation, which is looked at as on the others": {
        **dict.fromkeys(
            ("allowed-regions", "no-account-keys", "no-registry-admin", "private-network", "protect-stateful", "required-tags", "storage-not-public", "vault-protected"),
            ("local", "kubernetes", "edge"),
        )
    },
    "runs from this machine's files: no image": dict.fromkeys(("allowed-registries", "images-by-digest", "no-latest"), ("local",)),
    "nobody is paged for one machine": {"app-insights": ("local",)},
    "jobs, no server": dict.fromkeys(("app-insights", "data-collection", "gated-updates", "min-replicas", "probes", "tls-enabled"), ("batch",)),
    "only on Kubernetes": {"disruption-budget": ("local", "aci", "batch", "edge")},
    "devices take a deployment when they connect: no gate": {"gated-updates": ("edge",)},
    "machines that are there already": dict.fromkeys(("max-cost", "vcpu-ceiling", "vm-sizes"), ("local", "kubernetes", "edge")),
    "counted in cores, no size": {"vm-sizes": ("aci",)},
    "at most four cores a group, which no limit of these is below": dict.fromkeys(("max-cost", "vcpu-ceiling"), ("aci",)),
    "always one instance; `no-aci` says so": {"min-replicas": ("aci",)},
    "one module a device": {"min-replicas": ("edge",)},
    "the rule is about ACI": dict.fromkeys(("no-aci", "safe-dns-label"), ("local", *PODS, "batch", "edge")),
    "the rule is about clusters of the stack": {"no-local-accounts": ("local", "aci", "kubernetes", "batch", "edge")},
    "the supervisor looks by itself": {"probes": ("local",)},
    "the device's agent looks by itself": {"probes": ("edge",)},
    "processes of this machine": dict.fromkeys(("resource-limits", "restricted-pods"), ("local",)),
    "Azure gives a container group neither": {"restricted-pods": ("aci",)},
    "a node has one job at a time, in Azure ML's own container": dict.fromkeys(("resource-limits", "restricted-pods"), ("batch",)),
}  # fmt: skip


def looked_at(plan: Plan) -> dict[str, list[str]]:
    """What every rule says of a plan, and under "not-evaluated" what none could look at."""
    found: dict[str, list[str]] = {}
    for rule in (*RULES, unseen.rule(RULES, SETTINGS)):
        look = rule.check_stack or rule._each
        said = [
            message for message, _ in look(plan.resources, {**rule.defaults, **SETTINGS.settings(rule.name)})
        ]
        if said:
            found[rule.name] = said
    return found


def plan_of(folder: Path, target: str, change: Change) -> dict[str, list[str]]:
    given = dict(change)
    packages = given.pop("packages", ("numpy==2.3.2",))
    with mock.patch.dict(os.environ, manifests.ENVIRONMENT):
        plan = planned(
            manifests.write(folder / "project", manifests.manifest(target, **given), packages), folder
        )
    assert not plan.recorded.faults
    return looked_at(plan)


def cases(table: list[tuple[Any, ...]]) -> list[Any]:
    return [
        pytest.param(*one[:-2], target, one[-1], id="-".join([*one[:-2], target, str(number)]))
        for number, one in enumerate(table)
        for target in one[-2]
    ]


@pytest.mark.parametrize(("rule", "target", "change"), cases(BROKEN))
def test_a_violation_is_caught_before_anything_is_there(
    rule: str, target: str, change: Change, tmp_path: Path
) -> None:
    assert rule in plan_of(tmp_path, target, change)


@pytest.mark.parametrize(("target", "change"), cases(COMPLYING))
def test_a_manifest_that_complies(target: str, change: Change, tmp_path: Path) -> None:
    """With every rule, also with those that are advice in prod, and nothing is left open."""
    assert set(plan_of(tmp_path, target, change)) == ({"no-aci"} if target == "aci" else set())


def test_how_many_there_are() -> None:
    assert len(cases(BROKEN)) >= 40
    assert len(cases(COMPLYING)) >= 20


def table() -> str:
    """The table of docs/policy.md."""
    broken = {(rule, target) for rule, targets, _ in BROKEN for target in targets}
    always = {(rule, target) for rule, targets in ALWAYS.items() for target in targets}
    reasons = {
        (rule, target): number
        for number, its in enumerate(REASONS.values(), 1)
        for rule, targets in its.items()
        for target in targets
    }
    lines = [f"| rule | {' | '.join(ALL)} |", "|---" * (len(ALL) + 1) + "|"]
    for rule in RULES:
        cells = []
        for target in ALL:
            here = [
                "✓" if (rule.name, target) in broken else "",
                "made so" if (rule.name, target) in always else "",
                f"({reasons[rule.name, target]})" if (rule.name, target) in reasons else "",
            ]
            (cell,) = [one for one in here if one] or ["?"]
            cells.append(cell)
        lines.append(f"| `{rule.name}` | {' | '.join(cells)} |")
    notes = [f"({number}) {reason}" for number, reason in enumerate(REASONS, 1)]
    return "\n".join(lines) + "\n\n" + "; ".join(notes) + "."


def test_the_table_of_the_documentation() -> None:
    """Every cell is a violation that was caught, something that the components always do, or has a reason."""
    page = (ROOT / "docs/policy.md").read_text("utf-8")
    expected = table()
    assert " ? " not in expected
    written = re.search(r"<!-- rule x target -->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert written and written[1] == expected, f"the table should be\n{expected}"
