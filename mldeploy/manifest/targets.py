"""`targets:`, where services run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mldeploy.manifest.aks import AksAttach, AksCreate, Gateway, Quota
from mldeploy.manifest.base import (
    ArmId,
    Count,
    Labels,
    Location,
    LooseText,
    Namespace,
    Pattern,
    Percent,
    Positive,
    Seconds,
    Section,
    Text,
    VmSize,
    Zone,
    fail,
)
from mldeploy.manifest.image import Registry
from mldeploy.manifest.secret_refs import Secret


def _dedicated(value: Any) -> Any:
    if isinstance(value, str) and value.lower().replace("_", "").replace("-", "") in ("lowpriority", "spot"):
        raise fail("Azure ML's low-priority VMs ended in March 2026; allowed: dedicated")
    return value


class _Target(Section):
    description: LooseText | None = None
    """What it is, for people."""


class LocalTarget(_Target):
    """This machine. v1: `LocalWebservice`."""

    type: Literal["local"]
    """`local`."""
    runtime: Literal["process", "docker"] = "process"
    """`process`: no Docker needed; `docker`: the same image as everywhere else."""


class AciTarget(_Target):
    """Azure Container Instances, for development and tests. v1: `AciWebservice`."""

    type: Literal["aci"]
    """`aci`."""
    location: Location | None = None
    """The Azure region. Default: `azure.location`."""
    subnet_id: ArmId | None = None
    """A subnet delegated to container groups; services then have private addresses only."""
    zone: Zone | None = None
    """The availability zone."""
    log_analytics: bool = False
    """Whether what containers print is kept in the stack's Log Analytics workspace, too."""
    tags: Labels = Field(default_factory=dict)
    """Tags of its resources."""


class AksTarget(_Target):
    """An AKS cluster, for production. v1: `AksCompute`."""

    type: Literal["aks"]
    """`aks`."""
    create: AksCreate | None = None
    """A cluster of the stack's own; once created, many services share it."""
    attach: AksAttach | None = None
    """An existing cluster, which the stack never creates, changes or deletes."""
    namespace: Namespace | None = None
    """The namespace of its services. Default: the names of project, stack and target."""
    quota: Quota | None = None
    """A quota for that namespace."""
    gateway: Gateway | None = None
    """The Gateway API gateway that services are reached through. Default: one of the target's own."""
    tags: Labels = Field(default_factory=dict)
    """Tags of its resources."""


class KubernetesTarget(_Target):
    """Any Kubernetes cluster."""

    type: Literal["kubernetes"]
    """`kubernetes`."""
    kubeconfig: Secret | None = None
    """The kubeconfig: its text or its path, by reference. Default: kubectl's own."""
    context: Text | None = None
    """The context in it. Default: its current one."""
    namespace: Namespace | None = None
    """The namespace of its services. Default: the names of project, stack and target."""
    quota: Quota | None = None
    """A quota for that namespace."""
    gateway: Gateway | None = None
    """The Gateway API gateway that services are reached through. Default: one of the target's own."""
    registry: Registry | None = None
    """The registry that images are pushed to and pulled from. Default: that of `azure:`."""


class BatchTarget(_Target):
    """An Azure ML compute for batch inference. v1: `AmlCompute` with `ParallelRunStep`."""

    type: Literal["batch"]
    """`batch`."""
    location: Location | None = None
    """The Azure region. Default: `azure.location`."""
    existing: ArmId | None = None
    """The resource id of a compute to use. Default: the stack creates one."""
    vm_size: VmSize = "Standard_DS3_v2"
    """The nodes' VM size."""
    vm_priority: Annotated[Literal["dedicated"], BeforeValidator(_dedicated)] = "dedicated"
    """`dedicated`; Azure ML has no low-priority VMs any more."""
    min_nodes: Count = 0
    """Nodes that always run; 0 costs nothing while idle."""
    max_nodes: Positive = 4
    """The most nodes."""
    idle_seconds_before_scaledown: Annotated[int, Field(ge=60)] = 1800
    """How long an idle node is kept."""
    subnet_id: ArmId | None = None
    """The nodes' subnet."""
    tags: Labels = Field(default_factory=dict)
    """Tags of its resources."""


class HubCreate(Section):
    """An IoT hub of the stack's own."""

    sku: Literal["F1", "S1", "S2", "S3"] = "S1"
    """The tier; `B1` to `B3` have no IoT Edge."""
    units: Annotated[int, Field(ge=1, le=200)] = 1
    """How many units."""
    location: Location | None = None
    """The Azure region. Default: `azure.location`."""


class EdgeWait(Section):
    """How long `up` waits for devices."""

    reported: Percent = 100.0
    """The share of the targeted devices that must report success, `90%`."""
    timeout: Seconds = 600
    """How long at most, in seconds or as `10m`."""
    rollback: bool = False
    """Whether the previous deployment is put back when the time is over."""


class EdgeRoute(Section):
    """Where the IoT Edge hub sends messages."""

    route: Text
    """`FROM /messages/modules/x/outputs/* INTO $upstream`."""
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    """0 is the highest, 9 the lowest."""
    time_to_live_secs: Count | None = None
    """How long messages wait for their receiver, in seconds."""


class EdgeTarget(_Target):
    """IoT Edge devices, through an automatic deployment of an IoT hub: its modules are the services."""

    type: Literal["edge"]
    """`edge`."""
    hub: Annotated[
        Text, Pattern(r"[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9]", "3-50 letters, digits and inner hyphens")
    ]
    """The hub's name."""
    create: HubCreate | None = None
    """Creates the hub. Default: it exists."""
    connection_string: Secret | None = None
    """A shared access policy's connection string, by reference. Default: log in with Entra."""
    target_condition: Text = Field(examples=["tags.site='plant-7'"])
    """Which devices: `*`, or conditions on device tags, reported properties and ids."""
    priority: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """The deployment with the highest priority wins on a device that several target."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the deployment."""
    metrics: dict[str, Text] = Field(default_factory=dict)
    """The hub's own metrics for the deployment: queries by name."""
    layered: bool = False
    """Whether it only adds modules to the complete deployment that devices have."""
    runtime_version: (
        Annotated[Text, Pattern(r"1\.[0-9]+(\.[0-9]+)?", 'a version such as "1.5", in quotes')] | None
    ) = None
    """The version of edgeAgent and edgeHub, `"1.5"`. Default: the newest long-term-supported one."""
    routes: dict[str, EdgeRoute] = Field(default_factory=dict)
    """Routes of the IoT Edge hub by name."""
    store_and_forward_secs: Annotated[int, Field(ge=-1, le=2147483647)] | None = None
    """How long messages wait for a connection; -1: for ever. Default: 7200."""
    registry: Registry | None = None
    """The registry that images are pushed to and devices pull from. Default: that of `azure:`."""
    wait: EdgeWait | None = None
    """Waits until devices have reported success. Default: no waiting."""


Target = LocalTarget | AciTarget | AksTarget | KubernetesTarget | BatchTarget | EdgeTarget
TARGET_TYPES: dict[str, type[Any]] = {
    "local": LocalTarget,
    "aci": AciTarget,
    "aks": AksTarget,
    "kubernetes": KubernetesTarget,
    "batch": BatchTarget,
    "edge": EdgeTarget,
}
