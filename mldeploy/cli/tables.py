"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mldeploy.operations import ServiceStatus, State, stack_status
from mldeploy.session import Session

_STYLES = {State.HEALTHY: "green", State.STARTING: "yellow", State.UNHEALTHY: "red", State.STOPPED: "red"}


def status_table(rows: Sequence[ServiceStatus]) -> Table:
    """The table of `mldeploy status`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("SERVICE", "TARGET", "STATE", "MODEL VERSION", "SCORING URI", "SWAGGER URI"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "SERVICE", min_width=9)
    for row in rows:
        models = "\n".join(f"{name}:{version}" for name, version in sorted(row.models.items())) or "-"
        state = f"[{_STYLES.get(row.state, 'dim')}]{row.state.value}[/]"
        if row.detail:
            state += "\n" + escape(row.detail)
        table.add_row(row.service, row.target, state, models, row.scoring_uri or "-", row.swagger_uri or "-")
    return table


def print_services(session: Session) -> None:
    """The end of `up`: what serves, and how to score it."""
    rows = stack_status(session)
    if not rows:
        return
    console = Console(width=None if Console().is_terminal else 200)
    console.print()
    console.print(status_table(rows))
    flag = "" if session.stack == "local" else f" --stack {session.stack}"
    console.print(f"\nscore with: mldeploy score {rows[0].service}{flag} --data FILE", highlight=False)
