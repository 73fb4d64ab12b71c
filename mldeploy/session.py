"""One invocation's surroundings: which project, which stack, which state backend, which passphrase."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

LOCAL_STACK = "local"
PASSPHRASE_FILE = ".pulumi-passphrase"  # noqa: S105
_PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_OVERLAY = re.compile(r"manifest\.(.+)\.yaml")
_STATE = re.compile(r"\.json(\.gz|\.zst)?$")
_PROVIDER = re.compile(rb'"secrets_providers"\s*:\s*\{')
_STATE_SALT = re.compile(rb'"salt"\s*:\s*"([^"]+)"')
_SECURE = re.compile(r"^\s+secure:", re.MULTILINE)
_SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)
_TYPED: dict[tuple[Path, str], str] = {}
"""Passphrases typed in this process; not in a session, so that none is printed with it."""


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
        folder = self.state_folder
        if folder is None:
            return self._backend()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the state folder {folder} cannot be made: {error.strerror}") from error
        return f"file://{folder}"

    @property
    def state_folder(self) -> Path | None:
        """The folder of a file backend, which may not exist yet; None for any other backend."""
        url = self._backend()
        if not url.startswith("file://"):
            return None
        path = Path(url.removeprefix("file://")).expanduser()
        return path if path.is_absolute() else self.project / path

    def _backend(self) -> str:
        return os.environ.get("PULUMI_BACKEND_URL") or str(
            _mapping(self.settings().get("backend")).get("url") or "file://.pulumi-state"
        )

    def settings(self) -> dict[str, Any]:
        """What Pulumi.yaml says.

        Raises:
            UsageError: it cannot be read.
        """
        return _yaml_file(self.project / "Pulumi.yaml")

    def stack_settings(self) -> dict[str, Any]:
        """What Pulumi.<stack>.yaml says; empty when there is none."""
        return _yaml_file(path) if (path := self.stack_file).is_file() else {}

    @property
    def stack_file(self) -> Path:
        """`Pulumi.<stack>.yaml`, which may not exist."""
        folder = self.project / str(self.settings().get("stackConfigDir") or ".")
        return folder / f"Pulumi.{self.stack}.yaml"

    # --- which stacks there are ---------------------------------------------------------------------------

    def state_file(self) -> Path | None:
        """The stack's state in a file backend; None without one."""
        stacks = self._stacks_folder()
        if stacks is None:
            return None
        found = (stacks / f"{self.stack}.json{packed}" for packed in ("", ".gz", ".zst"))
        return next((path for path in found if path.is_file()), None)

    def deployed_stacks(self) -> set[str]:
        """The stacks that a file backend has a state of."""
        stacks = self._stacks_folder()
        if stacks is None or not stacks.is_dir():
            return set()
        return {path.name.split(".json")[0] for path in stacks.iterdir() if _STATE.search(path.name)}

    def described_stacks(self) -> set[str]:
        """The stacks that have a manifest of their own."""
        found = (_OVERLAY.fullmatch(path.name) for path in self.project.glob("manifest.*.yaml"))
        return {match[1] for match in found if match}

    def _stacks_folder(self) -> Path | None:
        if self.state_folder is None:
            return None
        folder = self.state_folder / ".pulumi/stacks"
        own = folder / str(self.settings().get("name"))
        return own if own.is_dir() or (self.state_folder / ".pulumi/meta.yaml").is_file() else folder

    # --- the passphrase -----------------------------------------------------------------------------------

    def environment(self) -> Mapping[str, str]:
        """What the CLI needs in its environment: the backend, and the passphrase or where it is.

        Raises:
            UsageError: the local stack's own passphrase is lost.
        """
        variables = {"PULUMI_BACKEND_URL": self.backend_url, "PULUMI_SKIP_UPDATE_CHECK": "1"}
        if self._typed is not None:
            variables["PULUMI_CONFIG_PASSPHRASE"] = self._typed
        elif self._has_own_passphrase():
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self.make_passphrase())
        return variables

    def passphrase(self) -> str | None:
        """The stack's passphrase, or None when nobody set one (which is fine until there is a secret to read or write).

        Raises:
            UsageError: the file that holds it is gone or cannot be read.
        """
        if self._typed is not None:
            return self._typed
        if "PULUMI_CONFIG_PASSPHRASE" in os.environ:
            return os.environ["PULUMI_CONFIG_PASSPHRASE"]
        if file := os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
            return _read_passphrase(Path(file), "PULUMI_CONFIG_PASSPHRASE_FILE: ")
        if not self._has_own_passphrase():
            return None
        self._own_passphrase_is_there()
        path = self.project / PASSPHRASE_FILE
        return _read_passphrase(path) if path.exists() else None

    def make_passphrase(self) -> Path:
        """The file with the local stack's own passphrase, made with mode 0600 when the stack is new.

        Raises:
            UsageError: it is lost, or cannot be written.
        """
        self._own_passphrase_is_there()
        path = self.project / PASSPHRASE_FILE
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        import secrets  # once in a stack's life; it loads OpenSSL

        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        if self.stack_settings().get("encryptionsalt"):
            # Another machine's: nothing here was encrypted with it, and the new passphrase does not fit.
            text = self.stack_file.read_text(encoding="utf-8")
            self.stack_file.write_text(_SALT.sub("", text), encoding="utf-8")
        return path

    def type_passphrase(self, passphrase: str) -> None:
        """Use a passphrase that somebody typed, until this process ends."""
        _TYPED[self.project, self.stack] = passphrase

    def encrypted(self) -> bool:
        """Whether the stack has a state or a setting that only its passphrase can read."""
        if self.stack_file.is_file() and _SECURE.search(self.stack_file.read_text(encoding="utf-8")):
            return True
        file = self.state_file()
        return file is not None and _PROVIDER.search(file.read_bytes()) is not None

    def salt(self) -> str | None:
        """What the stack's passphrase is checked against: of its settings, else of its state."""
        if salt := self.stack_settings().get("encryptionsalt"):
            return str(salt)
        file = self.state_file()
        found = _STATE_SALT.search(file.read_bytes()) if file is not None else None
        return found[1].decode() if found else None

    @property
    def _typed(self) -> str | None:
        return _TYPED.get((self.project, self.stack))

    def _has_own_passphrase(self) -> bool:
        return self.stack == LOCAL_STACK and not any(name in os.environ for name in _PASSPHRASE_VARIABLES)

    def _own_passphrase_is_there(self) -> None:
        """A new passphrase in place of a lost one would make what is encrypted unreadable for good, and hide why."""
        path = self.project / PASSPHRASE_FILE
        if path.exists() or not self.encrypted():
            return
        state = self.state_file() or self.stack_file
        raise UsageError(
            f"the secrets of stack {self.stack!r} in {state} cannot be read: their passphrase was in {path}, which is "
            "gone; put that file back (or set PULUMI_CONFIG_PASSPHRASE to what it held). When it is lost for good: "
            f"stop what runs, then `mldeploy stack rm {self.stack} --force` forgets this state"
        )


def _read_passphrase(path: Path, where: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise UsageError(f"{where}cannot read {str(path)!r}: {reason}") from None


def _yaml_file(path: Path) -> dict[str, Any]:
    try:
        return _mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: {error}") from error


def _mapping(value: object) -> dict[str, Any]:
    """``value`` when it is a mapping, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
