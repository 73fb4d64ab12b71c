"""What a batch run says of itself where there is no terminal: in the log of a job."""

from __future__ import annotations

import io

import pytest

from serving.batch import progress


def test_a_line_now_and_then_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    stream = io.StringIO()
    console = progress.Console("info", stream)
    console.begin(400, 100, 0)
    now += 10
    console.advance(50, 0)
    assert stream.getvalue() == "", "not for each mini batch"
    now += 20
    console.advance(50, 3)
    assert stream.getvalue() == "50% 200/400, 3 failed, 3.3/s, 60 s left\n"
    now += 5
    console.advance(150, 0)
    now += 60
    console.advance(50, 0)
    assert stream.getvalue().count("\n") == 1, "the end is said by the result"


def test_quiet_runs_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    stream = io.StringIO()
    console = progress.Console("warning", stream)
    console.begin(400, 0, 0)
    now += 40
    console.advance(50, 0)
    assert stream.getvalue() == ""
