"""The hub's rules: identity and immutability of deployments, quotas, which one a device gets, and the system
metrics."""

import base64
import hashlib
import hmac
import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from tests.edge.standin.conditions import BadCondition, compile_condition

_ID = re.compile(r"[a-z0-9\-:+%_#*?!(),=@;$']{1,128}")
_FIELDS = {
    "id", "schemaVersion", "labels", "content", "targetCondition", "priority", "metrics", "etag",
    "systemMetrics",
    "createdTimeUtc", "lastUpdatedTimeUtc", "contentType",
}  # fmt: skip
LIMITS = {"S1": 100, "F1": 10}


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status, self.code, self.message = status, code, message


@dataclass
class Device:
    tags: dict[str, Any] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    iot_edge: bool = True


class Hub:
    """One hub. ``health(device, modules)`` is how a device fares: True, False, or None while offline."""

    def __init__(self, tier: str = "S1") -> None:
        self.host = ""
        self.limit = LIMITS[tier]
        self.key = b"0123456789abcdef0123456789abcdef"
        self.policy = "registryReadWrite"
        self.bearer = "an-entra-token"
        self.clock: Callable[[], float] = time.time
        self.health: Callable[[str, dict[str, Any]], bool | None] = lambda device, modules: True
        self.page = 0
        self.strict_etags = True
        self.lock = threading.RLock()
        self.configurations: dict[str, dict[str, Any]] = {}
        self.devices: dict[str, Device] = {}
        self.history: list[dict[str, tuple[str, ...]]] = []
        """After each change: what every device has (its complete deployment first, then its layers)."""
        self._order: dict[str, int] = {}
        self._counter = itertools.count(1)

    @property
    def connection_string(self) -> str:
        key = base64.b64encode(self.key).decode()
        return f"HostName={self.host};SharedAccessKeyName={self.policy};SharedAccessKey={key}"

    # --- who may -----------------------------------------------------------------------------------------

    def authorize(self, header: str) -> None:
        if header == f"Bearer {self.bearer}":
            return
        if not header.startswith("SharedAccessSignature "):
            raise Refused(401, "IotHubUnauthorizedAccess", "Unauthorized")
        fields = {key: values[0] for key, values in parse_qs(header.split(" ", 1)[1]).items()}
        raw = dict(part.split("=", 1) for part in header.split(" ", 1)[1].split("&"))
        resource, ends = raw["sr"], int(fields["se"])
        signed = hmac.new(self.key, f"{resource}\n{ends}".encode(), hashlib.sha256).digest()
        right = unquote_plus(resource).lower() == self.host.lower() and fields["skn"] == self.policy
        if not right or not hmac.compare_digest(
            base64.b64encode(signed).decode(), fields["sig"].replace(" ", "+")
        ):
            raise Refused(401, "IotHubUnauthorizedAccess", "the signature does not fit")
        if ends <= self.clock():
            raise Refused(401, "IotHubUnauthorizedAccess", "the token has expired")

    # --- deployments -------------------------------------------------------------------------------------

    def get(self, ident: str) -> dict[str, Any]:
        with self.lock:
            if ident not in self.configurations:
                raise Refused(404, "ConfigurationNotFound", f"no configuration {ident}")
            found = json.loads(json.dumps(self.configurations[ident]))
            return found | {"systemMetrics": self._metrics(ident)}

    def put(self, ident: str, body: dict[str, Any], if_match: str | None) -> dict[str, Any]:
        with self.lock:
            self._check(ident, body)
            old = self.configurations.get(ident)
            if if_match is None:
                if old is not None:
                    raise Refused(409, "ConfigurationAlreadyExists", f"configuration {ident} exists already")
                if len(self.configurations) >= self.limit:
                    raise Refused(413, "ConfigurationCountLimitExceeded", f"the limit is {self.limit}")
            else:
                if old is None:
                    raise Refused(404, "ConfigurationNotFound", f"no configuration {ident}")
                self._match(if_match, old)
                if body.get("content") != old["content"]:
                    raise Refused(400, "ArgumentInvalid", "the content of a configuration cannot be changed")
            count = next(self._counter)
            if old is None:
                self._order[ident] = count
            now = "2026-01-01T00:00:00.000Z"
            self.configurations[ident] = {
                "id": ident,
                "schemaVersion": body.get("schemaVersion", "1.0"),
                "labels": body.get("labels"),
                "content": old["content"] if old else body["content"],
                "targetCondition": body.get("targetCondition", ""),
                "createdTimeUtc": old["createdTimeUtc"] if old else now,
                "lastUpdatedTimeUtc": now,
                "priority": body.get("priority", 0),
                "metrics": {"results": {}, "queries": (body.get("metrics") or {}).get("queries") or {}},
                "etag": base64.b64encode(str(count).encode()).decode(),
            }
            self._record()
            return self.get(ident)

    def delete(self, ident: str, if_match: str | None) -> None:
        with self.lock:
            if ident not in self.configurations:
                raise Refused(404, "ConfigurationNotFound", f"no configuration {ident}")
            if if_match is None:
                raise Refused(400, "ArgumentInvalid", "If-Match is missing")
            self._match(if_match, self.configurations[ident])
            del self.configurations[ident]
            self._record()

    def listing(self, top: int, token: str) -> tuple[list[dict[str, Any]], str]:
        with self.lock:
            start, names = int(token or 0), sorted(self.configurations)
            size = min(top, self.page or 100)
            return [self.get(name) for name in names[start : start + size]], (
                str(start + size) if start + size < len(names) else ""
            )

    def _match(self, if_match: str, old: dict[str, Any]) -> None:
        quoted = len(if_match) > 1 and if_match[0] == if_match[-1] == '"'
        if self.strict_etags and not quoted:
            raise Refused(400, "InvalidETag", "If-Match takes a quoted ETag")
        if if_match.strip('"') not in ("*", old["etag"]):
            raise Refused(412, "PreconditionFailed", "the ETag is another one")

    def _check(self, ident: str, body: dict[str, Any]) -> None:
        problem = ""
        if not _ID.fullmatch(ident) or body.get("id") != ident:
            problem = f"id {ident!r} is not allowed, or not the body's"
        elif unknown := body.keys() - _FIELDS:
            problem = f"unknown fields {sorted(unknown)}"
        elif not all(isinstance(v, str) for v in (body.get("labels") or {}).values()):
            problem = "labels are texts"
        elif not isinstance(body.get("priority", 0), int) or not 0 <= body.get("priority", 0) < 2**31:
            problem = "priority is a whole number"
        elif "modulesContent" not in (body.get("content") or {}):
            problem = "content.modulesContent is missing"
        else:
            problem = _content_problem(body["content"]["modulesContent"])
        try:
            compile_condition(body.get("targetCondition") or "")
        except BadCondition as error:
            problem = f"targetCondition: {error}"
        if problem:
            raise Refused(400, "ArgumentInvalid", problem)

    # --- devices -----------------------------------------------------------------------------------------

    def targeted(self, ident: str) -> list[str]:
        matches = compile_condition(self.configurations[ident]["targetCondition"])
        return [
            name for name, device in self.devices.items() if device.iot_edge and matches(_twin(name, device))
        ]

    def effective(self, device: str) -> tuple[str, ...]:
        """What a device has: the complete deployment that wins, then the layers above it, strongest last."""
        rank = {
            i: (c["priority"], self._order[i])
            for i, c in self.configurations.items()
            if device in self.targeted(i)
        }
        complete = [i for i in rank if not _layered(self.configurations[i])]
        if not complete:
            return ()
        base = max(complete, key=rank.__getitem__)
        layers = [i for i in rank if _layered(self.configurations[i]) and rank[i][0] > rank[base][0]]
        return (base, *sorted(layers, key=rank.__getitem__))

    def modules(self, device: str) -> dict[str, Any]:
        """The modules a device is told to run."""
        found: dict[str, Any] = {}
        for ident in self.effective(device):
            agent = self.configurations[ident]["content"]["modulesContent"]["$edgeAgent"]
            if "properties.desired" in agent:
                found |= agent["properties.desired"]["modules"]
            else:
                found |= {path.rsplit(".", 1)[1]: module for path, module in agent.items()}
        return found

    def _metrics(self, ident: str) -> dict[str, Any]:
        targeted = self.targeted(ident)
        applied = [device for device in targeted if ident in self.effective(device)]
        reports = [self.health(device, self.modules(device)) for device in applied]
        results = {
            "targetedCount": len(targeted),
            "appliedCount": len(applied),
            "reportedSuccessfulCount": reports.count(True),
            "reportedFailedCount": reports.count(False),
        }
        return {"results": results, "queries": dict.fromkeys(results, "select deviceId from devices")}

    def _record(self) -> None:
        self.history.append({device: self.effective(device) for device in self.devices})


