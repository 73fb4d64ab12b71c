"""Evaluates target conditions over device twins. Written apart from the product's own grammar check on
purpose: it compiles a condition to a Python expression over a closed set of names."""

import re
from typing import Any

_TOKENS = re.compile(
    r"\s*('(?:[^']|'')*'|\"[^\"]*\"|0x[0-9a-fA-F]+|\d+(?:\.\d+)?|<>|!=|<=|>=|[=<>(),\[\]*]|[A-Za-z_$][\w$]*(?:\.[\w$\-]+)*)"
)
_OPERATORS = {"=": "==", "<>": "!=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_WORDS = {
    "and": "and",
    "or": "or",
    "not": "not",
    "in": "in",
    "true": "True",
    "false": "False",
    "null": "None",
}


class BadCondition(ValueError):
    pass


class _Missing:
    """An undefined property: every comparison with it is false."""

    def _no(self, _other: object) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _no  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()


def compile_condition(text: str) -> Any:
    """A function of a device twin: does it match?"""
    if not text.strip():
        return lambda twin: False
    if text.strip() == "*":
        return lambda twin: True
    position, parts = 0, []
    while position < len(text.rstrip()):
        match = _TOKENS.match(text, position)
        if not match:
            raise BadCondition(f"unexpected text at {position}: {text[position:]!r}")
        parts.append(_python(match[1]))
        position = match.end()
    try:
        code = compile(" ".join(parts), "<condition>", "eval")
    except SyntaxError as error:
        raise BadCondition(str(error)) from None

    def matches(twin: dict[str, Any]) -> bool:
        def prop(path: str) -> Any:
            here: Any = twin
            for part in path.split("."):
                if not isinstance(here, dict) or part not in here:
                    return MISSING
                here = here[part]
            return here

        names = {
            "prop": prop,
            "is_defined": lambda value: value is not MISSING,
            "MISSING": MISSING,
            "__builtins__": {},
        }
        try:
            return bool(eval(code, names))
        except TypeError:
            return False

    return matches


def _python(token: str) -> str:
    if token in _OPERATORS:
        return _OPERATORS[token]
    if token in "(),[]":
        return token
    if token[0] == "'":
        return repr(token[1:-1].replace("''", "'"))
    if token[0] == '"':
        return repr(token[1:-1])
    if token[0].isdigit():
        return token
    lowered = token.lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    if lowered == "is_defined":
        return "is_defined"
    if lowered == "undefined":
        return "MISSING"
    if lowered == "deviceid":
        return "prop('deviceId')"
    if token.startswith(("tags.", "properties.reported.", "capabilities.")):
        return f"prop({token!r})"
    raise BadCondition(f"unknown name {token!r}")
