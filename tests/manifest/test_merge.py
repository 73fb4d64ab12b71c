"""The laws of laying one manifest over another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.manifest.merge import merge, without_nulls
from mldeploy.manifest.nodes import Entry, Items, Mark, Node, Scalar, Table, plain


def tree(value: Any, file: str = "a") -> Node:
    """A node as if ``value`` had been read from ``file``."""
    mark = Mark(file, 1, 1)
    if isinstance(value, dict):
        return Table(mark, {key: Entry(mark, tree(item, file)) for key, item in value.items()})
    if isinstance(value, list):
        return Items(mark, [tree(item, file) for item in value])
    return Scalar(mark, value)


def merged(*values: Any) -> Any:
    node = tree(values[0])
    for value in values[1:]:
        node = merge(node, tree(value, "b"))
    return plain(node)


scalars = st.one_of(st.booleans(), st.integers(0, 9), st.text("xyz", max_size=2))
leaves = st.one_of(scalars, st.lists(scalars, max_size=2))


def tables(values: st.SearchStrategy[Any], depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings in which a capital key is always a mapping and a small one never."""
    inner = st.dictionaries(st.sampled_from("ab"), values, max_size=2)
    if depth == 0:
        return inner
    return st.builds(
        lambda small, large: small | large,
        inner,
        st.dictionaries(st.sampled_from("AB"), tables(values, depth - 1), max_size=2),
    )


full, holey = tables(leaves), tables(st.one_of(st.none(), leaves))


@given(holey)
def test_nothing_over_it_changes_nothing(a: Any) -> None:
    assert merged(a, {}) == a
    assert merged({}, a) == plain(without_nulls(tree(a)))


@given(full)
def test_over_itself_it_is_itself(a: Any) -> None:
    assert merged(a, a) == a


@given(full, full, full)
def test_associative(a: Any, b: Any, c: Any) -> None:
    left = merge(merge(tree(a), tree(b)), tree(c))
    right = merge(tree(a), merge(tree(b), tree(c)))
    assert plain(left) == plain(right)


@given(holey, holey)
def test_what_the_overlay_says_holds(a: Any, b: Any) -> None:
    def holds(whole: Any, part: Any) -> None:
        for key, value in part.items():
            if value is None:
                assert key not in whole
            elif isinstance(value, dict):
                holds(whole[key], value)
            else:
                assert whole[key] == value

    holds(merged(plain(without_nulls(tree(a))), b), b)


@given(full, full)
def test_every_value_keeps_its_place_and_nothing_is_changed(a: Any, b: Any) -> None:
    base, over = tree(a, "a"), tree(b, "b")

    def check(node: Node, from_over: Any) -> None:
        if not isinstance(node, Table):
            return
        for key, entry in node.entries.items():
            said = from_over.get(key) if isinstance(from_over, dict) else None
            if not isinstance(entry.node, Table):
                assert entry.key.file == ("b" if isinstance(from_over, dict) and key in from_over else "a")
            check(entry.node, said)

    check(merge(base, over), b)
    assert (plain(base), plain(over)) == (a, b)


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ({"k": {"config": "a"}}, {"k": {"env": "B"}}, {"k": {"env": "B"}}),
        ({"k": {"config": "a"}}, {"k": {"config": "b"}}, {"k": {"config": "b"}}),
        ({"desired": {"config": 1}}, {"desired": {"env": 2}}, {"desired": {"config": 1, "env": 2}}),
        ({"k": [1, 2]}, {"k": [3]}, {"k": [3]}),
        ({"k": {"a": 1}}, {"k": 2}, {"k": 2}),
        ({"k": 1}, {"k": {"a": 2, "b": None}}, {"k": {"a": 2}}),
        ({"k": {"a": 1, "b": 2}}, {"k": {"a": None}}, {"k": {"b": 2}}),
        ({"k": {"a": 1}}, {"k": None}, {}),
        ({}, {"k": None}, {}),
        ({"a": 1, "b": 2}, {"c": 3, "a": 4}, {"a": 4, "b": 2, "c": 3}),
    ],
)
def test_cases(base: Any, over: Any, expected: Any) -> None:
    assert merged(base, over) == expected
    assert list(merged(base, over)) == list(expected)
