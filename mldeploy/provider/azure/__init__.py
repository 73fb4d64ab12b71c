"""Resources on Azure that azure-native does not manage: uploaded files, defaults of endpoints, images' presence.

The Azure packages are imported only inside operations, so that a stack without Azure needs none of them.
"""

from __future__ import annotations

from typing import Any

from mldeploy.provider.azure.build_source import BuildSource
from mldeploy.provider.azure.endpoint_defaults import EndpointDefaults
from mldeploy.provider.azure.group_shape import GroupShape
from mldeploy.provider.azure.image_presence import ImagePresence
from mldeploy.provider.azure.model_files import ModelFiles
from mldeploy.provider.azure.vault import GetVaultSecret
from mldeploy.provider.framework.resource import Function, Resource

AZURE_RESOURCES: tuple[Resource[Any], ...] = (
    ModelFiles(),
    ImagePresence(),
    BuildSource(),
    EndpointDefaults(),
    GroupShape(),
)
AZURE_FUNCTIONS: tuple[Function[Any], ...] = (GetVaultSecret(),)
