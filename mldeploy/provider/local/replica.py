"""Replica: one set of processes that score with one image and one set of model versions."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mldeploy.artifacts.content import entries, source_ignore, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.home import store_dir
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    Diff,
    Live,
    ProvisionError,
    Resource,
    UnhealthyError,
    known,
)
from mldeploy.provider.local import collected, processes, replica_container, startup
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.containers import COLLECTED, FOLDER
from mldeploy.provider.local.control import ControlError
from mldeploy.provider.local.environments import Environments
from mldeploy.provider.local.replica_fields import ModelReference, ReplicaFields
from mldeploy.provider.local.runs import Run, own_replica, sweep
from mldeploy.provider.local.store import Store, copy_tree
from mldeploy.provider.local.stored_model import SAFE_NAME
from mldeploy.provider.local.supervisor import AGAIN
from mldeploy.values.variables import reserved

_READY_SECONDS = 300.0
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 5.0


class Replica(Resource[ReplicaFields]):
    """Scoring processes on a private socket. Everything but the keys is fixed for life."""

    def check(self, ctx: Context, old: ReplicaFields, new: ReplicaFields) -> dict[str, Any]:
        """Names are safe for paths; keys are there when they are needed."""
        faults: list[tuple[str, str]] = []
        named = [("service", new.service)]
        for index, model in enumerate(new.models if known(new.models) else ()):
            named += [(f"models[{index}].name", model.name), (f"models[{index}].version", model.version)]
        for path, value in named:
            if known(value) and not SAFE_NAME.fullmatch(value):
                faults += [(path, f"is {value!r}; allowed: letters, digits, '.', '_' and '-'")]
        if new.auth_enabled is True and new.keys is None:
            faults.append(("keys", "are required when auth_enabled is true"))
        if (new.container_image is None) == (new.environment_digest is None):
            faults.append(("environment_digest", "or container_image is required, and never both"))
        for name in new.environment_variables if known(new.environment_variables) else ():
            if "=" in name or "\0" in name:
                faults.append((f"environment_variables.{name}", "is no name of a variable"))
            elif reason := reserved(name):
                faults.append((f"environment_variables.{name}", reason))
        if faults:
            raise CheckError(*faults)
        return {}

    def diff(self, ctx: Context, change: Change[ReplicaFields]) -> Diff:
        """Besides changed inputs: a replica that is dead or does not answer is replaced."""
        found = super().diff(ctx, change)
        if (
            not found.replaces
            and own_replica(change.id, change.state.service, change.state.log).state() != "ready"
        ):
            found.drifted("pid")
            found.replaces.add("pid")
        return found

    def create(self, ctx: Context, inputs: ReplicaFields) -> tuple[str, dict[str, Any]]:
        """Start it and wait until it is ready to score."""
        sweep(ctx.scope, inputs.service, orphans=True)
        run = Run("replicas", _new_ident(inputs))
        about = {"scope": ctx.scope, "service": inputs.service, "made": time.time()}
        container = replica_container.note(run) if inputs.container_image else {}
        run.make(about | {"image": inputs.image, "source_directory": inputs.source_directory, **container})
        try:
            pid = _start(ctx, run, inputs)
            _wait_ready(ctx, run, inputs)
        except BaseException:
            run.stop(0)
            run.remove()
            raise
        return run.ident, {"pid": pid, "log": str(run.log)}

    def read(self, ctx: Context, ident: str, state: ReplicaFields, inputs: ReplicaFields) -> Live | None:
        """Dead is gone; alive but not ready is unhealthy."""
        run = own_replica(ident, state.service, state.log)
        found = run.state()
        if found == "dead":
            ctx.warn(f"replica {ident} of service {state.service} is not running")
            return None
        if found != "ready":
            raise UnhealthyError({}, f"replica {ident} is {found}, not ready")
        process = run.process()
        # Whoever holds the port starts a dead one again.
        return Live({"pid": process[0] if process else state.pid, "log": str(run.log)})

    def update(self, ctx: Context, change: Change[ReplicaFields]) -> dict[str, Any]:
        """New keys: the server reads them again by itself."""
        run = Run("replicas", change.id)
        if not run.path.is_dir():
            raise ProvisionError(f"replica {change.id} is gone: refresh, then run the update again")
        _write_keys(run, change.new)
        return {"pid": change.state.pid, "log": str(run.log)}

    def delete(self, ctx: Context, ident: str, state: ReplicaFields) -> None:
        """Let open requests end, stop it, remove what it had."""
        run = own_replica(ident, state.service, state.log)
        ctx.status("waiting for open requests")
        run.stop(state.drain_seconds + _PATIENCE_SECONDS, draining=state.stream_drain_seconds)
        run.remove()
        sweep(ctx.scope, state.service)


def _new_ident(inputs: ReplicaFields) -> str:
    models = [f"{model.name}@{model.version}={model.digest}" for model in inputs.models]
    return f"{inputs.service}-{text_digest(inputs.image, *models)[:8]}-{secrets.token_hex(3)}"


def _start(ctx: Context, run: Run, inputs: ReplicaFields) -> int:
    collect = inputs.collect_model_data
    if inputs.container_image:
        _write_keys(run, inputs)
        config = _common(run, inputs, Path(FOLDER)) | collected.setting(ctx.root, collect, Path(COLLECTED))
        return replica_container.start(run, inputs, config, collected.folder(ctx.root, collect))
    environments, environment = Environments(), inputs.environment_digest or ""
    serving = environments.serving_path(environments.image_serving(inputs.image))
    if (fault := environments.fault(environment)) is not None:
        raise ProvisionError(f"{fault}: refresh, then run the update again")
    source = _copy_source(run, inside(inputs.source_directory, ctx.root))
    model_dir = _copy_models(run, inputs.models)
    _write_keys(run, inputs)
    config = _config(run, inputs, source, model_dir) | collected.setting(ctx.root, collect)
    write_json(run.path / "replica.json", config)
    return _launch(run, inputs, environments.python(environment), serving, model_dir)


def _launch(run: Run, inputs: ReplicaFields, python: Path, serving: Path, model_dir: Path) -> int:
    extra = inputs.threads | dict(inputs.environment_variables)
    extra |= {"PYTHONPATH": str(serving), "PYTHONUNBUFFERED": "1", "AZUREML_MODEL_DIR": str(model_dir)}
    environment = processes.clean_environment(extra)
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    argv = [str(python), str(serving / "serving/__main__.py"), "--config", str(run.path / "replica.json")]
    pid = processes.start_detached(
        argv, cwd=run.path / "source", env=environment, log=run.log, again=run.path / AGAIN
    )
    run.started(pid)
    return pid


def _copy_source(run: Run, source: Path) -> Path:
    """The script keeps running what was deployed, whatever happens to the folder."""
    target = run.path / "source"
    target.mkdir(mode=0o700)
    for entry in entries(source, source_ignore(source)):
        copy = target / entry.name
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(entry.path, copy)
    return target


def _copy_models(run: Run, models: Sequence[ModelReference]) -> Path:
    """v1's layout: azureml-models/<name>/<version>/<the registered file or folder>."""
    store, root = Store(store_dir()), run.path / "azureml-models"
    root.mkdir(mode=0o700)
    for model in models:
        if (fault := store.fault(model.digest)) is not None:
            raise ProvisionError(f"model {model.name} {model.version}: {fault}: refresh, then run it again")
        copy_tree(store.path(model.digest), root / model.name / model.version)
    return root / models[0].name / models[0].version if len(models) == 1 else root


