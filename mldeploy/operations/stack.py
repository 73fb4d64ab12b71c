"""Which services a stack has, by its state and its manifest."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from mldeploy import targets
from mldeploy.engine import ResourceState, read_stack
from mldeploy.engine.base.urn import ROOT_STACK_TYPE
from mldeploy.manifest.errors import ManifestErrors
from mldeploy.manifest.reading import service_targets
from mldeploy.operations.model import OperationError, ServiceHandle, ServiceStatus, State
from mldeploy.session import Session


class Operations(Protocol):
    """What the module of a type's operations holds. It may also hold ``examine(name, target)``, which yields what
    `mldeploy doctor` finds on this machine for one target: :class:`mldeploy.operations.model.Finding`; and
    ``run_batch(session, request)`` where `mldeploy batch run` scores on the target."""

    def handles(self, resources: Sequence[ResourceState]) -> Sequence[ServiceHandle]:
        """Every service of a state on targets of this type."""
        ...


def operations(type_: targets.TargetType) -> Operations:
    """The operations of a type of target."""
    return cast("Operations", import_module(type_.operations))


def service_handles(session: Session) -> dict[str, ServiceHandle]:
    """Every service that the stack's state names, by name."""
    return _handles(_resources(session))


def composed_services(session: Session) -> set[str]:
    """The services in the stack's state, where a manifest made them.

    A program of its own, which uses the components without a manifest, exports nothing of what
    :func:`components.compose.compose` returns: its services are not the manifest's to miss.
    """
    resources = _resources(session)
    stack = next((one for one in resources if one.type == ROOT_STACK_TYPE and not one.delete), None)
    from_manifest = stack is not None and {"models", "services"} <= stack.outputs.keys()
    return set(_handles(resources)) if from_manifest else set()


def _resources(session: Session) -> list[ResourceState]:
    return read_stack(
        session.project,
        session.stack,
        backend_url=session.backend_url,
        passphrase=session.passphrase(),
        sealed=True,
    )


def _handles(resources: Sequence[ResourceState]) -> dict[str, ServiceHandle]:
    found = [handle for one in targets.all_types() for handle in operations(one).handles(resources)]
    return {handle.name: handle for handle in found}


def find_service(session: Session, name: str) -> ServiceHandle:
    """The deployed service called ``name``.

    Raises:
        OperationError: the stack has no such service; the message names the near ones.
    """
    handles = service_handles(session)
    if name in handles:
        return handles[name]
    if not handles:
        raise OperationError(f"stack {session.stack!r} has no deployed services; run `mldeploy up` first")
    close = difflib.get_close_matches(name, handles, n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"deployed: {', '.join(sorted(handles))}"
    raise OperationError(f"no service {name!r} in stack {session.stack!r} ({hint})")


def stack_status(session: Session) -> list[ServiceStatus]:
    """One row a service, sorted by name: those the state names, and those the manifest lists and the state does not."""
    handles = service_handles(session)
    named = _targets(session)
    rows = [handle.status(named.get(handle.name, handle.kind)) for handle in handles.values()]
    rows += [
        ServiceStatus(name, target, State.MISSING, {}, None, None)
        for name, target in named.items()
        if name not in handles
    ]
    return sorted(rows, key=lambda row: row.service)


def _targets(session: Session) -> dict[str, str]:
    """Each manifest service's target. A manifest that cannot be read is said, and does not hide what runs."""
    try:
        return service_targets(session.project, session.stack)
    except ManifestErrors as errors:
        print(f"the manifest has errors, so only what is deployed is shown:\n{errors}", file=sys.stderr)
        return {}
