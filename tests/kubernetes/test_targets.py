"""From a manifest to the endpoints on a cluster, against mocks."""

from __future__ import annotations

import json

import pulumi
import pytest
import yaml

from components.context import Context
from components.kubernetes import services as cluster_services
from components.kubernetes.services import Place, deploy_on, scaling
from mldeploy.manifest import load
from mldeploy.manifest.markers import ServerSetting, marker
from tests.components.test_server_settings import VALUES, read
from tests.kubernetes.samples import IMAGE
from tests.kubernetes.test_component import KUBECONFIG, Recorder

BASE = {
    "version": 1,
    "models": {"m": {"source": "m.txt"}},
    "images": {"i": {"models": ["m"], "source_directory": "src", "entry_script": "score.py"}},
    "targets": {"prod": {"type": "kubernetes"}},
    "services": {"diabetes": {"image": "i", "target": "prod"}},
}


@pytest.fixture
def compose(tmp_path):
    (tmp_path / "m.txt").write_text("1")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/score.py").write_text("def init(): pass\ndef run(x): return x\n")
    (tmp_path / "in.json").write_text("{}")

    def run(target=None, image=None, region=None, balancer=False, **service):
        document = json.loads(json.dumps(BASE))
        if region is not None:
            document["azure"] = {"location": region}
        document["targets"]["prod"] |= target or {}
        document["images"]["i"] |= image or {}
        document["services"]["diabetes"] |= service
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(document))
        manifest = load(tmp_path, "prod")
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="ml", stack="prod", preview=False)
        extras = {name: {"image": IMAGE, "models": {"m": "1"}} for name in manifest.services}

        @pulumi.runtime.test
        def program():
            place = Place(
                kubeconfig=KUBECONFIG, target_name="prod", target=manifest.targets["prod"], extras=extras,
                region=region, balancer=balancer,
            )  # fmt: skip
            found = deploy_on(Context(manifest, "ml", "prod"), place, manifest.services)
            return pulumi.Output.all(*[item.scoring_uri for item in found.values()])

        program()
        return {name: args.inputs for name, args in recorder.made.items()}

    return run


def test_defaults_are_v1s(compose):
    made = compose()
    pod = made["diabetes-deployment"]["spec"]["template"]["spec"]
    requests = pod["containers"][0]["resources"]["requests"]
    assert (requests["cpu"], requests["memory"]) == ("100m", "512Mi")
    assert made["diabetes-autoscaler"]["spec"]["minReplicas"] == 1
    assert made["diabetes-autoscaler"]["spec"]["maxReplicas"] == 10
    assert made["prod-namespace"]["metadata"]["name"] == "ml-prod-prod"
    assert made["diabetes-deployment"]["metadata"]["namespace"] == "ml-prod-prod"
    assert made["diabetes-rollout"]["strategy"] == "blue_green"
    assert "diabetes-keys" in made, "auth is on by default on a cluster"


def test_every_setting_reaches_the_pods(compose):
    made = compose(
        image={"environment_variables": {"LEVEL": "debug"}},
        cpu_cores=1,
        memory_gb=2,
        cpu_cores_limit=2,
        memory_gb_limit=3,
        gpu_cores=1,
        num_replicas=3,
        scoring_timeout_ms=5000,
        replica_max_concurrent_requests=4,
        max_request_wait_time=100,
        probes={"period_seconds": 20, "initial_delay_seconds": 100},
        node_selector={"pool": "gpu"},
        tolerations=[{"key": "spot", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 5}],
        priority_class="high",
        collect_model_data={"enabled": True, "sampling": 0.5},
        description="text",
        tags={"team": "health"},
    )
    deployment = made["diabetes-deployment"]
    assert deployment["spec"]["replicas"] == 3
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert env["SERVING_SCORING_TIMEOUT_MS"] == "5000"
    assert env["SERVING_REPLICA_MAX_CONCURRENT_REQUESTS"] == "4"
    assert env["SERVING_MAX_REQUEST_WAIT_TIME"] == "100"
    assert json.loads(env["SERVING_COLLECT_MODEL_DATA"])["sampling"] == 0.5
    assert env["LEVEL"] == "debug"
    assert container["resources"]["limits"]["memory"] == "3Gi"
    assert container["livenessProbe"]["periodSeconds"] == 20
    assert container["startupProbe"]["failureThreshold"] == 20
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["priorityClassName"] == "high"
    assert pod["tolerations"][0]["tolerationSeconds"] == 5
    notes = deployment["metadata"]["annotations"]
    assert notes["mldeploy.dev/description"] == "text"
    assert json.loads(notes["mldeploy.dev/tags"]) == {"team": "health"}


