"""Whole stacks from a manifest, as users write them, on a real API server; only the image is not built."""

from __future__ import annotations

import base64
import stat

import pytest
import yaml

from mldeploy.provider.kubernetes.versions import MODELS_ANNOTATION
from tests.kubernetes.project import ClusterProject
from tests.kubernetes.samples import IMAGE
from tests.lifecycle.project import REPOSITORY

pytestmark = pytest.mark.kubernetes
_PROGRAM = f"""
from types import SimpleNamespace

import pulumi
from components.targets.kubernetes import graph

graph.container_image = lambda *_given: SimpleNamespace(reference=pulumi.Output.from_input({IMAGE!r}))
"""
_PEM = "-----BEGIN {0}-----\nMIIB\n-----END {0}-----\n"


class ManifestProject(ClusterProject):
    """A project of a manifest; services are those of its stacks."""

    def __init__(self, root, cluster, namespace):
        super().__init__(root, cluster, "embedded", namespace)
        self.environment["PULUMI_CONFIG_PASSPHRASE"] = "test"
        self.write("__main__.py", _PROGRAM + (REPOSITORY / "__main__.py").read_text())
        self.write("m.txt", "1")
        self.write("src/score.py", "def init(): pass\ndef run(x): return x\n")

    def manifest(self, target, services, stack=None, **more):
        """Write the shared manifest, or a stack's."""
        prod = {"type": "kubernetes", "kubeconfig": {"env": "TEST_KUBECONFIG"}, "namespace": self.namespace}
        document = {"version": 1, "targets": {"prod": {**prod, **target}}, "services": services, **more}
        if stack is None:
            document["models"] = {"m": {"source": "m.txt"}}
            image = {"models": ["m"], "source_directory": "src", "entry_script": "score.py"}
            document["images"] = {"i": image}
        self.write(f"manifest.{stack}.yaml" if stack else "manifest.yaml", document)

    def unchanged(self):
        """Whether another `up` leaves everything as it is."""
        return {kind for kind, count in self.change("up", "--yes").items() if count} == {"same"}

    def models_of(self, version, namespace=None):
        found = self.api.get("Deployment", namespace or self.namespace, f"diabetes-{version}")
        return found["metadata"]["annotations"][MODELS_ANNOTATION]


@pytest.fixture
def stack(cluster, tmp_path, request):
    namespace = "stack-" + request.node.name.replace("_", "-")[5:40].rstrip("-")
    project = ManifestProject(tmp_path / "project", cluster, namespace)
    yield project
    project.api.delete("Namespace", None, namespace)


def service(**changes):
    return {"image": "i", "target": "prod", "num_replicas": 1, **changes}


def test_rollback_and_promote(stack):
    stack.manifest({}, {"diabetes": service(keep_previous=1)})
    stack.run("up", "--yes")
    first = stack.version()
    stack.write("m.txt", "2")
    stack.run("up", "--yes")
    second = stack.version()
    assert second != first
    assert stack.rollout_state()["kept"] == [first]

    # Back, by one command: the manifest says so, and the cluster does.
    done = stack.run("rollback", "diabetes", "--to", "nowhere", check=False)
    assert done.returncode == 1
    assert first in done.stdout + done.stderr, "the kept versions are not named"
    done = stack.run("rollback", "diabetes", "--yes")
    added = [line for line in done.stdout.splitlines() if line.startswith("+") and "promote:" in line]
    assert len(added) == 1
    assert first in added[0]
    assert stack.version() == first
    assert stack.deployments()[first]["status"]["availableReplicas"] == 1
    assert stack.unchanged()
    overlay = yaml.safe_load((stack.root / "manifest.local.yaml").read_text())
    assert overlay["services"]["diabetes"]["rollout"]["promote"] == first
    row = stack.status()["diabetes"]
    assert row["state"] == "healthy"

    # Without the line, the newest serves again.
    stack.write("manifest.local.yaml", {"version": 1})
    stack.run("up", "--yes")
    assert stack.version() == second

    # What this stack serves goes to another one, pinned.
    elsewhere = f"{stack.namespace}-prod"
    stack.write("Pulumi.prod.yaml", "config: {}\n")
    stack.write("manifest.prod.yaml", {"version": 1, "targets": {"prod": {"namespace": elsewhere}}})
    stack.run("promote", "--from", "local", "--to", "prod", "--yes")
    pinned = yaml.safe_load((stack.root / "manifest.prod.yaml").read_text())["models"]["m"]["version"]
    served = stack.api.get("Service", elsewhere, "diabetes")["spec"]["selector"]["mldeploy.dev/version"]
    assert pinned in stack.models_of(served, elsewhere)
    assert stack.models_of(served, elsewhere) == stack.models_of(second)
    stack.write("m.txt", "3")
    done = stack.run("promote", "--from", "local", "--to", "prod", "--yes", check=False)
    assert done.returncode == 1
    assert "check out the commit" in done.stdout + done.stderr
    stack.api.delete("Namespace", None, elsewhere)


