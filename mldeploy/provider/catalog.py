"""The resources and functions, by type token."""

from __future__ import annotations

from typing import Any

from mldeploy.provider.azure import AZURE_FUNCTIONS, AZURE_RESOURCES
from mldeploy.provider.common.keys import ServiceKeys
from mldeploy.provider.edge.deployment import EdgeDeployment
from mldeploy.provider.framework.resource import Function, Resource
from mldeploy.provider.kubernetes.access import ClusterAccess
from mldeploy.provider.kubernetes.drain import PoolDrain
from mldeploy.provider.kubernetes.gate import KubernetesGate
from mldeploy.provider.kubernetes.rollout import Rollout
from mldeploy.provider.kubernetes.sweep import Versions
from mldeploy.provider.local.environment import Environment
from mldeploy.provider.local.gate import Gate
from mldeploy.provider.local.listener import Listener
from mldeploy.provider.local.local_image import LocalImage
from mldeploy.provider.local.replica import Replica
from mldeploy.provider.local.stored_model import StoredModel

RESOURCES: dict[str, Resource[Any]] = {
    resource.token: resource
    for resource in (
        StoredModel(),
        Environment(),
        LocalImage(),
        ServiceKeys(),
        Replica(),
        Gate(),
        Listener(),
        EdgeDeployment(),
        ClusterAccess(),
        PoolDrain(),
        KubernetesGate(),
        Rollout(),
        Versions(),
        *AZURE_RESOURCES,
    )
}
COMPONENTS = "components.package"
"""Where the components are that the provider makes on request. They are made of the resources: nothing imports them."""
FUNCTIONS: dict[str, Function[Any]] = {function.token: function for function in AZURE_FUNCTIONS}
