"""Run directories: everything that one replica or listener process has on disk, and how to reach it."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mldeploy.home import home, private_folder, services_dir, socket_path
from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.local import containers, control, processes
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.store import remove_tree

Kind = Literal["replicas", "listeners"]
_TAIL_BYTES = 1 << 16
_STARTING_SECONDS = 1800.0
_ORPHAN_PATIENCE = 5.0
_SOCKETS = ("control.sock", "http.sock")
_RESERVED = ".reserved"


@dataclass(frozen=True)
class Run:
    """The run directory of the replica or listener ``ident``; it may not exist."""

    kind: Kind
    ident: str

    @property
    def path(self) -> Path:
        """The directory, mode 0700."""
        return services_dir() / self.kind / self.ident

    @property
    def control(self) -> Path:
        """The control socket."""
        return socket_path(self.path, _SOCKETS[0])

    @property
    def http(self) -> Path:
        """A replica's private HTTP socket."""
        return socket_path(self.path, _SOCKETS[1])

    @property
    def log(self) -> Path:
        """What the process writes."""
        return self.path / f"{self.kind.removesuffix('s')}.log"

    def make(self, about: Mapping[str, Any]) -> None:
        """Create it, with a note on what it is for (no secrets)."""
        private_folder(self.path.parent)
        self.path.mkdir(mode=0o700)
        write_json(self.path / "about.json", dict(about))
        reserved = self._reserved()
        if reserved.parent != self.path:
            _remove_forgotten(reserved.parent)
        reserved.write_text(str(self.path))

    def elsewhere(self, recorded: Path) -> Path | None:
        """The home that has this run, when it is not the present one.

        Args:
            recorded: the run directory as the state remembers it.
        """
        parts = ("services", self.kind, self.ident)
        if self.path.exists() or recorded.parts[-3:] != parts or not (recorded / "process.json").is_file():
            return None
        process = Run.process_in(recorded)
        return recorded.parents[2] if process is not None and processes.alive(*process) else None

    def not_elsewhere(self, service: str, recorded: Path) -> None:
        """Stop before a service that another home has is taken for one that is gone.

        Raises:
            ProvisionError: it runs from another home; says from which.
        """
        if (other := self.elsewhere(recorded)) is not None:
            raise ProvisionError(
                f"service {service} runs from {other}, not from {home()}: "
                f"run the command again with MLDEPLOY_HOME={other}"
            )

    def _reserved(self) -> Path:
        """Keeps the folder of the sockets there while they are not."""
        return socket_path(self.path, _SOCKETS[0]).with_suffix(_RESERVED)

    def about(self) -> dict[str, Any]:
        """The note; empty when there is none."""
        return _json(self.path / "about.json")

    # --- its process -------------------------------------------------------------------------------------

    def started(self, pid: int) -> None:
        """Remember the process, in a way that a reused id cannot deceive."""
        write_json(self.path / processes.RECORD, {"pid": pid, "born": processes.birth(pid) or ""})

    def process(self) -> tuple[int, str] | None:
        """(process id, birth) as remembered."""
        return Run.process_in(self.path)

    @staticmethod
    def process_in(folder: Path) -> tuple[int, str] | None:
        """The same, of a run directory wherever it is."""
        found = _json(folder / processes.RECORD)
        return (int(found["pid"]), str(found["born"])) if "pid" in found else None

    def alive(self) -> bool:
        """Whether the very process that was started still runs."""
        found = self.process()
        return found is not None and processes.alive(*found)

    def call(
        self, command: str, *, timeout: float = 10.0, send: int | None = None, **more: Any
    ) -> dict[str, Any]:
        """Ask the process over its control socket.

        Raises:
            ControlError: it does not answer, or refuses.
        """
        return control.call(self.control, {"cmd": command, **more}, timeout=timeout, send=send)

    def state(self) -> str:
        """``ready``, ``starting``, ``draining`` or ``failed`` as the process says; ``dead``; ``hung``."""
        if not self.alive():
            return "dead"
        try:
            return str(self.call("status", timeout=5).get("state", "failed"))
        except control.ControlError:
            return "hung"

    def stop(self, patience: float, draining: float = 0) -> None:
        """Ask the process to stop, wait for at most ``patience`` seconds, and ``draining`` seconds more while it says
        that it drains, then kill it and what it started."""
        found = self.process()
        if found is None:
            return
        pid, born = found
        if processes.alive(pid, born):
            try:
                self.call("stop", timeout=min(patience, 5.0) or 0.1)
            except control.ControlError:
                processes.terminate(pid, born)
            gone = processes.wait_gone(pid, born, patience)
            until = time.monotonic() + draining
            # Answers in pieces are still open. One that hangs does not say so, and is not waited for.
            while not gone and time.monotonic() < until and self.state() == "draining":
                gone = processes.wait_gone(pid, born, 1)
            if not gone:
                processes.kill_group(pid, born)
        if processes.birth(pid) is None:  # not when the id belongs to somebody else by now
            processes.kill_session(pid)

    def remove(self) -> None:
        """Remove the directory, its sockets and, where the process is a container's, the container.

        Raises:
            ProvisionError: the container's engine does not answer.
        """
        about = self.about()
        if about.get("container"):
            containers.Engine(str(about["engine"])).remove(str(about["container"]))
        for name in _SOCKETS:
            socket_path(self.path, name).unlink(missing_ok=True)
        reserved = self._reserved()
        reserved.unlink(missing_ok=True)
        if reserved.parent != self.path:
            with suppress(OSError):  # others have their sockets there
                reserved.parent.rmdir()
        remove_tree(self.path)

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines of the log."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return []
        return list(deque(text.splitlines(), maxlen=lines))


def own_replica(ident: str, service: str, log: str) -> Run:
    """The run of a Replica in the state, by its outputs.

    Raises:
        ProvisionError: it runs from another home.
    """
    run = Run("replicas", ident)
    run.not_elsewhere(service, Path(log).parent)
    return run


def _remove_forgotten(sockets: Path) -> None:
    """Sockets outlive a home that somebody removed by hand."""
    for reserved in sockets.glob(f"*{_RESERVED}"):
        with suppress(OSError):  # another process cleans up, too
            if not Path(reserved.read_text()).is_dir():
                for path in sockets.glob(f"{reserved.name.split('-', 1)[0]}-*"):
                    path.unlink(missing_ok=True)


def runs(kind: Kind) -> Iterator[Run]:
    """All runs of a kind on this machine."""
    folder = services_dir() / kind
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            yield Run(kind, path.name)


def sweep(scope: str, service: str, *, orphans: bool = False) -> None:
    """Remove what dead processes of a service have left: a refresh forgets them without deleting anything.

    Args:
        scope: the project and stack.
        service: the service.
        orphans: also stop living replicas that never got the port and are not just being started: an update that was
            killed has left them, or the replica that is about to be made replaces them.
    """
    for kind in ("replicas", "listeners"):
        for run in runs(kind):
            about = run.about()
            if (about.get("scope"), about.get("service")) != (scope, service):
                continue
            age = time.time() - float(about.get("made", 0))
            # Without a process record it is just being started by somebody, unless that was long ago.
            gone = not run.alive() and (run.process() is not None or age > _STARTING_SECONDS)
            unused = orphans and kind == "replicas" and not (run.path / "port").exists()
            if gone or (unused and age > _STARTING_SECONDS):
                run.stop(_ORPHAN_PATIENCE)
                run.remove()


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
