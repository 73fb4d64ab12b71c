"""From a manifest with an edge target to components: what is registered, and what is refused first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
import yaml

from components.compose import compose
from components.foundation import stack as azure_parts
from components.models import azure_model, registration
from mldeploy.manifest import load

DIGEST = "sha256:" + "c" * 64
SERVICE: dict[str, Any] = {"image": "echo", "target": "devices", "port": 8890, "cpu_cores": 0.5}


class Recorder(pulumi.runtime.Mocks):
    """Every resource that is registered, with its inputs."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources[args.typ] = {**self.resources.get(args.typ, {}), args.name: args.inputs}
        outputs = dict(args.inputs)
        if args.typ == "docker:index/image:Image":
            outputs["repoDigest"] = f"cr.example.com/x@{DIGEST}"
        if args.typ.endswith(":IotHubResource"):
            outputs |= {
                "name": args.inputs["resourceName"],
                "properties": {"hostName": "made.azure-devices.net"},
            }
        if args.typ.endswith(":ImagePresence"):
            outputs |= {"image_tag": args.inputs["tag"], "base": args.inputs["base_image"], "epoch": "1"}
        if args.typ.endswith(":EdgeDeployment"):
            outputs["deployment_id"] = "an-id"
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {"primaryKey": "aHVia2V5"} if "listIotHub" in args.token else {}


class Composer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "models").mkdir()
        (folder / "models/weights.json").write_text('{"factor": 2}')
        (folder / "scripts").mkdir()
        (folder / "scripts/score.py").write_text("def init(): pass\ndef run(data): return data\n")

    def __call__(
        self, target: dict[str, Any], service: dict[str, Any], **sections: Any
    ) -> dict[str, dict[str, Any]]:
        """The registered resources by type and name."""
        document = {
            "version": 1,
            "models": {"echo": {"source": "models/weights.json"}},
            "images": {
                "echo": {"models": ["echo"], "source_directory": "scripts", "entry_script": "score.py"}
            },
            "targets": {"devices": {"type": "edge", "hub": "my-hub", "target_condition": "*", **target}},
            "services": {"echo": SERVICE | service},
            **sections,
        }
        (self.folder / "manifest.yaml").write_text(yaml.safe_dump(document))
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="acme", stack="prod")
        outputs: dict[str, Any] = {}

        @pulumi.runtime.test
        def program() -> Any:
            outputs.update(compose(load(self.folder, "prod")))
            return pulumi.Output.all(outputs["services"])

        program()
        return recorder.resources


@pytest.fixture
def compose_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Composer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(
        "HUB", "HostName=my-hub.azure-devices.cn;SharedAccessKeyName=p;SharedAccessKey=aGVsbG8="
    )
    monkeypatch.setenv("REGISTRY_PASSWORD", "p4ssw0rd")
    # Whoever ran a program in this process before may have closed the loop.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield Composer(tmp_path)
    loop.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


REGISTRY = {"address": "cr.example.com", "username": "puller", "password": {"env": "REGISTRY_PASSWORD"}}
OWN = {"registry": REGISTRY, "connection_string": {"env": "HUB"}}


def secret(value: Any) -> Any:
    """The value behind a mock's secret wrapper."""
    return (
        value["value"] if isinstance(value, dict) and "4dabf18193072939515e22adb298388d" in value else value
    )


