"""What MkDocs calls: the generated pages become files of the site, and stale links to the checkout are refused."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

# MkDocs loads this file by its path, not as a part of a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.pages import pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every generated page."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
