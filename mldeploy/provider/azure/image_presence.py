"""ImagePresence: what an image's tag has to be, and whether the registry still has what was pushed under it.

The docker plugin looks at neither: its digest of a context leaves the base image out, and it never asks the registry.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from mldeploy.provider.azure.registry import Reference, find_manifest
from mldeploy.provider.azure.registry_login import Login
from mldeploy.provider.framework.resource import Context, Diff, Field, ProvisionError, Resource, known

_TAG_LENGTH = 32


class ImagePresence(Resource):
    """Comes before the image in the graph, and hands it a tag, a base image by digest, and an epoch.

    When somebody moves the base image's tag, the next plan has another tag for the image, which is built anew. When a
    refresh finds the image gone from the registry, this resource is gone; the next update makes a new one with a new
    epoch, which makes the image build and push again.
    """

    token = "mldeploy:azure:ImagePresence"  # noqa: S105
    description = "What an image's tag has to be, and whether it is still in its registry."
    inputs = {
        "server": Field(kind="string", required=True, description="The registry's host name."),
        "repository": Field(kind="string", required=True, description="The repository in it."),
        "tag": Field(kind="string", required=True, replaces=False, description="The context's digest."),
        "base_image": Field(
            kind="string", replaces=False, description="The base image. Without one the tag is `tag`."
        ),
        "base_login": Field(
            kind="object",
            secret=True,
            replaces=False,
            type_name="RegistryLogin",
            fields={
                "address": Field(kind="string", required=True, description="Which registry it is for."),
                "username": Field(kind="string", required=True, description="Who asks."),
                "password": Field(kind="string", required=True, secret=True, description="The password."),
            },
            description="A login to the base image's registry. Default: as Docker does it.",
        ),
    }
    outputs = {
        "epoch": Field(kind="string", description="Changes when the image has to be pushed again."),
        "image_tag": Field(kind="string", description="The tag: a digest of context and base image."),
        "base": Field(kind="string", description="The base image, by digest where that is known."),
        "base_digest": Field(kind="string", description="The base image's digest, or empty."),
        "digest": Field(kind="string", description="What a refresh found under the tag, or empty."),
    }

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The tag of an image on a base by digest; other registries are asked when it is made."""
        base = inputs.get("base_image")
        if not known(inputs["tag"], base) or (base and not Reference.parse(str(base)).pinned):
            return {}
        return _named(inputs, "")

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """A new epoch; the image is pushed next."""
        epoch = secrets.token_hex(4)
        made = {"epoch": epoch, "digest": "", **_named(inputs, _asked(ctx, inputs, "") or "")}
        return f"{inputs['server']}/{inputs['repository']}#{epoch}", made

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Also whether the base image's tag means another image by now."""
        found = super().diff(ctx, ident, state, olds, news)
        found.details = {
            path: kind for path, kind in found.details.items() if not path.startswith("base_login")
        }
        last = str(state.get("base_digest") or "")
        if not found.details and (_asked(ctx, news, last) or last) != last:
            found.details["base_digest"] = "update"
            found.drift.add("base_digest")
        return found

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Ask the registry: by the digest that the first refresh found under the tag, since services run that.

        Raises:
            ProvisionError: the registry cannot be asked, which is no proof of absence.
        """
        server, repository = str(state["server"]), str(state["repository"])
        wanted = str(state.get("digest") or state.get("image_tag") or state["tag"])
        digest = find_manifest(server, repository, wanted)
        if digest is None:
            ctx.warn(
                f"{server}/{repository}: {wanted} is not in the registry any more: the next update pushes it again"
            )
            return None
        return {**state, "digest": digest}, {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """A new tag: the image follows it by itself."""
        last = str(state.get("base_digest") or "") if olds.get("base_image") == news.get("base_image") else ""
        named = _named(news, _asked(ctx, news, last) or last)
        same = named["image_tag"] == state.get("image_tag")
        return {"epoch": state["epoch"], "digest": state.get("digest", "") if same else "", **named}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """The image stays in the registry: a rollback may need it, and retention is the registry's own task."""


def _named(inputs: Mapping[str, Any], digest: str) -> dict[str, str]:
    """The tag and the base image that follow from a context and the base image's digest."""
    tag, base = str(inputs["tag"]), str(inputs.get("base_image") or "")
    if not digest:
        return {"image_tag": tag, "base": base, "base_digest": ""}
    both = hashlib.sha256(f"{tag}\n{digest}".encode()).hexdigest()
    return {"image_tag": both[:_TAG_LENGTH], "base": f"{base}@{digest}", "base_digest": digest}


def _asked(ctx: Context, inputs: Mapping[str, Any], last: str) -> str | None:
    """The base image's digest now; None where its name has one, or where nobody can be asked, which is said."""
    base = inputs.get("base_image")
    reference = Reference.parse(str(base)) if base else None
    if reference is None or reference.pinned:
        return None
    login = inputs.get("base_login")
    if not known(login):
        return None
    if login and login["address"] != reference.server:
        login = None
    stands = f"{last} stands" if last else "it is not part of the tag"
    try:
        found = find_manifest(
            reference.server,
            reference.repository,
            reference.tag,
            Login(str(login["username"]), str(login["password"])) if login else None,
        )
    except ProvisionError as error:
        ctx.warn(f"the digest of the base image {base} is not known now: {error}; {stands}")
        return None
    if found is None:
        # Maybe one that only the Docker engine of this machine has.
        ctx.info(f"the base image {base} is in no registry that answers; {stands}")
    return found
