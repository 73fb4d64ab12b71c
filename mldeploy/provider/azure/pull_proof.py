"""PullProof: an identity can pull an image, shown by a container group of a moment that needs it.

A role assignment works minutes after it was made, Azure tells nobody when, and a container group whose image is not
accessible is refused for good (`InaccessibleImage`). So the first group is one that may be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from mldeploy.provider.azure import arm
from mldeploy.provider.azure.arm import ArmError
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, Opt, Out, Texts, field, output
from mldeploy.provider.framework.resource import Change, Context, Resource

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_API: Final = "2024-05-01-preview"
# What a new identity or a new role is answered with:
# https://learn.microsoft.com/azure/container-instances/container-instances-troubleshooting
_PASSING: Final = frozenset({"InaccessibleImage", "FailedIdentityOperation", "LinkedAuthorizationFailed"})


class PullProofFields(Declaration, token="mldeploy:azure:PullProof"):
    """That an identity can pull an image."""

    resource_group_id: In[str] = field("Where to try.", replaces=False)
    location: In[str] = field("The region.", replaces=False)
    name: In[str] = field("The name of the group of a moment.", replaces=False)
    image: In[str] = field("The image to pull.", replaces=False)
    server: In[str] = field("Its registry's host name.")
    identity_id: In[str] = field("The identity's resource id.")
    principal_id: In[str] = field("Its object id: made anew, it is another.")
    subnet_id: Opt[str] = field("The subnet of the real group.", default=None, replaces=False)
    tags: Texts = field("Tags of the group of a moment.", default=_NOTHING, replaces=False)
    waited: Out[float] = output("How many seconds it took until it was possible.", default=0.0)


class PullProof(Resource[PullProofFields]):
    """Made once for each identity and registry. Nothing of it stays on Azure, and what was shown was shown."""

    def create(self, ctx: Context, inputs: PullProofFields) -> tuple[str, dict[str, Any]]:
        """Try until it is possible."""
        group = (
            f"{inputs.resource_group_id}/providers/Microsoft.ContainerInstance/containerGroups/{inputs.name}"
        )
        started = waiting.now()

        def attempt() -> None:
            try:
                arm.call(ctx, "PUT", group, _API, _body(inputs))
            except ArmError as error:
                if error.code in _PASSING:
                    raise waiting.NotYetError(error.code) from None
                raise

        try:
            waiting.patiently(
                ctx,
                attempt,
                what=f"the right of {inputs.identity_id} to pull from {inputs.server}",
                limit=waiting.ROLE_SECONDS,
                advice=f"the identity needs the role AcrPull on the registry, and {inputs.image} must be there",
            )
        finally:
            arm.call(ctx, "DELETE", group, _API, missing_ok=True)
        return f"{inputs.identity_id}@{inputs.server}", {"waited": round(waiting.now() - started, 1)}

    def update(self, ctx: Context, change: Change[PullProofFields]) -> dict[str, Any]:
        """Another image of the same registry needs no other right."""
        return {"waited": change.state.waited}


def _body(inputs: PullProofFields) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "osType": "Linux",
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "pull",
                "properties": {
                    "image": inputs.image,
                    "command": ["/bin/true"],
                    "resources": {"requests": {"cpu": 1.0, "memoryInGB": 1.0}},
                },
            }
        ],
        "imageRegistryCredentials": [{"server": inputs.server, "identity": inputs.identity_id}],
    }
    if inputs.subnet_id:
        properties["subnetIds"] = [{"id": inputs.subnet_id}]
    return {
        "location": inputs.location,
        "tags": dict(inputs.tags),
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {inputs.identity_id: {}}},
        "properties": properties,
    }
