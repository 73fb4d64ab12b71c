"""What a replica is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mldeploy.provider.framework.declare import Declaration, In, Many, One, Opt, Or, Out, Texts, field, output

_LONGEST_DRAIN = 30.0
STREAM_DRAIN = 600.0
"""The scoring server's own default of `stream_drain_seconds`."""
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ModelReference(Declaration):
    """A model version in the store."""

    name: In[str] = field("The model's name.")
    version: In[str] = field("Its version.")
    digest: In[str] = field("Its content.")


class KeyPair(Declaration):
    """The keys that clients send."""

    primary: In[str] = field("The primary key.", secret=True)
    secondary: In[str] = field("The secondary key.", secret=True)


class Certificate(Declaration):
    """What the server needs for https."""

    cert: In[str] = field("The certificate chain, PEM.", secret=True)
    key: In[str] = field("Its private key, PEM.", secret=True)


class ReplicaFields(Declaration, token="mldeploy:service:Replica"):
    """The processes that score for one version of a local service."""

    service: In[str] = field("The service's name.")
    image: In[str] = field("The image's digest.")
    environment_digest: Opt[str] = field("The virtual environment's digest; for processes.", default=None)
    container_image: Opt[str] = field(
        "The local engine's tag of the image: run as a container.", default=None
    )
    source_directory: In[str] = field("The scripts' folder in the project.")
    entry_script: In[str] = field("The script, relative to source_directory.")
    models: Many[ModelReference] = field("The models that the script finds.", default=())
    auth_enabled: In[bool] = field("Whether clients must send a key.")
    keys: One[KeyPair] = field("The keys that clients send.", default=None, secret=True, replaces=False)
    ssl: One[Certificate] = field("What the server needs for https.", default=None, secret=True)
    num_replicas: Or[int] = field("Worker processes (default 1).", default=1, minimum=1, maximum=256)
    scoring_timeout_ms: Opt[int] = field("Milliseconds for one request.", default=None, minimum=1)
    replica_max_concurrent_requests: Opt[int] = field("Requests at once, a worker.", default=None, minimum=1)
    max_request_wait_time: Opt[int] = field("Milliseconds in the queue.", default=None, minimum=0)
    server: Opt[Mapping[str, Any]] = field(
        "More of the scoring server's configuration, by key (`stream_timeout_ms`, `batching`, …).",
        default=None,
    )
    collect_model_data: Or[Mapping[str, Any]] = field(
        "Whether, where and how much of inputs and outputs is collected (v1's collect_model_data).",
        default=_NOTHING,
    )
    enable_app_insights: Opt[bool] = field("Whether telemetry is sent.", default=None)
    environment_variables: Texts = field("For the script.", default=_NOTHING)
    cpu_cores: Opt[float] = field(
        "Cores that numeric libraries use; of a container, the limit too.", default=None, minimum=0.001
    )
    memory_gb: Opt[float] = field(
        "A container's limit; not enforced for processes.", default=None, minimum=0.001
    )
    pid: Out[int] = output("The main process.")
    log: Out[str] = output("The log file.")

    @property
    def drain_seconds(self) -> float:
        """How long open requests may go on when it is to stop."""
        return min(_LONGEST_DRAIN, (self.scoring_timeout_ms or 60_000) / 1000)

    @property
    def stream_drain_seconds(self) -> float:
        """How much longer answers in pieces may go on."""
        return float((self.server or {}).get("stream_drain_seconds", STREAM_DRAIN))

    @property
    def threads(self) -> dict[str, str]:
        """Variables with the number of threads of numeric libraries."""
        cores = self.cpu_cores
        return dict.fromkeys(_THREAD_SETTINGS, str(max(1, round(cores)))) if cores else {}
