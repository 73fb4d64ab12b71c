"""Golden requests whose answers come in pieces: what they are, and how soon the first one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from mldeploy.provider.common.golden_requests import GoldenRequest, GoldenStream, fault_of

from .conftest import Failed, write

SCRIPT = """
import json, time

def init(): pass

def run(data):
    given = json.loads(data)
    time.sleep(given.get("first", 0))
    if "whole" in given:
        return given["whole"]
    return pieces(given)

def pieces(given):
    for number in range(given["count"]):
        if number == given.get("fails"):
            raise RuntimeError("no more")
        yield {"n": number / 3}
"""
PIECES = '{"n": 0.0}\n{"n": 0.333333}\n{"n": 0.666667}\n'


@dataclass
class Said:
    """An answer that was heard somewhere."""

    content_type: str
    body: bytes
    first_seconds: float = 0.01
    status: int = 200


@pytest.mark.parametrize(
    ("stream", "said", "fault"),
    [
        ({}, Said("application/x-ndjson", b"1\n2\n"), None),
        ({}, Said("application/json", b"[1, 2]"), "does not come in pieces, but whole as application/json"),
        ({"pieces": "p"}, Said("application/x-ndjson", b"1\n2.0001\n"), None),
        ({"pieces": "p"}, Said("text/event-stream; charset=utf-8", b"data: 1\n\ndata: 2\n\n"), None),
        ({"pieces": "p"}, Said("text/event-stream", b": hello\r\n\r\nid: 7\r\ndata:1\r\n\r\ndata: 2\r\n\r\n"), None),
        ({"pieces": "p"}, Said("text/plain", b"1\n3\n"), "not the pieces in p: piece 2: at $: expected 2, got 3"),
        ({"pieces": "p"}, Said("application/x-ndjson", b"1\n"), "not the pieces in p: expected 2 pieces, got 1"),
        ({"pieces": "p"}, Said("text/plain", b"1\n2\n3"), "not the pieces in p: expected 2 pieces, got 3"),
        ({"first_byte_ms": 20}, Said("text/plain", b"x"), None),
        (
            {"first_byte_ms": 5, "pieces": "p"},
            Said("text/plain", b"1\n2"),
            "the first piece came after 10 ms; allowed: first_byte_ms 5, in the best of 3 tries",
        ),
    ],
)  # fmt: skip
def test_an_answer_in_pieces(tmp_path, stream, said, fault):
    (tmp_path / "p").write_text("1\n2\n")
    item = GoldenRequest(request="r.json", tolerance=1e-3, stream=GoldenStream(**stream))
    found = fault_of(item, tmp_path, lambda: said)
    assert found == (None if fault is None else f"r.json: {fault}") or (found or "").endswith(fault or "?")


def test_a_piece_that_came_late_once_may_come_in_time(tmp_path):
    """The first call of a script fills its caches."""
    times = iter([9.0, 7.0, 0.001])
    item = GoldenRequest(request="r.json", stream=GoldenStream(first_byte_ms=50))
    assert fault_of(item, tmp_path, lambda: Said("text/plain", b"x", next(times))) is None
    times = iter([9.0, 10.0, 8.0])
    found = fault_of(item, tmp_path, lambda: Said("text/plain", b"x", next(times)))
    assert found is not None and "after 8000 ms" in found
    with pytest.raises(StopIteration):
        next(times)


def test_a_replica_must_stream_rightly_before_it_gets_the_port(real_stack, project):
    write(project, "scripts/score.py", SCRIPT)
    write(project, "golden/pieces.jsonl", PIECES)

    def gate(**given):
        options = given.pop("options", {})
        write(project, "golden/request.json", re.sub("'", '"', str(given)))
        stream = {"pieces": "golden/pieces.jsonl", "first_byte_ms": 20_000, **options}
        item = {"request": "golden/request.json", "tolerance": 1e-5, "stream": stream}
        return {"replica": real_stack.replica.id, "service": "s", "golden": [item]}

    real_stack.gate_inputs = lambda: gate(count=3)
    real_stack.up()
    digest = real_stack.gate.outputs["golden_digest"]
    assert real_stack.gate.outputs["passed"] == 1
    real_stack.gate.update(**gate(count=3, options={"events": True}))
    for given, fault in (
        ({"count": 2}, "not the pieces in golden/pieces.jsonl: expected 3 pieces, got 2"),
        ({"whole": [1, 2]}, "the answer does not come in pieces, but whole as application/json"),
        ({"count": 3, "fails": 2}, "no answer: peer closed"),
        (
            {"count": 3, "first": 0.05, "options": {"first_byte_ms": 1}},
            r"the first piece came after \d+ ms; allowed: first_byte_ms 1, in the best of 3 tries",
        ),
    ):
        with pytest.raises(Failed, match="the gate failed: golden/request.json.*" + fault):
            real_stack.gate.update(**gate(**given))
    write(project, "golden/pieces.jsonl", PIECES + "4\n")
    real_stack.gate_inputs = lambda: gate(count=3)
    checked = real_stack.gate.check(real_stack.gate_inputs())
    assert checked["golden_digest"] != digest
