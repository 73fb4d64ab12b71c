"""Inputs that the Kubernetes resources have in common."""

from __future__ import annotations

from mldeploy.provider.framework.declare import Declaration, In, Opt, field
from mldeploy.provider.framework.resource import Change, Diff
from mldeploy.provider.kubernetes.client import cluster, server_of
from mldeploy.provider.kubernetes.versions import Service


class ClusterFields(Declaration):
    """Which cluster."""

    kubeconfig: In[str] = field(
        "The cluster: a kubeconfig's YAML text with one context.", secret=True, replaces=False
    )


class PlaceFields(ClusterFields):
    """Where a service is."""

    namespace: In[str] = field("The service's namespace.")
    service: In[str] = field("The service's name in the cluster.")

    @property
    def place(self) -> Service:
        """The service there."""
        return Service(cluster(self.kubeconfig), self.namespace, self.service)

    @property
    def ident(self) -> str:
        """What the state calls it."""
        return f"{self.namespace}/{self.service}"


class KeyedPlaceFields(PlaceFields):
    """Where a service is, and its key."""

    key: Opt[str] = field(
        "The service's primary key; absent when auth is off.", default=None, secret=True, replaces=False
    )


def without_credentials(found: Diff, change: Change[ClusterFields]) -> Diff:
    """``found`` without what says nothing about the resource: a renewed token, a rotated key.

    Another API server is another cluster: that replaces.
    """
    found.ignore("kubeconfig", "key")
    before, after = (server_of(str(one.kubeconfig or "")) for one in (change.old, change.new))
    if before and after and before != after:
        found.details["kubeconfig"] = "update"
        found.replaces.add("kubeconfig")
    return found
