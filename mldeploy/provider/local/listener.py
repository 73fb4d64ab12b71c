"""Listener: the port of a local service, held by a small supervisor and handed from replica to replica."""

from __future__ import annotations

import json
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mldeploy.provider.framework.declare import Declaration, In, Or, Out, Texts, field, output
from mldeploy.provider.framework.resource import Change, Context, Diff, Live, ProvisionError, Resource, known
from mldeploy.provider.local import processes, supervisor
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.control import ControlError
from mldeploy.provider.local.ports import HOST, listening_port, previous_holder, refusal, refused
from mldeploy.provider.local.runs import Run, runs, sweep

_CONFIG = "listener.json"
_START_SECONDS = 20.0
_SWITCH_SECONDS = 90.0
_POLL_SECONDS = 0.02


class ListenerFields(Declaration, token="mldeploy:service:Listener"):
    """The port of a local service. Another replica takes it over without a failed request."""

    service: In[str] = field("The service's name.")
    port: In[int] = field("The TCP port.", minimum=1, maximum=65535)
    replica: In[str] = field("The id of the active replica.", replaces=False)
    models: Texts = field(
        "What the active replica scores with: model name to version.", default=None, replaces=False
    )
    ssl_enabled: Or[bool] = field("Whether clients use https.", default=False, replaces=False)
    pid: Out[int] = output("The supervisor's process.")
    scoring_uri: Out[str] = output("Where to POST requests.")
    swagger_uri: Out[str] = output("The API's description.")
    url: Out[str] = output("The service's root.")


class Listener(Resource[ListenerFields]):
    """A TCP port on this machine, and the replica that answers on it."""

    # Two listeners would share the replica that the old one's deletion takes the socket from.
    delete_before_replace = True

    def diff(self, ctx: Context, change: Change[ListenerFields]) -> Diff:
        """Besides changed inputs: a dead supervisor is started again, a wrong replica is switched.

        A new port is tried here: when it cannot be had, the old one must not be given up.
        """
        found = super().diff(ctx, change)
        if "port" in found.details and (reason := refusal(int(change.new.port), ctx.scope)):
            raise ProvisionError(reason)
        if not found.details:
            active = _active(Run("listeners", change.id))
            if active is None:
                found.drifted("pid")
            elif active != change.old.replica:
                found.drifted("replica")
        return found

    def preview(self, ctx: Context, inputs: ListenerFields) -> dict[str, Any]:
        """The addresses follow from the port."""
        return _addresses(inputs) if known(inputs.port) else {}

    def create(self, ctx: Context, inputs: ListenerFields) -> tuple[str, dict[str, Any]]:
        """Bind the port (or take it from a replica that still has it) and give it to the replica."""
        sweep(ctx.scope, inputs.service)
        run = Run("listeners", f"{inputs.service}-{secrets.token_hex(3)}")
        run.make(_about(ctx, inputs))
        try:
            pid = _start(ctx, run, inputs)
            _switch(run, inputs)
        except BaseException:
            _kill(run)
            run.remove()
            raise
        return run.ident, {"pid": pid, **_addresses(inputs)}

    def read(self, ctx: Context, ident: str, state: ListenerFields, inputs: ListenerFields) -> Live | None:
        """A dead supervisor is gone; the replica is the one that really has the socket."""
        run = Run("listeners", ident)
        run.not_elsewhere(state.service, _recorded(state))
        active = _active(run)
        if active is None:
            ctx.warn(f"the supervisor of service {state.service} on port {state.port} is not running")
            return None
        if active and not Run("replicas", active).alive():
            ctx.warn(f"replica {active}, which has port {state.port} of {state.service}, is not running")
            active = ""
        process = run.process()
        replica = {"replica": active}
        return Live({**replica, "pid": process[0] if process else state.pid}, replica)

    def update(self, ctx: Context, change: Change[ListenerFields]) -> dict[str, Any]:
        """Switch to the replica; a dead supervisor is started again first."""
        run, pid, new = Run("listeners", change.id), change.state.pid, change.new
        if _active(run) is None:
            _kill(run)
            if not run.path.is_dir():
                run.make(_about(ctx, new))
            pid = _start(ctx, run, new)
        _switch(run, new)
        return {"pid": pid, **_addresses(new)}

    def delete(self, ctx: Context, ident: str, state: ListenerFields) -> None:
        """Close the port: nobody accepts on it afterwards."""
        run = Run("listeners", ident)
        run.not_elsewhere(state.service, _recorded(state))
        run.stop(_START_SECONDS)
        run.remove()
        if (replica := Run("replicas", state.replica)).alive():
            if listening_port(replica) == state.port:  # a dead supervisor could not say so
                with suppress(ControlError):
                    replica.call("release")
            (replica.path / "port").unlink(missing_ok=True)
        sweep(ctx.scope, state.service)


def _about(ctx: Context, inputs: ListenerFields) -> dict[str, Any]:
    return {"scope": ctx.scope, "service": inputs.service, "port": inputs.port, "made": time.time()}


def _addresses(inputs: ListenerFields) -> dict[str, Any]:
    url = f"{'https' if inputs.ssl_enabled else 'http'}://{HOST}:{inputs.port}"
    return {"url": url, "scoring_uri": f"{url}/score", "swagger_uri": f"{url}/swagger.json"}


def _recorded(state: ListenerFields) -> Path:
    """The run directory that the supervisor was started with; nothing when it does not run."""
    command = processes.command_line(state.pid)
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


def _start(ctx: Context, run: Run, inputs: ListenerFields) -> int:
    port = inputs.port
    holder = previous_holder(port, ctx.scope, inputs.service)
    error_file = run.path / "error.json"
    error_file.unlink(missing_ok=True)
    config = {
        "host": HOST,
        "port": port,
        "control": str(run.control),
        "tls": inputs.ssl_enabled,
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
        alive = run.alive()  # asked first: what a dead one has to say is in its file by then
        if not alive and error_file.exists():
            error = json.loads(error_file.read_text())
            raise ProvisionError(refused(port, error["errno"], error["message"]))
        if not alive or time.monotonic() > until:
            tail = "\n  ".join(run.tail())
            raise ProvisionError(f"the supervisor of port {port} did not start:\n  {tail}")
        time.sleep(_POLL_SECONDS)
    return pid


def _known(replica: Run) -> dict[str, str]:
    """A replica as the supervisor knows it."""
    again = str(replica.path / supervisor.AGAIN)
    return {"replica": replica.ident, "control": str(replica.control), "again": again}


def _switch(run: Run, inputs: ListenerFields) -> None:
    ident, port = inputs.replica, inputs.port
    replica = Run("replicas", ident)
    try:
        run.call("switch", timeout=_SWITCH_SECONDS, send=None, **_known(replica))
    except ControlError as error:
        raise ProvisionError(
            f"service {inputs.service}: replica {ident} cannot take port {port} ({error}); "
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