_CERTIFICATES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "certificates.cert-manager.io"},
    "spec": {
        "group": "cert-manager.io",
        "scope": "Namespaced",
        "names": {"kind": "Certificate", "plural": "certificates", "singular": "certificate"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}


def test_a_gateway_of_its_own_certificates_and_a_kubeconfig_that_asks_a_program(stack, cluster):
    cluster.apply(_CERTIFICATES)
    login = stack.root / "kubelogin"
    asked = stack.root / "asked"
    answer = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    login.write_text(f"#!/bin/sh\necho asked >> {asked}\necho '{answer % cluster.tokens['admin']}'\n")
    login.chmod(login.stat().st_mode | stat.S_IXUSR)
    document = yaml.safe_load(cluster.kubeconfig)
    document["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(login),
            "interactiveMode": "Never",
        }
    }
    stack.write("exec.yaml", document)
    stack.environment |= {"EXEC_KUBECONFIG": str(stack.root / "exec.yaml")}
    stack.environment |= {"CERT": _PEM.format("CERTIFICATE"), "CERT_KEY": _PEM.format("PRIVATE KEY")}
    own = {"cname": "own.example.org", "cert": {"env": "CERT"}, "key": {"env": "CERT_KEY"}}
    target = {
        "kubeconfig": {"env": "EXEC_KUBECONFIG"},
        "gateway": {"name": "edge", "class_name": "test"},
        "quota": {"cpu_cores": 2, "pods": 10},
    }
    services = {
        "diabetes": service(ssl=own),
        "issued": service(ssl={"cname": "issued.example.org", "issuer": "letsencrypt"}),
        "plain": service(num_replicas=None, autoscale={"enabled": True, "max_replicas": 3}),
    }
    # What cannot fit is said before anything is made.
    stack.manifest({**target, "quota": {"cpu_cores": 0.1}}, services)
    done = stack.run("up", "--yes", check=False)
    assert done.returncode == 2
    assert "quota" in done.stdout + done.stderr
    assert stack.api.get("Namespace", None, stack.namespace) is None

    stack.manifest(target, services)
    stack.run("up", "--yes")
    assert asked.exists(), "the kubeconfig's program was not asked"
    listeners = stack.api.get("Gateway", stack.namespace, "edge")["spec"]["listeners"]
    assert [item["name"] for item in listeners] == ["http", "https-diabetes", "https-issued"]
    secret = stack.api.get("Secret", stack.namespace, "diabetes-tls")
    assert secret["type"] == "kubernetes.io/tls"
    assert base64.b64decode(secret["data"]["tls.key"]).decode() == stack.environment["CERT_KEY"]
    path = f"/apis/cert-manager.io/v1/namespaces/{stack.namespace}/certificates/issued-tls"
    assert stack.api.request("GET", path)["spec"]["dnsNames"] == ["issued.example.org"]
    quota = stack.api.get("ResourceQuota", stack.namespace, "mldeploy")
    assert quota["spec"]["hard"]["requests.cpu"] == "2"
    for name, host in (("diabetes", "own.example.org"), ("issued", "issued.example.org")):
        route = stack.api.get("HTTPRoute", stack.namespace, name)
        assert route["spec"]["hostnames"] == [host]
        # The rollout alone owns the weights: nothing else that is applied can reset them.
        assert {item["manager"] for item in route["metadata"]["managedFields"]} == {"mldeploy-rollout"}
    assert stack.unchanged()

    # Nothing secret is readable in the state, nor in what was printed.
    state = (stack.root / ".pulumi-state").rglob("*.json")
    keys = stack.run("keys", "diabetes", "--show", "--json").stdout
    hidden = [cluster.tokens["admin"], "PRIVATE KEY", yaml.safe_load(keys)["primary"]]
    for file in state:
        text = file.read_text()
        assert not [word[:4] for word in hidden if word in text], file
