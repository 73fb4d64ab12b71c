"""What Resource Manager says of a whole subscription: which there are, registered providers, VM sizes, quotas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.azure.answers import Answer, Ask
from tests.azure.standin.arm import SUBSCRIPTION
from tests.azure.standin.semantics import forbidden

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

_USAGES = re.compile(r"/subscriptions/[^/]+/providers/([^/]+)/locations/([^/]+)/usages")
_PROVIDER = re.compile(r"/subscriptions/[^/]+/providers/([^/]+)")
_SKUS = re.compile(r"/subscriptions/[^/]+/providers/microsoft\.compute/skus")
# https://learn.microsoft.com/azure/virtual-machines/sizes/overview: sizes of these tests and their quota's family.
_FAMILIES = {
    "Standard_D2s_v5": "standardDSv5Family",
    "Standard_D4s_v5": "standardDSv5Family",
    "Standard_DS3_v2": "standardDSv2Family",
    "Standard_NC4as_T4_v3": "Standard NCASv3_T4 Family",
}
_PLENTY = (0, 1000)


def answer(state: Cloud, ask: Ask) -> Answer | None:
    """None where it is not about a whole subscription."""
    path = ask.path.rstrip("/").lower()
    if ask.method != "GET":
        return None
    scope = "/".join(path.split("/")[:3])
    if (
        _PROVIDER.match(path)
        and "/permissions" not in path
        and not state.world.may_manage(ask.who, "", scope, "GET")
    ):
        # Who has a role on a group only, sees nothing of the subscription.
        raise forbidden(ask.who, f"{path.rpartition('/')[2]}/read", scope)
    if path == "/subscriptions":
        return Answer.json({"value": [{"subscriptionId": SUBSCRIPTION, "state": "Enabled"}]})
    if _SKUS.fullmatch(path):
        return Answer.json({"value": [_sku(name, family) for name, family in _FAMILIES.items()]})
    if found := _USAGES.fullmatch(path):
        return Answer.json({"value": _usages(state, found[1])})
    if found := _PROVIDER.fullmatch(path):
        registered = found[1] not in state.world.unregistered
        return Answer.json({"registrationState": "Registered" if registered else "NotRegistered"})
    return None


def _sku(name: str, family: str) -> dict[str, Any]:
    return {"resourceType": "virtualMachines", "name": name, "family": family, "restrictions": []}


def _usages(state: Cloud, namespace: str) -> list[dict[str, Any]]:
    names = {"microsoft.containerinstance": ("ContainerGroups", "StandardCores")}
    found: list[dict[str, Any]] = []
    for name in names.get(namespace, sorted(set(_FAMILIES.values()))):
        used, allowed = state.world.quotas.get((namespace, name.lower()), _PLENTY)
        found.append({"name": {"value": name}, "currentValue": used, "limit": allowed})
    return found
