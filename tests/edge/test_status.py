"""`mldeploy status` of services on devices: counts from the hub, through the stack's state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mldeploy.cli.app import run as run_command_line
from mldeploy.cli.tables import status_lines
from mldeploy.engine import read_stack
from mldeploy.operations import edge
from mldeploy.operations.model import OperationError, State
from tests.edge.standin import HubServer
from tests.edge.test_lifecycle import EdgeStack


def service(stack: EdgeStack) -> edge.EdgeService:
    found = edge.handles(
        read_stack(
            stack.folder, "local", backend_url=stack.environment["PULUMI_BACKEND_URL"], passphrase="test"
        )
    )
    assert [handle.name for handle in found] == ["diabetes"]
    return found[0]


def test_counts_and_states(tmp_path: Path, server: HubServer) -> None:
    stack = EdgeStack(tmp_path / "project", server, "embedded")
    stack.run("up")
    row = service(stack).status("devices")
    counted = "2 devices targeted, 2 applied, {} report success, {} report failure"
    assert (row.state, row.detail) == (State.HEALTHY, counted.format(2, 0))
    assert row.scoring_uri == "http://<device>:8890/score"
    assert "    2 devices targeted, 2 applied, 2 report success, 0 report failure" in status_lines([row], 80)
    assert server.hub.connection_string not in repr(service(stack))

    server.hub.health = lambda device, modules: None if device == "line-1" else True
    row = service(stack).status("devices")
    assert (row.state, row.detail) == (State.STARTING, counted.format(1, 0))
    server.hub.health = lambda device, modules: device != "line-1"
    row = service(stack).status("devices")
    assert (row.state, row.detail) == (State.UNHEALTHY, counted.format(1, 1))
    server.hub.devices.clear()
    assert service(stack).status("devices").state is State.STOPPED
    server.fault = lambda number, method, path: 503
    row = service(stack).status("devices")
    assert (row.state, row.detail.split(":")[0]) == (State.UNHEALTHY, "unknown")
    server.fault = lambda number, method, path: None
    server.hub.configurations.clear()
    assert "is gone from the hub" in service(stack).status("devices").detail


def test_a_deployment_is_exported_for_az(tmp_path: Path, server: HubServer) -> None:
    """The content is what the hub has; the rest are the arguments."""
    stack = EdgeStack(tmp_path / "project", server, "embedded")
    stack.run("up")
    url = stack.environment["PULUMI_BACKEND_URL"]
    resources = read_stack(stack.folder, "local", backend_url=url, passphrase="test")
    found, arguments = edge.exported(resources, "diabetes")
    (deployed,) = server.hub.configurations.values()
    assert found == {"content": deployed["content"]}
    assert arguments[:5] == ["az", "iot", "edge", "deployment", "create"]
    assert arguments[arguments.index("--target-condition") + 1] == deployed["targetCondition"]
    with pytest.raises(OperationError, match="no deployment to devices has a service 'other'"):
        edge.exported(resources, "other")


def test_an_exported_file_is_private_also_where_it_was_there(
    tmp_path: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = EdgeStack(tmp_path / "project", server, "embedded")
    stack.run("up")
    (stack.folder / "manifest.yaml").write_text("version: 1\n")
    file = tmp_path / "deployment.json"
    file.write_text("")
    file.chmod(0o644)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    arguments = ["edge", "export", "diabetes", "--output", str(file), "--project", str(stack.folder)]
    assert run_command_line(arguments) == 0
    assert json.loads(file.read_text())["content"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_only_the_device_has(tmp_path: Path, server: HubServer) -> None:
    stack = EdgeStack(tmp_path / "project", server, "embedded")
    stack.run("up")
    handle = service(stack)
    assert handle.keys() is None
    with pytest.raises(OperationError, match="iotedge logs diabetes"):
        handle.logs(lines=1, follow=False)
    with pytest.raises(OperationError, match=r"POST to http://<device>:8890/score"):
        handle.score(b"{}", "application/json", 1.0)
