"""The same operations with Microsoft's own client: the same requests reach the hub."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.edge import Deployment
from mldeploy.provider.edge.auth import credential
from mldeploy.provider.edge.client import HubClient
from tests.edge.conftest import IMAGE
from tests.edge.standin import HubServer, serve

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = REPOSITORY / ".cache" / "azure-iot-hub-2.7.0"
# The package needs six and does not say so.
PACKAGES = ["azure-iot-hub==2.7.0", "six==1.17.0"]


@pytest.fixture(scope="module")
def python() -> str:
    """The interpreter of an environment with Microsoft's client, made on first use."""
    found = ENVIRONMENT / "bin" / "python"
    marker = ENVIRONMENT / "complete"
    if not marker.exists():
        uv = Path(sys.executable).with_name("uv")
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT],
            [uv, "pip", "install", "--quiet", "--python", found, *PACKAGES],
        ):
            done = subprocess.run(
                list(map(str, command)), capture_output=True, text=True, timeout=180, check=False
            )
            if done.returncode:
                pytest.skip(f"needs {', '.join(PACKAGES)}: {done.stderr.strip().splitlines()[-1]}")
        marker.touch()
    return str(found)


@pytest.fixture
def other() -> Iterator[HubServer]:
    """A second hub, for Microsoft's client."""
    with serve() as running:
        running.hub.strict_etags = False
        yield running


def theirs(python: str, server: HubServer, *operations: tuple[str, Any]) -> list[list[dict[str, Any]]]:
    """The answers to operations with Microsoft's client."""
    script = str(Path(__file__).with_name("microsoft_client.py"))
    arguments = [f"http://{server.hub.host}", server.hub.connection_string, json.dumps(operations)]
    done = subprocess.run(
        [python, script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wire(server: HubServer) -> list[tuple[Any, ...]]:
    """What a hub sees of a request, but for the ETags' quotes and the signatures."""
    return [
        (
            seen.method,
            seen.path,
            seen.query,
            seen.body,
            seen.headers.get("If-Match", "").strip('"'),
            seen.headers["Authorization"].split("&")[0].split(" ")[0],
            "x-ms-continuation" in seen.headers,
        )
        for seen in server.requests
    ]


def test_the_same_requests_reach_the_hub(python: str, server: HubServer, other: HubServer) -> None:
    deployment = Deployment.model_validate(
        {
            "modules": {"diabetes": {"image": IMAGE, "env": {"A": "b"}, "desired": {"x": 1}}},
            "routes": {"up": {"route": "FROM /messages/* INTO $upstream"}},
        }
    )
    body: dict[str, Any] = {
        "id": "acme-0123456789ab",
        "schemaVersion": "2.0",
        "labels": {"team": "health"},
        "content": deployment.content(),
        "targetCondition": "tags.site='plant-7'",
        "priority": 10,
        "metrics": {"queries": {"ready": "SELECT deviceId FROM devices"}},
    }
    with HubClient(server.hub.host, credential(server.hub.connection_string, server.hub.host)) as ours:
        made = ours.create(body)
        assert made
        assert ours.get(body["id"])
        changed = body | {"priority": 11}
        updated = ours.update(changed, made["etag"])
        assert updated
        listed = list(ours.list())
        ours.delete(body["id"], updated["etag"])
    name = body["id"]
    operations = [("create", body), ("get", name), ("update", changed), ("list", None), ("delete", name)]
    answers = theirs(python, other, *operations)
    assert wire(server) == wire(other)
    assert answers[1][0]["content"] == body["content"]
    assert [item["id"] for item in answers[3]] == [item["id"] for item in listed]
    assert not server.hub.configurations
    assert not other.hub.configurations


def test_their_etags_have_no_quotes_and_ours_do(python: str, server: HubServer) -> None:
    """Why the project has a client of its own: RFC 9110 wants an ETag in quotes."""
    body = {"id": "a", "schemaVersion": "2.0", "labels": {}, "content": Deployment.model_validate(
        {"modules": {"m": {"image": IMAGE}}}).content(), "targetCondition": "*", "priority": 1,
        "metrics": {"queries": {}}}  # fmt: skip
    with pytest.raises(AssertionError, match=r"InvalidETag|Bad Request"):
        theirs(python, server, ("create", body), ("update", body))
    with HubClient(server.hub.host, credential(server.hub.connection_string, server.hub.host)) as ours:
        made = ours.get("a")
        assert made
        assert ours.update(body, made["etag"])
