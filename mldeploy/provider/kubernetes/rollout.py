"""Rollout: moves a service's traffic to a version, step by step, and back again when the version does not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, Literal

from mldeploy.provider.framework.declare import Between, In, One, Opt, Or, Out, Texts, field, output
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    Diff,
    Live,
    ProvisionError,
    Resource,
    known,
)
from mldeploy.provider.kubernetes import bake
from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.fields import KeyedPlaceFields, without_credentials
from mldeploy.provider.kubernetes.route import GatewayReference, Route, most
from mldeploy.provider.kubernetes.versions import (
    Service,
    Version,
    ensure_ready,
    mark_served,
    prune,
    remove,
    restarts,
    shrink,
    versions,
)
from mldeploy.provider.kubernetes.watched_pods import WatchedPods

_METRICS_API = "/apis/metrics.k8s.io/v1beta1"
DEFAULT_STEPS = (5, 25, 100)

_NOTHING: Mapping[str, str] = MappingProxyType({})


class RolloutFields(KeyedPlaceFields, token="mldeploy:kubernetes:Rollout"):
    """The share of a service's traffic that each version gets, moved step by step."""

    version: In[str] = field("The version to serve.", replaces=False)
    promote: Opt[str] = field(
        "A kept version that serves instead of `version`.", default=None, replaces=False
    )
    replicas: In[int] = field("Pods that must be ready first.", minimum=1, replaces=False)
    tls: Or[bool] = field("Whether the pods speak TLS.", default=False, replaces=False)
    autoscaled: Or[bool] = field(
        "Whether an autoscaler owns the number of pods.", default=False, replaces=False
    )
    gateway: One[GatewayReference] = field(
        "The Gateway that the route attaches to; absent: clients inside the cluster only.",
        default=None,
        replaces=False,
    )
    hostnames: Or[Sequence[str]] = field("Host names of the route.", default=(), replaces=False)
    public_tls: Or[bool] = field("Whether clients come by HTTPS.", default=False, replaces=False)
    service_type: Or[Literal["ClusterIP", "LoadBalancer"]] = field(
        "Without a Gateway.", default="ClusterIP", replaces=False
    )
    service_annotations: Texts = field("Annotations of the stable Service.", default=_NOTHING, replaces=False)
    address_seconds: Or[int] = field(
        "How long to wait for the address of gateway or load balancer (default: not at all).",
        default=0,
        minimum=0,
        replaces=False,
    )
    timeout_seconds: Or[int] = field("Of a request at the route.", default=61, minimum=1, replaces=False)
    strategy: In[Literal["blue_green", "canary"]] = field("How traffic moves.", replaces=False)
    steps: Or[Sequence[Annotated[int, Between(1, 100)]]] = field(
        "Canary: the new version's shares, rising; 100 is always the last.",
        default=DEFAULT_STEPS,
        replaces=False,
    )
    bake_seconds: Or[float] = field("How long each step is watched.", default=0, minimum=0, replaces=False)
    max_error_rate: Or[float] = field(
        "Share of 5xx answers that is allowed.", default=0.01, minimum=0, maximum=1, replaces=False
    )
    max_latency_ratio: Or[float] = field(
        "The 95th percentile of latency over the serving version's.", default=1.5, minimum=1, replaces=False
    )
    keep_previous: Or[int] = field(
        "Versions kept, without pods, to be promoted back.", default=0, minimum=0, replaces=False
    )
    serving: Out[str] = output("The version that serves.")
    weights: Out[Mapping[str, int]] = output("The traffic, by version.")
    kept: Out[Sequence[str]] = output("Kept versions, latest first.", default=())
    scoring_uri: Out[str] = output("Where to POST.")
    swagger_uri: Out[str] = output("The OpenAPI document.")

    @property
    def target(self) -> str:
        """The version that is to serve."""
        return self.promote or self.version

    @property
    def route(self) -> Route:
        """The route that the rollout owns."""
        return Route(
            service=self.place,
            gateway=self.gateway,
            hostnames=tuple(self.hostnames),
            service_type=self.service_type,
            service_annotations=self.service_annotations,
            timeout_seconds=self.timeout_seconds,
            tls=self.public_tls,
        )


