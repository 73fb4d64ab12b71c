"""Services on a cluster, AKS or any other: their rollout says where they are, the cluster what they do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mldeploy.engine import ResourceState
from mldeploy.operations.model import Answer, Keys, OperationError, ServiceStatus, State
from mldeploy.operations.state import current, keys_of, owner
from mldeploy.values.property_value import reveal

if TYPE_CHECKING:
    from mldeploy.provider.kubernetes.rollout import RolloutFields

_ROLLOUT = "mldeploy:kubernetes:Rollout"
_CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
_FEDERATION = "-federation"
_SUFFIX = "-rollout"
_SERVICE_LABEL = "mldeploy.dev/service"


@dataclass(frozen=True, repr=False)
class ClusterService:
    """A service with a rollout on a cluster."""

    name: str
    inputs: dict[str, Any]
    """The rollout's, in clear: they hold the kubeconfig and the key."""
    service_keys: ResourceState | None
    kind: str

    def _rollout(self, key: str | None = None) -> RolloutFields:
        from mldeploy.provider.kubernetes.rollout import RolloutFields

        return RolloutFields.decode({**self.inputs, "key": key})

    def status(self, target: str) -> ServiceStatus:
        """See :class:`mldeploy.operations.model.ServiceHandle`. Why a service is not healthy is said on stderr."""
        from mldeploy.provider.kubernetes import operations
        from mldeploy.provider.kubernetes.client import ClusterError

        try:
            seen = operations.look(self._rollout())
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
            yield from operations.logs(self._rollout(), lines=lines, follow=follow)
        except ClusterError as error:
            raise OperationError(str(error)) from None

    def keys(self) -> Keys | None:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        return keys_of(self.service_keys)

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """See :class:`mldeploy.operations.model.ServiceHandle`. Through the API server: no public path is needed."""
        from mldeploy.provider.kubernetes import operations
        from mldeploy.provider.kubernetes.client import ClusterError

        keys = self.keys()
        try:
            reply = operations.score(
                self._rollout(keys.primary if keys else None), body, content_type, timeout
            )
        except ClusterError as error:
            raise OperationError(f"{self.name} did not answer: {error}; see `mldeploy status`") from None
        return Answer(reply.status, reply.content_type, reply.body)


def handles(resources: Sequence[ResourceState], kind: str) -> list[ClusterService]:
    """Every service of a state: by its rollout, or, when its first gate has not been passed, by its other objects.

    Args:
        resources: the state.
        kind: `aks` for services with an identity of Azure's, which every one on AKS has, `kubernetes` for the others.
    """
    federated = {_named(one, _FEDERATION) for one in current(resources, _CREDENTIAL)}
    found: dict[str, ClusterService] = {}

    def add(resource: ResourceState, name: str, inputs: dict[str, Any]) -> None:
        if (name in federated) == (kind == "aks"):
            keys = owner(resources, resource).keys
            found.setdefault(resource.parent, ClusterService(name, inputs, keys, kind))

    for rollout in current(resources, _ROLLOUT):
        add(rollout, _named(rollout, _SUFFIX), cast("dict[str, Any]", reveal(rollout.inputs)))
    for resource, inputs in _begun(resources):
        add(resource, resource.parent.rsplit("::", 1)[-1], inputs)
    return list(found.values())


def _named(resource: ResourceState, suffix: str) -> str:
    return resource.urn.rsplit("::", 1)[-1].removesuffix(suffix)


def _begun(resources: Sequence[ResourceState]) -> Iterator[tuple[ResourceState, dict[str, Any]]]:
    """Objects in the cluster, and where they are; a failed first `up` leaves no rollout."""
    providers = {f"{r.urn}::{r.id}": r for r in current(resources, "pulumi:providers:kubernetes")}
    for resource in resources:
        provider = providers.get(resource.provider)
        metadata = cast("dict[str, Any]", reveal(resource.inputs.get("metadata")) or {})
        service = cast("dict[str, Any]", metadata.get("labels") or {}).get(_SERVICE_LABEL)
        if provider is not None and service and not resource.delete:
            kubeconfig = cast("object", reveal(provider.inputs.get("kubeconfig")))
            yield (
                resource,
                {"kubeconfig": kubeconfig, "namespace": metadata.get("namespace"), "service": service},
            )
