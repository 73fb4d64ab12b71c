"""Who runs this: the object that the login's tokens are about, so that it can be given what it needs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

from mldeploy.provider.azure import arm
from mldeploy.provider.framework.declare import Declaration, Out, output
from mldeploy.provider.framework.resource import Context, Function, ProvisionError


class CallerFields(Declaration, token="mldeploy:azure:getCaller"):
    """Who is logged in to Azure where this runs."""


class CallerAnswer(Declaration):
    """The login's object, or why it is not known."""

    principal_id: Out[str] = output("The object id.")
    principal_type: Out[str] = output("`User` or `ServicePrincipal`.")
    problem: Out[str] = output("Why it is not known.")


class GetCaller(Function[CallerFields]):
    """The user, service principal, managed identity or pipeline that is logged in. Having no login is part of the
    answer, because a preview goes on without one."""

    answer = CallerAnswer

    def call(self, ctx: Context, args: CallerFields) -> dict[str, Any]:
        """Read it from a token of Resource Manager."""
        try:
            claims = claims_of(arm.token(f"{arm.endpoint()}/.default"))
        except ProvisionError as error:
            return {"problem": str(error)}
        if not claims.get("oid"):
            return {"problem": "the login's token names no object id"}
        return {"principal_id": str(claims["oid"]), "principal_type": kind(claims)}


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; nothing is verified, since it only tells us about ourselves. Empty where it is opaque."""
    try:
        part = token.split(".")[1]
        found: Any = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def kind(claims: Mapping[str, Any]) -> str:
    """`User` or `ServicePrincipal`, by the claims of
    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference: `idtyp`, else a user's name."""
    if claims.get("idtyp"):
        return "ServicePrincipal" if claims["idtyp"] == "app" else "User"
    return "User" if any(claims.get(name) for name in ("upn", "unique_name", "scp")) else "ServicePrincipal"
