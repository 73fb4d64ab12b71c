"""`services:`, an image on a target, under v1's parameter names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mldeploy.manifest.base import (
    Count,
    HostName,
    Items,
    Labels,
    LooseText,
    Namespace,
    Pattern,
    Port,
    Positive,
    Section,
    Text,
)
from mldeploy.manifest.batch import Batch
from mldeploy.manifest.edge import Edge
from mldeploy.manifest.rollout import Rollout
from mldeploy.manifest.secret_refs import Secret

Share = Annotated[float, Field(ge=0, le=1)]


class Autoscale(Section):
    """How the number of replicas follows the load."""

    enabled: bool = True
    """Whether it does. v1: `autoscale_enabled`."""
    min_replicas: Positive = 1
    """The fewest replicas. v1: `autoscale_min_replicas`."""
    max_replicas: Positive = 10
    """The most replicas. v1: `autoscale_max_replicas`."""
    refresh_seconds: Positive = 1
    """How often the load is looked at. v1: `autoscale_refresh_seconds`."""
    target_utilization: Annotated[int, Field(ge=1, le=100)] = 70
    """The utilization to keep, in percent. v1: `autoscale_target_utilization`."""


class KeyGeneration(Section):
    """Which generation of the keys is in force."""

    primary: Positive = 1
    """Raise it to replace the primary key; clients use the secondary one meanwhile."""
    secondary: Positive = 1
    """Raise it to replace the secondary key."""


class CollectModelData(Section):
    """Inputs and outputs kept for later analysis. v1: `collect_model_data`."""

    enabled: bool = True
    """Whether they are."""
    sampling: Share = 1.0
    """The share of the requests."""
    collections: Items[Literal["model_inputs", "model_outputs"]] = ("model_inputs", "model_outputs")
    """What is kept."""
    format: Literal["jsonl", "parquet"] = "jsonl"
    """How it is written."""
    destination: Text | None = None
    """A folder, or a blob container's URL. Default: on Azure the stack's storage, else its own folder."""


class Ssl(Section):
    """TLS. v1: `enable_ssl`."""

    enabled: bool = True
    """Whether it is on."""
    cname: HostName | None = None
    """The host name of the certificate."""
    cert: Secret | None = None
    """The certificate chain as PEM, by reference. v1: `ssl_cert_pem_file`."""
    key: Secret | None = None
    """The private key as PEM, by reference. v1: `ssl_key_pem_file`."""
    leaf_domain_label: (
        Annotated[
            Text, Pattern(r"[a-z][a-z0-9-]{1,61}[a-z0-9]", "3-63 lowercase letters, digits and hyphens")
        ]
        | None
    ) = None
    """AKS: a DNS label under the region's domain, with a certificate that cert-manager gets for it."""
    issuer: Text | None = None
    """AKS and Kubernetes: the cert-manager ClusterIssuer that gets the certificate of `cname`."""


class Golden(Section):
    """A request whose answer is known: a new version must answer it before traffic moves."""

    request: Text
    """The file with the request's body."""
    response: Text | None = None
    """The file with the expected answer. Default: any answer with status 200."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """How far numbers of the answer may be off, absolute or relative."""
    content_type: Text | None = None
    """The request's content type. Default: by the file's name."""


class Probes(Section):
    """How Kubernetes watches a replica. v1's names and defaults."""

    initial_delay_seconds: Count = 310
    """How long `init()` may take before the first liveness check counts."""
    period_seconds: Positive = 10
    """How often it is checked."""
    timeout_seconds: Positive = 2
    """How long an answer may take."""
    success_threshold: Positive = 1
    """How many good answers make it ready again."""
    failure_threshold: Positive = 3
    """How many failures make it restart."""


class Toleration(Section):
    """A taint of nodes that the service's pods tolerate."""

    key: Text | None = None
    """The taint's key. Default: every one."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """`Exists` takes any value."""
    value: LooseText | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect. Default: every one."""
    toleration_seconds: Count | None = None
    """How long, for `NoExecute`. Default: for ever."""


def _flag(value: Any) -> Any:
    return {"enabled": value} if isinstance(value, bool) else value


def _or_flag(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"type": "boolean"})