def _config(run: Run, inputs: ReplicaFields, source: Path, model_dir: Path) -> dict[str, Any]:
    config = _common(run, inputs, run.path)
    if inputs.ssl:
        for kind, text in inputs.ssl.plain().items():
            _private_text(run, f"{kind}.pem", text)
    return config | {
        "entry_script": str(source / inputs.entry_script),
        "source_directory": str(source),
        "model_dir": str(model_dir),
        "models": {model.name: model.version for model in inputs.models},
        "control_socket": str(run.control),
        "http_socket": str(run.http),
    }


def _common(run: Run, inputs: ReplicaFields, folder: Path) -> dict[str, Any]:
    """What the server is told as a process and in a container; ``folder``: where it sees its files."""
    config: dict[str, Any] = {
        "service": inputs.service,
        "replica_id": run.ident,
        "auth_enabled": inputs.auth_enabled,
        "keys_file": str(folder / "keys.json"),
        "startup_error_file": str(folder / "startup_error.txt"),
        "log_file": str(folder / "replica.log"),
        "drain_seconds": inputs.drain_seconds,
    }
    if inputs.ssl:
        config["ssl"] = {f"{kind}_file": str(folder / f"{kind}.pem") for kind in ("cert", "key")}
    given = inputs.plain()
    passed = (
        "scoring_timeout_ms", "replica_max_concurrent_requests", "max_request_wait_time",
        "enable_app_insights",
    )  # fmt: skip
    config |= {name: given[name] for name in passed if given.get(name) is not None}
    server: dict[str, Any] = dict(given.get("server") or {})
    # What a cluster has in several replicas are processes of one here.
    return config | server | {"workers": inputs.num_replicas * int(server.get("workers", 1))}


def _private_text(run: Run, name: str, text: str) -> None:
    path = run.path / name
    path.touch(mode=0o600)
    path.write_text(text)


def _write_keys(run: Run, inputs: ReplicaFields) -> None:
    write_json(run.path / "keys.json", inputs.keys.plain() if inputs.keys else {})
    replica_container.share_keys(run)


def _wait_ready(ctx: Context, run: Run, inputs: ReplicaFields) -> None:
    started, limit = time.monotonic(), ctx.timeout or _READY_SECONDS
    shown = 0
    while True:
        ctx.check_cancelled()
        if not run.alive():
            ended = replica_container.why_ended(run, inputs.memory_gb) or "the process ended"
            raise ProvisionError(_failure(run, inputs, ended))
        try:
            state = str(run.call("status", timeout=5).get("state"))
        except ControlError:
            state = "starting"
        if state == "ready":
            return
        if state == "failed":
            raise ProvisionError(_failure(run, inputs, "the server could not start"))
        waited = time.monotonic() - started
        if waited > limit:
            raise ProvisionError(
                _failure(run, inputs, f"not ready after {limit:g} seconds (init() still runs?)")
            )
        if int(waited) > shown:
            shown = int(waited)
            ctx.status(f"starting: init() runs for {shown} s")
        time.sleep(_POLL_SECONDS)


def _failure(run: Run, inputs: ReplicaFields, otherwise: str) -> str:
    """One line that says why, then the script's own traceback and the end of the log."""
    script = f"{inputs.source_directory.rstrip('/')}/{inputs.entry_script}"

    def as_known(text: str) -> str:
        return startup.as_known(text, run.path, inputs.source_directory)

    try:
        trace = as_known((run.path / "startup_error.txt").read_text("utf-8", errors="replace"))
    except OSError:
        trace = ""
    why = startup.reason(trace, script) if trace.strip() else f"{script}: {otherwise}"
    log = [as_known(line) for line in startup.readable(run.tail(), tracebacks=not trace)]
    return (
        f"service {inputs.service}: {why}"
        + startup.block("the script's traceback", trace.strip().splitlines())
        + startup.block("the end of its log", log)
    )
