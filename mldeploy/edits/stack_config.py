"""A stack's configuration, `Pulumi.<stack>.yaml`, read and changed as `pulumi config` does; comments stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from mldeploy.edits.yaml_edits import Edit, rewrite
from mldeploy.engine.project.config import StackConfig, ValueReader, full_key
from mldeploy.engine.project.project import PulumiProject, load_project, stack_config_path
from mldeploy.engine.project.secrets import SecretsManager, new_salt
from mldeploy.session import Session, UsageError
from mldeploy.values.property_value import Secret


@dataclass(frozen=True)
class Setting:
    """One entry."""

    key: str
    """`namespace:name`, without the namespace where that is the project's."""
    value: str | None
    """None where it is secret and nobody asked for it."""
    secret: bool


class StackSettings:
    """The configuration of one stack.

    Args:
        session: names the project and the stack.
        passphrase: gives the stack's passphrase, when a secret is read or written.

    Raises:
        UsageError: the file is no configuration, or its secrets are not kept with a passphrase.
    """

    def __init__(self, session: Session, passphrase: Callable[[], str | None]) -> None:
        self._session, self._passphrase = session, passphrase
        self._project: PulumiProject = load_project(session.project)
        self.path: Path = stack_config_path(self._project, session.stack)
        provider = session.stack_settings().get("secretsprovider")
        if provider not in (None, "passphrase"):
            raise UsageError(
                f"{self.path.name}: the secrets of this stack are kept by {provider}: use `pulumi config`"
            )

    def full(self, key: str) -> str:
        """`namespace:name`.

        Raises:
            UsageError: it is no key.
        """
        if not key or any(character.isspace() for character in key):
            raise UsageError(f"{key!r} is no configuration key; allowed: name, or namespace:name")
        return full_key(self._project, key, self.path)

    def all(self, *, show_secrets: bool) -> Iterator[Setting]:
        """Every entry, sorted by key."""
        written = self._written()
        for key in sorted(written, key=self.full):
            yield self._setting(key, written[key], show_secrets=show_secrets)

    def find(self, key: str, *, show_secrets: bool) -> Setting:
        """One entry.

        Raises:
            UsageError: there is none.
        """
        name = self.full(key)
        for written, value in self._written().items():
            if self.full(written) == name:
                return self._setting(written, value, show_secrets=show_secrets)
        raise UsageError(self._missing(key))

    def set(self, key: str, value: str, *, secret: bool) -> Edit:
        """The file with the entry."""
        name, salt = self.full(key), self._session.salt()
        if secret:
            salt = salt or new_salt(self._passphrase() or "")
        sealed = SecretsManager(salt, self._passphrase()).crypter.encrypt(value) if secret and salt else ""

        def change(document: Any) -> None:
            if sealed and not document.get("encryptionsalt"):
                document.insert(0, "encryptionsalt", salt)
            if not document.get("config"):
                # What was `{}` is written in one line, and would stay so.
                document["config"] = CommentedMap()
            config: Any = document["config"]
            same: str = next((one for one in config if self.full(str(one)) == name), name)
            config[same] = CommentedMap({"secure": sealed}) if secret else value

        return rewrite(self.path, change, new={})

    def remove(self, key: str) -> Edit:
        """The file without the entry.

        Raises:
            UsageError: there is none.
        """
        name = self.full(key)
        written = next((one for one in self._written() if self.full(one) == name), None)
        if written is None:
            raise UsageError(self._missing(key))

        def change(document: Any) -> None:
            del document["config"][written]
            if not document["config"]:
                document["config"] = CommentedMap()
                document.ca.items.pop("config", None)  # comments on what is gone

        return rewrite(self.path, change, new={})

    def _setting(self, key: str, value: Any, *, show_secrets: bool) -> Setting:
        secret = _holds_secret(value)
        hidden = secret and not show_secrets
        return Setting(self._short(key), None if hidden else self._text(key, value), secret)

    def _missing(self, key: str) -> str:
        there = ", ".join(self._short(one) for one in sorted(self._written(), key=self.full))
        return f"no configuration value {key!r} in stack {self._session.stack!r}; it has: {there or 'none'}"

    def _short(self, key: str) -> str:
        return self.full(key).removeprefix(f"{self._project.name}:")

    def _written(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        try:
            parser: Any = YAML(typ="safe")
            document: Any = parser.load(self.path.read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, YAMLError) as error:
            raise UsageError(f"{self.path}: {error}") from None
        found: Any = (
            cast("dict[str, Any]", document).get("config") if isinstance(document, dict) else document
        )
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise UsageError(f"{self.path}: config must be a mapping of keys to values")
        return {str(key): value for key, value in cast("dict[Any, Any]", found).items()}

    def _text(self, key: str, value: Any) -> str:
        salt = self._session.salt() or ""
        reader = ValueReader(
            StackConfig(self.path, encryption_salt=salt),
            lambda salt: SecretsManager(salt, self._passphrase()),
        )
        found = reader.text(key, value)
        return str(found.value) if isinstance(found, Secret) else found


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        parts = cast("dict[Any, Any]", value)
        return set(parts) == {"secure"} or any(_holds_secret(one) for one in parts.values())
    return isinstance(value, list) and any(_holds_secret(one) for one in cast("list[Any]", value))
