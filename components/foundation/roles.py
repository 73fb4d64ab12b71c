"""Role assignments: the built-in roles that services need, and nothing more."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Literal, get_args

import pulumi

from components.sdk.azure import RoleGrant

Role = Literal[
    "AcrPull",
    "Storage Blob Data Reader",
    "Storage Blob Data Contributor",
    "Storage Queue Data Contributor",
    "Storage Table Data Contributor",
    "Key Vault Secrets User",
    "Monitoring Metrics Publisher",
    "Network Contributor",
    "IoT Hub Data Contributor",
    "Azure Kubernetes Service RBAC Cluster Admin",
]
PrincipalType = Literal["ServicePrincipal", "User", "Group"]
_BEFORE = "azure-native:authorization:RoleAssignment"
PRINCIPALS: Final = get_args(PrincipalType)


def grant(
    logical_name: str,
    role: Role,
    *,
    scope: pulumi.Input[str],
    principal_id: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
    principal_type: pulumi.Input[str] = "ServicePrincipal",
    path_prefix: str | None = None,
    settle_seconds: int | None = None,
) -> RoleGrant:
    """Give a role on one resource, or on the blobs under a path of it. An equal assignment that is there is used.

    ``opts`` are the parent's own for a child, and for this grant alone.

    Raises:
        ValueError: ``principal_type`` is none of :data:`PRINCIPALS`.
    """
    if not isinstance(principal_type, (pulumi.Output, Awaitable)) and principal_type not in PRINCIPALS:
        raise ValueError(f"principal_type: {principal_type!r} is not allowed; choose {', '.join(PRINCIPALS)}")
    # States of before have azure-native's assignment. It is the same object on Azure, so it has to go first.
    opts.aliases, opts.delete_before_replace = [pulumi.Alias(type_=_BEFORE)], True
    return RoleGrant(
        logical_name,
        scope=scope,
        principal_id=principal_id,
        principal_type=principal_type,
        role=role,
        path_prefix=path_prefix,
        settle_seconds=settle_seconds,
        opts=opts,
    )
