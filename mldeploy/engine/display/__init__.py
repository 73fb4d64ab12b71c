"""Renders engine events: a live Rich tree on terminals, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import sys
from typing import TextIO

from mldeploy.engine.display.base import Display
from mldeploy.engine.display.json_output import EventStream, PreviewDigest
from mldeploy.engine.display.plain import PlainDisplay
from mldeploy.engine.display.rich_tree import RichDisplay

__all__ = ["Display", "EventStream", "PlainDisplay", "PreviewDigest", "RichDisplay", "make_display"]


def make_display(
    operation: str,
    *,
    json: bool = False,
    diff: bool = False,
    show_sames: bool = False,
    stream: TextIO | None = None,
    interactive: bool | None = None,
) -> Display:
    """The display for an operation (`preview`, `up`, `refresh`, `destroy`).

    Pass it to the engine as `sink` and call `close(result)` at the end. `json` gives the event stream, or one
    digest for a preview, as the CLI does.
    """
    out: TextIO = sys.stdout if stream is None else stream
    if json:
        return PreviewDigest(out) if operation == "preview" else EventStream(out)
    if interactive is None:
        interactive = out.isatty()
    if interactive and not diff:
        return RichDisplay(operation, out, show_sames=show_sames)
    return PlainDisplay(operation, out, diff=diff, show_sames=show_sames)
