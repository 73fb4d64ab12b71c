"""PoolDrain: before a node pool goes, its nodes take no pods any more and hand on those they have.

AKS deletes a pool's machines without that: https://learn.microsoft.com/azure/aks/resize-node-pool.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import In, field
from mldeploy.provider.framework.resource import Change, Context, Diff, Resource
from mldeploy.provider.kubernetes.client import Cluster, ClusterError, cluster, path_of
from mldeploy.provider.kubernetes.fields import ClusterFields, without_credentials
from mldeploy.provider.kubernetes.tree import items, obj, text

_LABEL: Final = "kubernetes.azure.com/agentpool"
_SECONDS: Final = 30 * 60.0
_GONE, _BUSY = 404, 429


class PoolDrainFields(ClusterFields, token="mldeploy:kubernetes:PoolDrain"):
    """That a node pool is drained before it goes."""

    pool: In[str] = field("The pool's name.")


class PoolDrain(Resource[PoolDrainFields]):
    """Nothing is made. When it goes, which is after its successor came and before its pool goes, the pool is drained:
    pods move by eviction, which respects their disruption budgets."""

    def diff(self, ctx: Context, change: Change[PoolDrainFields]) -> Diff:
        """A renewed credential is no other cluster."""
        return without_credentials(super().diff(ctx, change), change)

    def create(self, ctx: Context, inputs: PoolDrainFields) -> tuple[str, dict[str, Any]]:
        """Remember the pool."""
        return f"drain-{inputs.pool}", {}

    def delete(self, ctx: Context, ident: str, state: PoolDrainFields) -> None:
        """Cordon and drain the pool's nodes; a cluster that is gone has none."""
        try:
            found = cluster(state.kubeconfig)
            nodes = [
                text(one, "metadata", "name")
                for one in found.list("Node", None, labels=f"{_LABEL}={state.pool}")
            ]
        except ClusterError as error:
            ctx.warn(f"node pool {state.pool} goes without being drained: {str(error).splitlines()[0]}")
            return
        for name in nodes:
            ctx.check_cancelled()
            _cordon(found, name)
        waiting.patiently(
            ctx,
            lambda: _drained(found, nodes),
            what=f"the pods of node pool {state.pool} to move",
            limit=_SECONDS,
            advice="a disruption budget or a full cluster holds them: see `kubectl get pdb -A`; `up` then goes on",
        )


def _cordon(found: Cluster, name: str) -> None:
    patch = json.dumps({"spec": {"unschedulable": True}}).encode()
    headers = {"Content-Type": "application/merge-patch+json"}
    try:
        found.request("PATCH", path_of("Node", None, name), body=patch, headers=headers)
    except ClusterError as error:
        if error.status != _GONE:
            raise


def _drained(found: Cluster, nodes: list[str]) -> None:
    """Ask every pod that can move to do so.

    Raises:
        NotYetError: some are still there.
    """
    left: list[str] = []
    for name in nodes:
        for pod in found.list("Pod", None, fields=f"spec.nodeName={name}"):
            if not _moves(pod):
                continue
            left.append(text(pod, "metadata", "name"))
            if not text(pod, "metadata", "deletionTimestamp"):
                _evict(found, pod)
    if left:
        raise waiting.NotYetError(f"{len(left)} left, {left[0]} for one")


def _moves(pod: Mapping[str, Any]) -> bool:
    """Not those of DaemonSets, of the node itself, or that have ended."""
    owners = {text(one, "kind") for one in items(pod, "metadata", "ownerReferences")}
    mirror = "kubernetes.io/config.mirror" in obj(pod, "metadata", "annotations")
    return (
        not mirror
        and "DaemonSet" not in owners
        and text(pod, "status", "phase") not in ("Succeeded", "Failed")
    )


def _evict(found: Cluster, pod: Mapping[str, Any]) -> None:
    space, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
    body = json.dumps(
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space}}
    ).encode()
    try:
        found.request(
            "POST", path_of("Pod", space, name, "eviction"), again=False, body=body,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
    except ClusterError as error:
        # 429: a disruption budget asks to wait.
        if error.status not in (_GONE, _BUSY):
            raise
