"""`Pulumi.yaml` and `Pulumi.<stack>.yaml`: the project's settings, its stacks' configuration and secrets."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from mldeploy.engine.base.errors import EngineError, UnsupportedError
from mldeploy.engine.base.files import write_atomic
from mldeploy.engine.project.secrets import SecretsManager
from mldeploy.values.property_value import Secret, is_list, is_map

_STACK_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,100}$")


@dataclass(frozen=True, slots=True)
class PulumiProject:
    """A project folder: its name, where its program lives and the plugins it brings along."""

    name: str
    root: Path
    main: Path
    runtime: str
    data: dict[str, Any]

    @property
    def plugin_providers(self) -> dict[str, tuple[Path, str]]:
        """Package name to (folder, version) of `plugins.providers`."""
        plugins: dict[str, Any] = self.data.get("plugins") or {}
        entries: list[dict[str, Any]] = plugins.get("providers") or []
        return {
            str(entry["name"]): (
                (self.root / str(entry.get("path") or ".")).resolve(),
                str(entry.get("version") or ""),
            )
            for entry in entries
        }

    @property
    def refresh_always(self) -> bool:
        """`options.refresh: always`."""
        options: dict[str, Any] = self.data.get("options") or {}
        return options.get("refresh") == "always"


@dataclass(slots=True)
class StackConfig:
    """Configuration of one stack: `values` by `namespace:key`, secrets wrapped in Secret, and the salt."""

    path: Path
    values: dict[str, str | Secret] = field(default_factory=dict[str, "str | Secret"])
    encryption_salt: str = ""

    def plain(self) -> dict[str, str]:
        """Keys to plain texts, for the program."""
        return {k: str(v.value) if isinstance(v, Secret) else v for k, v in self.values.items()}

    def secret_keys(self) -> list[str]:
        """Keys whose values are secret."""
        return sorted(k for k, v in self.values.items() if isinstance(v, Secret))

    def package(self, package: str) -> dict[str, Any]:
        """What is configured for a package: its default provider's inputs."""
        prefix = package + ":"
        return {k[len(prefix) :]: v for k, v in self.values.items() if k.startswith(prefix)}


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise EngineError(f"{path}: not valid YAML: {error}") from None
    if data is None:
        return {}
    if not is_map(data):
        raise EngineError(f"{path}: expected a mapping, got {type(data).__name__}")
    return data


def check_stack_name(stack: str) -> None:
    """Raise EngineError for names that Pulumi does not accept either."""
    if not _STACK_NAME.match(stack):
        raise EngineError(
            f"stack name {stack!r}: use 1 to 100 letters, digits, hyphens, underscores and periods"
        )


def load_project(root: Path) -> PulumiProject:
    """Read `Pulumi.yaml` (or `.yml`). Raises EngineError without one, UnsupportedError for other runtimes."""
    path = next((p for p in (root / "Pulumi.yaml", root / "Pulumi.yml") if p.is_file()), None)
    if path is None:
        raise EngineError(f"no Pulumi.yaml in {root}")
    data = _load_yaml(path)
    runtime = data.get("runtime")
    runtime_name = str(runtime["name"] if is_map(runtime) else runtime)
    if not data.get("name"):
        raise EngineError(f"{path}: 'name' is missing")
    if runtime_name != "python":
        raise UnsupportedError(
            f"{path}: runtime {runtime_name!r}; the embedded engine runs Python programs only"
        )
    for key in ("packages",):
        if data.get(key):
            raise UnsupportedError(f"{path}: {key!r} (parameterised packages) needs the pulumi CLI")
    return PulumiProject(
        str(data["name"]), root.resolve(), root.resolve() / str(data.get("main") or "."), runtime_name, data
    )


def backend_path(project_root: Path, url: str | None, data: dict[str, Any]) -> Path:
    """The folder of the file backend: the argument, $PULUMI_BACKEND_URL, `backend.url`, `.pulumi-state`.

    Raises UnsupportedError for a backend that is no folder.
    """
    configured: dict[str, Any] = data.get("backend") or {}
    text = url or os.environ.get("PULUMI_BACKEND_URL") or configured.get("url") or "file://.pulumi-state"
    if not str(text).startswith("file://"):
        raise UnsupportedError(
            f"backend {_without_password(str(text))!r}: the embedded engine keeps state in"
            " file://<folder> only"
        )
    path = unquote(str(text)[len("file://") :].partition("?")[0])
    return project_root / Path(path).expanduser()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def stack_config_path(project: PulumiProject, stack: str) -> Path:
    """Where `Pulumi.<stack>.yaml` is (or would be)."""
    folder = project.root / str(project.data.get("stackConfigDir") or ".")
    return folder / f"Pulumi.{stack}.yaml"


def load_stack_config(project: PulumiProject, stack: str, manager_for: Any) -> StackConfig:
    """Read a stack's configuration, decrypting what is secret with `manager_for(salt)`.

    Raises UnsupportedError for `environment` (ESC) and for secrets providers other than passphrase.
    """
    path = stack_config_path(project, stack)
    data = _load_yaml(path) if path.is_file() else {}
    if data.get("environment"):
        raise UnsupportedError(f"{path}: 'environment' (Pulumi ESC) needs the pulumi CLI and its service")
    provider = data.get("secretsprovider")
    if provider and provider != "passphrase":
        raise UnsupportedError(
            f"{path}: secrets provider {provider!r}; the embedded engine knows 'passphrase' only"
        )
    config = StackConfig(path, encryption_salt=str(data.get("encryptionsalt") or ""))
    raw: dict[str, Any] = {**_project_defaults(project), **(data.get("config") or {})}
    for key, value in raw.items():
        name = key if ":" in key else f"{project.name}:{key}"
        config.values[name] = _config_value(name, value, config, manager_for)
    return config


def _project_defaults(project: PulumiProject) -> dict[str, Any]:
    result: dict[str, Any] = {}
    declared: dict[str, Any] = project.data.get("config") or {}
    for key, value in declared.items():
        if is_map(value):
            entry: dict[str, Any] = value
            for name in ("value", "default"):
                if name in entry:
                    result[key] = entry[name]
                    break
        else:
            result[key] = value
    return result


def _config_value(name: str, value: Any, config: StackConfig, manager_for: Any) -> str | Secret:
    secret = False

    def decrypt(part: Any) -> Any:
        nonlocal secret
        if is_map(part):
            items: dict[str, Any] = part
            if set(items) == {"secure"}:
                secret = True
                if not config.encryption_salt:
                    raise EngineError(f"{config.path}: {name} is secret but there is no encryptionsalt")
                manager: SecretsManager = manager_for(config.encryption_salt)
                return manager.crypter.decrypt(str(items["secure"]))
            return {k: decrypt(v) for k, v in items.items()}
        if is_list(part):
            elements: list[Any] = part
            return [decrypt(v) for v in elements]
        return part

    plain = decrypt(value)
    if isinstance(plain, bool):
        text = "true" if plain else "false"
    elif isinstance(plain, dict | list):
        text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    else:
        text = "" if plain is None else str(plain)
    return Secret(text) if secret else text


def save_encryption_salt(path: Path, salt: str) -> None:
    """Add `encryptionsalt` to the stack's file, leaving everything else as it is written."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("encryptionsalt:"))
    write_atomic(path, f"encryptionsalt: {salt}\n{kept}".encode(), mode=0o644)
