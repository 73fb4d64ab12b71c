"""What a record of a model version does with its source, wherever the files go."""

from __future__ import annotations

from typing import Any

from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest_entries
from mldeploy.artifacts.sources import locate, model_entries
from mldeploy.home import cache_dir
from mldeploy.provider.framework.declare import Declaration, In, Opt, Out, computed, field
from mldeploy.provider.framework.resource import CheckError, Context, known

SHORT_DIGEST = 12


class ModelSourceFields(Declaration):
    """A model's name, and where its files come from."""

    name: In[str] = field("The model's name.")
    source: In[str] = field(
        "A file or folder relative to the project, runs:/<run id>/<path>, or models:/<name>/<version>.",
        replaces=False,
    )
    version: Opt[str] = field("A fixed version; by default it comes from the content.", default=None)
    digest: Out[str] = computed("SHA-256 of the content.")


def checked_digest(ctx: Context, old: ModelSourceFields, new: ModelSourceFields) -> dict[str, Any]:
    """The computed input `digest`, as far as the source is known.

    Raises:
        CheckError: the source cannot be read, or a fixed version has other content by now.
    """
    if not known(new.source):
        return {}
    try:
        listed = model_entries(locate(new.source, ctx.root))
        with SqliteHashCache(cache_dir() / "hashes.sqlite") as cache:
            content = digest_entries(listed, cache)
    except ContentError as error:
        raise CheckError(("source", str(error))) from None
    same = new.version and (new.version, new.name) == (old.version, old.name)
    if same and old.digest not in (None, content):
        raise CheckError(("version", pinned_message(new.name, str(new.version), old.digest, content)))
    return {"digest": content}


def pinned_message(name: str, version: str, registered: str, found: str) -> str:
    """Why a version cannot be registered again."""
    return (
        f"version {version!r} of model {name!r} is registered with the content {registered}; "
        f"the source now has {found}. A version never changes: give the new content another version, "
        "or leave the version out"
    )
