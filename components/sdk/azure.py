"""The typed Pulumi resources about Azure."""

from __future__ import annotations

from components.sdk.base import ProviderResource
from mldeploy.provider.azure.build_source import BuildSourceFields
from mldeploy.provider.azure.endpoint_defaults import EndpointDefaultsFields
from mldeploy.provider.azure.group_shape import GroupShapeFields
from mldeploy.provider.azure.image_presence import ImagePresenceFields
from mldeploy.provider.azure.model_files import ModelFilesFields


class ModelFiles(ModelFilesFields, ProviderResource): ...


class ImagePresence(ImagePresenceFields, ProviderResource): ...


class BuildSource(BuildSourceFields, ProviderResource): ...


class EndpointDefaults(EndpointDefaultsFields, ProviderResource): ...


class GroupShape(GroupShapeFields, ProviderResource): ...
