"""vCPUs of Azure VM sizes, from their names and a table of the older ones."""

from __future__ import annotations

import re
from typing import Final

# v1's own rule for a production cluster: agents x vCPUs.
LEAST_VCPUS: Final = 12

# The number in a modern name (v3 and later, and all of B, E, F, H, L, M, N) is the number of vCPUs. These older
# families number their sizes instead. https://learn.microsoft.com/azure/virtual-machines/sizes/previous-gen-sizes-list
_NUMBERED: Final = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
_NUMBERED_G: Final = {1: 2, 2: 4, 3: 8, 4: 16, 5: 32}
_NAME = re.compile(
    r"(?:standard_|basic_)?(?P<family>[a-z]+)(?P<number>\d+)(?:-(?P<active>\d+))?(?P<features>[a-z]*)"
    r"(?P<accelerator>(_[a-z0-9]+?)??)(?:_v(?P<version>\d+))?(?P<rest>_promo)?",
    re.IGNORECASE,
)


def vcpus(vm_size: str) -> int:
    """The number of vCPUs of a VM size, ``Standard_D4s_v5``.

    Raises:
        ValueError: the name is of no known form; say the number with ``vcpus``.
    """
    match = _NAME.fullmatch(vm_size.strip())
    if match is None:
        raise ValueError(f"vm_size: {vm_size!r} is no VM size that this version knows; give its `vcpus:` too")
    family, number = match["family"].upper(), int(match["number"])
    version = int(match["version"] or 1)
    if match["active"]:
        return int(match["active"])
    if family in ("D", "DS") and version <= 2:
        return _numbered(_NUMBERED, number, vm_size)
    if family in ("G", "GS") and version == 1:
        return _numbered(_NUMBERED_G, number, vm_size)
    return number


def _numbered(table: dict[int, int], number: int, vm_size: str) -> int:
    if number not in table:
        raise ValueError(f"vm_size: there is no {vm_size!r} in its family; give its `vcpus:` if there is now")
    return table[number]


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
    each = known or vcpus(vm_size)
    total = agent_count * each
    if total < LEAST_VCPUS and purpose.lower().replace("_", "") != "devtest":
        enough = -(-LEAST_VCPUS // each)
        raise ValueError(
            f"agent_count {agent_count} x {each} vCPUs of {vm_size} = {total}; a production cluster needs at least "
            f"{LEAST_VCPUS}: agent_count {enough}, larger nodes, or cluster_purpose dev_test"
        )
    return total
