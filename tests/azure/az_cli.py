"""`az`, as far as messages tell users to run it: done to the stand-in by somebody who owns the subscription."""

from __future__ import annotations

import itertools
import shlex
import uuid
from collections.abc import Callable
from typing import Any

from tests.azure.cloud import Cloud
from tests.azure.standin.arm import SUBSCRIPTION, Service
from tests.azure.standin.rights import OWNER
from tests.azure.standin.tokens import TOKENS

ADMIN = "99999999-9999-4999-8999-999999999999"
"""The owner's object id."""
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles, by name.
_CONTROL = {"Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
            "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c", "Owner": OWNER}  # fmt: skip


def lines(text: str) -> list[str]:
    """The command lines in a message, without what comes after a `;`."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith("az ")]


def run(cloud: Cloud, line: str) -> None:
    """Do it.

    Raises:
        KeyError: no command that is known here.
        ServiceError: Azure refuses.
    """
    cloud.world.people[ADMIN] = {"/subscriptions": OWNER}
    words = shlex.split(line)
    command = " ".join(words[1 : next(i for i, word in enumerate(words) if word.startswith("--"))])
    options = dict(itertools.pairwise(words))
    _COMMANDS[command](cloud, {name: value for name, value in options.items() if name.startswith("--")})


def group(cloud: Cloud, name: str) -> str:
    """A resource group that somebody else made; its id."""
    cloud.world.people[ADMIN] = {"/subscriptions": OWNER}
    ident = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
    token = next(token for token in TOKENS.values() if token.arm == "Microsoft.Resources/resourceGroups")
    body = {"location": "westeurope", "tags": {"managed-by": "us"}}
    Service(cloud.folder, cloud.world).write(token, ident, body, body, create=True, who=ADMIN)
    return ident


def _assign(cloud: Cloud, options: dict[str, str]) -> None:
    from mldeploy.provider.azure import roles

    scope = options["--scope"]
    ident = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    role = (roles.ROLES | _CONTROL)[options["--role"]]
    subscription = scope.split("/")[2]
    properties: dict[str, Any] = {
        "principalId": options["--assignee-object-id"],
        "principalType": options["--assignee-principal-type"],
        "roleDefinitionId": f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
    }
    if "--condition" in options:
        properties |= {
            "condition": options["--condition"],
            "conditionVersion": options["--condition-version"],
        }
    token = next(token for token in TOKENS.values() if token.arm == "Microsoft.Authorization/roleAssignments")
    service = Service(cloud.folder, cloud.world)
    service.write(token, ident, properties, {"properties": properties}, create=True, who=ADMIN)


def _register(cloud: Cloud, options: dict[str, str]) -> None:
    cloud.world.unregistered.remove(options["--namespace"].lower())


def _more(cloud: Cloud, options: dict[str, str]) -> None:
    namespace = options["--scope"].split("/")[4].lower()
    key = (namespace, options["--resource-name"].lower())
    allowed = int(options["--limit-object"].removeprefix("value="))
    cloud.world.quotas[key] = (cloud.world.quotas[key][0], allowed)


_COMMANDS: dict[str, Callable[[Cloud, dict[str, str]], None]] = {
    "role assignment create": _assign,
    "provider register": _register,
    "quota update": _more,
}
