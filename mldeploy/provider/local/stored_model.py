"""StoredModel: a model version in the local content-addressed store."""

from __future__ import annotations

import re
import secrets
from typing import Any

from mldeploy.artifacts.content import ContentError
from mldeploy.artifacts.sources import empty_folders, locate, model_entries
from mldeploy.home import home, store_dir
from mldeploy.provider.common.model_source import SHORT_DIGEST, ModelSourceFields, checked_digest
from mldeploy.provider.framework.declare import Opt, Out, Texts, field, output
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    Diff,
    Live,
    ProvisionError,
    Resource,
    known,
)
from mldeploy.provider.local.homes import not_elsewhere
from mldeploy.provider.local.store import Claim, Store

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class StoredModelFields(ModelSourceFields, token="mldeploy:model:StoredModel"):
    """A model version in the local store: content-addressed, immutable, verified."""

    description: Opt[str] = field("What the model predicts, for people.", default=None, replaces=False)
    tags: Texts = field("Labels; they can change.", default=None, replaces=False)
    properties: Texts = field("Facts of this version; they never change.", default=None)
    file_name: Out[str] = output("The base name of the file or folder.")
    size: Out[int] = output("Bytes in all files.")
    files: Out[int] = output("The number of files.")
    home: Out[str] = output("The home that has it, on the machine of the last update.", default="")


class StoredModel(Resource[StoredModelFields]):
    """A file or folder, immutable under its version."""

    def check(self, ctx: Context, old: StoredModelFields, new: StoredModelFields) -> dict[str, Any]:
        """Digest the source; a fixed version must not have been something else."""
        faults = [
            (name, f"is {value!r}; allowed: letters, digits, '.', '_', '-', first a letter or digit")
            for name, value in (("name", new.name), ("version", new.version))
            if known(value) and value is not None and not SAFE_NAME.fullmatch(value)
        ]
        if faults:
            raise CheckError(*faults)
        return checked_digest(ctx, old, new)

    def diff(self, ctx: Context, change: Change[StoredModelFields]) -> Diff:
        """Besides changed inputs: stored content that is gone or changed is stored again."""
        _here(change.id, change.state)
        found = super().diff(ctx, change)
        if not found.details and Store(store_dir()).fault(change.state.digest) is not None:
            found.drifted("files")
        return found

    def preview(self, ctx: Context, inputs: StoredModelFields) -> dict[str, Any]:
        """Everything comes from the content."""
        return _outputs(ctx, inputs) if inputs.digest else {}

    def create(self, ctx: Context, inputs: StoredModelFields) -> tuple[str, dict[str, Any]]:
        """Copy the content into the store, unless it is there."""
        outputs = _outputs(ctx, inputs)
        ident = f"{inputs.name}:{outputs['version']}:{secrets.token_hex(4)}"
        _store(ctx, ident, inputs, str(outputs["version"]))
        return ident, outputs

    def read(
        self, ctx: Context, ident: str, state: StoredModelFields, inputs: StoredModelFields
    ) -> Live | None:
        """Read every byte: missing or changed content is gone."""
        _here(ident, state)
        store = Store(store_dir())
        if (fault := store.verify(state.digest)) is not None:
            ctx.warn(f"model {state.name} {state.version}: {fault}")
            store.release(state.digest, _claim(ident))
            return None
        return Live()

    def update(self, ctx: Context, change: Change[StoredModelFields]) -> dict[str, Any]:
        """The same content from another place; store it again when it is not there."""
        _store(ctx, change.id, change.new, str(change.state.version))
        return _outputs(ctx, change.new)

    def delete(self, ctx: Context, ident: str, state: StoredModelFields) -> None:
        """Give the content up; it goes with the last record that needs it."""
        _here(ident, state)
        Store(store_dir()).release(state.digest, _claim(ident))


def _here(ident: str, state: StoredModelFields) -> None:
    """See :func:`mldeploy.provider.local.homes.not_elsewhere`."""
    claim = f"store/claims/{state.digest}/{_claim(ident)}.json"
    not_elsewhere(f"model {state.name} {state.version}", state.home, claim)


def _store(ctx: Context, ident: str, inputs: StoredModelFields, version: str) -> None:
    source = locate(inputs.source, ctx.root)
    listed = model_entries(source)
    ctx.status(f"storing {len(listed)} files, {sum(entry.size for entry in listed):,} bytes")
    claim = Claim(_claim(ident), ctx.scope, inputs.name, version)
    try:
        Store(store_dir()).put(listed, inputs.digest, claim, empty_folders(source))
    except ContentError as error:
        raise ProvisionError(f"model {inputs.name}: {error}") from None


def _outputs(ctx: Context, inputs: StoredModelFields) -> dict[str, Any]:
    source = locate(inputs.source, ctx.root)
    listed = model_entries(source)
    return {
        "digest": inputs.digest,
        "version": inputs.version or inputs.digest[:SHORT_DIGEST],
        "file_name": source.absolute().name,
        "size": sum(entry.size for entry in listed),
        "files": len(listed),
        "home": str(home()),
    }


def _claim(ident: str) -> str:
    return ident.replace(":", "@")
