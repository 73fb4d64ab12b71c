"""`Pulumi.<stack>.yaml`: a stack's configuration, with the project's schema and defaults (pkg/workspace/config.go)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mldeploy.engine.base.errors import EngineError, UnsupportedError
from mldeploy.engine.base.files import write_atomic
from mldeploy.engine.project.project import PulumiProject, stack_config_path
from mldeploy.engine.project.secrets import SecretsManager
from mldeploy.engine.project.yaml_values import GoTime, json_text, kind_of, load_mapping, scalar_text
from mldeploy.values.property_value import Secret, is_list, is_map

ManagerFor = Callable[[str], SecretsManager]


@dataclass(slots=True)
class StackConfig:
    """Configuration of one stack: `values` by `namespace:key`, secrets wrapped in Secret, and the salt.

    `warnings` are for the user, once an operation begins.
    """

    path: Path
    values: dict[str, str | Secret] = field(default_factory=dict[str, "str | Secret"])
    encryption_salt: str = ""
    warnings: list[str] = field(default_factory=list[str])

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


def load_stack_config(project: PulumiProject, stack: str, manager_for: ManagerFor) -> StackConfig:
    """Read a stack's configuration, decrypting what is secret with `manager_for(salt)`.

    Raises EngineError for what the project's schema does not allow, UnsupportedError for `environment` (ESC), for
    `pulumi:autonaming` and for secrets providers other than passphrase.
    """
    path = stack_config_path(project, stack)
    data = load_mapping(path) if path.is_file() else {}
    if data.get("environment"):
        raise UnsupportedError(f"{path}: 'environment' (Pulumi ESC) needs the pulumi CLI and its service")
    provider = data.get("secretsprovider")
    if provider and provider != "passphrase":
        raise UnsupportedError(
            f"{path}: secrets provider {provider!r}; the embedded engine knows 'passphrase' only"
        )
    given = data.get("config")
    if given is not None and not is_map(given):
        raise EngineError(f"{path}: config: expected a mapping of keys to values, got {kind_of(given)}")
    config = StackConfig(path, encryption_salt=str(data.get("encryptionsalt") or ""))
    reader = ValueReader(config, manager_for)
    raw: dict[str, Any] = given or {}
    for key, value in raw.items():
        config.values[full_key(project, key, path)] = reader.text(key, value)
    empty = [key for key, value in raw.items() if value is None]
    if empty:
        config.warnings.append(_empty_warning(empty))
    _apply_schema(project, stack, config, raw)
    if "pulumi:autonaming" in config.values:
        raise UnsupportedError(f"{path}: pulumi:autonaming needs the pulumi CLI")
    return config


def full_key(project: PulumiProject, key: str, path: Path) -> str:
    """`namespace:key`; `namespace:config:key` is the older spelling. Raises EngineError for anything else."""
    parts = key.split(":")
    if len(parts) == 1:
        return f"{project.name}:{key}"
    if len(parts) == 3 and parts[1] == "config":
        return f"{parts[0]}:{parts[2]}"
    if len(parts) != 2:
        raise EngineError(f"{path}: config: could not parse {key!r} as a key: use <namespace>:<name>")
    return key


def _empty_warning(keys: list[str]) -> str:
    """The CLI's words."""
    named = [f'"{key}"' for key in keys]
    plural = "s" if len(keys) > 1 else ""
    listed = (" and " if len(keys) == 2 else ", ").join(named)
    return (
        f'No value for configuration key{plural} {listed}. This is currently treated as an empty string `""`, but'
        f' will be treated as `null` in a future version of pulumi.\nSet the value{plural} to `""` to avoid this'
        " warning."
    )


class ValueReader:
    """Turns values of the file into texts, as programs get them."""

    def __init__(self, config: StackConfig, manager_for: ManagerFor) -> None:
        self._config = config
        self._manager_for = manager_for

    def text(self, key: str, value: Any) -> str | Secret:
        """The text of a value; a Secret when anything in it is. Raises EngineError."""
        found: list[str] = []
        plain = self._decrypted(key, value, found)
        try:
            text = json_text(plain) if isinstance(plain, dict | list) else scalar_text(plain)
        except ValueError as error:
            raise EngineError(f"{self._config.path}: config {key}: {error}") from None
        return Secret(text) if found else text

    def _decrypted(self, key: str, part: Any, found: list[str]) -> Any:
        if is_map(part):
            items: dict[Any, Any] = part
            if set(items) == {"secure"} and isinstance(items["secure"], str):
                if not self._config.encryption_salt:
                    raise EngineError(f"{self._config.path}: {key} is secret but there is no encryptionsalt")
                found.append(key)
                manager = self._manager_for(self._config.encryption_salt)
                return manager.crypter.decrypt(items["secure"])
            return {k: self._decrypted(key, v, found) for k, v in items.items()}
        if is_list(part):
            elements: list[Any] = part
            return [self._decrypted(key, v, found) for v in elements]
        return part


