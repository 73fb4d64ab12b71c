"""Engine events, in the shape of the CLI's `--json` stream (`apitype.EngineEvent`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

Sink = Callable[[dict[str, Any]], None]


class Events:
    """Numbers events and hands them on, one at a time."""

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._sequence = 0

    def emit(self, **event: Any) -> None:
        """Send `{sequence, timestamp, <name>: {...}}`."""
        if self._sink is None:
            return
        with self._lock:
            full = {"sequence": self._sequence, "timestamp": int(time.time()), **event}
            self._sequence += 1
            self._sink(full)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens; building step events costs."""
        return self._sink is not None

    def diagnostic(self, severity: str, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        """A message for the user: severity debug, info, info#err, warning or error."""
        event: dict[str, Any] = {
            "prefix": f"{severity}: ",
            "message": message if message.endswith("\n") else message + "\n",
            "color": "never",
            "severity": severity,
        }
        if urn:
            event["urn"] = urn
        if ephemeral:
            event["ephemeral"] = True
        self.emit(diagnosticEvent=event)
