"""Secrets that lie in clear in a stack's files, and encrypting them there.

Pulumi's format allows a secret as `plaintext`; a state exported with `--show-secrets`, an older version of this engine
and `pulumi stack import` can have left such. Copies are in the backups, in the history and beside the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mldeploy.engine.base.files import put_blob, write_atomic
from mldeploy.engine.project.secrets import SecretsManager
from mldeploy.engine.state.backend import FileBackend, StackReference
from mldeploy.engine.state.serde import dumps
from mldeploy.values.property_value import SECRET_SIG, SIG_KEY, is_list, is_map

_MARK = b'"plaintext"'


def clear_files(backend: FileBackend, reference: StackReference) -> list[Path]:
    """The stack's files that hold a secret in clear."""
    return [path for path in backend.copies(reference) if any(_clear(one) for one in _documents(path))]


def seal(
    backend: FileBackend,
    reference: StackReference,
    manager: SecretsManager,
    manager_for: Callable[[str], SecretsManager],
) -> list[Path]:
    """Encrypt every secret that is in clear, in place. Call while holding the stack's lock.

    Args:
        backend: where the stack is.
        reference: the stack.
        manager: encrypts in files that name no secrets provider.
        manager_for: the manager of a salt, for files that name one.

    Returns:
        The files that were rewritten.

    Raises:
        StateError: a file cannot be written.
        PassphraseError: a file was encrypted with another passphrase.
    """
    found = clear_files(backend, reference)
    for path in found:
        if path.suffix == ".json" or path.name.endswith(".json.bak"):
            put_blob(path, dumps(_sealed_checkpoint(_documents(path)[0], manager, manager_for)))
        else:  # a journal
            lines = [dumps(_sealed(line, manager)) + b"\n" for line in _documents(path)]
            write_atomic(path, b"".join(lines))
    return found


def sealed_message(paths: Sequence[Path]) -> str:
    """What is said of files that :func:`seal` rewrote."""
    return (
        f"secrets lay in clear in {len(paths)} of the stack's files (its state, backups, history) and are encrypted"
        " now; whoever could read those files may know them: rotate the keys of its services"
    )


def _documents(path: Path) -> list[Any]:
    """The file's JSON, one document or one a line; nothing when it cannot hold a secret in clear."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    if _MARK not in data:
        return []
    try:
        return [json.loads(data)]
    except ValueError:
        return [document for line in data.splitlines() for document in _line(line)]


def _line(data: bytes) -> Iterator[Any]:
    try:
        yield json.loads(data)
    except ValueError:  # the last line of a killed engine's journal
        return


def _clear(value: Any) -> bool:
    if is_map(value):
        items: dict[str, Any] = value
        if items.get(SIG_KEY) == SECRET_SIG:
            return "plaintext" in items
        return any(_clear(one) for one in items.values())
    if is_list(value):
        elements: list[Any] = value
        return any(_clear(one) for one in elements)
    return False


def _sealed(value: Any, manager: SecretsManager) -> Any:
    if is_map(value):
        items: dict[str, Any] = value
        if items.get(SIG_KEY) == SECRET_SIG and "plaintext" in items:
            return {SIG_KEY: SECRET_SIG, "ciphertext": manager.crypter.encrypt(str(items["plaintext"]))}
        return {key: _sealed(one, manager) for key, one in items.items()}
    if is_list(value):
        elements: list[Any] = value
        return [_sealed(one, manager) for one in elements]
    return value


def _sealed_checkpoint(
    document: dict[str, Any], manager: SecretsManager, manager_for: Callable[[str], SecretsManager]
) -> dict[str, Any]:
    """A checkpoint without secrets in clear; it names the provider that can read them."""
    checkpoint: dict[str, Any] = document["checkpoint"]
    latest: dict[str, Any] = checkpoint["latest"]
    recorded: dict[str, Any] | None = latest.get("secrets_providers")
    if recorded and recorded.get("type") == "passphrase":
        manager = manager_for(recorded["state"]["salt"])
    provider = {"type": "passphrase", "state": {"salt": manager.salt}}
    # In the order in which Pulumi writes them.
    head = {"manifest": latest.get("manifest"), "secrets_providers": provider}
    sealed = {**head, **{k: _sealed(v, manager) for k, v in latest.items() if k not in head}}
    return {**document, "checkpoint": {**checkpoint, "latest": sealed}}