def test_a_shared_gateway(compose):
    made = compose(target={"gateway": {"name": "edge", "namespace": "web", "host": "ml.example.org"}})
    rollout = made["diabetes-rollout"]
    assert rollout["gateway"] == {"name": "edge", "namespace": "web"}
    assert rollout["hostnames"] == ["ml.example.org"]
    callers = made["diabetes-network"]["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}} in callers
    assert "prod-gateway" not in made


def test_a_gateway_of_the_targets_own(compose):
    ssl = {"cname": "a.example.org", "issuer": "letsencrypt"}
    made = compose(target={"gateway": {"name": "edge", "class_name": "istio"}}, ssl=ssl)
    assert made["prod-gateway"]["spec"]["gatewayClassName"] == "istio"
    assert made["prod-gateway"]["spec"]["listeners"][1]["hostname"] == "a.example.org"
    assert made["diabetes-certificate"]["spec"]["issuerRef"]["name"] == "letsencrypt"


AKS = {"type": "aks", "attach": {"resource_group": "rg", "cluster_name": "cluster"}}


def test_a_load_balancer_with_a_leaf_domain_label(compose):
    ssl = {"leaf_domain_label": "scores"}
    made = compose(target=AKS, balancer=True, region="westeurope", ssl=ssl)
    rollout = made["diabetes-rollout"]
    assert rollout["service_type"] == "LoadBalancer"
    assert rollout["hostnames"] == ["scores.westeurope.cloudapp.azure.com"]
    assert rollout["service_annotations"] == {"service.beta.kubernetes.io/azure-dns-label-name": "scores"}
    assert rollout["tls"] is True, "without a gateway the pods speak TLS"


def test_a_namespace_that_was_named_is_kept(compose):
    made = compose(target={"namespace": "team"})
    assert made["prod-namespace"]["metadata"]["name"] == "team"


def test_default_namespaces_are_not_made(compose):
    assert "prod-namespace" not in compose(target={"namespace": "default"})


def test_a_quota(compose):
    made = compose(
        target={"quota": {"cpu_cores": 4, "memory_gb": 10, "pods": 20}}, cpu_cores=1, num_replicas=2
    )
    assert made["prod-quota"]["spec"]["hard"] == {
        "pods": "20",
        "requests.cpu": "4",
        "requests.memory": "10Gi",
    }


def test_golden_requests_and_rollout(compose):
    made = compose(
        target={"gateway": {"name": "edge"}},
        golden=[{"request": "in.json"}],
        rollout={"strategy": "canary", "steps": [10, 100], "bake_seconds": 30, "promote": "abc"},
        keep_previous=2,
    )
    assert made["diabetes-gate"]["golden"][0]["request"] == "in.json"
    rollout = made["diabetes-rollout"]
    assert rollout["steps"] == [10, 100]
    assert (rollout["bake_seconds"], rollout["keep_previous"], rollout["promote"]) == (30, 2, "abc")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"num_replicas": 4}, (False, 4)),
        ({"autoscale": {"enabled": True, "min_replicas": 2, "max_replicas": 5}}, (True, 2)),
        ({"autoscale": {"enabled": False, "min_replicas": 3}}, (False, 3)),
        ({}, (True, 1)),
    ],
)
def test_scaling(given, expected, tmp_path):
    from mldeploy.manifest.service import Service

    found = scaling(Service.model_validate({"image": "i", "target": "t", **given}))
    assert (found.enabled, found.floor) == expected


def test_every_setting_of_a_service_is_taken_or_known():
    """A field of the manifest that this target ignores in silence is a bug: list it here with its reason."""
    from pathlib import Path

    from mldeploy.manifest.service import Service

    text = Path(cluster_services.__file__).read_text()
    elsewhere = {"image", "target", "port", "dns_name_label", "batch", "edge"}
    elsewhere |= {
        key for key, field in Service.model_fields.items() if isinstance(marker(field), ServerSetting)
    }
    ignored = {name for name in Service.model_fields if name not in elsewhere and name not in text}
    assert ignored == set()


def test_the_servers_settings_reach_the_pods_and_nothing_is_there_without(compose):
    def pod(**service):
        return compose(**service)["diabetes-deployment"]["spec"]["template"]["spec"]

    def told(spec):
        return read({one["name"]: one.get("value") for one in spec["containers"][0]["env"]})

    plain, given = pod(), pod(**VALUES)
    assert not VALUES.keys() & told(plain).keys()
    assert {key: told(given)[key] for key in VALUES} == VALUES
    # Pods have the time that streams are given, and only then.
    longer = given["terminationGracePeriodSeconds"] - plain["terminationGracePeriodSeconds"]
    assert longer == VALUES["stream_drain_seconds"]
    assert pod(workers=2)["terminationGracePeriodSeconds"] == plain["terminationGracePeriodSeconds"]
