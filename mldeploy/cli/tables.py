"""What people read about services: a line each, addresses whole and on lines of their own."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from mldeploy.operations import ServiceStatus, State, stack_status
from mldeploy.session import Session

_COLOURS = {State.HEALTHY: "32", State.STARTING: "33", State.UNHEALTHY: "31", State.STOPPED: "31"}
_PIPE_WIDTH = 120


def width() -> int:
    """The columns to fill: those of the terminal; without one, `COLUMNS`, else enough for a log."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return _PIPE_WIDTH


def status_lines(rows: Sequence[ServiceStatus], columns: int, *, colour: bool = False) -> list[str]:
    """The table of `mldeploy status`.

    Names, versions and addresses are never cut or wrapped: what does not fit stands alone on the next line. The address
    of the API's description follows from the scoring URI and is left to ``--json``.
    """
    cells = [("SERVICE", "TARGET", "STATE", "SERVES"), *(_cells(row) for row in rows)]
    wide = [max(len(row[column]) for row in cells) for column in range(3)]
    found: list[str] = []
    for heading, row in zip(cells, (None, *rows), strict=True):
        first = "  ".join(cell.ljust(size) for cell, size in zip(heading[:3], wide, strict=True))
        shown = _coloured(first, heading[2], row) if row is not None and colour else first
        served = heading[3].split("\n")
        start = len(first) + 2
        if start + max(map(len, served)) <= columns:
            found += [f"{shown}  {served[0]}".rstrip(), *(" " * start + one for one in served[1:])]
        else:
            found += [shown.rstrip(), *(f"    {one}" for one in served)]
        if row is not None:
            found += [f"    {row.scoring_uri}"] if row.scoring_uri else []
            found += _details(row.detail, columns)
    return found


def _cells(row: ServiceStatus) -> tuple[str, str, str, str]:
    models = "\n".join(f"{name}:{version}" for name, version in sorted(row.models.items())) or "-"
    return row.service, row.target, row.state.value, models


def _coloured(line: str, state: str, row: ServiceStatus) -> str:
    code = _COLOURS.get(row.state, "2")
    before, _, after = line.rpartition(state)
    return f"{before}\033[{code}m{state}\033[0m{after}"


def _details(text: str, columns: int) -> list[str]:
    indent = " " * 4
    return [
        line
        for part in text.splitlines()
        for line in textwrap.wrap(
            part,
            columns,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def print_status(rows: Sequence[ServiceStatus]) -> None:
    """Print the table as this terminal, or what is in its place, can show it."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print("\n".join(status_lines(rows, width(), colour=colour)))


def print_services(session: Session) -> None:
    """The end of `up`: what serves, and how to score it."""
    rows = stack_status(session)
    if rows:
        print()
        print_status(rows)
        print(f"\nscore with: mldeploy score {rows[0].service}{stack_flag(session)} --data FILE")


def stack_flag(session: Session) -> str:
    """What a command needs to mean this stack."""
    return "" if session.stack == "local" else f" --stack {session.stack}"
