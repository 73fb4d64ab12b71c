"""A record as it is written: a CloudEvent, as Azure ML's data collector writes them."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any


def event(service: str, models: dict[str, str], head: dict[str, Any], data: bytes) -> dict[str, Any]:
    """The record of a frame. JSON data is kept as JSON, other data as text or as base64.

    Returns:
        CloudEvents 1.0 attributes (`id`, `source`, `type`, `time`, `datacontenttype`, `data` or `data_base64`) and the
        extensions `correlationid`, `models`, and, for requests, `clientrequestid` and `status`.
    """
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"/services/{service}",
        "type": f"mldeploy.{head['collection']}",
        "time": head["time"],
        "correlationid": head["correlation_id"],
        "models": models,
    }
    if head.get("client_request_id"):
        found["clientrequestid"] = head["client_request_id"]
    if "status" in head:
        found["status"] = head["status"]
    kind = str(head["type"]).partition(";")[0].strip().lower()
    found["datacontenttype"] = kind or "application/json"
    # Undecorated scripts read JSON whatever the client called it.
    if not kind.startswith(("image/", "audio/", "video/")):
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = None
        if text is not None:
            found["data"] = _value(text)
            return found
    found["data_base64"] = base64.b64encode(data).decode()
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def line(record: dict[str, Any]) -> bytes:
    """A record as one line of JSON."""
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
