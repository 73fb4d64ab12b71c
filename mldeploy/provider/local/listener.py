"""Listener: the port of a local service, held by a small supervisor and handed from replica to replica."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mldeploy.provider.framework.resource import Context, Diff, Field, ProvisionError, Resource
from mldeploy.provider.framework.values import UNKNOWN
from mldeploy.provider.local import processes, supervisor
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.control import ControlError
from mldeploy.provider.local.ports import HOST, listening_port, previous_holder, refusal, refused
from mldeploy.provider.local.runs import Run, runs, sweep

_CONFIG = "listener.json"
_START_SECONDS = 20.0
_SWITCH_SECONDS = 90.0
_POLL_SECONDS = 0.02


class Listener(Resource):
    """A TCP port on this machine, and the replica that answers on it."""

    token = "mldeploy:service:Listener"  # noqa: S105
    description = "The port of a local service. Another replica takes it over without a failed request."
    # Two listeners would share the replica that the old one's deletion takes the socket from.
    delete_before_replace = True
    inputs = {
        "service": Field(kind="string", required=True, description="The service's name."),
        "port": Field(kind="integer", required=True, minimum=1, maximum=65535, description="The TCP port."),
        "replica": Field(
            kind="string", required=True, replaces=False, description="The id of the active replica."
        ),
        "models": Field(
            kind="map",
            replaces=False,
            items=Field(kind="string", description="A version."),
            description="What the active replica scores with: model name to version.",
        ),
        "ssl_enabled": Field(kind="boolean", replaces=False, description="Whether clients use https."),
    }
    outputs = {
        "pid": Field(kind="integer", description="The supervisor's process."),
        "scoring_uri": Field(kind="string", description="Where to POST requests."),
        "swagger_uri": Field(kind="string", description="The API's description."),
        "url": Field(kind="string", description="The service's root."),
    }

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Besides changed inputs: a dead supervisor is started again, a wrong replica is switched.

        A new port is tried here: when it cannot be had, the old one must not be given up.
        """
        found = super().diff(ctx, ident, state, olds, news)
        if "port" in found.details and (reason := refusal(int(news["port"]), ctx.scope)):
            raise ProvisionError(reason)
        if not found.details:
            active = _active(Run("listeners", ident))
            drifted = "pid" if active is None else "replica" if active != olds.get("replica") else None
            if drifted:
                found.details[drifted] = "update"
                found.drift.add(drifted)
        return found

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The addresses follow from the port."""
        return _addresses(inputs) if inputs.get("port") is not UNKNOWN else {}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Bind the port (or take it from a replica that still has it) and give it to the replica."""
        sweep(ctx.scope, str(inputs["service"]))
        run = Run("listeners", f"{inputs['service']}-{secrets.token_hex(3)}")
        about = {
            "scope": ctx.scope,
            "service": inputs["service"],
            "port": inputs["port"],
            "made": time.time(),
        }
        run.make(about)
        try:
            pid = _start(ctx, run, inputs)
            _switch(run, inputs)
        except BaseException:
            _kill(run)
            run.remove()
            raise
        return run.ident, {"pid": pid, **_addresses(inputs)}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """A dead supervisor is gone; the replica is the one that really has the socket."""
        run = Run("listeners", ident)
        run.not_elsewhere(str(state["service"]), _recorded(state))
        active = _active(run)
        if active is None:
            ctx.warn(f"the supervisor of service {state['service']} on port {state['port']} is not running")
            return None
        if active and not Run("replicas", active).alive():
            ctx.warn(
                f"replica {active}, which has port {state['port']} of {state['service']}, is not running"
            )
            active = ""
        process = run.process()
        return {**state, "replica": active, "pid": process[0] if process else state["pid"]}, {
            "replica": active
        }

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Switch to the replica; a dead supervisor is started again first."""
        run, pid = Run("listeners", ident), state["pid"]
        if _active(run) is None:
            _kill(run)
            if not run.path.is_dir():
                about = {
                    "scope": ctx.scope,
                    "service": news["service"],
                    "port": news["port"],
                    "made": time.time(),
                }
                run.make(about)
            pid = _start(ctx, run, news)
        _switch(run, news)
        return {"pid": pid, **_addresses(news)}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Close the port: nobody accepts on it afterwards."""
        run = Run("listeners", ident)
        run.not_elsewhere(str(state["service"]), _recorded(state))
        run.stop(_START_SECONDS)
        run.remove()
        if (replica := Run("replicas", str(state["replica"]))).alive():
            if listening_port(replica) == int(state["port"]):  # a dead supervisor could not say so
                with suppress(ControlError):
                    replica.call("release")
            (replica.path / "port").unlink(missing_ok=True)
        sweep(ctx.scope, str(state["service"]))


