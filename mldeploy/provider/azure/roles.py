"""Built-in roles, and the commands with which somebody else gives them."""

from __future__ import annotations

from typing import Final

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES: Final = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "IoT Hub Data Contributor": "4fc6c259-987e-4a07-842e-c321cc9d413f",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
}
GRANTS_ROLES: Final = "Role Based Access Control Administrator"
"""The narrowest built-in role that may grant others."""
# Names of built-in roles that data-plane errors mention but that nothing here assigns are not in the table.


def definition(scope: str, role: str) -> str:
    """The id of a built-in role in the subscription of ``scope``."""
    subscription = scope.strip("/").split("/")[1]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"


def command(principal: str, kind: str, role: str, scope: str, condition: str = "") -> str:
    """The line that grants it, for somebody who may."""
    line = (
        f"az role assignment create --assignee-object-id {principal} --assignee-principal-type {kind} "
        f'--role "{role}" --scope "{scope}"'
    )
    return f'{line} --condition-version 2.0 --condition "{condition}"' if condition else line
