"""One replica is none."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import DEPLOYMENT, REPLICA, ROLLOUT, UNKNOWN, at, scoring
from mldeploy_policies.rule import Rule, Settings

_AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    least = int(settings["replicas"])
    if args.resource_type == _AUTOSCALER:
        found = at(args.props, "spec.minReplicas", 1)
    elif args.resource_type == ROLLOUT:
        found = at(args.props, "replicas", 1)
    elif args.resource_type == REPLICA:
        found = at(args.props, "num_replicas", 1)
    elif any(scoring(args.resource_type, args.props)):
        # Without a number an autoscaler decides, which is looked at by itself.
        found = at(args.props, "spec.replicas", least)
    else:
        return
    if found is not UNKNOWN and found < least:
        yield f"can have {int(found)} replicas; at least {least} are wanted"


RULE = Rule(
    name="min-replicas",
    description="A service has at least so many replicas at any time.",
    fix="Raise num_replicas, or autoscale: {min_replicas: ...}.",
    types=(DEPLOYMENT, _AUTOSCALER, REPLICA, ROLLOUT),
    check=check,
    defaults={"replicas": 2},
)
