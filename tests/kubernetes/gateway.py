"""A Gateway API data plane for tests: shares requests by the HTTPRoute's weights over ready endpoints, without any
retry."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from mldeploy.provider.kubernetes.client import Cluster, ClusterError


class Gateway(threading.Thread):
    """Follows one HTTPRoute and its backends' EndpointSlices."""

    def __init__(self, kubeconfig: str, namespace: str, route: str) -> None:
        super().__init__(name="gateway", daemon=True)
        self._cluster, self._namespace, self._route = Cluster(kubeconfig), namespace, route
        self._ending = threading.Event()
        self.table: list[tuple[int, str, list[str]]] = []

    def run(self) -> None:
        while not self._ending.wait(0.1):
            try:
                self.table = self._read()
            except ClusterError:
                continue  # a data plane goes on with what it knows

    def close(self) -> None:
        self._ending.set()
        self.join(10)

    def _read(self) -> list[tuple[int, str, list[str]]]:
        route = self._cluster.get("HTTPRoute", self._namespace, self._route)
        if route is None:
            return []
        slices = self._cluster.request(
            "GET", f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices"
        )["items"]
        found = []
        for backend in route["spec"]["rules"][0]["backendRefs"]:
            addresses = [
                endpoint["addresses"][0]
                for item in slices
                if item["metadata"]["labels"].get("kubernetes.io/service-name") == backend["name"]
                for endpoint in item["endpoints"] or []
                if endpoint["conditions"].get("ready")
            ]
            found.append((backend.get("weight", 1), backend["name"], addresses))
        return found

    def post(self, body: bytes, key: str | None) -> tuple[int, bytes, str]:
        """(status, body, backend) of one request."""
        table = [row for row in self.table if row[0] > 0]
        if not table:
            return 503, b"no route", ""
        _, name, addresses = random.choices(table, [row[0] for row in table])[0]
        if not addresses:
            return 503, b"no endpoints", name
        connection = http.client.HTTPConnection(random.choice(addresses), 5001, timeout=10)
        try:
            headers = {"Content-Type": "application/json"}
            if key:
                headers["Authorization"] = f"Bearer {key}"
            connection.request("POST", f"/api/v1/service/{self._route}/score", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), name
        except (OSError, http.client.HTTPException) as error:
            return 502, f"{type(error).__name__}: {error}".encode(), name
        finally:
            connection.close()


@dataclass
class Load:
    """Clients that ask without a pause but a short one; what they saw."""

    gateway: Gateway
    key: str | None
    clients: int = 4
    pause: float = 0.02
    body: bytes = b'{"data": [1, 2, 3]}'
    answers: Counter[int] = field(default_factory=Counter)
    backends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _ask(self) -> None:
        while not self._stop.is_set():
            status, answer, backend = self.gateway.post(self.body, self.key)
            self.answers[status] += 1
            self.backends[backend] += 1
            if status != 200:
                self.failures.append(f"{time.strftime('%X')} {backend} {status} {answer[:100]!r}")
            time.sleep(self.pause)
