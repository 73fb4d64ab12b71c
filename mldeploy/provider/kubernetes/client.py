"""A cluster's API as plain JSON over the official client's connection (authentication, TLS, exec plugins are its
work)."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote, urlencode

import yaml

from mldeploy.provider.common.golden import GOLDEN_HEADER
from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.kubernetes.reply import Reply, read
from mldeploy.provider.kubernetes.tree import obj

FIELD_MANAGER = "mldeploy-rollout"
KEY_HEADER = "X-Mldeploy-Key"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_RETRIES = 5
_FIRST_PAUSE = 0.25
_CONNECTION_STATES = frozenset({429, 500, 502, 503, 504})
_POOL = 16

PATHS = {
    "Deployment": "apis/apps/v1",
    "ReplicaSet": "apis/apps/v1",
    "Pod": "api/v1",
    "Service": "api/v1",
    "Event": "api/v1",
    "Namespace": "api/v1",
    "ResourceQuota": "api/v1",
    "Secret": "api/v1",
    "Node": "api/v1",
    "HorizontalPodAutoscaler": "apis/autoscaling/v2",
    "PodDisruptionBudget": "apis/policy/v1",
    "HTTPRoute": "apis/gateway.networking.k8s.io/v1",
    "Gateway": "apis/gateway.networking.k8s.io/v1",
}
_UNSPACED = frozenset({"Namespace", "Node"})


class ClusterError(ProvisionError):
    """The API server refused, or cannot be reached (``status`` 0). The message says what, where and why."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def path_of(kind: str, namespace: str | None, name: str | None = None, sub: str = "") -> str:
    """The URL path of an object, or of a kind's list."""
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("cy") else f"{kind.lower()}s"
    parts = [PATHS[kind]]
    if kind not in _UNSPACED and namespace:
        parts += ["namespaces", quote(namespace)]
    parts.append(plural)
    if name:
        parts.append(quote(name))
    return "/" + "/".join(parts) + (f"/{sub}" if sub else "")


