"""Services on a cluster that a kubeconfig leads to."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.engine import ResourceState
from mldeploy.operations import cluster


def handles(resources: Sequence[ResourceState]) -> list[cluster.ClusterService]:
    """Every service of a state on such a target."""
    return cluster.handles(resources, "kubernetes")
