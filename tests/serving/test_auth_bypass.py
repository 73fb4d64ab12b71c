"""No way around the key: `X-Mldeploy-Key`, combinations of headers, and every way to reach the routes that need it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.serving.replica import TEXT_SCRIPT, Replica

KEY = b"X-Mldeploy-Key: "
GUARDED = ("/score", "/metrics", "/api/v1/service/churn/score", "/api/v1/service/churn/metrics")


@pytest.fixture(scope="module")
def guarded(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(TEXT_SCRIPT, auth_enabled=True)


def ask(one: Replica, headers: bytes, method: str = "POST", target: str = "/score") -> bytes:
    body = b'{"a": 1}' if method == "POST" else b""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    return one.raw(head.encode() + headers + b"\r\n" + body)


@pytest.mark.parametrize(
    "headers",
    [
        KEY + b"first-key\r\n",
        KEY + b"second-key\r\n",
        b"x-mldeploy-KEY:first-key\r\n",
        KEY + b" first-key \r\n",
        # The proxy of the Kubernetes API server sends the header without its value.
        b"Authorization:\r\n" + KEY + b"first-key\r\n",
    ],
)
def test_the_proxys_header_opens(guarded: Replica, headers: bytes) -> None:
    assert ask(guarded, headers).startswith(b"HTTP/1.1 200 ")


REFUSED = {
    "empty": KEY + b"\r\n",
    "space": KEY + b" \r\n",
    "other case": KEY + b"First-Key\r\n",
    "prefix": KEY + b"first-ke\r\n",
    "longer": KEY + b"first-keyy\r\n",
    "with a scheme": KEY + b"Bearer first-key\r\n",
    "quoted": KEY + b'"first-key"\r\n',
    "comma": KEY + b"first-key, second-key\r\n",
    "both keys": KEY + b"first-key second-key\r\n",
    "tab inside": KEY + b"first-\tkey\r\n",
    "percent": KEY + b"first%2Dkey\r\n",
    "overlong letters": KEY + b"first\xc0\xadkey\r\n",
    "wide letters": KEY + "ｆirst-key\r\n".encode(),
    "soft hyphen": KEY + "first\u00adkey\r\n".encode(),
    "latin letters": KEY + "fïrst-key\r\n".encode("latin-1"),
    "null": KEY + b"null\r\n",
    "none": KEY + b"None\r\n",
    "long": KEY + b"first-key" * 1000 + b"\r\n",
    "twice": (KEY + b"first-key\r\n") * 2,
    "wrong then right": KEY + b"x\r\n" + KEY + b"first-key\r\n",
    "right then wrong": KEY + b"first-key\r\n" + KEY + b"x\r\n",
    "right then empty": KEY + b"first-key\r\n" + KEY + b"\r\n",
    "underscores": b"X_Mldeploy_Key: first-key\r\n",
    "beside a wrong one": b"Authorization: Bearer x\r\n" + KEY + b"first-key\r\n",
    "beside another scheme": b"Authorization: Basic eDp5\r\n" + KEY + b"first-key\r\n",
    "a wrong one twice, then this": b"Authorization: Bearer x\r\n" * 2 + KEY + b"first-key\r\n",
    "an empty one twice, then this": b"Authorization:\r\n" * 2 + KEY + b"first-key\r\n",
    "twice beside the right one": b"Authorization: Bearer first-key\r\n" + (KEY + b"first-key\r\n") * 2,
    "half each": b"Authorization: Bearer first\r\n" + KEY + b"-key\r\n",
    "the scheme there, the key here": b"Authorization: Bearer\r\n" + KEY + b"first-key\r\n",
    "scheme and space there": b"Authorization: Bearer \r\n" + KEY + b"first-key\r\n",
    "in a connection header": b"Connection: Authorization\r\nX-Forwarded-Authorization: Bearer first-key\r\n",
    "in the client's name": b"X-Remote-User: system:admin\r\nX-Forwarded-Client-Cert: By=x\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_nothing_else_opens(guarded: Replica, name: str, method: str) -> None:
    answer = ask(guarded, REFUSED[name], method)
    assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 ")), answer
    assert b"got" not in answer


@pytest.mark.parametrize("name", ["key after a fold", "key in a trailer", "control byte", "bare line feed"])
def test_malformed_headers_do_not_open(guarded: Replica, name: str) -> None:
    data = {
        "key after a fold": b"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n Bearer first-key\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        "key in a trailer": b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\nAuthorization: Bearer first-key\r\nX-Mldeploy-Key: first-key\r\n\r\n",
        "control byte": b"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first-key\x01\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        "bare line feed": b"POST /score HTTP/1.1\r\nHost: x\r\nX: y\nAuthorization: Bearer first-key\r\n"
        b"Content-Length: 2\r\n\r\n{}",
    }[name]
    answer = guarded.raw(data, shut=True)
    assert answer[9:12] in (b"400", b"401"), answer
    assert b"got" not in answer


def test_a_key_does_not_stay_with_its_connection(guarded: Replica) -> None:
    first = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first-key\r\n\r\n"
    answer = guarded.raw(first + b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 401 ") == 1


WAYS = ("{}", "{}?", "{}?x=/swagger.json", "{}?/docs", "http://x{}", "HTTP://x{}?version=3", "https://x:1{}")


@pytest.mark.parametrize(("path", "way"), list(itertools.product(GUARDED, WAYS)))
def test_every_way_to_a_guarded_route_needs_a_key(guarded: Replica, path: str, way: str) -> None:
    for method in ("GET", "HEAD", "DELETE", "PATCH"):
        answer = ask(guarded, b"Origin: http://x\r\nReferer: /docs\r\n", method, way.format(path))
        assert answer.startswith(b"HTTP/1.1 401 "), (method, answer)


@pytest.mark.parametrize("escaped", range(1, 6))
def test_escaped_letters_need_a_key_too(guarded: Replica, escaped: int) -> None:
    """`/%73core` is `/score` to a proxy, so it is here."""
    name = "/score"
    target = f"{name[:escaped]}%{ord(name[escaped]):02x}{name[escaped + 1 :]}"
    assert ask(guarded, b"", "GET", target).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "target",
    ["/docs/../score", "/docs/..%2fscore", "/docs/%2e%2e/metrics", "/docs%00/score", "/docs;/../score",
     "/swagger.json/../metrics", "/%2fscore", "/score%2f", "/score%00", "/%2573core", "/ſcore", "/SCORE",
     "/api/v1/service/churn//score", "/api/v1/service/CHURN/score", "/api/v1/service/other/score",
     "/api/v1/service/churn/api/v1/service/churn/score", "\\score", "*", "//x/score"],
)  # fmt: skip
def test_look_alikes_are_no_routes(guarded: Replica, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    answer = guarded.raw(head)
    assert answer[9:12] in (b"404", b"400"), answer
    assert b"serving_" not in answer
