"""AksEndpoint and ServingNamespace against mocks: what is registered, what is secret, what depends on what."""

from __future__ import annotations

import json

import pulumi
import pytest

from components.kubernetes.endpoint import AksEndpoint, AksEndpointArgs
from components.kubernetes.namespace import ServingNamespace, ServingNamespaceArgs
from components.kubernetes.objects import Scaling, TlsListener
from components.kubernetes.tls import Tls
from tests.kubernetes.samples import IMAGE

KUBECONFIG = "apiVersion: v1\nkind: Config\n"


class Recorder(pulumi.runtime.Mocks):
    def __init__(self):
        self.made = {}

    def new_resource(self, args):
        self.made[args.name] = args
        outputs = dict(args.inputs)
        if args.typ == "mldeploy:service:ServiceKeys":
            outputs |= {"primary": "p" * 32, "secondary": "s" * 32}
        if args.typ == "mldeploy:kubernetes:Rollout":
            outputs |= {"serving": args.inputs["version"], "weights": {}, "kept": []}
            outputs |= {"scoring_uri": "http://x/score", "swagger_uri": "http://x/swagger.json"}
        return (f"{args.name}-id", outputs)

    def call(self, args):
        return {}


def deploy(*services, **arguments):
    """The inputs of every resource by logical name."""
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, preview=False)
    made = []

    @pulumi.runtime.test
    def run():
        for name in services or ("diabetes",):
            values = {
                "image": IMAGE,
                "models": {"diabetes": "1"},
                "kubeconfig": KUBECONFIG,
                "namespace": "models",
            }
            made.append(AksEndpoint(name, AksEndpointArgs(**{**values, **arguments})))
        return pulumi.Output.all(*[item.scoring_uri for item in made])

    run()
    return {name: args.inputs for name, args in recorder.made.items()}, recorder.made, made


def test_the_objects_of_a_service():
    _, made, _ = deploy()
    kinds = {name: args.typ for name, args in made.items()}
    assert kinds == {
        "diabetes": "mldeploy:service:AksEndpoint",
        "diabetes-keys": "mldeploy:service:ServiceKeys",
        "diabetes-account": "kubernetes:core/v1:ServiceAccount",
        "diabetes-network": "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "diabetes-keys-secret": "kubernetes:core/v1:Secret",
        "diabetes-versions": "mldeploy:kubernetes:Versions",
        "diabetes-deployment": "kubernetes:apps/v1:Deployment",
        "diabetes-service": "kubernetes:core/v1:Service",
        "diabetes-budget": "kubernetes:policy/v1:PodDisruptionBudget",
        "diabetes-gate": "mldeploy:kubernetes:Gate",
        "diabetes-rollout": "mldeploy:kubernetes:Rollout",
    }


def test_a_version_is_named_by_its_content_everywhere():
    inputs, _, _ = deploy(scaling=Scaling(enabled=True))
    version = inputs["diabetes-rollout"]["version"]
    for role in ("deployment", "service", "budget", "autoscaler"):
        assert inputs[f"diabetes-{role}"]["metadata"]["name"] == f"diabetes-{version}"
    assert inputs["diabetes-gate"]["version"] == version
    other, _, _ = deploy(scaling=Scaling(enabled=True), models={"diabetes": "2"})
    assert other["diabetes-rollout"]["version"] != version


def test_keys_never_reach_an_object_in_clear():
    inputs, made, _ = deploy(primary_key=pulumi.Output.secret("own-key"))
    for name, values in inputs.items():
        if made[name].typ.startswith("kubernetes:") and not made[name].typ.endswith(":Secret"):
            assert "p" * 32 not in json.dumps(values), name
    data = secret_value(inputs["diabetes-keys-secret"]["stringData"])
    assert json.loads(data["keys.json"]) == {"primary": "p" * 32, "secondary": "s" * 32}


