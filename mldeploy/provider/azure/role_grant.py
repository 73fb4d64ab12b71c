"""RoleGrant: a role on a resource for somebody. Azure has each pair once: what is there already is used, and stays."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final, cast

from mldeploy.provider.azure import arm, caller, roles
from mldeploy.provider.azure.arm import ArmError
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, Opt, Or, Out, field, output
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    Diff,
    Live,
    ProvisionError,
    Resource,
    known,
)

_API: Final = "2022-04-01"
_REFUSED, _CONFLICT = 403, 409
# A new identity reaches the directory's replicas within minutes; with its type given, the assignment does not wait
# for all of them: https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template
_DIRECTORY_SECONDS: Final = 5 * 60.0


class RoleGrantFields(Declaration, token="mldeploy:azure:RoleGrant"):
    """A role on a resource: granted, or found granted."""

    scope: In[str] = field("The id of the resource it is for.")
    principal_id: In[str] = field("Object id of who gets it.")
    principal_type: In[str] = field("`ServicePrincipal`, `User` or `Group`.", replaces=False)
    role: In[str] = field("The built-in role.")
    path_prefix: Opt[str] = field(
        "Only blobs whose path begins so (a condition of the assignment).", default=None
    )
    settle_seconds: Or[int] = field(
        "How long to wait after it was granted, where nobody can see that it works.",
        default=0,
        minimum=0,
        maximum=3600,
        replaces=False,
    )
    assignment_id: Out[str] = output("The assignment's id.")
    owned: Out[bool] = output("Whether it was made here, and goes with the stack.", default=False)


class RoleGrant(Resource[RoleGrantFields]):
    """A role assignment. An equal one of somebody else (another stack, a colleague) is adopted and never deleted;
    without the right to grant, the error has the command for somebody who may."""

    def check(self, ctx: Context, old: RoleGrantFields, new: RoleGrantFields) -> dict[str, Any]:
        """Resources have long ids, principals are objects, and roles are known here."""
        if known(new.scope) and not new.scope.lower().startswith("/subscriptions/"):
            raise CheckError(("scope", f"is {new.scope!r}; allowed: a resource's id, /subscriptions/…"))
        if known(new.role) and new.role not in roles.ROLES:
            raise CheckError(("role", f"is {new.role!r}; allowed: {', '.join(roles.ROLES)}"))
        if known(new.principal_id):
            try:
                uuid.UUID(new.principal_id)
            except ValueError:
                raise CheckError(
                    ("principal_id", f"is {new.principal_id!r}; allowed: an object id")
                ) from None
        return {}

    def diff(self, ctx: Context, change: Change[RoleGrantFields]) -> Diff:
        """Also whether one that was found granted is still there: it goes when its owner takes it back."""
        found = super().diff(ctx, change)
        if not known(change.new.principal_id):
            # A preview without a login: nobody says that somebody else runs this.
            found.ignore("principal_id", "principal_type")
        if found.details or change.state.owned:
            return found
        try:
            gone = arm.call(ctx, "GET", change.state.assignment_id, _API, missing_ok=True) is None
        except ProvisionError as error:
            ctx.warn(f"whether {change.new.role} is still granted was not looked at: {error}")
            return found
        if gone:
            found.drifted("owned")
        return found

    def create(self, ctx: Context, inputs: RoleGrantFields) -> tuple[str, dict[str, Any]]:
        """Grant it; adopt an equal one."""
        ident = _ident(ctx, inputs)
        try:
            found = _grant(ctx, ident, inputs)
        except ArmError as error:
            if error.status != _REFUSED:
                raise
            there = _equal(ctx, inputs)
            if there is None:
                raise ProvisionError(_not_allowed(inputs, error)) from None
            found = there
        if inputs.settle_seconds:
            ctx.status(f"{inputs.role} was granted; it gets {waiting.span(inputs.settle_seconds)} to work")
            waiting.pause(ctx, inputs.settle_seconds)
        return found, {"assignment_id": found, "owned": found.lower() == ident.lower()}

    def read(self, ctx: Context, ident: str, state: RoleGrantFields, inputs: RoleGrantFields) -> Live | None:
        """Whether it is still there."""
        return None if arm.call(ctx, "GET", state.assignment_id, _API, missing_ok=True) is None else Live()

    def update(self, ctx: Context, change: Change[RoleGrantFields]) -> dict[str, Any]:
        """Grant it again where it went; how long it settled does not matter any more."""
        ident = change.state.assignment_id
        if arm.call(ctx, "GET", ident, _API, missing_ok=True) is not None:
            return {"assignment_id": ident, "owned": change.state.owned}
        return self.create(ctx, change.new)[1]

    def delete(self, ctx: Context, ident: str, state: RoleGrantFields) -> None:
        """Take it back, if it was given here."""
        if state.owned:
            arm.call(ctx, "DELETE", state.assignment_id, _API, missing_ok=True)


def _grant(ctx: Context, ident: str, inputs: RoleGrantFields) -> str:
    properties: dict[str, Any] = {
        "principalId": inputs.principal_id,
        "principalType": inputs.principal_type,
        "roleDefinitionId": roles.definition(inputs.scope, inputs.role),
    }
    if inputs.path_prefix:
        properties |= {"condition": condition(inputs.path_prefix), "conditionVersion": "2.0"}

    def attempt() -> str:
        try:
            arm.call(ctx, "PUT", ident, _API, {"properties": properties})
        except ArmError as error:
            if error.status == _CONFLICT and error.code == "RoleAssignmentExists":
                return _named(inputs.scope, error.message) or _equal(ctx, inputs) or ident
            if error.code == "PrincipalNotFound":
                raise waiting.NotYetError(error.message) from None
            raise
        return ident

    return waiting.patiently(
        ctx,
        attempt,
        what=f"the directory to know {inputs.principal_id}",
        limit=_DIRECTORY_SECONDS,
        advice="is that the object id of an identity of this tenant?",
    )


def _ident(ctx: Context, inputs: RoleGrantFields) -> str:
    """An assignment's id that follows from what it says and whose it is: a repeated request is the same one."""
    said = "|".join((inputs.principal_id, inputs.role, inputs.path_prefix or ""))
    scope = inputs.scope.rstrip("/")
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{ctx.scope}|{scope.lower()}|{said}")
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


