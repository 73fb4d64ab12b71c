"""Stacks as such: opening one for an operation, reading it, exporting, importing, listing, removing."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mldeploy.engine.base.errors import EngineError, PassphraseError, StateError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import ROOT_STACK_TYPE
from mldeploy.engine.project.config import StackConfig, load_stack_config, save_encryption_salt
from mldeploy.engine.project.project import PulumiProject, backend_path, load_project, stack_config_path
from mldeploy.engine.project.secrets import (
    PASSPHRASE_HINT,
    SecretsManager,
    new_salt,
    passphrase_from_environment,
)
from mldeploy.engine.state.backend import FileBackend, StackReference, clean_temporaries
from mldeploy.engine.state.checkpoint import (
    DeploymentParts,
    Snapshot,
    check_deployment,
    check_version,
    load_deployment,
    parse,
    render,
    verify_integrity,
    write_checkpoint,
)
from mldeploy.engine.state.clear_text import clear_files, seal
from mldeploy.engine.state.journal import recover
from mldeploy.engine.state.lock import StackLock, remove_locks
from mldeploy.engine.state.serde import Serializer, dumps
from mldeploy.engine.state.snapshot import SnapshotManager
from mldeploy.values.property_value import PropertyMap, Secret, mask_secrets, reveal


class Secrets:
    """Secrets managers by salt, for one passphrase (the argument, else the environment's)."""

    def __init__(self, passphrase: str | None) -> None:
        self.passphrase = passphrase if passphrase is not None else passphrase_from_environment()
        self._managers: dict[str, SecretsManager] = {}

    def manager(self, salt: str) -> SecretsManager:
        """The manager of a salt."""
        found = self._managers.get(salt)
        if found is None:
            found = self._managers[salt] = SecretsManager(salt, self.passphrase)
        return found


@dataclass(slots=True)
class OpenStack:
    """A stack ready for an operation."""

    backend: FileBackend
    reference: StackReference
    config: StackConfig
    snapshot: Snapshot
    secrets: Secrets
    manager: SecretsManager | None
    recovered: str | None = None
    sealed: tuple[Path, ...] = ()
    """Files in which secrets lay in clear, and are encrypted now."""

    def snapshot_manager(self) -> SnapshotManager:
        """What records the operation's steps."""
        path = self.backend.stack_file(self.reference)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"cannot write {path.parent}: {error.strerror}") from error
        if not os.access(path.parent, os.W_OK):
            raise StateError(f"cannot write {path.parent}: permission denied")
        name = self.reference.name if self.backend.legacy else self.reference.qualified
        return SnapshotManager(
            self.snapshot, self.manager, name, path, self.backend.journal_file(self.reference)
        )

    def config_for_history(self) -> dict[str, Any]:
        """Configuration as history entries keep it: secrets encrypted."""
        entry: dict[str, Any] = {}
        for key, value in self.config.values.items():
            if isinstance(value, Secret):
                manager = self.secrets.manager(self.config.encryption_salt)
                entry[key] = {
                    "string": manager.crypter.encrypt(str(value.value)),
                    "secret": True,
                    "object": False,
                }
            else:
                entry[key] = {"string": value, "secret": False, "object": False}
        return entry

    def config_for_display(self) -> dict[str, str]:
        """Configuration with secrets masked."""
        return {k: "[secret]" if isinstance(v, Secret) else v for k, v in self.config.values.items()}


def open_stack(
    backend: FileBackend,
    reference: StackReference,
    project: PulumiProject,
    passphrase: str | None,
    *,
    write: bool = True,
) -> OpenStack:
    """Read a stack. With `write` (call it while holding the lock) recover what a killed engine left, and encrypt
    what lies there in clear.

    Raises StateError, UnsupportedError, PassphraseError; the state is untouched then. Writing needs a passphrase also
    where there is no secret yet: nobody can know that an operation will not make one.
    """
    secrets = Secrets(passphrase)
    if write and secrets.passphrase is None:
        raise PassphraseError(
            f"stack {reference.name!r} needs a passphrase for its secrets; {PASSPHRASE_HINT}"
        )
    config = load_stack_config(project, reference.name, secrets.manager)
    backend.refuse_compressed(reference)
    file = backend.stack_file(reference)
    recovered = None
    if write:
        clean_temporaries(file.parent, file.stem)
        recovered = recover(backend.journal_file(reference), file)
    snapshot = read_snapshot(backend, reference, secrets)
    verify_integrity(snapshot.resources)
    manager = _manager(config, snapshot, secrets, write=write)
    sealed: list[Path] = []
    if write and manager is not None and (sealed := seal(backend, reference, manager, secrets.manager)):
        snapshot = read_snapshot(backend, reference, secrets)
    return OpenStack(backend, reference, config, snapshot, secrets, manager, recovered, tuple(sealed))


