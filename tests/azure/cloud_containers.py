"""Container groups after their PUT: they pull, start, crash or serve, and say so in their instance view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.azure.answers import Answer, Ask

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.standin.world import World

_GROUPS = "Microsoft.ContainerInstance/containerGroups"


def instance_view(world: World, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The views of the group and of its container as of now.

    https://learn.microsoft.com/azure/container-instances/container-instances-get-logs#get-diagnostic-events.
    """
    name = document["id"].rsplit("/", 1)[-1]
    pulling = {"name": "Pulling", "type": "Normal", "message": "pulling image", "count": 1}
    if document.get("starts_at", 0.0) > world.now():
        return {"state": "Pending", "events": []}, {
            "restartCount": 0, "currentState": {"state": "Waiting"}, "events": [pulling],
        }  # fmt: skip
    if name in world.crashing:
        # The group is `Running` all the while: its container is started again and again.
        backoff = {
            "name": "BackOff",
            "type": "Warning",
            "message": "Back-off restarting failed container",
            "count": 3,
        }
        ended = {"state": "Terminated", "exitCode": 3, "detailStatus": "Error"}
        return {"state": "Running", "events": []}, {
            "restartCount": 3, "currentState": {"state": "Waiting", "detailStatus": "CrashLoopBackOff"},
            "previousState": ended, "events": [pulling, backoff],
        }  # fmt: skip
    return {"state": "Running", "events": []}, {
        "restartCount": 0, "currentState": {"state": "Running"}, "events": [pulling],
    }  # fmt: skip


def logs(world: World, group: str) -> str:
    """What the container wrote."""
    return world.crashing.get(group, "listening\n")


def answer(state: Cloud, ask: Ask) -> Answer:
    """``/aci/<host>/<path>``: the server in the group, once it runs."""
    host, _, path = ask.path.removeprefix("/aci/").partition("/")
    for document in state.world.store.of(_GROUPS):
        address = document["outputs"].get("ipAddress") or {}
        if host in (address.get("fqdn"), address.get("ip")):
            name = document["id"].rsplit("/", 1)[-1]
            starting = document.get("starts_at", 0.0) > state.world.now()
            if starting or name in state.world.crashing:
                return Answer(502)  # nothing listens there
            return state.serve(name, f"/{path}", ask.body)
    return Answer(502)