def _addresses(inputs: Mapping[str, Any]) -> dict[str, Any]:
    url = f"{'https' if inputs.get('ssl_enabled') else 'http'}://{HOST}:{inputs['port']}"
    return {"url": url, "scoring_uri": f"{url}/score", "swagger_uri": f"{url}/swagger.json"}


def _recorded(state: Mapping[str, Any]) -> Path:
    """The run directory that the supervisor was started with; nothing when it does not run."""
    command = processes.command_line(int(state["pid"]))
    config = Path(command[-1]) if command else Path()
    return config.parent if config.name == _CONFIG else Path()


def _active(run: Run) -> str | None:
    """The replica that has the socket, "" when none has; None when the supervisor is not there."""
    if not run.alive():
        return None
    try:
        return str(run.call("status", timeout=5).get("active") or "")
    except ControlError:
        return None


def _start(ctx: Context, run: Run, inputs: Mapping[str, Any]) -> int:
    port = int(inputs["port"])
    holder = previous_holder(port, ctx.scope, str(inputs["service"]))
    error_file = run.path / "error.json"
    error_file.unlink(missing_ok=True)
    config = {
        "host": HOST,
        "port": port,
        "control": str(run.control),
        "tls": bool(inputs.get("ssl_enabled")),
        "adopt": [_known(holder)] if holder else [],
        "error_file": str(error_file),
        "active_file": str(run.path / "active.json"),
    }
    write_json(run.path / _CONFIG, config)
    # -I and -S: nothing but the standard library, and nothing from the environment or the working directory.
    script = Path(supervisor.__file__)
    argv = [sys.executable, "-I", "-S", str(script), str(run.path / _CONFIG)]
    pid = processes.start_detached(argv, cwd=run.path, env=processes.clean_environment(), log=run.log)
    run.started(pid)
    until = time.monotonic() + _START_SECONDS
    while _active(run) is None:
        if error_file.exists() and not run.alive():
            error = json.loads(error_file.read_text())
            raise ProvisionError(refused(port, error["errno"], error["message"]))
        if not run.alive() or time.monotonic() > until:
            tail = "\n  ".join(run.tail())
            raise ProvisionError(f"the supervisor of port {port} did not start:\n  {tail}")
        time.sleep(_POLL_SECONDS)
    return pid


def _known(replica: Run) -> dict[str, str]:
    """A replica as the supervisor knows it."""
    again = str(replica.path / supervisor.AGAIN)
    return {"replica": replica.ident, "control": str(replica.control), "again": again}


def _switch(run: Run, inputs: Mapping[str, Any]) -> None:
    ident, port = str(inputs["replica"]), int(inputs["port"])
    replica = Run("replicas", ident)
    try:
        known = _known(replica)
        run.call("switch", timeout=_SWITCH_SECONDS, send=None, **known)
    except ControlError as error:
        raise ProvisionError(
            f"service {inputs['service']}: replica {ident} cannot take port {port} ({error}); "
            "whoever had it before still has it"
        ) from None
    for other in runs("replicas"):
        if other.ident != ident and listening_port(other) == port:
            (other.path / "port").unlink(missing_ok=True)
    (replica.path / "port").write_text(str(port))


def _kill(run: Run) -> None:
    """End a supervisor without taking the socket from the replica that answers."""
    found = run.process()
    if found is not None:
        processes.kill_group(*found)
