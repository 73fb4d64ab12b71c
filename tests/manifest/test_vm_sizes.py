"""vCPUs by name, against Microsoft's size tables."""

from __future__ import annotations

import pytest

from mldeploy.manifest.vm_sizes import has_gpu, is_fpga, vcpus


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("Standard_D3_v2", 4), ("Standard_DS3_v2", 4), ("Standard_D4s_v5", 4), ("Standard_D4as_v5", 4),
        ("Standard_D2pds_v6", 2), ("Standard_D1", 1), ("Standard_D14", 16), ("Standard_D15_v2", 20),
        ("Standard_DS12_v2", 4), ("Standard_DS11-1_v2", 1), ("Standard_D2_v3", 2), ("Standard_D96ads_v5", 96),
        ("Standard_A2", 2), ("Standard_A4_v2", 4), ("Standard_A7", 8), ("Basic_A2", 2),
        ("Standard_B2s", 2), ("Standard_B20ms", 20), ("Standard_B2ats_v2", 2),
        ("Standard_E4-2s_v5", 2), ("Standard_E112iads_v5", 112), ("Standard_E16s_v3", 16),
        ("Standard_F8s_v2", 8), ("Standard_F16", 16), ("Standard_FX12mds", 12),
        ("Standard_G3", 8), ("Standard_GS5", 32), ("Standard_H16mr", 16), ("Standard_HB120rs_v3", 120),
        ("Standard_L8s_v3", 8), ("Standard_M128ms", 128), ("Standard_M64-32ms", 32),
        ("Standard_NC6", 6), ("Standard_NC4as_T4_v3", 4), ("Standard_NC24ads_A100_v4", 24),
        ("Standard_ND96isr_H100_v5", 96), ("Standard_NV36ads_A10_v5", 36), ("Standard_DC2s_v3", 2),
        ("standard_d4s_v5", 4),
    ],
)  # fmt: skip
def test_vcpus(size: str, expected: int) -> None:
    assert vcpus(size) == expected


@pytest.mark.parametrize("size", ["Standard_Q4", "D4s_v5", "Standard_D9_v2", "Standard_G6", "", "Standard_"])
def test_unknown(size: str) -> None:
    with pytest.raises(ValueError, match="vcpus:"):
        vcpus(size)


def test_accelerators() -> None:
    assert is_fpga("Standard_PB6s")
    assert is_fpga("Standard_NP10s")
    assert not is_fpga("Standard_NC6")
    assert has_gpu("Standard_NC4as_T4_v3")
    assert not has_gpu("Standard_NP10s")
    assert not has_gpu("Standard_D4s_v5")
