"""Inputs that the Kubernetes resources have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mldeploy.provider.framework.resource import Diff, Field
from mldeploy.provider.kubernetes.client import Cluster, cluster, server_of
from mldeploy.provider.kubernetes.versions import Service

PLACE = {
    "kubeconfig": Field(
        kind="string",
        required=True,
        secret=True,
        replaces=False,
        description="The cluster: a kubeconfig's YAML text with one context.",
    ),
    "namespace": Field(kind="string", required=True, description="The service's namespace."),
    "service": Field(kind="string", required=True, description="The service's name in the cluster."),
}
KEY = Field(
    kind="string",
    secret=True,
    replaces=False,
    description="The service's primary key; absent when auth is off.",
)


def place(inputs: Mapping[str, Any]) -> Service:
    """The service that ``inputs`` name."""
    found: Cluster = cluster(str(inputs["kubeconfig"]))
    return Service(found, str(inputs["namespace"]), str(inputs["service"]))


def without_credentials(found: Diff, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Diff:
    """``found`` without what says nothing about the resource: a renewed token, a rotated key.

    Another API server is another cluster: that replaces.
    """
    for name in ("kubeconfig", "key"):
        found.details.pop(name, None)
        found.replaces.discard(name)
    before, after = server_of(str(olds.get("kubeconfig", ""))), server_of(str(news.get("kubeconfig", "")))
    if before and after and before != after:
        found.details["kubeconfig"] = "update"
        found.replaces.add("kubeconfig")
    return found
