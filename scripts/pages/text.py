"""Markdown for the generated pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may be Markdown, a pipe in them is escaped."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def code(text: str) -> str:
    """``text`` as code, whatever backticks it has."""
    fence = "``" if "`" in text else "`"
    inner = f" {text} " if "`" in text else text
    return f"{fence}{inner}{fence}"


def plain(text: str) -> str:
    """A docstring as Markdown: reST roles and double backticks become code."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    text = text.replace("``", "`")
    return re.sub(r"<(?=[a-z])", "&lt;", re.sub(r"`[^`]*`", _keep, text)).replace("\0", "<")


def _keep(found: re.Match[str]) -> str:
    return found[0].replace("<", "\0")
