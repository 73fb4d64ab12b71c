"""A real node for the test cluster: kubelet, containerd and runc, in the network namespace that the tests run in.

containerd and runc are Debian's, as are the network plugins (unpacked into the cache, not installed). Images come from
a Docker archive: no registry is needed. Everything is under one folder and gone afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker import daemon, samples
from tests.kubernetes.controlplane.cluster import TestCluster
from tests.kubernetes.isolated import MARK

NODE = "real-node"
_ADDRESS = "10.246.0.1"  # on loopback: a kubelet refuses 127.0.0.1
_PODS = "10.245.0.0/24"
_BRIDGE = "mldeploy0"
_PAUSE = "mldeploy-test/pause:1"
_NETWORK_PLUGINS = daemon.CACHE / "network-plugins/usr/lib/cni"
_TOOLS = {"containerd": "containerd", "ctr": "containerd", "runc": "runc", "ip": "iproute2"}


def why_not() -> str | None:
    """Why containers cannot be run here, or None when they can."""
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None and not Path("/usr/sbin", tool).exists():
            return f"needs {tool} (Debian package {package})"
    if not Path("/sys/fs/cgroup").is_dir():
        return "needs control groups at /sys/fs/cgroup"
    if not (_NETWORK_PLUGINS / "bridge").exists() and os.environ.get(MARK):
        return "needs Debian's network plugins in the cache: make test-kubernetes"
    return daemon.why_not()


def prepare() -> str | None:
    """Put into the cache what the node and its images are made of; in the tests' namespace there is no network.

    Returns why that was not possible, or None.
    """
    try:
        _unpack_network_plugins()
        base = daemon.base_archive()
        with tempfile.TemporaryDirectory(prefix="mldeploy-sample-") as folder:
            samples.Sample("diabetes", Path(folder), base.stem)
    except pytest.skip.Exception as reason:
        return str(reason)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip()
        return f"needs Debian's packages, and `{' '.join(map(str, error.cmd))}` failed: {said[-500:]}"
    return None


@dataclass
class RealNode:
    """The node's runtime, and the images that it was given: reference by digest, by tag."""

    folder: Path
    socket: Path
    images: dict[str, str] = field(default_factory=dict)

    def ctr(self, *arguments: str) -> str:
        """Run containerd's client in the kubelet's namespace."""
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
        return done.stdout

    def load(self, archive: Path, repository: str) -> None:
        """Import a Docker archive; its images get names by digest too, as if they came from a registry."""
        self.ctr("images", "import", str(archive))
        for row in self.ctr("images", "list").splitlines()[1:]:
            name, _type, digest = row.split()[:3]
            if not name.startswith("docker.io/"):
                continue  # the runtime's own names of the same images
            self.images[name.removeprefix("docker.io/")] = f"{repository}@{digest}"
            self.ctr("images", "tag", name, f"{repository}@{digest}")


@contextlib.contextmanager
def real_node(cluster: TestCluster, archive: Path, repository: str) -> Iterator[RealNode]:
    """A node that is ready, with the images of ``archive``, one of which is `mldeploy-test/pause:1`."""
    folder = Path(tempfile.mkdtemp(prefix="mldeploy-node-"))
    node = RealNode(folder, folder / "containerd.sock")
    processes: list[subprocess.Popen[bytes]] = []
    try:
        subprocess.run(["ip", "address", "add", f"{_ADDRESS}/32", "dev", "lo"], check=True)
        processes.append(_containerd(node))
        node.load(archive, repository)
        processes.append(_kubelet(node, cluster))
        _wait_ready(cluster, processes[-1], folder / "kubelet.log")
        yield node
    finally:
        _end(node, processes)


def _containerd(node: RealNode) -> subprocess.Popen[bytes]:
    folder = node.folder
    networks = folder / "networks"
    networks.mkdir()
    bridge = {
        "type": "bridge",
        "bridge": _BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "dataDir": str(folder / "addresses"), "ranges": [[{"subnet": _PODS}]],
                 "routes": [{"dst": "0.0.0.0/0"}]},
    }  # fmt: skip
    chain = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
    (networks / "pods.conflist").write_text(json.dumps(chain))
    (folder / "containerd.toml").write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        f'[grpc]\n  address = "{node.socket}"\n'
        f'[plugins."io.containerd.internal.v1.opt"]\n  path = "{folder}/opt"\n'
        f'[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "docker.io/{_PAUSE}"\n'
        "  restrict_oom_score_adj = true\n  disable_apparmor = true\n"
        f'  [plugins."io.containerd.grpc.v1.cri".cni]\n    bin_dir = "{_NETWORK_PLUGINS}"\n'
        f'    conf_dir = "{networks}"\n'
        '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\n'
        '    runtime_type = "io.containerd.runc.v2"\n'
        '    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n'
        "      SystemdCgroup = false\n"
    )
    command = ["containerd", "--config", str(folder / "containerd.toml")]
    process = _start(command, folder, "containerd")
    deadline = time.monotonic() + 30
    while not node.socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"containerd did not start:\n{(folder / 'containerd.log').read_text()[-3000:]}"
            )
        time.sleep(0.1)
    return process


