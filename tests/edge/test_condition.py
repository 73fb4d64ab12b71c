"""Target conditions: the product's grammar check against the stand-in's own evaluator."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mldeploy.edge import ConditionError, check_condition
from tests.edge.standin.conditions import BadCondition, compile_condition

GOOD = [
    "",
    "*",
    "tags.site='plant-7'",
    "tags.building=9 and tags.environment='test'",
    "deviceId='line-1' OR deviceId = 'line-2'",
    "NOT (tags.a.b != 'x') AND properties.reported.devicemodel = '4000x'",
    "tags.site IN ['a', 'b']",
    "tags.floor NOT IN [1, 2.5]",
    "is_defined(tags.site) AND tags.ready = true",
    "capabilities.iotEdge = true",
    "tags.count >= 3 AND tags.count < 10",
    'tags.site="plant-7"',
    "tags.mask = 0x1F OR tags.mask = undefined",
]
BAD = [
    ("tags.site=`plant-7`", "stand in quotes"),
    ("tags.site=\"plant-7'", "cannot read"),
    ("tags.mask = 0x", "cannot read"),
    ("tags.site='plant-7", "cannot read"),
    ("tag.site='x'", "found 'tag.site'"),
    ("tags.site", "a comparison"),
    ("tags.site = ", "found the end"),
    ("tags.a='x' tags.b='y'", "AND, OR or the end"),
    ("(tags.a='x'", r"'\)'"),
    ("tags.a = 'x' AND", "found the end"),
    ("tags.a IN 'x'", "a list of values"),
    ("tags.a NOT = 1", "IN"),
    ("drop(tags.a)", "hub's functions"),
    ("(" * 5000 + "tags.a='1'" + ")" * 5000, "at most 100 levels"),
    ("NOT " * 5000 + "tags.a='1'", "at most 100 levels"),
    ("lower(" * 5000 + "tags.a" + ")" * 5000 + "='x'", "at most 100 levels"),
    ("properties.desired.a = 1", "found 'properties.desired.a'"),
]


@pytest.mark.parametrize("text", GOOD)
def test_accepted(text: str) -> None:
    check_condition(text)
    compile_condition(text)


@pytest.mark.parametrize(("text", "reason"), BAD, ids=[text[:30] for text, _ in BAD])
def test_refused_with_the_place(text: str, reason: str) -> None:
    with pytest.raises(ConditionError, match=reason):
        check_condition(text)


def test_the_stand_in_evaluates() -> None:
    twin = {"deviceId": "d", "tags": {"site": "a", "n": 3}, "properties": {"reported": {}}}
    for text, expected in [
        ("tags.site = 'a' AND tags.n > 2", True),
        ("NOT tags.site = 'a'", False),
        ("tags.absent != 'x'", False),
        ("is_defined(tags.absent)", False),
        ("tags.site IN ['b', 'a']", True),
        ("deviceId = 'd'", True),
        ("properties.reported.x < 1", False),
        ("", False),
    ]:
        assert compile_condition(text)(twin) is expected, text


comparison = st.builds(
    "{} {} {}".format,
    st.sampled_from(["tags.a", "tags.b.c", "deviceId", "properties.reported.x"]),
    st.sampled_from(["=", "!=", "<>", "<", "<=", ">", ">="]),
    st.sampled_from(["1", "2.5", "'x'", "'it is'", "true", "null"]),
)
conditions = st.recursive(
    comparison,
    lambda inner: (
        st.builds("({}) AND ({})".format, inner, inner)
        | st.builds("({}) OR {}".format, inner, comparison)
        | st.builds("NOT ({})".format, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(conditions)
def test_what_the_hub_takes_we_take(text: str) -> None:
    compile_condition(text)
    check_condition(text)


@settings(max_examples=150, deadline=None)
@given(conditions, st.data())
def test_what_we_take_after_a_typing_error_the_hub_takes_too(text: str, data: st.DataObject) -> None:
    """Remove one character: when the check still takes it, so does the stand-in."""
    at = data.draw(st.integers(0, len(text) - 1))
    broken = text[:at] + text[at + 1 :]
    try:
        check_condition(broken)
    except ConditionError:
        return
    try:
        compile_condition(broken)
    except BadCondition as error:
        pytest.fail(f"{broken!r}: the hub refuses what we took: {error}")
