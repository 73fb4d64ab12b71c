"""A replica as a container: the same server, files and sockets, in a folder that both sides see.

The container sees one folder of the run directory, and nothing else of this machine. What the rest of the provider
looks for in the run directory itself are links into that folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mldeploy.provider.local import processes
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.containers import COLLECTED, FOLDER, Engine, Limits, create_body, endpoint, give
from mldeploy.provider.local.replica_fields import ReplicaFields
from mldeploy.provider.local.runs import Run
from mldeploy.provider.local.supervisor import AGAIN

_SHARED = "shared"
_LINKED = ("replica.log", "startup_error.txt")


def note(run: Run) -> dict[str, str]:
    """What the run directory's note says of the container, so that whoever removes it removes the container too."""
    return {"container": f"mldeploy-{run.ident}", "engine": endpoint()}


def start(run: Run, inputs: ReplicaFields, config: Mapping[str, Any], collected: Path | None = None) -> int:
    """Start the container.

    Args:
        run: the replica's run directory, made with :func:`note`.
        inputs: the replica's inputs.
        config: the server's configuration, with paths as the container sees them.
        collected: the folder of this machine that collected data goes to.

    Returns:
        The id of its first process on this machine.

    Raises:
        ProvisionError: the engine refuses, or does not answer.
    """
    shared = run.path / _SHARED
    shared.mkdir(mode=0o700)
    give(shared)
    for name in _LINKED:
        (run.path / name).symlink_to(shared / name)
    for socket, name in ((run.control, "control.sock"), (run.http, "http.sock")):
        # A link may be short where its target is too long for a socket's address.
        socket.symlink_to(shared / name)
    if inputs.ssl:
        for kind, text in inputs.ssl.plain().items():
            _private(shared / f"{kind}.pem", text)
    sockets = {"control_socket": f"{FOLDER}/control.sock", "http_socket": f"{FOLDER}/http.sock"}
    _private(shared / "replica.json", json.dumps({**config, **sockets}))
    share_keys(run)
    environment = {**inputs.threads, **inputs.environment_variables}
    folders = {FOLDER: shared}
    if collected is not None:
        # Only the service's own part of it.
        own = collected / inputs.service
        own.mkdir(mode=0o700, exist_ok=True)
        folders[f"{COLLECTED}/{own.name}"] = give(own)
    limits = Limits(inputs.cpu_cores, inputs.memory_gb)
    body = create_body(str(inputs.container_image), folders, environment, limits)
    about = run.about()
    engine, name = str(about["engine"]), str(about["container"])
    pid = Engine(engine).start(name, body)
    if pid:
        run.started(pid)
        # Whoever holds the port starts a dead one again.
        order = {"engine": engine.removeprefix("unix://"), "container": name}
        write_json(run.path / AGAIN, order | {"record": str(run.path / processes.RECORD)})
    return pid


def share_keys(run: Run) -> None:
    """Hand the keys on to the container, which reads them again by itself."""
    shared = run.path / _SHARED
    if shared.is_dir():
        write_json(shared / ".keys", json.loads((run.path / "keys.json").read_text()))
        give(shared / ".keys").replace(shared / "keys.json")


def why_ended(run: Run, memory_gb: float | None) -> str | None:
    """Why the container is not running; what it wrote before it had its log goes there now. None for a process."""
    about = run.about()
    if not about.get("container"):
        return None
    engine, name = Engine(str(about["engine"])), str(about["container"])
    state = engine.state(name)
    if output := engine.output(name).strip():
        with run.log.open("a") as log:
            log.write(f"{output}\n")
    if state.get("OOMKilled"):
        return f"the container had no memory left (memory_gb: {memory_gb})"
    return f"the container ended with exit code {state.get('ExitCode', 'unknown')}"


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    give(path)
