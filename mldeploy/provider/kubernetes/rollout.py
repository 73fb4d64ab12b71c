"""Rollout: moves a service's traffic to a version, step by step, and back again when the version does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

from mldeploy.provider.framework.resource import CheckError, Context, Diff, Field, ProvisionError, Resource
from mldeploy.provider.kubernetes import bake
from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.fields import KEY, PLACE, place, without_credentials
from mldeploy.provider.kubernetes.route import Route
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
_STRATEGIES = ("blue_green", "canary")
DEFAULT_STEPS = (5, 25, 100)

_GATEWAY = Field(
    kind="object",
    type_name="GatewayReference",
    replaces=False,
    description="The Gateway that the route attaches to; absent: clients inside the cluster only.",
    fields={
        "name": Field(kind="string", required=True, description="Its name."),
        "namespace": Field(kind="string", description="Its namespace; default: the service's."),
        "section": Field(kind="string", description="One of its listeners; default: all."),
    },
)


class Rollout(Resource):
    """Owns the route. Its state names the version that serves; a failed rollout leaves it as it was."""

    token = "mldeploy:kubernetes:Rollout"  # noqa: S105
    description = "The share of a service's traffic that each version gets, moved step by step."
    inputs = {
        **PLACE,
        "key": KEY,
        "version": Field(kind="string", required=True, replaces=False, description="The version to serve."),
        "promote": Field(
            kind="string", replaces=False, description="A kept version that serves instead of `version`."
        ),
        "replicas": Field(
            kind="integer",
            required=True,
            minimum=1,
            replaces=False,
            description="Pods that must be ready first.",
        ),
        "tls": Field(kind="boolean", replaces=False, description="Whether the pods speak TLS."),
        "autoscaled": Field(
            kind="boolean", replaces=False, description="Whether an autoscaler owns the number of pods."
        ),
        "gateway": _GATEWAY,
        "hostnames": Field(
            kind="array",
            items=Field(kind="string", description="A host name."),
            replaces=False,
            description="Host names of the route.",
        ),
        "public_tls": Field(kind="boolean", replaces=False, description="Whether clients come by HTTPS."),
        "service_type": Field(
            kind="string",
            choices=("ClusterIP", "LoadBalancer"),
            replaces=False,
            description="Without a Gateway.",
        ),
        "service_annotations": Field(
            kind="map",
            items=Field(kind="string", description="A value."),
            replaces=False,
            description="Annotations of the stable Service.",
        ),
        "timeout_seconds": Field(
            kind="integer", minimum=1, replaces=False, description="Of a request at the route."
        ),
        "strategy": Field(
            kind="string",
            required=True,
            choices=_STRATEGIES,
            replaces=False,
            description="How traffic moves.",
        ),
        "steps": Field(
            kind="array",
            items=Field(kind="integer", minimum=1, maximum=100, description="Percent."),
            replaces=False,
            description="Canary: the new version's shares, rising; 100 is always the last.",
        ),
        "bake_seconds": Field(
            kind="number", minimum=0, replaces=False, description="How long each step is watched."
        ),
        "max_error_rate": Field(
            kind="number",
            minimum=0,
            maximum=1,
            replaces=False,
            description="Share of 5xx answers that is allowed.",
        ),
        "max_latency_ratio": Field(
            kind="number",
            minimum=1,
            replaces=False,
            description="The 95th percentile of latency over the serving version's.",
        ),
        "keep_previous": Field(
            kind="integer",
            minimum=0,
            replaces=False,
            description="Versions kept, without pods, to be promoted back.",
        ),
    }
    outputs = {
        "serving": Field(kind="string", description="The version that serves."),
        "weights": Field(
            kind="map",
            items=Field(kind="integer", description="Percent."),
            description="The traffic, by version.",
        ),
        "kept": Field(
            kind="array",
            items=Field(kind="string", description="A version."),
            description="Kept versions, latest first.",
        ),
        "scoring_uri": Field(kind="string", description="Where to POST."),
        "swagger_uri": Field(kind="string", description="The OpenAPI document."),
    }

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Steps rise; a canary has a route whose weights can be set."""
        steps = cast("list[int]", news.get("steps") or [])
        if any(later <= earlier for earlier, later in pairwise(steps)):
            raise CheckError(("steps", f"are {steps}; each must be greater than the one before"))
        if news.get("strategy") == "canary" and not news.get("gateway"):
            raise CheckError(
                ("strategy", "is 'canary', which needs a target with a gateway; without one: blue_green")
            )
        return {}

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Changed inputs, and what an interrupted rollout or somebody else left behind in the cluster.

        The cluster is looked at here, not only in a refresh: traffic on a version that failed must not outlive the next
        update. A cluster that cannot be reached is no difference; it is said.
        """
        found = without_credentials(super().diff(ctx, ident, state, olds, news), olds, news)
        if found.details:
            return found
        try:
            drift = _drift(place(news), route_of(news), news, state)
        except ProvisionError as error:
            ctx.warn(f"the live route was not compared: {error}")
            return found
        for name in drift:
            found.details[name] = "update"
            found.drift.add(name)
        return found

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Route to the version."""
        return f"{inputs['namespace']}/{inputs['service']}", _roll(ctx, inputs)

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The live weights, and which kept versions are still there."""
        weights = route_of(inputs).weights()
        if not weights:
            return None
        serving = max(weights, key=lambda name: weights[name])
        there = versions(place(inputs))
        kept = [name for name in cast("list[str]", state.get("kept") or []) if name in there]
        return {**state, "weights": weights, "serving": serving, "kept": kept}, {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Move the traffic."""
        before = route_of(olds)
        outputs = _roll(ctx, news, before)
        if before.gateway is not None and not news.get("gateway"):
            before.service.cluster.delete("HTTPRoute", before.service.namespace, before.service.name)
        return outputs

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """The route, and every version of the service, also those that the stack's state does not name any more."""
        route_of(state).delete()
        service = place(state)
        for name in versions(service):
            remove(service, name)


