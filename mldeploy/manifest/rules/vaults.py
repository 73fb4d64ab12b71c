"""Secrets of Key Vault by their name alone: there must be a vault that it is the name in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.foundation import has_vault
from mldeploy.manifest.secret_refs import KeyVaultRef, written_secrets
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every `{keyvault: <name>}` of a stack that has no vault."""
    if has_vault(draft.azure, draft.target_types.values()) or draft.lacks("azure", "", "key_vault"):
        return
    for path, name in written_secrets(draft.raw, "keyvault"):
        # What is no name at all is reported where the value is checked.
        if name and KeyVaultRef.model_construct(keyvault=name).address[0] is None:
            yield Fault(
                path,
                f"{shown(name)} is a secret's name, but this stack has no key vault; write its URI, "
                "https://<vault>.vault.azure.net/secrets/<name>, or azure: {key_vault: {existing: <resource id>}}",
            )
