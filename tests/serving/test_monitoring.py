"""v1's `ModelDataCollector`: rows keep the names of their features, however many there are."""

from __future__ import annotations

import json
from typing import Any

import numpy
import pandas
import pytest

from serving import monitoring


class Kept:
    """Takes what collectors hand over."""

    def __init__(self) -> None:
        self.rows: Any = None

    def custom(self, name: str, data: bytes, correlation: str = "") -> str:
        self.rows = json.loads(data)
        return correlation


@pytest.mark.parametrize(
    ("names", "given", "kept"),
    [
        (["age"], [41, 52], [{"age": 41}, {"age": 52}]),
        (["age"], numpy.array([41, 52]), [{"age": 41}, {"age": 52}]),
        (["age"], numpy.array([[41], [52]]), [{"age": 41}, {"age": 52}]),
        (["age"], pandas.Series([41, 52]), [{"age": 41}, {"age": 52}]),
        (["age"], 41, [{"age": 41}]),
        (None, pandas.Series([41, 52], name="age"), [{"age": 41}, {"age": 52}]),
        (["age", "bmi"], [[41, 22.5]], [{"age": 41, "bmi": 22.5}]),
        (["age", "bmi"], pandas.DataFrame({"a": [41]}), [{"a": 41}]),
        (None, [41], [41]),
    ],
)
def test_names(monkeypatch: pytest.MonkeyPatch, names: list[str] | None, given: Any, kept: Any) -> None:
    taken = Kept()
    monkeypatch.setattr(monitoring, "_recorder", taken)
    monitoring.ModelDataCollector("m", "inputs", feature_names=names).collect(given)
    assert taken.rows == kept
