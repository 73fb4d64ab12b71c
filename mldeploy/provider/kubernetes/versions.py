"""A service's versions in a cluster: each a Deployment with its Service, autoscaler and disruption budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mldeploy.provider.framework.resource import Context, ProvisionError
from mldeploy.provider.kubernetes import explain
from mldeploy.provider.kubernetes.client import FIELD_MANAGER, Cluster, ClusterError, until
from mldeploy.provider.kubernetes.tree import at, condition, is_ready, items, number, obj, text

SERVICE_LABEL = "mldeploy.dev/service"
VERSION_LABEL = "mldeploy.dev/version"
SERVED_ANNOTATION = "mldeploy.dev/served-at"
MODELS_ANNOTATION = "mldeploy.dev/models"
# Its own objects go with the Deployment; the autoscaler first, so that it does not scale what is being removed.
VERSIONED_KINDS = ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "Deployment")
_POLL_SECONDS = 1.0
_DEFAULT_PATIENCE = 600.0


@dataclass(frozen=True)
class Service:
    """A service's place: cluster, namespace, name."""

    cluster: Cluster
    namespace: str
    name: str

    @property
    def selector(self) -> str:
        """The label selector of everything of the service."""
        return f"{SERVICE_LABEL}={self.name}"

    def object_name(self, version: str) -> str:
        """The name of a version's objects."""
        return f"{self.name}-{version}"

    def pods(self, version: str) -> list[dict[str, Any]]:
        """A version's pods."""
        return self.cluster.list("Pod", self.namespace, labels=f"{self.selector},{VERSION_LABEL}={version}")


@dataclass(frozen=True)
class Version:
    """One version as the cluster has it."""

    name: str
    replicas: int
    ready: int
    served_at: str
    """When it last began to take all traffic (ISO 8601), or empty."""
    models: str
    """JSON: model versions by name."""
    created: str = ""
    """When it was made (ISO 8601)."""


def versions(service: Service) -> dict[str, Version]:
    """Every version in the cluster, by name. One that is being deleted is none, even if a finalizer holds it."""
    found: dict[str, Version] = {}
    for item in service.cluster.list(
        "Deployment", service.namespace, labels=f"{service.selector},{VERSION_LABEL}"
    ):
        if at(item, "metadata", "deletionTimestamp"):
            continue
        name = text(item, "metadata", "labels", VERSION_LABEL)
        found[name] = Version(
            name,
            number(item, "spec", "replicas", default=1),
            number(item, "status", "readyReplicas"),
            text(item, "metadata", "annotations", SERVED_ANNOTATION),
            text(item, "metadata", "annotations", MODELS_ANNOTATION),
            text(item, "metadata", "creationTimestamp"),
        )
    return found


def ready_pods(service: Service, version: str) -> list[str]:
    """Names of a version's pods that can answer."""
    return [str(pod["metadata"]["name"]) for pod in service.pods(version) if is_ready(pod)]


def restarts(service: Service, version: str) -> int:
    """How often a version's containers were started again."""
    return sum(
        number(status, "restartCount")
        for pod in service.pods(version)
        for status in items(pod, "status", "containerStatuses")
    )


def scale(service: Service, version: str, replicas: int) -> None:
    """Set a version's number of pods, and leave the field without an owner.

    An owner would make the next server-side apply by the stack a conflict: it may name the number too.
    """
    name = service.object_name(version)
    service.cluster.merge("Deployment", service.namespace, name, {"spec": {"replicas": replicas}})
    _disown(service, name)


def shrink(service: Service, version: str, replicas: int) -> None:
    """Scale a version down to ``replicas`` when it has more."""
    deployment = service.cluster.get("Deployment", service.namespace, service.object_name(version))
    if deployment is not None and number(deployment, "spec", "replicas", default=1) > replicas:
        scale(service, version, replicas)


