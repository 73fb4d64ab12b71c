"""Baking: a version takes a share of the traffic, and its replicas' own metrics say whether it may have more."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

_LINE = re.compile(r"^(?P<name>serving_request[a-z_]*)(?:\{(?P<labels>[^}]*)\})?\s+(?P<value>\S+)\s*$")
_CODE = re.compile(r'code="(\w+)"')
_BOUND = re.compile(r'le="([^"]+)"')
# One failure of one request is no rate: this many answers are needed before a rate or a ratio means anything.
MIN_REQUESTS = 20
MIN_ERRORS = 3
# Below this, in seconds, a ratio of latencies is about the network and the machine, not about the model.
LATENCY_FLOOR = 0.005
_QUANTILE = 0.95
_THREADS = 8


@dataclass(frozen=True)
class Sample:
    """Counters of one pod since its start: requests by status code, and latency as a histogram (seconds)."""

    codes: Mapping[str, float] = field(default_factory=dict[str, float])
    buckets: Mapping[float, float] = field(default_factory=dict[float, float])
    """Upper bound to cumulated count."""
    seconds: float = 0.0

    @property
    def requests(self) -> float:
        """Answered scoring requests."""
        return sum(self.codes.values())

    @property
    def errors(self) -> float:
        """Those that the service is to blame for: 5xx."""
        return sum(count for code, count in self.codes.items() if code.startswith("5"))

    def mean(self) -> float:
        """Mean latency in seconds; NaN without requests."""
        return self.seconds / self.requests if self.requests else math.nan

    def quantile(self, share: float) -> float:
        """The latency in seconds that ``share`` of the requests did not exceed, interpolated in its bucket."""
        bounds = sorted(self.buckets)
        total = self.buckets[bounds[-1]] if bounds else 0.0
        if not total:
            return math.nan
        below, lower = 0.0, 0.0
        for bound in bounds:
            count = self.buckets[bound]
            if count >= share * total:
                if math.isinf(bound):
                    return lower
                inside = count - below
                return lower + (bound - lower) * ((share * total - below) / inside if inside else 0.0)
            below, lower = count, bound
        return lower


def parse(text: str) -> Sample:
    """A sample of the scoring server's Prometheus text."""
    codes: dict[str, float] = {}
    buckets: dict[float, float] = {}
    seconds = 0.0
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        name, labels, value = match["name"], match["labels"] or "", float(match["value"])
        if name == "serving_requests_total" and (code := _CODE.search(labels)):
            codes[code[1]] = codes.get(code[1], 0.0) + value
        elif name == "serving_request_seconds_bucket" and (bound := _BOUND.search(labels)):
            buckets[float(bound[1].replace("+Inf", "inf"))] = value
        elif name == "serving_request_seconds_sum":
            seconds = value
    return Sample(codes, buckets, seconds)


def grown(before: Sample, after: Sample) -> Sample:
    """What was added between two samples of one pod. A counter that fell began anew with its process."""
    if after.requests < before.requests:
        return after
    codes = {code: count - before.codes.get(code, 0.0) for code, count in after.codes.items()}
    buckets = {bound: count - before.buckets.get(bound, 0.0) for bound, count in after.buckets.items()}
    return Sample(codes, buckets, after.seconds - before.seconds)


