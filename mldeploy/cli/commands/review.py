"""`mldeploy graph` and `mldeploy doctor`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.options import (
    DEFAULT_STACK,
    EXIT_FAILED,
    JsonOption,
    ProjectOption,
    StackOption,
    print_json,
)
from mldeploy.cli.options import session as open_session


class Format(StrEnum):
    """What `graph` writes."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


def graph(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Default: by the file's name; text on a terminal, else mermaid."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a stack: models, the images they are in, the services that run those, and the targets."""
    from mldeploy.manifest import load
    from mldeploy.review.graph import build, mermaid, svg, text

    session = open_session(project, stack)
    drawn = build(load(session.project, stack))
    if as_json:
        print_json(drawn.to_json())
        return
    chosen = form or _by_name(output)
    if chosen is Format.SVG:
        written = svg(drawn, f"The stack {stack}")
    else:
        written = mermaid(drawn) if chosen is Format.MERMAID else text(drawn)
    if output is None:
        print(written, end="")
    else:
        output.write_text(written, encoding="utf-8")


def _by_name(output: Path | None) -> Format:
    if output is None:
        return Format.TEXT if sys.stdout.isatty() else Format.MERMAID
    return {".svg": Format.SVG, ".txt": Format.TEXT}.get(output.suffix, Format.MERMAID)


def doctor(
    project: ProjectOption = None, stack: StackOption = DEFAULT_STACK, as_json: JsonOption = False
) -> None:
    """Check tools, versions, credentials and names that `up` of a stack needs, and on Azure the login's rights, the
    subscription's providers and quotas; each finding says how to fix it."""
    from mldeploy.doctor import examine

    findings = examine(open_session(project, stack), ask=True)
    if as_json:
        print_json([finding.to_json() for finding in findings])
    else:
        signs = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
        for finding in findings:
            print(f"{signs[finding.level]}  {finding.what}: {finding.found}")
            if finding.fix:
                print(f"         fix: {finding.fix}")
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(EXIT_FAILED)
