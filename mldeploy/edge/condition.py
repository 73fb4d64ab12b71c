"""Target conditions: which devices a deployment is for. A grammar check, so that a typing error fails a
preview.

Grammar (from "IoT Hub query language" and "Understand IoT Edge automatic deployments"): `*`, or comparisons
of `deviceId`, `tags.…` and `properties.reported.…` with values, joined by AND, OR, NOT and parentheses, IN
lists and the hub's functions. The hub itself has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<number>0[xX][0-9a-fA-F]+(?![\w.])|-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<path>[A-Za-z_$][\w$-]*(?:\.(?:[\w$-]+|\[\[[^\]]*\]\]))*)
      | (?P<operator><=|>=|<>|!=|=|<|>)
      | (?P<mark>[(),*\[\]])
    )""",
    re.VERBOSE,
)
_TESTS = (
    "is_defined",
    "is_null",
    "is_number",
    "is_bool",
    "is_string",
    "is_object",
    "is_primitive",
    "is_array",
)
_TEXTS = (
    "startswith",
    "starts_with",
    "endswith",
    "ends_with",
    "contains",
    "concat",
    "length",
    "lower",
    "upper",
    "substring",
    "index_of",
)
_FUNCTIONS = frozenset(_TESTS + _TEXTS)
_ROOTS = ("tags.", "properties.reported.")
_NAMES = {"deviceid", "capabilities.iotedge", "connectionstate", "status"}
_VALUES = {"true", "false", "null", "undefined"}
_KEYWORDS = {"and", "or", "not", "in"}
# No condition of a person's is this deep; without a limit a very deep one would end the parser.
_DEEPEST = 100


class ConditionError(ValueError):
    """A condition that the hub would refuse: where, what, and what is allowed."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


def check_condition(text: str) -> None:
    """Accept ``text`` as a target condition; an empty one targets no device and is fine.

    Raises:
        ConditionError: it does not parse.
    """
    if text.strip() in ("", "*"):
        return
    parser = _Parser(text)
    parser.either()
    if parser.at < len(parser.tokens):
        parser.fail("AND, OR or the end")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.tokens: list[_Token] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                position += len(text[position:]) - len(text[position:].lstrip())
                hint = (
                    "; texts stand in quotes, with \\' for a quote in them"
                    if text[position] in "\"'`"
                    else ""
                )
                raise ConditionError(f"target condition {text!r}: cannot read {text[position:][:20]!r}{hint}")
            kind = str(match.lastgroup)
            self.tokens.append(_Token(kind, match[kind], match.start(kind)))
            position = match.end()

    def peek(self) -> _Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _Token("end", "", len(self.text))

    def word(self, text: str) -> bool:
        if self.peek().text.lower() != text:
            return False
        self.at += 1
        return True

    def fail(self, wanted: str) -> NoReturn:
        token = self.peek()
        found = repr(token.text) if token.text else "the end"
        raise ConditionError(
            f"target condition {self.text!r}: expected {wanted} at {token.start}, found {found}"
        )

    def either(self) -> None:
        self.both()
        while self.word("or"):
            self.both()

    def both(self) -> None:
        self.negated()
        while self.word("and"):
            self.negated()

    def deeper(self, inner: Callable[[], object]) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail(f"at most {_DEEPEST} levels of NOT, parentheses and functions")
        inner()
        self.depth -= 1

    def negated(self) -> None:
        if self.word("not"):
            self.deeper(self.negated)
        elif self.word("("):
            self.deeper(self.either)
            if not self.word(")"):
                self.fail("')'")
        else:
            self.comparison()

    def comparison(self) -> None:
        alone = self.operand()
        if self.peek().kind == "operator":
            self.at += 1
            self.operand()
        elif self.word("not"):
            if not self.word("in"):
                self.fail("IN")
            self.values()
        elif self.word("in"):
            self.values()
        elif not alone:
            self.fail("a comparison (=, !=, <, <=, >, >=, IN)")

    def values(self) -> None:
        if not self.word("["):
            self.fail("'[' and a list of values")
        self.operand()
        while self.word(","):
            self.operand()
        if not self.word("]"):
            self.fail("']'")

    def operand(self) -> bool:
        """Read one operand; whether it can stand without a comparison."""
        token = self.peek()
        if token.kind in ("string", "number"):
            self.at += 1
            return False
        lowered = token.text.lower()
        if token.kind != "path" or lowered in _KEYWORDS:
            self.fail("tags.…, properties.reported.…, deviceId or a value")
        self.at += 1
        if self.peek().text == "(":
            return self.call(token)
        if lowered not in _VALUES | _NAMES and not lowered.startswith(_ROOTS):
            self.at -= 1
            self.fail("tags.…, properties.reported.…, deviceId or a value in quotes")
        return lowered == "capabilities.iotedge"

    def call(self, name: _Token) -> bool:
        if name.text.lower() not in _FUNCTIONS:
            self.at -= 1
            self.fail(f"one of the hub's functions ({', '.join(sorted(_FUNCTIONS))})")
        self.at += 1
        self.deeper(self.operand)
        while self.word(","):
            self.deeper(self.operand)
        if not self.word(")"):
            self.fail("')'")
        return True
