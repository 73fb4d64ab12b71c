"""The fake service: checks a request as Azure would, keeps the result, takes its time, and injects faults."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mldeploy.values.property_value import UNKNOWN, Secret, contains_unknowns, reveal
from tests.azure.standin import outputs, rules, semantics
from tests.azure.standin.semantics import ServiceError
from tests.azure.standin.store import Store, is_mask, masked
from tests.azure.standin.tokens import Token, pick
from tests.azure.standin.world import BusyError, World

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
# Made anew, it is another principal.
_IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
# Deleting these only hides them: the name stays taken until they are purged.
_SOFT_DELETED = ("Microsoft.KeyVault/vaults", "Microsoft.MachineLearningServices/workspaces")

# azure-native's HTTP pipeline asks three times more after 408, 429, 500, 502, 503, 504 and broken connections
# (pulumi-azure-native, provider/pkg/azure/client_azcore.go; azcore's RetryOptions.MaxRetries): only the log shows it.
_RETRIES = 3
# Between them, in seconds (the same file: RetryDelay and MaxRetryDelay).
_PAUSES = (20, 60, 120)
_RETRIES_AFTER = {"reset": 1, "lost": _RETRIES}
_REFUSALS = {
    "429": ("TooManyRequests", "The request is being throttled. Retry-After: 17"),
    "500": ("InternalServerError", "Encountered internal server error."),
}
_LEFT_IN = {"lro": "Failed", "timeout": "Updating"}
# Which effect of a new resource comes later than its answer.
_SEEN_LATER = {
    "Microsoft.Storage/storageAccounts/blobServices/containers": "container",
    "Microsoft.MachineLearningServices/workspaces/datastores": "datastore",
    _IDENTITIES: "identity",
}


def _meant(match: str, ident: str) -> bool:
    """Whether an id is meant: a part of it, or with `$` at the end its end."""
    return ident.endswith(match[:-1]) if match.endswith("$") else match in ident


class PartialError(Exception):
    """The request was accepted, and then the operation failed or its end was not seen: the resource is there."""


class Service:
    """Azure Resource Manager over a :class:`World`."""

    def __init__(self, folder: Path, world: World | None = None) -> None:
        self.world = world or World(folder)
        self.store: Store = self.world.store
        self.subscription = os.environ.get("ARM_SUBSCRIPTION_ID", SUBSCRIPTION)
        self._delay = float(os.environ.get("STANDIN_DELAY", "0"))

    # --- requests -----------------------------------------------------------------------------------------

    def put(self, token: Token, ident: str, inputs: dict[str, Any], *, create: bool) -> dict[str, Any]:
        """Create or update, as the plugin does it; returns azure-native's outputs.

        Raises:
            ServiceError: refused, nothing changed.
            PartialError: it exists now, but not as asked for.
        """
        body = token.body(inputs)
        self.world.sleep(self._delay)
        self._get_over_busy("PUT", token, ident, body)
        return self.write(token, ident, inputs, body, create=create, who=self.world.deployer)

    def write(
        self,
        token: Token,
        ident: str,
        inputs: dict[str, Any],
        body: dict[str, Any],
        *,
        create: bool,
        who: str,
    ) -> dict[str, Any]:
        """One PUT, whoever sends it.

        Raises:
            ServiceError: refused, nothing changed.
            PartialError: it exists now, but not as asked for.
        """
        resource, code, message = semantics.lock_of(token, ident)
        try:
            with self.world.alone(resource, f"{ident.rsplit('/', 1)[-1]} - Updating"):
                return self._write(token, ident, inputs, body, create=create, who=who)
        except BusyError as error:
            self._record("PUT", token, ident, body, 409)
            raise ServiceError(409, code, message.format(error)) from None

    def _write(
        self,
        token: Token,
        ident: str,
        inputs: dict[str, Any],
        body: dict[str, Any],
        *,
        create: bool,
        who: str,
    ) -> dict[str, Any]:
        seconds = self.world.nature.operation(token.arm, ident)
        with self.store.locked():
            kind = self._fault("PUT", token, ident, body)
            try:
                self._refuse(token, ident, body, create=create, who=who)
            except ServiceError as error:
                self._record("PUT", token, ident, body, error.status)
                raise
            made = self._document(token, ident, inputs, body)
            self._record("PUT", token, ident, body, 201 if create else 200)
            for _ in range(_RETRIES_AFTER.get(kind, 0)):
                self._record("PUT", token, ident, body, 200)
            if kind != "lro-gone":
                self.store.put(ident, {**made, "state": "Creating" if create else "Updating"})
        self.world.sleep(seconds)
        with self.store.locked():
            if kind != "lro-gone":
                made["state"] = _LEFT_IN.get(kind, "Succeeded")
                self._settle(token, ident, made)
                self.store.put(ident, made)
        if kind == "lost":
            raise ServiceError(0, "ConnectionReset", "read: connection reset by peer")
        if kind == "lro-gone":
            raise ServiceError(200, "InternalServerError", "the long-running operation failed")
        if kind == "lro":
            raise PartialError(f"{ident}: the long-running operation failed: InternalServerError")
        if kind == "timeout":
            raise PartialError(f"{ident}: context deadline exceeded while waiting for the operation")
        return self.shown(made)

    def _settle(self, token: Token, ident: str, made: dict[str, Any]) -> None:
        """From when on others see it, and a role works."""
        before, now, nature = self.store.get(ident) or {}, self.world.now(), self.world.nature
        for name in ("seen_at", "works_at", "issuer_at"):
            if name in before:
                made[name] = before[name]
        if token.arm in _SEEN_LATER:
            made.setdefault("seen_at", now + nature.delay(_SEEN_LATER[token.arm], ident))
        elif token.arm.endswith("/roleAssignments"):
            on_cluster = "/managedclusters/" in ident.lower()
            made.setdefault(
                "works_at", now + nature.delay("role on a cluster" if on_cluster else "role", ident)
            )
            made.setdefault("seen_at", now + nature.delay("list", ident))
        elif token.arm == "Microsoft.ContainerService/managedClusters":
            made.setdefault("issuer_at", now + nature.delay("issuer", ident))
        elif token.arm == "Microsoft.ContainerInstance/containerGroups":
            made["starts_at"] = now + nature.delay("container starts", ident)

    def shown(self, document: dict[str, Any]) -> dict[str, Any]:
        """The outputs as of now."""
        found = document["outputs"]
        if document.get("issuer_at", 0.0) > self.world.now():
            found = {key: value for key, value in found.items() if key != "oidcIssuerProfile"}
            found["oidcIssuerProfile"] = {"enabled": True}
        return found

    def delete(self, token: Token, ident: str, who: str | None = None) -> None:
        """Delete; one that is gone is no error, as ARM's 204.

        Raises:
            ServiceError: refused.
        """
        self.world.sleep(self._delay)
        self._get_over_busy("DELETE", token, ident, {})
        if not self.world.may_manage(who or self.world.deployer, token.arm, ident, "DELETE"):
            raise semantics.forbidden(who or self.world.deployer, f"{token.arm}/delete", ident)
        resource, code, message = semantics.lock_of(token, ident)
        try:
            with self.world.alone(resource, f"{ident.rsplit('/', 1)[-1]} - Deleting"):
                self._delete(token, ident)
        except BusyError as error:
            self._record("DELETE", token, ident, {}, 409)
            raise ServiceError(409, code, message.format(error)) from None

    def _delete(self, token: Token, ident: str) -> None:
        with self.store.locked():
            kind = self._fault("DELETE", token, ident, {})
            if kind in ("lro", "lro-gone"):
                self._record("DELETE", token, ident, {}, 202)
                raise ServiceError(200, "InternalServerError", "the long-running operation failed")
        self.world.sleep(self.world.nature.operation(token.arm, ident))
        with self.store.locked():
            document = self.store.get(ident)
            if not token.no_delete:
                self._hide(ident)
                self.store.delete(ident)
            self._record("DELETE", token, ident, {}, 200 if document else 204)
            for _ in range(_RETRIES_AFTER.get(kind, 0)):
                self._record("DELETE", token, ident, {}, 204)
        if kind in ("timeout", "lost"):
            raise ServiceError(0, "Timeout", "context deadline exceeded while waiting for the deletion")

    def _get_over_busy(self, method: str, token: Token, ident: str, body: dict[str, Any]) -> None:
        """azure-native's client comes again after 429, and after a 409 that says AnotherOperationInProgress."""
        for pause in _PAUSES:
            answer = self.world.nature.busy(ident)
            if not answer:
                return
            self._record(method, token, ident, body, int(answer))
            self.world.sleep(pause)

    def _document(
        self, token: Token, ident: str, inputs: dict[str, Any], body: dict[str, Any]
    ) -> dict[str, Any]:
        plain = {key: value for key, value in inputs.items() if key not in token.path}
        kept = echoed(plain)
        made = _merge(kept, outputs.computed(token.arm, token.version, ident, kept))
        if token.arm == _IDENTITIES and (births := self._hidden().count(ident.lower())):
            made["principalId"] = outputs.guid(ident, "principal", str(births))
            made["clientId"] = outputs.guid(ident, "client", str(births))
        return {
            "type": token.arm, "body": masked(body), "inputs": masked(inputs), "outputs": made, "state": "Succeeded",
        }  # fmt: skip

    def _record(self, method: str, token: Token, ident: str, body: dict[str, Any], status: int) -> None:
        url = f"{ident}?api-version={token.version}"
        self.store.record(
            {"method": method, "type": token.arm, "url": url, "body": masked(body), "status": status}
        )

    # --- what the service refuses ---------------------------------------------------------------------------

    def _refuse(self, token: Token, ident: str, body: dict[str, Any], *, create: bool, who: str) -> None:
        faults = faults_of(token, ident.rsplit("/", 1)[-1], body, ident)
        if faults:
            raise ServiceError(
                400, "InvalidRequestContent", "; ".join(f"{path} {reason}" for path, reason in faults)
            )
        before = self.store.get(ident)
        if create and before is None and token.arm in _SOFT_DELETED and ident.lower() in self._hidden():
            raise ServiceError(409, "ConflictError", f"{ident} exists in deleted state: recover or purge it")
        semantics.refuse(self.world, token, ident, body, create=create, who=who)
        if before is not None:
            new = masked(body)
            for path in (*token.create_only, *token.frozen):
                old = pick(before["body"], path)
                if old and old != pick(new, path):
                    raise ServiceError(
                        409, "PropertyChangeNotAllowed", f"{path} of {ident} cannot be changed"
                    )

    # --- soft delete ------------------------------------------------------------------------------------------

    def _hidden(self) -> list[str]:
        path = self.store.folder / "deleted.txt"
        return path.read_text("utf-8").split("\n") if path.exists() else []

    def _hide(self, ident: str) -> None:
        for document in self.store.all():
            inside = document["id"].lower() == ident.lower() or document["id"].lower().startswith(
                ident.lower() + "/"
            )
            if inside and document["type"] in (*_SOFT_DELETED, _IDENTITIES):
                with (self.store.folder / "deleted.txt").open("a", encoding="utf-8") as file:
                    file.write(document["id"].lower() + "\n")

    # --- faults -------------------------------------------------------------------------------------------------

    def _fault(self, method: str, token: Token, ident: str, body: dict[str, Any]) -> str:
        """Take the next planned fault that fits: ``faults.json`` is a list of ``{at | match, method?, kind}``."""
        count_file, plan_file = self.store.folder / "count", self.store.folder / "faults.json"
        number = int(count_file.read_text()) if count_file.exists() else 0
        count_file.write_text(str(number + 1))
        plan = json.loads(plan_file.read_text("utf-8")) if plan_file.exists() else []
        for index, fault in enumerate(plan):
            fits = fault["at"] == number if "at" in fault else _meant(fault["match"].lower(), ident.lower())
            if fits and fault.get("method", method) == method:
                del plan[index]
                plan_file.write_text(json.dumps(plan), "utf-8")
                return self._raise(fault["kind"], method, token, ident, body)
        return ""

    def _raise(self, kind: str, method: str, token: Token, ident: str, body: dict[str, Any]) -> str:
        status, _, times = kind.partition("-")
        if status in ("429", "500") and times in ("", "once"):
            for _ in range(1 if times else 1 + _RETRIES):
                self._record(method, token, ident, body, int(status))
            if times:
                return ""
            raise ServiceError(int(status), *_REFUSALS[status])
        if kind not in ("lro", "lro-gone", "timeout", "reset", "lost"):
            raise ValueError(f"faults.json: no fault of kind {kind!r}")
        return kind


