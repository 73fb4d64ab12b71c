"""`mldeploy doctor` with a login: what a stack's `up` would lack on Azure, each with the command that mends it."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from mldeploy.manifest import Manifest
from mldeploy.operations import azure_needs as wanted
from mldeploy.operations.arm import ask, under
from mldeploy.operations.model import Finding, OperationError
from mldeploy.provider.azure import arm, caller, roles
from mldeploy.provider.framework.resource import ProvisionError

_SECONDS: Final = 20
_SUBSCRIPTIONS, _PROVIDERS, _PERMISSIONS = "2022-12-01", "2021-04-01", "2022-04-01"
_USAGES: Final = {
    "Microsoft.Compute": "2024-07-01",
    "Microsoft.ContainerInstance": "2023-05-01",
    "Microsoft.MachineLearningServices": "2024-04-01",
}
_SKUS: Final = "2021-07-01"


def examine(manifest: Manifest, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Ask Azure, as who runs this; nothing is changed.

    Args:
        manifest: the stack's.
        settings: the stack's settings, `Pulumi.<stack>.yaml`.
    """
    needs = wanted.needs(manifest)
    if needs is None:
        return
    try:
        claims = caller.claims_of(arm.token(f"{arm.endpoint()}/.default"))
        subscription = _subscription(settings)
    except (ProvisionError, OperationError) as error:
        yield Finding("problem", "Azure", str(error), "run `az login`, and set ARM_SUBSCRIPTION_ID")
        return
    who, kind = str(claims.get("oid", "")), caller.kind(claims)
    yield Finding("ok", "Azure", f"subscription {subscription}, as the {_WHO[kind]} {who}")
    for look in (_registered, _permitted, _sized, _groups):
        try:
            yield from look(needs, subscription, who, kind)
        except OperationError as error:
            fix = "give the login the role Reader on the subscription, or look at it in the portal"
            yield Finding("note", _LOOKS[look], f"not looked at: {error}", fix)


_WHO: Final = {"User": "user", "ServicePrincipal": "service principal or managed identity"}


def _rows(ident: str, version: str, query: str = "") -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", under(ask(ident, version, query), "value") or [])


def _subscription(settings: Mapping[str, Any]) -> str:
    """The one that azure-native uses: named by variable or setting, `az`'s current one, or the only one.

    Raises:
        OperationError: it is not clear which.
    """
    configured = under(settings, "config", "azure-native:subscriptionId")
    if named := os.environ.get("ARM_SUBSCRIPTION_ID") or configured:
        return str(named)
    if (az := shutil.which("az")) is not None:
        command = [az, "account", "show", "--query", "id", "--output", "tsv"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    found = _rows("/subscriptions", _SUBSCRIPTIONS)
    if len(found) != 1:
        raise OperationError(f"the login has {len(found)} subscriptions, and none is named")
    return str(found[0]["subscriptionId"])


def _registered(needs: wanted.Needs, subscription: str, who: str, kind: str) -> Iterator[Finding]:
    del who, kind
    missing: list[str] = []
    for space in needs.namespaces:
        found = ask(f"/subscriptions/{subscription}/providers/{space}", _PROVIDERS)
        if under(found, "registrationState") != "Registered":
            missing.append(space)
    for space in missing:
        fix = f"az provider register --subscription {subscription} --namespace {space} --wait"
        yield Finding("problem", f"provider {space}", "not registered in the subscription", fix)
    if not missing:
        yield Finding("ok", "providers", f"all {len(needs.namespaces)} are registered")


def _permitted(needs: wanted.Needs, subscription: str, who: str, kind: str) -> Iterator[Finding]:
    lacking: dict[tuple[str, str], list[str]] = {}
    known: dict[str, list[dict[str, Any]]] = {}
    for right in needs.rights:
        scope = (right.scope or f"/subscriptions/{subscription}").replace("{subscription}", subscription)
        if scope not in known:
            place = f"{scope}/providers/Microsoft.Authorization/permissions"
            known[scope] = _rows(place, _PERMISSIONS)
        if not allowed(known[scope], right.action):
            lacking.setdefault((scope, right.role), []).append(right.action)
    for (scope, role), actions in lacking.items():
        shown = ", ".join(actions[:3]) + (f" and {len(actions) - 3} more" if len(actions) > 3 else "")
        fix = roles.command(who, kind, role, scope)
        yield Finding("problem", f"right {role}", f"missing on {scope}: {shown}", fix)
    if not lacking:
        yield Finding("ok", "rights", f"all {len(needs.rights)} that `up` needs")


def allowed(permissions: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Whether a role among those has the action: https://learn.microsoft.com/azure/role-based-access-control/role-definitions."""

    def fits(patterns: Sequence[str] | None) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), one.lower()) for one in patterns or ())

    return any(fits(one.get("actions")) and not fits(one.get("notActions")) for one in permissions)


