"""Resource Manager over HTTP: what our own provider asks for besides azure-native's resources."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any

from tests.azure import cloud_builds, cloud_subscription
from tests.azure.answers import Answer, Ask
from tests.azure.cloud_containers import instance_view, logs
from tests.azure.standin import rights
from tests.azure.standin.arm import Service
from tests.azure.standin.semantics import ServiceError, forbidden, visible
from tests.azure.standin.tokens import TOKENS, Token

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

build_log = cloud_builds.log
_AUTHORIZATION = "/providers/microsoft.authorization/"
_GROUPS = "Microsoft.ContainerInstance/containerGroups"
# Answers that are flat in azure-native, and on top of a resource in the API.
_ENVELOPE = frozenset(
    {"name", "type", "azureApiVersion", "location", "tags", "identity", "kind", "sku", "zones"}
)


def answer(state: Cloud, ask: Ask) -> Answer:
    """One request; every refusal in Resource Manager's words."""
    path, lower = ask.path.rstrip("/"), ask.path.rstrip("/").lower()
    try:
        if not ask.who:
            return Answer.error(401, "AuthenticationFailed", "Authentication failed.")
        if (found := cloud_subscription.answer(state, ask)) is not None:
            return found
        busy = state.world.nature.busy(f"own {lower}")
        if busy == "429":
            return Answer.error(429, "TooManyRequests", "The request is being throttled.", Retry_After="7")
        if busy == "409" and ask.method == "PUT":
            return Answer.error(409, "AnotherOperationInProgress", "Another operation is in progress.")
        if "/registries/" in lower and re.search(
            r"/(listbuildsourceuploadurl|schedulerun|runs/[^/]+(/\w+)?)$", lower
        ):
            return cloud_builds.answer(state, ask)
        if lower.endswith(f"{_AUTHORIZATION}roleassignments"):
            return _assignments(state, ask)
        if lower.endswith(f"{_AUTHORIZATION}permissions"):
            return _permissions(state, ask)
        if found := re.fullmatch(r"(.*)/containers/[^/]+/logs", path):
            return Answer.json({"content": logs(state.world, found[1].rsplit("/", 1)[-1])})
        return _resource(state, ask, path)
    except ServiceError as error:
        return Answer.error(error.status or 500, error.code, error.message)


def _assignments(state: Cloud, ask: Ask) -> Answer:
    """Those at the scope, above and below it; the list may lag. `$filter=principalId eq '…'`."""
    wanted = re.search(r"principalId eq '([^']+)'|assignedTo\('([^']+)'\)", ask.query.get("$filter", ""))
    shown: list[dict[str, Any]] = []
    for given in rights.assignments(state.store):
        document = state.store.get(given["id"])
        if visible(state.world, document) and (
            not wanted or given["principal"] == (wanted[1] or wanted[2]).lower()
        ):
            assert document is not None
            shown.append(_shown(Service(state.folder, state.world), document))
    return Answer.json({"value": shown})


# What of each control-plane role `permissions` shows.
_ACTIONS: dict[str, dict[str, list[str]]] = {
    rights.OWNER: {"actions": ["*"], "notActions": []},
    rights.CONTRIBUTOR: {"actions": ["*"], "notActions": [
        "Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ]},
    rights.RBAC_ADMIN: {"actions": ["Microsoft.Authorization/roleAssignments/write",
                                    "Microsoft.Authorization/roleAssignments/delete", "*/read"], "notActions": []},
    rights.READER: {"actions": ["*/read"], "notActions": []},
}  # fmt: skip


def _permissions(state: Cloud, ask: Ask) -> Answer:
    """Of who asks, at the scope: https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource-group."""
    scope = ask.path.lower().split("/providers/microsoft.authorization/")[0]
    held = {role for place, role in state.world.held(ask.who) if rights.inside(scope, place)}
    return Answer.json({"value": [_ACTIONS[role] for role in sorted(held)]})


def _resource(state: Cloud, ask: Ask, path: str) -> Answer:
    service = Service(state.folder, state.world)
    document = state.store.get(path)
    token = _token(path)
    if ask.method == "PUT":
        if token is None:
            raise ServiceError(404, "InvalidResourceType", f"the stand-in knows no resource {path}")
        body = json.loads(ask.body)
        flat = {key: value for key, value in body.items() if key != "properties"} | body.get("properties", {})
        if document is not None and document.get("inputs"):
            # What azure-native was given stays what it was given.
            flat = document["inputs"]
        service.write(token, path, flat, body, create=document is None, who=ask.who)
        return Answer.json(_shown(service, state.store.get(path) or {}), 201 if document is None else 200)
    if (
        document is None
        and ask.method == "GET"
        and (parent := path.rpartition("/")[0])
        and state.store.get(parent)
    ):
        # A collection: what is right below its parent. A list may lag.
        inside = [one for one in state.store.all() if one["id"].lower().rpartition("/")[0] == lower_of(path)]
        return Answer.json({"value": [_shown(service, one) for one in inside if visible(state.world, one)]})
    if document is None or (document.get("seen_at") and not visible(state.world, document)):
        raise ServiceError(404, "ResourceNotFound", f"{path} was not found")
    if ask.method == "DELETE":
        if token is not None:
            service.delete(token, path, ask.who)
        return Answer(200)
    if not state.world.may_manage(ask.who, document["type"], path, "GET"):
        raise forbidden(ask.who, f"{document['type']}/read", path)
    return Answer.json(_shown(service, document))


def lower_of(path: str) -> str:
    """As ids are compared."""
    return path.rstrip("/").lower()


@functools.cache
def _types() -> dict[str, Token]:
    return {token.arm.lower(): token for token in TOKENS.values()}


def _token(path: str) -> Token | None:
    """The type of an id: its last provider's namespace and every second part after it."""
    _, _, last = path.rpartition("/providers/")
    parts = last.split("/")
    return _types().get("/".join([parts[0], *parts[1::2]]).lower())


def _shown(service: Service, document: dict[str, Any]) -> dict[str, Any]:
    body, outputs = document.get("body", {}), dict(service.shown(document)) if document.get("outputs") else {}
    inner = outputs.pop("properties", {})
    flat = {key: value for key, value in outputs.items() if key not in _ENVELOPE}
    own = body.get("properties", {})
    kept = {key: value for key, value in flat.items() if key not in body}
    properties = kept | (inner if isinstance(inner, dict) else {}) | own
    # What a service computes stands over what was sent (an address with its host name).
    properties |= {key: flat[key] for key in ("ipAddress", "oidcIssuerProfile") if flat.get(key)}
    shown = {key: value for key, value in body.items() if key != "properties"}
    found = {
        "id": document["id"],
        "name": document["id"].rsplit("/", 1)[-1],
        **shown,
        "properties": properties,
    }
    if document.get("type") == _GROUPS:
        group, container = instance_view(service.world, document)
        containers = [dict(one) for one in properties.get("containers", [])]
        for one in containers:
            one["properties"] = {**one.get("properties", {}), "instanceView": container}
        found["properties"] = {**properties, "instanceView": group, "containers": containers}
    return found