def secret_value(value):
    """The value inside a secret, as the engine gets it; fails when it is in clear."""
    assert value["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    return value["value"]


def test_the_kubeconfig_is_a_secret_input():
    inputs, _, _ = deploy()
    for role in ("gate", "rollout", "versions"):
        assert secret_value(inputs[f"diabetes-{role}"]["kubeconfig"]) == KUBECONFIG


def test_no_keys_without_auth():
    inputs, _, _ = deploy(workload={"auth_enabled": False})
    assert "diabetes-keys" not in inputs
    assert "diabetes-keys-secret" not in inputs
    assert inputs["diabetes-rollout"].get("key") is None


def test_rotated_keys_change_no_version():
    first, _, _ = deploy(key_generation=(1, 1))
    second, _, _ = deploy(key_generation=(2, 1))
    assert first["diabetes-rollout"]["version"] == second["diabetes-rollout"]["version"]
    assert first["diabetes-keys"] != second["diabetes-keys"]


def test_two_services_share_no_name():
    _, made, _ = deploy("diabetes", "digits")
    assert len(made) == 22


@pytest.mark.parametrize("gateway", [True, False])
def test_tls_ends_at_the_gateway_or_in_the_pods(gateway):
    tls = Tls(hostname="a.example.org", cert=pulumi.Output.secret("CERT"), key=pulumi.Output.secret("KEY"))
    route = {"gateway": {"name": "mldeploy"}} if gateway else {}
    inputs, _, _ = deploy(tls=tls, route=route)
    assert inputs["diabetes-gate"]["tls"] is not gateway
    assert inputs["diabetes-rollout"]["public_tls"] is True
    assert inputs["diabetes-tls-secret"]["type"] == "kubernetes.io/tls"
    volumes = inputs["diabetes-deployment"]["spec"]["template"]["spec"]["volumes"]
    assert ("tls" in {item["name"] for item in volumes}) is not gateway


def test_a_certificate_of_cert_manager():
    inputs, made, _ = deploy(tls=Tls(hostname="a.example.org", issuer="letsencrypt"))
    assert made["diabetes-certificate"].typ == "kubernetes:cert-manager.io/v1:Certificate"
    assert inputs["diabetes-certificate"]["spec"]["secretName"] == "diabetes-tls"


def test_tls_needs_a_certificate_or_an_issuer():
    with pytest.raises(pulumi.RunError, match="ssl needs cert and key"):
        deploy(tls=Tls(hostname="a.example.org"))


def test_the_autoscalers_floor_is_what_the_gate_waits_for():
    inputs, _, _ = deploy(scaling=Scaling(enabled=True, min_replicas=3))
    assert inputs["diabetes-gate"]["replicas"] == 3
    assert "replicas" not in inputs["diabetes-deployment"]["spec"]
    assert inputs["diabetes-rollout"]["autoscaled"] is True


def test_the_rollouts_settings_reach_it():
    rollout = {"strategy": "canary", "steps": [10, 100], "bake_seconds": 5, "max_error_rate": 0.02}
    inputs, _, _ = deploy(
        rollout=rollout, route={"gateway": {"name": "g", "namespace": "web"}, "hostnames": ["h"]}
    )
    for key, value in rollout.items():
        assert inputs["diabetes-rollout"][key] == value
    assert inputs["diabetes-rollout"]["gateway"] == {"name": "g", "namespace": "web"}
    # Longer than the pods' own limits, so that clients see the server's answer and not the gateway's.
    assert inputs["diabetes-rollout"]["timeout_seconds"] == 62


def test_collected_data_goes_where_the_target_says():
    workload = {"collect_model_data": {"enabled": True}}
    inputs, _, _ = deploy(workload=workload, collect_destination="https://x.blob.core.windows.net/data")
    env = {
        e["name"]: e.get("value")
        for e in inputs["diabetes-deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert (
        json.loads(env["SERVING_COLLECT_MODEL_DATA"])["destination"] == "https://x.blob.core.windows.net/data"
    )


def test_workload_identity():
    inputs, _, _ = deploy(identity_client_id="1234")
    notes = inputs["diabetes-account"]["metadata"]["annotations"]
    assert notes["azure.workload.identity/client-id"] == "1234"
    labels = inputs["diabetes-deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"


class TestServingNamespace:
    def deploy(self, **arguments):
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, preview=False)

        @pulumi.runtime.test
        def run():
            return ServingNamespace("prod", ServingNamespaceArgs(namespace="models", **arguments)).name

        run()
        return {name: args.inputs for name, args in recorder.made.items()}

    def test_enforces_restricted(self):
        made = self.deploy()
        labels = made["prod-namespace"]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    def test_leaves_existing_namespaces_alone(self):
        assert set(self.deploy(create=False)) == {"prod"}

    def test_quota_and_gateway(self):
        listener = TlsListener(service="diabetes", hostname="h", secret_name="s")
        made = self.deploy(
            quota={"pods": "10"}, gateway_name="mldeploy", gateway_class="istio", listeners=[listener]
        )
        assert made["prod-quota"]["spec"]["hard"] == {"pods": "10"}
        assert len(made["prod-gateway"]["spec"]["listeners"]) == 2
