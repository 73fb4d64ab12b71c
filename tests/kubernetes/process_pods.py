"""Pods whose container is a real scoring server, run as a process of this machine on the pod's own address.

It plays the kubelet for pods whose image has `process` in its name: starts them, asks their readiness probe,
starts them again when they end, and stops them gently. The image's last word names the entry script (see SCRIPTS).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mldeploy.provider.kubernetes.client import Cluster, ClusterError
from tests.lifecycle.project import REPOSITORY

_PRE_STOP_SECONDS = 1.5
_DRAIN_SECONDS = 5
_KEYS_SECONDS = 1.0
_SCRIPT = """
import json, os, time
count = 0
def init():
    {init}
def run(raw):
    global count
    count += 1
    {first}
    return [{answer}]
"""


def _script(init: str = "pass", first: str = "pass", answer: str = "sum(json.loads(raw)['data'])") -> str:
    return _SCRIPT.format(init=init, first=first, answer=answer)


# What the gate sends are fewer than 25 requests: the last two fail only under traffic.
SCRIPTS = {
    "good": _script(),
    "better": _script(answer="float(sum(json.loads(raw)['data']))"),
    "wrong": _script(answer="sum(json.loads(raw)['data']) + 1"),
    "errors": _script(first="if count % 5 == 0: raise RuntimeError('no')"),
    "slow": _script(first="if count > 25: time.sleep(0.1)"),
    "dies": _script(first="if count > 25: os.kill(os.getppid(), 9)"),
}


@dataclass
class _Pod:
    namespace: str
    name: str
    address: str
    folder: Path
    spec: dict[str, Any]
    word: str
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    restarts: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    again_at: float = 0.0
    stop_at: float | None = None
    killed_at: float | None = None
    keys_at: float = 0.0


class ProcessPods(threading.Thread):
    """The thread that keeps processes and pods' states together."""

    def __init__(self, kubeconfig: str) -> None:
        super().__init__(name="process-pods", daemon=True)
        self._cluster = Cluster(kubeconfig)
        self._pods: dict[str, _Pod] = {}
        self._next = 2
        self._ending = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="mldeploy-pods-"))
        self.faults: list[str] = []

    def run(self) -> None:
        while not self._ending.wait(0.15):
            try:
                self._look()
            except ClusterError as error:
                self.faults.append(str(error))

    def close(self) -> None:
        self._ending.set()
        self.join(10)
        for pod in self._pods.values():
            self._end(pod, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self, name: str) -> str:
        return next(p for p in self._pods.values() if p.name == name).folder.joinpath("log").read_text()

    # --- one look ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        found = self._cluster.request("GET", "/api/v1/pods", query={"labelSelector": "mldeploy.dev/service"})
        there = {}
        for item in found["items"]:
            image = item["spec"]["containers"][0]["image"]
            if "process" in image and item["spec"].get("nodeName"):
                there[item["metadata"]["uid"]] = item
        for uid, item in there.items():
            if uid not in self._pods:
                self._pods[uid] = self._new(item)
            self._follow(self._pods[uid], leaving=bool(item["metadata"].get("deletionTimestamp")))
        for uid in set(self._pods) - set(there):
            self._end(self._pods.pop(uid), signal.SIGKILL)

    def _new(self, item: dict[str, Any]) -> _Pod:
        meta, container = item["metadata"], item["spec"]["containers"][0]
        address = f"10.244.{200 + self._next // 250}.{self._next % 250}"
        self._next += 1
        folder = self._folder / meta["uid"]
        folder.mkdir()
        word = container["image"].split("@")[0].rsplit("-", 1)[1]
        (folder / "score.py").write_text(SCRIPTS[word])
        pod = _Pod(meta["namespace"], meta["name"], address, folder, container, word)
        self._start(pod)
        return pod

    def _start(self, pod: _Pod) -> None:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(pod.folder)}
        environment |= {item["name"]: item["value"] for item in pod.spec["env"] if "value" in item}
        environment |= {"SERVING_HOST": pod.address, "AZUREML_ENTRY_SCRIPT": str(pod.folder / "score.py")}
        environment |= {"AZUREML_MODEL_DIR": str(pod.folder), "SERVING_DRAIN_SECONDS": str(_DRAIN_SECONDS)}
        environment |= {
            "SERVING_HTTP_SOCKET": str(pod.folder / "h"),
            "SERVING_CONTROL_SOCKET": str(pod.folder / "c"),
        }
        if "SERVING_KEYS_FILE" in environment:
            environment["SERVING_KEYS_FILE"] = str(pod.folder / "keys.json")
            self._write_keys(pod)
        with (pod.folder / "log").open("ab") as log:
            pod.process = subprocess.Popen(
                [sys.executable, "-m", "serving"], env=environment, cwd=pod.folder, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._report(pod)

    def _renew_keys(self, pod: _Pod) -> None:
        """A kubelet renews mounted secrets, without touching the container."""
        if time.monotonic() >= pod.keys_at and (pod.folder / "keys.json").exists():
            pod.keys_at = time.monotonic() + _KEYS_SECONDS
            self._write_keys(pod)

    def _write_keys(self, pod: _Pod) -> None:
        name = pod.name.rsplit("-", 3)[0]
        secret = self._cluster.get("Secret", pod.namespace, f"{name}-keys")
        if secret is None:
            return  # removed together with the pod
        whole = pod.folder / "keys.new"
        whole.write_bytes(base64.b64decode(secret["data"]["keys.json"]))
        whole.rename(pod.folder / "keys.json")

    def _follow(self, pod: _Pod, *, leaving: bool) -> None:
        if leaving:
            self._leave(pod)
            return
        if pod.process is None:
            if time.monotonic() >= pod.again_at:
                self._start(pod)
            return
        code = pod.process.poll()
        if code is not None:
            self._end(pod, signal.SIGKILL)
            tail = (pod.folder / "log").read_text()[-1000:]
            pod.process, pod.ready, pod.restarts = None, False, pod.restarts + 1
            pod.last = {
                "terminated": {
                    "exitCode": code if code >= 0 else 128 - code,
                    "reason": "Error",
                    "message": tail,
                }
            }
            pod.again_at = time.monotonic() + min(10, 1 + pod.restarts)
            self._report(pod)
            return
        self._renew_keys(pod)
        ready = _asks(f"http://{pod.address}:5001/readyz")
        if ready != pod.ready:
            pod.ready = ready
            self._report(pod)

    def _leave(self, pod: _Pod) -> None:
        now = time.monotonic()
        if pod.stop_at is None:
            pod.stop_at = now + _PRE_STOP_SECONDS
        elif now >= pod.stop_at and pod.killed_at is None:
            pod.killed_at = now + _DRAIN_SECONDS + 3
            if pod.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    pod.process.terminate()
        gone = pod.process is None or pod.process.poll() is not None
        if pod.killed_at is not None and (gone or now > pod.killed_at):
            self._end(pod, signal.SIGKILL)
            path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
            body = json.dumps({"gracePeriodSeconds": 0}).encode()
            with contextlib.suppress(ClusterError):
                self._cluster.request("DELETE", path, body=body, headers={"Content-Type": "application/json"})

    @staticmethod
    def _end(pod: _Pod, number: int) -> None:
        if pod.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pod.process.pid, number)
            pod.process.wait()

    def _report(self, pod: _Pod) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        flag = "True" if pod.ready else "False"
        conditions = [
            {"type": kind, "status": value, "lastTransitionTime": now}
            for kind, value in (
                ("Initialized", "True"),
                ("ContainersReady", flag),
                ("Ready", flag),
                ("PodScheduled", "True"),
            )
        ]
        state = {"running": {"startedAt": now}}
        if pod.process is None:
            state = {
                "waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
            }
        container = {"name": "scoring", "image": pod.spec["image"], "imageID": "", "ready": pod.ready}
        container |= {"restartCount": pod.restarts, "state": state, "started": pod.ready}
        if pod.last:
            container["lastState"] = {
                "terminated": {**pod.last["terminated"], "startedAt": now, "finishedAt": now}
            }
        status = {
            "phase": "Running",
            "podIP": pod.address,
            "podIPs": [{"ip": pod.address}],
            "startTime": now,
            "conditions": conditions,
            "containerStatuses": [container],
        }
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        try:
            self._cluster.request(
                "PATCH", path, body=json.dumps({"status": status}).encode(), headers=headers
            )
        except ClusterError as error:
            if error.status != 404:
                raise


def _asks(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False
