"""v1's rule on the size of a production cluster."""

from __future__ import annotations

from mldeploy.manifest.vm_sizes import LEAST_VCPUS, vcpus

__all__ = ["LEAST_VCPUS", "check_vcpus", "vcpus"]


def check_vcpus(agent_count: int, vm_size: str, purpose: str, known: int | None = None) -> int:
    """v1's rule: a production cluster has at least 12 vCPUs; waived for the purpose ``dev_test``.

    Args:
        agent_count: number of nodes.
        vm_size: their size.
        purpose: ``fast_prod``, ``dense_prod`` or ``dev_test``.
        known: vCPUs of one node, when the name does not say.

    Returns:
        The vCPUs of the whole cluster.

    Raises:
        ValueError: too few; the message says how many nodes would be enough.
    """
    try:
        each = known or vcpus(vm_size)
    except ValueError as error:
        raise ValueError(f"vm_size: {error}") from None
    total = agent_count * each
    if total < LEAST_VCPUS and purpose.lower().replace("_", "") != "devtest":
        enough = -(-LEAST_VCPUS // each)
        raise ValueError(
            f"agent_count {agent_count} x {each} vCPUs of {vm_size} = {total}; a production cluster needs at least "
            f"{LEAST_VCPUS}: agent_count {enough}, larger nodes, or cluster_purpose dev_test"
        )
    return total
