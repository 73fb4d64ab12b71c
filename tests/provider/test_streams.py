"""The end of a replica: answers in pieces that are open go on as long as its settings say."""

from __future__ import annotations

import http.client
import json
import threading
import time

import pytest

from mldeploy.provider.local import replica
from tests.provider.conftest import write

SCRIPT = """
import json, time

def init(): pass

def run(data):
    for number in range(json.loads(data)["count"]):
        yield number
        time.sleep(0.05)
"""


@pytest.fixture
def streaming(real_stack, project, monkeypatch):
    """A service whose requests have 0.2 seconds at the end, and whose answer lasts longer."""
    write(project, "scripts/score.py", SCRIPT)
    monkeypatch.setattr(replica, "_PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(replica.ReplicaFields, "drain_seconds", 0.2)
    real_stack.gate_inputs = lambda: {"replica": real_stack.replica.id, "service": "s", "golden": []}

    def begin(count, **inputs):
        real_stack.up(**inputs)
        connection = http.client.HTTPConnection("127.0.0.1", real_stack.port, timeout=30)
        headers = {"Authorization": f"Bearer {real_stack.key()}", "Content-Type": "application/json"}
        connection.request("POST", "/score", json.dumps({"count": count}), headers)
        answer = connection.getresponse()
        assert answer.readline() == b"0\n"
        return answer

    return begin


def test_an_open_stream_is_not_cut(streaming, real_stack):
    answer = streaming(40)
    ending = threading.Thread(target=real_stack.replica.delete)
    ending.start()
    assert answer.read().split() == [str(number).encode() for number in range(1, 40)]
    ending.join(30)
    assert not ending.is_alive()
    real_stack.replica.id = ""


def test_a_stream_that_does_not_end_is_waited_for_as_long_as_is_written(streaming, real_stack):
    answer = streaming(100_000, server={"stream_drain_seconds": 1, "workers": 2, "max_queue": 7})
    begun = time.monotonic()
    real_stack.replica.delete()
    real_stack.replica.id = ""
    assert time.monotonic() - begun > 1
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
