"""Resources on Azure that azure-native does not manage: uploaded files, defaults of endpoints, images' presence.

The Azure packages are imported only inside operations, so that a stack without Azure needs none of them.
"""

from __future__ import annotations

from typing import Any

from mldeploy.provider.azure.build_source import BuildSource
from mldeploy.provider.azure.caller import GetCaller
from mldeploy.provider.azure.cluster_shape import ClusterShape
from mldeploy.provider.azure.endpoint_defaults import EndpointDefaults
from mldeploy.provider.azure.group_gate import GroupGate
from mldeploy.provider.azure.group_shape import GroupShape
from mldeploy.provider.azure.image_build import ImageBuild
from mldeploy.provider.azure.image_presence import ImagePresence
from mldeploy.provider.azure.model_files import ModelFiles
from mldeploy.provider.azure.pull_proof import PullProof
from mldeploy.provider.azure.role_grant import RoleGrant
from mldeploy.provider.azure.seen import Seen
from mldeploy.provider.azure.shared_model import SharedModel
from mldeploy.provider.azure.vault import GetVaultSecret
from mldeploy.provider.framework.resource import Function, Resource

AZURE_RESOURCES: tuple[Resource[Any], ...] = (
    ModelFiles(),
    ImagePresence(),
    BuildSource(),
    ImageBuild(),
    RoleGrant(),
    PullProof(),
    Seen(),
    SharedModel(),
    ClusterShape(),
    GroupGate(),
    EndpointDefaults(),
    GroupShape(),
)
AZURE_FUNCTIONS: tuple[Function[Any], ...] = (GetVaultSecret(), GetCaller())
