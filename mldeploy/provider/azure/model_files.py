"""ModelFiles: a model's or a script's files in a blob container, by content."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from mldeploy.artifacts.content import ContentError, Entry, SqliteHashCache, digest_entries
from mldeploy.artifacts.sources import locate, model_entries
from mldeploy.home import cache_dir
from mldeploy.provider.azure import blobs
from mldeploy.provider.common.model_source import SHORT_DIGEST, ModelSourceFields, checked_digest
from mldeploy.provider.framework.declare import In, Out, field, output
from mldeploy.provider.framework.resource import Change, Context, Live, ProvisionError, Resource, known


class ModelFilesFields(ModelSourceFields, token="mldeploy:azure:ModelFiles"):
    """A model's files in a blob container: content-addressed, verified, uploaded with your own identity."""

    account_url: In[str] = field("https://<account>.blob.core.windows.net")
    container: In[str] = field("The container's name.")
    model_version: Out[str] = output("The fixed version, or 12 digits of the digest.")
    path: Out[str] = output("Where the file or folder is in the container.")
    folder_url: Out[str] = output("The address of the folder that holds it.")
    is_folder: Out[bool] = output("Whether the source is a folder.")
    size: Out[int] = output("Bytes in all files.")
    files: Out[int] = output("The number of files.")
    sizes: Out[Mapping[str, int]] = output("Every file and its size.")

    @property
    def place(self) -> blobs.Place:
        """Where the files are."""
        return blobs.Place(self.account_url.rstrip("/"), self.container, f"{self.name}/{self.digest}")


class ModelFiles(Resource[ModelFilesFields]):
    """A file or folder as blobs under ``<name>/<digest>/``. Other content is another prefix, made before the old one
    goes; the same content is never sent twice."""

    def check(self, ctx: Context, old: ModelFilesFields, new: ModelFilesFields) -> dict[str, Any]:
        """Digest the source; a fixed version must not have been something else."""
        return checked_digest(ctx, old, new)

    def preview(self, ctx: Context, inputs: ModelFilesFields) -> dict[str, Any]:
        """All but addresses comes from the content."""
        if not inputs.digest:
            return {}
        found = self._outputs(ctx, inputs)
        if not known(inputs.account_url, inputs.container):
            del found["folder_url"]
        return found

    def create(self, ctx: Context, inputs: ModelFilesFields) -> tuple[str, dict[str, Any]]:
        """Upload what is not there."""
        self._upload(ctx, inputs)
        outputs = self._outputs(ctx, inputs)
        return f"{inputs.name}:{outputs['model_version']}:{secrets.token_hex(4)}", outputs

    def read(
        self, ctx: Context, ident: str, state: ModelFilesFields, inputs: ModelFilesFields
    ) -> Live | None:
        """A missing or cut file means that the files are gone: the next update uploads what is missing."""
        lost = blobs.missing(state.place, dict(state.sizes))
        if lost:
            ctx.warn(f"model {state.name}: {len(lost)} of {state.files} files are gone, {lost[0]} for one")
            return None
        return Live()

    def update(self, ctx: Context, change: Change[ModelFilesFields]) -> dict[str, Any]:
        """The same content from another place."""
        self._upload(ctx, change.new)
        return self._outputs(ctx, change.new)

    def delete(self, ctx: Context, ident: str, state: ModelFilesFields) -> None:
        """Delete the blobs."""
        blobs.remove(ctx, state.place)

    def _upload(self, ctx: Context, inputs: ModelFilesFields) -> None:
        listed = self._entries(ctx, inputs)
        if digest_entries(listed, SqliteHashCache(cache_dir() / "hashes.sqlite")) != inputs.digest:
            raise ProvisionError(f"{inputs.source} changed since it was planned: run the update again")
        blobs.upload(ctx, inputs.place, listed)

    @staticmethod
    def _entries(ctx: Context, inputs: ModelFilesFields) -> list[Entry]:
        try:
            return model_entries(locate(inputs.source, ctx.root))
        except ContentError as error:
            raise ProvisionError(str(error)) from None

    def _outputs(self, ctx: Context, inputs: ModelFilesFields) -> dict[str, Any]:
        source = locate(inputs.source, ctx.root)
        listed, place = self._entries(ctx, inputs), inputs.place if known(inputs.account_url) else None
        prefix = f"{inputs.name}/{inputs.digest}"
        return {
            "digest": inputs.digest,
            "model_version": inputs.version or inputs.digest[:SHORT_DIGEST],
            "path": f"{prefix}/{source.absolute().name}",
            "folder_url": f"{place.account_url}/{place.container}/{prefix}" if place else "",
            "is_folder": source.is_dir(),
            "size": sum(entry.size for entry in listed),
            "files": len(listed),
            "sizes": {entry.name: entry.size for entry in listed},
        }
