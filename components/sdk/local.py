"""The typed Pulumi resources of local services."""

from __future__ import annotations

from components.sdk.base import ProviderResource
from mldeploy.provider.common.keys import ServiceKeysFields
from mldeploy.provider.local.environment import EnvironmentFields
from mldeploy.provider.local.gate import GateFields
from mldeploy.provider.local.listener import ListenerFields
from mldeploy.provider.local.local_image import LocalImageFields
from mldeploy.provider.local.replica_fields import ReplicaFields
from mldeploy.provider.local.stored_model import StoredModelFields


class StoredModel(StoredModelFields, ProviderResource): ...


class Environment(EnvironmentFields, ProviderResource): ...


class LocalImage(LocalImageFields, ProviderResource): ...


class ServiceKeys(ServiceKeysFields, ProviderResource): ...


class Replica(ReplicaFields, ProviderResource): ...


class Gate(GateFields, ProviderResource): ...


class Listener(ListenerFields, ProviderResource): ...
