"""What an Azure VM size has, by its name."""

from __future__ import annotations

import re
from typing import Final

from mldeploy.manifest.errors import shown

LEAST_VCPUS: Final = 12
"""v1's rule for a production cluster: agents x vCPUs."""
# The number in a VM size's name is its number of vCPUs, except in these old families, which number their
# sizes instead.
# https://learn.microsoft.com/azure/virtual-machines/sizes/previous-gen-sizes-list
_D: Final = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
_G: Final = {1: 2, 2: 4, 3: 8, 4: 16, 5: 32}
_A: Final = {0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 2, 6: 4, 7: 8, 8: 8, 9: 16, 10: 8, 11: 16}
_NUMBERED: Final = {
    ("D", 1): _D,
    ("D", 2): _D,
    ("DS", 1): _D,
    ("DS", 2): _D,
    ("G", 1): _G,
    ("GS", 1): _G,
    ("A", 1): _A,
}
_NAME = re.compile(
    r"(?:standard|basic)_(?P<family>[a-z]+)(?P<number>\d+)(?:-(?P<active>\d+))?(?P<rest>[a-z]*(?:_[a-z0-9]+)*)",
    re.IGNORECASE,
)
# https://learn.microsoft.com/azure/virtual-machines/sizes/overview
_FAMILIES: Final = re.compile(r"A|B|DC?|DS|EC?|FX?|GS?|H|H[BCX]|L|M|N[CDGPV]|PB", re.IGNORECASE)
_VERSION = re.compile(r"_v(\d+)", re.IGNORECASE)


def vcpus(vm_size: str) -> int:
    """The number of vCPUs of a VM size, ``Standard_D4s_v5``.

    Raises:
        ValueError: the name is of no known form.
    """
    match = _NAME.fullmatch(vm_size)
    if match is None or not _FAMILIES.fullmatch(match["family"]):
        raise ValueError(f"{vm_size!r} is no VM size that is known; give its vCPUs with vcpus:")
    number = int(match["active"] or match["number"])
    if match["active"]:
        return number
    version = _VERSION.search(match["rest"])
    family = match["family"].upper(), int(version[1]) if version else 1
    table = _NUMBERED.get(family)
    if table is None:
        return number
    if number not in table:
        raise ValueError(f"there is no {vm_size!r} in its family; give its vCPUs with vcpus: if there is now")
    return table[number]


def is_fpga(vm_size: str) -> bool:
    """Whether its accelerator is an FPGA."""
    return re.match(r"standard_(pb|np)\d", vm_size, re.IGNORECASE) is not None


def has_gpu(vm_size: str) -> bool:
    """Whether it has GPUs: families NC, ND, NG, NV."""
    return re.match(r"standard_n[cdgv]", vm_size, re.IGNORECASE) is not None


def fpga(size: str) -> str:
    """Why a VM size with an FPGA is refused."""
    return (
        f"{shown(size)} has an FPGA; Azure ML's FPGA service is retired: "
        "use a GPU size, or ONNX Runtime on CPU"
    )
