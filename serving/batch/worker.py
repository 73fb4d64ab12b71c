"""A worker process: loads the script once, then scores mini batches as they come over a pipe."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from serving import forks
from serving.batch.calls import Caller
from serving.batch.plan import MiniBatch
from serving.batch.styles import style_of
from serving.config import Config, environment_for_script
from serving.importing import make_importable
from serving.remedies import REMEDY, remedy
from serving.script import Script
from serving.shimming import add_shims
from serving.worker import SCRIPT_FAILED, script_traceback

_PR_SET_PDEATHSIG = 1


def main(fd: int, parent: int) -> int:
    """Serve mini batches until the other side closes."""
    # A job that is killed takes its workers along, even those deep in a run().
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    pipe = Connection(fd)
    children = forks.Children(lambda: [fd])
    settings: dict[str, Any] = json.loads(pipe.recv_bytes())
    try:
        try:
            script = _start(settings)
        finally:
            children.end_child()
    except BaseException as problem:
        text = script_traceback(problem)
        if help_ := remedy(text):
            text += f"{REMEDY}{help_}\n"
        pipe.send_bytes(json.dumps({"event": "failed", "error": text}).encode())
        return SCRIPT_FAILED
    pipe.send_bytes(json.dumps({"event": "ready", "style": style_of(script)}).encode())
    caller: Caller | None = None
    while True:
        try:
            asked: dict[str, Any] = json.loads(pipe.recv_bytes())
        except EOFError:
            break
        if "style" in asked:
            caller = Caller(script, **asked)
            continue
        assert caller is not None
        answer = _answer(caller, asked, pipe)
        children.end_child()
        pipe.send_bytes(json.dumps(answer).encode())
    _shutdown()
    return 0


def _start(settings: dict[str, Any]) -> Script:
    config = Config(
        entry_script=settings["entry_script"],
        source_directory=settings["source_directory"],
        model_dir=settings["model_dir"],
    )
    os.environ.update(environment_for_script(config))
    os.environ.setdefault("AZUREML_BI_OUTPUT_PATH", settings["output"])
    forks.prepare(config.entry_script)
    make_importable(config.entry_script, config.source_directory)
    add_shims()
    sys.argv = [config.entry_script, *settings["arguments"]]
    script = Script(config.entry_script)
    script.init()
    return script


def _answer(caller: Caller, asked: dict[str, Any], pipe: Connection) -> dict[str, Any]:
    def running() -> None:
        """From here on the time limit counts."""
        pipe.send_bytes(json.dumps({"event": "running"}).encode())

    try:
        return {"event": "done", **asdict(caller.call(MiniBatch.from_json(asked["batch"]), running))}
    except BaseException as problem:
        traceback.print_exc()
        sys.stderr.flush()
        return {"event": "raised", "error": f"{type(problem).__name__}: {problem}"[:500]}
    finally:
        sys.stdout.flush()


def _shutdown() -> None:
    """`shutdown()` of the script, which Azure ML's batch scripts may have."""
    end = getattr(sys.modules.get("entry_module"), "shutdown", None)
    if callable(end):
        end()
