"""Who runs `up`: whom the manifest names, else whoever is logged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components.context import Context

_GET = "mldeploy:azure:getCaller"


@dataclass(frozen=True)
class Deployer:
    """Object id and kind (`User`, `Group`, `ServicePrincipal`); unknown in a preview without a login."""

    principal_id: pulumi.Input[str]
    principal_type: pulumi.Input[str]


def deployer(context: Context) -> Deployer:
    """Found out once.

    Raises:
        pulumi.RunError: nobody is logged in, and the manifest names nobody (in an update only).
    """

    def make() -> Deployer:
        azure = context.manifest.azure
        if azure.deployer_principal_id is not None:
            return Deployer(azure.deployer_principal_id, azure.deployer_type)
        answer: pulumi.Output[Any] = pulumi.runtime.invoke_output(_GET, {})

        def take(key: str) -> pulumi.Output[str]:
            return cast("pulumi.Output[str]", answer.apply(lambda found: _known(found, key)))

        return Deployer(take("principal_id"), take("principal_type"))

    return context.shared(("azure", "deployer"), make)


def _known(found: Mapping[str, Any], key: str) -> Any:
    if not found.get("problem"):
        return found[key]
    if pulumi.runtime.is_dry_run():
        return pulumi.UNKNOWN
    raise pulumi.RunError(
        f"who runs this is not known, so it cannot be given the right to upload models: {found['problem']}; log in, or "
        "write azure.deployer_principal_id"
    )
