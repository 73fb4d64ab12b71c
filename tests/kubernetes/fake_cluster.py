"""A cluster in memory, for the rollout's decisions: objects, pods that are ready as soon as asked for, and
scripted metrics."""

from __future__ import annotations

import json
from typing import Any

from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.reply import Reply
from mldeploy.provider.kubernetes.rollout import Rollout
from serving.metrics import Board, Counters, render
from tests.plain_values import Plain

KUBECONFIG = json.dumps(
    {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://one"}}],
    }
)
BASE = {"kubeconfig": KUBECONFIG, "namespace": "models", "service": "s", "replicas": 1, "version": "new"}
CANARY = {
    **BASE,
    "strategy": "canary",
    "steps": [5, 25, 100],
    "bake_seconds": 0.1,
    "max_error_rate": 0.05,
    "max_latency_ratio": 2.0,
    "gateway": {"name": "g"},
    "key": "k",
}


class FakeCluster:
    """The methods of `client.Cluster` that gate and rollout use."""

    server = "https://fake"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.history: list[dict[str, int]] = []
        """The route's weights, in the order in which they were set."""
        self.metrics: dict[str, Any] = {}
        """By version: a function of the number of looks, giving (requests, errors, seconds each)."""
        self.looks: dict[str, int] = {}
        self.restarts: dict[str, int] = {}
        self.unready: set[str] = set()
        self.answers: dict[str, Any] = {}
        """By version: bytes, or a function of the request's body giving a Reply."""
        self.down = False
        self.requests: list[tuple[str, str]] = []
        self.accepted: list[str] = []

    def add_version(self, service: str, version: str, replicas: int = 1, served_at: str = "") -> None:
        name = f"{service}-{version}"
        labels = {"mldeploy.dev/service": service, "mldeploy.dev/version": version}
        notes = {"mldeploy.dev/served-at": served_at} if served_at else {}
        for kind in ("Deployment", "Service", "PodDisruptionBudget"):
            self.objects[kind, name] = {
                "metadata": {
                    "name": name,
                    "labels": labels,
                    "annotations": notes,
                    "generation": 1,
                    "uid": name,
                },
                "spec": {"replicas": replicas, "progressDeadlineSeconds": 1},
            }

    def versions(self, kind: str = "Deployment") -> set[str]:
        return {
            item["metadata"]["labels"]["mldeploy.dev/version"]
            for (found, _), item in self.objects.items()
            if found == kind and "mldeploy.dev/version" in item["metadata"].get("labels", {})
        }

    # --- the client's methods ------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.down:
            raise ClusterError("the API server https://fake cannot be reached")

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        self._check()
        found = self.objects.get((kind, name))
        if kind == "Deployment" and found is not None:
            version = found["metadata"]["labels"]["mldeploy.dev/version"]
            count = 0 if version in self.unready else found["spec"]["replicas"]
            found["status"] = {
                "observedGeneration": 1,
                "updatedReplicas": found["spec"]["replicas"],
                "availableReplicas": count,
                "readyReplicas": count,
            }
        return found

    def list(
        self, kind: str, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        self._check()
        wanted = dict(part.split("=") for part in labels.split(",") if "=" in part)
        if kind == "Pod":
            return self._pods(wanted)
        return [
            item
            for (found, _), item in self.objects.items()
            if found == kind and wanted.items() <= item["metadata"].get("labels", {}).items()
            and ("mldeploy.dev/version" not in labels or "mldeploy.dev/version" in item["metadata"]["labels"])
        ]  # fmt: skip

    def _pods(self, wanted: dict[str, str]) -> list[dict[str, Any]]:
        version = wanted["mldeploy.dev/version"]
        if version not in self.versions():
            return []
        ready = "False" if version in self.unready else "True"
        return [
            {
                "metadata": {"name": f"pod-{version}", "uid": version},
                "status": {
                    "conditions": [{"type": "Ready", "status": ready}],
                    "containerStatuses": [{"name": "scoring", "restartCount": self.restarts.get(version, 0)}],
                },
            }
        ]

    def apply(self, kind: str, body: dict[str, Any], *, force: bool = True) -> dict[str, Any]:
        self._check()
        self.objects[kind, body["metadata"]["name"]] = json.loads(json.dumps(body))
        if kind == "HTTPRoute":
            backends = body["spec"]["rules"][0]["backendRefs"]
            self.history.append({item["name"].rsplit("-", 1)[1]: item["weight"] for item in backends})
        return body

    def merge(self, kind: str, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        self._check()
        item = self.objects[kind, name]
        for key, value in patch.get("spec", {}).items():
            item["spec"][key] = value
        notes = patch.get("metadata", {}).get("annotations", {})
        item["metadata"].setdefault("annotations", {}).update(notes)
        return item

    def delete(self, kind: str, namespace: str | None, name: str) -> bool:
        self._check()
        return self.objects.pop((kind, name), None) is not None

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        self._check()
        raise ClusterError("no metrics here", 404)

    def logs(self, namespace: str, pod: str, **options: Any):
        yield "a line of the log"

    def proxy(self, method: str, kind: str, namespace: str, target: str, path: str, **options: Any) -> Reply:
        self._check()
        self.requests.append((target, path))
        self.accepted.append(options.get("accept", "*/*"))
        if kind == "Pod":
            return self._metrics(target.split(":", maxsplit=1)[0].removeprefix("pod-"))
        version = target.split(":", maxsplit=1)[0].rsplit("-", 1)[1]
        answer = self.answers.get(version, b"[1.0]")
        return answer(options["body"]) if callable(answer) else Reply(200, "application/json", answer, 0.01)

    def _metrics(self, version: str) -> Reply:
        look = self.looks.get(version, 0)
        self.looks[version] = look + 1
        requests, errors, seconds = self.metrics.get(version, lambda n: (n * 50, 0, 0.02))(look)
        board = Board(1)
        counters = Counters(board, 0)
        for number in range(requests):
            counters.finished(500 if number < errors else 200, seconds)
        return Reply(200, "text/plain", render(board, "s", {}), 0.001)


def first(cluster, ctx, **changes):
    """Version `old` serves."""
    cluster.add_version("s", "old")
    _, state = Plain(Rollout()).create(ctx, {**CANARY, "version": "old", **changes})
    cluster.history.clear()
    return state
