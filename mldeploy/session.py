"""One invocation's surroundings: which project, which stack, which state backend, which passphrase."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

LOCAL_STACK = "local"
PASSPHRASE_FILE = ".pulumi-passphrase"  # noqa: S105
_PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


class UsageError(Exception):
    """The command cannot be carried out as given: printed as one message, exit code 2."""


def find_project(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds a ``Pulumi.yaml``.

    Raises:
        UsageError: there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    raise UsageError(
        f"no Pulumi.yaml in {start} or any folder above it; run inside a project or give --project"
    )


@dataclass(frozen=True)
class Session:
    """The project folder and the stack that a command works on."""

    project: Path
    stack: str

    @property
    def backend_url(self) -> str:
        """Where the state is: ``PULUMI_BACKEND_URL``, else ``backend.url`` of Pulumi.yaml; file paths made absolute.

        Raises:
            UsageError: the folder of a file backend cannot be made.
        """
        url = os.environ.get("PULUMI_BACKEND_URL") or self._settings_backend()
        if not url.startswith("file://"):
            return url
        path = Path(url.removeprefix("file://")).expanduser()
        path = path if path.is_absolute() else self.project / path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the state folder {path} cannot be made: {error.strerror}") from error
        return f"file://{path}"

    def _settings_backend(self) -> str:
        try:
            settings = _mapping(yaml.safe_load((self.project / "Pulumi.yaml").read_text(encoding="utf-8")))
            return str(_mapping(settings.get("backend")).get("url") or "file://.pulumi-state")
        except (OSError, yaml.YAMLError) as error:
            raise UsageError(f"{self.project / 'Pulumi.yaml'}: {error}") from error

    def environment(self) -> Mapping[str, str]:
        """What an engine needs in its environment: the backend and where to find the passphrase (never its text)."""
        variables = {"PULUMI_BACKEND_URL": self.backend_url, "PULUMI_SKIP_UPDATE_CHECK": "1"}
        if self.stack == LOCAL_STACK and not any(name in os.environ for name in _PASSPHRASE_VARIABLES):
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self._local_passphrase_file())
        return variables

    def passphrase(self) -> str | None:
        """The stack's passphrase, or None when nobody set one (which is fine until there is a secret to read or write).

        Raises:
            EngineError: the file that the environment names cannot be read.
        """
        from mldeploy.engine.project.secrets import passphrase_from_environment

        return passphrase_from_environment({**os.environ, **self.environment()})

    def _local_passphrase_file(self) -> Path:
        """The local stack's own passphrase, made once with mode 0600; other stacks must bring theirs."""
        path = self.project / PASSPHRASE_FILE
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        return path


def _mapping(value: object) -> dict[str, Any]:
    """``value`` when it is a mapping, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
