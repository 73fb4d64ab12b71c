"""Gate on Kubernetes: a new version gets ready and answers its golden requests before the route knows of it."""

from __future__ import annotations

import statistics
import time
from typing import Any

from mldeploy.provider.common.golden_requests import GoldenFields, GoldenGate, GoldenRequest, fault_of
from mldeploy.provider.framework.declare import In, Opt, Or, field
from mldeploy.provider.framework.resource import Change, Context, Diff, ProvisionError
from mldeploy.provider.kubernetes import explain
from mldeploy.provider.kubernetes.bake import LATENCY_FLOOR
from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.fields import KeyedPlaceFields, without_credentials
from mldeploy.provider.kubernetes.reply import Reply
from mldeploy.provider.kubernetes.route import GatewayReference, Route, most
from mldeploy.provider.kubernetes.versions import VERSION_LABEL, Service, ensure_ready
from mldeploy.provider.local.startup import readable

_REQUEST_SECONDS = 120.0
_LATENCY_ROUNDS = 15
_WARM_UP_ROUNDS = 3
# Endpoints follow readiness a moment later; until then the proxy has nowhere to pass a request on to.
_ENDPOINT_TRIES = 20
_ENDPOINT_PAUSE = 0.5


class KubernetesGateFields(KeyedPlaceFields, GoldenFields, token="mldeploy:kubernetes:Gate"):
    """Golden requests that a new version must answer before traffic moves to it."""

    version: In[str] = field("The version, as in its label.", replaces=False)
    replicas: In[int] = field("How many pods must be ready.", minimum=1, replaces=False)
    tls: Or[bool] = field("Whether the pods speak TLS.", default=False, replaces=False)
    max_latency_ratio: Opt[float] = field(
        "How many times as long as the serving version's a golden answer may take.",
        default=None,
        minimum=1,
        replaces=False,
    )
    promote: Opt[str] = field(
        "Another version that the route goes back to: this one gets no traffic and is not scored.",
        default=None,
        replaces=False,
    )


class KubernetesGate(GoldenGate[KubernetesGateFields]):
    """Scores a version through the API server's service proxy: no public path is needed."""

    def diff(self, ctx: Context, change: Change[KubernetesGateFields]) -> Diff:
        """A renewed credential is no reason to score again."""
        return without_credentials(super().diff(ctx, change), change)

    def create(self, ctx: Context, inputs: KubernetesGateFields) -> tuple[str, dict[str, Any]]:
        """Wait until it is ready, then score it."""
        return inputs.ident, self.score(ctx, inputs)

    def score(self, ctx: Context, inputs: KubernetesGateFields) -> dict[str, Any]:
        """Wait until the version is ready, score it, compare its latency with the serving one's."""
        service, started = inputs.place, time.monotonic()
        if inputs.promote not in (None, inputs.version):
            return {"passed": 0, "seconds": 0.0}
        ensure_ready(ctx, service, inputs.version, inputs.replicas, ctx.timeout)
        golden = inputs.golden
        for number, item in enumerate(golden, 1):
            ctx.check_cancelled()
            ctx.status(f"golden request {number} of {len(golden)}")
            _check_answer(ctx, service, item, inputs)
        if golden and inputs.max_latency_ratio:
            _compare_latency(ctx, service, golden[0], inputs, inputs.max_latency_ratio)
        return {"passed": len(golden), "seconds": round(time.monotonic() - started, 3)}


def _check_answer(ctx: Context, service: Service, item: GoldenRequest, inputs: KubernetesGateFields) -> None:
    def ask() -> Reply:
        answer = _score(ctx, service, inputs.version, item, inputs)
        if answer.status != 200:
            raise _failure(service, inputs, f"{item.request}: status {answer.status}: {answer.text}")
        return answer

    if found := fault_of(item, ctx.root, ask):
        raise _failure(service, inputs, found)


def _score(
    ctx: Context, service: Service, version: str, item: GoldenRequest, inputs: KubernetesGateFields
) -> Reply:
    body = item.body(ctx.root)
    for attempt in range(_ENDPOINT_TRIES):
        try:
            return service.cluster.proxy(
                "POST",
                "Service",
                service.namespace,
                f"{'https:' if inputs.tls else ''}{service.object_name(version)}:80",
                "/score",
                body=body,
                content_type=item.media_type,
                accept=item.accept,
                golden=True,
                key=inputs.key,
                timeout=_REQUEST_SECONDS,
            )
        except ClusterError as error:
            if error.status != 503 or attempt == _ENDPOINT_TRIES - 1:
                raise _failure(service, inputs, f"{item.request}: no answer: {error}") from None
        ctx.check_cancelled()
        time.sleep(_ENDPOINT_PAUSE)
    raise AssertionError("unreachable")


def _compare_latency(
    ctx: Context, service: Service, item: GoldenRequest, inputs: KubernetesGateFields, limit: float
) -> None:
    """The same request to the serving version and to the new one, in turns; medians are compared."""
    version = inputs.version
    serving = _serving(service, version)
    if serving is None:
        return
    times: dict[str, list[float]] = {version: [], serving: []}
    for number in range(_WARM_UP_ROUNDS + _LATENCY_ROUNDS):
        ctx.check_cancelled()
        for name, taken in times.items():
            answer = _score(ctx, service, name, item, inputs)
            if name == serving and answer.status != 200:
                ctx.warn(f"latency was not compared: version {serving} answers with status {answer.status}")
                return
            if number >= _WARM_UP_ROUNDS:
                taken.append(answer.seconds)
    mine, its = statistics.median(times[version]), statistics.median(times[serving])
    if mine > limit * its and mine - its > LATENCY_FLOOR:
        raise _failure(
            service,
            inputs,
            f"{item.request} takes {mine * 1000:.1f} ms, {mine / its:.1f} times as long as the serving version "
            f"{serving} ({its * 1000:.1f} ms); allowed: max_latency_ratio {limit:g}",
        )


def _serving(service: Service, version: str) -> str | None:
    """The version that takes most of the traffic now, when it is another one and can answer."""
    routes = (Route(service=service, gateway=GatewayReference(name="any")), Route(service=service))
    nowhere: dict[str, int] = {}
    weights = next((found for route in routes if (found := _weights_or_none(route))), nowhere)
    others = {name: weight for name, weight in weights.items() if name != version}
    if not others:
        return None
    name = most(others)
    return name if service.cluster.get("Service", service.namespace, service.object_name(name)) else None


def _weights_or_none(route: Route) -> dict[str, int]:
    try:
        return route.weights()
    except ClusterError as error:
        if error.status in (403, 404):  # no Gateway API in this cluster, or no right to it
            return {}
        raise


def _failure(service: Service, inputs: KubernetesGateFields, reason: str) -> ProvisionError:
    version = inputs.version
    selector = f"{service.selector},{VERSION_LABEL}={version}"
    facts = explain.gather(service.cluster, service.namespace, selector, logs=False)
    lines = [f"service {service.name}: the gate of version {version} failed: {reason}"]
    tails: list[str] = []
    for pod in facts.pods[:1]:
        try:
            tails = list(service.cluster.logs(service.namespace, str(pod["metadata"]["name"]), lines=20))
        except ClusterError as error:
            tails = [f"(no log: {error})"]
    if tails:
        lines += ["  the end of the replica's log:", *(f"    {line[:500]}" for line in readable(tails))]
    lines.append("  traffic was not moved; the version's pods are still there to look at")
    return ProvisionError("\n".join(lines))
