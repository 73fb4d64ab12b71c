"""A running test cluster on loopback: etcd, API server, controller manager, scheduler, and kwok for nodes and pods."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from tests.kubernetes.controlplane import build
from tests.kubernetes.controlplane.certificates import Authority

START_SECONDS = 90
# In the format of the container runtimes, which kwok reads.
_LOG = "2026-01-01T00:00:00.000000000Z stdout F a line of the fake pod's log\n"
_ISSUER = "https://kubernetes.default.svc.cluster.local"


class StartError(Exception):
    """A process of the cluster did not start; the message has the end of its log."""


@dataclass
class TestCluster:
    """A cluster's processes and how to reach it."""

    __test__ = False
    folder: Path
    binaries: Path
    address: str = "127.0.0.1"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.ports['api']}"

    @property
    def kubeconfig(self) -> str:
        """An administrator's kubeconfig, as text."""
        return (self.folder / "admin.kubeconfig").read_text()

    def kubeconfig_of(self, user: str, token: str) -> str:
        authority = (self.folder / "ca.crt").read_bytes()
        import base64

        cluster = {"server": self.server, "certificate-authority-data": base64.b64encode(authority).decode()}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": user, "user": {"token": token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
                "current-context": "test",
            }
        )

    # --- processes -----------------------------------------------------------------------------------------------

    def run(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(self.binaries / name), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def stop_one(self, name: str, signal_number: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal_number)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop(self) -> None:
        for name in reversed(list(self.processes)):
            self.stop_one(name)

    def check_alive(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise StartError(f"{name} ended:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def wait_for(self, what: str, ready, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            self.check_alive()
            if time.monotonic() > deadline:
                raise StartError(f"{what} after {seconds} s: no\n{self.tail('kube-apiserver')}")
            time.sleep(0.1)

    # --- the API, for the tests' own needs ---------------------------------------------------------------------------

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.server,
            verify=ssl.create_default_context(cafile=str(self.folder / "ca.crt")),
            headers={"Authorization": f"Bearer {self.tokens['admin']}"},
            timeout=30,
            trust_env=False,
        )

    def apply(self, *objects: dict) -> None:
        """Server-side apply as a test's own field manager, with strict validation."""
        with self.client() as client:
            for item in objects:
                query = {"fieldManager": "test", "force": "true", "fieldValidation": "Strict"}
                answer = client.patch(
                    path_of(item),
                    params=query,
                    content=yaml.safe_dump(item),
                    headers={"Content-Type": "application/apply-patch+yaml"},
                )
                assert answer.status_code < 300, answer.text

    def get(self, path: str) -> dict:
        with self.client() as client:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            return answer.json()


_CLUSTER_WIDE = {
    "Namespace",
    "Node",
    "CustomResourceDefinition",
    "PriorityClass",
    "GatewayClass",
    "ClusterRoleBinding",
}


def path_of(item: dict) -> str:
    api = item["apiVersion"]
    root = f"/api/{api}" if "/" not in api else f"/apis/{api}"
    kind, meta = item["kind"], item["metadata"]
    plural = {"y": f"{kind[:-1]}ies", "s": f"{kind}es"}.get(kind[-1], f"{kind}s").lower()
    space = "" if kind in _CLUSTER_WIDE else f"/namespaces/{meta.get('namespace', 'default')}"
    return f"{root}{space}/{plural}/{meta['name']}"


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1, held open together so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


@contextlib.contextmanager
def running(*, nodes: int = 1, address: str = "127.0.0.1", kwok: bool = True) -> Iterator[TestCluster]:
    """A cluster that is ready; nothing of it is left afterwards.

    Raises:
        StartError: a process ended or did not get ready.
    """
    folder = Path(tempfile.mkdtemp(prefix="mldeploy-kubernetes-"))
    cluster = TestCluster(folder, build.build(), address)
    try:
        _prepare(cluster)
        _start_control_plane(cluster)
        if kwok:
            _start_kwok(cluster, nodes)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(cluster: TestCluster) -> None:
    names = ("etcd", "peer", "api", "manager", "scheduler", "kwok")
    cluster.ports = dict(zip(names, free_ports(len(names)), strict=True))
    authority = Authority(cluster.folder)
    hosts = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "127.0.0.1",
        "10.0.0.1",
    ]
    authority.issue("server", "kube-apiserver", hosts=[*hosts, cluster.address])
    authority.issue("front-proxy", "front-proxy-client")
    authority.issue("kubelet-client", "kube-apiserver-kubelet-client", organization="system:masters")
    authority.service_account_key()
    users = {
        "admin": ("admin", "system:masters"),
        "manager": ("system:kube-controller-manager", "system:masters"),
        "scheduler": ("system:kube-scheduler", ""),
        "kwok": ("kwok", "system:masters"),
        "kubelet": ("kubelet-admin", "system:masters"),
    }
    lines = []
    for key, (name, group) in users.items():
        cluster.tokens[key] = secrets.token_hex(16)
        lines.append(f'{cluster.tokens[key]},{name},{key},"{group}"')
        path = cluster.folder / f"{key}.kubeconfig"
        path.write_text(cluster.kubeconfig_of(name, cluster.tokens[key]))
        path.chmod(0o600)
    (cluster.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    (cluster.folder / "tokens.csv").chmod(0o600)


def _start_control_plane(cluster: TestCluster) -> None:
    start_etcd(cluster)
    start_api_server(cluster)
    ports = cluster.ports
    cluster.wait_for("API ready", lambda: api_ready(cluster))
    cluster.run(
        "kube-controller-manager",
        "--kubeconfig=manager.kubeconfig",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports['manager']}",
        "--cert-dir=manager-certificates",
        "--leader-elect=false",
        "--service-account-private-key-file=sa.key",
        "--root-ca-file=ca.crt",
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--authentication-kubeconfig=manager.kubeconfig",
        "--authorization-kubeconfig=manager.kubeconfig",
    )
    cluster.run(
        "kube-scheduler",
        "--kubeconfig=scheduler.kubeconfig",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports['scheduler']}",
        "--cert-dir=scheduler-certificates",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--authentication-kubeconfig=scheduler.kubeconfig",
        "--authorization-kubeconfig=scheduler.kubeconfig",
    )
    for path in sorted((cluster.binaries / "crds").glob("*.yaml")):
        cluster.apply(yaml.safe_load(path.read_text()))
    with cluster.client() as client:
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        cluster.wait_for("default service account", lambda: client.get(account).status_code == 200)
        routes = "/apis/gateway.networking.k8s.io/v1/httproutes"
        cluster.wait_for("Gateway API", lambda: client.get(routes).status_code == 200)


