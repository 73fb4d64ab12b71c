"""Keys: what gets in, what does not, and how they change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.replica import TEXT_SCRIPT, Replica, start

BODY = b'{"a": 1}'


@pytest.fixture(scope="module")
def guarded(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(TEXT_SCRIPT, auth_enabled=True)


@pytest.mark.parametrize(
    "value", ["Bearer first-key", "bearer second-key", "BEARER first-key", "Bearer  first-key "]
)
def test_both_keys_open(guarded: Replica, value: str) -> None:
    assert guarded.request("/score", BODY, {"Authorization": value}).status == 200


REFUSED = {
    "no header": b"",
    "empty": b"Authorization:\r\n",
    "scheme alone": b"Authorization: Bearer\r\n",
    "scheme and space": b"Authorization: Bearer \r\n",
    "key alone": b"Authorization: first-key\r\n",
    "basic": b"Authorization: Basic Zmlyc3Qta2V5\r\n",
    "other case": b"Authorization: Bearer FIRST-KEY\r\n",
    "prefix": b"Authorization: Bearer first-ke\r\n",
    "longer": b"Authorization: Bearer first-keyx\r\n",
    "both keys": b"Authorization: Bearer first-key second-key\r\n",
    "comma": b"Authorization: Bearer first-key, Bearer second-key\r\n",
    "quoted": b'Authorization: Bearer "first-key"\r\n',
    "tab for space": b"Authorization: Bearer\tfirst-key\r\n",
    "space inside": b"Authorization: Bearer first- key\r\n",
    "two headers": b"Authorization: Bearer first-key\r\nAuthorization: Bearer first-key\r\n",
    "wrong then right": b"Authorization: Bearer x\r\nauthorization: Bearer first-key\r\n",
    "right then empty": b"Authorization: Bearer first-key\r\nAuthorization:\r\n",
    "latin letters": "Authorization: Bearer fïrst-key\r\n".encode("latin-1"),
    "wide letters": "Authorization: Bearer ｆirst-key\r\n".encode(),
    "null": b"Authorization: Bearer null\r\n",
    "none": b"Authorization: Bearer None\r\n",
    "underscore header": b"Authorization_: Bearer first-key\r\n",
    "other header": b"X-Authorization: Bearer first-key\r\n",
    "proxy header": b"Proxy-Authorization: Bearer first-key\r\n",
    "cookie": b"Cookie: Authorization=Bearer first-key\r\n",
    "forwarded": b"X-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /\r\n",
    "method override": b"X-HTTP-Method-Override: OPTIONS\r\n",
    "preflight look": b"Origin: https://x\r\nAccess-Control-Request-Method: POST\r\n",
    "percent": b"Authorization: Bearer first%2Dkey\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_nothing_else_opens(guarded: Replica, name: str, method: str) -> None:
    request = (
        f"{method} /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n".encode()
        + REFUSED[name]
        + b"\r\n"
        + BODY
    )
    answer = guarded.raw(request)
    assert answer.startswith(b"HTTP/1.1 401 "), answer
    assert b"WWW-Authenticate: Bearer" in answer
    assert b"got" not in answer


@pytest.mark.parametrize(
    "target",
    [
        "/score",
        "/score?x=/",
        "/%73core",
        "/api/v1/service/churn/score",
        "http://x/score",
        "/metrics",
        "/score?/swagger.json",
    ],
)
def test_no_way_of_writing_the_path_opens(guarded: Replica, target: str) -> None:
    answer = guarded.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401 "), answer


@pytest.mark.parametrize(
    "target",
    [
        "/./score",
        "/../score",
        "/x/../score",
        "//score",
        "/score/",
        "/score;x",
        "/SCORE",
        "/swagger.json/../score",
    ],
)
def test_paths_are_not_rewritten(guarded: Replica, target: str) -> None:
    answer = guarded.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 "), answer


def test_health_and_swagger_need_no_key(guarded: Replica) -> None:
    for path in ("/", "/livez", "/readyz", "/swagger.json", "/api/v1/service/churn/swagger.json"):
        assert guarded.request(path).status == 200
    assert guarded.request("/score", method="OPTIONS").status == 200


def test_unauthorised_bodies_are_not_kept_and_the_connection_goes_on(guarded: Replica) -> None:
    client = guarded.client()
    assert guarded.request("/score", b"x" * 1000, client=client).status == 401
    headers = {"Authorization": "Bearer first-key"}
    assert guarded.request("/score", BODY, headers, client=client).status == 200
    client.close()
    # A big one is refused before it is sent.
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n"
    assert guarded.raw(head).startswith(b"HTTP/1.1 401 ")


def test_keys_change_without_a_restart(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, auth_enabled=True, workers=2)

    def statuses(key: str) -> set[int]:
        return {one.request("/score", BODY, {"Authorization": f"Bearer {key}"}).status for _ in range(6)}

    assert statuses("first-key") == statuses("second-key") == {200}
    one.set_keys(primary="third-key", secondary="second-key")
    time.sleep(0.1)
    assert statuses("third-key") == statuses("second-key") == {200}
    assert statuses("first-key") == {401}
    Path(one.config["keys_file"]).write_text("{")
    time.sleep(0.1)
    assert statuses("third-key") == {200}
    assert "stay in force" in one.wait_log("keys file")["message"]
    one.set_keys(primary="", secondary="last-key")
    time.sleep(0.1)
    assert statuses("last-key") == {200}
    assert statuses("") == statuses("third-key") == {401}


@pytest.mark.parametrize("content", ['{"primary": "", "secondary": "  "}', "[]", "nonsense", "{}"])
def test_no_start_without_a_usable_key(content: str) -> None:
    one = start(TEXT_SCRIPT, auth_enabled=True)
    try:
        one.stop()
        Path(one.config["keys_file"]).write_text(content)
        one = restart(one)
        assert one.process.wait(20) == 2
        assert "keys_file" in one.stderr.read_text()
    finally:
        one.clean()


def restart(one: Replica) -> Replica:
    """Start again with the files as they are now."""
    import os
    import subprocess
    import sys

    with one.stderr.open("wb") as output:
        one.process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--config", str(one.folder / "replica.json")],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)},
            stdout=output,
            stderr=output,
        )
    return one


def test_keys_are_nowhere_in_the_log(guarded: Replica) -> None:
    guarded.request("/score", BODY, {"Authorization": "Bearer first-key"})
    guarded.request("/score", BODY, {"Authorization": "Bearer almost-first-key"})
    time.sleep(0.4)
    text = json.dumps(guarded.log())
    assert "first-key" not in text
    assert "second-key" not in text