def _apply_schema(project: PulumiProject, stack: str, config: StackConfig, raw: dict[str, Any]) -> None:
    """Defaults and fixed values of the project; then every declared key of it must be there and of its type."""
    declared = project.data.get("config")
    if not is_map(declared):
        return
    yaml = project.root / "Pulumi.yaml"
    keys: dict[str, Any] = declared
    entries = {key: _entry(project, key, keys[key], yaml) for key in sorted(keys)}
    objects = {full_key(project, key, config.path) for key, value in raw.items() if _is_object(value)}
    missing: list[str] = []
    for key, entry in entries.items():
        name = full_key(project, key, yaml)
        if name in config.values:
            continue
        value = entry["default"] if entry.get("default") is not None else entry.get("value")
        if value is not None:
            simple = isinstance(value, str | int | bool)
            config.values[name] = scalar_text(value) if simple else json_text(value)
            if not simple:
                objects.add(name)
        elif name.startswith(f"{project.name}:"):
            missing.append(key)
    if missing:
        listed = f"'{missing[0]}'"
        if len(missing) > 1:
            listed = ", ".join(f"'{key}'" for key in missing[:-1]) + f" and '{missing[-1]}'"
        values = "values" if len(missing) > 1 else "value"
        raise EngineError(f"Stack '{stack}' is missing configuration {values} {listed} (declared in {yaml})")
    for key, entry in entries.items():
        name = full_key(project, key, yaml)
        if entry.get("type") is not None and name in config.values:
            where = f"{config.path}: Stack '{stack}' with configuration key '{key}'"
            _check_value(where, entry, config.values[name], is_object=name in objects)


def _entry(project: PulumiProject, key: str, value: Any, yaml: Path) -> dict[str, Any]:
    """A declaration in its long form: a bare value is a default of the project's own keys, else fixed."""
    own = ":" not in key or key.startswith(f"{project.name}:")
    if not is_map(value):
        return {"default" if own else "value": value}
    entry: dict[str, Any] = value
    if not own and (entry.get("type") is not None or entry.get("default") is not None):
        what = "type" if entry.get("type") is not None else "default value (use 'value')"
        raise EngineError(
            f"{yaml}: config {key} is not namespaced by the project and should not define a {what}"
        )
    if entry.get("default") is not None and entry.get("value") is not None:
        raise EngineError(f"{yaml}: config {key} cannot have both a 'default' and 'value' attribute")
    if entry.get("type") == "array" and not is_map(entry.get("items")):
        raise EngineError(f"{yaml}: config {key} declares an array but not the type of its 'items'")
    default = entry.get("default")
    if entry.get("type") is not None and default is not None and not _fits(entry, default):
        raise EngineError(f"{yaml}: config {key}: the default is not of the type '{_type_name(entry)}'")
    return entry


def _is_object(value: Any) -> bool:
    return is_list(value) or (
        is_map(value) and not (set(value) == {"secure"} and isinstance(value["secure"], str))
    )


def _check_value(where: str, entry: dict[str, Any], value: str | Secret, *, is_object: bool) -> None:
    if entry.get("secret") and not isinstance(value, Secret):
        raise EngineError(f"{where} must be encrypted as it's secret")
    text = str(value.value) if isinstance(value, Secret) else value
    if not _fits(entry, json.loads(text) if is_object else text):
        raise EngineError(f"{where} must be of type '{_type_name(entry)}'")


def _type_name(entry: dict[str, Any]) -> str:
    items = entry.get("items")
    return f"array<{_type_name(items)}>" if is_map(items) else str(entry.get("type"))


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip("+-").isdecimal() and value[:2] not in ("++", "--", "+-", "-+")
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)


def _fits(entry: dict[str, Any], value: Any) -> bool:
    """`ValidateConfigValue`: numbers and booleans may be texts, for configuration is text."""
    kind, items = entry.get("type"), entry.get("items")
    if kind == "string":
        return isinstance(value, str | GoTime)
    if kind == "integer":
        return _is_integer(value)
    if kind == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if kind == "object":
        return is_map(value)
    if not is_list(value) or not is_map(items):
        return False
    elements: list[Any] = value
    return all(_fits(items, item) for item in elements)


def save_encryption_salt(path: Path, salt: str) -> None:
    """Add `encryptionsalt` to the stack's file, leaving everything else as it is written."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("encryptionsalt:"))
    write_atomic(path, f"encryptionsalt: {salt}\n{kept}".encode(), mode=0o644)
