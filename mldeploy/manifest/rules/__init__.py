"""Rules over several fields or entries. Each module has one concern; none stops at the first fault."""

from __future__ import annotations

from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.rules import (
    azure,
    clear_text,
    conda_files,
    entry_scripts,
    images,
    keys,
    models,
    names,
    paths,
    pickles,
    ports,
    references,
    runtimes,
    services,
    targets,
    undecided,
    vaults,
)
from mldeploy.manifest.validation import Fault

_RULES = (
    names.check,
    references.check,
    models.check,
    images.check,
    paths.check,
    runtimes.check,
    pickles.check,
    conda_files.check,
    entry_scripts.check,
    targets.check,
    azure.check,
    keys.check,
    services.check,
    ports.check,
    clear_text.check,
    vaults.check,
    undecided.check,
)


def check(draft: Draft, root: Path) -> list[Fault]:
    """Everything that the rules find.

    Args:
        draft: the entries that could be validated.
        root: the project's folder, for rules about files.
    """
    return [fault for rule in _RULES for fault in rule(draft, root)]


def notes(draft: Draft, root: Path) -> list[Fault]:
    """What is allowed and may yet fail."""
    return list(pickles.notes(draft, root))