def _unpack_network_plugins() -> None:
    """Debian's network plugins, unpacked into the cache: installing them is not needed."""
    if (_NETWORK_PLUGINS / "bridge").exists():
        return
    with tempfile.TemporaryDirectory(prefix="mldeploy-deb-") as folder:
        command = ["apt-get", "download", "containernetworking-plugins"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        target = daemon.CACHE / "network-plugins"
        target.mkdir(parents=True, exist_ok=True)
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", str(package), str(target)], check=True)


def _kubelet(node: RealNode, cluster: TestCluster) -> subprocess.Popen[bytes]:
    folder = node.folder
    port = daemon.free_port()
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": _ADDRESS,
        "port": port,
        "healthzPort": 0,
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(cluster.folder / "ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": str(cluster.folder / "server.crt"),
        "tlsPrivateKeyFile": str(cluster.folder / "server.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "resolvConf": "",
        "syncFrequency": "2s",
        "nodeStatusUpdateFrequency": "5s",
        "evictionHard": {"memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": str(folder / "logs"),
        # Mounted secrets are renewed within seconds, as the watch reports them.
        "configMapAndSecretChangeDetectionStrategy": "Watch",
    }
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(configuration))
    command = [
        str(cluster.binaries / "kubelet"),
        f"--config={folder}/kubelet.yaml",
        f"--kubeconfig={cluster.folder}/kubelet.kubeconfig",
        f"--hostname-override={NODE}",
        f"--node-ip={_ADDRESS}",
        f"--root-dir={folder}/kubelet",
        f"--cert-dir={folder}/certificates",
        "--v=1",
    ]
    return _start(command, folder, "kubelet")


def _start(command: list[str], folder: Path, name: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )


def _wait_ready(cluster: TestCluster, kubelet: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    with cluster.client() as client:
        while True:
            answer = client.get(f"/api/v1/nodes/{NODE}")
            found = answer.json()["status"] if answer.status_code == 200 else {}
            conditions = found.get("conditions") or []
            if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
                return
            if kubelet.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the kubelet did not get ready: {conditions}\n{log.read_text()[-4000:]}")
            time.sleep(0.3)


def _end(node: RealNode, processes: list[subprocess.Popen[bytes]]) -> None:
    """Stop the kubelet, then every container that is left, then containerd; unmount what they had."""
    *earlier, last = processes or [None]
    if earlier and last is not None:  # the kubelet first: it would start containers again
        _stop(last)
        for name in node.ctr("tasks", "list", "-q").split():
            with contextlib.suppress(RuntimeError):  # it ended meanwhile
                node.ctr("tasks", "kill", "--signal", "SIGKILL", name)
        deadline = time.monotonic() + 20
        while node.ctr("tasks", "list", "-q").split() and time.monotonic() < deadline:
            for name in node.ctr("tasks", "list", "-q").split():
                with contextlib.suppress(RuntimeError):
                    node.ctr("tasks", "delete", "--force", name)
            time.sleep(0.2)
        for name in node.ctr("containers", "list", "-q").split():
            with contextlib.suppress(RuntimeError):
                _forget_network(json.loads(node.ctr("containers", "info", name)))
                node.ctr("containers", "delete", name)
        last = earlier[0]
    if last is not None:
        _stop(last)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((path for path in mounts if path.startswith(str(node.folder))), reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    subprocess.run(["ip", "link", "delete", _BRIDGE], capture_output=True, check=False)
    subprocess.run(
        ["ip", "address", "delete", f"{_ADDRESS}/32", "dev", "lo"], capture_output=True, check=False
    )
    shutil.rmtree(node.folder, ignore_errors=True)


def _forget_network(container: dict[str, Any]) -> None:
    """Remove the network namespace that was made for a pod; the kubelet would have, had it lived on."""
    for namespace in container["Spec"]["linux"]["namespaces"]:
        path = namespace.get("path", "")
        if namespace["type"] == "network" and "/netns/" in path:
            subprocess.run(["ip", "netns", "delete", Path(path).name], capture_output=True, check=False)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
