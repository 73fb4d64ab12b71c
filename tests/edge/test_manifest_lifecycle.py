"""From a manifest to a device that answers: built, pushed to a registry, deployed through the hub, pulled by digest,
run with its create options and scored. On both engines, with a real Docker engine and a real registry."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docker import daemon
from tests.docker.samples import REPOSITORY, SOURCES, copy_sample
from tests.edge.device import Agent
from tests.edge.standin import Device, Hub, HubServer, serve
from tests.stack import ENGINES, Stack, only

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
STANDIN = REPOSITORY / "tests/docker/standin"
GOLDEN = json.loads((REPOSITORY / "golden/diabetes.json").read_text())
EXPECTED = json.loads((REPOSITORY / "golden/diabetes.expected.json").read_text())
REGISTRY_PASSWORD = "registry-p4ssw0rd"


class Project(Stack):
    """The repository's own program, over a manifest with the diabetes sample on devices."""

    manifest: dict[str, Any]

    def write_program(self) -> None:
        super().write_program()
        copy_sample("diabetes", self.folder)

    def describe(self, registry: str, base: str, port: int) -> None:
        """The manifest; ``port`` is that of the device."""
        target = {
            "type": "edge",
            "hub": "plant-hub",
            "target_condition": "tags.site='plant-7'",
            "priority": 10,
            "registry": {
                "address": registry,
                "username": "puller",
                "password": {"env": "EDGE_REGISTRY_PASSWORD"},
            },
            "connection_string": {"env": "EDGE_HUB"},
        }
        self.manifest = {
            "version": 1,
            "models": {"diabetes": {"source": SOURCES["diabetes"]}},
            "images": {
                "diabetes": {
                    "models": ["diabetes"],
                    "source_directory": "entry_scripts/diabetes",
                    "entry_script": "score.py",
                    "conda_file": "conda.yml",
                    "base_image": base,
                }
            },
            "targets": {"plant": target},
            "services": {
                "diabetes": {
                    "image": "diabetes",
                    "target": "plant",
                    "port": port,
                    "cpu_cores": 0.5,
                    "memory_gb": 0.5,
                    "edge": {"bind_address": "127.0.0.1"},
                }
            },
        }

    def up(self) -> dict[str, int]:
        """The changes of one `up`."""
        self.write_manifest(self.manifest)
        return only(self.run("up")[0])

    def builds(self) -> list[dict[str, Any]]:
        """What the docker plugin built so far."""
        log = self.folder / "builds.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def new_model(self) -> None:
        """Other bytes, the same model."""
        model = self.folder / SOURCES["diabetes"]
        model.write_bytes(model.read_bytes() + b"\n")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    made = Hub()
    made.devices = {"line-1": Device(tags={"site": "plant-7"}), "line-2": Device(tags={"site": "plant-8"})}
    with serve(made) as server:
        yield server


@pytest.fixture
def project(
    tmp_path: Path,
    hub: HubServer,
    docker_host: str,
    registry: str,
    offline_base: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Project]:
    folder = tmp_path / "project"
    for name, value in {
        "PATH": f"{STANDIN}:{os.environ['PATH']}",
        "STANDIN_PYTHON": sys.executable,
        "STANDIN_DOCKER_LOG": str(folder / "builds.jsonl"),
        "DOCKER_HOST": docker_host,
        "MLDEPLOY_HOME": str(tmp_path / "home"),
        "EDGE_HUB": hub.hub.connection_string,
        "EDGE_REGISTRY_PASSWORD": REGISTRY_PASSWORD,
    }.items():
        monkeypatch.setenv(name, value)
    made = Project(folder, request.param)
    made.describe(registry, offline_base, daemon.free_port())
    yield made
    hub.fault = lambda number, method, path: None
    made.run("destroy")
    assert not hub.hub.configurations


def image_of(hub: HubServer) -> str:
    """The image of the one deployment on the hub."""
    (configuration,) = hub.hub.configurations.values()
    agent = configuration["content"]["modulesContent"]["$edgeAgent"]["properties.desired"]
    return agent["modules"]["diabetes"]["settings"]["image"]


