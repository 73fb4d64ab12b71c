"""Micro-batching for scripts that opt in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.serving.replica import Answer, Replica

BATCH_SCRIPT = """
    import json, time

    def init(): pass

    def run(data):
        value = json.loads(data)
        time.sleep(0.05)
        if value == "bad":
            raise ValueError("bad alone")
        return {"value": value, "batch": 1}

    def run_batch(items):
        values = [json.loads(item) for item in items]
        time.sleep(0.05)
        if "poison" in values:
            raise ValueError("bad together")
        size = len(values)
        return [KeyError("mine") if value == "mine" else {"value": value, "batch": size} for value in values]
"""

ROWS_SCRIPT = """
    import time
    import numpy as np
    from inference_schema.schema_decorators import input_schema
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType

    BATCHING = {"row_wise": True, "max_batch_size": 8}
    sizes = []

    def init(): pass

    @input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
    def run(data):
        time.sleep(0.03)
        sizes.append(len(data))
        if len(data) == 1 and data[0, 0] == -1:
            return sorted(sizes)[-1:]
        return data.sum(axis=1).tolist()
"""


def together(one: Replica, values: list[Any]) -> list[Answer]:
    """The answers, in the order of the values."""
    answers: dict[int, Answer] = {}

    def ask(number: int) -> None:
        answers[number] = one.score(values[number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(values))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(values))]


def test_run_batch_gets_what_waits(replica: Callable[..., Replica]) -> None:
    one = replica(BATCH_SCRIPT, max_request_wait_time=5000)
    assert one.score(1).json == {"value": 1, "batch": 1}
    answers = together(one, list(range(20)))
    assert [answer.json["value"] for answer in answers] == list(range(20))
    assert max(answer.json["batch"] for answer in answers) > 3
    assert "serving_batch_size_count" in one.request("/metrics").body.decode()


def test_errors_are_each_request_s_own(replica: Callable[..., Replica]) -> None:
    one = replica(BATCH_SCRIPT, max_request_wait_time=5000)
    answers = together(one, ["a", "mine", "b", "c", "d", "mine", "e"])
    assert [answer.status for answer in answers].count(200) >= 5
    for value, answer in zip(["a", "mine", "b", "c", "d", "mine", "e"], answers, strict=True):
        assert answer.status == (500 if value == "mine" and answer.status == 500 else 200)
    # One that spoils the batch: all are run again, singly.
    answers = together(one, ["a", "poison", "b", "bad", "c", "d"])
    assert [answer.status for answer in answers] == [
        200,
        200,
        200,
        500 if answers[3].status == 500 else 200,
        200,
        200,
    ]
    assert answers[0].json["value"] == "a"


def test_rows_are_joined_and_cut_up(replica: Callable[..., Replica]) -> None:
    one = replica(ROWS_SCRIPT, max_request_wait_time=5000)
    values: list[Any] = [{"data": [[n, row] for row in range(1 + n % 3)]} for n in range(16)]
    answers = together(one, values)
    for value, answer in zip(values, answers, strict=True):
        assert answer.json == [a + b for a, b in value["data"]]
    assert one.score({"data": [[-1, 0]]}).json[0] > 3
    # A request of another shape is told so; the others are not disturbed.
    bad = {"data": [[1, 2, 3]]}
    answers = together(one, [values[0], bad, values[1], {"data": "x"}, {}, values[2], values[3]])
    assert [answer.status for answer in answers] == [200, 400, 200, 400, 400, 200, 200]


@pytest.mark.parametrize("enabled", [False])
def test_the_configuration_can_switch_it_off(replica: Callable[..., Replica], enabled: bool) -> None:
    one = replica(BATCH_SCRIPT, max_request_wait_time=5000, batching={"enabled": enabled})
    assert {answer.json["batch"] for answer in together(one, list(range(6)))} == {1}
