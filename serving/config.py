"""What a replica is told: a JSON file, or one environment variable a key (`SERVING_<KEY>`) in containers."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast


class ConfigError(Exception):
    """The configuration cannot be used; the message says which key, its value and what is allowed."""


@dataclass(frozen=True)
class Config:
    """A replica's configuration. Paths are absolute; times are in the unit their name says."""

    entry_script: str = ""
    """The script with `init()` and `run()`."""
    source_directory: str = ""
    """The folder of the script; default: the one `entry_script` is in."""
    service: str = "service"
    """The service's name: `/api/v1/service/<name>/score`."""
    replica_id: str = ""
    """Names this replica in logs."""
    model_dir: str = ""
    """Becomes `AZUREML_MODEL_DIR`; default: that variable."""
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version by model name."""
    auth_enabled: bool = False
    """Whether scoring needs `Authorization: Bearer <key>`."""
    keys_file: str = ""
    """JSON file `{"primary": …, "secondary": …}`, read again when it changes."""
    workers: int = 1
    """Processes that run the script."""
    scoring_timeout_ms: int = 60_000
    """How long one `run()` may take."""
    stream_timeout_ms: int = 0
    """How long each further piece of an answer in pieces may take; 0: `scoring_timeout_ms`."""
    stream_drain_seconds: float = 600
    """How much longer than `drain_seconds` the end waits for answers in pieces that are open."""
    replica_max_concurrent_requests: int = 1
    """How many `run()` calls one worker makes at a time."""
    max_request_wait_time: int = 500
    """Milliseconds a request may wait for its turn."""
    max_queue: int = 1000
    """Requests that may wait in one worker."""
    collect_model_data: Mapping[str, Any] | None = None
    """Data collection: `{"sampling": 0.1, "collections": […], "format": "jsonl", "destination": "/data"}`."""
    collector: str = ""
    """Where workers send collected data; the supervisor fills it in."""
    enable_app_insights: bool = False
    """Whether telemetry goes to Application Insights."""
    control_socket: str = ""
    """UNIX socket of the control protocol."""
    http_socket: str = ""
    """Private UNIX socket that answers HTTP without a key (its file is the owner's only)."""
    startup_error_file: str = ""
    """Where the script's own traceback goes when the start fails."""
    log_file: str = ""
    """Rotating log; default: standard output."""
    log_max_bytes: int = 10_000_000
    """Size at which `log_file` is rotated."""
    log_keep: int = 5
    """Rotated files kept."""
    host: str = "0.0.0.0"
    """Address to bind when `port` is given."""
    port: int | None = None
    """TCP port to bind at once (containers); default: none until one is handed over."""
    docs_enabled: bool = True
    """Whether `/docs` shows Swagger UI."""
    ssl: Mapping[str, str] | None = None
    """`{"cert_file": …, "key_file": …}` (PEM), read again when they change."""
    body_limit_bytes: int = 100 * 1024 * 1024
    """Largest request body."""
    bodies_limit_bytes: int = 0
    """All request bodies that one worker holds, together; 0: twice `body_limit_bytes`."""
    header_limit_bytes: int = 32 * 1024
    """Largest request line and headers together."""
    header_timeout_seconds: float = 10
    """From a request's first byte to the end of its headers."""
    body_timeout_seconds: float = 30
    """For a body, plus one second for every KiB received."""
    idle_timeout_seconds: float = 75
    """How long a connection may stay open without a request."""
    drain_seconds: float = 30
    """How long `stop` waits for open requests."""
    release_grace_seconds: float = 3
    """How long idle connections stay open after `release`."""
    max_requests: int = 0
    """A worker is replaced after so many `run()` calls; 0: never."""
    max_connections: int = 20_000
    """Open connections of one worker; the longest idle one is closed for a new one."""
    share_model: bool | None = None
    """Load the model once and fork the workers from it. Default: when no threads run after `init()`."""
    batching: Mapping[str, Any] | None = None
    """Micro-batching: `{"enabled": true, "max_batch_size": 32}`."""

    @property
    def run_timeout(self) -> float:
        """`scoring_timeout_ms` in seconds."""
        return self.scoring_timeout_ms / 1000

    @property
    def bodies_limit(self) -> int:
        """`bodies_limit_bytes`, or what stands for it."""
        return self.bodies_limit_bytes or 2 * self.body_limit_bytes

    @property
    def stream_timeout(self) -> float:
        """`stream_timeout_ms` in seconds."""
        return (self.stream_timeout_ms or self.scoring_timeout_ms) / 1000

    @property
    def max_wait(self) -> float:
        """`max_request_wait_time` in seconds."""
        return self.max_request_wait_time / 1000


_FIELDS = {f.name: f for f in dataclasses.fields(Config)}
_POSITIVE = {
    "workers", "scoring_timeout_ms", "replica_max_concurrent_requests", "max_queue", "body_limit_bytes",
    "header_limit_bytes", "header_timeout_seconds", "body_timeout_seconds", "idle_timeout_seconds",
    "log_max_bytes", "max_connections",
}  # fmt: skip


def load(path: str | None, environ: Mapping[str, str]) -> tuple[Config, list[str]]:
    """Read the configuration and say which keys were not understood.

    Raises:
        ConfigError: no readable file, a value of the wrong type, or a value out of range.
    """
    values: dict[str, Any] = {}
    if path:
        try:
            loaded: object = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot read the configuration: {error}") from error
        if not isinstance(loaded, dict):
            raise ConfigError(f"{path}: expected a JSON object, found {type(loaded).__name__}")
        values.update(cast("dict[str, Any]", loaded))
    for name in _FIELDS:
        text = environ.get(f"SERVING_{name.upper()}")
        if text is not None:
            values[name] = _from_text(name, text)
    unknown = sorted(set(values) - set(_FIELDS))
    known: dict[str, Any] = {
        name: _checked(name, value) for name, value in values.items() if name in _FIELDS and value is not None
    }
    return _complete(Config(**known), environ), unknown


def _complete(config: Config, environ: Mapping[str, str]) -> Config:
    script = config.entry_script or environ.get("AZUREML_ENTRY_SCRIPT", "")
    if not script:
        raise ConfigError("entry_script: missing; give the path of the script with init() and run()")
    source = config.source_directory or environ.get("AML_APP_ROOT", "") or str(Path(script).absolute().parent)
    if not Path(script).is_absolute():
        script = str(Path(source) / script)
    if config.auth_enabled and not config.keys_file:
        raise ConfigError("keys_file: missing; auth_enabled needs a file with the keys")
    if config.ssl is not None and not (config.ssl.get("cert_file") and config.ssl.get("key_file")):
        raise ConfigError("ssl: needs cert_file and key_file")
    if config.bodies_limit < config.body_limit_bytes:
        raise ConfigError(
            f"bodies_limit_bytes: {config.bodies_limit_bytes} is not allowed; "
            f"give at least body_limit_bytes, {config.body_limit_bytes}"
        )
    model_dir = config.model_dir or environ.get("AZUREML_MODEL_DIR", "")
    return dataclasses.replace(config, entry_script=script, source_directory=source, model_dir=model_dir)


def _from_text(name: str, text: str) -> object:
    if _allowed(name) == {str}:
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            raise ConfigError(f"SERVING_{name.upper()}: {text} is not allowed; write it without quotes")
        return text
    try:
        return json.loads(text)
    except ValueError:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise ConfigError(f"SERVING_{name.upper()}: {text!r} is not JSON") from None


_HINTS: dict[str, Any] = {}


def _allowed(name: str) -> set[type]:
    if not _HINTS:
        _HINTS.update(typing.get_type_hints(Config))
    hint = _HINTS[name]
    members = [m for m in typing.get_args(hint) if m is not type(None)] if _is_union(hint) else [hint]
    return {cast("type", dict if typing.get_origin(m) is not None else m) for m in members}


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) is not None and type(None) in typing.get_args(hint)


def _checked(name: str, value: object) -> object:
    allowed = _allowed(name)
    accepted = allowed | {int} if float in allowed else allowed
    if type(value) not in accepted:
        names = " or ".join(sorted(t.__name__ for t in allowed))
        raise ConfigError(f"{name}: expected {names}, found {value!r}")
    if name in _POSITIVE and isinstance(value, (int, float)) and value <= 0:
        raise ConfigError(f"{name}: {value} is not allowed; give a number above 0")
    return value


def environment_for_script(config: Config) -> dict[str, str]:
    """What an entry script finds in `os.environ`, under v1's names."""
    values = {
        "AZUREML_ENTRY_SCRIPT": config.entry_script,
        "AML_APP_ROOT": config.source_directory,
        "SERVICE_NAME": config.service,
    }
    if config.model_dir:
        values["AZUREML_MODEL_DIR"] = config.model_dir
    return {
        name: value for name, value in values.items() if name == "AZUREML_MODEL_DIR" or name not in os.environ
    }
