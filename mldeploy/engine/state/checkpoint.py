"""The stack's checkpoint file: reading it, and replacing it so that a crash at any moment loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mldeploy.engine.base import files
from mldeploy.engine.base.errors import StateError, UnsupportedError
from mldeploy.engine.base.state import PendingOperation, ResourceState
from mldeploy.engine.project.project import ENGINE_VERSION
from mldeploy.engine.project.secrets import SecretsManager
from mldeploy.engine.state.serde import SUPPORTED_FEATURES, Deserializer, dumps
from mldeploy.values.property_value import is_list, is_map


@dataclass(slots=True)
class Snapshot:
    """A stack's recorded state. `secrets_state` is the secrets provider as recorded (type and state)."""

    resources: list[ResourceState] = field(default_factory=list[ResourceState])
    operations: list[PendingOperation] = field(default_factory=list[PendingOperation])
    secrets_state: dict[str, Any] | None = None
    exists: bool = False


def now() -> str:
    """The time as the states record it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def manifest() -> bytes:
    """The deployment's manifest, as JSON."""
    magic = hashlib.sha256(ENGINE_VERSION.encode()).hexdigest()
    return dumps({"time": now(), "magic": magic, "version": ENGINE_VERSION})


def render(stack: str, parts: DeploymentParts) -> bytes:
    """A whole checkpoint file from parts that are JSON already."""
    version = b"4" if parts.features else b"3"
    out = [b'{"version":', version]
    if parts.features:
        out += [b',"features":', dumps(sorted(parts.features))]
    out += [b',"checkpoint":{"stack":', dumps(stack)]
    out += [b',"latest":', render_deployment(parts), b"}}"]
    return b"".join(out)


@dataclass(slots=True)
class DeploymentParts:
    """What goes into a deployment; resources and operations are rendered JSON."""

    resources: list[bytes]
    operations: list[bytes]
    secrets_state: dict[str, Any] | None
    features: set[str]


def render_deployment(parts: DeploymentParts) -> bytes:
    """A deployment object."""
    out = [b'{"manifest":', manifest()]
    if parts.secrets_state:
        out += [b',"secrets_providers":', dumps(parts.secrets_state)]
    if parts.resources:
        out += [b',"resources":[', b",".join(parts.resources), b"]"]
    if parts.operations:
        out += [b',"pending_operations":[', b",".join(parts.operations), b"]"]
    out.append(b',"metadata":{}}')
    return b"".join(out)


def write_checkpoint(path: Path, data: bytes, *, sidecar: bool = True) -> None:
    """Replace the checkpoint, keeping the previous one as `.bak`. Raises StateError, then nothing changed.

    `sidecar`: bring the `.attrs` files up to date too; nobody needs their sums between an operation's steps.
    """
    backup = path.with_name(path.name + ".bak")
    moves = [(path, backup), (_attrs(path), _attrs(backup))] if sidecar else [(path, backup)]
    for source, target in moves:
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with suppress(FileNotFoundError):
                temporary.unlink()
            os.link(source, temporary)
            files.rename(temporary, target)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StateError(f"cannot write {target}: {error.strerror or error}") from error
    if sidecar:
        files.put_blob(path, data)
    else:
        files.write_atomic(path, data)


def _attrs(path: Path) -> Path:
    return path.with_name(path.name + ".attrs")


def parse(data: bytes, what: str) -> tuple[dict[str, Any], int]:
    """The deployment in a checkpoint file (empty for a new stack) and its format version.

    Raises StateError for what is no checkpoint, UnsupportedError for a newer one.
    """
    try:
        outer = json.loads(data)
    except ValueError as error:
        raise StateError(f"{what}: the state is not valid JSON ({error}); a copy is in {what}.bak") from None
    if not is_map(outer) or not is_map(outer.get("checkpoint")):
        raise StateError(f"{what}: this is no checkpoint ('checkpoint' is missing); a copy is in {what}.bak")
    wrapper: dict[str, Any] = outer
    check_version(wrapper, what)
    deployment = check_deployment(wrapper["checkpoint"].get("latest"), what)
    return deployment, int(wrapper["version"])


_LISTS = ("resources", "pending_operations")


def check_deployment(deployment: Any, what: str) -> dict[str, Any]:
    """A deployment whose lists are lists of mappings. Raises StateError that names what is not."""
    if deployment is None:
        return {}
    if not is_map(deployment):
        raise StateError(f"{what}: 'deployment' must be a mapping")
    for name in _LISTS:
        items = deployment.get(name)
        if items is not None and not (is_list(items) and all(is_map(item) for item in items)):
            raise StateError(f"{what}: '{name}' must be a list of mappings")
    return deployment


def check_version(wrapper: dict[str, Any], what: str) -> None:
    """Raise UnsupportedError unless the format version and its features are known."""
    version = wrapper.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise StateError(
            f"{what}: 'version' must be the number of the state's format (3, 4), got {version!r}"
        )
    if version not in (3, 4):
        age = "newer" if version > 4 else "older"
        raise UnsupportedError(
            f"{what}: the state has format version {version}, {age} than this engine reads (3, 4);"
            " use the pulumi CLI"
        )
    features: list[str] = wrapper.get("features") or []
    foreign = sorted(set(features) - SUPPORTED_FEATURES)
    if foreign:
        raise UnsupportedError(f"{what}: the state needs {', '.join(foreign)}; use the pulumi CLI")


def load_deployment(deployment: dict[str, Any], manager_for: Any, *, sealed: bool = False) -> Snapshot:
    """A snapshot from a deployment object. `manager_for(salt)` gives the secrets manager."""
    secrets_state: dict[str, Any] | None = deployment.get("secrets_providers")
    manager: SecretsManager | None = None
    if secrets_state and secrets_state.get("type"):
        if secrets_state["type"] != "passphrase":
            raise UnsupportedError(
                f"the state's secrets provider is {secrets_state['type']!r}; the embedded engine knows"
                " 'passphrase' only"
            )
        manager = manager_for(secrets_state["state"]["salt"])
    if deployment.get("snippets") or deployment.get("extensions"):
        raise UnsupportedError("the state uses snippets or extension packages; use the pulumi CLI")
    reader = Deserializer(manager, sealed=sealed)
    resources: list[dict[str, Any]] = deployment.get("resources") or []
    operations: list[dict[str, Any]] = deployment.get("pending_operations") or []
    return Snapshot(
        [reader.resource(item) for item in resources],
        [reader.operation(item) for item in operations],
        secrets_state,
        exists=True,
    )


def verify_integrity(resources: list[ResourceState]) -> None:
    """Raise StateError unless every resource comes after what it refers to and live URNs are unique."""
    seen: dict[str, ResourceState] = {}
    providers: set[str] = set()
    for state in resources:
        where = f"snapshot integrity failure: {state.urn}"
        if state.provider and state.provider not in providers:
            raise StateError(f"{where} refers to provider {state.provider}, which is not before it")
        missing = next((urn for urn in state.all_dependencies() if urn not in seen), None)
        if missing is not None:
            raise StateError(f"{where} refers to {missing}, which is not before it")
        other = seen.get(state.urn)
        if other is not None and not state.delete and not other.delete:
            raise StateError(f"{where} is recorded twice")
        if state.type.startswith("pulumi:providers:"):
            providers.add(f"{state.urn}::{state.id}")
        if other is None or other.delete:
            seen[state.urn] = state
