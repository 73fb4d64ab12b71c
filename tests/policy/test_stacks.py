"""Every rule on the resources that the sample's own stacks plan: those comply, and one change breaks each rule."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.kubernetes.objects import Scaling
from tests.kubernetes.test_component import deploy
from tests.policy import samples
from tests.policy.samples import changed, variable
from tests.policy.test_rules import BY_NAME, SETTINGS, stack_violations, violations

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ("manifest.yaml", "manifest.local.yaml", "manifest.dev.yaml", "manifest.prod.yaml")
ADVICE = {rule.name for rule in BY_NAME.values() if SETTINGS.level(rule.name) == "advisory"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A copy of the sample, and a way to run the command line in it."""
    root = tmp_path_factory.mktemp("sample")
    for name in ("Pulumi.yaml", "__main__.py", *MANIFESTS):
        shutil.copy(ROOT / name, root)
    for name in ("models", "entry_scripts", "golden"):
        shutil.copytree(ROOT / name, root / name)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "MLDEPLOY_"))}
    more = {
        "PYTHONPATH": str(ROOT),
        "MLDEPLOY_HOME": str(root / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
        "NO_COLOR": "1",
    }

    def run(*arguments):
        command = [sys.executable, "-m", "mldeploy", *arguments, "--engine", "embedded"]
        return subprocess.run(
            command, cwd=root, env=kept | more, capture_output=True, text=True, check=False, timeout=240
        )

    run.root = root
    return run


@pytest.fixture(scope="module")
def plans(sample):
    """The planned resources of each stack by type, planned once."""
    found: dict[str, list[samples.Sample]] = {}

    def plan(stack):
        if stack not in found:
            done = sample("preview", "--stack", stack, "--json")
            assert done.returncode == 0, done.stdout + done.stderr
            events = [json.loads(line) for line in done.stdout.splitlines()]
            steps = [one["resourcePreEvent"]["metadata"] for one in events if "resourcePreEvent" in one]
            found[stack] = [(step["type"], (step.get("new") or {}).get("inputs") or {}) for step in steps]
        return found[stack]

    return plan


@pytest.fixture(scope="module")
def cluster():
    """What a service on a cluster registers in an update, when everything is known."""
    workload = {"enable_app_insights": True, "cpu_cores": 1, "memory_gb": 1}
    image = "shop.azurecr.io/churn@sha256:" + "a" * 64
    scaling = Scaling(enabled=True, min_replicas=2, max_replicas=4)
    _, made, _ = deploy(image=image, workload=workload, scaling=scaling)
    return [(one.typ, one.inputs) for one in made.values()]


def broken(rule, stack):
    """What is wrong with a stack by one rule."""
    if BY_NAME[rule].check_stack is not None:
        return stack_violations(rule, stack)
    return [message for one in stack for message in violations(rule, one)]


def test_prod_complies(plans):
    stack = plans("prod")
    assert len(stack) > 60
    assert {rule: broken(rule, stack) for rule in BY_NAME if rule not in ADVICE and broken(rule, stack)} == {}


def test_pods_comply(cluster):
    assert {kind for kind, _ in cluster} >= {samples.DEPLOYMENT, samples.AUTOSCALER, samples.BUDGET}
    elsewhere = {"gated-updates", *ADVICE}
    assert {r: broken(r, cluster) for r in BY_NAME if r not in elsewhere and broken(r, cluster)} == {}


def test_advice_is_about_something(plans):
    """What is advice in prod would stop the sample, which has neither network, nor certificates, nor protection."""
    assert {rule for rule in ADVICE if broken(rule, plans("prod"))} == ADVICE


_VARS, _POD = "spec.template.spec.containers.0.env", "spec.template.spec.containers.0"
_GROUP_VARS = "containers.0.environmentVariables"
BREAKS = {
    "allowed-regions": ("prod", samples.STORAGE, lambda p: changed(p, "location", "brazilsouth")),
    "allowed-registries": (
        "cluster",
        samples.DEPLOYMENT,
        lambda p: changed(p, f"{_POD}.image", "docker.io/x@sha256:1"),
    ),
    "app-insights": (
        "cluster",
        samples.DEPLOYMENT,
        lambda p: variable(p, _VARS, "SERVING_ENABLE_APP_INSIGHTS", None),
    ),
    "approved-models": ("prod", samples.MODEL, lambda p: changed(p, "properties.tags.stage", "trial")),
    "auth-enabled": (
        "dev",
        samples.GROUP,
        lambda p: variable(p, _GROUP_VARS, "SERVING_AUTH_ENABLED", "false"),
    ),
    "data-collection": (
        "dev",
        samples.GROUP,
        lambda p: variable(
            variable(p, _GROUP_VARS, "SERVING_COLLECT_MODEL_DATA", '{"enabled":true}'),
            _GROUP_VARS,
            "SERVING_SERVICE",
            "other",
        ),
    ),
    "images-by-digest": (
        "cluster",
        samples.DEPLOYMENT,
        lambda p: changed(p, f"{_POD}.image", "a.azurecr.io/x:4"),
    ),
    "min-replicas": ("cluster", samples.AUTOSCALER, lambda p: changed(p, "spec.minReplicas", 1)),
    "no-account-keys": ("prod", samples.STORAGE, lambda p: changed(p, "allowSharedKeyAccess", True)),
    "no-aci": ("dev", samples.GROUP, lambda p: p),
    "no-latest": ("dev", samples.GROUP, lambda p: changed(p, "containers.0.image", "a.azurecr.io/x:latest")),
    "no-local-accounts": ("prod", samples.CLUSTER, lambda p: changed(p, "disableLocalAccounts", False)),
    "no-registry-admin": ("prod", samples.REGISTRY, lambda p: changed(p, "adminUserEnabled", True)),
    "private-network": ("prod", samples.CLUSTER, lambda p: p),
    "probes": ("cluster", samples.DEPLOYMENT, lambda p: changed(p, f"{_POD}.livenessProbe", None)),
    "protect-stateful": ("prod", samples.VAULT, lambda p: p),
    "required-tags": ("prod", samples.CLUSTER, lambda p: changed(p, "tags.stack", None)),
    "resource-limits": (
        "cluster",
        samples.DEPLOYMENT,
        lambda p: changed(p, f"{_POD}.resources.limits", None),
    ),
    "restricted-pods": (
        "cluster",
        samples.DEPLOYMENT,
        lambda p: changed(p, f"{_POD}.securityContext.privileged", True),
    ),
    "safe-dns-label": (
        "dev",
        samples.GROUP,
        lambda p: changed(p, "ipAddress.autoGeneratedDomainNameLabelScope", "Unsecure"),
    ),
    "secrets-not-in-clear": (
        "cluster",
        samples.DEPLOYMENT,
        lambda p: variable(p, _VARS, "DB_PASSWORD", "letmein"),
    ),
    "storage-not-public": ("prod", samples.STORAGE, lambda p: changed(p, "allowBlobPublicAccess", True)),
    "tls-enabled": ("prod", samples.ROLLOUT, lambda p: p),
    "vault-protected": (
        "prod",
        samples.VAULT,
        lambda p: changed(p, "properties.enablePurgeProtection", None),
    ),
    "vm-sizes": ("prod", samples.POOL, lambda p: changed(p, "vmSize", "Standard_M128s")),
    "vcpu-ceiling": ("prod", samples.POOL, lambda p: changed(p, "maxCount", 200)),
    "max-cost": ("prod", samples.POOL, lambda p: {**p, "vmSize": "Standard_NC24ads_A100_v4", "maxCount": 20}),
    "pinned-packages": ("local", samples.ENVIRONMENT, lambda p: {**p, "dependencies": ["numpy>=1"]}),
}
LEFT_OUT = {"disruption-budget": samples.BUDGET, "gated-updates": samples.KUBERNETES_GATE}
"""Rules about something that has to be there."""


def test_each_rule_is_here():
    assert {*BREAKS, *LEFT_OUT} == set(BY_NAME)


@pytest.mark.parametrize("rule", BREAKS)
def test_one_change_breaks_it(rule, plans, cluster):
    name, kind, breaks = BREAKS[rule]
    stack = copy.deepcopy(cluster if name == "cluster" else plans(name))
    index = next(i for i, (one, _) in enumerate(stack) if one == kind)
    stack[index] = (kind, breaks(stack[index][1]))
    assert broken(rule, stack if BY_NAME[rule].check_stack else [stack[index]])


@pytest.mark.parametrize("rule", LEFT_OUT)
def test_leaving_it_out_breaks_it(rule, plans, cluster):
    whole = cluster if rule == "disruption-budget" else plans("prod")
    kept = [one for one in whole if one[0] != LEFT_OUT[rule]]
    assert len(kept) < len(whole)
    assert broken(rule, kept)


@pytest.mark.reliability  # the default suite runs the pack as a process in test_pack
def test_a_manifest_that_breaks_many_rules(sample):
    """The pack as a process on the real program: every rule that the manifest breaks is named."""
    base, prod = ROOT / "manifest.yaml", ROOT / "manifest.prod.yaml"
    shared, stack = yaml.safe_load(base.read_text()), yaml.safe_load(prod.read_text())
    shared["models"]["digits"]["tags"]["stage"] = "trial"
    stack["azure"]["location"] = "brazilsouth"
    create = stack["targets"]["prod-cluster"]["create"]
    create |= {"max_count": 300, "vm_size": "Standard_M128s"}
    stack["services"]["digits"] |= {
        "num_replicas": 1,
        "auth_enabled": False,
        "enable_app_insights": False,
        "collect_model_data": True,
        "golden": None,
    }
    try:
        (sample.root / base.name).write_text(yaml.safe_dump(shared))
        (sample.root / prod.name).write_text(yaml.safe_dump(stack))
        done = sample("preview", "--stack", "prod", "--policy-pack", str(ROOT / "policy"))
    finally:
        for file in (base, prod):
            shutil.copy(file, sample.root)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    # What is in the pods is not known before the image is built: the update checks it.
    wanted = {"allowed-regions", "approved-models", "auth-enabled", "gated-updates", "min-replicas"}
    wanted |= {"vm-sizes", "vcpu-ceiling", "max-cost"}
    assert {rule for rule in BY_NAME if f"[mandatory] mldeploy {rule}:" in said} == wanted, said


def test_a_first_preview_leaves_no_rule_open(sample):
    """So `--strict`, which the pipelines have, passes on a stack that complies."""
    done = sample("preview", "--stack", "prod", "--policy-pack", str(ROOT / "policy"), "--strict")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0, said
    assert "not-evaluated" not in said
    assert "tls-enabled: diabetes-rollout, digits-rollout: is reached without TLS" in said
