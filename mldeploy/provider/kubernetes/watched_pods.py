"""A version's pods as a bake watches them: their metrics through the API server's proxy, readiness, restarts."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.provider.kubernetes import bake
from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.reply import Reply
from mldeploy.provider.kubernetes.versions import Service, ready_pods, restarts

_PORT = 5001
_METRICS_SECONDS = 5.0


@dataclass(frozen=True)
class WatchedPods:
    """A version's pods, as a bake watches them."""

    service: Service
    version: str
    tls: bool
    key: str | None
    restarts_before: int

    def samples(self) -> dict[str, bake.Sample]:
        """See :class:`bake.Watched`."""
        return bake.in_parallel(ready_pods(self.service, self.version), self._sample)

    def _sample(self, pod: str) -> bake.Sample | None:
        target = f"{'https:' if self.tls else ''}{pod}:{_PORT}"
        try:
            answer: Reply = self.service.cluster.proxy(
                "GET",
                "Pod",
                self.service.namespace,
                target,
                "/metrics",
                key=self.key,
                timeout=_METRICS_SECONDS,
            )
        except ClusterError:
            return (
                None  # It is going, or does not answer: its readiness and restarts are judged by trouble().
            )
        return bake.parse(answer.body.decode(errors="replace")) if answer.status == 200 else None

    def trouble(self) -> str | None:
        """See :class:`bake.Watched`."""
        started_again = restarts(self.service, self.version) - self.restarts_before
        if started_again > 0:
            return f"its containers ended and were started again ({started_again} times)"
        if not ready_pods(self.service, self.version):
            return "none of its pods is ready any more"
        return None