def mark_served(service: Service, version: str) -> None:
    """Note when a version began to take all traffic: what is kept and pruned is decided by that."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = service.object_name(version)
    patch = {"metadata": {"annotations": {SERVED_ANNOTATION: stamp}}}
    service.cluster.merge("Deployment", service.namespace, name, patch)


def _disown(service: Service, name: str) -> None:
    deployment = service.cluster.get("Deployment", service.namespace, name)
    if deployment is None:
        return
    meta = deployment["metadata"]
    entries = items(meta, "managedFields")
    patch: list[dict[str, Any]] = []
    for entry in entries:
        owned = obj(entry, "fieldsV1")
        if entry.get("manager") == FIELD_MANAGER and "f:spec" in owned:
            kept = {key: value for key, value in owned.items() if key != "f:spec"}
            if kept:
                patch.append({**entry, "fieldsV1": kept})
            continue
        patch.append(entry)
    if patch != entries:
        body = {"metadata": {"managedFields": patch, "resourceVersion": meta["resourceVersion"]}}
        try:
            service.cluster.merge("Deployment", service.namespace, name, body)
        except ClusterError as error:
            if error.status != 409:
                raise
            _disown(service, name)


def ensure_ready(ctx: Context, service: Service, version: str, replicas: int, patience: float | None) -> None:
    """Scale a version up to ``replicas`` when it has fewer, and wait until they are ready.

    Raises:
        ProvisionError: they do not get ready; the message says why (see :mod:`explain`).
    """
    name = service.object_name(version)
    deployment = service.cluster.get("Deployment", service.namespace, name)
    if deployment is None:
        there = ", ".join(sorted(versions(service))) or "none"
        raise ProvisionError(
            f"service {service.name}: no version {version} in namespace {service.namespace}; there are: {there}. "
            "If it was deleted by hand: `mldeploy refresh`, then `up` makes it again"
        )
    wanted = max(replicas, 1)
    if number(deployment, "spec", "replicas", default=1) < wanted:
        scale(service, version, wanted)
    seconds = patience or float(at(deployment, "spec", "progressDeadlineSeconds") or _DEFAULT_PATIENCE)
    waited = _Waiting(ctx, service, version, wanted)
    if not until(waited.ready, seconds, _POLL_SECONDS, ctx.check_cancelled):
        raise ProvisionError(waited.failure(f"not ready after {seconds:.0f} seconds"))


class _Waiting:
    """Looks at a Deployment until it is ready, and gives up early on what waiting does not help."""

    def __init__(self, ctx: Context, service: Service, version: str, wanted: int) -> None:
        self._ctx, self._service, self._version, self._wanted = ctx, service, version, wanted
        self._hopeless_since: datetime | None = None

    def ready(self) -> bool:
        name = self._service.object_name(self._version)
        deployment = self._service.cluster.get("Deployment", self._service.namespace, name)
        if deployment is None:
            raise ProvisionError(
                f"service {self._service.name}: Deployment {name} was deleted while it was starting"
            )
        wanted = max(self._wanted, number(deployment, "spec", "replicas", default=1))
        seen = number(deployment, "status", "observedGeneration") >= number(
            deployment, "metadata", "generation"
        )
        updated = number(deployment, "status", "updatedReplicas")
        available = number(deployment, "status", "availableReplicas")
        if seen and updated >= wanted and available >= wanted:
            return True
        self._ctx.status(f"version {self._version}: {available} of {wanted} replicas ready")
        self._give_up(deployment)
        return False

    def _give_up(self, deployment: Mapping[str, Any]) -> None:
        if condition(deployment, "Progressing").get("reason") == "ProgressDeadlineExceeded":
            raise ProvisionError(self.failure("the rollout made no progress in time"))
        facts = explain.gather(self._service.cluster, self._service.namespace, self._selector, logs=False)
        cause = next(iter(explain.causes(facts)), None)
        now = datetime.now(UTC)
        if cause is None or not cause.final:
            self._hopeless_since = None
            return
        self._hopeless_since = self._hopeless_since or now
        if (now - self._hopeless_since).total_seconds() >= cause.patience:
            raise ProvisionError(self.failure("it will not get ready by waiting"))

    @property
    def _selector(self) -> str:
        return f"{self._service.selector},{VERSION_LABEL}={self._version}"

    def failure(self, what: str) -> str:
        """The message of a failed start."""
        facts = explain.gather(self._service.cluster, self._service.namespace, self._selector, logs=True)
        title = f"service {self._service.name}: version {self._version} in namespace {self._service.namespace}: {what}"
        return f"{title}\n{explain.report(facts)}"


def prune(service: Service, keep: set[str], keep_previous: int) -> list[str]:
    """Remove versions but ``keep`` and the ``keep_previous`` that served last; scale the kept ones to zero.

    Returns:
        The versions kept besides ``keep``, latest first.
    """
    others = [item for item in versions(service).values() if item.name not in keep]
    served = sorted(
        (item for item in others if item.served_at), key=lambda item: item.served_at, reverse=True
    )
    kept = served[:keep_previous]
    for item in kept:
        if item.replicas:
            scale(service, item.name, 0)
    for item in others:
        if item not in kept:
            remove(service, item.name)
    return [item.name for item in kept]


def remove(service: Service, version: str) -> None:
    """Delete a version's objects."""
    for kind in VERSIONED_KINDS:
        service.cluster.delete(kind, service.namespace, service.object_name(version))
