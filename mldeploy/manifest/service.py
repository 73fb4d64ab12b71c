"""`services:`, an image on a target, under v1's parameter names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

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
from mldeploy.manifest.egress import Egress
from mldeploy.manifest.markers import CLUSTER, KEYED, ONLINE, VERSIONED, On, ServerSetting, marker
from mldeploy.manifest.rollout import Rollout
from mldeploy.manifest.secret_refs import Secret

SCORING_TIMEOUT_MS: Final = 60_000
MAX_REQUEST_WAIT_TIME: Final = 500
Share = Annotated[float, Field(ge=0, le=1)]
_BY_REFERENCE = On(KEYED, instead="on edge give files of the device: edge: {cert_file: …, key_file: …}")


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
    cname: Annotated[
        HostName | None,
        On(
            "aci",
            CLUSTER,
            unused={"local": "a local service is called under 127.0.0.1, whatever its certificate says"},
        ),
    ] = None
    """The host name of the certificate."""
    cert: Annotated[Secret | None, _BY_REFERENCE] = None
    """The certificate chain as PEM, by reference. v1: `ssl_cert_pem_file`."""
    key: Annotated[Secret | None, _BY_REFERENCE] = None
    """The private key as PEM, by reference. v1: `ssl_key_pem_file`."""
    leaf_domain_label: Annotated[
        Annotated[
            Text, Pattern(r"[a-z][a-z0-9-]{1,61}[a-z0-9]", "3-63 lowercase letters, digits and hyphens")
        ]
        | None,
        On("aks", instead="give cert and key by reference"),
    ] = None
    """A DNS label under the region's domain, with a certificate that cert-manager gets for it."""
    issuer: Annotated[Text | None, On(CLUSTER, instead="give cert and key by reference")] = None
    """The cert-manager ClusterIssuer that gets the certificate of `cname`."""


class GoldenStream(Section):
    """What an answer in pieces has to be like."""

    pieces: Text | None = None
    """The file with the expected pieces, one a line. Default: any pieces."""
    first_byte_ms: Positive | None = None
    """Within how many milliseconds the first piece is there, in the best of three tries. Default: no matter."""
    events: bool = False
    """Whether server-sent events are asked for, instead of JSON lines."""


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
    stream: GoldenStream | None = None
    """The answer comes in pieces: what they are, and how soon the first one."""


class Batching(Section):
    """Micro-batching: requests that wait at the same moment go to the script together."""

    enabled: bool | None = None
    """Whether they do. Default: when the script has `run_batch()`, or says `row_wise`."""
    row_wise: bool | None = None
    """Whether rows of requests are joined for `run()`. Default: as the script's `BATCHING` says."""
    max_batch_size: Positive | None = None
    """The most requests at once. Default: as the script's `BATCHING` says, else the server's."""


class Probes(Section):
    """How a replica is watched. v1's names, and its defaults on Kubernetes."""

    initial_delay_seconds: Annotated[Count, On(default={"aci": 10})] = 310
    """How long `init()` may take before the first liveness check counts."""
    period_seconds: Positive = 10
    """How often it is checked."""
    timeout_seconds: Annotated[Positive, On(default={"aci": 5})] = 2
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


def _replicas(service: Mapping[str, Any]) -> int | None:
    """v1's default: the autoscaler, unless it is switched off."""
    autoscale: Autoscale | None = service["autoscale"]
    return 1 if autoscale is not None and not autoscale.enabled else None


