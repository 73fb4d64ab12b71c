"""What scalars mean: YAML 1.2's core schema, whatever older readers did."""

from __future__ import annotations

from typing import Any

import pytest

from mldeploy.manifest.nodes import plain
from mldeploy.manifest.yaml_text import parse


def value_of(text: str) -> Any:
    node, errors = parse(f"k: {text}\n".encode(), "f")
    assert errors == []
    assert node is not None
    return plain(node)["k"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None),
        ("true", True), ("True", True), ("FALSE", False),
        ("yes", "yes"), ("on", "on"), ("No", "No"), ("y", "y"), ("tRue", "tRue"),
        ("3", 3), ("-3", -3), ("+3", 3), ("0", 0), ("0x1F", 31), ("0o17", 15),
        ("0755", "0755"), ("007", "007"), ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("0b11", "0b11"),
        ("1.5", 1.5), ("-.5", -0.5), ("1e3", 1000.0), ("1.", 1.0), ("1.10", 1.1),
        ("1.2.3", "1.2.3"), (".", "."),
        ("2026-01-02", "2026-01-02"), ("2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("=", "="), ("<<", "<<"),
        ('"3"', "3"), ("'true'", "true"), ("!!str 3", "3"), ("!!int 3", 3), ("! 3", "3"), ('""', ""),
        ("|\n  a\n  b", "a\nb\n"), (">\n  a\n  b", "a b\n"), ("é", "é"), ('"\\u00e9"', "é"),
        ("{}", {}), ("[]", []), ("[1, [a, {b: c}]]", [1, ["a", {"b": "c"}]]),
    ],
)  # fmt: skip
def test_scalars(text: str, expected: Any) -> None:
    value = value_of(text)
    assert value == expected
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(("text", "written"), [("3", "3"), ("0x1F", "0x1F"), ("1.10", "1.10"), ("+7", "+7")])
def test_numbers_remember_how_they_were_written(text: str, written: str) -> None:
    assert value_of(text).text == written


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999", "9" * 19, "0x" + "f" * 20, "9" * 5000])
def test_numbers_that_are_none(text: str) -> None:
    _, errors = parse(f"k: {text}\n".encode(), "f")
    assert [error.line for error in errors] == [1]


def test_aliases_share_and_merge() -> None:
    node, errors = parse(b"a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, x: 3}\nd: {<<: [{x: 4}, *a]}\n", "f")
    assert errors == []
    assert node is not None
    both = {"x": 1, "y": 2}
    assert plain(node) == {"a": both, "b": both, "c": {"x": 3, "y": 2}, "d": {"x": 4, "y": 2}}


def test_aliases_may_be_many_when_they_are_small() -> None:
    text = "a: &a [1, 2, 3]\nb: [" + ", ".join(["*a"] * 20_000) + "]\n"
    assert parse(text.encode(), "f")[1] == []


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_an_error_and_no_crash(opening: str) -> None:
    _, errors = parse((opening * 50_000).encode(), "f")
    assert len(errors) == 1


def test_no_document() -> None:
    for text in (b"", b"# only a comment\n", b"---\n", b"---\n...\n", b"\n\n"):
        node, errors = parse(text, "f")
        assert errors == []
        assert node is None or plain(node) is None
