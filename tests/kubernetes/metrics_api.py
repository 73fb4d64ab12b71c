"""A resource metrics API (`metrics.k8s.io`) for tests: an autoscaler really scales by the usage that a test sets."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mldeploy.provider.kubernetes.client import Cluster, ClusterError

_GROUP, _VERSION = "metrics.k8s.io", "v1beta1"
_ROOT = f"/apis/{_GROUP}/{_VERSION}"
_NAME = "metrics-stand-in"


class Usage:
    """What every pod uses: `millicores` of CPU."""

    def __init__(self) -> None:
        self.millicores = 1


@contextlib.contextmanager
def metrics_api(cluster: Any) -> Iterator[Usage]:
    """Register the API with the cluster's API server for as long as this lasts."""
    usage = Usage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(Cluster(cluster.kubeconfig), usage))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.folder / "server.crt", cluster.folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, name="metrics-api", daemon=True)
    thread.start()
    port = server.server_address[1]
    service = {"name": _NAME, "namespace": "kube-system", "port": port}
    path = f"/apis/apiregistration.k8s.io/v1/apiservices/{_VERSION}.{_GROUP}"
    admin = Cluster(cluster.kubeconfig)
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _NAME, "namespace": "kube-system"},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
        }
    )
    body = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{_VERSION}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "version": _VERSION,
            "service": service,
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    cluster_wide = path.rsplit("/", 1)[0]
    admin.request(
        "POST", cluster_wide, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        cluster.wait_for("metrics API", lambda: _answers(admin), 30)
        yield usage
    finally:
        admin.request("DELETE", path)
        admin.delete("Service", "kube-system", _NAME)
        server.shutdown()
        thread.join()
        server.server_close()


def _answers(cluster: Cluster) -> bool:
    try:
        return bool(cluster.request("GET", _ROOT, again=False))
    except ClusterError:
        return False


def _handler(cluster: Cluster, usage: Usage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.rstrip("/") == _ROOT:
                resource = {
                    "name": "pods",
                    "namespaced": True,
                    "kind": "PodMetrics",
                    "verbs": ["get", "list"],
                }
                self._send({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{_GROUP}/{_VERSION}",
                            "resources": [{**resource, "singularName": ""}]})  # fmt: skip
                return
            namespace = parts.path.split("/namespaces/")[1].split("/")[0]
            labels = parse_qs(parts.query).get("labelSelector", [""])[0]
            items = [_measured(pod, usage) for pod in cluster.list("Pod", namespace, labels=labels)]
            self._send(
                {
                    "kind": "PodMetricsList",
                    "apiVersion": f"{_GROUP}/{_VERSION}",
                    "metadata": {},
                    "items": items,
                }
            )

        def _send(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


def _measured(pod: dict[str, Any], usage: Usage) -> dict[str, Any]:
    meta = pod["metadata"]
    return {
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": meta["labels"]},
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        # Pods count from their first whole window on.
        "window": "1s",
        "containers": [
            {"name": "scoring", "usage": {"cpu": f"{usage.millicores}m", "memory": "100Mi"}},
        ],
    }
