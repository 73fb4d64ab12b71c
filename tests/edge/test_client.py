"""Credentials and errors of the hub's client."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mldeploy.provider.edge.auth import (
    AuthError,
    ConnectionString,
    EntraCredential,
    SasCredential,
    credential,
    signature,
)
from mldeploy.provider.edge.client import HubClient, HubError
from tests.edge.standin import HubServer

CONTENT = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.x": {"type": "docker"}}}}


def body(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "content": CONTENT, **more}


def client(server: HubServer, sas: SasCredential | None = None) -> HubClient:
    return HubClient(server.hub.host, sas or credential(server.hub.connection_string, server.hub.host))


@pytest.mark.parametrize("skew", [-7200.0, -90000.0, 86400.0 * 400])
def test_a_wrong_clock_is_found_from_the_hubs_answer(server: HubServer, skew: float) -> None:
    """The clock of this machine is hours behind, a day behind, or more than a year ahead."""
    sas = SasCredential(
        ConnectionString.parse(server.hub.connection_string), clock=lambda: time.time() + skew
    )
    with client(server, sas) as hub:
        assert hub.get("absent") is None
        assert hub.create(body("a"))
        assert hub.get("a")
    assert len(server.requests) == (3 if skew > 0 else 4)


def test_a_wrong_key_is_refused_once_with_advice(server: HubServer) -> None:
    text = server.hub.connection_string.replace("SharedAccessKey=", "SharedAccessKey=AAAA")
    with (
        HubClient(server.hub.host, credential(text, server.hub.host)) as hub,
        pytest.raises(HubError, match=r"401 IotHubUnauthorizedAccess .*IoT Hub Data Contributor") as caught,
    ):
        hub.get("a")
    assert caught.value.status == 401
    assert len(server.requests) == 1
    assert text.split("SharedAccessKey=")[1] not in str(caught.value)


def test_a_signature_is_made_anew_before_it_ends() -> None:
    now = [1_000_000.0]
    sas = SasCredential(ConnectionString("h", "p", b"k"), clock=lambda: now[0])
    first = sas.header()
    now[0] += 3000
    assert sas.header() == first
    now[0] += 400
    assert sas.header() == signature(ConnectionString("h", "p", b"k"), int(now[0] + 3600))


def test_an_entra_token_is_cached_and_for_iot_hub(server: HubServer) -> None:
    asked: list[str] = []

    class Source:
        def get_token(self, scope: str) -> Any:
            asked.append(scope)
            return type("Token", (), {"token": server.hub.bearer, "expires_on": time.time() + 3600})

    with HubClient(server.hub.host, EntraCredential(Source())) as hub:
        hub.get("a")
        hub.get("b")
    assert asked == ["https://iothubs.azure.net/.default"]
    assert server.requests[0].headers["Authorization"] == f"Bearer {server.hub.bearer}"


def test_nobody_logged_in() -> None:
    class Source:
        def get_token(self, scope: str) -> Any:
            raise RuntimeError("no account\nmany lines")

    with pytest.raises(
        AuthError, match="no account; log in with `az login`, or give the target a connection_string"
    ):
        EntraCredential(Source()).header()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("HostName=h;SharedAccessKeyName=p", "has no SharedAccessKey;"),
        ("nonsense", "has no HostName, SharedAccessKeyName, SharedAccessKey;"),
        ("HostName=h;SharedAccessKeyName=p;SharedAccessKey=%%%", "not base64"),
        ("HostName=h/x;SharedAccessKeyName=p;SharedAccessKey=AAAA", "no host name"),
    ],
)
def test_unreadable_connection_strings_say_what_is_missing(text: str, reason: str) -> None:
    with pytest.raises(AuthError, match=reason) as caught:
        ConnectionString.parse(text)
    assert "%%%" not in str(caught.value)


def test_another_hubs_connection_string_is_refused(server: HubServer) -> None:
    with pytest.raises(AuthError, match=r"is for the hub '127.*the deployment for 'other"):
        credential(server.hub.connection_string, "other.azure-devices.net")
    assert server.hub.connection_string not in repr(ConnectionString.parse(server.hub.connection_string))


def test_each_call_and_what_it_answers(server: HubServer) -> None:
    with client(server) as hub:
        made = hub.create(body("a", priority=1))
        assert made
        assert hub.create(body("a")) is None
        updated = hub.update(body("a", priority=2), made["etag"])
        assert updated
        assert hub.update(body("a", priority=3), made["etag"]) is None
        assert hub.delete("a", made["etag"]) is False
        assert hub.delete("a", updated["etag"]) is True
        assert hub.delete("a", "*") is True
        assert hub.update(body("a"), "*") is None
        with pytest.raises(
            HubError, match=r"400 ArgumentInvalid .*content of a configuration cannot be changed"
        ):
            hub.create(body("b"))
            hub.update({"id": "b", "content": {"modulesContent": {"$edgeAgent": {}}}}, "*")


def test_names_are_escaped_in_the_path(server: HubServer) -> None:
    with client(server) as hub:
        assert hub.create(body("a#b?c%d"))
        assert hub.get("a#b?c%d")
    assert set(server.hub.configurations) == {"a#b?c%d"}


def test_an_error_that_is_not_the_hubs(server: HubServer) -> None:
    server.fault = lambda number, method, path: 418
    with client(server) as hub, pytest.raises(HubError, match="read deployment 'a': 418 Injected"):
        hub.get("a")
