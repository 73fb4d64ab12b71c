"""JSON as the CLI writes it: the event stream of `up`, and the digest of `preview`."""

from __future__ import annotations

import json
from typing import Any, TextIO

from mldeploy.engine.base.options import Result
from mldeploy.engine.base.urn import ROOT_STACK_TYPE
from mldeploy.engine.display.base import Display


class EventStream(Display):
    """One event a line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__("up")
        self._stream = stream

    def __call__(self, event: dict[str, Any]) -> None:
        self._stream.write(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n")
        self._stream.flush()


class PreviewDigest(Display):
    """One object: config, steps with their states, diagnostics, duration, summary."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__("preview")
        self._stream = stream
        self._config: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        if "preludeEvent" in event:
            self._config = event["preludeEvent"]["config"]
        elif "resourcePreEvent" in event:
            metadata = event["resourcePreEvent"]["metadata"]
            # Parts of a replacement and what stays the same are left out, as the CLI leaves them out.
            logical = metadata.get("logical") or metadata["op"] == "refresh"
            if logical and (metadata["op"] != "same" or metadata["type"] == ROOT_STACK_TYPE):
                self._steps.append(self._step(metadata))
        elif "resOutputsEvent" in event:
            self._refine(event["resOutputsEvent"]["metadata"])
        elif "diagnosticEvent" in event and not event["diagnosticEvent"].get("ephemeral"):
            message = event["diagnosticEvent"]
            kept = ("urn", "prefix", "message", "severity")
            self._messages.append({k: message[k] for k in kept if message.get(k)})

    @staticmethod
    def _step(metadata: dict[str, Any]) -> dict[str, Any]:
        step: dict[str, Any] = {"op": metadata["op"], "urn": metadata["urn"]}
        if metadata.get("provider"):
            step["provider"] = metadata["provider"]
        for key, name in (("old", "oldState"), ("new", "newState")):
            if metadata.get(key):
                step[name] = {k: v for k, v in metadata[key].items() if v not in ("", {}, None)}
        for key, name in (("diffs", "diffReasons"), ("keys", "replaceReasons")):
            if metadata.get(key):
                step[name] = metadata[key]
        step["detailedDiff"] = metadata.get("detailedDiff")
        return step

    def _refine(self, metadata: dict[str, Any]) -> None:
        """A refresh says only at its end what it found."""
        for step in self._steps:
            if step["urn"] == metadata["urn"] and step["op"] == "refresh":
                step.update(self._step(metadata))

    def close(self, result: Result) -> None:
        """Write the digest."""
        digest: dict[str, Any] = {"config": self._config, "steps": self._steps}
        if self._messages:
            digest["diagnostics"] = self._messages
        digest["duration"] = int(result.duration * 1e9)
        digest["changeSummary"] = result.changes
        self._stream.write(json.dumps(digest, indent=4, ensure_ascii=False) + "\n")
        self._stream.flush()
