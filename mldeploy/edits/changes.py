"""Edits of a stack's manifest that a command makes: back to a kept version, or on to what another stack serves."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any, cast

from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest_entries
from mldeploy.artifacts.sources import locate, model_entries
from mldeploy.edits.yaml_edits import Edit, edit
from mldeploy.engine import ResourceState, read_stack
from mldeploy.home import cache_dir
from mldeploy.manifest import Manifest, load
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.markers import CLUSTER
from mldeploy.manifest.reading import overlay_name
from mldeploy.operations import OperationError
from mldeploy.session import Session

_ROLLOUT = "mldeploy:kubernetes:Rollout"
_MODELS = ("mldeploy:model:StoredModel", "mldeploy:azure:ModelFiles")
_SHOWN = 12


# --- rollback --------------------------------------------------------------------------------------------


def rollback(session: Session, service: str, to: str | None) -> Edit:
    """Let a kept version of a service serve again: `rollout: {promote: <version>}`.

    Args:
        session: the stack.
        service: the service's name.
        to: the version. Default: the newest that is kept.

    Raises:
        OperationError: the service keeps no versions, or not this one.
    """
    manifest = load(session.project, session.stack)
    if service not in manifest.services:
        raise OperationError(
            f"no service {service!r}; the manifest has {', '.join(sorted(manifest.services))}"
        )
    type_ = manifest.targets[manifest.services[service].target].type
    if not kind(type_).has(CLUSTER, None):
        raise OperationError(
            f"{service} is on a target of type {type_}, which keeps no old versions: take the change back in version "
            "control and run `mldeploy up`; it is the same gated update in the other direction"
        )
    rollout = next(
        (one for one in _resources(session) if one.type == _ROLLOUT and _name(one) == f"{service}-rollout"),
        None,
    )
    if rollout is None:
        raise OperationError(f"{service} is not deployed in stack {session.stack!r}")
    serving = str(rollout.outputs.get("serving") or "")
    kept = [str(one) for one in cast("list[Any]", rollout.outputs.get("kept") or []) if str(one) != serving]
    if not kept:
        raise OperationError(
            f"{service} has no kept version; `keep_previous: 1` keeps one from the next update on"
        )
    if to is not None and to not in kept:
        raise OperationError(f"{service}: no kept version {to!r}; kept are {', '.join(kept)}")
    return _edit(session, {("services", service, "rollout", "promote"): to or kept[0]})


# --- promote ---------------------------------------------------------------------------------------------


def promote(source: Session, target: Session) -> Edit:
    """Pin the models that a stack serves in another one's manifest, if this checkout has the same content.

    Args:
        source: the stack whose models were tried, such as dev.
        target: the stack that gets them, such as prod.

    Raises:
        OperationError: nothing is deployed there, a model is not in the other stack, or its content here is another.
    """
    if source.stack == target.stack:
        raise OperationError(f"--from and --to are the same stack, {source.stack!r}")
    served = {name: one for one in _resources(source) for name in [_model(one)] if name is not None}
    if not served:
        raise OperationError(
            f"stack {source.stack!r} has no models; run `mldeploy up --stack {source.stack}`"
        )
    manifest = load(target.project, target.stack)
    used = {name for service in manifest.services.values() for name in manifest.images[service.image].models}
    wanted = sorted(used & set(served))
    if not wanted:
        raise OperationError(
            f"the services of {target.stack!r} use none of the models of {source.stack!r}: {', '.join(sorted(served))}"
        )
    values: dict[tuple[str, ...], str] = {}
    for name in wanted:
        outputs = served[name].outputs
        _same_content(target, manifest, name, str(outputs.get("digest") or ""), source.stack)
        version = str(outputs.get("version") or outputs.get("model_version") or "")
        if not version:
            raise OperationError(
                f"the state of {source.stack!r} has no version of model {name!r}; "
                f"run `mldeploy up --stack {source.stack}`"
            )
        values["models", name, "version"] = version
    return _edit(target, values)


def _same_content(target: Session, manifest: Manifest, name: str, digest: str, stack: str) -> None:
    model = manifest.models[name]
    try:
        listed = model_entries(locate(model.source, target.project))
        here = digest_entries(listed, SqliteHashCache(cache_dir() / "hashes.sqlite"))
    except ContentError as error:
        raise OperationError(f"models.{name}.source: {error}") from None
    if here != digest:
        raise OperationError(
            f"model {name!r}: {stack} has content {digest[:_SHOWN]}, {model.source} here has {here[:_SHOWN]}; "
            f"check out the commit that {stack} was deployed from"
        )


def _model(resource: ResourceState) -> str | None:
    """The manifest's name of the model that a resource holds."""
    if resource.type not in _MODELS or resource.delete:
        return None
    return str(resource.inputs.get("name") or _name(resource).removesuffix("-files"))


# --- both ------------------------------------------------------------------------------------------------


def _resources(session: Session) -> list[ResourceState]:
    found = read_stack(
        session.project, session.stack, backend_url=session.backend_url, passphrase=session.passphrase()
    )
    return [resource for resource in found if not resource.delete]


def _name(resource: ResourceState) -> str:
    return resource.urn.rsplit("::", 1)[-1]


def _edit(session: Session, values: Mapping[tuple[str, ...], str]) -> Edit:
    """The stack's overlay with other values."""
    try:
        return edit(session.project / overlay_name(session.stack), values)
    except ValueError as error:
        raise OperationError(str(error)) from None


def uncommitted(session: Session) -> list[str]:
    """Files of the project that version control has in another form: an update would apply those changes, too."""
    command = ["git", "status", "--porcelain", "--untracked-files=no", "--", "."]
    try:
        done = subprocess.run(command, cwd=session.project, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return [line[3:] for line in done.stdout.splitlines()] if done.returncode == 0 else []