class Rollout(Resource[RolloutFields]):
    """Owns the route. Its state names the version that serves; a failed rollout leaves it as it was."""

    def check(self, ctx: Context, old: RolloutFields, new: RolloutFields) -> dict[str, Any]:
        """Steps rise; a canary has a route whose weights can be set."""
        steps = new.steps
        if known(steps) and any(later <= earlier for earlier, later in pairwise(steps)):
            raise CheckError(("steps", f"are {steps}; each must be greater than the one before"))
        if new.strategy == "canary" and not new.gateway:
            raise CheckError(
                ("strategy", "is 'canary', which needs a target with a gateway; without one: blue_green")
            )
        return {}

    def diff(self, ctx: Context, change: Change[RolloutFields]) -> Diff:
        """Changed inputs, and what an interrupted rollout or somebody else left behind in the cluster.

        The cluster is looked at here, not only in a refresh: traffic on a version that failed must not outlive the next
        update. A cluster that cannot be reached is no difference; it is said.
        """
        found = without_credentials(super().diff(ctx, change), change)
        if found.details:
            return found
        try:
            drift = _drift(change.new, change.state)
        except ProvisionError as error:
            ctx.warn(f"the live route was not compared: {error}")
            return found
        for name in drift:
            found.drifted(name)
        return found

    def create(self, ctx: Context, inputs: RolloutFields) -> tuple[str, dict[str, Any]]:
        """Route to the version."""
        return inputs.ident, _roll(ctx, inputs)

    def read(self, ctx: Context, ident: str, state: RolloutFields, inputs: RolloutFields) -> Live | None:
        """The live weights, which kept versions are still there, and the address, which may have come meanwhile."""
        route = inputs.route
        weights = route.weights()
        if not weights:
            return None
        there = versions(inputs.place)
        kept = [name for name in state.kept if name in there]
        base, outside = route.base_uri()
        found = {"weights": weights, "serving": most(weights), "kept": kept}
        return Live({**found, **(_uris(route, base) if outside else {})})

    def update(self, ctx: Context, change: Change[RolloutFields]) -> dict[str, Any]:
        """Move the traffic."""
        before = change.old.route
        outputs = _roll(ctx, change.new, before)
        if before.gateway is not None and not change.new.gateway:
            before.service.cluster.delete("HTTPRoute", before.service.namespace, before.service.name)
        return outputs

    def delete(self, ctx: Context, ident: str, state: RolloutFields) -> None:
        """The route, and every version of the service, also those that the stack's state does not name any more."""
        state.route.delete()
        for name in versions(state.place):
            remove(state.place, name)


def _drift(inputs: RolloutFields, state: RolloutFields) -> list[str]:
    found = ["weights"] if inputs.route.weights() != {inputs.target: 100} else []
    if set(versions(inputs.place)) - {inputs.version, inputs.target, *state.kept}:
        found.append("kept")
    return found


def _roll(ctx: Context, inputs: RolloutFields, former: Route | None = None) -> dict[str, Any]:
    service, route, target = inputs.place, inputs.route, inputs.target
    # A gateway that came or went: what serves is said by the route there was until now.
    before = route.weights() or (former.weights() if former else {})
    there = versions(service)
    # A backend that is gone gets no traffic back.
    before = {name: weight for name, weight in before.items() if name in there}
    others = {name: weight for name, weight in before.items() if name != target}
    floor = _floor(inputs, there, others)
    ensure_ready(ctx, service, target, floor, ctx.timeout)
    # What a rollout that was killed had begun to replace takes everything back at once: no trial, no small share.
    if others and target != _proven(there):
        _shift(ctx, inputs, service, route, before, _origin(there, others))
    route.apply({target: 100})
    if others or not there[target].served_at:
        mark_served(service, target)
    if inputs.autoscaled:
        _check_metrics(ctx, service)
    if others and not inputs.autoscaled:
        # It had got as many pods as the version before it.
        shrink(service, target, inputs.replicas)
    kept = prune(service, {target, inputs.version}, inputs.keep_previous)
    if kept:
        ctx.info(f"kept to go back to, by `rollout: {{promote: <version>}}`: {', '.join(kept)}")
    base = route.wait_for_address(ctx, inputs.address_seconds)
    return {"serving": target, "weights": {target: 100}, "kept": kept, **_uris(route, base)}