def condition(prefix: str) -> str:
    """Only blobs whose path begins so, in the language of
    https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples."""
    actions = " AND ".join(
        f"!(ActionMatches{{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{action}'}})"
        for action in ("read", "write", "add/action", "delete")
    )
    path = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]"
    return f"(({actions}) OR ({path} StringLike '{prefix}*'))"


def _named(scope: str, message: str) -> str | None:
    """The assignment that a conflict's message names: 32 hexadecimal digits without hyphens."""
    match = re.search(r"\b([0-9a-f]{32})\b", message)
    if match is None:
        return None
    return f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{uuid.UUID(match[1])}"


def _equal(ctx: Context, inputs: RoleGrantFields) -> str | None:
    """The id of an equal assignment at the same scope, if we may see it."""
    scope = inputs.scope.rstrip("/")
    query = f"$filter=principalId eq '{inputs.principal_id}'"
    try:
        found = arm.call(
            ctx, "GET", f"{scope}/providers/Microsoft.Authorization/roleAssignments", _API, query=query
        )
    except ArmError:
        return None
    wanted = roles.ROLES[inputs.role]
    for one in cast("list[dict[str, Any]]", (found or {}).get("value") or []):
        properties = cast("dict[str, Any]", one.get("properties") or {})
        same_role = str(properties.get("roleDefinitionId", "")).lower().endswith(wanted)
        place = str(one.get("id", "")).rsplit("/providers/", 1)[0].lower()
        # One on a resource group or a subscription is as good as one on the resource; a condition makes it less.
        wide = f"{scope.lower()}/".startswith(f"{place}/")
        if same_role and wide and not properties.get("condition"):
            return str(one["id"])
    return None


def _not_allowed(inputs: RoleGrantFields, error: ArmError) -> str:
    prefix = inputs.path_prefix or ""
    line = roles.command(
        inputs.principal_id,
        inputs.principal_type,
        inputs.role,
        inputs.scope,
        condition(prefix) if prefix else "",
    )
    who = caller.claims_of(arm.token(f"{arm.endpoint()}/.default"))
    group = "/".join(inputs.scope.split("/")[:5])
    all_at_once = roles.command(
        str(who.get("oid", "<object id>")), caller.kind(who), roles.GRANTS_ROLES, group
    )
    return (
        f"who runs this may grant no roles ({error.code}). Somebody who may (Owner, or {roles.GRANTS_ROLES}) runs "
        f"this, and `up` then goes on:\n  {line}\n"
        f"or, once for every role that the stack needs there:\n  {all_at_once}"
    )
