"""The sub-commands, one module a concern. Importing a module registers nothing; :func:`register` does."""

from __future__ import annotations

import typer

from mldeploy.cli.commands import changes, deploy, manifest, migrate, review, services, stack

_registered: set[int] = set()


def register(app: typer.Typer) -> None:
    """Add every sub-command to ``app``, once."""
    if id(app) in _registered:
        return
    _registered.add(id(app))
    for module in (deploy, services, manifest, migrate, stack, review, changes):
        module.register(app)
