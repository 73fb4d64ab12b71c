"""The same requests to Microsoft's server and to ours, running the same scripts: the answers must agree.

Every deliberate difference is in `cases.DIFFERENCES` and, with its reason, in docs/serving.md.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import reference
from tests.serving.cases import CASES, COMPARED, DIFFERENCES, ENVIRON, SCRIPTS, Case
from tests.serving.replica import Replica, start
from tests.serving.tools import UnavailableError


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, Replica]]]:
    """Both servers for every script."""
    theirs: dict[str, reference.Reference] = {}
    ours: dict[str, Replica] = {}
    try:
        try:
            reference.environment()
        except (UnavailableError, OSError) as problem:
            pytest.skip(str(problem))
        folder: Path = tmp_path_factory.mktemp("reference")
        for name, script in SCRIPTS.items():
            theirs[name] = reference.start(folder / name, script, ENVIRON)
            ours[name] = start(script, environ=ENVIRON, scoring_timeout_ms=700)
        for name in SCRIPTS:
            ours[name].wait_ready()
            ours[name].accept()
            reference.wait(theirs[name])
        yield {name: (theirs[name].port, ours[name]) for name in SCRIPTS}
    finally:
        for one in theirs.values():
            one.stop()
        for other in ours.values():
            other.clean()


def ask(port: int, case: Case) -> tuple[int, bytes, dict[str, list[str]]]:
    """Status, body and compared headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(case.method, case.path, case.body, case.headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    headers = {name: response.headers.get_all(name) or [] for name in COMPARED}
    if "x-request-id" not in {name.lower() for name in case.headers}:
        for name in ("x-request-id", "x-ms-request-id"):
            # Made up by the server: only that they are there can be compared.
            headers[name] = ["made up"] * len(headers[name])
    return response.status, body, headers


@pytest.mark.parametrize("name", CASES)
def test_same_answer(servers: dict[str, tuple[int, Replica]], name: str) -> None:
    case = CASES[name]
    port, replica = servers[case.script]
    their_status, their_body, their_headers = ask(port, case)
    our_status, our_body, our_headers = ask(replica.port, case)
    deliberate: set[str] = set().union(*(cases.get(name, set()) for cases in DIFFERENCES.values()))
    found = {
        **({"status": (their_status, our_status)} if their_status != our_status else {}),
        **({"body": (their_body[:300], our_body[:300])} if their_body != our_body else {}),
        **{
            header: (their_headers[header], our_headers[header])
            for header in COMPARED
            if their_headers[header] != our_headers[header]
        },
    }
    assert set(found) == deliberate, found


def test_every_difference_has_its_reason_in_the_docs() -> None:
    text = (Path(__file__).parent.parent.parent / "docs/serving.md").read_text()
    for reason in DIFFERENCES:
        assert f"| {reason} |" in text
