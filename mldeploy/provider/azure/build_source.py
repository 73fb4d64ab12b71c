"""BuildSource: a build context where an ACR task can read it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest, entries
from mldeploy.home import cache_dir
from mldeploy.provider.azure import arm
from mldeploy.provider.framework.resource import CheckError, Context, Field, ProvisionError, Resource

_API: Final = "2019-06-01-preview"
_TIMEOUT: Final = 600


class BuildSource(Resource):
    """A folder as a `.tar.gz` at the address that the registry hands out for build sources. The registry deletes it
    by itself after a day, so it is only ever as good as the build that follows."""

    token = "mldeploy:azure:BuildSource"  # noqa: S105
    description = "A build context, uploaded for an ACR task."
    inputs = {
        "registry_id": Field(kind="string", required=True, description="The registry's resource id."),
        "context": Field(
            kind="string", required=True, replaces=False, description="The folder, relative to the project."
        ),
        "epoch": Field(kind="string", replaces=False, description="Another value uploads again."),
        "digest": Field(kind="string", computed=True, replaces=False, description="SHA-256 of the folder."),
    }
    outputs = {
        "location": Field(kind="string", description="The relative path that a task run takes as its source.")
    }

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Digest the folder."""
        if not isinstance(news["context"], str):
            return {}
        try:
            return {
                "digest": digest(
                    ctx.root / news["context"], cache=SqliteHashCache(cache_dir() / "hashes.sqlite")
                )
            }
        except ContentError as error:
            raise CheckError(("context", str(error))) from None

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Upload it."""
        location = self._upload(ctx, inputs)
        return f"{inputs['registry_id']}#{str(inputs['digest'])[:12]}", {"location": location}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Whether the file is still there does not matter once the image is built."""
        return dict(state), {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Upload the new one."""
        return {"location": self._upload(ctx, news)}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """The registry deletes it."""

    @staticmethod
    def _upload(ctx: Context, inputs: Mapping[str, Any]) -> str:
        found = arm.call(ctx, "POST", f"{inputs['registry_id']}/listBuildSourceUploadUrl", _API) or {}
        url, relative = found.get("uploadUrl"), found.get("relativePath")
        if not url or not relative:
            raise ProvisionError(
                f"{inputs['registry_id']} gave no upload address: are ACR tasks allowed there?"
            )
        packed = pack(ctx.root / str(inputs["context"]))
        answer = httpx.put(
            str(url), content=packed, headers={"x-ms-blob-type": "BlockBlob"}, timeout=_TIMEOUT
        )
        if answer.is_error:
            # The address carries a signature, so it is no part of the message.
            raise ProvisionError(f"uploading the build context: {answer.status_code} {answer.reason_phrase}")
        return str(relative)


def pack(folder: Path) -> bytes:
    """The folder as `.tar.gz`: sorted, no times, no owners, so that equal folders are equal bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in entries(folder):
            info = tarfile.TarInfo(entry.name)
            info.size, info.mode = entry.size, 0o755 if entry.path.stat().st_mode & 0o100 else 0o644
            with entry.path.open("rb") as file:
                archive.addfile(info, file)
    return buffer.getvalue()