def test_a_service_becomes_a_module(compose_edge: Composer) -> None:
    edge = {
        "keys_file": "/etc/scoring/keys.json",
        "startup_order": 3,
        "desired": {"unit": "C"},
        "mounts": [{"source": "/data", "target": "/collected", "writable": True}],
        "create_options": {"HostConfig": {"Privileged": False}},
    }
    found = compose_edge(
        {
            **OWN,
            "priority": 7,
            "labels": {"team": "health"},
            "runtime_version": "1.6",
            "routes": {"up": {"route": "FROM /messages/* INTO $upstream"}},
            "wait": {"reported": "90%", "timeout": "10m"},
        },
        {
            "auth_enabled": True,
            "edge": edge,
            "collect_model_data": {"sampling": 0.5, "destination": "/collected"},
            "gpu_cores": 1,
            "memory_gb": 1,
        },
    )
    deployment = found["mldeploy:edge:EdgeDeployment"]["devices-deployment"]
    assert deployment["name"].startswith("acme-prod-devices-")
    assert deployment["hub"] == "my-hub.azure-devices.cn"
    assert deployment["priority"] == 7
    assert deployment["labels"] == {"mldeploy-project": "acme", "mldeploy-stack": "prod", "team": "health"}
    assert deployment["wait"] == {"reported": 90, "timeout": 600, "rollback": False}
    assert deployment["edge_agent"]["image"] == "mcr.microsoft.com/azureiotedge-agent:1.6"
    credentials = secret(deployment["registry_credentials"])
    assert credentials["cr-example-com"]["username"] == "puller"
    module = deployment["modules"]["echo"]
    assert module["image"] == f"cr.example.com/acme/echo@{DIGEST}"
    assert module["startup_order"] == 3
    assert module["desired"] == {"unit": "C"}
    env = module["env"]
    assert env["SERVING_SERVICE"] == "echo"
    assert env["SERVING_AUTH_ENABLED"] == "true"
    assert env["SERVING_KEYS_FILE"] == "/run/mldeploy/keys/keys.json"
    assert json.loads(env["SERVING_COLLECT_MODEL_DATA"])["destination"] == "/collected"
    assert set(json.loads(env["SERVING_MODELS"])) == {"echo"}
    host = module["create_options"]["HostConfig"]
    assert host["PortBindings"] == {"5001/tcp": [{"HostPort": "8890"}]}
    assert host["NanoCpus"] == 500_000_000
    assert host["DeviceRequests"][0]["Count"] == 1
    assert host["Privileged"] is False
    assert "mldeploy:model:StoredModel" in found


def test_the_serving_process_understands_every_variable(compose_edge: Composer) -> None:
    from serving.config import load as load_serving

    found = compose_edge(
        OWN,
        {
            "auth_enabled": True,
            "ssl": {"enabled": True},
            "edge": {"keys_file": "/k/keys.json", "cert_file": "/c/c.pem", "key_file": "/d/k.pem"},
        },
    )
    env = found["mldeploy:edge:EdgeDeployment"]["devices-deployment"]["modules"]["echo"]["env"]
    config, unknown = load_serving(None, {**env, "SERVING_ENTRY_SCRIPT": "/opt/source/score.py"})
    assert unknown == []
    assert config.auth_enabled is True
    assert config.ssl == {"cert_file": "/run/mldeploy/cert/c.pem", "key_file": "/run/mldeploy/cert-key/k.pem"}
    assert config.port == 5001


def test_a_hub_of_the_stacks_own(compose_edge: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    # The foundation has tests of its own.
    monkeypatch.setattr(azure_parts, "foundation", lambda context: SimpleNamespace(resource_group="rg"))
    monkeypatch.setattr(azure_model, "in_workspace", registration.in_store)
    found = compose_edge(
        {"registry": REGISTRY, "create": {"sku": "S2", "units": 2}}, {}, azure={"location": "westeurope"}
    )
    hub = found["azure-native:iothub:IotHubResource"]["devices-iot-hub"]
    assert hub["sku"] == {"name": "S2", "capacity": 2}
    assert (hub["resourceName"], hub["resourceGroupName"], hub["location"]) == ("my-hub", "rg", "westeurope")
    deployment = found["mldeploy:edge:EdgeDeployment"]["devices-deployment"]
    assert deployment["hub"] == "made.azure-devices.net"
    assert secret(deployment["connection_string"]) == (
        "HostName=made.azure-devices.net;SharedAccessKeyName=registryReadWrite;SharedAccessKey=aHVia2V5"
    )


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({"auth_enabled": True}, "needs edge: {keys_file"),
        ({"ssl": {"enabled": True}}, "needs edge: {cert_file"),
        ({"collect_model_data": True}, r"of edge.mounts \(there are: none\)"),
        ({"edge": {"restart_policy": "on-failure"}}, "not implemented by the IoT Edge runtime"),
    ],
)
def test_what_devices_do_not_have_is_refused_before_anything_is_registered(
    compose_edge: Composer, service: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Exception, match=reason) as caught:
        compose_edge(OWN, service)
    assert "echo" in str(caught.value)


def test_a_secret_variable_is_refused(compose_edge: Composer) -> None:
    image = {
        "models": ["echo"],
        "source_directory": "scripts",
        "entry_script": "score.py",
        "environment_variables": {"TOKEN": {"env": "HUB"}},
    }
    with pytest.raises(
        Exception, match=r"images.echo.environment_variables.TOKEN: is a secret, .*edge.mounts"
    ):
        compose_edge(OWN, {}, images={"echo": image})


def test_another_hubs_connection_string(compose_edge: Composer) -> None:
    with pytest.raises(Exception, match="allowed: the hub 'other-hub'"):
        compose_edge({**OWN, "hub": "other-hub"}, {})
