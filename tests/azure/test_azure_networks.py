"""Where services on AKS have their addresses, and whom their pods may speak with."""

import shutil

import pytest
import yaml

from components.compose import compose
from mldeploy.manifest import ManifestErrors, load
from tests.azure import harness
from tests.azure.deployment import ROOT

INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
TLS = {"ssl": {"cname": "score.example.org", "issuer": "letsencrypt"}}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Resources of the prod sample with changes of its target and of the diabetes service."""
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    shared = yaml.safe_load((ROOT / "manifest.yaml").read_text())
    prod = yaml.safe_load((ROOT / "manifest.prod.yaml").read_text())

    def made(target=None, **service):
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        for name in ("entry_scripts", "models", "golden"):
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
        document = prod | {"targets": {"prod-cluster": prod["targets"]["prod-cluster"] | (target or {})}}
        document["services"] = prod["services"] | {"diabetes": prod["services"]["diabetes"] | service}
        (folder / "manifest.yaml").write_text(yaml.safe_dump(shared))
        (folder / "manifest.prod.yaml").write_text(yaml.safe_dump(document))
        monkeypatch.chdir(folder)
        manifest = load(folder, "prod")
        recorded = harness.run(
            lambda: compose(manifest) and None, tmp_path / "cloud", stack="prod", root=folder
        )
        assert recorded.error is None
        return recorded

    return made


def annotations(recorded, service="diabetes"):
    (route,) = [one for one in recorded.of("kubernetes:Rollout") if one.name.startswith(f"{service}-")]
    return route.plain.get("service_annotations") or {}


def test_a_service_without_tls_is_not_on_the_internet(plan):
    assert annotations(plan()) == {INTERNAL: "true"}


def test_a_service_with_tls_is(plan):
    recorded = plan(**TLS)
    assert annotations(recorded) == {}
    assert annotations(recorded, "digits") == {INTERNAL: "true"}


@pytest.mark.parametrize(("wanted", "found"), [("public", {}), ("internal", {INTERNAL: "true"})])
def test_the_target_says_otherwise(plan, wanted, found):
    recorded = plan({"load_balancer": wanted}, **TLS)
    assert annotations(recorded) == annotations(recorded, "digits") == found


@pytest.mark.parametrize("tls", [{}, TLS], ids=["clear", "tls"])
def test_a_gateway_of_the_targets_own_is_public_with_tls_only(plan, tls):
    recorded = plan({"gateway": {"name": "edge", "class_name": "envoy"}}, **tls)
    (gateway,) = [one for one in recorded.resources if one.type.endswith(":Gateway")]
    inner = (gateway.plain["spec"].get("infrastructure") or {}).get("annotations") or {}
    assert inner == ({} if tls else {INTERNAL: "true"})


def test_a_public_name_of_an_internal_address_is_refused(plan):
    with pytest.raises(ManifestErrors, match="is a name on the internet, and the load balancer of"):
        plan({"load_balancer": "internal"}, ssl={"leaf_domain_label": "scores"})


def test_egress_rules_are_in_the_network_policy(plan):
    rules = [
        {"to": "10.1.0.0/16", "ports": [5432]},
        {"namespace": "telemetry", "ports": [4318]},
        {"ports": [53], "protocol": "UDP"},
    ]
    (policy,) = [one for one in plan(egress=rules).of(":NetworkPolicy") if one.name.startswith("diabetes")]
    assert policy.plain["spec"]["egress"][2:] == [
        {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 5432}]},
        {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "telemetry"}}}],
            "ports": [{"protocol": "TCP", "port": 4318}],
        },
        {"ports": [{"protocol": "UDP", "port": 53}]},
    ]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"to": "db.example.org"}, "is no range of addresses"),
        ({"to": "10.1.2.3/16"}, "has host bits set"),
        ({"to": "10.1.0.0/16", "namespace": "data"}, "has both to and namespace"),
        ({}, "names nobody"),
        ({"namespace": "data", "protocol": "UDP"}, "protocol has no effect without ports"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(plan, rule, why):
    with pytest.raises(ManifestErrors, match=why):
        plan(egress=[rule])


def test_gpus_of_a_pool_can_be_asked_for(plan):
    """AKS installs the driver; without NVIDIA's device plugin no node has `nvidia.com/gpu`."""
    create = {"agent_count": 3, "vm_size": "Standard_D4s_v5"}
    assert plan({"create": create}).of(":DaemonSet") == []
    pool = {"name": "gpu", "vm_size": "Standard_NC4as_T4_v3", "gpu": True, "spot": True}
    recorded = plan({"create": create | {"pools": [pool, {"name": "other", "vm_size": "Standard_D4s_v5"}]}})
    (plugin,) = recorded.of(":DaemonSet")
    pod = plugin.plain["spec"]["template"]["spec"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [{"key": "mldeploy.io/pool", "operator": "In", "values": ["gpu"]}]
    (made,) = [one for one in recorded.of(":AgentPool") if one.name.endswith("-gpu")]
    tolerated = {item["key"] for item in pod["tolerations"]}
    assert {taint.split("=")[0] for taint in made.plain["nodeTaints"]} == tolerated
    assert made.plain["nodeLabels"] == {"mldeploy.io/pool": "gpu"}
