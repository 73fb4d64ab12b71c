"""Services on this machine: what the listener and the replica of a service say."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mldeploy.engine.base.state import ResourceState
from mldeploy.operations import http
from mldeploy.operations.model import Answer, Finding, Keys, OperationError, ServiceStatus, State
from mldeploy.operations.state import current, keys_of, owner
from mldeploy.provider.local import status as local_status

if TYPE_CHECKING:  # loading it costs `status` more than all else
    from mldeploy.manifest.kinds.local import LocalTarget

_LISTENER = "mldeploy:service:Listener"
_REPLICA = "mldeploy:service:Replica"
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class LocalService:
    """A service with a listener on this machine. Its listener, not the newest replica, says what serves."""

    name: str
    listener: ResourceState | None
    replica: ResourceState | None
    service_keys: ResourceState | None
    kind: str = "local"

    def status(self, target: str) -> ServiceStatus:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        outputs: dict[str, Any] = dict(self.listener.outputs) if self.listener else {}
        models: dict[Any, Any] = outputs.get("models") or {}
        state = local_status.service_state(
            outputs or None,
            dict(self.replica.outputs) if self.replica else None,
            listener_id=self.listener.id if self.listener else "",
            replica_id=self._replica_id(),
        )
        elsewhere = self._elsewhere()
        return ServiceStatus(
            self.name,
            target,
            State.UNHEALTHY if elsewhere else State(state),
            {str(k): str(v) for k, v in models.items()},
            outputs.get("scoring_uri"),
            outputs.get("swagger_uri"),
            elsewhere,
        )

    def _elsewhere(self) -> str:
        """Where the service runs, when that is not the present home."""
        log = self.replica.outputs.get("log") if self.replica else None
        if self.replica is None or not log:
            return ""
        other = local_status.other_home(self.replica.id, Path(str(log)))
        return f"runs from {other}: give the command MLDEPLOY_HOME={other}" if other else ""

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """See :class:`mldeploy.operations.model.ServiceHandle`. Follows the file through its rotations."""
        path = local_status.log_path(self._replica_id())
        try:
            file = path.open(encoding="utf-8", errors="replace")
        except OSError:
            why = self._elsewhere() or "has no log: its replica is gone; run `mldeploy up`"
            raise OperationError(f"{self.name} {why}") from None
        try:
            yield from (line.rstrip("\n") for line in deque(file, maxlen=lines))
            while follow:
                line = file.readline()
                if line:
                    yield line.rstrip("\n")
                    continue
                time.sleep(_POLL_SECONDS)
                file = _rotated(file, path)
        finally:
            file.close()

    def keys(self) -> Keys | None:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        return keys_of(self.service_keys)

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """See :class:`mldeploy.operations.model.ServiceHandle`. On loopback, any certificate will do."""
        uri = self.listener.outputs.get("scoring_uri") if self.listener else None
        if not uri:
            raise OperationError(f"{self.name} has no listener yet; run `mldeploy up`")
        return http.post(str(uri), body, content_type, self.keys(), timeout, verify=False)

    def _replica_id(self) -> str:
        """The replica that has the traffic; before there is a listener, the one that was made for it."""
        if self.listener is not None and self.listener.outputs.get("replica"):
            return str(self.listener.outputs["replica"])
        return self.replica.id if self.replica else ""


def handles(resources: Sequence[ResourceState]) -> list[LocalService]:
    """Every local service of a state, by its listener or, when that is not there, its replica."""

    def by_service(kind: str) -> dict[str, ResourceState]:
        return {str(r.outputs.get("service") or r.inputs["service"]): r for r in current(resources, kind)}

    listeners, replicas = by_service(_LISTENER), by_service(_REPLICA)
    found: list[LocalService] = []
    for name in sorted(listeners.keys() | replicas.keys()):
        listener, replica = listeners.get(name), replicas.get(name)
        part = listener or replica
        keys = owner(resources, part).keys if part else None
        found.append(LocalService(name, listener, replica, keys))
    return found


def examine(name: str, target: LocalTarget) -> Iterator[Finding]:
    """Whether this machine's engine can run services of `runtime: docker`."""
    if target.runtime == "docker":
        from mldeploy.provider.local import containers

        fault = containers.fault()
        if fault is None:
            yield Finding("ok", f"targets.{name}", f"Docker engine at {containers.endpoint()}")
        else:
            yield Finding("problem", f"targets.{name}", fault, "or write `runtime: process`")


def _rotated(file: TextIO, path: Path) -> TextIO:
    """The same file, or the new one of that name when the server has rotated its log."""
    try:
        if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        fresh = path.open(encoding="utf-8", errors="replace")
    except OSError:
        return file
    file.close()
    return fresh
