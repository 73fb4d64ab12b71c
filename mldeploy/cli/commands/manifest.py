"""`mldeploy validate` and `mldeploy schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.options import DEFAULT_STACK, JsonOption, ProjectOption, StackOption, print_json
from mldeploy.cli.options import session as open_session
from mldeploy.session import UsageError


def validate(
    project: ProjectOption = None, stack: StackOption = DEFAULT_STACK, as_json: JsonOption = False
) -> None:
    """Check the manifest of a stack, with every error's file, line and column. Deploys nothing.

    Notes name what is allowed and may yet fail, such as models that an old library made.
    """
    from mldeploy import parts
    from mldeploy.manifest import load_with_notes

    if lost := parts.missing():
        raise UsageError("; ".join(lost))
    session = open_session(project, stack)
    manifest, notes = load_with_notes(session.project, stack)
    counts = {
        "models": len(manifest.models),
        "images": len(manifest.images),
        "targets": len(manifest.targets),
        "services": len(manifest.services),
    }
    if as_json:
        print_json({"valid": True, **counts, "notes": [str(note) for note in notes]})
    else:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        print(f"{stack}: valid; " + ", ".join(f"{number} {name}" for name, number in counts.items()))


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
) -> None:
    """Write the manifest's JSON Schema, for editors."""
    from mldeploy.manifest import schema as manifest_schema

    text = json.dumps(manifest_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