def route_of(inputs: Mapping[str, Any]) -> Route:
    """The route that a rollout with ``inputs`` owns."""
    gateway = cast("dict[str, str] | None", inputs.get("gateway"))
    return Route(
        service=place(inputs),
        gateway=gateway,
        hostnames=tuple(cast("list[str]", inputs.get("hostnames") or [])),
        service_type=str(inputs.get("service_type") or "ClusterIP"),
        service_annotations=cast("dict[str, str]", inputs.get("service_annotations") or {}),
        timeout_seconds=int(inputs.get("timeout_seconds") or 61),
        tls=bool(inputs.get("public_tls")),
    )


def _target(inputs: Mapping[str, Any]) -> str:
    return str(inputs.get("promote") or inputs["version"])


def _drift(service: Service, route: Route, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    found = ["weights"] if route.weights() != {_target(inputs): 100} else []
    expected = {str(inputs["version"]), _target(inputs), *cast("list[str]", state.get("kept") or [])}
    if set(versions(service)) - expected:
        found.append("kept")
    return found


def _roll(ctx: Context, inputs: Mapping[str, Any], former: Route | None = None) -> dict[str, Any]:
    service, route, target = place(inputs), route_of(inputs), _target(inputs)
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
    if inputs.get("autoscaled"):
        _check_metrics(ctx, service)
    if others and not inputs.get("autoscaled"):
        # It had got as many pods as the version before it.
        shrink(service, target, int(inputs["replicas"]))
    kept = prune(service, {target, str(inputs["version"])}, int(inputs.get("keep_previous") or 0))
    if kept:
        ctx.info(f"kept to go back to, by `rollout: {{promote: <version>}}`: {', '.join(kept)}")
    base, outside = route.base_uri()
    if not outside and route.gateway is not None:
        ctx.info(
            "the gateway has no address yet: scoring_uri is the one inside the cluster until the next refresh"
        )
    uri = base + route.path
    return {
        "serving": target,
        "weights": {target: 100},
        "kept": kept,
        "scoring_uri": f"{uri}/score",
        "swagger_uri": f"{uri}/swagger.json",
    }


def _proven(there: Mapping[str, Version]) -> str | None:
    """The version that took all traffic last; None before there was one."""
    served = [item for item in there.values() if item.served_at]
    return max(served, key=lambda item: item.served_at).name if served else None


def _origin(there: Mapping[str, Version], others: Mapping[str, int]) -> str:
    """The version to go back to: the one that took all traffic last, even if a killed rollout left it little."""
    proven = _proven({name: there[name] for name in others})
    return proven or max(others, key=lambda name: others[name])


def _check_metrics(ctx: Context, service: Service) -> None:
    """Without metrics the autoscaler does nothing, silently: say so."""
    try:
        service.cluster.request("GET", _METRICS_API, again=False)
    except ClusterError as error:
        ctx.warn(
            f"service {service.name}: the cluster answers no resource metrics ({error.status or 'no answer'}), so the "
            "autoscaler cannot scale and the number of pods stays as it is: install metrics-server"
        )


def _floor(inputs: Mapping[str, Any], there: Mapping[str, Version], others: Mapping[str, int]) -> int:
    """How many pods must be ready: as many as serve now, for the traffic comes at once or by degrees, but all of it."""
    busy = max((there[name].replicas for name in others), default=0)
    return max(int(inputs["replicas"]), busy)


def _shift(
    ctx: Context,
    inputs: Mapping[str, Any],
    service: Service,
    route: Route,
    before: Mapping[str, int],
    serving: str,
) -> None:
    """Through the steps; on a breach, a fault or a cancellation all traffic goes back to ``serving``."""
    target = _target(inputs)
    canary = inputs["strategy"] == "canary"
    steps = cast("list[int]", inputs.get("steps") or list(DEFAULT_STEPS)) if canary else [100]
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


def _bake(ctx: Context, inputs: Mapping[str, Any], service: Service, serving: str, step: int) -> None:
    seconds = float(inputs.get("bake_seconds") or 0)
    if seconds <= 0:
        return
    target, tls, key = _target(inputs), bool(inputs.get("tls")), cast("str | None", inputs.get("key"))
    new = WatchedPods(service, target, tls, key, restarts(service, target))
    old = WatchedPods(service, serving, tls, key, 0)
    limits = bake.Limits(
        max_error_rate=float(inputs.get("max_error_rate", 0.01)),
        max_latency_ratio=float(inputs.get("max_latency_ratio", 1.5)),
    )

    def progress(seen: bake.Sample, left: float) -> None:
        ctx.check_cancelled()
        ctx.status(
            f"{step} %: {seen.requests:.0f} answers, {seen.errors:.0f} errors, {max(0, left):.0f} s to go"
        )

    verdict = bake.bake(new, old, limits, seconds, progress=progress)
    if verdict.breach:
        raise ProvisionError(
            f"service {service.name}: version {target} failed at {step} % of the traffic: {verdict.breach}\n"
            f"  its pods are still there to look at"
        )
    if not verdict.new.requests:
        ctx.warn(
            f"version {target} got no request while {step} % of the traffic was baked: nothing was measured"
        )
