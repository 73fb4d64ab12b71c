"""What MkDocs calls: the generated pages become files of the site, and stale links to the checkout are refused."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# MkDocs loads this file by its path, not as a part of a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.pages import pages

_LANGUAGES = ("ja",)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every generated page."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 (MkDocs names its arguments)
    """Say in which language a page is: screen readers, hyphenation and translators go by it."""
    folder = page.file.src_uri.partition("/")[0]
    return output.replace('<html lang="en"', f'<html lang="{folder}"', 1) if folder in _LANGUAGES else output
