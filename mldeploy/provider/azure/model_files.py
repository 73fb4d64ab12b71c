"""ModelFiles: a model's or a script's files in a blob container, by content."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from mldeploy.artifacts.content import ContentError, Entry, SqliteHashCache, digest_entries
from mldeploy.artifacts.sources import locate
from mldeploy.home import cache_dir
from mldeploy.provider.azure import blobs
from mldeploy.provider.framework.resource import CheckError, Context, Field, ProvisionError, Resource
from mldeploy.provider.local.store import model_entries, pinned_message

_SHORT = 12


class ModelFiles(Resource):
    """A file or folder as blobs under ``<name>/<digest>/``. Other content is another prefix, made before the old one
    goes; the same content is never sent twice."""

    token = "mldeploy:azure:ModelFiles"  # noqa: S105
    description = (
        "A model's files in a blob container: content-addressed, verified, uploaded with your own identity."
    )
    inputs = {
        "account_url": Field(
            kind="string", required=True, description="https://<account>.blob.core.windows.net"
        ),
        "container": Field(kind="string", required=True, description="The container's name."),
        "name": Field(kind="string", required=True, description="The model's name."),
        "source": Field(
            kind="string",
            required=True,
            replaces=False,
            description="A file or folder relative to the project, or runs:/<run id>/<path>.",
        ),
        "version": Field(kind="string", description="A fixed version; by default it comes from the content."),
        "digest": Field(kind="string", computed=True, description="SHA-256 of the content."),
    }
    outputs = {
        "model_version": Field(kind="string", description="The fixed version, or 12 digits of the digest."),
        "path": Field(kind="string", description="Where the file or folder is in the container."),
        "folder_url": Field(kind="string", description="The address of the folder that holds it."),
        "is_folder": Field(kind="boolean", description="Whether the source is a folder."),
        "size": Field(kind="integer", description="Bytes in all files."),
        "files": Field(kind="integer", description="The number of files."),
        "sizes": Field(
            kind="map",
            items=Field(kind="integer", description="Bytes."),
            description="Every file and its size.",
        ),
    }

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Digest the source; a fixed version must not have been something else."""
        if not isinstance(news["source"], str):
            return {}
        try:
            listed = model_entries(locate(news["source"], ctx.root))
            content = digest_entries(listed, SqliteHashCache(cache_dir() / "hashes.sqlite"))
        except ContentError as error:
            raise CheckError(("source", str(error))) from None
        same = news.get("version") and all(news[name] == olds.get(name) for name in ("version", "name"))
        if same and olds.get("digest") not in (None, content):
            message = pinned_message(news["name"], news["version"], olds["digest"], content)
            raise CheckError(("version", message))
        return {"digest": content}

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """All but addresses comes from the content."""
        if "digest" not in inputs:
            return {}
        found = self._outputs(ctx, inputs)
        if not isinstance(inputs["account_url"], str) or not isinstance(inputs["container"], str):
            del found["folder_url"]
        return found

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Upload what is not there."""
        self._upload(ctx, inputs)
        outputs = self._outputs(ctx, inputs)
        return f"{inputs['name']}:{outputs['model_version']}:{secrets.token_hex(4)}", outputs

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """A missing or cut file means that the files are gone: the next update uploads what is missing."""
        lost = blobs.missing(_place(state), dict(state["sizes"]))
        if lost:
            ctx.warn(
                f"model {state['name']}: {len(lost)} of {state['files']} files are gone, {lost[0]} for one"
            )
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
        """The same content from another place."""
        self._upload(ctx, news)
        return self._outputs(ctx, news)

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Delete the blobs."""
        blobs.remove(ctx, _place(state))

    def _upload(self, ctx: Context, inputs: Mapping[str, Any]) -> None:
        listed = self._entries(ctx, inputs)
        if digest_entries(listed, SqliteHashCache(cache_dir() / "hashes.sqlite")) != inputs["digest"]:
            raise ProvisionError(f"{inputs['source']} changed since it was planned: run the update again")
        blobs.upload(ctx, _place(inputs), listed)

    @staticmethod
    def _entries(ctx: Context, inputs: Mapping[str, Any]) -> list[Entry]:
        try:
            return model_entries(locate(str(inputs["source"]), ctx.root))
        except ContentError as error:
            raise ProvisionError(str(error)) from None

    def _outputs(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        source = locate(str(inputs["source"]), ctx.root)
        listed = self._entries(ctx, inputs)
        place = _place(inputs)
        return {
            "digest": inputs["digest"],
            "model_version": inputs.get("version") or str(inputs["digest"])[:_SHORT],
            "path": f"{place.prefix}/{source.absolute().name}",
            "folder_url": f"{place.account_url}/{place.container}/{place.prefix}",
            "is_folder": source.is_dir(),
            "size": sum(entry.size for entry in listed),
            "files": len(listed),
            "sizes": {entry.name: entry.size for entry in listed},
        }


def _place(values: Mapping[str, Any]) -> blobs.Place:
    account = str(values["account_url"]).rstrip("/")
    return blobs.Place(account, str(values["container"]), f"{values['name']}/{values['digest']}")
