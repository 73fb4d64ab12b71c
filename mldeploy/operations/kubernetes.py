"""Services on a cluster, AKS or any other: their rollout says where they are, the cluster what they do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mldeploy.engine import ResourceState
from mldeploy.operations.model import Answer, Keys, OperationError, ServiceStatus, State
from mldeploy.values.property_value import Secret

_ROLLOUT = "mldeploy:kubernetes:Rollout"
_KEYS = "mldeploy:service:ServiceKeys"
_SUFFIX = "-rollout"
_SERVICE_LABEL = "mldeploy.dev/service"


@dataclass(frozen=True, repr=False)
class ClusterService:
    """A service with a rollout on a cluster."""

    name: str
    inputs: dict[str, Any]
    """The rollout's, in clear: they hold the kubeconfig and the key."""
    service_keys: ResourceState | None
    kind: str = "kubernetes"

    def status(self, target: str) -> ServiceStatus:
        """See :class:`mldeploy.operations.model.ServiceHandle`. Why a service is not healthy is said on stderr."""
        from mldeploy.provider.kubernetes import operations
        from mldeploy.provider.kubernetes.client import ClusterError

        try:
            seen = operations.look(self.inputs)
        except ClusterError as error:
            print(f"{self.name}: {error}", file=sys.stderr)
            return ServiceStatus(self.name, target, State.UNHEALTHY, {}, None, None)
        if seen.reason:
            print(f"{self.name}: {seen.reason}", file=sys.stderr)
        return ServiceStatus(
            self.name, target, State(seen.state), seen.models, seen.scoring_uri, seen.swagger_uri
        )

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        from mldeploy.provider.kubernetes import operations
        from mldeploy.provider.kubernetes.client import ClusterError

        try:
            yield from operations.logs(self.inputs, lines=lines, follow=follow)
        except ClusterError as error:
            raise OperationError(str(error)) from None

    def keys(self) -> Keys | None:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        if self.service_keys is None:
            return None
        outputs = cast("dict[str, Any]", _clear(self.service_keys.outputs))
        return Keys(str(outputs["primary"]), str(outputs["secondary"]))

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """See :class:`mldeploy.operations.model.ServiceHandle`. Through the API server: no public path is needed."""
        from mldeploy.provider.kubernetes import operations
        from mldeploy.provider.kubernetes.client import ClusterError

        keys = self.keys()
        inputs = {**self.inputs, "key": keys.primary if keys else None}
        try:
            reply = operations.score(inputs, body, content_type, timeout)
        except ClusterError as error:
            raise OperationError(f"{self.name} did not answer: {error}; see `mldeploy status`") from None
        return Answer(reply.status, reply.content_type, reply.body)


def handles(resources: Sequence[ResourceState]) -> list[ClusterService]:
    """Every service of a state: by its rollout, or, when its first gate has not been passed, by its other objects."""
    current = [resource for resource in resources if not resource.delete]
    keys = {r.parent: r for r in current if r.type == _KEYS}
    found: dict[str, ClusterService] = {}
    for rollout in (r for r in current if r.type == _ROLLOUT):
        name = rollout.urn.rsplit("::", 1)[-1].removesuffix(_SUFFIX)
        inputs = cast("dict[str, Any]", _clear(rollout.inputs))
        found[rollout.parent] = ClusterService(name, inputs, keys.get(rollout.parent))
    for parent, inputs in _begun(current).items():
        if parent not in found:
            found[parent] = ClusterService(parent.rsplit("::", 1)[-1], inputs, keys.get(parent))
    return list(found.values())


def _begun(current: Sequence[ResourceState]) -> dict[str, dict[str, Any]]:
    """Where the objects in the cluster are, by the URN of their service; a failed first `up` leaves no rollout."""
    providers = {f"{r.urn}::{r.id}": r for r in current if r.type == "pulumi:providers:kubernetes"}
    found: dict[str, dict[str, Any]] = {}
    for resource in current:
        provider = providers.get(resource.provider)
        metadata = cast("dict[str, Any]", _clear(resource.inputs.get("metadata")) or {})
        service = cast("dict[str, Any]", metadata.get("labels") or {}).get(_SERVICE_LABEL)
        if provider is None or not service:
            continue
        kubeconfig = cast("object", _clear(provider.inputs.get("kubeconfig")))
        where = {"kubeconfig": kubeconfig, "namespace": metadata.get("namespace"), "service": service}
        found[resource.parent] = where
    return found


def _clear(value: Any) -> Any:
    """``value`` without its secrets' wrappers."""
    if isinstance(value, Secret):
        return _clear(value.value)
    if isinstance(value, dict):
        return {key: _clear(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_clear(item) for item in cast("list[Any]", value)]
    return value
