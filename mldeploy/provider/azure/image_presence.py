"""ImagePresence: whether an image is still in its registry, which the docker plugin never looks at."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from mldeploy.provider.azure.registry import find_manifest
from mldeploy.provider.resource import Context, Field, Resource


class ImagePresence(Resource):
    """Comes before the image in the graph, and hands it an epoch. When a refresh finds the tag gone from the registry,
    this resource is gone; the next update makes a new one with a new epoch, which makes the image build and push again.
    """

    token = "mldeploy:azure:ImagePresence"  # noqa: S105
    description = "Whether an image's tag is still in its registry."
    inputs = {
        "server": Field(kind="string", required=True, description="The registry's host name."),
        "repository": Field(kind="string", required=True, description="The repository in it."),
        "tag": Field(
            kind="string", required=True, replaces=False, description="The tag: the context's digest."
        ),
    }
    outputs = {"epoch": Field(kind="string", description="Changes when the image has to be pushed again.")}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """A new epoch; the image is pushed next."""
        epoch = secrets.token_hex(4)
        return f"{inputs['server']}/{inputs['repository']}#{epoch}", {"epoch": epoch}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Ask the registry.

        Raises:
            ProvisionError: the registry cannot be asked, which is no proof of absence.
        """
        server, repository, tag = (str(state[name]) for name in ("server", "repository", "tag"))
        if find_manifest(server, repository, tag) is None:
            ctx.warn(
                f"{server}/{repository}:{tag} is not in the registry any more: the next update pushes it again"
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
        """A new tag: the image follows it by itself."""
        return {"epoch": state["epoch"]}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """The image stays in the registry: a rollback may need it, and retention is the registry's own task."""
