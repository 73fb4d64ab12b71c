"""IoT Hub's REST API for automatic deployments (`configurations`), with retries that keep each step's
meaning.

Source: the IoT Hub service API, version 2021-04-12. A deployment's content cannot be changed; its labels,
priority, target condition and metrics can, with the quoted ETag in `If-Match`.
"""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

import httpx

from mldeploy.provider.edge.auth import HubCredential
from mldeploy.provider.framework.resource import CancelledError, ProvisionError

API_VERSION = "2021-04-12"
_ATTEMPTS = 7
_LONGEST_WAIT = 30.0  # seconds
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_FULL = 413
_MAX_PAGES = 100


class HubError(ProvisionError):
    """The hub refused; ``status`` is its HTTP status, ``code`` its own error code."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class HubClient:
    """The deployments of one hub. Safe for use by several threads, one at a time each.

    Args:
        host: `<hub>.azure-devices.net`. An emulator on a loopback address is spoken to without TLS.
        credential: makes the Authorization header.
        cancelled: set to stop waiting between attempts.
        pause: waits so many seconds and says whether to stop (tests replace it).
        transport: replaces the network (tests).
    """

    def __init__(
        self,
        host: str,
        credential: HubCredential,
        *,
        cancelled: threading.Event | None = None,
        pause: Callable[[float], bool] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.host = host
        self._credential = credential
        self._pause = pause or (cancelled or threading.Event()).wait
        scheme = "http" if host.rsplit(":", 1)[0] in _LOOPBACK else "https"
        self._http = httpx.Client(
            base_url=f"{scheme}://{host}",
            params={"api-version": API_VERSION},
            timeout=httpx.Timeout(30.0, connect=10.0),
            transport=transport,
            trust_env=scheme == "https",
            verify=scheme == "https",  # loading the system's authorities takes a while
        )

    def __enter__(self) -> HubClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, name: str) -> dict[str, Any] | None:
        """The deployment ``name``, or None when the hub has none."""
        response = self._send("GET", _path(name))
        return None if response.status_code == 404 else self._body(response, f"read deployment {name!r}")

    def list(self) -> Iterator[dict[str, Any]]:
        """Every configuration of the hub, page by page."""
        token = ""
        for _ in range(_MAX_PAGES):
            headers = {"x-ms-continuation": token} if token else {}
            response = self._send("GET", "/configurations", headers=headers, params={"top": 100})
            yield from cast("list[dict[str, Any]]", self._body(response, "list deployments"))
            token = response.headers.get("x-ms-continuation", "")
            if not token:
                return
        raise HubError(f"hub {self.host}: its list of deployments does not end after {_MAX_PAGES} pages")

    def create(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Create the deployment ``body["id"]``; None when one with that id is there already.

        An attempt whose answer was lost may have created it: the caller compares what is there.
        """
        name = str(body["id"])
        response = self._send("PUT", _path(name), body=body)
        if response.status_code in (409, 412):
            return None
        return self._body(response, f"create deployment {name!r}")

    def update(self, body: Mapping[str, Any], etag: str) -> dict[str, Any] | None:
        """Change labels, priority, condition and metrics; None when the deployment is not the one of ``etag``
        any more."""
        name = str(body["id"])
        response = self._send("PUT", _path(name), body=body, headers={"If-Match": _quoted(etag)})
        if response.status_code in (404, 412):
            return None
        return self._body(response, f"update deployment {name!r}")

    def delete(self, name: str, etag: str) -> bool:
        """Remove it; True when it is gone, False when it is not the one of ``etag`` any more."""
        response = self._send("DELETE", _path(name), headers={"If-Match": _quoted(etag)})
        if response.status_code == 412:
            return False
        if response.status_code not in (200, 204, 404):
            self._body(response, f"delete deployment {name!r}")
        return True

    # --- one request -------------------------------------------------------------------------------------

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        problem, renewed, asked = "", False, 0.0
        for attempt in range(_ATTEMPTS):
            if attempt and self._pause(_delay(attempt, asked)):
                raise CancelledError(f"cancelled while waiting for hub {self.host}: {problem}")
            request = self._http.build_request(method, path, json=body, headers=headers, params=params)
            request.headers["Authorization"] = self._credential.header()
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                problem, asked = f"{type(error).__name__}: {error}".rstrip(": "), 0.0
                continue
            if response.status_code == 401 and not renewed:
                renewed, asked = True, 0.0
                if self._credential.renew(_date(response)):
                    problem = "it refused the signature: this machine's clock is wrong"
                    continue
            if response.status_code not in _TRANSIENT:
                return response
            problem = f"it answered {response.status_code}"
            asked = _seconds(response.headers.get("retry-after")) or 0.0
        raise HubError(
            f"hub {self.host} did not answer {method} {path} in {_ATTEMPTS} attempts; last, {problem}"
        )

    def _body(self, response: httpx.Response, what: str) -> Any:
        if response.is_success:
            try:
                return response.json()
            except ValueError:
                message = f"hub {self.host}, {what}: the answer is not JSON"
                raise HubError(message, response.status_code) from None
        code, message = _reason(response)
        status, advice = response.status_code, self._advice(response.status_code)
        raise HubError(f"hub {self.host}, {what}: {status} {code} {message}{advice}".strip(), status, code)

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return (
                "; the identity needs the role IoT Hub Data Contributor, or the connection string a policy "
                "with registry read and write"
            )
        if status == _FULL:
            return (
                "; a paid hub holds 100 automatic deployments, a free one 10, and a replacement needs one "
                "more than before: remove some that are not used"
            )
        return ""


def _delay(attempt: int, asked: float) -> float:
    """Seconds before the next attempt: doubling and scattered, and no shorter than the hub ``asked`` for."""
    backoff = 0.25 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
    return min(_LONGEST_WAIT, max(asked, backoff))


def _path(name: str) -> str:
    return f"/configurations/{quote(name, safe='')}"


def _quoted(etag: str) -> str:
    return '"' + etag.strip('"') + '"' if etag != "*" else '"*"'


def _date(response: httpx.Response) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _reason(response: httpx.Response) -> tuple[str, str]:
    """The hub's code and message: `{"Message": "ErrorCode:X;…", "ExceptionMessage": "…"}`."""
    try:
        found = response.json()
    except ValueError:
        return "", response.text[:300]
    if not isinstance(found, dict):
        return "", str(found)[:300]
    fields = {key.lower(): str(value) for key, value in cast("dict[str, Any]", found).items()}
    message = fields.get("message", "")
    code = message.split("ErrorCode:", 1)[1].split(";", 1)[0] if "ErrorCode:" in message else ""
    rest = message.split(";", 1)[1] if code and ";" in message else message
    detail = fields.get("exceptionmessage", "")
    return code, " ".join(part for part in (rest, detail) if part)[:600]
