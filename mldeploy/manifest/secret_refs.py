"""References to secrets. A manifest names secrets and never holds one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, cast

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from mldeploy.manifest.base import LooseText, Section, Text, as_written, fail
from mldeploy.manifest.errors import hint, shown
from mldeploy.manifest.merge import FREE_FORM
from mldeploy.manifest.nodes import Path


class ConfigRef(Section):
    """A secret of the stack's configuration."""

    config: Text
    """Its key: `mldeploy config set --secret <key>`."""


class EnvRef(Section):
    """A secret in an environment variable of whoever runs `up`."""

    env: Text
    """The variable's name."""


class KeyVaultRef(Section):
    """A secret in Azure Key Vault."""

    keyvault: Text
    """Its name in the stack's vault, or its URI, `https://<vault>.vault.azure.net/secrets/<name>`, for a fixed
    version with `/<version>` behind it."""

    @property
    def address(self) -> tuple[str | None, str, str]:
        """The vault's address, None for the stack's own; the secret's name; its version, empty for the current."""
        if not self.keyvault.startswith("https://"):
            return None, self.keyvault, ""
        vault, _, secret = self.keyvault.partition("/secrets/")
        name, _, version = secret.partition("/")
        return f"{vault}/", name, version


SecretRef = ConfigRef | EnvRef | KeyVaultRef
_KINDS: dict[str, type[ConfigRef] | type[EnvRef] | type[KeyVaultRef]] = {
    "config": ConfigRef,
    "env": EnvRef,
    "keyvault": KeyVaultRef,
}
_FORMS = {
    "config": (
        r"[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?",
        "letters, digits, '_', '-', '.', after a namespace and ':' if it has one",
    ),
    "env": (r"[A-Za-z_][A-Za-z0-9_]*", "letters, digits and '_', not beginning with a digit"),
    "keyvault": (
        r"[A-Za-z0-9-]{1,127}|https://[a-z0-9-]{3,24}\.vault\.[a-z.]+/secrets/[A-Za-z0-9-]{1,127}(/[0-9a-f]{32})?",
        "a secret's name of letters, digits and '-', or its URI",
    ),
}
_ALLOWED = "allowed: {config: <key>}, {env: <NAME>} or {keyvault: <name>}"

NO_REFERENCES = FREE_FORM | {"tags", "properties", "labels", "node_selector"}
"""Keys below which names and texts are the user's own: ``tags: {env: dev}`` names no secret. A test has the list."""


def _reference(value: Any) -> Any:
    """A reference from its mapping. Messages never repeat the value: it may be the secret itself."""
    if isinstance(value, ConfigRef | EnvRef | KeyVaultRef):
        return value
    if not isinstance(value, dict):
        raise fail(f"is a secret and must not be written here; {_ALLOWED}")
    given = cast("dict[str, Any]", value)
    unknown = [key for key in given if key not in _KINDS]
    if unknown:
        raise fail(f"unknown kind of secret {shown(unknown[0])} {hint(unknown[0], _KINDS)}")
    if len(given) != 1:
        raise fail(f"names {len(given)} secrets; {_ALLOWED}")
    kind, name = next(iter(given.items()))
    name = as_written(name)
    expression, allowed = _FORMS[kind]
    if not isinstance(name, str) or not re.fullmatch(expression, name):
        raise fail(f"{kind} names no secret; allowed: {allowed}")
    return _KINDS[kind].model_validate({kind: name})


def written_secrets(raw: Any, kind: str, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Where in a plain manifest secrets of one kind are named, and which: ``(("services", …, "key"), "score-key")``."""
    if isinstance(raw, list):
        for index, item in enumerate(cast("list[Any]", raw)):
            yield from written_secrets(item, kind, (*path, index))
    elif isinstance(raw, dict):
        given = cast("dict[str, Any]", raw)
        name = None
        if list(given) == [kind]:
            with suppress(PydanticCustomError):  # what is no text is reported where the reference is read
                name = as_written(given[kind])
        if isinstance(name, str):
            yield path, name
            return
        for key, item in given.items():
            if key not in NO_REFERENCES:
                yield from written_secrets(item, kind, (*path, key))


Secret = Annotated[SecretRef, BeforeValidator(_reference)]
"""The type of a field that takes a secret reference."""


def _text_or_reference(value: Any) -> Any:
    if isinstance(value, dict | ConfigRef | EnvRef | KeyVaultRef):
        return _reference(cast("Any", value))
    text = as_written(value)
    if not isinstance(text, str):
        raise fail(f"must be a text, or a secret reference ({_ALLOWED})")
    return text


TextOrSecret = Annotated[LooseText | SecretRef, BeforeValidator(_text_or_reference)]
"""The type of a field that takes a plain text or a secret reference, such as an environment variable."""
