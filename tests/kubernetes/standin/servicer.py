"""A stand-in for the official Kubernetes plugin, with its manners: server-side apply, await, delete and wait.

It is for tests only, where the official plugin is not on PATH. Requests go over the official Python client's
connection, every one with strict field validation; previews are the API server's own dry run.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any
from urllib.parse import quote

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from mldeploy.provider.kubernetes.client import Cluster, ClusterError
from mldeploy.values.difference import difference
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import Secret, contains_unknowns, reveal
from tests.standin import Plugin, diff_response

_CLUSTER_WIDE = {
    "Namespace",
    "Node",
    "CustomResourceDefinition",
    "PriorityClass",
    "ClusterRole",
    "ClusterRoleBinding",
}
_AWAIT_SECONDS, _DELETE_SECONDS = 120.0, 25.0
_REPLACING = {
    "Deployment": ("spec.selector",),
    "Secret": ("type",),
    "PodDisruptionBudget": (),
    "ServiceAccount": (),
}


class _Failed(grpc.RpcError):
    pass


class _Status(grpc.Status):
    def __init__(self, details: str) -> None:
        self.code, self.details, self.trailing_metadata = grpc.StatusCode.UNKNOWN, details, ()


class StandIn(Plugin):
    """The plugin; one cluster a process."""

    name, version = "kubernetes", "4.34.2"

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._upsert = False

    # --- configuration ----------------------------------------------------------------------------------------

    def DiffConfig(self, request: Any, context: Any) -> Any:
        details = difference(reveal(decode(request.old_inputs)), reveal(decode(request.news)))
        kind = provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind, diffs=sorted(details))

    def Configure(self, request: Any, context: Any) -> Any:
        given = reveal(decode(request.args)) or dict(request.variables)
        self._upsert = str(given.get("upsertExistingObjects")).lower() == "true"
        kubeconfig = given.get("kubeconfig") or given.get("kubernetes:config:kubeconfig")
        if isinstance(kubeconfig, str):
            try:
                self._cluster = Cluster(kubeconfig)
            except ClusterError as error:
                self._fail(context, str(error))
        return super().Configure(request, context)

    # --- resources -----------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any) -> Any:
        news = decode(request.news)
        api, kind = _kind_of(request.urn)
        news = {"apiVersion": api, "kind": kind, **news}
        meta = (
            dict(reveal(news.get("metadata") or {}))
            if not contains_unknowns(news.get("metadata"))
            else news["metadata"]
        )
        if isinstance(meta, dict) and not meta.get("name"):
            old = reveal(decode(request.olds)).get("metadata") or {}
            logical = str(request.urn).rsplit("::", 1)[-1]
            suffix = hashlib.sha256(bytes(request.randomSeed) or logical.encode()).hexdigest()[:8]
            news["metadata"] = {**meta, "name": old.get("name") or f"{logical}-{suffix}"}
        return provider_pb2.CheckResponse(inputs=encode(news))

    def Diff(self, request: Any, context: Any) -> Any:
        olds, news = reveal(decode(request.old_inputs)), reveal(decode(request.news))
        details = difference(olds, news)
        kind = str(news.get("kind"))
        replacing = {
            path
            for path in details
            if path in ("metadata.name", "metadata.namespace", "apiVersion", "kind")
            or any(path.startswith(part) for part in _REPLACING.get(kind, ()))
        }
        same = _identity(olds) == _identity(news)
        return diff_response(details, replacing, delete_first=bool(replacing) and same)

    def Create(self, request: Any, context: Any) -> Any:
        inputs = decode(request.properties)
        if request.preview and (contains_unknowns(inputs) or self._cluster is None):
            return provider_pb2.CreateResponse(id="", properties=encode(inputs))
        if not self._upsert and not request.preview:
            self._refuse_existing(context, reveal(inputs))
        live = self._apply(context, inputs, dry=request.preview)
        ident = "" if request.preview else _ident(live)
        return provider_pb2.CreateResponse(id=ident, properties=_outputs(inputs, live))

    def Update(self, request: Any, context: Any) -> Any:
        inputs = decode(request.news)
        if request.preview and contains_unknowns(inputs):
            return provider_pb2.UpdateResponse(properties=encode(inputs))
        live = self._apply(context, inputs, dry=request.preview)
        return provider_pb2.UpdateResponse(properties=_outputs(inputs, live))

    def Read(self, request: Any, context: Any) -> Any:
        inputs = decode(request.inputs)
        plain = reveal(inputs) or reveal(decode(request.properties))
        try:
            live = self._server(context).request("GET", _path(plain))
        except ClusterError as error:
            if error.status == 404:
                return provider_pb2.ReadResponse()
            self._fail(context, str(error))
            raise
        found = _restored(inputs, live)
        return provider_pb2.ReadResponse(
            id=request.id, properties=_outputs(inputs, live), inputs=encode(found)
        )

    def Delete(self, request: Any, context: Any) -> Any:
        plain = reveal(decode(request.properties))
        server, path = self._server(context), _path(plain)
        body = json.dumps({"propagationPolicy": "Background"}).encode()
        try:
            server.request("DELETE", path, body=body, headers={"Content-Type": "application/json"})
            self._wait_gone(context, server, path, request.timeout or _DELETE_SECONDS)
        except ClusterError as error:
            if error.status != 404:
                self._fail(context, str(error))
        return empty_pb2.Empty()

    # --- plumbing ------------------------------------------------------------------------------------------------

    def _server(self, context: Any) -> Cluster:
        if self._cluster is None:
            self._fail(context, "the provider has no kubeconfig")
        assert self._cluster is not None
        return self._cluster

    def _apply(self, context: Any, inputs: dict[str, Any], *, dry: bool) -> dict[str, Any]:
        plain = reveal(inputs)
        notes = plain["metadata"].get("annotations") or {}
        query = {
            "fieldManager": notes.get("pulumi.com/patchFieldManager", "pulumi-kubernetes"),
            "force": notes.get("pulumi.com/patchForce", "false"),
            "fieldValidation": "Strict",
        }
        if dry:
            query["dryRun"] = "All"
        server, path = self._server(context), _path(plain)
        try:
            if not dry:
                _take_over(server, path, query["fieldManager"])
            live = server.request(
                "PATCH",
                path,
                query=query,
                body=json.dumps(plain).encode(),
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
            if dry or notes.get("pulumi.com/skipAwait") == "true":
                return live
            return self._await(context, server, path, live)
        except ClusterError as error:
            if dry and error.status == 404:  # its namespace is to be made by the same update
                return plain
            self._fail(context, str(error))
            raise

    def _refuse_existing(self, context: Any, plain: dict[str, Any]) -> None:
        try:
            self._server(context).request("GET", _path(plain))
        except ClusterError:
            return  # not there, or the apply that follows says what is wrong
        self._fail(
            context, f"{_path(plain)} already exists; set upsertExistingObjects to update it on create"
        )

    def _await(self, context: Any, server: Cluster, path: str, live: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + _AWAIT_SECONDS
        while not _settled(live):
            if time.monotonic() > deadline:
                self._fail(context, f"{path} is not ready after {_AWAIT_SECONDS:.0f} s: {live.get('status')}")
            time.sleep(0.2)
            live = server.request("GET", path)
        return live

    def _wait_gone(self, context: Any, server: Cluster, path: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            live = server.request("GET", path)  # 404 ends it
            if time.monotonic() > deadline:
                held = live["metadata"].get("finalizers") or (live.get("spec") or {}).get("finalizers")
                conditions = [
                    item.get("message") for item in (live.get("status") or {}).get("conditions") or []
                ]
                self._fail(
                    context,
                    f"{path} is still there after {seconds:.0f} s; finalizers: {held}; "
                    f"{'; '.join(map(str, conditions))}",
                )
            time.sleep(0.1)

    @staticmethod
    def _fail(context: Any, message: str) -> None:
        context.abort_with_status(_Status(message))
        raise _Failed(message)


def _take_over(server: Cluster, path: str, manager: str) -> None:
    """Make the fields that people set with kubectl the plugin's own, so that they are no conflict."""
    try:
        live = server.request("GET", path)
    except ClusterError as error:
        if error.status == 404:
            return
        raise
    fields = live["metadata"].get("managedFields") or []
    if any(_is_kubectls(item) for item in fields):
        # With their owner gone, nobody is in the way of the apply that follows, which makes them the plugin's.
        kept = [item for item in fields if not _is_kubectls(item)]
        patch = {"metadata": {"managedFields": kept, "resourceVersion": live["metadata"]["resourceVersion"]}}
        server.request(
            "PATCH",
            path,
            query={"fieldManager": manager},
            body=json.dumps(patch).encode(),
            headers={"Content-Type": "application/merge-patch+json"},
        )


