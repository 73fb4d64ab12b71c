"""`mldeploy status`, `logs`, `keys` and `predict` for services on Azure, against a Resource Manager on 127.0.0.1."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mldeploy.engine import ResourceState, read_stack
from mldeploy.operations import aci
from mldeploy.operations import batch as batch_endpoints
from mldeploy.operations.model import OperationError, State
from mldeploy.provider.azure import arm
from mldeploy.values.property_value import Secret

GROUP = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/diabetes"
BATCH = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    "/batchEndpoints/nightly-dev"
)
URN = "urn:pulumi:dev::p::mldeploy:service"


class Manager:
    """What Azure says, by path; the service itself is here, too."""

    def __init__(self):
        self.answers, self.asked, self.ready = {}, [], 200


@pytest.fixture
def manager(monkeypatch):
    state = Manager()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            if url.path == "/token":
                status, body = 200, {"access_token": "t", "expires_on": "9999999999", "token_type": "Bearer"}
                body |= query
            elif url.path == "/readyz":
                status, body = state.ready, {}
            else:
                state.asked.append((url.path, query))
                found = state.answers.get(url.path)
                found = found.pop(0) if isinstance(found, list) else found
                status = 404 if found is None else 200
                body = found or {"error": {"code": "ResourceNotFound", "message": "not found"}}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data = json.dumps([self.headers.get("Authorization"), json.loads(body)]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", state.url)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{state.url}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "test")
    arm.credential.cache_clear()
    yield state
    arm.credential.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


def _handles(found):
    return [*aci.handles(found), *batch_endpoints.handles(found)]


def resources(url):
    component = f"{URN}:AciEndpoint::diabetes"
    batch = f"{URN}:BatchEndpoint::nightly"
    return [
        ResourceState(
            component, "mldeploy:service:AciEndpoint",
            outputs={"scoring_uri": f"{url}/score", "swagger_uri": f"{url}/swagger.json"},
        ),
        ResourceState(
            f"{component}$keys", "mldeploy:service:ServiceKeys", custom=True, parent=component,
            outputs={"primary": Secret("the-primary"), "secondary": Secret("the-secondary")},
        ),
        ResourceState(
            f"{component}$group", aci._GROUP, custom=True, parent=component, id=GROUP,
            inputs={"containers": Secret([{"name": "diabetes"}])},
        ),
        ResourceState(
            f"{component}$old", aci._GROUP, custom=True, parent=component, id=f"{GROUP}-old", delete=True
        ),
        ResourceState(batch, "mldeploy:service:BatchEndpoint", outputs={"scoring_uri": "https://x/jobs"}),
        ResourceState(f"{batch}$endpoint", batch_endpoints._ENDPOINT, custom=True, parent=batch, id=BATCH),
        ResourceState(
            f"{batch}$deployment", batch_endpoints._DEPLOYMENT, custom=True, parent=batch,
            id=f"{BATCH}/deployments/d-1",
            inputs={"properties": {"model": {"assetId": "/subscriptions/s/x/models/diabetes/versions/7"}}},
        ),
    ]  # fmt: skip


@pytest.fixture
def services(manager):
    return {handle.name: handle for handle in _handles(resources(manager.url))}


def group(state, current=None, restarts=0):
    view = {"currentState": current or {"state": state}, "restartCount": restarts}
    containers = [{"name": "diabetes", "properties": {"instanceView": view}}]
    return {"properties": {"instanceView": {"state": state}, "containers": containers}}


def test_what_a_state_has(services):
    assert {name: handle.kind for name, handle in services.items()} == {"diabetes": "aci", "nightly": "batch"}
    assert "the-primary" not in repr(services["diabetes"])


CRASHED = {"state": "Waiting", "exitCode": 1, "detailStatus": "CrashLoopBackOff: Back-off restarting failed"}


@pytest.mark.parametrize(
    ("found", "ready", "state", "words"),
    [
        (group("Running"), 200, State.HEALTHY, ""),
        (group("Running", restarts=2), 200, State.HEALTHY, "restarted 2 times"),
        (group("Running"), 503, State.UNHEALTHY, "/readyz answers 503"),
        (group("Pending"), 200, State.STARTING, "Pending"),
        (group("Running", {"state": "Waiting", "detailStatus": "Pulling"}), 200, State.STARTING, "Pulling"),
        (group("Running", CRASHED, 7), 200, State.UNHEALTHY, "CrashLoopBackOff: Back-off restarting failed, "
         "exit code 1, restarted 7 times"),
        (group("Stopped"), 200, State.STOPPED, "Stopped"),
        (group("Failed"), 200, State.UNHEALTHY, "Failed"),
        (None, 200, State.UNHEALTHY, "the container group is gone from Azure: refresh, then up"),
    ],
)  # fmt: skip
def test_the_status_of_a_container_group(manager, services, found, ready, state, words):
    manager.answers[GROUP], manager.ready = found, ready
    row = services["diabetes"].status("devtest")
    assert (row.service, row.target, row.state) == ("diabetes", "devtest", state)
    assert words in row.detail
    assert row.scoring_uri == f"{manager.url}/score"
    assert manager.asked[-1] == (GROUP, {"api-version": "2024-05-01-preview"})


def test_without_a_login_the_status_says_so(services, monkeypatch):
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    arm.credential.cache_clear()
    row = services["diabetes"].status("devtest")
    assert row.state is State.UNHEALTHY
    assert row.detail.startswith("unknown: no Azure login for")
    assert "az login" in row.detail


def test_logs_and_what_follows(manager, services, monkeypatch):
    monkeypatch.setattr(aci, "_PAUSE", 0.01)
    first = "2026-01-01T00:00:01.1Z one\n2026-01-01T00:00:02.2Z two\n"
    more = f"{first}2026-01-01T00:00:03.3Z three and more\n"
    manager.answers[f"{GROUP}/containers/diabetes/logs"] = [
        {"content": text} for text in (first, first, more)
    ]
    followed = services["diabetes"].logs(lines=2, follow=True)
    assert [next(followed) for _ in range(3)] == ["one", "two", "three and more"]
    assert manager.asked[0][1]["tail"] == "2"
    manager.answers.clear()
    with pytest.raises(OperationError, match="gone from Azure"):
        list(services["diabetes"].logs(lines=2, follow=False))


def test_keys_and_scoring(services):
    keys = services["diabetes"].keys()
    assert (keys.primary, keys.secondary) == ("the-primary", "the-secondary")
    answer = services["diabetes"].score(b'{"data": [1]}', "application/json", 5)
    assert json.loads(answer.body) == ["Bearer the-primary", {"data": [1]}]


@pytest.mark.parametrize(
    ("properties", "state", "words"),
    [
        ({"defaults": {"deploymentName": "d-1"}, "provisioningState": "Succeeded"}, State.HEALTHY, "d-1"),
        ({"provisioningState": "Succeeded"}, State.UNHEALTHY, "no default deployment"),
        ({"provisioningState": "Updating"}, State.STARTING, "Updating"),
        ({"provisioningState": "Failed"}, State.UNHEALTHY, "Failed"),
        (None, State.UNHEALTHY, "gone from Azure ML"),
    ],
)
def test_the_status_of_a_batch_endpoint(manager, services, properties, state, words):
    manager.answers[BATCH] = None if properties is None else {"properties": properties}
    row = services["nightly"].status("nightly")
    assert row.state is state
    assert words in row.detail
    assert row.models == {"diabetes": "7"}


def test_a_batch_endpoint_works_in_jobs(services):
    nightly = services["nightly"]
    assert nightly.keys() is None
    for act, command in (
        (lambda: nightly.logs(lines=1, follow=False), "az ml batch-endpoint list-jobs"),
        (lambda: nightly.score(b"", "text/plain", 1), "az ml batch-endpoint invoke"),
    ):
        with pytest.raises(OperationError, match=command) as caught:
            act()
        assert "--name nightly-dev --workspace-name ws --resource-group rg" in str(caught.value)


def test_a_deployed_stack(deploy):
    """The handles that a real state gives: no service that runs is called missing."""
    stack = deploy()
    assert stack.run("up").ok
    found = read_stack(stack.root, "dev", backend_url=stack.backend, passphrase="test")
    services = {handle.name: handle for handle in _handles(found)}
    assert set(services) == {"diabetes", "digits"}
    assert services["digits"].container == "digits"
    assert set(services["diabetes"].models) == {"diabetes"}
    assert services["digits"].keys() is not None
    assert services["diabetes"].scoring_uri.endswith(":5001/score")
    assert services["digits"].group_id in stack.store.ids()
