"""Rules of Azure Machine Learning."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.azure.standin.rules.base import Fault, Request, rule

_AML = "Microsoft.MachineLearningServices/workspaces"
_URI = re.compile(r"azureml://(subscriptions/[^/]+/resource[gG]roups/[^/]+/(providers/Microsoft\.MachineLearningServices/)?"
                  r"workspaces/[^/]+/)?(datastores/[^/]+/paths/.+|jobs/[^/]+/outputs/.+)|https://[^/]+\.blob\.core\.windows\.net/.+"
                  r"|wasbs://.+|abfss://.+|runs:/.+")  # fmt: skip


@rule(_AML, "https://learn.microsoft.com/azure/machine-learning/how-to-manage-workspace")
def workspace_needs(request: Request) -> Iterator[Fault]:
    """A workspace has key vault, storage, Application Insights and an identity."""
    for name in ("keyVault", "storageAccount", "applicationInsights"):
        if not request.has(f"properties.{name}"):
            yield f"properties.{name}", "is required for a workspace of kind Default"
    if not request.has("identity"):
        yield "identity", "is required"
    if "UserAssigned" in request.one("identity.type", "") and not request.has(
        "properties.primaryUserAssignedIdentity"
    ):
        yield "properties.primaryUserAssignedIdentity", "is required with a user-assigned identity"


@rule(f"{_AML}/models/versions", "https://learn.microsoft.com/azure/machine-learning/how-to-manage-models")
def model(request: Request) -> Iterator[Fault]:
    """A model has a known type and a URI that Azure ML reads from."""
    kind, uri = request.one("properties.modelType"), request.one("properties.modelUri")
    if kind is not None and kind not in ("custom_model", "mlflow_model", "triton_model"):
        yield "properties.modelType", f"is {kind!r}; allowed: custom_model, mlflow_model, triton_model"
    if not request.has("properties.modelUri"):
        yield "properties.modelUri", "is required"
    if isinstance(uri, str) and not _URI.fullmatch(uri):
        yield "properties.modelUri", f"is {uri!r}, no place that Azure ML reads from"


@rule(f"{_AML}/codes/versions", "https://learn.microsoft.com/rest/api/azureml/code-versions")
def code(request: Request) -> Iterator[Fault]:
    """Code has the address of a blob folder."""
    uri = request.one("properties.codeUri")
    if not request.has("properties.codeUri"):
        yield "properties.codeUri", "is required"
    if isinstance(uri, str) and not re.match(r"https://[^/]+\.blob\.core\.windows\.net/|azureml://", uri):
        yield "properties.codeUri", f"is {uri!r}; allowed: the https address of a blob folder"


@rule(
    f"{_AML}/environments/versions",
    "https://learn.microsoft.com/azure/machine-learning/reference-yaml-environment",
)
def environment(request: Request) -> Iterator[Fault]:
    """An environment has exactly one of image and build."""
    if request.has("properties.image") == request.has("properties.build"):
        yield "properties.image", "has exactly one of image and build"


@rule(
    f"{_AML}/computes",
    "https://learn.microsoft.com/azure/machine-learning/how-to-create-attach-compute-cluster",
)
def compute(request: Request) -> Iterator[Fault]:
    """A cluster has a size, bounds in order and an ISO 8601 idle time."""
    if request.one("properties.computeType") != "AmlCompute":
        return
    scale = "properties.properties.scaleSettings"
    low, high = request.one(f"{scale}.minNodeCount", 0), request.one(f"{scale}.maxNodeCount")
    if request.has("properties.properties") and not request.has(f"{scale}.maxNodeCount"):
        yield f"{scale}.maxNodeCount", "is required"
    if isinstance(high, int) and (low > high or high < 1):
        yield f"{scale}.maxNodeCount", f"{high} with minNodeCount {low}: allowed: at least 1 and minNodeCount"
    if not request.has("properties.properties.vmSize"):
        yield "properties.properties.vmSize", "is required"
    size = request.one("properties.properties.vmSize")
    if isinstance(size, str) and not re.fullmatch(r"STANDARD_[A-Z]+\d+[A-Z0-9-]*(_[A-Z0-9]+)*", size.upper()):
        yield "properties.properties.vmSize", f"is {size!r}, no VM size"
    idle = request.one(f"{scale}.nodeIdleTimeBeforeScaleDown")
    if isinstance(idle, str) and not re.fullmatch(r"P(T?\d+[DHMS])+", idle):
        yield f"{scale}.nodeIdleTimeBeforeScaleDown", f"is {idle!r}; allowed: an ISO 8601 duration"


@rule(f"{_AML}/computes", "https://learn.microsoft.com/azure/machine-learning/how-to-use-low-priority-batch")
def no_low_priority(request: Request) -> Iterator[Fault]:
    """Low-priority nodes ended in March 2026."""
    if request.one("properties.properties.vmPriority", "Dedicated").lower() == "lowpriority":
        yield "properties.properties.vmPriority", "low-priority VMs ended in 2026-03: use Dedicated"


@rule(
    f"{_AML}/batchEndpoints/deployments",
    "https://learn.microsoft.com/azure/machine-learning/reference-yaml-deployment-batch",
)
def deployment(request: Request) -> Iterator[Fault]:
    """A batch deployment's numbers are in range; its model and script are named."""
    limits = {"properties.miniBatchSize": 1, "properties.maxConcurrencyPerInstance": 1, "properties.errorThreshold": -1,
              "properties.retrySettings.maxRetries": 0, "properties.resources.instanceCount": 1}  # fmt: skip
    for path, least in limits.items():
        value = request.one(path)
        if isinstance(value, int | float) and value < least:
            yield path, f"is {value}; allowed: at least {least}"
    timeout = request.one("properties.retrySettings.timeout")
    if isinstance(timeout, str) and not re.fullmatch(r"P(T?\d+[DHMS])+", timeout):
        yield "properties.retrySettings.timeout", f"is {timeout!r}; allowed: an ISO 8601 duration"
    if request.one("properties.model.referenceType") == "Id" and not request.has("properties.model.assetId"):
        yield "properties.model.assetId", "is required"
    if request.has("properties.codeConfiguration") and not request.has(
        "properties.codeConfiguration.scoringScript"
    ):
        yield "properties.codeConfiguration.scoringScript", "is required"


@rule(f"{_AML}/schedules", "https://learn.microsoft.com/azure/machine-learning/reference-yaml-schedule")
def schedule(request: Request) -> Iterator[Fault]:
    """A cron expression has five fields."""
    kind = request.one("properties.trigger.triggerType")
    text = request.one("properties.trigger.expression")
    if kind == "Cron" and isinstance(text, str) and len(text.split()) != 5:
        yield "properties.trigger.expression", f"is {text!r}; allowed: five cron fields"