class Cluster:
    """One cluster, by its kubeconfig. Thread-safe; connections are pooled.

    Args:
        kubeconfig: YAML text with one current context.

    Raises:
        ClusterError: the kubeconfig cannot be used, or the extra is not installed.
    """

    def __init__(self, kubeconfig: str) -> None:
        try:
            from kubernetes import client, config
        except ImportError as error:
            raise ClusterError(
                "the Kubernetes client is not installed: install mldeploy[kubernetes] (`make setup-cloud`)"
            ) from error
        the_client, the_config = cast("Any", client), cast("Any", config)
        try:
            document: Any = yaml.safe_load(kubeconfig)
            _find_program(document)
            configuration = the_client.Configuration()
            configuration.connection_pool_maxsize = _POOL
            self._api: Any = the_config.new_client_from_config_dict(
                document, client_configuration=configuration, persist_config=False
            )
        except yaml.YAMLError:
            raise ClusterError("the kubeconfig cannot be used: it is no YAML") from None
        except (the_config.ConfigException, AttributeError, TypeError, KeyError, ValueError) as error:
            raise ClusterError(f"the kubeconfig cannot be used: {error}") from None
        self.server: str = self._api.configuration.host
        self._lock = threading.Lock()
        if not _renews(document):
            # The hook sets every property of the connection anew for each request, environment and files included.
            self._api.configuration.refresh_api_key_hook = None

    # --- requests ------------------------------------------------------------------------------------------------

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = _READ_SECONDS,
        stream: bool = False,
    ) -> Any:
        import urllib3

        sent = {"Accept": "application/json", **(headers or {})}
        with self._lock:  # an expired token is asked for once, not by every thread
            settings = self._api.configuration.auth_settings()
        for setting in settings.values():
            if setting["in"] == "header":
                sent[setting["key"]] = setting["value"]
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        try:
            return self._api.rest_client.pool_manager.request(
                method,
                url,
                body=body,
                headers=sent,
                retries=False,
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"the API server {self.server} cannot be reached: {error}") from None

    def request(self, method: str, path: str, *, again: bool = True, **options: Any) -> dict[str, Any]:
        """The answer's JSON. What passes (connection lost, server busy) is tried again, when ``again``.

        Raises:
            ClusterError: the API server refuses, or stays away.
        """
        pause = _FIRST_PAUSE
        for attempt in range(_RETRIES + 1):
            try:
                response = self._send(method, path, **options)
                if response.status < 400:
                    return self._json(path, response.data)
                raise _refusal(method, path, response)
            except ClusterError as error:
                passing = error.status == 0 or error.status in _CONNECTION_STATES
                if not (again and passing) or attempt == _RETRIES:
                    raise
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _json(self, path: str, data: bytes) -> dict[str, Any]:
        try:
            return cast("dict[str, Any]", json.loads(data or b"{}"))
        except ValueError:
            raise ClusterError(
                f"{self.server} does not answer {path} as a Kubernetes API server: check the kubeconfig's server",
                200,
            ) from None

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object, or None when there is none."""
        try:
            return self.request("GET", path_of(kind, namespace, name))
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, kind: str, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        """Every object of a kind that the selectors match."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        return self.request("GET", path_of(kind, namespace), query=query).get("items") or []

    def apply(self, kind: str, body: Mapping[str, Any], *, force: bool = True) -> dict[str, Any]:
        """Server-side apply with strict field validation, as the field manager ``mldeploy-rollout``."""
        meta = cast("Mapping[str, Any]", body["metadata"])
        group = PATHS[kind].split("/", 1)[1]
        whole = {"apiVersion": group, "kind": kind, **body}
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": str(force).lower()}
        return self.request(
            "PATCH",
            path_of(kind, meta.get("namespace"), str(meta["name"])),
            query=query,
            body=json.dumps(whole).encode(),
            headers={"Content-Type": _APPLY},
        )

    def merge(self, kind: str, namespace: str, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON merge patch."""
        return self.request(
            "PATCH",
            path_of(kind, namespace, name),
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"},
            body=json.dumps(patch).encode(),
            headers={"Content-Type": _MERGE},
        )

    def delete(self, kind: str, namespace: str | None, name: str) -> bool:
        """Delete an object and what it owns, in the background; False when it was gone already."""
        body = json.dumps({"propagationPolicy": "Background"}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            self.request("DELETE", path_of(kind, namespace, name), body=body, headers=headers)
        except ClusterError as error:
            if error.status == 404:
                return False
            raise
        return True

    # --- through the API server ----------------------------------------------------------------------------------

    def proxy(
        self,
        method: str,
        kind: str,
        namespace: str,
        target: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str | None = None,
        accept: str = "*/*",
        golden: bool = False,
        key: str | None = None,
        timeout: float = _READ_SECONDS,
    ) -> Reply:
        """A request to a Service's or Pod's port, which the API server passes on.

        Args:
            method: HTTP method.
            kind: `Service` or `Pod`.
            namespace: where it is.
            target: `[https:]name:port`.
            path: the path at the server, with its leading slash.
            body: the request's body.
            content_type: the body's.
            accept: what the answer may be.
            golden: whether it is a golden request, which collected data is told apart by.
            key: the service's key. It travels in its own header: the API server takes `Authorization` for itself.
            timeout: seconds between two packets.

        Raises:
            ClusterError: the API server cannot be reached or does not pass it on (no endpoints: status 503).
        """
        import urllib3

        headers = {"Accept": accept, **({GOLDEN_HEADER: "true"} if golden else {})}
        if content_type:
            headers["Content-Type"] = content_type
        if key:
            headers[KEY_HEADER] = key
        full = path_of(kind, namespace, target, "proxy") + path
        started = time.monotonic()
        response = self._send(method, full, body=body, headers=headers, timeout=timeout, stream=True)
        if response.status >= 400 and _is_status(response.data):
            raise _refusal(method, full, response)
        try:
            return read(response, started)
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"{method} {full}: the answer broke off: {error}") from None

    def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str | None = None,
        lines: int = 100,
        previous: bool = False,
        follow: bool = False,
    ) -> Iterator[str]:
        """A container's log, line by line.

        Raises:
            ClusterError: there is no log (not started, node away), or the connection ended in the middle of it.
        """
        import urllib3

        query: dict[str, Any] = {
            "tailLines": lines,
            "previous": str(previous).lower(),
            "follow": str(follow).lower(),
        }
        if container:
            query["container"] = container
        path = path_of("Pod", namespace, pod, "log")
        response = self._send(
            "GET", path, query=query, stream=True, timeout=3600.0 if follow else _READ_SECONDS
        )
        try:
            if response.status >= 400:
                raise _refusal("GET", path, response)
            rest = b""
            for chunk in response.stream(4096):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            if rest:
                yield rest.decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"the log of {pod} ended: the connection was lost: {error}") from None
        finally:
            response.release_conn()


def _find_program(kubeconfig: Any) -> None:
    """The official client goes on without credentials when their program is missing: say it instead."""
    for item in cast("list[dict[str, Any]]", kubeconfig.get("users") or []):
        plugin = obj(item, "user", "exec")
        command = plugin.get("command")
        if command and shutil.which(str(command)) is None:
            hint = f"; {plugin['installHint']}" if plugin.get("installHint") else ""
            raise ClusterError(
                f"the kubeconfig's credentials come from {command!r}, which is not on PATH{hint}"
            )


def _renews(kubeconfig: Any) -> bool:
    """Whether a kubeconfig's credentials come from a program that must be asked again."""
    users = cast("list[dict[str, Any]]", kubeconfig.get("users") or [])
    return any({"exec", "auth-provider"} & set(item.get("user") or ()) for item in users)


def _is_status(body: bytes) -> bool:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and cast("dict[str, Any]", found).get("kind") == "Status"


def _refusal(method: str, path: str, response: Any) -> ClusterError:
    data: bytes = response.data if response.data is not None else b""
    try:
        status = cast("dict[str, Any]", json.loads(data))
        message, reason = str(status.get("message", "")), str(status.get("reason", ""))
    except (ValueError, AttributeError):
        message, reason = data.decode(errors="replace")[:500], ""
    if response.status == 401:
        message += " (the kubeconfig's credentials are not accepted: expired? log in again)"
    return ClusterError(
        f"{method} {path}: {response.status} {reason}: {message}", int(response.status), reason
    )


@lru_cache(maxsize=8)
def cluster(kubeconfig: str) -> Cluster:
    """The cluster of a kubeconfig; resources of one update share its connections."""
    return Cluster(kubeconfig)


def server_of(kubeconfig: str) -> str:
    """The API server's URL in a kubeconfig: what tells clusters apart while tokens and certificates change."""
    try:
        document = cast("dict[str, Any]", yaml.safe_load(kubeconfig))
        context = next(
            item["context"] for item in document["contexts"] if item["name"] == document["current-context"]
        )
        return str(
            next(c["cluster"]["server"] for c in document["clusters"] if c["name"] == context["cluster"])
        )
    except (yaml.YAMLError, KeyError, TypeError, StopIteration, AttributeError):
        return ""


def until(check: Callable[[], bool], seconds: float, every: float, stop: Callable[[], None]) -> bool:
    """Ask ``check`` until it is true; False when ``seconds`` are over. ``stop`` raises to give up."""
    deadline = time.monotonic() + seconds
    while not check():
        stop()
        if time.monotonic() >= deadline:
            return False
        time.sleep(min(every, max(0.05, deadline - time.monotonic())))
    return True
