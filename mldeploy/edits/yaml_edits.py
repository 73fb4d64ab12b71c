"""Values of a YAML file changed by a command: comments, order, quotes, indentation and line ends stay as they are."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

_ITEM = re.compile(r"^(?P<key> *)[^\s#-][^\n]*:[^\n]*\n(?P<item> *)- ", re.MULTILINE)
_NESTED = re.compile(r"^[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?: *#[^\n]*\n)*(?P<step> +)[^\s#-]", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """A file before and after."""

    file: Path
    before: str | None
    """None when the file is new."""
    after: str

    @property
    def diff(self) -> str:
        """As `diff -u` shows it; empty when nothing changes."""
        old, new = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(old, new, self.file.name, self.file.name))

    def apply(self) -> None:
        """Write the file."""
        self.file.write_bytes(self.after.encode())

    def undo(self) -> bool:
        """Put the file back as it was; False when somebody else wrote it meanwhile, whose text then stays."""
        if not self.file.exists() or self.file.read_bytes() != self.after.encode():
            return False
        if self.before is None:
            self.file.unlink()
        else:
            self.file.write_bytes(self.before.encode())
        return True


def edit(file: Path, values: Mapping[tuple[str, ...], str]) -> Edit:
    """Set texts in a YAML file.

    Args:
        file: the file; it may be missing, then it is a new manifest.
        values: texts by the keys that lead to them; mappings on the way are made.

    Raises:
        ValueError: a key on the way has a value that is no mapping, or is shared with another place by an alias.
    """

    def change(document: Any) -> None:
        for path, value in values.items():
            _set(document, path, value, file)

    return rewrite(file, change, new={"version": 1})


def rewrite(file: Path, change: Callable[[Any], None], *, new: Mapping[str, Any]) -> Edit:
    """A YAML file after ``change`` had its document.

    Args:
        file: the file; it may be missing or empty.
        change: changes the document, a mapping, in place.
        new: what a missing file begins with.

    Raises:
        ValueError: of ``change``.
    """
    before = file.read_bytes().decode() if file.exists() else None
    text = (before or "").replace("\r\n", "\n")
    text += "" if text.endswith("\n") or not text else "\n"
    yaml = _yaml(text)
    document: Any = yaml.load(text) if text else None
    unchanged = "" if document is None else _dumped(yaml, document)
    document = CommentedMap(new) if document is None else document
    change(document)
    changed = _dumped(yaml, document)
    after = _patched(text, unchanged, changed) if unchanged else text + changed
    if before is not None and "\r\n" in before:
        after = after.replace("\n", "\r\n")
    return Edit(file, before, after)


def _set(document: Any, path: tuple[str, ...], value: str, file: Path) -> None:
    where = document
    for depth, key in enumerate(path[:-1]):
        if where.get(key) is None:
            where[key] = {}
        where = where[key]
        name = ".".join(path[: depth + 1])
        if not hasattr(where, "keys"):
            raise ValueError(f"{file.name}: {name} is no mapping; edit it by hand")
        anchor: Any = getattr(where, "anchor", None)
        if anchor is not None and anchor.value is not None:
            raise ValueError(
                f"{file.name}: {name} is shared by the anchor &{anchor.value}, so that other entries would change too; "
                "edit it by hand"
            )
    if where.get(path[-1]) != value:
        # Quoted: a version of digits only is a text all the same.
        where[path[-1]] = DoubleQuotedScalarString(value)


def _yaml(text: str) -> Any:
    """A reader and writer with the file's own habits."""
    yaml: Any = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.explicit_start = re.search(r"^---", text, re.MULTILINE) is not None
    nested, item = _NESTED.search(text), _ITEM.search(text)
    step = len(nested["step"]) if nested else 2
    offset = max(len(item["item"]) - len(item["key"]), 0) if item else 0
    yaml.indent(mapping=step, sequence=offset + 2, offset=offset)
    null = "~" if re.search(r":\s+~\s*$", text, re.MULTILINE) else "null"

    def represent(representer: Any, _: None) -> Any:
        return representer.represent_scalar("tag:yaml.org,2002:null", null)

    # A class of its own: representers are registered on the class.
    made: Any = type("Representer", (RoundTripRepresenter,), {})
    made.add_representer(type(None), represent)
    yaml.Representer = made
    return yaml


def _dumped(yaml: Any, document: Any) -> str:
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _patched(text: str, unchanged: str, changed: str) -> str:
    """``text`` with the lines that differ between two dumps: what a dump writes in another way stays as it was."""
    if text == unchanged:
        return changed
    source, old, new = (one.splitlines(keepends=True) for one in (text, unchanged, changed))
    places: dict[int, int] = {}
    for block in difflib.SequenceMatcher(None, old, source, autojunk=False).get_matching_blocks():
        places |= {block.a + index: block.b + index for index in range(block.size + 1)}
    result: list[str] = []
    position = 0
    for kind, start, end, first, last in difflib.SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            continue
        if start not in places or end not in places:
            return changed
        result += [*source[position : places[start]], *new[first:last]]
        position = places[end]
    return "".join([*result, *source[position:]])
