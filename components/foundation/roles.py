"""Role assignments: the built-in roles that services need, and nothing more."""

from __future__ import annotations

import uuid
from typing import Final, Literal

import pulumi
from pulumi_azure_native import authorization

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES: Final = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
}
Role = Literal[
    "AcrPull",
    "Storage Blob Data Reader",
    "Storage Blob Data Contributor",
    "Key Vault Secrets User",
    "Monitoring Metrics Publisher",
    "Azure Kubernetes Service RBAC Cluster Admin",
]
PrincipalType = Literal["ServicePrincipal", "User", "Group"]


def grant(
    logical_name: str,
    role: Role,
    *,
    scope: pulumi.Input[str],
    principal_id: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
    principal_type: PrincipalType = "ServicePrincipal",
) -> authorization.RoleAssignment:
    """Give a role on one resource. The assignment's name follows from what it says, so that a new principal is a
    new assignment and the same one is never made twice (the service refuses both)."""
    where, who = pulumi.Output.from_input(scope), pulumi.Output.from_input(principal_id)
    return authorization.RoleAssignment(
        logical_name,
        role_assignment_name=pulumi.Output.all(where, who).apply(
            lambda of: assignment_name(of[0], of[1], role)
        ),
        scope=where,
        principal_id=who,
        # Without it a fresh identity that has not reached every replica of the directory is refused.
        principal_type=principal_type,
        role_definition_id=where.apply(lambda scope_id: role_definition(scope_id, role)),
        opts=opts,
    )


def assignment_name(scope: str, principal: str, role: Role) -> str:
    """A UUID over scope, principal and role."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{principal}|{ROLES[role]}"))


def role_definition(scope: str, role: Role) -> str:
    """The id of a built-in role in the subscription of ``scope``."""
    subscription = scope.strip("/").split("/")[1]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
