"""Who may do what: roles, and when an assignment begins to work. Being an owner is no right to data."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.azure.standin.store import Store

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles: what of each role matters here.
DATA: Final[dict[str, frozenset[str]]] = {
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": frozenset({"blob.read"}),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": frozenset({"blob.read", "blob.write"}),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": frozenset({"queue"}),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": frozenset({"table"}),
    "4633458b-17de-408a-b874-0445c86b69e6": frozenset({"secret.read"}),
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": frozenset({"registry.pull"}),
    "8311e382-0749-4cb8-b61a-304f252e45ec": frozenset({"registry.pull", "registry.push"}),
    "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b": frozenset({"kubernetes"}),
    "4fc6c259-987e-4a07-842e-c321cc9d413f": frozenset({"iothub"}),
    "3913510d-42f4-4e42-8a64-420c390055eb": frozenset({"telemetry"}),
    "4d97b98b-1d4f-4787-a291-c67834d212e7": frozenset({"subnet.join"}),
}  # fmt: skip
# Roles of the control plane. Owner, Contributor and the registry's pull and push by them:
# https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview
OWNER, CONTRIBUTOR, RBAC_ADMIN, READER = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
)
CONTROL: Final = frozenset({OWNER, CONTRIBUTOR, RBAC_ADMIN, READER})
_WRITES: Final = frozenset({OWNER, CONTRIBUTOR})
_GRANTS: Final = frozenset({OWNER, RBAC_ADMIN, "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"})
_ASSIGNMENT: Final = "Microsoft.Authorization/roleAssignments"
# https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-attributes: `blobs:path` StringLike '…*'.
_PATH: Final = re.compile(r"blobs:path\]\s+StringLike\s+'([^']*)\*'")


def assignments(store: Store) -> list[dict[str, Any]]:
    """Every role assignment: its id, scope, role, principal, condition, and from when on it works."""
    found: list[dict[str, Any]] = []
    for document in store.of(_ASSIGNMENT):
        body = document["body"].get("properties", {})
        found.append(
            {
                "id": document["id"],
                "scope": document["id"].rsplit("/providers/", 1)[0].lower(),
                "role": str(body.get("roleDefinitionId", "")).rsplit("/", 1)[-1].lower(),
                "principal": str(body.get("principalId", "")).lower(),
                "condition": str(body.get("condition") or ""),
                "works_at": document.get("works_at", 0.0),
            }
        )
    return found


def may(store: Store, principal: str, action: str, scope: str, now: float, path: str = "") -> bool:
    """Whether ``principal`` may do the data-plane ``action`` in ``scope`` (an ARM id) by now; ``path``: of a blob."""
    for given in assignments(store):
        if given["principal"] != principal.lower() or given["works_at"] > now:
            continue
        if not inside(scope, given["scope"]) or action not in DATA.get(given["role"], frozenset()):
            continue
        allowed = _PATH.search(given["condition"])
        if allowed is None or path.startswith(allowed[1]):
            return True
    return False


def control_roles(store: Store, principal: str, now: float) -> list[tuple[str, str]]:
    """The roles of the control plane that ``principal`` was assigned and that work by now, as (scope, role's id)."""
    return [
        (given["scope"], given["role"])
        for given in assignments(store)
        if given["principal"] == principal.lower() and given["works_at"] <= now and given["role"] in CONTROL
    ]


def may_manage(held: list[tuple[str, str]], arm: str, scope: str, method: str) -> bool:
    """Whether somebody with these control-plane roles may ask this of Resource Manager."""
    here = {role for place, role in held if inside(scope, place)}
    if method == "GET":
        return bool(here)
    return bool(here & (_GRANTS if arm == _ASSIGNMENT else _WRITES))


def inside(scope: str, place: str) -> bool:
    return f"{scope.lower().rstrip('/')}/".startswith(f"{place.lower().rstrip('/')}/")
