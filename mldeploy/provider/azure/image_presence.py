"""ImagePresence: what an image's tag has to be, and whether the registry still has what was pushed under it.

The docker plugin looks at neither: its digest of a context leaves the base image out, and it never asks the registry.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from mldeploy.provider.azure.registry import Reference, find_manifest
from mldeploy.provider.azure.registry_login import Login
from mldeploy.provider.common.login import RegistryLogin
from mldeploy.provider.framework.declare import Declaration, In, One, Opt, Or, Out, field, output
from mldeploy.provider.framework.resource import Change, Context, Diff, Live, ProvisionError, Resource, known

_TAG_LENGTH = 32


class ImagePresenceFields(Declaration, token="mldeploy:azure:ImagePresence"):
    """What an image's tag has to be, and whether it is still in its registry."""

    server: In[str] = field("The registry's host name.")
    repository: In[str] = field("The repository in it.")
    tag: In[str] = field("The context's digest.", replaces=False)
    base_image: Opt[str] = field(
        "The base image. Without one the tag is `tag`.", default=None, replaces=False
    )
    packages: Or[Sequence[str]] = field(
        "What the image installs, as pip requirements: for reviews.", default=(), replaces=False
    )
    base_login: One[RegistryLogin] = field(
        "A login to the base image's registry. Default: as Docker does it.",
        default=None,
        secret=True,
        replaces=False,
    )
    epoch: Out[str] = output("Changes when the image has to be pushed again.")
    image_tag: Out[str] = output("The tag: a digest of context and base image.", default="")
    base: Out[str] = output("The base image, by digest where that is known.")
    base_digest: Out[str] = output("The base image's digest, or empty.", default="")
    digest: Out[str] = output("What a refresh found under the tag, or empty.", default="")


class ImagePresence(Resource[ImagePresenceFields]):
    """Comes before the image in the graph, and hands it a tag, a base image by digest, and an epoch.

    When somebody moves the base image's tag, the next plan has another tag for the image, which is built anew. When a
    refresh finds the image gone from the registry, this resource is gone; the next update makes a new one with a new
    epoch, which makes the image build and push again. When it is deleted, the image stays in the registry: a rollback
    may need it, and retention is the registry's own task.
    """

    def preview(self, ctx: Context, inputs: ImagePresenceFields) -> dict[str, Any]:
        """The tag of an image on a base by digest; other registries are asked when it is made."""
        base = inputs.base_image
        if not known(inputs.tag, base) or (base and not Reference.parse(base).pinned):
            return {}
        return _named(inputs, "")

    def create(self, ctx: Context, inputs: ImagePresenceFields) -> tuple[str, dict[str, Any]]:
        """A new epoch; the image is pushed next."""
        epoch = secrets.token_hex(4)
        made = {"epoch": epoch, "digest": "", **_named(inputs, _asked(ctx, inputs, "") or "")}
        return f"{inputs.server}/{inputs.repository}#{epoch}", made

    def diff(self, ctx: Context, change: Change[ImagePresenceFields]) -> Diff:
        """Also whether the base image's tag means another image by now."""
        found = super().diff(ctx, change)
        # A changed package is another tag; states of before have no list.
        found.ignore("base_login", "packages")
        last = change.state.base_digest
        if not found.details and (_asked(ctx, change.new, last) or last) != last:
            found.drifted("base_digest")
        return found

    def read(
        self, ctx: Context, ident: str, state: ImagePresenceFields, inputs: ImagePresenceFields
    ) -> Live | None:
        """Ask the registry: by the digest that the first refresh found under the tag, since services run that.

        Raises:
            ProvisionError: the registry cannot be asked, which is no proof of absence.
        """
        wanted = state.digest or state.image_tag or state.tag
        digest = find_manifest(state.server, state.repository, wanted)
        if digest is None:
            ctx.warn(
                f"{state.server}/{state.repository}: {wanted} is not in the registry any more: the next update pushes "
                "it again"
            )
            return None
        return Live({"digest": digest})

    def update(self, ctx: Context, change: Change[ImagePresenceFields]) -> dict[str, Any]:
        """A new tag: the image follows it by itself."""
        state, new = change.state, change.new
        last = state.base_digest if change.old.base_image == new.base_image else ""
        named = _named(new, _asked(ctx, new, last) or last)
        same = named["image_tag"] == state.image_tag
        return {"epoch": state.epoch, "digest": state.digest if same else "", **named}


def _named(inputs: ImagePresenceFields, digest: str) -> dict[str, str]:
    """The tag and the base image that follow from a context and the base image's digest."""
    tag, base = inputs.tag, inputs.base_image or ""
    if not digest:
        return {"image_tag": tag, "base": base, "base_digest": ""}
    both = hashlib.sha256(f"{tag}\n{digest}".encode()).hexdigest()
    return {"image_tag": both[:_TAG_LENGTH], "base": f"{base}@{digest}", "base_digest": digest}


def _asked(ctx: Context, inputs: ImagePresenceFields, last: str) -> str | None:
    """The base image's digest now; None where its name has one, or where nobody can be asked, which is said."""
    base, login = inputs.base_image, inputs.base_login
    if not base or not known(base, login):
        return None
    reference = Reference.parse(base)
    if reference.pinned:
        return None
    mine = login is not None and login.address == reference.server
    stands = f"{last} stands" if last else "it is not part of the tag"
    try:
        found = find_manifest(
            reference.server,
            reference.repository,
            reference.tag,
            Login(login.username, login.password) if login and mine else None,
        )
    except ProvisionError as error:
        ctx.warn(f"the digest of the base image {base} is not known now: {error}; {stands}")
        return None
    if found is None:
        # Maybe one that only the Docker engine of this machine has.
        ctx.info(f"the base image {base} is in no registry that answers; {stands}")
    return found