def _is_kubectls(item: dict[str, Any]) -> bool:
    return str(item.get("manager")).startswith(("kubectl", "before-first-apply"))


def _kind_of(urn: str) -> tuple[str, str]:
    _, group, kind = str(urn).split("::")[2].rsplit("$", 1)[-1].split(":")
    api = group.removeprefix("core/")
    if (
        "/" in api
        and "." not in api.split("/")[0]
        and api.split("/")[0] not in ("apps", "autoscaling", "policy", "batch")
    ):
        name, version = api.split("/")
        api = f"{name}.k8s.io/{version}"
    return api, kind


def _path(item: dict[str, Any]) -> str:
    api, kind, meta = str(item["apiVersion"]), str(item["kind"]), item["metadata"]
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    lower = kind.lower()
    plural = (
        f"{lower[:-1]}ies"
        if lower.endswith("y") and lower[-2] not in "aeiou"
        else f"{lower}{'es' if lower.endswith('s') else 's'}"
    )
    if kind not in _CLUSTER_WIDE:
        root += f"/namespaces/{quote(meta.get('namespace') or 'default')}"
    return f"{root}/{plural}/{quote(meta['name'])}"


def _identity(item: dict[str, Any]) -> tuple[Any, Any]:
    meta = item.get("metadata") or {}
    return meta.get("name"), meta.get("namespace")


