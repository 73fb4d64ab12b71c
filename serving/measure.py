"""Metrics of the script's own: in `/metrics`, and through OpenTelemetry where telemetry is on.

from serving import measure

measure.count("predictions", label="cat")
measure.observe("confidence", 0.93, label="cat")
"""

from __future__ import annotations

import importlib
import re
import threading
from dataclasses import dataclass, field
from typing import Any

MOST_COMBINATIONS = 200
"""Of dimensions, for one metric; what comes after is counted under `other` in every dimension."""
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass
class _Metric:
    kind: str
    dimensions: tuple[str, ...]
    prometheus: Any
    telemetry: Any
    seen: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])


_metrics: dict[str, _Metric] = {}
_lock = threading.Lock()
_MOST_EARLY = 1000
_early: list[tuple[_Metric, float, tuple[str, ...]]] | None = []
"""What was measured before telemetry began; None once it has."""


def count(name: str, amount: float = 1, **dimensions: object) -> None:
    """Add to a counter.

    Raises:
        ValueError: a name that Prometheus does not allow, other dimensions than before, or a negative amount.
    """
    if amount < 0:
        raise ValueError(f"{name}: {amount} is not allowed; a counter only grows")
    metric, values = _metric("counter", name, dimensions)
    (metric.prometheus.labels(*values) if values else metric.prometheus).inc(amount)
    _send(metric, amount, values)


def observe(name: str, value: float, **dimensions: object) -> None:
    """Add a value to a distribution.

    Raises:
        ValueError: a name that Prometheus does not allow, or other dimensions than before.
    """
    metric, values = _metric("histogram", name, dimensions)
    (metric.prometheus.labels(*values) if values else metric.prometheus).observe(value)
    _send(metric, value, values)


def _metric(kind: str, name: str, dimensions: dict[str, object]) -> tuple[_Metric, tuple[str, ...]]:
    names = tuple(sorted(dimensions))
    with _lock:
        metric = _metrics.get(name)
        if metric is None:
            metric = _metrics[name] = _new(kind, name, names)
        if metric.kind != kind or metric.dimensions != names:
            raise ValueError(
                f"{name} is a {metric.kind} with the dimensions ({', '.join(metric.dimensions)}), "
                f"not a {kind} with ({', '.join(names)})"
            )
        values = tuple(str(dimensions[key]) for key in names)
        if values not in metric.seen:
            if len(metric.seen) >= MOST_COMBINATIONS:
                values = ("other",) * len(names)
            metric.seen.add(values)
    return metric, values


def _new(kind: str, name: str, names: tuple[str, ...]) -> _Metric:
    for given in (name, *names):
        if not _NAME.fullmatch(given) or given.startswith("__") or given == "le":
            raise ValueError(f"{given!r} is not allowed as a name; use letters, digits and underscores")
    prometheus: Any = importlib.import_module("prometheus_client")
    make = prometheus.Counter if kind == "counter" else prometheus.Histogram
    return _Metric(kind, names, make(name, f"{name} (the script's own)", names), _instrument(kind, name))


def _instrument(kind: str, name: str) -> Any:
    if _early is not None:
        return None
    meter: Any = importlib.import_module("opentelemetry.metrics").get_meter("mldeploy.script")
    return (meter.create_counter if kind == "counter" else meter.create_histogram)(name)


def _send(metric: _Metric, value: float, values: tuple[str, ...]) -> None:
    if _early is not None:
        if len(_early) < _MOST_EARLY:
            _early.append((metric, value, values))
    elif metric.telemetry is not None:
        attributes = dict(zip(metric.dimensions, values, strict=True))
        (metric.telemetry.add if metric.kind == "counter" else metric.telemetry.record)(value, attributes)


def connect() -> None:
    """Telemetry is on from now on: hand over what `init()` measured. Called by the worker."""
    global _early
    waiting, _early = _early or [], None
    for name, metric in _metrics.items():
        metric.telemetry = _instrument(metric.kind, name)
    for metric, value, values in waiting:
        _send(metric, value, values)
