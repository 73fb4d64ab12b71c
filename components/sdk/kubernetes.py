"""The typed Pulumi resources of services on Kubernetes."""

from __future__ import annotations

from components.sdk.base import ProviderResource
from mldeploy.provider.kubernetes.access import ClusterAccessFields
from mldeploy.provider.kubernetes.drain import PoolDrainFields
from mldeploy.provider.kubernetes.gate import KubernetesGateFields
from mldeploy.provider.kubernetes.rollout import RolloutFields
from mldeploy.provider.kubernetes.sweep import VersionsFields


class KubernetesGate(KubernetesGateFields, ProviderResource): ...


class Rollout(RolloutFields, ProviderResource): ...


class Versions(VersionsFields, ProviderResource): ...


class ClusterAccess(ClusterAccessFields, ProviderResource): ...


class PoolDrain(PoolDrainFields, ProviderResource): ...
