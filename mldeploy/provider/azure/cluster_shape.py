"""ClusterShape: refuses in the plan what AKS would refuse in the middle of an update."""

from __future__ import annotations

from typing import Any, Final

from mldeploy.provider.framework.declare import Declaration, In, Opt, Or, field
from mldeploy.provider.framework.resource import CheckError, Context, Resource, known


class ClusterShapeFields(Declaration, token="mldeploy:azure:ClusterShape"):
    """What of an AKS cluster is chosen for good."""

    # https://learn.microsoft.com/azure/aks/azure-cni-overlay and https://learn.microsoft.com/azure/aks/private-clusters:
    # address ranges and private mode are chosen when the cluster is made; the size of a pool's machines too.
    cluster: In[str] = field("The cluster's name.")
    pod_cidr: In[str] = field("The pods' addresses.", replaces=False)
    service_cidr: In[str] = field("The services' addresses.", replaces=False)
    dns_service_ip: In[str] = field("The cluster DNS's address.", replaces=False)
    subnet_id: Opt[str] = field("The nodes' subnet, or empty.", default=None, replaces=False)
    system_vm_size: In[str] = field("The VM size of the system nodes.", replaces=False)
    private: Or[bool] = field(
        "Whether the API server has a private address only.", default=False, replaces=False
    )


_FIXED: Final = ("pod_cidr", "service_cidr", "dns_service_ip", "subnet_id", "system_vm_size", "private")


class ClusterShape(Resource[ClusterShapeFields]):
    """Nothing on Azure belongs to it. A change of what cannot change is an error of the plan, before anything is
    changed; the way out is a cluster beside this one."""

    def check(self, ctx: Context, old: ClusterShapeFields, new: ClusterShapeFields) -> dict[str, Any]:
        """Refuse a change, unless the cluster is another one."""
        before, after = old.plain(), new.plain()
        if not before or before.get("cluster") != after.get("cluster"):
            return {}
        faults = [
            (
                name,
                f"is {before[name]!r} and cannot become {after[name]!r}: AKS fixes it when the cluster is made. "
                "Give the target another name: a new cluster comes, the services move to it, and this one goes",
            )
            for name in _FIXED
            if name in before and name in after and known(after[name]) and before[name] != after[name]
        ]
        if faults:
            raise CheckError(*faults)
        return {}

    def create(self, ctx: Context, inputs: ClusterShapeFields) -> tuple[str, dict[str, Any]]:
        """Remember it."""
        return f"shape-{inputs.cluster}", {}
