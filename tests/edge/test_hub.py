"""A hub of the stack's own, against the stand-in of Azure's resource manager."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi_azure_native import resources

from components.targets.edge.hub import EdgeHub, EdgeHubArgs
from components.targets.edge.module import EdgeModule, EdgeModuleArgs, ScoringModule
from mldeploy.edge import ScoringOptions
from mldeploy.values.property_value import Secret
from tests.azure.harness import run
from tests.edge.conftest import IMAGE


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """Whoever ran a program in this process before may have closed the loop."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    made.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


def program(**changes: Any) -> None:
    group = resources.ResourceGroup("group", resource_group_name="rg", location="westeurope")
    hub = EdgeHub(
        "iot",
        EdgeHubArgs(hub_name="acme-hub", resource_group=group.name, location="westeurope", **changes),
    )
    EdgeModule(
        "devices",
        EdgeModuleArgs(
            deployment_name="acme-devices",
            hub=hub.host_name,
            connection_string=hub.connection_string,
            modules={"diabetes": ScoringModule(image=IMAGE, options=ScoringOptions(port=8890))},
            target_condition="*",
        ),
    )


@pytest.mark.parametrize("preview", [True, False], ids=["plan", "deploy"])
def test_azure_takes_the_hub_and_the_deployment_uses_its_key(tmp_path: Path, preview: bool) -> None:
    found = run(lambda: program(tags={"team": "health"}), tmp_path, preview=preview)
    assert found.error is None
    assert found.faults == []
    hub = found.one("iot-hub").plain
    assert hub["properties"] == {"minTlsVersion": "1.2"}
    assert hub["tags"] == {"team": "health"}
    if not preview:
        deployment = found.one("devices-deployment")
        assert deployment.plain["hub"] == "acme-hub.azure-devices.net"
        assert isinstance(deployment.inputs["connection_string"], Secret)
        assert deployment.plain["connection_string"] == (
            "HostName=acme-hub.azure-devices.net;SharedAccessKeyName=registryReadWrite;"
            "SharedAccessKey=cHJpbWFyeQ=="
        )
        assert found.one("devices-deployment").inputs["modules"]["diabetes"]["image"] == IMAGE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sku": "B1"}, r"allowed: F1, S1, S2, S3 \(B1 to B3 have no IoT Edge\)"),
        ({"sku": "F1", "units": 2}, "units is 2; allowed for F1: 1 to 1"),
        ({"sku": "S3", "units": 11}, "allowed for S3: 1 to 10"),
    ],
)
def test_what_a_hub_cannot_be(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    found = run(lambda: program(**changes), tmp_path)
    assert isinstance(found.error, ValueError)
    with pytest.raises(ValueError, match=reason):
        raise found.error


def test_two_modules_cannot_have_one_port() -> None:
    modules = {name: ScoringModule(image=IMAGE, options=ScoringOptions(port=80)) for name in ("a", "b")}
    with pytest.raises(ValueError, match="modules 'a' and 'b' both want port 80 of the device"):
        EdgeModule("x", EdgeModuleArgs(deployment_name="x", hub="h", modules=modules, target_condition="*"))
