"""The whole way, on both engines: program, component, engine, provider, hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge.conftest import IMAGE, OTHER
from tests.edge.standin import HubServer
from tests.stack import ENGINES, MORE_ENGINES, REPOSITORY, Stack, only


class EdgeStack(Stack):
    """One EdgeModule, as wanted.json says."""

    def __init__(self, folder: Path, server: HubServer, engine: str) -> None:
        self.server = server
        self.wanted: dict[str, Any] = {
            "hub": server.hub.host,
            "connection_string": server.hub.connection_string,
            "image": IMAGE,
        }
        super().__init__(folder, engine)

    def write_program(self) -> None:
        shutil.copy(REPOSITORY / "tests/edge/program/__main__.py", self.folder)

    def run(self, operation: str, check: bool = True, **changes: Any) -> tuple[dict[str, int], str]:
        self.wanted |= changes
        (self.folder / "wanted.json").write_text(json.dumps(self.wanted))
        return super().run(operation, check)

    def deployment(self) -> dict[str, Any]:
        resources = json.loads(self.state())["checkpoint"]["latest"]["resources"]
        found = [r for r in resources if r["type"] == "mldeploy:edge:EdgeDeployment" and not r.get("delete")]
        assert len(found) == 1
        return found[0]


@pytest.fixture
def stack(tmp_path: Path, server: HubServer, request: pytest.FixtureRequest) -> Iterator[EdgeStack]:
    made = EdgeStack(tmp_path / "project", server, request.param)
    yield made
    server.fault = lambda number, method, path: None
    made.run("destroy")
    assert not server.hub.configurations


@pytest.mark.parametrize("stack", ENGINES, indirect=True)
def test_create_nothing_label_model_destroy(stack: EdgeStack) -> None:
    hub = stack.server.hub
    assert only(stack.run("up")[0]) == {"create": 3}  # the stack, the component, the deployment
    first = stack.deployment()
    assert first["id"] == f"{hub.host}/{first['outputs']['deployment_id']}"
    agent = hub.configurations[first["outputs"]["deployment_id"]]["content"]["modulesContent"]["$edgeAgent"]
    login = agent["properties.desired"]["runtime"]["settings"]["registryCredentials"]["acr"]
    assert login["password"] == "registry-p4ssw0rd"
    for secret in ("registry-p4ssw0rd", hub.connection_string, hub.connection_string.rstrip("=")[-30:]):
        assert secret not in stack.state()

    assert only(stack.run("up")[0]) == {}
    assert only(stack.run("up", labels={"team": "health"})[0]) == {"update": 1}
    assert hub.configurations[first["outputs"]["deployment_id"]]["labels"]["team"] == "health"

    history = len(hub.history)
    assert only(stack.run("preview", image=OTHER)[0]) == {"replace": 1}
    assert only(stack.run("up")[0]) in (
        {"replace": 1},
        {"replace": 1, "create-replacement": 1, "delete-replaced": 1},
    )
    second = stack.deployment()["outputs"]["deployment_id"]
    assert set(hub.configurations) == {second}
    assert [step["line-1"] for step in hub.history[history:]] == [(second,), (second,)]
    assert only(stack.run("up")[0]) == {}


@pytest.mark.parametrize("stack", MORE_ENGINES, indirect=True)
def test_refresh_shows_drift_and_up_repairs_it(stack: EdgeStack) -> None:
    stack.run("up")
    hub, ident = stack.server.hub, stack.deployment()["outputs"]["deployment_id"]
    hub.put(ident, hub.configurations[ident] | {"priority": 77}, '"*"')
    assert only(stack.run("refresh")[0]) == {"update": 1}
    assert stack.deployment()["inputs"]["priority"] == 77
    assert only(stack.run("up")[0]) == {"update": 1}
    assert hub.configurations[ident]["priority"] == 10
    hub.delete(ident, '"*"')
    assert only(stack.run("refresh")[0]) == {"delete": 1}
    assert only(stack.run("up")[0]) == {"create": 1}
    assert hub.effective("line-1") == (ident,)


@pytest.mark.parametrize("stack", MORE_ENGINES, indirect=True)
def test_lost_answers_at_every_change(stack: EdgeStack) -> None:
    """The answer to every first PUT and DELETE of an object is lost."""
    seen: set[tuple[str, str]] = set()

    def fault(number: int, method: str, path: str) -> str | None:
        if method == "GET" or (method, path) in seen:
            return None
        seen.add((method, path))
        return "lose answer"

    stack.server.fault = fault
    stack.run("up")
    stack.run("up", labels={"a": "b"})
    stack.run("up", image=OTHER)
    assert len(stack.server.hub.configurations) == 1
    assert {method for method, _ in seen} == {"PUT", "DELETE"}
    assert only(stack.run("up")[0]) == {}


@pytest.mark.parametrize("stack", MORE_ENGINES, indirect=True)
def test_a_rollout_that_fails_is_rolled_back_and_the_state_says_what_is_there(stack: EdgeStack) -> None:
    stack.run("up")
    old = stack.deployment()["outputs"]["deployment_id"]
    stack.server.hub.health = lambda device, modules: OTHER not in str(modules)
    _, error = stack.run("up", check=False, image=OTHER, wait={"timeout": 20, "failed": 0, "rollback": True})
    assert "2 report failure; rolled back" in error
    assert "registry-p4ssw0rd" not in error
    assert stack.deployment()["outputs"]["deployment_id"] == old
    assert stack.server.hub.effective("line-1") == (old,)


@pytest.mark.parametrize("stack", ENGINES, indirect=True)
def test_a_rollout_that_fails_without_rollback_is_in_the_state_and_can_go_back(stack: EdgeStack) -> None:
    """Content A serves, B fails to roll out and stays, then A again."""
    stack.run("up")
    first = stack.deployment()["outputs"]["deployment_id"]
    stack.server.hub.health = lambda device, modules: OTHER not in str(modules)
    _, error = stack.run("up", check=False, image=OTHER, wait={"timeout": 20, "failed": 0})
    assert "report failure" in error
    second = stack.deployment()
    assert second["outputs"]["deployment_id"] != first
    assert second["initErrors"]
    assert set(stack.server.hub.configurations) == {first, second["outputs"]["deployment_id"]}
    stack.run("up", image=IMAGE)
    assert set(stack.server.hub.configurations) == {first}
    assert stack.server.hub.effective("line-1") == (first,)
    assert only(stack.run("up")[0]) == {}


@pytest.mark.pulumi
@pytest.mark.reliability
@pytest.mark.skipif(not shutil.which("pulumi"), reason="needs the Pulumi CLI (`pulumi`) on PATH")
def test_the_cli_imports_a_deployment(tmp_path: Path, server: HubServer) -> None:
    made, importing = (EdgeStack(tmp_path / name, server, name) for name in ("embedded", "pulumi"))
    made.run("up")
    importing.environment["MLDEPLOY_IOTHUB_CONNECTION_STRING"] = server.hub.connection_string
    arguments = ["mldeploy:edge:EdgeDeployment", "site", made.deployment()["id"]]
    importing.pulumi("import", *arguments, "--yes", "--generate-code=false", "--protect=false")
    assert importing.deployment()["inputs"]["modules"]["diabetes"]["image"] == IMAGE
    assert "registry-p4ssw0rd" not in importing.state()
    made.run("destroy")
