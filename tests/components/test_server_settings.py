"""What a manifest says of the scoring server reaches it on every type of target, and nothing else changes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.compose import compose
from components.context import Context
from components.images import serving_settings
from components.targets.aci import graph as aci
from mldeploy.manifest import ManifestErrors, Service, load
from mldeploy.manifest.kinds.aci import AciTarget
from mldeploy.manifest.markers import ServerSetting, marker
from mldeploy.provider.local import containers
from mldeploy.provider.local.replica_fields import STREAM_DRAIN
from serving.config import Config
from serving.config import load as load_config
from tests.edge.test_target import Recorder

VALUES: dict[str, Any] = {
    "stream_timeout_ms": 1500,
    "stream_drain_seconds": 120,
    "workers": 3,
    "max_queue": 7,
    "max_requests": 10_000,
    "body_limit_bytes": 5_000_000,
    "batching": {"enabled": True, "max_batch_size": 16},
    "docs_enabled": False,
}
REGISTRY = {"address": "cr.example.com"}
TARGETS: dict[str, dict[str, Any]] = {
    "process": {"type": "local"},
    "docker": {"type": "local", "runtime": "docker"},
    "edge": {"type": "edge", "hub": "my-hub", "target_condition": "*", "connection_string": {"env": "HUB"},
             "registry": REGISTRY},
}  # fmt: skip
Plan = Callable[..., dict[str, Any]]
ANSWERS = (
    "version", "digest", "environment_digest", "reference", "scoring_uri", "swagger_uri", "primary", "secondary",
    "principal_id", "model_name",
)  # fmt: skip


class Cloud(Recorder):
    """Every resource answers with what others ask of it."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        ident, outputs = super().new_resource(args)
        return ident, dict.fromkeys(ANSWERS, "1") | outputs


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    for name, text in {
        "models/m.json": "1",
        "scripts/score.py": "def init(): pass\ndef run(data): return data\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def written(target: dict[str, Any], **service: Any) -> None:
        port = {"port": 8890} if target["type"] == "local" else {}
        document = {
            "version": 1,
            "azure": {"location": "westeurope", "builder": "acr"},
            "models": {"m": {"source": "models/m.json"}},
            "images": {"i": {"models": ["m"], "source_directory": "scripts", "entry_script": "score.py"}},
            "targets": {"t": target},
            "services": {"s": {"image": "i", "target": "t", **port, **service}},
        }
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    return written


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., None]) -> Iterator[Plan]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(
        "HUB", "HostName=my-hub.azure-devices.net;SharedAccessKeyName=p;SharedAccessKey=aGVsbG8="
    )
    monkeypatch.setattr(containers, "fault", lambda: None)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def planned(target: dict[str, Any], **service: Any) -> dict[str, Any]:
        write(target, **service)
        recorder = Cloud()
        pulumi.runtime.set_mocks(recorder, project="acme", stack="prod")

        @pulumi.runtime.test
        def program() -> Any:
            return pulumi.Output.all(compose(load(tmp_path, "prod"))["services"])

        program()
        return recorder.resources

    yield planned
    loop.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


def told(plan: dict[str, Any]) -> dict[str, Any]:
    """The server's configuration in a plan, read as the server reads it."""
    for kind, made in plan.items():
        for inputs in made.values():
            if kind.endswith(":Replica"):
                four = {key: inputs[key] for key in ("scoring_timeout_ms", "max_request_wait_time")}
                return four | (inputs.get("server") or {})
            if kind.endswith(":EdgeDeployment"):
                return read(inputs["modules"]["s"]["env"])
    raise AssertionError(sorted(plan))


def read(environment: dict[str, Any]) -> dict[str, Any]:
    """The server's configuration in a container's variables: what they say, as the server reads it."""
    own = {key: text for key, text in environment.items() if key.startswith("SERVING_") and text is not None}
    config, unknown = load_config(None, own | {"SERVING_ENTRY_SCRIPT": "score.py"})
    assert not unknown
    given = {key.removeprefix("SERVING_").lower() for key in own}
    return {key: value for key, value in dataclasses.asdict(config).items() if key in given}


@pytest.mark.parametrize("variant", TARGETS)
def test_each_key_reaches_the_server_and_none_is_there_without(plan: Plan, variant: str) -> None:
    before, after = told(plan(TARGETS[variant])), told(plan(TARGETS[variant], **VALUES))
    assert not VALUES.keys() & before.keys()
    assert {key: after[key] for key in VALUES} == VALUES
    assert after["scoring_timeout_ms"] == 60_000


@pytest.mark.parametrize("key", VALUES)
@pytest.mark.parametrize("variant", TARGETS)
def test_one_key_changes_the_plan(plan: Plan, variant: str, key: str) -> None:
    assert plan(TARGETS[variant]) != plan(TARGETS[variant], **{key: VALUES[key]})


def test_each_key_reaches_a_container_group(
    write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def settings(**service: Any) -> dict[str, Any]:
        write({"type": "aci", "location": "westeurope"}, **service)
        manifest = load(tmp_path, "prod")
        target, one = manifest.targets["t"], manifest.services["s"]
        assert isinstance(target, AciTarget)
        context = Context(manifest, "acme", "prod")
        found = aci._plain(context, "s", target, one, "westeurope").settings
        return read(serving_settings.environment("s", found, auth=False, tls=False, port=5001))

    assert not VALUES.keys() & settings().keys()
    assert {key: settings(**VALUES)[key] for key in VALUES} == VALUES


def test_the_keys_are_the_servers_own() -> None:
    keys = {key for key, field in Service.model_fields.items() if isinstance(marker(field), ServerSetting)}
    assert keys >= VALUES.keys()
    assert keys <= {field.name for field in dataclasses.fields(Config)}
    assert Config().stream_drain_seconds == STREAM_DRAIN


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("stream_timeout_ms", 0, "allowed: 1 or more"),
        ("stream_drain_seconds", -1, "allowed: 0 to 86400"),
        ("stream_drain_seconds", 86_401, "allowed: 0 to 86400"),
        ("workers", 0, "allowed: 1 to 256"),
        ("workers", 257, "allowed: 1 to 256"),
        ("max_queue", 0, "allowed: 1 or more"),
        ("max_requests", -1, "allowed: 0 or more"),
        ("body_limit_bytes", 0, "allowed: 1 or more"),
        ("docs_enabled", "no", "must be true or false"),
        ("batching", {"max_batch_size": 0}, "allowed: 1 or more"),
        ("batching", {"size": 3}, "max_batch_size"),
    ],
)
def test_a_bad_value_is_refused_with_its_line(
    write: Callable[..., None], tmp_path: Path, key: str, value: Any, why: str
) -> None:
    write(TARGETS["process"], **{key: value})
    with pytest.raises(ManifestErrors) as found:
        load(tmp_path, "prod")
    (line,) = str(found.value).splitlines()
    assert line.startswith("manifest.yaml:")
    assert f"services.s.{key}" in line
    assert why in line


@pytest.mark.parametrize("key", VALUES)
def test_a_key_is_refused_where_no_server_runs(write: Callable[..., None], tmp_path: Path, key: str) -> None:
    write({"type": "batch"}, **{key: VALUES[key]})
    with pytest.raises(ManifestErrors, match=rf"services\.s\.{key}: does not apply to"):
        load(tmp_path, "prod")
