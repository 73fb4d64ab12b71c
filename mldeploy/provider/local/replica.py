"""Replica: one set of processes that score with one image and one set of model versions."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from mldeploy.artifacts.content import entries, source_ignore, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.home import store_dir
from mldeploy.provider.framework.resource import (
    CheckError,
    Context,
    Diff,
    Field,
    ProvisionError,
    Resource,
    UnhealthyError,
)
from mldeploy.provider.framework.values import has_unknown
from mldeploy.provider.local import collected, processes, replica_container, startup
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.containers import COLLECTED, FOLDER
from mldeploy.provider.local.control import ControlError
from mldeploy.provider.local.environments import Environments
from mldeploy.provider.local.runs import Run, own_replica, sweep
from mldeploy.provider.local.store import Store, copy_tree
from mldeploy.provider.local.stored_model import SAFE_NAME
from mldeploy.provider.local.supervisor import AGAIN
from mldeploy.values.variables import reserved

_READY_SECONDS = 300.0
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 5.0
_LONGEST_DRAIN = 30.0
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# What the scoring process is told by its configuration; a script must not change it by an environment
# variable.

_MODEL = Field(
    kind="object",
    type_name="ModelReference",
    description="A model version in the store.",
    fields={
        "name": Field(kind="string", required=True, description="The model's name."),
        "version": Field(kind="string", required=True, description="Its version."),
        "digest": Field(kind="string", required=True, description="Its content."),
    },
)
_KEYS = Field(
    kind="object",
    type_name="KeyPair",
    secret=True,
    replaces=False,
    description="The keys that clients send.",
    fields={
        "primary": Field(kind="string", required=True, secret=True, description="The primary key."),
        "secondary": Field(kind="string", required=True, secret=True, description="The secondary key."),
    },
)
_SSL = Field(
    kind="object",
    type_name="Certificate",
    secret=True,
    description="What the server needs for https.",
    fields={
        "cert": Field(kind="string", required=True, secret=True, description="The certificate chain, PEM."),
        "key": Field(kind="string", required=True, secret=True, description="Its private key, PEM."),
    },
)
_COLLECT = Field(
    kind="map",
    description="Whether, where and how much of inputs and outputs is collected (v1's collect_model_data).",
)


class Replica(Resource):
    """Scoring processes on a private socket. Everything but the keys is fixed for life."""

    token = "mldeploy:service:Replica"  # noqa: S105
    description = "The processes that score for one version of a local service."
    inputs = {
        "service": Field(kind="string", required=True, description="The service's name."),
        "image": Field(kind="string", required=True, description="The image's digest."),
        "environment_digest": Field(
            kind="string", description="The virtual environment's digest; for processes."
        ),
        "container_image": Field(
            kind="string", description="The local engine's tag of the image: run as a container."
        ),
        "source_directory": Field(
            kind="string", required=True, description="The scripts' folder in the project."
        ),
        "entry_script": Field(
            kind="string", required=True, description="The script, relative to source_directory."
        ),
        "models": Field(kind="array", items=_MODEL, description="The models that the script finds."),
        "auth_enabled": Field(kind="boolean", required=True, description="Whether clients must send a key."),
        "keys": _KEYS,
        "ssl": _SSL,
        "num_replicas": Field(
            kind="integer", minimum=1, maximum=256, description="Worker processes (default 1)."
        ),
        "scoring_timeout_ms": Field(kind="integer", minimum=1, description="Milliseconds for one request."),
        "replica_max_concurrent_requests": Field(
            kind="integer", minimum=1, description="Requests at once, a worker."
        ),
        "max_request_wait_time": Field(kind="integer", minimum=0, description="Milliseconds in the queue."),
        "collect_model_data": _COLLECT,
        "enable_app_insights": Field(kind="boolean", description="Whether telemetry is sent."),
        "environment_variables": Field(
            kind="map", items=Field(kind="string", description="A value."), description="For the script."
        ),
        "cpu_cores": Field(
            kind="number",
            minimum=0.001,
            description="Cores that numeric libraries use; of a container, the limit too.",
        ),
        "memory_gb": Field(
            kind="number", minimum=0.001, description="A container's limit; not enforced for processes."
        ),
    }
    outputs = {
        "pid": Field(kind="integer", description="The main process."),
        "log": Field(kind="string", description="The log file."),
    }

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Names are safe for paths; keys are there when they are needed."""
        faults: list[tuple[str, str]] = []
        named = [("service", news["service"])]
        for index, model in enumerate(_list(news.get("models"))):
            if isinstance(model, dict):
                item = cast("dict[str, Any]", model)
                named += [(f"models[{index}].{key}", item[key]) for key in ("name", "version")]
        for path, value in named:
            if isinstance(value, str) and not SAFE_NAME.fullmatch(value):
                faults += [(path, f"is {value!r}; allowed: letters, digits, '.', '_' and '-'")]
        if news["auth_enabled"] is True and news.get("keys") is None:
            faults.append(("keys", "are required when auth_enabled is true"))
        if (news.get("container_image") is None) == (news.get("environment_digest") is None):
            faults.append(("environment_digest", "or container_image is required, and never both"))
        for name in _map(news.get("environment_variables")):
            if "=" in name or "\0" in name:
                faults.append((f"environment_variables.{name}", "is no name of a variable"))
            elif reason := reserved(name):
                faults.append((f"environment_variables.{name}", reason))
        if faults:
            raise CheckError(*faults)
        return {}

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Besides changed inputs: a replica that is dead or does not answer is replaced."""
        found = super().diff(ctx, ident, state, olds, news)
        if not found.replaces and own_replica(ident, state).state() != "ready":
            found.details["pid"] = "update"
            found.drift.add("pid")
            found.replaces.add("pid")
        return found

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Start it and wait until it is ready to score."""
        sweep(ctx.scope, str(inputs["service"]), orphans=True)
        run = Run("replicas", _new_ident(inputs))
        about = {"scope": ctx.scope, "service": inputs["service"], "made": time.time()}
        container = replica_container.note(run) if inputs.get("container_image") else {}
        about |= {"image": inputs["image"], "source_directory": inputs["source_directory"], **container}
        run.make(about)
        try:
            pid = _start(ctx, run, inputs)
            _wait_ready(ctx, run, inputs)
        except BaseException:
            run.stop(0)
            run.remove()
            raise
        return run.ident, {"pid": pid, "log": str(run.log)}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Dead is gone; alive but not ready is unhealthy."""
        run = own_replica(ident, state)
        found = run.state()
        if found == "dead":
            ctx.warn(f"replica {ident} of service {state['service']} is not running")
            return None
        if found != "ready":
            raise UnhealthyError(state, f"replica {ident} is {found}, not ready")
        process = run.process()
        # Whoever holds the port starts a dead one again.
        return {**state, "pid": process[0] if process else state["pid"], "log": str(run.log)}, {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """New keys: the server reads them again by itself."""
        run = Run("replicas", ident)
        if not run.path.is_dir():
            raise ProvisionError(f"replica {ident} is gone: refresh, then run the update again")
        _write_keys(run, news)
        return {"pid": state["pid"], "log": str(run.log)}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Let open requests end, stop it, remove what it had."""
        run = own_replica(ident, state)
        ctx.status("waiting for open requests")
        run.stop(_drain_seconds(state) + _PATIENCE_SECONDS)
        run.remove()
        sweep(ctx.scope, str(state["service"]))


