"""That every call of a script has its line in the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from mldeploy.manifest.secret_forms import secret_form
from mldeploy.migrate.account import Site
from mldeploy.migrate.draft import Draft
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.reading import State
from mldeploy.migrate.rows_services import FPGA
from mldeploy.migrate.table import by_name
from mldeploy.migrate.v1 import LOOKUPS, REMOVES
from mldeploy.migrate.values import Call, Choice

_LONGEST = 60
_UNUSED = "nothing that is registered or deployed uses it"
_BY_ROW = (
    "ComputeTarget.create",
    "ComputeTarget.attach",
    "Image.create",
    "Model.package",
    "ParallelRunStep",
    "CondaDependencies.create",
    "CondaDependencies",
    "ResourceConfiguration",
    "AksCompute.enable_ssl",
    "mlflow.azureml.deploy",
    "mlflow.azureml.build_image",
    "mlflow.create_deployment",
)
"""Owners all of whose parameters become what their rows say, so that nothing else notes them one by one."""
_SECRET = re.compile(r"(?i)(password|passwd|secret|token|[_-]key)\w*\s*[=:]")


def account_for(
    state: State, account: Iterable[Site], path: Path, draft: Draft, refused: Sequence[Call] = ()
) -> None:
    """Add the lines that are missing: what was read on the way, what nothing uses, what was not understood.

    Args:
        state: what reading the script found.
        account: every call in the file, found without the reader.
        path: the script.
        draft: gets the findings.
        refused: calls that are about FPGAs.
    """
    done = [call for call in state.stated if call not in refused]
    used = {id(one) for call in done if call.owner not in REMOVES for one in reachable(call)}
    measured = {id(one) for call in done if call.owner in REMOVES for one in reachable(call)}
    said: dict[str, str] = {}
    for finding in draft.findings:
        said[finding.where] = f"{said.get(finding.where, '')} {finding.what}"
    for call in state.made:
        lines = said.get(call.where, "")
        if id(call) not in used:
            if call.owner not in LOOKUPS and call.owner not in lines:
                why = "only what is dropped uses it" if id(call) in measured else FPGA if refused else _UNUSED
                draft.note(Outcome.DROPPED, call.where, call.owner, "", why)
            continue
        for name in call.values:
            row = by_name(call.owner, name)
            if row is not None and call.owner in _BY_ROW and name not in lines:
                draft.note(row.outcome, call.where, f"{call.owner}.{name}", row.to, row.why)
        if call.where not in said:
            draft.note(Outcome.MAPPED, call.where, call.owner, "", "part of what uses it")
    for cell in state.cells:
        for line, text in cell.skipped:
            draft.note(Outcome.DROPPED, cell.where(line), masked(text), "", "no Python: skipped")
    for place, default in state.assumed.items():
        where, _, name = place.partition("\0")
        why = "a default that whoever ran the script could change; the manifest has the default"
        draft.note(Outcome.CHANGED, where, f"{name} = {masked(default)}", "", why)
    lines = {finding.where for finding in draft.findings}
    for site in account:
        if site.where not in lines:
            why = f"nothing became of this call; look at {path.name} there"
            draft.note(Outcome.UNREAD, site.where, site.name, "", why)


def reachable(value: Any, above: tuple[int, ...] = ()) -> Iterator[Call]:
    """A v1 object and those that it holds."""
    here = id(cast("object", value))
    if here in above:
        return
    inner: list[Any] = []
    if isinstance(value, Call):
        yield value
        inner = list(value.values.values())
    elif isinstance(value, Choice):
        inner = list(value.values)
    elif isinstance(value, list):
        inner = cast("list[Any]", value)
    elif isinstance(value, dict):
        inner = list(cast("dict[Any, Any]", value).values())
    for one in inner:
        yield from reachable(one, (*above, here))


def masked(text: str) -> str:
    """A piece of a script as a report shows it: short, without what looks like a secret."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    hidden = secret_form(text) or _SECRET.search(text)
    return "***" if hidden else short.replace("`", "'")