def together(samples: list[Sample]) -> Sample:
    """The sum over pods."""
    codes: dict[str, float] = {}
    buckets: dict[float, float] = {}
    for sample in samples:
        for code, count in sample.codes.items():
            codes[code] = codes.get(code, 0.0) + count
        for bound, count in sample.buckets.items():
            buckets[bound] = buckets.get(bound, 0.0) + count
    return Sample(codes, buckets, sum(sample.seconds for sample in samples))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a version must keep to."""

    max_error_rate: float
    """Share of 5xx answers, 0 to 1."""
    max_latency_ratio: float
    """The 95th percentile of latency over that of the version which serves now."""


@dataclass(frozen=True)
class Verdict:
    """What a bake has seen. ``breach`` says which limit was passed and by how much."""

    breach: str | None
    new: Sample
    old: Sample


def judge(new: Sample, old: Sample, limits: Limits) -> str | None:
    """The limit that ``new`` breaks, or None."""
    if new.requests >= MIN_REQUESTS or new.errors >= MIN_REQUESTS / 2:
        rate = new.errors / new.requests
        before = old.errors / old.requests if old.requests else 0.0
        # Never stricter than what serves now: its own errors are not the new version's fault.
        if new.errors >= MIN_ERRORS and rate > max(limits.max_error_rate, before):
            return (
                f"{new.errors:.0f} of {new.requests:.0f} answers were errors ({rate:.1%}); allowed: max_error_rate "
                f"{limits.max_error_rate:.1%}, the serving version has {before:.1%}"
            )
    if min(new.requests, old.requests) >= MIN_REQUESTS:
        mine, its = new.quantile(_QUANTILE), old.quantile(_QUANTILE)
        ratio = mine / its if its else 0.0
        felt = mine - its > LATENCY_FLOOR
        # Means confirm it, so that one coarse bucket is no verdict.
        if felt and ratio > limits.max_latency_ratio and new.mean() > limits.max_latency_ratio * old.mean():
            return (
                f"19 of 20 answers took up to {mine * 1000:.1f} ms, {ratio:.1f} times that of the serving version "
                f"({its * 1000:.1f} ms); allowed: max_latency_ratio {limits.max_latency_ratio:g}"
            )
    return None


class Watched(Protocol):
    """A version whose pods can be asked."""

    def samples(self) -> dict[str, Sample]:
        """A sample a ready pod, by the pod's name."""
        ...

    def trouble(self) -> str | None:
        """What is wrong with its pods, if anything."""
        ...


class Growth:
    """What a version's pods have answered since this began; pods may come and go meanwhile."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._first = watched.samples()
        self._last: dict[str, Sample] = {}

    def measure(self) -> Sample:
        """The growth over all pods seen so far."""
        for name, sample in self._watched.samples().items():
            self._last[name] = grown(self._first.get(name, Sample()), sample)
        return together(list(self._last.values()))

    def lifetime(self) -> Sample:
        """Everything that the pods seen so far have answered since their own start."""
        return together([*self._first.values(), *self._last.values()])


def _reference(old: Growth) -> Sample:
    """What the new version is compared with: what the old one answers meanwhile.

    At the last step, and with blue and green, it gets next to no traffic: then what it has answered in its life.
    """
    meanwhile = old.measure()
    return meanwhile if meanwhile.requests >= MIN_REQUESTS else old.lifetime()


def bake(
    new: Watched,
    old: Watched | None,
    limits: Limits,
    seconds: float,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[Sample, float], None] = lambda _sample, _left: None,
) -> Verdict:
    """Watch ``new`` beside ``old`` for ``seconds``; ends early on a breach.

    Args:
        new: the version on trial.
        old: the one that serves now; None when there is none to compare with.
        limits: what to keep to.
        seconds: how long.
        pause: waits between two looks.
        clock: monotonic seconds.
        progress: told about every look: growth so far, seconds left.
    """
    start, every = clock(), max(0.02, min(5.0, seconds / 6))
    new_growth, old_growth = Growth(new), Growth(old) if old else None
    while True:
        mine = new_growth.measure()
        its = _reference(old_growth) if old_growth else Sample()
        trouble = new.trouble()
        breach = trouble or judge(mine, its, limits)
        left = seconds - (clock() - start)
        if breach or left <= 0:
            return Verdict(breach, mine, its)
        progress(mine, left)
        pause(min(every, left))


def in_parallel(names: list[str], ask: Callable[[str], Sample | None]) -> dict[str, Sample]:
    """``ask`` for every pod at once; pods that do not answer are left out: their readiness tells of them."""
    if not names:
        return {}
    with ThreadPoolExecutor(min(_THREADS, len(names))) as pool:
        found = zip(names, pool.map(ask, names), strict=True)
        return {name: sample for name, sample in found if sample is not None}
