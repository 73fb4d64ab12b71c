"""StoredModel: a model version in the local content-addressed store."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest_entries
from mldeploy.artifacts.sources import locate
from mldeploy.home import cache_dir, store_dir
from mldeploy.provider.framework.resource import CheckError, Context, Diff, Field, ProvisionError, Resource
from mldeploy.provider.local.store import Claim, Store, empty_folders, model_entries, pinned_message

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
SHORT_DIGEST = 12
_TEXT = Field(kind="string", description="A text.")


class StoredModel(Resource):
    """A file or folder, immutable under its version."""

    token = "mldeploy:model:StoredModel"  # noqa: S105
    description = "A model version in the local store: content-addressed, immutable, verified."
    inputs = {
        "name": Field(kind="string", required=True, description="The model's name."),
        "source": Field(
            kind="string",
            required=True,
            replaces=False,
            description="A file or folder relative to the project, or runs:/<run id>/<path>.",
        ),
        "version": Field(kind="string", description="A fixed version; by default it comes from the content."),
        "description": Field(
            kind="string", replaces=False, description="What the model predicts, for people."
        ),
        "tags": Field(kind="map", replaces=False, items=_TEXT, description="Labels; they can change."),
        "properties": Field(kind="map", items=_TEXT, description="Facts of this version; they never change."),
        "digest": Field(kind="string", computed=True, required=False, description="SHA-256 of the content."),
    }
    outputs = {
        "file_name": Field(kind="string", description="The base name of the file or folder."),
        "size": Field(kind="integer", description="Bytes in all files."),
        "files": Field(kind="integer", description="The number of files."),
    }

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Digest the source; a fixed version must not have been something else."""
        faults = [
            (
                name,
                f"is {news[name]!r}; allowed: letters, digits, '.', '_', '-', first a letter or digit",
            )
            for name in ("name", "version")
            if isinstance(news.get(name), str) and not SAFE_NAME.fullmatch(news[name])
        ]
        if faults:
            raise CheckError(*faults)
        if not isinstance(news["source"], str):
            return {}
        try:
            listed = model_entries(locate(news["source"], ctx.root))
            with SqliteHashCache(cache_dir() / "hashes.sqlite") as cache:
                content = digest_entries(listed, cache)
        except ContentError as error:
            raise CheckError(("source", str(error))) from None
        same = (
            news.get("version")
            and news["version"] == olds.get("version")
            and news["name"] == olds.get("name")
        )
        if same and olds.get("digest") not in (None, content):
            raise CheckError(
                ("version", pinned_message(news["name"], news["version"], olds["digest"], content))
            )
        return {"digest": content}

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Besides changed inputs: stored content that is gone or changed is stored again."""
        found = super().diff(ctx, ident, state, olds, news)
        if not found.details and Store(store_dir()).fault(str(state["digest"])) is not None:
            found.details["files"] = "update"
            found.drift.add("files")
        return found

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Everything comes from the content."""
        return self._outputs(ctx, inputs) if "digest" in inputs else {}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Copy the content into the store, unless it is there."""
        outputs = self._outputs(ctx, inputs)
        ident = f"{inputs['name']}:{outputs['version']}:{secrets.token_hex(4)}"
        self._store(ctx, ident, inputs, str(outputs["version"]))
        return ident, outputs

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Read every byte: missing or changed content is gone."""
        store = Store(store_dir())
        if (fault := store.verify(str(state["digest"]))) is not None:
            ctx.warn(f"model {state['name']} {state['version']}: {fault}")
            store.release(str(state["digest"]), _claim(ident))
            return None
        return dict(state), {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The same content from another place; store it again when it is not there."""
        self._store(ctx, ident, news, str(state["version"]))
        return self._outputs(ctx, news)

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Give the content up; it goes with the last record that needs it."""
        Store(store_dir()).release(str(state["digest"]), _claim(ident))

    def _store(self, ctx: Context, ident: str, inputs: Mapping[str, Any], version: str) -> None:
        source = locate(str(inputs["source"]), ctx.root)
        listed = model_entries(source)
        ctx.status(f"storing {len(listed)} files, {sum(entry.size for entry in listed):,} bytes")
        claim = Claim(_claim(ident), ctx.scope, str(inputs["name"]), version)
        try:
            Store(store_dir()).put(listed, str(inputs["digest"]), claim, empty_folders(source))
        except ContentError as error:
            raise ProvisionError(f"model {inputs['name']}: {error}") from None

    def _outputs(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        source = locate(str(inputs["source"]), ctx.root)
        listed = model_entries(source)
        return {
            "digest": inputs["digest"],
            "version": inputs.get("version") or str(inputs["digest"])[:SHORT_DIGEST],
            "file_name": source.absolute().name,
            "size": sum(entry.size for entry in listed),
            "files": len(listed),
        }


def _claim(ident: str) -> str:
    return ident.replace(":", "@")
