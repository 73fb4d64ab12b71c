"""`Pulumi.yaml`: the project's settings, checked before anything is made."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mldeploy.engine.base.errors import EngineError, UnsupportedError
from mldeploy.engine.project.versions import in_range
from mldeploy.engine.project.yaml_values import kind_of, load_mapping
from mldeploy.values.property_value import is_list, is_map

# The CLI whose engine this one mirrors: ranges of versions are about it, and deployments carry it.
ENGINE_VERSION = "v3.259.0"
_STACK_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,100}$")


@dataclass(frozen=True, slots=True)
class PulumiProject:
    """A project folder: its name, where its program lives and the plugins it brings along.

    `main` is the program's folder, in which it runs; `entry` what is run: the folder (its `__main__.py`) or a file.
    """

    name: str
    root: Path
    main: Path
    entry: Path
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

    @property
    def config_folder(self) -> Path:
        """Where the stacks' files are; `config: <folder>` is the older form of `stackConfigDir`."""
        config = self.data.get("config")
        folder = config if isinstance(config, str) else self.data.get("stackConfigDir")
        return self.root / str(folder or ".")

    @property
    def missing_environment(self) -> str:
        """A sentence about a `virtualenv` that is not there: the program runs in this Python then."""
        folder = _virtualenv(self.root, self.data)
        if folder is None or folder.exists():
            return ""
        return f"the virtualenv {folder} of Pulumi.yaml does not exist: the program runs in {sys.prefix}"


def check_stack_name(stack: str) -> None:
    """Raise EngineError for names that Pulumi does not accept either."""
    if not _STACK_NAME.match(stack):
        raise EngineError(
            f"stack name {stack!r}: use 1 to 100 letters, digits, hyphens, underscores and periods"
        )


def load_project(root: Path) -> PulumiProject:
    """Read `Pulumi.yaml` (or `.yml`).

    Raises EngineError for what is wrong in it, UnsupportedError for what needs the CLI.
    """
    path = next((p for p in (root / "Pulumi.yaml", root / "Pulumi.yml") if p.is_file()), None)
    if path is None:
        raise EngineError(f"no Pulumi.yaml in {root}")
    data = load_mapping(path)
    _check_shape(path, data)
    runtime = data.get("runtime")
    runtime_name = str(runtime["name"] if is_map(runtime) else runtime)
    if runtime_name != "python":
        raise UnsupportedError(
            f"{path}: runtime {runtime_name!r}; the embedded engine runs Python programs only"
        )
    _check_packages(path, data)
    _check_environment(path, root, data)
    check_required_version(str(data.get("requiredPulumiVersion") or ""), str(path))
    entry = root.resolve() / str(data.get("main") or ".")
    if data.get("main") and not entry.exists():
        raise EngineError(f"{path}: main: {entry} does not exist")
    return PulumiProject(
        str(data["name"]), root.resolve(), entry.parent if entry.is_file() else entry, entry, data
    )


_SHAPES: tuple[tuple[tuple[str, ...], type, str], ...] = (
    (("plugins",), dict, "a mapping"),
    (("plugins", "providers"), list, "a list"),
    (("plugins", "analyzers"), list, "a list"),
    (("options",), dict, "a mapping"),
    (("backend",), dict, "a mapping"),
    (("packages",), dict, "a mapping"),
    (("runtime", "options"), dict, "a mapping"),
    (("main",), str, "a text"),
    (("requiredPulumiVersion",), str, "a text"),
    (("stackConfigDir",), str, "a text"),
)


def _check_shape(path: Path, data: dict[str, Any]) -> None:
    name = data.get("name")
    if not name:
        raise EngineError(f"{path}: 'name' is missing")
    if not isinstance(name, str):
        raise EngineError(f"{path}: name: expected a text, got {kind_of(name)}")
    runtime = data.get("runtime")
    if not (isinstance(runtime, str) or (is_map(runtime) and isinstance(runtime.get("name"), str))):
        raise EngineError(f"{path}: runtime: expected a language's name, or a mapping with its 'name'")
    for keys, kind, wanted in _SHAPES:
        value: Any = data
        for key in keys:
            value = value.get(key) if is_map(value) else None
        if value is not None and not isinstance(value, kind):
            raise EngineError(f"{path}: {'.'.join(keys)}: expected {wanted}, got {kind_of(value)}")
    plugins: dict[str, Any] = data.get("plugins") or {}
    entries: list[Any] = plugins.get("providers") or []
    for entry in entries:
        if not is_map(entry) or not isinstance(entry.get("name"), str):
            raise EngineError(f"{path}: plugins.providers: each entry needs a 'name' (and a 'path')")
    config = data.get("config")
    if config is not None and not isinstance(config, str) and not is_map(config):
        raise EngineError(
            f"{path}: config: expected a mapping, or the folder of the stacks' files, got {kind_of(config)}"
        )
    if isinstance(config, str) and data.get("stackConfigDir"):
        raise EngineError(f"{path}: config and stackConfigDir both name a folder: use stackConfigDir only")


def _check_packages(path: Path, data: dict[str, Any]) -> None:
    """A package by name and version is an ordinary plugin; others have code made from a schema by the CLI."""
    packages: dict[str, Any] = data.get("packages") or {}
    for name, spec in packages.items():
        source = spec.get("source") if is_map(spec) else spec
        if not isinstance(source, str):
            raise EngineError(f"{path}: packages.{name}: expected a source, or a mapping with a 'source'")
        if is_map(spec) and (is_list(spec.get("parameters")) or spec.get("parameters")):
            raise UnsupportedError(f"{path}: packages.{name}: parameterised packages need the pulumi CLI")
        if "/" in source or source.startswith("."):
            raise UnsupportedError(f"{path}: packages.{name}: components from {source} need the pulumi CLI")


def _virtualenv(root: Path, data: dict[str, Any]) -> Path | None:
    runtime = data.get("runtime")
    options: dict[str, Any] = (runtime.get("options") or {}) if is_map(runtime) else {}
    name = options.get("virtualenv")
    return root.resolve() / str(name) if name else None


def _check_environment(path: Path, root: Path, data: dict[str, Any]) -> None:
    folder = _virtualenv(root, data)
    if folder is None or not folder.exists():
        return
    if folder.resolve() != Path(sys.prefix).resolve():
        raise EngineError(
            f"{path}: runtime.options.virtualenv is {folder}, but the embedded engine runs the program in its own"
            f" Python, {sys.prefix}: run {folder}/bin/mldeploy, or use the pulumi CLI"
        )


def check_required_version(wanted: str, where: str) -> None:
    """Raise EngineError unless this engine does what the CLI in the wanted range of versions does."""
    if not wanted:
        return
    try:
        fits = in_range(ENGINE_VERSION, wanted)
    except ValueError as error:
        raise EngineError(f"{where}: requiredPulumiVersion: {error}") from None
    if not fits:
        raise EngineError(
            f"{where}: Pulumi {wanted} is required; this engine does what version {ENGINE_VERSION[1:]} does"
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
    return project.config_folder / f"Pulumi.{stack}.yaml"