def _new_ident(inputs: Mapping[str, Any]) -> str:
    models = [
        f"{model['name']}@{model['version']}={model['digest']}" for model in _list(inputs.get("models"))
    ]
    return f"{inputs['service']}-{text_digest(str(inputs['image']), *models)[:8]}-{secrets.token_hex(3)}"


def _start(ctx: Context, run: Run, inputs: Mapping[str, Any]) -> int:
    if inputs.get("container_image"):
        _write_keys(run, inputs)
        config = _common(run, inputs, Path(FOLDER)) | collected.setting(ctx.root, inputs, Path(COLLECTED))
        return replica_container.start(
            run, inputs, config, _threads(inputs), collected.folder(ctx.root, inputs)
        )
    environments = Environments()
    serving = environments.serving_path(environments.image_serving(str(inputs["image"])))
    if (fault := environments.fault(str(inputs["environment_digest"]))) is not None:
        raise ProvisionError(f"{fault}: refresh, then run the update again")
    source = _copy_source(run, inside(str(inputs["source_directory"]), ctx.root))
    model_dir = _copy_models(run, _list(inputs.get("models")))
    _write_keys(run, inputs)
    config = _config(run, inputs, source, model_dir) | collected.setting(ctx.root, inputs)
    write_json(run.path / "replica.json", config)
    return _launch(run, inputs, environments, serving, model_dir)


def _launch(
    run: Run, inputs: Mapping[str, Any], environments: Environments, serving: Path, model_dir: Path
) -> int:
    given = {str(name): str(value) for name, value in _map(inputs.get("environment_variables")).items()}
    extra = _threads(inputs) | given
    extra |= {"PYTHONPATH": str(serving), "PYTHONUNBUFFERED": "1", "AZUREML_MODEL_DIR": str(model_dir)}
    python = environments.python(str(inputs["environment_digest"]))
    environment = processes.clean_environment(extra)
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    argv = [str(python), str(serving / "serving/__main__.py"), "--config", str(run.path / "replica.json")]
    pid = processes.start_detached(
        argv, cwd=run.path / "source", env=environment, log=run.log, again=run.path / AGAIN
    )
    run.started(pid)
    return pid


