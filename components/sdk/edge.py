"""The typed Pulumi resource of IoT Edge deployments."""

from __future__ import annotations

from components.sdk.base import ProviderResource
from mldeploy.provider.edge.fields import EdgeDeploymentFields


class EdgeDeployment(EdgeDeploymentFields, ProviderResource): ...