def _sized(needs: wanted.Needs, subscription: str, who: str, kind: str) -> Iterator[Finding]:
    """vCPUs by VM family, of the nodes that are made at once, and of those that the autoscaler may add."""
    del who, kind
    families: dict[tuple[str, str, str], tuple[int, int, str]] = {}
    offered = {place: _offered(subscription, place) for place in {core.location for core in needs.cores}}
    for core in needs.cores:
        family = offered[core.location].get(core.vm_size.lower())
        if family is None:
            text = f"{core.vm_size} is not offered in {core.location} to this subscription"
            fix = f"az vm list-skus --location {core.location} --resource-type virtualMachines --output table"
            yield Finding("problem", f"VM size of {core.where}", text, fix)
            continue
        key = (core.service, core.location, family)
        now, most, where = families.get(key, (0, 0, core.where))
        families[key] = (now + core.now, most + core.most, where)
    for (service, location, family), (now, most, where) in families.items():
        left = _free(subscription, service, location, family)
        if left is None:
            fix = "look at the subscription's quotas in the portal"
            yield Finding(
                "note", f"quota of {where}", f"{service} lists none for {family} in {location}", fix
            )
            continue
        free, limit = left
        what, text = f"quota of {where}", f"{free} of {limit} vCPUs of {family} are free in {location}"
        scope = f"/subscriptions/{subscription}/providers/{service}/locations/{location}"
        fix = (
            f"az quota update --resource-name {family} --scope {scope} "
            f"--limit-object value={limit - free + most} --resource-type dedicated"
        )
        if now > free:
            yield Finding("problem", what, f"{text}, and {now} are needed at once", fix)
        elif most > free:
            yield Finding("note", what, f"{text}; the autoscaler may want {most}", fix)
        else:
            yield Finding("ok", what, text)


def _offered(subscription: str, location: str) -> dict[str, str]:
    """The family of each VM size that the subscription may have there, by the size's name in small letters."""
    query = f"$filter=location eq '{location}'"
    found = under(
        ask(f"/subscriptions/{subscription}/providers/Microsoft.Compute/skus", _SKUS, query), "value"
    )
    skus = cast("list[dict[str, Any]]", found or [])
    return {str(one.get("name")).lower(): str(one.get("family")) for one in skus if not _restricted(one)}


def _restricted(sku: Mapping[str, Any]) -> bool:
    found = cast("list[dict[str, Any]]", sku.get("restrictions") or [])
    return any(one.get("type") == "Location" for one in found)


def _free(subscription: str, service: str, location: str, name: str) -> tuple[int, int] | None:
    """What is left of a quota, and the quota; None where it is not listed."""
    place = f"/subscriptions/{subscription}/providers/{service}/locations/{location}/usages"
    for one in _rows(place, _USAGES[service]):
        if str(under(one, "name", "value")).lower() == name.lower():
            return int(one["limit"]) - int(one["currentValue"]), int(one["limit"])
    return None


def _groups(needs: wanted.Needs, subscription: str, who: str, kind: str) -> Iterator[Finding]:
    del who, kind
    for location, count, cores in needs.groups:
        for name, wish in (("ContainerGroups", count), ("StandardCores", cores)):
            left = _free(subscription, "Microsoft.ContainerInstance", location, name)
            if left is not None and wish > left[0]:
                text = f"{left[0]} of {left[1]} {name} are free in {location}, and {wish:g} are needed"
                yield Finding("problem", "quota of container groups", text, f"ask for more: {_MORE_GROUPS}")


# Container Instances take no quota requests by command:
_MORE_GROUPS: Final = (
    "https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits"
)
_LOOKS: Final = {_registered: "providers", _permitted: "rights", _sized: "quota", _groups: "quota"}
