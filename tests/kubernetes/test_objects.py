"""What every object keeps to: API schemas of several Kubernetes versions, Pod Security `restricted`, good manners."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from components.kubernetes import objects
from components.kubernetes.objects import Scaling, TlsListener
from components.kubernetes.workload import SERVICE_LABEL, VERSION_LABEL, pod_template, version_of
from tests.kubernetes.samples import VARIANTS, everything, workload

SCHEMAS = pytest.importorskip(
    "kubernetes_validate", reason="needs kubernetes-validate (dependency group test)"
)
API_VERSIONS = [f"1.{minor}" for minor in range(30, 37)]
by_variant = pytest.mark.parametrize("item", VARIANTS.values(), ids=VARIANTS.keys())


@pytest.mark.parametrize("version", API_VERSIONS)
def test_every_object_is_valid_for(version):
    # All kinds of the fullest service, and the pods of the others: an object a kind is enough, a schema load costs.
    bodies = everything(VARIANTS["everything"])
    bodies += [
        made for name in ("gpu", "tls") for made in everything(VARIANTS[name]) if made[1] == "Deployment"
    ]
    for api, kind, body in bodies:
        SCHEMAS.validate({"apiVersion": api, "kind": kind, **body}, version, strict=True)


def test_the_schemas_refuse_a_wrong_object():
    body = objects.disruption_budget(workload())
    body["spec"]["maxUnavailabel"] = 1
    with pytest.raises(SCHEMAS.ValidationError):
        SCHEMAS.validate(
            {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", **body}, "1.36", strict=True
        )


def container(item):
    return pod_template(item, "v")["spec"]["containers"][0]


@by_variant
class TestEveryPod:
    """The rules of kube-linter's default set and of Pod Security `restricted`, one a test."""

    def test_runs_without_rights(self, item):
        context = container(item)["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["runAsNonRoot"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in context

    def test_runs_as_a_user_that_is_not_root(self, item):
        context = pod_template(item, "v")["spec"]["securityContext"]
        assert context["runAsUser"] > 0
        assert context["runAsGroup"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}

    def test_shares_nothing_with_its_node(self, item):
        spec = pod_template(item, "v")["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert {kind for volume in spec["volumes"] for kind in volume} <= {"name", "emptyDir", "secret"}

    def test_gets_no_token_of_the_api(self, item):
        assert pod_template(item, "v")["spec"]["automountServiceAccountToken"] is False
        assert pod_template(item, "v")["spec"]["enableServiceLinks"] is False

    def test_has_requests_and_limits(self, item):
        resources = container(item)["resources"]
        for kind in ("cpu", "memory", "ephemeral-storage"):
            assert resources["requests"][kind]
            assert resources["limits"][kind]

    def test_has_three_probes_on_its_port(self, item):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = container(item)[probe]["httpGet"]
            assert get["port"] == "scoring"
            assert get["scheme"] == ("HTTPS" if item.tls else "HTTP")
        # A pod that drains is alive and not ready.
        assert container(item)["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container(item)["livenessProbe"]["httpGet"]["path"] == "/livez"

    def test_stops_later_than_it_drains(self, item):
        grace = pod_template(item, "v")["spec"]["terminationGracePeriodSeconds"]
        wait = container(item)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert wait >= 5
        assert grace >= wait + item.drain_seconds + 5
        assert item.drain_seconds * 1000 >= item.scoring_timeout_ms

    def test_uses_an_image_by_digest_and_never_latest(self, item):
        assert "@sha256:" in container(item)["image"]
        assert container(item)["imagePullPolicy"] == "IfNotPresent"

    def test_is_spread_over_zones_and_nodes(self, item):
        keys = [rule["topologyKey"] for rule in pod_template(item, "v")["spec"]["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]

    def test_writes_to_tmp_only(self, item):
        writable = [mount for mount in container(item)["volumeMounts"] if not mount.get("readOnly")]
        assert [mount["mountPath"] for mount in writable] == ["/tmp"]
        volume = pod_template(item, "v")["spec"]["volumes"][0]
        assert volume == {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}}

    def test_says_where_its_metrics_are(self, item):
        notes = pod_template(item, "v")["metadata"]["annotations"]
        assert notes["prometheus.io/scrape"] == "true"
        assert notes["prometheus.io/path"] == "/metrics"

    def test_is_selected_by_service_and_version(self, item):
        version = version_of(item)
        deployment = objects.deployment(item, Scaling())
        chosen = deployment["spec"]["selector"]["matchLabels"]
        assert chosen == {SERVICE_LABEL: "diabetes", VERSION_LABEL: version}
        assert chosen.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        for other in (objects.version_service(item)["spec"]["selector"],
                      objects.disruption_budget(item)["spec"]["selector"]["matchLabels"]):  # fmt: skip
            assert other == chosen

    def test_no_secret_is_written_into_it(self, item):
        for variable in container(item)["env"]:
            if re.search("TOKEN|KEY$|PASSWORD", variable["name"]):
                assert "value" not in variable


@by_variant
def test_every_object_names_the_field_manager_and_has_labels(item):
    for _, kind, body in everything(item):
        assert body["metadata"]["annotations"]["pulumi.com/patchFieldManager"] == "mldeploy", kind
        assert body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mldeploy", kind


def test_the_namespace_enforces_restricted():
    labels = objects.namespace("models")["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {
        "restricted"
    }


class TestVersions:
    def test_are_the_same_for_the_same_pods(self):
        assert version_of(workload()) == version_of(workload())
        assert re.fullmatch("[0-9a-f]{10}", version_of(workload()))

    @pytest.mark.parametrize(
        "change",
        [
            {"image": "r/x@sha256:" + "b" * 64},
            {"models": {"diabetes": "2"}},
            {"memory_gb": 2.0},
            {"scoring_timeout_ms": 1000},
            {"environment_variables": {"A": "b"}},
            {"autoscaled": True},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_differ_when_the_pods_do(self, change):
        assert version_of(workload(**change)) != version_of(workload())

    def test_do_not_depend_on_the_number_of_pods(self):
        one, many = (objects.deployment(workload(), Scaling(replicas=n)) for n in (1, 9))
        assert one["metadata"]["name"] == many["metadata"]["name"]
        assert one["spec"]["template"] == many["spec"]["template"]

    def test_names_fit_into_labels(self):
        service = objects.object_name("a" * 200)
        item = workload(service=service)
        for _, _, body in everything(item):
            assert len(body["metadata"]["name"]) <= 63
        assert objects.object_name("a" * 200) != objects.object_name("a" * 199 + "b")

    def test_every_field_of_the_workload_is_used(self):
        """A field that changes nothing is a setting that silently does nothing."""
        base = workload()
        samples = {str: "other", int: 7, float: 7.5, bool: True}
        unused = []
        for field in dataclasses.fields(base):
            value = getattr(base, field.name)
            other = samples.get(type(value), {"K": "V"} if isinstance(value, dict) else ("x",))
            if isinstance(value, bool):
                other = not value
            if field.name == "probes":
                other = {"period_seconds": 33}
            if field.name == "tolerations":
                other = ({"key": "x", "operator": "Exists"},)
            if value is None:
                other = {"priority_class": "p", "collect_model_data": {"enabled": True}}.get(field.name, 9)
            if field.name == "namespace":
                continue
            if json.dumps(pod_template(dataclasses.replace(base, **{field.name: other}), "v")) == json.dumps(
                pod_template(base, "v")
            ):
                unused.append(field.name)
        assert unused == []


class TestScaling:
    def test_a_fixed_number_is_in_the_deployment(self):
        assert objects.deployment(workload(), Scaling(replicas=3))["spec"]["replicas"] == 3

    def test_the_autoscaler_owns_the_number(self):
        item, scaling = workload(autoscaled=True), Scaling(enabled=True, min_replicas=2, max_replicas=8)
        assert "replicas" not in objects.deployment(item, scaling)["spec"]
        spec = objects.autoscaler(item, scaling)["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 8)
        assert spec["scaleTargetRef"]["name"] == objects.deployment(item, scaling)["metadata"]["name"]

    @pytest.mark.parametrize(("seconds", "period"), [(1, 1), (30, 30), (5000, 1800)])
    def test_refresh_seconds_are_the_policies_period(self, seconds, period):
        spec = objects.autoscaler(workload(), Scaling(enabled=True, refresh_seconds=seconds))["spec"]
        assert {rule["periodSeconds"] for rule in spec["behavior"]["scaleUp"]["policies"]} == {period}

    def test_a_rolling_update_never_goes_below_the_number(self):
        update = objects.deployment(workload(), Scaling())["spec"]["strategy"]["rollingUpdate"]
        assert update["maxUnavailable"] == 0

    def test_a_drain_of_a_node_is_always_possible(self):
        spec = objects.disruption_budget(workload())["spec"]
        assert spec["maxUnavailable"] == 1
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


class TestQuantities:
    @pytest.mark.parametrize(
        ("cores", "text"), [(0.1, "100m"), (1, "1"), (1.5, "1500m"), (2.0, "2"), (0.0001, "1m")]
    )
    def test_cores_are_in_the_servers_own_form(self, cores, text):
        assert container(workload(cpu_cores=cores))["resources"]["requests"]["cpu"] == text

    @pytest.mark.parametrize(("gib", "text"), [(0.5, "512Mi"), (1, "1Gi"), (1.5, "1536Mi"), (0.0001, "1Mi")])
    def test_memory_is_too(self, gib, text):
        assert container(workload(memory_gb=gib))["resources"]["requests"]["memory"] == text

    def test_a_limit_below_the_request_is_the_request(self):
        resources = container(workload(cpu_cores=2, cpu_cores_limit=1))["resources"]
        assert resources["limits"]["cpu"] == "2"

    def test_a_gpu_is_requested_and_its_taint_tolerated(self):
        spec = pod_template(workload(gpu_cores=2), "v")["spec"]
        assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
        assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in spec["tolerations"]


class TestNetworkPolicy:
    def test_named_callers_only(self):
        rule = objects.network_policy(workload(), ["web"])["spec"]["ingress"][0]
        spaces = [
            item["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for item in rule["from"]
        ]
        assert spaces == ["kube-system", "models", "web"]
        assert rule["ports"] == [{"protocol": "TCP", "port": 5001}]

    def test_a_load_balancers_clients_and_the_api_server_are_no_pods(self):
        rule = objects.network_policy(workload(), [])["spec"]["ingress"][0]
        assert rule == {"ports": [{"protocol": "TCP", "port": 5001}]}

    def test_out_to_names_and_tls_only(self):
        ports = {
            port["port"]
            for rule in objects.network_policy(workload(), [])["spec"]["egress"]
            for port in rule["ports"]
        }
        assert ports == {53, 443}


def test_a_gateway_has_a_listener_for_each_certificate():
    tls = [TlsListener(service="diabetes", hostname="a.example.org", secret_name="diabetes-tls")]
    listeners = objects.gateway("mldeploy", "models", "istio", tls)["spec"]["listeners"]
    assert [(item["name"], item["protocol"]) for item in listeners] == [
        ("http", "HTTP"),
        ("https-diabetes", "HTTPS"),
    ]
    assert listeners[1]["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "diabetes-tls"}]
