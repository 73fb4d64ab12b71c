"""How local services are, for `mldeploy status` and `mldeploy logs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mldeploy.provider.local.control import ControlError
from mldeploy.provider.local.runs import Run

State = Literal["healthy", "unhealthy", "starting", "stopped", "missing"]


def service_state(
    listener: Mapping[str, Any] | None,
    replica: Mapping[str, Any] | None,
    *,
    listener_id: str = "",
    replica_id: str = "",
) -> State:
    """How a local service is.

    Args:
        listener: the outputs of its Listener, None when the state has none.
        replica: the outputs of its Replica, None when the state has none.
        listener_id: the Listener's id in the state.
        replica_id: the Replica's id; by default the one that the listener's outputs name.

    Returns:
        ``healthy``: the port is held and its replica is ready. ``starting``: the replica is. ``unhealthy``:
        something of it runs, but requests are not answered. ``stopped``: nothing of it runs. ``missing``: it
        was never made.
    """
    if listener is None and replica is None:
        return "missing"
    replica_id = replica_id or str((listener or {}).get("replica", ""))
    found = Run("replicas", replica_id).state() if replica_id else "dead"
    held = Run("listeners", listener_id) if listener_id else None
    held_alive = held is not None and held.alive()
    if found == "dead":
        return "unhealthy" if held_alive else "stopped"
    if found == "starting":
        return "starting"
    return "healthy" if found == "ready" and held is not None and _active(held) == replica_id else "unhealthy"


def _active(listener: Run) -> str | None:
    try:
        return str(listener.call("status", timeout=5).get("active") or "") if listener.alive() else None
    except ControlError:
        return None


def log_path(replica_id: str) -> Path:
    """The log file of a replica; it may not exist."""
    return Run("replicas", replica_id).log


def other_home(replica_id: str, log: Path) -> Path | None:
    """The home that a living replica runs from when it is not the present one; ``log``: as the state remembers it."""
    return Run("replicas", replica_id).elsewhere(log.parent)