def _manager(
    config: StackConfig, snapshot: Snapshot, secrets: Secrets, *, write: bool
) -> SecretsManager | None:
    """The manager to write with: the stack file's salt, else the state's, else a new one."""
    if config.encryption_salt:
        return secrets.manager(config.encryption_salt)
    recorded = snapshot.secrets_state
    if recorded and recorded.get("type") == "passphrase":
        return secrets.manager(recorded["state"]["salt"])
    if secrets.passphrase is None or not write:
        return None
    config.encryption_salt = new_salt(secrets.passphrase)
    save_encryption_salt(config.path, config.encryption_salt)
    return secrets.manager(config.encryption_salt)


def read_snapshot(
    backend: FileBackend, reference: StackReference, secrets: Secrets, *, sealed: bool = False
) -> Snapshot:
    """The stack's recorded state; an empty one for a stack that does not exist yet."""
    file = backend.stack_file(reference)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return Snapshot()
    except OSError as error:
        raise StateError(f"cannot read {file}: {error.strerror}") from None
    deployment, _ = parse(data, str(file))
    return load_deployment(deployment, secrets.manager, sealed=sealed)


def locate(
    project_dir: Path | str, stack: str, backend_url: str | None
) -> tuple[PulumiProject, FileBackend, StackReference]:
    """The project, its backend, and the stack in it (which need not exist)."""
    project = load_project(Path(project_dir))
    backend = FileBackend(backend_path(project.root, backend_url, project.data))
    return project, backend, StackReference(project.name, stack)


def read_stack(
    project_dir: Path | str,
    stack: str,
    *,
    backend_url: str | None = None,
    passphrase: str | None = None,
    sealed: bool = False,
) -> list[ResourceState]:
    """Every resource of a stack, in order; empty when there is no such stack. Secrets are Secret objects.

    With ``sealed`` they are decrypted when somebody looks at them, who then also learns of a wrong passphrase.
    """
    _, backend, reference = locate(project_dir, stack, backend_url)
    return read_snapshot(backend, reference, Secrets(passphrase), sealed=sealed).resources


def files_in_clear(project_dir: Path | str, stack: str, *, backend_url: str | None = None) -> list[Path]:
    """The files of a stack that hold a secret in clear: its state, backups, history."""
    _, backend, reference = locate(project_dir, stack, backend_url)
    return clear_files(backend, reference)


def seal_stack(
    project_dir: Path | str, stack: str, *, backend_url: str | None = None, passphrase: str | None = None
) -> list[Path]:
    """Encrypt the secrets that a stack's files hold in clear; returns those files."""
    project, backend, reference = locate(project_dir, stack, backend_url)
    if not clear_files(backend, reference):
        return []
    with StackLock(backend.lock_folder(reference)):
        return list(open_stack(backend, reference, project, passphrase).sealed)


def list_stacks(project_dir: Path | str, *, backend_url: str | None = None) -> list[StackReference]:
    """The project's stacks."""
    project, backend, _ = locate(project_dir, "x", backend_url)
    return [s for s in backend.stacks() if s.project in ("", project.name)]


def stack_outputs(backend: FileBackend, reference: StackReference, passphrase: str | None) -> PropertyMap:
    """A stack's outputs. Raises EngineError when there is no such stack."""
    if not backend.stack_file(reference).is_file():
        raise EngineError(f"unknown stack '{reference.qualified}' in {backend.url}")
    snapshot = read_snapshot(backend, reference, Secrets(passphrase))
    for state in snapshot.resources:
        if state.type == ROOT_STACK_TYPE and not state.delete:
            return state.outputs
    return {}


def output(
    project_dir: Path | str,
    stack: str,
    *,
    show_secrets: bool = False,
    backend_url: str | None = None,
    passphrase: str | None = None,
) -> dict[str, Any]:
    """A stack's outputs as plain values, secrets masked unless asked for."""
    _, backend, reference = locate(project_dir, stack, backend_url)
    outputs = stack_outputs(backend, reference, passphrase)
    plain = {k: reveal(v) if show_secrets else mask_secrets(v) for k, v in outputs.items()}
    return {k: Serializer(None).value(v) for k, v in plain.items()}


def export_stack(
    project_dir: Path | str,
    stack: str,
    *,
    show_secrets: bool = False,
    backend_url: str | None = None,
    passphrase: str | None = None,
) -> dict[str, Any]:
    """The deployment in the CLI's export form, `{version, deployment}`."""
    _, backend, reference = locate(project_dir, stack, backend_url)
    file = backend.stack_file(reference)
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise EngineError(f"no stack named {stack!r} in {backend.url}") from None
    deployment, version = parse(raw, str(file))
    if not show_secrets:
        return {"version": version, "deployment": deployment}
    snapshot = load_deployment(deployment, Secrets(passphrase).manager)
    writer = Serializer(None)
    shown = {
        **deployment,
        "resources": [writer.resource(s) for s in snapshot.resources],
        "pending_operations": [writer.operation(o) for o in snapshot.operations],
    }
    return {"version": version, "deployment": {k: v for k, v in shown.items() if v not in ([], None)}}