def _ident(live: dict[str, Any]) -> str:
    meta = live["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _settled(live: dict[str, Any]) -> bool:
    status = live.get("status") or {}
    if live["kind"] == "Deployment":
        wanted = (live.get("spec") or {}).get("replicas", 1)
        seen = status.get("observedGeneration", 0) >= live["metadata"]["generation"]
        return bool(seen and status.get("availableReplicas", 0) >= wanted)
    if live["kind"] == "Namespace":
        return status.get("phase") == "Active"
    return True


def _outputs(inputs: dict[str, Any], live: dict[str, Any]) -> Any:
    shown = {key: value for key, value in live.items() if key not in ("managedFields",)}
    if live.get("kind") == "Secret":
        shown["data"] = Secret(live.get("data") or {})
        if "stringData" in inputs:
            shown["stringData"] = Secret(reveal(inputs["stringData"]))
    shown["metadata"] = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return encode(shown)


def _restored(inputs: Any, live: Any) -> Any:
    """The live values at the paths of ``inputs``: what differs is drift."""
    if isinstance(inputs, Secret):
        return inputs
    if isinstance(inputs, dict) and isinstance(live, dict):
        return {key: _restored(value, live[key]) if key in live else value if key == "stringData" else None
                for key, value in inputs.items() if key in live or key == "stringData"}  # fmt: skip
    if isinstance(inputs, list) and isinstance(live, list) and len(inputs) == len(live):
        return [_restored(a, b) for a, b in zip(inputs, live, strict=True)]
    return live