def _twin(name: str, device: Device) -> dict[str, Any]:
    return {
        "deviceId": name,
        "tags": device.tags,
        "properties": {"reported": device.reported},
        "capabilities": {"iotEdge": device.iot_edge},
    }


def _layered(configuration: dict[str, Any]) -> bool:
    return "properties.desired" not in configuration["content"]["modulesContent"].get("$edgeAgent", {})


def _content_problem(content: dict[str, Any]) -> str:
    if "$edgeAgent" not in content:
        return "$edgeAgent is missing"
    for name, twin in content.items():
        for path, desired in twin.items():
            if not path.startswith("properties.desired"):
                return f"{name}: {path} is no path of desired properties"
            if len(json.dumps(desired)) > 32 * 1024:
                return f"{name} takes more than 32 KB"
            if found := _twin_problem(desired, 1):
                return f"{name}: {found}"
    return ""


def _twin_problem(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        if depth > 11:
            return "nested deeper than 10"
        for key, item in value.items():
            if not key or re.search(r"[.$\s]", key):
                return f"key {key!r} is not allowed"
            if found := _twin_problem(item, depth + 1):
                return found
    elif isinstance(value, list):
        return next(filter(None, (_twin_problem(item, depth + 1) for item in value)), "")
    elif isinstance(value, str) and len(value.encode()) > 4096:
        return "a text has more than 4 KB"
    return ""
