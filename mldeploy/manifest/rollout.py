"""How traffic moves from one version of a service to the next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.manifest.base import Items, Seconds, Section, Text


class Rollout(Section):
    """How traffic moves to a new version."""

    strategy: Literal["blue_green", "canary"] = "blue_green"
    """`blue_green`: all at once, after the golden requests; `canary`: step by step, each step watched."""
    steps: Items[Annotated[int, Field(ge=1, le=100)]] = (5, 25, 100)
    """canary: the new version's share of the traffic at each step, in percent; the last one is 100."""
    bake_seconds: Seconds = 60
    """canary: how long each step is watched, in seconds or as `5m`."""
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = 0.01
    """canary: the share of failed requests above which traffic goes back."""
    max_latency_ratio: Annotated[float, Field(ge=1)] = 1.5
    """canary: the 95th percentile of the new version over the old one's, above which traffic goes back."""
    promote: Text | None = None
    """AKS, Kubernetes: a kept version that serves instead of the newest: one that `up` names after a rollout.
    Remove the line to serve the newest again."""
