"""The typed Pulumi resources about Azure."""

from __future__ import annotations

from components.sdk.base import ProviderResource
from mldeploy.provider.azure.cluster_shape import ClusterShapeFields
from mldeploy.provider.azure.endpoint_defaults import EndpointDefaultsFields
from mldeploy.provider.azure.group_gate import GroupGateFields
from mldeploy.provider.azure.group_shape import GroupShapeFields
from mldeploy.provider.azure.image_build import ImageBuildFields
from mldeploy.provider.azure.image_presence import ImagePresenceFields
from mldeploy.provider.azure.model_files import ModelFilesFields
from mldeploy.provider.azure.pull_proof import PullProofFields
from mldeploy.provider.azure.role_grant import RoleGrantFields
from mldeploy.provider.azure.seen import SeenFields
from mldeploy.provider.azure.shared_model import SharedModelFields


class ModelFiles(ModelFilesFields, ProviderResource): ...


class ImagePresence(ImagePresenceFields, ProviderResource): ...


class EndpointDefaults(EndpointDefaultsFields, ProviderResource): ...


class GroupShape(GroupShapeFields, ProviderResource): ...


class ClusterShape(ClusterShapeFields, ProviderResource): ...


class GroupGate(GroupGateFields, ProviderResource): ...


class ImageBuild(ImageBuildFields, ProviderResource): ...


class PullProof(PullProofFields, ProviderResource): ...


class RoleGrant(RoleGrantFields, ProviderResource): ...


class Seen(SeenFields, ProviderResource): ...


class SharedModel(SharedModelFields, ProviderResource): ...