def _autoscale(service: Mapping[str, Any]) -> Autoscale | None:
    return Autoscale() if service["num_replicas"] is None else None


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

    port: Annotated[Port | None, On("local", "edge")] = None
    """The port on the machine or device."""
    cpu_cores: Annotated[
        Annotated[float, Field(gt=0)] | None, On(ONLINE, default={CLUSTER: 0.1, "aci": 1.0})
    ] = None
    """CPU cores of one replica; without a default, no limit."""
    # ACI starts no group below one CPU and one GB; v1's 0.1 and 0.5 were rounded up behind the scenes.
    memory_gb: Annotated[
        Annotated[float, Field(gt=0)] | None, On(ONLINE, default={CLUSTER: 0.5, "aci": 1.0})
    ] = None
    """Memory of one replica in GB; without a default, no limit."""
    cpu_cores_limit: Annotated[
        Annotated[float, Field(gt=0)] | None, On(CLUSTER, default={CLUSTER: lambda one: one["cpu_cores"]})
    ] = None
    """The most CPU cores of one replica. Default: `cpu_cores`."""
    memory_gb_limit: Annotated[
        Annotated[float, Field(gt=0)] | None, On(CLUSTER, default={CLUSTER: lambda one: one["memory_gb"]})
    ] = None
    """The most memory of one replica in GB. Default: `memory_gb`."""
    gpu_cores: Annotated[Count | None, On(CLUSTER, "edge")] = None
    """GPUs of one replica."""
    num_replicas: Annotated[
        Positive | None, On("local", CLUSTER, default={"local": 1, CLUSTER: _replicas})
    ] = None
    """How many replicas; or `autoscale`, never both."""
    autoscale: Annotated[Autoscale | None, On(CLUSTER, default={CLUSTER: _autoscale})] = None
    """Replicas by load. The default, unless `num_replicas` is given."""

    auth_enabled: Annotated[bool, On(ONLINE, default={CLUSTER: True})] = False
    """Whether requests need `Authorization: Bearer <key>`."""
    primary_key: Annotated[Secret | None, On(KEYED)] = None
    """Your own primary key, by reference. Default: a generated one."""
    secondary_key: Annotated[Secret | None, On(KEYED)] = None
    """Your own secondary key, by reference. Default: a generated one."""
    key_generation: Annotated[KeyGeneration, On(KEYED)] = KeyGeneration()
    """Raise a number to rotate that key."""
    ssl: Annotated[Ssl | None, On(ONLINE)] = None
    """TLS. Default: off."""

    scoring_timeout_ms: Annotated[Positive, ServerSetting()] = SCORING_TIMEOUT_MS
    """How long one `run()` may take, in milliseconds."""
    replica_max_concurrent_requests: Annotated[Positive, ServerSetting()] = 1
    """How many requests one replica works on at a time."""
    max_request_wait_time: Annotated[Count, ServerSetting()] = MAX_REQUEST_WAIT_TIME
    """How long a request may wait for a replica, in milliseconds; then the answer is 503."""
    stream_timeout_ms: Annotated[Positive | None, ServerSetting()] = None
    """How long each further piece of an answer in pieces may take, in milliseconds. Default: `scoring_timeout_ms`."""
    stream_drain_seconds: Annotated[Annotated[int, Field(ge=0, le=86400)] | None, ServerSetting()] = None
    """How much longer than for other requests a replica that ends waits for open answers in pieces. Default: 600; on
    Kubernetes a pod has that time only when it is written."""
    workers: Annotated[Annotated[int, Field(ge=1, le=256)] | None, ServerSetting()] = None
    """Processes of one replica that run the script. Default: 1."""
    max_queue: Annotated[Positive | None, ServerSetting()] = None
    """How many requests may wait in one worker. Default: 1000."""
    max_requests: Annotated[Count | None, ServerSetting()] = None
    """After how many `run()` calls a worker is replaced. Default: 0, never."""
    body_limit_bytes: Annotated[Positive | None, ServerSetting()] = None
    """The largest request body, in bytes. Default: 100 MiB."""
    batching: Annotated[Batching | None, ServerSetting()] = None
    """Micro-batching. Default: as the script says."""
    docs_enabled: Annotated[bool | None, ServerSetting()] = None
    """Whether `/docs` shows the service's OpenAPI document in a browser. Default: true."""
    collect_model_data: Annotated[CollectModelData | None, BeforeValidator(_flag), On(ONLINE)] = Field(
        default=None, json_schema_extra=_or_flag
    )
    """Keeps inputs and outputs. Default: off. `true` stands for all defaults."""
    enable_app_insights: Annotated[bool, ServerSetting()] = False
    """Whether requests, failures and custom metrics go to Application Insights."""
    golden: Annotated[Items[Golden], On(VERSIONED, "aci")] = ()
    """Requests with known answers that gate every new version; on `aci`, `up` fails when one is answered otherwise."""
    rollout: Annotated[Rollout | None, On(VERSIONED)] = None
    """How traffic moves to a new version. Default: blue_green."""
    keep_previous: Annotated[int, Field(ge=0, le=10), On(CLUSTER)] = 0
    """How many old versions are kept, scaled to zero, to be promoted back by one line."""

    dns_name_label: Annotated[
        Annotated[
            Text, Pattern(r"[a-z][a-z0-9-]{3,61}[a-z0-9]", "5-63 lowercase letters, digits and hyphens")
        ]
        | None,
        On("aci"),
    ] = None
    """The first part of the host name. Default: made from the project's, stack's and service's names."""
    namespace: Annotated[Namespace | None, On(CLUSTER)] = None
    """Its namespace. Default: the target's."""
    probes: Annotated[Probes, On("aci", CLUSTER)] = Probes()
    """How it is watched."""
    host: Annotated[HostName | None, On(CLUSTER)] = None
    """A host name of its own. Default: the gateway's, told apart by the path."""
    node_selector: Annotated[Labels, On(CLUSTER)] = Field(default_factory=dict)
    """Labels of the nodes it may run on."""
    tolerations: Annotated[Items[Toleration], On(CLUSTER)] = ()
    """Taints of nodes that it tolerates."""
    priority_class: Annotated[Text | None, On(CLUSTER)] = None
    """The name of its PriorityClass."""
    egress: Annotated[Items[Egress], On(CLUSTER)] = ()
    """Whom its pods may speak with (databases, queues, collectors), besides DNS and port 443 anywhere."""
    batch: Annotated[Batch | None, On("batch")] = None
    """How files become mini batches and answers. Default: all defaults."""
    edge: Annotated[Edge | None, On("edge")] = None
    """The module's settings. Default: all defaults."""

    def server_settings(self) -> dict[str, Any]:
        """What the scoring server is told under the keys' own names, as JSON; None is left out."""
        keys = {
            key for key, field in type(self).model_fields.items() if isinstance(marker(field), ServerSetting)
        }
        return self.model_dump(mode="json", include=keys, exclude_none=True)
