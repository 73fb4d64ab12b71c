"""How traffic moves from one version of a service to the next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.manifest.base import Items, Seconds, Section, Text
from mldeploy.manifest.markers import CLUSTER, On

_STEPS = On(CLUSTER, instead="a local service moves all traffic at once")


class Rollout(Section):
    """How traffic moves to a new version."""

    strategy: Literal["blue_green", "canary"] = "blue_green"
    """`blue_green`: all at once, after the golden requests; `canary`: step by step, each step watched."""
    steps: Annotated[Items[Annotated[int, Field(ge=1, le=100)]], _STEPS] = (5, 25, 100)
    """With `canary`, the new version's share of the traffic at each step, in percent; the last one is 100."""
    bake_seconds: Annotated[Seconds, _STEPS] = 60
    """With `canary`, how long each step is watched, in seconds or as `5m`."""
    max_error_rate: Annotated[float, Field(ge=0, le=1), _STEPS] = 0.01
    """With `canary`, the share of failed requests above which traffic goes back."""
    max_latency_ratio: Annotated[float, Field(ge=1), _STEPS] = 1.5
    """With `canary`, the 95th percentile of the new version over the old one's, above which traffic goes back."""
    promote: Annotated[Text | None, _STEPS] = None
    """A kept version that serves instead of the newest: one that `up` names after a rollout.
    Remove the line to serve the newest again."""
