"""The report of a migration: not understood, to decide, changed, dropped, mapped."""

from __future__ import annotations

from typing import Any

from mldeploy.migrate.convert import Migration
from mldeploy.migrate.findings import Finding, Outcome
from mldeploy.migrate.table import FIELDS

_TITLES = {
    Outcome.UNREAD: "Not understood",
    Outcome.DECIDE: "To decide",
    Outcome.CHANGED: "Changed",
    Outcome.DROPPED: "Dropped",
    Outcome.MAPPED: "Mapped",
}


def as_json(migration: Migration) -> dict[str, Any]:
    """Everything, as plain data."""
    return {
        "files": migration.documents,
        "written": sorted(migration.written),
        "secrets": migration.secrets,
        "stacks": migration.stacks,
        "findings": [finding.to_json() for finding in migration.findings],
        "advice": [one.to_json() for one in migration.advice],
    }


def as_text(migration: Migration) -> str:
    """For the terminal: what needs a person first, what was simply mapped only counted."""
    lines: list[str] = []
    for outcome, title in _TITLES.items():
        found = migration.by_outcome(outcome)
        if not found:
            continue
        lines.append(f"{title}: {len(found)}")
        if outcome is not Outcome.MAPPED:
            lines += [f"  {_line(finding)}" for finding in found]
    if migration.advice:
        lines.append(f"To run it: {len(migration.advice)}")
        lines += [f"  {one.where}: {one.what}: {one.advice}" for one in migration.advice]
    if migration.secrets:
        lines.append("Secrets to set (`mldeploy config set --secret KEY --stack STACK`):")
        lines += [f"  {key}: {what}" for key, what in migration.secrets.items()]
    return "\n".join(lines)


def as_markdown(migration: Migration) -> str:
    """A file to keep beside the manifest and to review."""
    lines = ["# Migration from Azure ML v1", ""]
    counts = ", ".join(f"{len(migration.by_outcome(outcome))} {outcome.value}" for outcome in _TITLES)
    lines += [f"{counts}.", ""]
    for outcome, title in _TITLES.items():
        found = migration.by_outcome(outcome)
        if found:
            lines += [f"## {title}", "", "| where | v1 | manifest | why |", "|---|---|---|---|"]
            lines += [f"| {f.where} | `{f.what}` | {_code(f.to)} | {_cell(f.why)} |" for f in found]
            lines.append("")
    if migration.advice:
        lines += ["## To run it", "", "| where | what | advice |", "|---|---|---|"]
        lines += [f"| {one.where} | `{_cell(one.what)}` | {_cell(one.advice)} |" for one in migration.advice]
        lines.append("")
    if migration.secrets:
        lines += ["## Secrets to set", "", "| key | what |", "|---|---|"]
        lines += [f"| `{key}` | {_cell(what)} |" for key, what in migration.secrets.items()]
        lines.append("")
    return "\n".join(lines)


def rows(owner: str) -> str:
    """The rows of `docs/migration.md` for an owner of fields."""
    fields = [field for field in FIELDS if field.owner == owner]
    with_json = any(field.json for field in fields)
    key, rule = ("| v1 | in JSON |", "|---|---|") if with_json else ("| v1 |", "|---|")
    lines = [f"{key} becomes | in the manifest | |", f"{rule}---|---|---|"]
    for field in fields:
        json = f" {_code(field.json)} |" if with_json else ""
        lines.append(
            f"| `{field.name}` |{json} {field.outcome.value} | {_code(field.to)} | {_cell(field.why)} |"
        )
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    to = f" -> {finding.to}" if finding.to else ""
    why = f": {finding.why}" if finding.why else ""
    return f"{finding.where}: {finding.what}{to}{why}"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
