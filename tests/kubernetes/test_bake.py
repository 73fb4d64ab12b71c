"""Judging a version by its replicas' counters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.provider.kubernetes.bake import Limits, Sample, bake, grown, judge, parse, together
from serving.metrics import BUCKETS, Board, Counters, render

LIMITS = Limits(max_error_rate=0.05, max_latency_ratio=2.0)


def served(*answers):
    """A sample as the scoring server itself prints it: (status, seconds) a request."""
    board = Board(1)
    counters = Counters(board, 0)
    for status, seconds in answers:
        counters.finished(status, seconds)
    return parse(render(board, "diabetes", {"diabetes": "1"}).decode())


def test_the_scoring_servers_own_metrics_are_understood():
    sample = served((200, 0.004), (200, 0.02), (503, 0.2), (400, 0.001))
    assert sample.requests == 4
    assert sample.errors == 1
    assert sample.seconds == pytest.approx(0.225)
    assert len(sample.buckets) == len(BUCKETS) + 1


def test_other_metrics_are_ignored():
    assert parse("# HELP x\nother_total 5\nserving_queue 3\nrubbish\n").requests == 0


@given(st.lists(st.floats(0.0001, 70), min_size=1, max_size=80))
def test_quantiles_are_in_the_bucket_of_the_true_one(values):
    sample = served(*((200, value) for value in values))
    true = sorted(values)[math.ceil(0.95 * len(values)) - 1]
    bounds = [0.0, *BUCKETS, math.inf]
    upper = next(bound for bound in bounds[1:] if true <= bound)
    lower = bounds[bounds.index(upper) - 1]
    assert lower <= sample.quantile(0.95) <= min(upper, BUCKETS[-1])


def test_no_requests_have_no_quantile():
    assert math.isnan(Sample().quantile(0.5))
    assert math.isnan(Sample().mean())


def test_growth_and_restart():
    before, after = served((200, 1.0), (500, 1.0)), served((200, 1.0), (200, 1.0), (500, 1.0), (500, 1.0))
    assert grown(before, after).codes == {"200": 1, "500": 1}
    assert grown(after, before) == before, "a counter that fell began anew"


def test_sum_over_pods():
    assert together([served((200, 1.0)), served((200, 1.0), (500, 1.0))]).codes == {"200": 2, "500": 1}


GOOD = served(*[(200, 0.02)] * 100)


@pytest.mark.parametrize(
    ("new", "old", "breach"),
    [
        (GOOD, GOOD, None),
        (served(*[(200, 0.02)] * 80, *[(500, 0.02)] * 20), GOOD, "20 of 100 answers were errors (20.0%)"),
        (served(*[(200, 0.02)] * 96, *[(500, 0.02)] * 4), GOOD, None),
        (served(*[(400, 0.02)] * 100), GOOD, None),  # the clients' own fault
        (served(*[(200, 0.1)] * 100), GOOD, "allowed: max_latency_ratio 2"),
        (served(*[(200, 0.03)] * 100), GOOD, None),
        # three times one millisecond, which nobody feels
        (served(*[(200, 0.003)] * 100), served(*[(200, 0.001)] * 100), None),
        (served((500, 0.02)), GOOD, None),  # one failure is no rate
        (served(*[(500, 0.02)] * 12), GOOD, "12 of 12 answers were errors"),
        (served(*[(200, 5.0)] * 5), GOOD, None),  # too few to compare
        (served(*[(200, 5.0)] * 100), Sample(), None),  # nothing to compare with
        (
            served(*[(200, 0.02)] * 80, *[(500, 0.02)] * 20),
            served(*[(200, 0.02)] * 70, *[(500, 0.02)] * 30),
            None,
        ),  # what serves now is worse
    ],
)
def test_verdicts(new, old, breach):
    found = judge(new, old, LIMITS)
    if breach is None:
        assert found is None
    else:
        assert found is not None
        assert breach in found


class Pods:
    """A version whose counters follow a script, one step a look."""

    def __init__(self, *steps, trouble=None):
        self.steps, self.looks, self._trouble = list(steps), 0, trouble

    def samples(self):
        step = self.steps[min(self.looks, len(self.steps) - 1)]
        self.looks += 1
        return step

    def trouble(self):
        return self._trouble if self._trouble and self.looks > 1 else None


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def run(new, old, seconds=30.0):
    clock = Clock()
    verdict = bake(new, old, LIMITS, seconds, pause=clock.sleep, clock=clock)
    return verdict, clock.now


def test_a_good_version_is_watched_to_the_end():
    verdict, seconds = run(Pods({"a": Sample()}, {"a": GOOD}), Pods({"b": Sample()}, {"b": GOOD}))
    assert verdict.breach is None
    assert seconds == 30
    assert verdict.new.requests == 100


def test_a_bad_version_is_not():
    bad = served(*[(500, 0.02)] * 100)
    verdict, seconds = run(
        Pods({"a": Sample()}, {"a": Sample()}, {"a": bad}), Pods({"b": Sample()}, {"b": GOOD})
    )
    assert verdict.breach is not None
    assert seconds < 15


def test_errors_before_the_bake_are_not_counted():
    bad = served(*[(500, 0.02)] * 100)
    verdict, _ = run(Pods({"a": bad}, {"a": bad}), None)
    assert verdict.breach is None
    assert verdict.new.requests == 0


def test_a_pod_that_came_later_counts_whole():
    bad = served(*[(500, 0.02)] * 100)
    verdict, _ = run(Pods({}, {"late": bad}), None)
    assert verdict.breach is not None


def test_restarts_are_a_breach():
    verdict, seconds = run(Pods({"a": Sample()}, trouble="its containers ended"), None)
    assert verdict.breach == "its containers ended"
    assert seconds == 0


@pytest.mark.parametrize("before", [GOOD, served(*[(200, 0.02)] * 10)])
def test_without_traffic_of_its_own_the_old_version_is_judged_by_its_life(before):
    """At 100 % the old version answers nothing; twelve times its latency must not pass for that."""
    slow = served(*[(200, 0.25)] * 50)
    verdict, _ = run(Pods({"a": Sample()}, {"a": slow}), Pods({"b": before}, {"b": before}))
    compared = before.requests >= 20
    assert (verdict.breach is not None) is compared, "too few answers are no life"
    if compared:
        assert "max_latency_ratio" in verdict.breach
