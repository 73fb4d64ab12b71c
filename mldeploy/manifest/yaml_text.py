"""Reading a YAML file into a :mod:`tree <mldeploy.manifest.nodes>`, every fault of the text found and placed.

The text is parsed by libyaml (thirty times faster than a round-trip loader, which the start of every command
would feel), scalars are read by YAML 1.2's core schema. So ``on``, ``yes`` and ``12:30`` are texts, whatever
YAML 1.1 said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from mldeploy.manifest.errors import ManifestError, shown
from mldeploy.manifest.nodes import Entry, Items, Mark, Node, Scalar, Table, Value, WrittenFloat, WrittenInt

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 200_000
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_CONSTANTS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_BOOLEANS = frozenset(
    form for word in ("yes", "no", "on", "off") for form in (word, word.title(), word.upper())
)
_MAX_DIGITS = 18
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(data: bytes, file: str) -> tuple[Node | None, list[ManifestError]]:
    """The document in ``data``.

    Args:
        data: the file's bytes.
        file: how messages name it.

    Returns:
        The tree (None when there is no document, or the text is no YAML) and every fault found in the text.
    """
    text, error = _decode(data, file)
    if text is None:
        return None, [error] if error else []
    reader = _Reader(file)
    try:
        return reader.document(yaml.parse(text, Loader=_Loader)), reader.errors
    except _TooMuch as fault:
        return None, [*reader.errors, ManifestError(*fault.mark, "", fault.problem)]
    except yaml.YAMLError as fault:
        return None, [*reader.errors, _syntax(fault, text, file)]


def _decode(data: bytes, file: str) -> tuple[str | None, ManifestError | None]:
    if len(data) > MAX_BYTES:
        size = f"{len(data) / 1024 / 1024:.1f} MiB"
        return None, ManifestError(
            file, 0, 0, "", f"has {size}; a manifest has at most {MAX_BYTES // 1024 // 1024} MiB"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None, ManifestError(file, 1, 1, "", "is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", errors="replace")) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return None, ManifestError(file, line, column, "", message)


def _syntax(fault: yaml.YAMLError, text: str, file: str) -> ManifestError:
    """libyaml's message in this project's words, where it has better ones."""
    mark: Any = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
    problem = str(getattr(fault, "problem", None) or getattr(fault, "reason", None) or fault)
    if mark is None:
        found = next((i for i, c in enumerate(text) if not (c.isprintable() or c in "\t\n\r\x85")), 0)
        line, column = text.count("\n", 0, found) + 1, found - text.rfind("\n", 0, found)
        return ManifestError(
            file, line, column, "", f"character {text[found : found + 1]!a} is not allowed in YAML"
        )
    at, start = int(mark.column), int(mark.line)
    written = "".join(text.splitlines()[start : start + 1])
    indent = written[: len(written) - len(written.lstrip())]
    if "\t" in indent or written[at : at + 1] == "\t":
        return ManifestError(
            file, start + 1, written.index("\t") + 1, "", "a tab indents this line; YAML wants spaces"
        )
    context = getattr(fault, "context", None)
    begun = getattr(fault, "context_mark", None)
    where = (
        f" {context} that begins in line {begun.line + 1}"
        if context and begun and begun.line != mark.line
        else ""
    )
    return ManifestError(file, mark.line + 1, mark.column + 1, "", f"no valid YAML: {problem}{where}")


def scalar(text: str) -> tuple[Value, str | None]:
    """The value of a plain scalar by YAML 1.2's core schema, and what is wrong with it."""
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if not (text[0].isdigit() or text[0] in "+-."):
        return text, None
    if _INT.fullmatch(text):
        if len(text.lstrip("+-")) > _MAX_DIGITS:
            return None, f"a number of {len(text)} digits is too large; quote it if it is a text"
        number = WrittenInt(int(text, 0))
        number.text = text
        return number, None
    if _SPECIAL.fullmatch(text):
        return None, f"{text} is no number that a manifest can hold; quote it if it is a text"
    if _FLOAT.fullmatch(text) and not _LEADING_ZERO.fullmatch(text):
        fraction = WrittenFloat(text)
        if fraction in (float("inf"), float("-inf")):
            return None, "the number is too large; quote it if it is a text"
        fraction.text = text
        return fraction, None
    return text, None