def faults_of(token: Token, name: Any, body: dict[str, Any], ident: str | None) -> list[tuple[str, str]]:
    """Everything the types and the services' rules refuse in a body."""
    type_ = token.body_type
    found = type_.faults(body) if type_ else []
    return found + rules.check(token.arm, name, body, ident)


# The names that a request's path repeats from its parents, and whose rules they follow.
_PARENTS = {
    "resourceGroupName": "Microsoft.Resources/resourceGroups",
    "registryName": "Microsoft.ContainerRegistry/registries",
    "accountName": "Microsoft.Storage/storageAccounts",
    "vaultName": "Microsoft.KeyVault/vaults",
    "workspaceName": "Microsoft.MachineLearningServices/workspaces",
    "endpointName": "Microsoft.MachineLearningServices/workspaces/batchEndpoints",
}


def path_faults(token: Token, inputs: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the names of a resource's parents."""
    found: list[tuple[str, str]] = []
    for parameter in token.path[:-1]:
        value = reveal(inputs.get(parameter))
        if parameter in _PARENTS and isinstance(value, str):
            found += [
                (parameter, reason)
                for path, reason in rules.check(_PARENTS[parameter], value, {}, None)
                if path == "name"
            ]
    return found


def echoed(value: Any) -> Any:
    """As ARM answers: what was sent, except secrets, which are never echoed; identities are a map, not a list."""
    if isinstance(value, dict):
        made = {key: echoed(item) for key, item in value.items() if not isinstance(item, Secret)}
        own = made.get("userAssignedIdentities")
        if isinstance(own, list):
            made["userAssignedIdentities"] = (
                UNKNOWN if contains_unknowns(own) else {ident: {} for ident in own}
            )
        return made
    if isinstance(value, list):
        return [echoed(item) for item in value if not isinstance(item, Secret)]
    return value


def _merge(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: _merge(first.get(key), second.get(key)) for key in first.keys() | second.keys()}
    return first if second is None else second


def restored(stored: Any, known: Any) -> Any:
    """Stored inputs with their secrets put back from ``known`` where these are still the same."""
    if is_mask(stored):
        return known if masked(known) == stored else Secret("changed outside of Pulumi")
    inner = known.value if isinstance(known, Secret) else known
    if isinstance(stored, dict):
        other = inner if isinstance(inner, dict) else {}
        return {key: restored(item, other.get(key)) for key, item in stored.items()}
    if isinstance(stored, list):
        others = inner if isinstance(inner, list) and len(inner) == len(stored) else [None] * len(stored)
        return [restored(item, other) for item, other in zip(stored, others, strict=True)]
    return stored
