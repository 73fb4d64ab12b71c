"""ClusterAccess: who runs this may create objects in a cluster. On AKS that comes minutes after the role was given."""

from __future__ import annotations

import json
from typing import Any, Final

from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import In, Opt, Out, field, output
from mldeploy.provider.framework.resource import Change, Context, Diff, Resource, known
from mldeploy.provider.kubernetes.client import ClusterError, cluster
from mldeploy.provider.kubernetes.fields import ClusterFields, without_credentials
from mldeploy.provider.kubernetes.tree import at

_REVIEW: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WAITED: Final = frozenset({0, 401, 403, 404, 429, 500, 502, 503, 504})
# The first things that are made, and the last that a rollout needs.
_NEEDED: Final = (
    ("", "namespaces", "create"),
    ("apps", "deployments", "create"),
    ("", "secrets", "create"),
)


class ClusterAccessFields(ClusterFields, token="mldeploy:kubernetes:ClusterAccess"):
    """That objects may be created in a cluster."""

    cluster_id: In[str] = field("The cluster's resource id.")
    principal_id: Opt[str] = field(
        "Who runs this; somebody else is waited for anew.", default=None, replaces=False
    )
    waited: Out[float] = output("How many seconds it took.", default=0.0)


class ClusterAccess(Resource[ClusterAccessFields]):
    """Comes before the first object: it asks the API server itself what we may do. What was shown was shown."""

    def diff(self, ctx: Context, change: Change[ClusterAccessFields]) -> Diff:
        """A renewed credential is no other cluster."""
        found = without_credentials(super().diff(ctx, change), change)
        if not known(change.new.principal_id):
            found.ignore("principal_id")
        return found

    def create(self, ctx: Context, inputs: ClusterAccessFields) -> tuple[str, dict[str, Any]]:
        """Wait for it."""
        return f"{inputs.cluster_id}#access", {"waited": _wait(ctx, inputs)}

    def update(self, ctx: Context, change: Change[ClusterAccessFields]) -> dict[str, Any]:
        """Somebody else runs this now."""
        return {"waited": _wait(ctx, change.new)}


def _wait(ctx: Context, inputs: ClusterAccessFields) -> float:
    started = waiting.now()
    waiting.patiently(
        ctx,
        lambda: _allowed(inputs.kubeconfig),
        what=f"the right to create objects in {inputs.cluster_id}",
        limit=waiting.ROLE_SECONDS,
        advice="who runs this needs the role Azure Kubernetes Service RBAC Cluster Admin on the cluster",
    )
    return round(waiting.now() - started, 1)


def _allowed(kubeconfig: str) -> None:
    """Raises:
    NotYetError: the API server does not know us yet, or may not be reached yet.
    """
    found = cluster(kubeconfig)
    for group, resource, verb in _NEEDED:
        attributes = {"group": group, "resource": resource, "verb": verb}
        try:
            answer = found.request(
                "POST",
                _REVIEW,
                again=False,
                body=json.dumps({"spec": {"resourceAttributes": attributes}}).encode(),
                headers={"Content-Type": "application/json"},
            )
        except ClusterError as error:
            if error.status in _WAITED:
                raise waiting.NotYetError(str(error).splitlines()[0]) from None
            raise
        if not at(answer, "status", "allowed"):
            raise waiting.NotYetError(f"{verb} {resource} is not allowed")
