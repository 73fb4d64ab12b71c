"""Pages of the documentation site that are made from the code, at every build. `hook.py` is what MkDocs loads."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pages() -> dict[str, str]:
    """The text of every generated page by its path in the site."""
    from scripts.pages import commands, components, copies, errors, manifest, measured

    return {
        "reference/manifest.md": manifest.page(),
        "reference/cli.md": commands.page(),
        "reference/errors.md": errors.page(),
        **components.pages(),
        **measured.pages(),
        **copies.pages(),
    }