def import_stack(
    project_dir: Path | str,
    stack: str,
    exported: dict[str, Any],
    *,
    force: bool = False,
    backend_url: str | None = None,
    passphrase: str | None = None,
) -> int:
    """Replace a stack's state by an exported one; plaintext secrets are encrypted. Returns the number.

    Raises StateError for a deployment that is broken or of another stack (`force` takes it all the same).
    """
    project, backend, reference = locate(project_dir, stack, backend_url)
    check_version(exported, "the deployment to import")
    check_deployment(exported.get("deployment"), "the deployment to import")
    secrets = Secrets(passphrase)
    backend.ensure()
    with StackLock(backend.lock_folder(reference)):
        opened = open_stack(backend, reference, project, passphrase)
        snapshot = load_deployment(exported.get("deployment") or {}, secrets.manager)
        if not force:
            _check_import(snapshot, reference)
        save(opened, snapshot)
    return len(snapshot.resources)


def save(opened: OpenStack, snapshot: Snapshot) -> None:
    """Replace an opened stack's state, while its lock is held."""
    manager = opened.manager
    writer = Serializer(manager)
    resources = [dumps(writer.resource(s)) for s in snapshot.resources]
    operations = [dumps(writer.operation(o)) for o in snapshot.operations]
    state = snapshot.secrets_state
    if manager is not None:
        state = {"type": "passphrase", "state": {"salt": manager.salt}}
    parts = DeploymentParts(resources, operations, state, writer.features)
    name = opened.reference.name if opened.backend.legacy else opened.reference.qualified
    write_checkpoint(opened.backend.stack_file(opened.reference), render(name, parts))


def _check_import(snapshot: Snapshot, reference: StackReference) -> None:
    verify_integrity(snapshot.resources)
    for state in snapshot.resources:
        parts = state.urn.split("::")
        if parts[0] != f"urn:pulumi:{reference.name}":
            raise StateError(
                f"resource '{state.urn}' is from a different stack ({parts[0][11:]} != {reference.name}); use"
                " --force to import it all the same"
            )


def init_stack(
    project_dir: Path | str, stack: str, *, backend_url: str | None = None, passphrase: str | None = None
) -> None:
    """Create an empty stack. Raises EngineError when it exists, PassphraseError without a passphrase."""
    project, backend, reference = locate(project_dir, stack, backend_url)
    if backend.stack_file(reference).exists():
        raise EngineError(f"stack '{stack}' already exists")
    secrets = Secrets(passphrase)
    if secrets.passphrase is None:
        raise PassphraseError(f"a stack needs a passphrase; {PASSPHRASE_HINT}")
    backend.ensure()
    with StackLock(backend.lock_folder(reference)):
        opened = open_stack(backend, reference, project, passphrase)
        parts = DeploymentParts([], [], None, set())
        if opened.manager is not None:
            parts.secrets_state = {"type": "passphrase", "state": {"salt": opened.manager.salt}}
        write_checkpoint(backend.stack_file(reference), render(reference.qualified, parts))


def remove_stack(
    project_dir: Path | str,
    stack: str,
    *,
    force: bool = False,
    preserve_config: bool = False,
    remove_backups: bool = False,
    backend_url: str | None = None,
) -> None:
    """Forget a stack. Raises EngineError while it has resources, unless `force`."""
    project, backend, reference = locate(project_dir, stack, backend_url)
    with StackLock(backend.lock_folder(reference)):
        file = backend.stack_file(reference)
        if not file.exists():
            raise EngineError(f"no stack named {stack!r} in {backend.url}")
        deployment, _ = parse(file.read_bytes(), str(file))
        count = len(deployment.get("resources") or [])
        if count and not force:
            raise EngineError(
                f"'{stack}' still has {count} resources; destroy it first, or use --force to forget them"
            )
        backend.remove_stack(reference, remove_backups=remove_backups)
    if not preserve_config:
        with suppress(FileNotFoundError):
            stack_config_path(project, stack).unlink()


def cancel(project_dir: Path | str, stack: str, *, backend_url: str | None = None) -> list[str]:
    """Remove the stack's locks, whoever holds them, merge what a killed engine recorded, and say so."""
    _, backend, reference = locate(project_dir, stack, backend_url)
    done = [f"removed lock {info}" for info in remove_locks(backend.lock_folder(reference))]
    with StackLock(backend.lock_folder(reference)):
        recovered = recover(backend.journal_file(reference), backend.stack_file(reference))
    if recovered:
        done.append(recovered)
    return done
