"""BuildSource: a build context where an ACR task can read it."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any, Final

import httpx

from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest, entries
from mldeploy.home import cache_dir
from mldeploy.provider.azure import arm
from mldeploy.provider.framework.declare import Declaration, In, Opt, Out, computed, field, output
from mldeploy.provider.framework.resource import Change, CheckError, Context, ProvisionError, Resource, known

_API: Final = "2019-06-01-preview"
_TIMEOUT: Final = 600


class BuildSourceFields(Declaration, token="mldeploy:azure:BuildSource"):
    """A build context, uploaded for an ACR task."""

    registry_id: In[str] = field("The registry's resource id.")
    context: In[str] = field("The folder, relative to the project.", replaces=False)
    epoch: Opt[str] = field("Another value uploads again.", default=None, replaces=False)
    digest: Out[str] = computed("SHA-256 of the folder.", replaces=False)
    location: Out[str] = output("The relative path that a task run takes as its source.")


class BuildSource(Resource[BuildSourceFields]):
    """A folder as a `.tar.gz` at the address that the registry hands out for build sources. The registry deletes it
    by itself after a day, so it is only ever as good as the build that follows: whether it is still there does not
    matter once the image is built."""

    def check(self, ctx: Context, old: BuildSourceFields, new: BuildSourceFields) -> dict[str, Any]:
        """Digest the folder."""
        if not known(new.context):
            return {}
        try:
            cache = SqliteHashCache(cache_dir() / "hashes.sqlite")
            return {"digest": digest(ctx.root / new.context, cache=cache)}
        except ContentError as error:
            raise CheckError(("context", str(error))) from None

    def create(self, ctx: Context, inputs: BuildSourceFields) -> tuple[str, dict[str, Any]]:
        """Upload it."""
        return f"{inputs.registry_id}#{inputs.digest[:12]}", _upload(ctx, inputs)

    def update(self, ctx: Context, change: Change[BuildSourceFields]) -> dict[str, Any]:
        """Upload the new one."""
        return _upload(ctx, change.new)


def _upload(ctx: Context, inputs: BuildSourceFields) -> dict[str, Any]:
    found = arm.call(ctx, "POST", f"{inputs.registry_id}/listBuildSourceUploadUrl", _API) or {}
    url, relative = found.get("uploadUrl"), found.get("relativePath")
    if not url or not relative:
        raise ProvisionError(f"{inputs.registry_id} gave no upload address: are ACR tasks allowed there?")
    packed = pack(ctx.root / inputs.context)
    answer = httpx.put(str(url), content=packed, headers={"x-ms-blob-type": "BlockBlob"}, timeout=_TIMEOUT)
    if answer.is_error:
        # The address carries a signature, so it is no part of the message.
        raise ProvisionError(f"uploading the build context: {answer.status_code} {answer.reason_phrase}")
    return {"location": str(relative)}


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