class Service(Section):
    """An image on a target: what clients call."""

    image: Text
    """The name of the image it runs."""
    target: Text
    """The name of the target it runs on."""
    description: LooseText | None = None
    """What it is, for people."""
    tags: Labels = Field(default_factory=dict)
    """Tags; they can be changed later."""
    properties: Labels = Field(default_factory=dict)
    """Properties, as in v1."""

    port: Port | None = None
    """local, edge: the port on the machine or device."""
    cpu_cores: Annotated[float, Field(gt=0)] | None = None
    """CPU cores of one replica. Default: 0.1 on AKS, Kubernetes, 1 on ACI, no limit on local and edge."""
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Memory of one replica in GB. Default: 0.5 on AKS, Kubernetes, 1 on ACI, no limit on local and edge."""
    cpu_cores_limit: Annotated[float, Field(gt=0)] | None = None
    """AKS, Kubernetes: the most CPU cores of one replica. Default: `cpu_cores`."""
    memory_gb_limit: Annotated[float, Field(gt=0)] | None = None
    """AKS, Kubernetes: the most memory of one replica in GB. Default: `memory_gb`."""
    gpu_cores: Count | None = None
    """AKS, Kubernetes, edge: GPUs of one replica."""
    num_replicas: Positive | None = None
    """local, AKS, Kubernetes: how many replicas; or `autoscale`, never both."""
    autoscale: Autoscale | None = None
    """AKS, Kubernetes: replicas by load. There it is the default, unless `num_replicas` is given."""

    auth_enabled: bool = False
    """Whether requests need `Authorization: Bearer <key>`. Default: true on AKS, Kubernetes, else false."""
    primary_key: Secret | None = None
    """Your own primary key, by reference. Default: a generated one."""
    secondary_key: Secret | None = None
    """Your own secondary key, by reference. Default: a generated one."""
    key_generation: KeyGeneration = KeyGeneration()
    """Raise a number to rotate that key."""
    ssl: Ssl | None = None
    """TLS. Default: off."""

    scoring_timeout_ms: Positive = 60000
    """How long one `run()` may take, in milliseconds."""
    replica_max_concurrent_requests: Positive = 1
    """How many requests one replica works on at a time."""
    max_request_wait_time: Count = 500
    """How long a request may wait for a replica, in milliseconds; then the answer is 503."""
    collect_model_data: Annotated[CollectModelData | None, BeforeValidator(_flag)] = Field(
        default=None, json_schema_extra=_or_flag
    )
    """Keeps inputs and outputs. Default: off. `true` stands for all defaults."""
    enable_app_insights: bool = False
    """Whether requests, failures and custom metrics go to Application Insights."""
    golden: Items[Golden] = ()
    """Requests with known answers that gate every new version."""
    rollout: Rollout | None = None
    """local, AKS, Kubernetes: how traffic moves to a new version. Default: blue_green."""
    keep_previous: Annotated[int, Field(ge=0, le=10)] = 0
    """AKS, Kubernetes: how many old versions are kept running, to be promoted back by one line."""

    dns_name_label: (
        Annotated[
            Text, Pattern(r"[a-z][a-z0-9-]{3,61}[a-z0-9]", "5-63 lowercase letters, digits and hyphens")
        ]
        | None
    ) = None
    """ACI: the first part of the host name. Default: made from the project's, stack's and service's names."""
    namespace: Namespace | None = None
    """AKS, Kubernetes: its namespace. Default: the target's."""
    probes: Probes = Probes()
    """AKS, Kubernetes, ACI: how it is watched."""
    host: HostName | None = None
    """AKS, Kubernetes: a host name of its own. Default: the gateway's, told apart by the path."""
    node_selector: Labels = Field(default_factory=dict)
    """AKS, Kubernetes: labels of the nodes it may run on."""
    tolerations: Items[Toleration] = ()
    """AKS, Kubernetes: taints of nodes that it tolerates."""
    priority_class: Text | None = None
    """AKS, Kubernetes: the name of its PriorityClass."""
    batch: Batch | None = None
    """batch: how files become mini batches and answers. Default: all defaults."""
    edge: Edge | None = None
    """edge: the module's settings. Default: all defaults."""