def _uris(route: Route, base: str) -> dict[str, str]:
    uri = base + route.path
    return {"scoring_uri": f"{uri}/score", "swagger_uri": f"{uri}/swagger.json"}


def _proven(there: Mapping[str, Version]) -> str | None:
    """The version that took all traffic last; None before there was one."""
    served = [item for item in there.values() if item.served_at]
    return max(served, key=lambda item: item.served_at).name if served else None


def _origin(there: Mapping[str, Version], others: Mapping[str, int]) -> str:
    """The version to go back to: the one that took all traffic last, even if a killed rollout left it little."""
    proven = _proven({name: there[name] for name in others})
    return proven or most(others)


def _check_metrics(ctx: Context, service: Service) -> None:
    """Without metrics the autoscaler does nothing, silently: say so."""
    try:
        service.cluster.request("GET", _METRICS_API, again=False)
    except ClusterError as error:
        ctx.warn(
            f"service {service.name}: the cluster answers no resource metrics ({error.status or 'no answer'}), so the "
            "autoscaler cannot scale and the number of pods stays as it is: install metrics-server"
        )


def _floor(inputs: RolloutFields, there: Mapping[str, Version], others: Mapping[str, int]) -> int:
    """How many pods must be ready: as many as serve now, for the traffic comes at once or by degrees, but all of it."""
    busy = max((there[name].replicas for name in others), default=0)
    return max(inputs.replicas, busy)


def _shift(
    ctx: Context,
    inputs: RolloutFields,
    service: Service,
    route: Route,
    before: Mapping[str, int],
    serving: str,
) -> None:
    """Through the steps; on a breach, a fault or a cancellation all traffic goes back to ``serving``."""
    target = inputs.target
    steps = inputs.steps if inputs.strategy == "canary" else ()
    steps = [step for step in steps if step < 100] + [100]
    returned = _returned(before, serving)
    try:
        for step in steps:
            ctx.check_cancelled()
            ctx.status(f"version {target} gets {step} % of the traffic")
            route.apply({target: step, serving: 100 - step} if step < 100 else {target: 100})
            _bake(ctx, inputs, service, serving, step)
    except BaseException as error:
        try:
            route.apply({serving: 100})
        except ProvisionError as second:
            raise ProvisionError(
                f"{error}\n  and the route could not be put back: {second}\n  the next update puts it right"
            ) from error
        if isinstance(error, ProvisionError):
            raise ProvisionError(f"{error}\n  {returned}") from error
        raise


def _returned(before: Mapping[str, int], serving: str) -> str:
    if before == {serving: 100}:
        return f"the traffic is back where it was: {serving} 100 %"
    return f"all traffic is with version {serving}, where it was before the rollout that was interrupted"


def _bake(ctx: Context, inputs: RolloutFields, service: Service, serving: str, step: int) -> None:
    if inputs.bake_seconds <= 0:
        return
    target = inputs.target
    new = WatchedPods(service, target, inputs.tls, inputs.key, restarts(service, target))
    old = WatchedPods(service, serving, inputs.tls, inputs.key, 0)
    limits = bake.Limits(max_error_rate=inputs.max_error_rate, max_latency_ratio=inputs.max_latency_ratio)

    def progress(seen: bake.Sample, left: float) -> None:
        ctx.check_cancelled()
        ctx.status(
            f"{step} %: {seen.requests:.0f} answers, {seen.errors:.0f} errors, {max(0, left):.0f} s to go"
        )

    verdict = bake.bake(new, old, limits, inputs.bake_seconds, progress=progress)
    if verdict.breach:
        raise ProvisionError(
            f"service {service.name}: version {target} failed at {step} % of the traffic: {verdict.breach}\n"
            f"  its pods are still there to look at"
        )
    if not verdict.new.requests:
        ctx.warn(
            f"version {target} got no request while {step} % of the traffic was baked: nothing was measured"
        )
