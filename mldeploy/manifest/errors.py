"""What is wrong with a manifest: where, which value, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from mldeploy.manifest.secret_forms import secret_form

_SHOWN = 60


@dataclass(frozen=True, order=True)
class ManifestError:
    """One fault. ``line`` and ``column`` count from 1; 0 when the fault is the file itself."""

    file: str
    """The file's name, relative to the project."""
    line: int
    column: int
    path: str
    """Where in the manifest: ``services.churn.target``; empty for faults of the YAML text."""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ManifestErrors(ValueError):  # noqa: N818 -- the contract's name: one exception, all the errors of a load
    """Every fault of a manifest, in the order of files and lines; ``str()`` is one line each."""

    def __init__(self, errors: Iterable[ManifestError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


def shown(value: object) -> str:
    """A value as messages show it: quoted, on one line, about sixty characters at most, never a secret."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int | float):
        text = str(getattr(value, "text", value))
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    text = str(value)
    if secret_form(text):
        return '"***"'
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f'"{printable(cut)}"'


def printable(text: str) -> str:
    """``text`` on one line, with escapes for what does not print."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def suggestion(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that ``word`` was probably meant to be."""
    candidates = {one.lower().replace("-", "_"): one for one in allowed}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), candidates, n=1, cutoff=0.6)
    return candidates[close[0]] if close else None


def hint(word: str, allowed: Iterable[str], *, most: int = 12) -> str:
    """`(did you mean "prod"?)`, or else `(allowed: …)` with the first ``most`` of them."""
    options = [printable(one) for one in allowed]
    close = suggestion(word, options)
    if close is not None:
        return f'(did you mean "{close}"?)'
    if not options:
        return "(there are none)"
    more = f", … ({len(options)} in all)" if len(options) > most else ""
    return f"(allowed: {', '.join(options[:most])}{more})"
