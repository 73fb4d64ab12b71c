"""IoT Edge deployments as data: the manifest that IoT Hub takes, without any network or Pulumi.

:mod:`model` is what one deployment says and how it becomes the hub's JSON, :mod:`options` builds the Docker
create options of a module, :mod:`twin` knows what a device twin can hold and :mod:`condition` reads target
conditions.
"""

from mldeploy.edge.condition import ConditionError, check_condition
from mldeploy.edge.model import (
    Credential,
    Deployment,
    Module,
    Route,
    SystemModule,
    content_digest,
    parse_content,
)
from mldeploy.edge.options import Mount, ScoringOptions, create_options

__all__ = [
    "ConditionError",
    "Credential",
    "Deployment",
    "Module",
    "Mount",
    "Route",
    "ScoringOptions",
    "SystemModule",
    "check_condition",
    "content_digest",
    "create_options",
    "parse_content",
]
