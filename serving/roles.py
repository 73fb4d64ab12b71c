"""What the parts of the server need of each other, so that none of them imports what imports it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from socket import socket
from typing import Protocol

from serving.app import App
from serving.config import Config
from serving.logs import Log
from serving.logsink import Sink
from serving.loop import Loop


class Receiving(Protocol):
    """A connection with a body on its way in."""

    held: int

    @property
    def receiving(self) -> bool:
        """Whether there is one."""
        ...

    @property
    def pace(self) -> float:
        """Bytes a second."""
        ...

    def crowded_out(self) -> None:
        """There is no room for this body beside the others."""
        ...


class Hub(Protocol):
    """What a connection needs of the server it belongs to (`serving.server.Server`)."""

    config: Config
    loop: Loop
    log: Log
    app: App
    releasing: bool
    bodies: int
    """Bytes of all request bodies that are held."""

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        ...

    def make_room_for(self, newcomer: Receiving) -> bool:
        """Give up slower bodies than the newcomer's until there is room; False when there are none."""
        ...

    def closed(self, fd: int) -> None:
        """The connection on this descriptor is gone."""
        ...


class Supervisor(Protocol):
    """What the supervisor's parts need of it (`serving.master.Master`)."""

    config: Config
    sink: Sink
    public: socket | None
    private: socket | None
    stopping: bool
    exit_code: int | None

    def watch(self, fd: int, handler: Callable[[], object]) -> None:
        """Call `handler` when `fd` is readable."""
        ...

    def unwatch(self, fd: int) -> None:
        """Stop watching; call it before closing."""
        ...

    def close_in_child(self) -> None:
        """In a new worker: close what is the supervisor's alone."""
        ...

    def state(self) -> Enum:
        """The replica's state."""
        ...

    def stop(self, seconds: float) -> None:
        """Stop gracefully, in at most so many seconds."""
        ...

    def release(self) -> None:
        """Close the supervisor's copy of the public socket."""
        ...

    def child_ended(self, pid: int, code: int) -> None:
        """A child process that may not have been a worker ended."""
        ...

    def failed(self, pid: int, code: int) -> None:
        """A worker ended before it was ready, and none ever was."""
        ...