def _threads(inputs: Mapping[str, Any]) -> dict[str, str]:
    cores = inputs.get("cpu_cores")
    return dict.fromkeys(_THREAD_SETTINGS, str(max(1, round(float(cores))))) if cores else {}


def _copy_source(run: Run, source: Path) -> Path:
    """The script keeps running what was deployed, whatever happens to the folder."""
    target = run.path / "source"
    target.mkdir(mode=0o700)
    for entry in entries(source, source_ignore(source)):
        copy = target / entry.name
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(entry.path, copy)
    return target


def _copy_models(run: Run, models: list[Any]) -> Path:
    """v1's layout: azureml-models/<name>/<version>/<the registered file or folder>."""
    store, root = Store(store_dir()), run.path / "azureml-models"
    root.mkdir(mode=0o700)
    for model in models:
        if (fault := store.fault(str(model["digest"]))) is not None:
            raise ProvisionError(
                f"model {model['name']} {model['version']}: {fault}: refresh, then run it again"
            )
        copy_tree(store.path(str(model["digest"])), root / model["name"] / model["version"])
    return root / models[0]["name"] / models[0]["version"] if len(models) == 1 else root


def _config(run: Run, inputs: Mapping[str, Any], source: Path, model_dir: Path) -> dict[str, Any]:
    config = _common(run, inputs, run.path)
    if ssl := _map(inputs.get("ssl")):
        for kind in ("cert", "key"):
            _private_text(run, f"{kind}.pem", ssl[kind])
    return config | {
        "entry_script": str(source / str(inputs["entry_script"])),
        "source_directory": str(source),
        "model_dir": str(model_dir),
        "models": {model["name"]: model["version"] for model in _list(inputs.get("models"))},
        "control_socket": str(run.control),
        "http_socket": str(run.http),
    }


def _common(run: Run, inputs: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the server is told as a process and in a container; ``folder``: where it sees its files."""
    config = {
        "service": inputs["service"],
        "replica_id": run.ident,
        "auth_enabled": inputs["auth_enabled"],
        "keys_file": str(folder / "keys.json"),
        "workers": inputs.get("num_replicas") or 1,
        "startup_error_file": str(folder / "startup_error.txt"),
        "log_file": str(folder / "replica.log"),
        "drain_seconds": _drain_seconds(inputs),
    }
    if inputs.get("ssl"):
        config["ssl"] = {f"{kind}_file": str(folder / f"{kind}.pem") for kind in ("cert", "key")}
    passed = (
        "scoring_timeout_ms", "replica_max_concurrent_requests", "max_request_wait_time",
        "enable_app_insights",
    )  # fmt: skip
    return config | {name: inputs[name] for name in passed if inputs.get(name) is not None}


def _private_text(run: Run, name: str, text: str) -> None:
    path = run.path / name
    path.touch(mode=0o600)
    path.write_text(text)


def _drain_seconds(inputs: Mapping[str, Any]) -> float:
    return min(_LONGEST_DRAIN, float(inputs.get("scoring_timeout_ms") or 60_000) / 1000)


def _write_keys(run: Run, inputs: Mapping[str, Any]) -> None:
    keys = _map(inputs.get("keys"))
    write_json(
        run.path / "keys.json", {slot: keys[slot] for slot in ("primary", "secondary") if slot in keys}
    )
    replica_container.share_keys(run)


def _wait_ready(ctx: Context, run: Run, inputs: Mapping[str, Any]) -> None:
    started, limit = time.monotonic(), ctx.timeout or _READY_SECONDS
    shown = 0
    while True:
        ctx.check_cancelled()
        if not run.alive():
            ended = replica_container.why_ended(run, inputs) or "the process ended"
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


def _failure(run: Run, inputs: Mapping[str, Any], otherwise: str) -> str:
    """One line that says why, then the script's own traceback and the end of the log."""
    script = f"{str(inputs['source_directory']).rstrip('/')}/{inputs['entry_script']}"

    def as_known(text: str) -> str:
        return startup.as_known(text, run.path, str(inputs["source_directory"]))

    try:
        trace = as_known((run.path / "startup_error.txt").read_text("utf-8", errors="replace"))
    except OSError:
        trace = ""
    why = startup.reason(trace, script) if trace.strip() else f"{script}: {otherwise}"
    log = [as_known(line) for line in startup.readable(run.tail(), tracebacks=not trace)]
    return (
        f"service {inputs['service']}: {why}"
        + startup.block("the script's traceback", trace.strip().splitlines())
        + startup.block("the end of its log", log)
    )


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _map(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) and not has_unknown(value) else {}