class _Reader:
    """Builds the tree from parser events. Iterative where depth could hurt, bounded everywhere."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[ManifestError] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()
        self._count = 0

    def document(self, events: Iterator[Any]) -> Node | None:
        """The stream's one document."""
        node: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._error(self._mark(event), "a second document begins here; a manifest file has one")
                    break
            elif documents == 1 and node is None and isinstance(event, yaml.NodeEvent):
                node = self._node(event, events, 0)
        return node

    def _mark(self, event: Any) -> Mark:
        mark = event.start_mark
        return Mark(self.file, mark.line + 1, mark.column + 1)

    def _error(self, mark: Mark, message: str) -> None:
        self.errors.append(ManifestError(*mark, "", message))

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), mark)
        if depth > MAX_DEPTH:
            raise _TooMuch(mark, f"nested deeper than {MAX_DEPTH} levels")
        self._charge(1, mark)
        before, anchor = self._count, event.anchor
        if anchor:
            self._open.add(anchor)
        node = self._content(event, events, depth, mark)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (node, self._count - before + 1)
        return node

    def _content(self, event: Any, events: Iterator[Any], depth: int, mark: Mark) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, mark)
        self._check_tag(event.tag, mark, "map" if isinstance(event, yaml.MappingStartEvent) else "seq")
        if isinstance(event, yaml.SequenceStartEvent):
            items = Items(mark)
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.nodes.append(self._node(inner, events, depth + 1))
            return items
        table = Table(mark)
        merged: list[Table] = []
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            self._entry(inner, events, depth, table, merged)
        for source in merged:
            for key, entry in source.entries.items():
                table.entries.setdefault(key, entry)
        return table

    def _entry(
        self, event: Any, events: Iterator[Any], depth: int, table: Table, merged: list[Table]
    ) -> None:
        at = self._mark(event)
        key = self._node(event, events, depth + 1)
        is_plain = isinstance(event, yaml.ScalarEvent) and bool(event.implicit[0])
        value = self._node(next(events), events, depth + 1)
        if isinstance(key, Scalar) and key.value == "<<" and is_plain:
            self._merge_key(at, value, merged)
            return
        if not isinstance(key, Scalar):
            self._error(at, "a key must be a text, not a list or a mapping")
            return
        if not isinstance(key.value, str):
            text = getattr(key.value, "text", shown(key.value))
            self._error(at, f'key {text} is not a text; quote it: "{text}"')
            return
        if is_plain and key.value in _OLD_BOOLEANS:
            self._error(at, f'key {key.value} is a boolean to older YAML readers; quote it: "{key.value}"')
            return
        if key.value in table.entries:
            first = table.entries[key.value].key.line
            self._error(at, f"key {shown(key.value)} is given twice (first in line {first})")
            return
        table.entries[key.value] = Entry(at, value)

    def _merge_key(self, at: Mark, value: Node, merged: list[Table]) -> None:
        sources = value.nodes if isinstance(value, Items) else [value]
        for source in sources:
            if isinstance(source, Table):
                merged.append(source)
            else:
                self._error(at, "<< takes a mapping, or a list of mappings")

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        text: str = event.value
        tag = (event.tag or "").removeprefix(_TAG)
        if tag in ("", "!") and not event.implicit[0]:
            return Scalar(mark, text)
        if tag in ("str", "!"):
            return Scalar(mark, text)
        if tag not in ("", "int", "float", "bool", "null"):
            self._check_tag(event.tag, mark, "str")
            return Scalar(mark, text)
        value, fault = scalar(text)
        if fault:
            self._error(mark, fault)
        return Scalar(mark, value)

    def _check_tag(self, tag: str | None, mark: Mark, expected: str) -> None:
        if tag and tag not in ("!", _TAG + expected):
            self._error(mark, f"tag {shown(tag.replace(_TAG, '!!'))} is not allowed in a manifest")

    def _alias(self, anchor: str, mark: Mark) -> Node:
        if anchor in self._open:
            self._error(mark, f"*{anchor} contains itself")
            return Scalar(mark, None)
        if anchor not in self._anchors:
            self._error(mark, f"*{anchor} names no anchor above this line")
            return Scalar(mark, None)
        node, size = self._anchors[anchor]
        self._charge(size, mark)
        return node

    def _charge(self, values: int, mark: Mark) -> None:
        """Count values with aliases written out, so that a few lines cannot become gigabytes."""
        self._count += values
        if self._count > MAX_VALUES:
            raise _TooMuch(mark, f"more than {MAX_VALUES} values, with aliases written out")


class _TooMuch(yaml.YAMLError):
    def __init__(self, mark: Mark, problem: str) -> None:
        super().__init__(problem)
        self.mark = mark
        self.problem = problem