def layers(host: str, image: str) -> list[str]:
    return json.loads(daemon.docker(host, "inspect", "--format", "{{json .RootFS.Layers}}", image))


@pytest.mark.parametrize("project", ENGINES, indirect=True)
def test_from_a_manifest_to_a_device_that_answers(
    project: Project, hub: HubServer, docker_host: str, registry: str
) -> None:
    assert project.up()["create"] >= 4
    first = image_of(hub)
    assert first.startswith(f"{registry}/")
    assert "@sha256:" in first
    assert len(project.builds()) == 1
    for secret in (REGISTRY_PASSWORD, hub.hub.connection_string):
        text = project.state()
        assert secret not in text, text[max(0, text.find(secret) - 1500) : text.find(secret) + 100]

    # The device pulls what the registry has; nothing of the build is left for it.
    daemon.docker(docker_host, "image", "rm", "--force", first, project.builds()[0]["image"])
    with_agent(project, hub, docker_host)

    assert project.up() == {}
    assert len(project.builds()) == 1

    project.manifest["targets"]["plant"]["labels"] = {"team": "health"}
    assert project.up() == {"update": 1}
    assert image_of(hub) == first
    (configuration,) = hub.hub.configurations.values()
    assert configuration["labels"]["team"] == "health"
    assert len(project.builds()) == 1

    # A new model: every answer to a first PUT or DELETE is lost, and the device always has a deployment.
    seen: set[tuple[str, str]] = set()

    def fault(number: int, method: str, path: str) -> str | None:
        if method == "GET" or (method, path) in seen:
            return None
        seen.add((method, path))
        return "lose answer"

    hub.fault = fault
    history = len(hub.hub.history)
    project.new_model()
    changes = project.up()
    hub.fault = lambda number, method, path: None
    assert changes["replace"] >= 1
    assert {method for method, _ in seen} == {"PUT", "DELETE"}
    assert all(step["line-1"] for step in hub.hub.history[history:])
    second = image_of(hub)
    assert second != first
    assert len(project.builds()) == 2
    daemon.docker(docker_host, "pull", first)
    assert layers(docker_host, first)[:-1] == layers(docker_host, second)[:-1]
    assert project.up() == {}


def with_agent(project: Project, hub: HubServer, docker_host: str) -> None:
    """A device does what its deployment says; the sample answers on the device's own port."""
    agent = Agent(hub.hub, "line-1", docker_host)
    try:
        agent.reconcile()
        port = project.manifest["services"]["diabetes"]["port"]
        agent.wait_healthy("diabetes")
        url = f"http://127.0.0.1:{port}/score"
        answer = httpx.post(url, json=GOLDEN, timeout=60, trust_env=False)
        assert answer.status_code == 200, agent.logs("diabetes")
        assert answer.json() == pytest.approx(EXPECTED, rel=1e-6)
        limits = agent.inspect("diabetes")["HostConfig"]
        assert (limits["NanoCpus"], limits["Memory"]) == (500_000_000, 1 << 29)
    finally:
        agent.close()


@pytest.mark.parametrize("project", ["embedded"], indirect=True)
def test_an_image_that_vanished_from_the_registry_is_pushed_again(
    project: Project, hub: HubServer, registry: str
) -> None:
    project.up()
    repository, _, digest = image_of(hub).removeprefix(f"{registry}/").partition("@")
    removed = httpx.delete(f"http://{registry}/v2/{repository}/manifests/{digest}", trust_env=False)
    assert removed.status_code == 202
    assert project.up() == {}  # a plan looks at the state; a refresh looks at the registry
    assert only(project.run("refresh")[0]) == {"delete": 1}
    project.up()
    assert len(project.builds()) == 2
    again = image_of(hub)
    _, _, digest = again.partition("@")
    kept = httpx.head(
        f"http://{registry}/v2/{repository}/manifests/{digest}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
        trust_env=False,
    )
    assert kept.status_code == 200


@pytest.mark.parametrize("project", ["embedded"], indirect=True)
def test_a_model_only_change_is_rebuilt_in_seconds(project: Project) -> None:
    project.up()
    project.new_model()
    project.up()
    assert project.builds()[1]["seconds"] < 10  # build and push; 0.6 to 3 s on an idle machine
