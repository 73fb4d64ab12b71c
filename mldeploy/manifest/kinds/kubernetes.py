"""`type: kubernetes`: any cluster that a kubeconfig leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mldeploy.manifest.base import Text
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.image import Registry
from mldeploy.manifest.kinds import cluster
from mldeploy.manifest.kinds.kind import Kind
from mldeploy.manifest.rules.images import login
from mldeploy.manifest.secret_refs import Secret
from mldeploy.manifest.validation import Fault


class KubernetesTarget(cluster.ClusterTarget):
    """Any Kubernetes cluster."""

    kubeconfig: Secret | None = None
    """The kubeconfig: its text or its path, by reference. Default: kubectl's own."""
    context: Text | None = None
    """The context in it. Default: its current one."""
    registry: Registry | None = None
    """The registry that images are pushed to and pulled from. Default: that of `azure:`."""


def _target(draft: Draft, name: str, target: KubernetesTarget) -> Iterator[Fault]:
    yield from cluster.check(draft, name, target)
    if target.registry is not None:
        yield from login(("targets", name, "registry"), target.registry)


KIND: Final = Kind(
    model=KubernetesTarget,
    traits=cluster.TRAITS,
    foundation="with location",
    service_names=cluster.SERVICE_NAMES,
    reserved=cluster.RESERVED,
    check_target=_target,
    needs=(cluster.SDK,),
)
