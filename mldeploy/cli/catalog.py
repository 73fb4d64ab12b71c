"""Every command: where it is, and what `mldeploy --help` says of it.

Kept apart from the commands, so that the overview, `--version` and completion load none of them: the SDKs behind some
take a second.
"""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass

HELP = "Deploy machine-learning models from one YAML manifest: to this machine, ACI, AKS, Azure ML batch, IoT Edge."
_PACKAGE = "mldeploy.cli.commands"
_MOST_COLUMNS = 100


@dataclass(frozen=True)
class Entry:
    """A command, or a group of them. The function is called like the command, `-` written as `_`."""

    name: str
    module: str
    panel: str
    summary: str
    """The first line of the function's docstring; a test compares them."""
    group: bool = False

    @property
    def path(self) -> str:
        """The module's full name."""
        return f"{_PACKAGE}.{self.module}"


COMMANDS = (
    Entry("up", "deploy", "Deploy", "Register, build, deploy or update everything the manifest lists."),
    Entry("preview", "deploy", "Deploy", "Show what `up` would change. Changes nothing."),
    Entry("refresh", "deploy", "Deploy", "Bring the state up to what is really there; shows every drift."),
    Entry("destroy", "deploy", "Deploy", "Delete everything of the stack, and nothing else."),
    Entry(
        "rollback", "changes", "Deploy", "Let a kept version of a service on Kubernetes or AKS serve again."
    ),
    Entry(
        "promote",
        "changes",
        "Deploy",
        "Deploy the models that one stack serves to another: the same content, pinned by version.",
    ),
    Entry(
        "doctor",
        "review",
        "Deploy",
        "Check tools, versions, credentials and names that `up` of a stack needs, and on Azure the login's rights, the "
        "subscription's providers and quotas; each finding says how to fix it.",
    ),
    Entry("status", "services", "Services", "Show every service: state, model versions, URIs."),
    Entry(
        "score",
        "services",
        "Services",
        "Send a file to a service and print the body of its answer. The key is read from the stack's state.",
    ),
    Entry("logs", "services", "Services", "Print a service's log."),
    Entry(
        "edge", "edge", "Services", "Hand deployments to IoT Edge devices over to other tools.", group=True
    ),
    Entry("batch", "batch", "Services", "Score the files of a folder.", group=True),
    Entry("keys", "services", "Services", "Show a service's keys: masked, unless --show."),
    Entry(
        "validate",
        "manifest",
        "Manifest",
        "Check the manifest of a stack, with every error's file, line and column. Deploys nothing.",
    ),
    Entry("schema", "manifest", "Manifest", "Write the manifest's JSON Schema, for editors."),
    Entry(
        "init",
        "init",
        "Manifest",
        "Make this folder a project that serves the given models. Writes the few files it needs, overwrites none.",
    ),
    Entry(
        "eject",
        "init",
        "Manifest",
        "Write the entry script and the conda file of an image that has none into the project, to go on from.",
    ),
    Entry(
        "import-v1",
        "migrate",
        "Manifest",
        "Write a manifest from what deployed to Azure ML with SDK v1 or CLI v1. Scripts are read, never run.",
    ),
    Entry(
        "graph",
        "review",
        "Manifest",
        "Draw a stack: models, the images they are in, the services that run those, and the targets.",
    ),
    Entry(
        "config",
        "config",
        "State",
        "Read and change a stack's configuration, secrets among it.",
        group=True,
    ),
    Entry("stack", "stack", "State", "Look at and move the state of stacks.", group=True),
    Entry("state", "state", "State", "Edit the record of a stack; no object is touched.", group=True),
    Entry(
        "cancel",
        "stack",
        "State",
        "Remove the stack's lock, whoever holds it. Only when no engine works on the stack any more.",
    ),
)


def overview() -> str:
    """What `mldeploy --help` prints, in the width of the terminal."""
    width = max(60, min(shutil.get_terminal_size().columns, _MOST_COLUMNS))
    lines = ["Usage: mldeploy [OPTIONS] COMMAND [ARGS]...", "", *_wrapped("", HELP, width)]
    for panel in dict.fromkeys(one.panel for one in COMMANDS):
        lines += ["", f"{panel}:"]
        for one in COMMANDS:
            if one.panel == panel:
                lines += _wrapped(f"  {one.name:<10}  ", one.summary, width)
    options = {
        "--version": "Print the version and exit.",
        "--install-completion": "Set up completion for the shell that runs this.",
        "--show-completion": "Print what that would add.",
        "-h, --help": "Show this and exit; after a command, its options.",
    }
    lines += ["", "Options:"]
    for name, text in options.items():
        lines += _wrapped(f"  {name:<20}  ", text, width)
    return "\n".join(lines)


def _wrapped(start: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )
