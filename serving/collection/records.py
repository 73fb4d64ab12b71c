"""A record as it is written: a CloudEvent, as Azure ML's data collector writes them."""

from __future__ import annotations

import base64
import json
from typing import Any


class _NotJsonError(ValueError):
    """`NaN` or `Infinity`, which Python's `json` reads and JSON does not have."""


def _refuse(name: str) -> Any:
    raise _NotJsonError(name)


_strict = json.JSONDecoder(parse_constant=_refuse)
_lenient = json.JSONDecoder(parse_constant=str)
_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def text(value: Any) -> str:
    """A value as JSON in ASCII, so that also half of a surrogate pair can be written.

    Raises:
        ValueError: a number in it is infinite.
        RecursionError: it is nested too deeply.
    """
    return _encoder.encode(value)


def line(ident: str, service: str, models: dict[str, str], head: dict[str, Any], data: bytes) -> bytes:
    """The record of a frame as one line of JSON. JSON data is kept as JSON, other data as text or as base64.

    Returns:
        CloudEvents 1.0 attributes (`id`, `source`, `type`, `time`, `datacontenttype`, `data` or `data_base64`) and the
        extensions `correlationid`, `models`, and, for requests, `clientrequestid`, `status`, for those of a gate
        `golden`, and for the beginning of a long answer in pieces `truncated`.
    """
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": ident,
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
    for flag in ("golden", "truncated"):
        if head.get(flag):
            found[flag] = True
    kind = str(head["type"]).partition(";")[0].strip().lower()
    found["datacontenttype"] = kind or "application/json"
    key, written = _data(kind, data)
    return f'{text(found)[:-1]},"{key}":{written}}}\n'.encode()


def _data(kind: str, data: bytes) -> tuple[str, str]:
    """The attribute that data goes to, and its JSON."""
    # Undecorated scripts read JSON whatever the client called it.
    if not kind.startswith(("image/", "audio/", "video/")):
        try:
            given = data.decode()
        except UnicodeDecodeError:
            given = None
        if given is not None:
            return "data", _json(given)
    return "data_base64", f'"{base64.b64encode(data).decode()}"'


def _json(given: str) -> str:
    """JSON stays as it is, on one line. What is none, or nested too deeply to be read again, becomes a string."""
    try:
        value = _strict.decode(given)
    except _NotJsonError:
        value = _lenient.decode(given)
    except (ValueError, RecursionError):
        return text(given)
    else:
        if given.isascii() and given.count("[") + given.count("{") < 500:
            # In valid JSON, ends of lines are between values only.
            return given.replace("\n", " ").replace("\r", " ")
    try:
        return text(value)
    except (ValueError, RecursionError):
        return text(given)
