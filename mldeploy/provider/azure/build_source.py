"""The build context as one file; and what earlier versions kept of it in their states."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from mldeploy.artifacts.content import entries
from mldeploy.provider.framework.declare import Declaration, In, Opt, Out, computed, field, output
from mldeploy.provider.framework.resource import Context, Live, Resource


class BuildSourceFields(Declaration, token="mldeploy:azure:BuildSource"):
    """Retired: a build context that was uploaded for an ACR task."""

    registry_id: In[str] = field("The registry's resource id.")
    context: In[str] = field("The folder, relative to the project.", replaces=False)
    epoch: Opt[str] = field("Another value uploads again.", default=None, replaces=False)
    digest: Out[str] = computed("SHA-256 of the folder.", replaces=False)
    location: Out[str] = output("The relative path that a task run takes as its source.")


class BuildSource(Resource[BuildSourceFields]):
    """Retired: ImageBuild uploads the context itself. States of before have it, and give it up."""

    def read(
        self, ctx: Context, ident: str, state: BuildSourceFields, inputs: BuildSourceFields
    ) -> Live | None:
        """Nothing is left of it: the registry deletes a source after a day."""
        return None


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