def start_etcd(cluster: TestCluster) -> None:
    client, peer = (f"http://127.0.0.1:{cluster.ports[name]}" for name in ("etcd", "peer"))
    cluster.run(
        "etcd",
        "--data-dir=etcd",
        "--name=test",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
    )


def start_api_server(cluster: TestCluster) -> None:
    bind = cluster.address
    reconciler = "none" if bind == "127.0.0.1" else "lease"
    cluster.run(
        "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{cluster.ports['etcd']}",
        f"--bind-address={bind if reconciler == 'none' else '0.0.0.0'}",
        f"--advertise-address={bind}",
        f"--secure-port={cluster.ports['api']}",
        f"--endpoint-reconciler-type={reconciler}",
        "--tls-cert-file=server.crt",
        "--tls-private-key-file=server.key",
        "--client-ca-file=ca.crt",
        "--token-auth-file=tokens.csv",
        "--service-account-key-file=sa.key",
        "--service-account-signing-key-file=sa.key",
        f"--service-account-issuer={_ISSUER}",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--authorization-mode=Node,RBAC",
        "--requestheader-client-ca-file=ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--proxy-client-cert-file=front-proxy.crt",
        "--proxy-client-key-file=front-proxy.key",
        "--kubelet-client-certificate=kubelet-client.crt",
        "--kubelet-client-key=kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--max-requests-inflight=1600",
        "--max-mutating-requests-inflight=800",
        "--shutdown-delay-duration=0s",
        "--v=1",
    )


def api_ready(cluster: TestCluster) -> bool:
    try:
        with cluster.client() as client:
            return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _start_kwok(cluster: TestCluster, nodes: int) -> None:
    from tests.kubernetes.controlplane.stages import configuration

    (cluster.folder / "pod.log").write_text(_LOG)
    config = configuration(cluster.binaries / "stages", cluster.folder / "pod.log")
    (cluster.folder / "kwok.yaml").write_text(config)
    cluster.run(
        "kwok",
        "--kubeconfig=kwok.kubeconfig",
        "--manage-all-nodes=true",
        "--node-ip=127.0.0.1",
        "--node-name=localhost",
        f"--node-port={cluster.ports['kwok']}",
        f"--server-address=127.0.0.1:{cluster.ports['kwok']}",
        "--tls-cert-file=server.crt",
        "--tls-private-key-file=server.key",
        "--node-lease-duration-seconds=40",
        "--cidr=10.244.0.0/16",
        "--config=kwok.yaml",
    )
    names = [f"node-{number}" for number in range(nodes)]
    cluster.apply(*(_node(name) for name in names))
    with cluster.client() as client:

        def ready() -> bool:
            found = client.get("/api/v1/nodes").json()["items"]
            states = [
                c["status"] for n in found for c in n["status"].get("conditions", []) if c["type"] == "Ready"
            ]
            return states == ["True"] * len(names)

        cluster.wait_for("nodes ready", ready)


def _node(name: str) -> dict:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    size = {"cpu": "1000", "memory": "4000Gi", "pods": "2000", "ephemeral-storage": "4000Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": size, "capacity": size},
    }


def debug_environment(cluster: TestCluster) -> dict[str, str]:
    """Environment for kubectl by hand."""
    return {**os.environ, "KUBECONFIG": str(cluster.folder / "admin.kubeconfig")}
