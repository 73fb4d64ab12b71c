"""A project whose program deploys AksEndpoints on the test cluster, driven through the command line by either
engine."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from mldeploy.provider.kubernetes.client import Cluster
from tests.kubernetes.samples import IMAGE
from tests.lifecycle.project import REPOSITORY, Project

PLUGIN = "pulumi-resource-kubernetes"
STANDIN = REPOSITORY / "tests/kubernetes/standin"
_PROGRAM = """
import json, os
from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider

from components.kubernetes.endpoint import AksEndpoint, AksEndpointArgs
from components.kubernetes.objects import Scaling
from components.kubernetes.namespace import ServingNamespace, ServingNamespaceArgs

wanted = json.loads(Path("services.json").read_text())
kubeconfig = pulumi.Output.secret(Path(os.environ["TEST_KUBECONFIG"]).read_text())
provider = Provider("cluster", kubeconfig=kubeconfig, enable_server_side_apply=True, upsert_existing_objects=True)
space = ServingNamespace("space", ServingNamespaceArgs(**wanted["space"]), pulumi.ResourceOptions(providers=[provider]))
found = {}
for name, values in wanted["services"].items():
    values = {**values, "scaling": Scaling(**values.pop("scaling", {}))}
    arguments = AksEndpointArgs(kubeconfig=kubeconfig, namespace=wanted["space"]["namespace"], **values)
    options = pulumi.ResourceOptions(providers=[provider], depends_on=[space])
    endpoint = AksEndpoint(name, arguments, options)
    found[name] = {key: getattr(endpoint, key) for key in ("scoring_uri", "version", "serving", "weights", "kept")}
pulumi.export("services", found)
"""


def own_plugin() -> str | None:
    """The official plugin, when it is there."""
    return shutil.which(PLUGIN)


class ClusterProject(Project):
    """Services as plain data; `up` makes the cluster follow them."""

    def __init__(self, root: Path, cluster: Any, engine: str, namespace: str) -> None:
        kubeconfig = root.parent / f"{root.name}.kubeconfig"
        kubeconfig.write_text(cluster.kubeconfig)
        path = os.environ["PATH"] if own_plugin() else f"{STANDIN}{os.pathsep}{os.environ['PATH']}"
        environment = {
            "PATH": path,
            "STANDIN_PYTHON": sys.executable,
            "TEST_KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(REPOSITORY),
        }
        super().__init__(root, root.parent / "home", engine, environment, apart=engine == "pulumi")
        self.namespace = namespace
        self.api = Cluster(cluster.kubeconfig)
        self.write("__main__.py", _PROGRAM)
        self.write("manifest.yaml", {"version": 1})
        self.write("manifest.local.yaml", {"version": 1})
        self.space: dict[str, Any] = {"namespace": namespace}
        self.services: dict[str, dict[str, Any]] = {}

    def service(self, name: str = "diabetes", **changes: Any) -> None:
        """Set or change a service; ``image`` may be given as a word, which becomes part of its reference."""
        values = self.services.setdefault(
            name, {"image": IMAGE, "models": {"diabetes": "1"}, "rollout": {"strategy": "blue_green"}}
        )
        for key, value in changes.items():
            values[key] = {**values[key], **value} if isinstance(value, dict) and key in values else value

    def up(self, *arguments: str, check: bool = True) -> dict[str, int]:
        """Write the services and run `up`; the counted changes without `same`."""
        self.write("services.json", {"space": self.space, "services": self.services})
        changes = self.change("up", "--yes", *arguments, check=check)
        return {kind: count for kind, count in changes.items() if kind != "same" and count}

    def run_up(self, *, check: bool = True) -> CompletedProcess[str]:
        """Write the services and run `up` for what it prints."""
        self.write("services.json", {"space": self.space, "services": self.services})
        return self.run("up", "--yes", check=check)

    def failing_up(self) -> str:
        """Run an `up` that must fail; what it printed."""
        done = self.run_up(check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def outputs(self) -> dict[str, dict[str, Any]]:
        """The stack's output `services`."""
        stack = next(item for item in self.resources() if item["type"] == "pulumi:pulumi:Stack")
        return stack["outputs"]["services"]

    def rollout_state(self, name: str = "diabetes") -> dict[str, Any]:
        """The outputs of the service's Rollout in the state file."""
        return next(r["outputs"] for r in self.resources() if r["urn"].endswith(f"::{name}-rollout"))

    def deployments(self, name: str = "diabetes") -> dict[str, dict[str, Any]]:
        """The service's Deployments in the cluster, by version."""
        found = self.api.list("Deployment", self.namespace, labels=f"mldeploy.dev/service={name}")
        return {item["metadata"]["labels"]["mldeploy.dev/version"]: item for item in found}

    def version(self, name: str = "diabetes") -> str:
        """The version that the stable Service leads to."""
        found = self.api.get("Service", self.namespace, name)
        assert found is not None
        return found["spec"]["selector"]["mldeploy.dev/version"]


_WITHOUT_STATUS = ("Service", "Secret")
_WITH_STATUS = ("Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler")


def untouched(project: ClusterProject, service: str) -> dict[str, str]:
    """What changes when somebody changes an object of any service but ``service``: by kind and name.

    The cluster itself writes into statuses; there it is the generation of what was asked for.
    """
    found: dict[str, str] = {}
    for kind in (*_WITHOUT_STATUS, *_WITH_STATUS):
        for item in project.api.list(kind, project.namespace, labels="mldeploy.dev/service"):
            meta = item["metadata"]
            if meta["labels"]["mldeploy.dev/service"] != service:
                mark = meta["resourceVersion"] if kind in _WITHOUT_STATUS else meta["generation"]
                found[f"{kind}/{meta['name']}"] = f"{meta['uid']} {mark}"
    return found


def image(word: str) -> str:
    """An image reference with ``word`` in its repository: kwok's pods behave by it."""
    return f"registry.example.org/{word}@sha256:{json.dumps(word).encode().hex():0<64.64}"
