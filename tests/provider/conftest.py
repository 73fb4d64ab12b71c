"""A project folder, a home of its own and the provider in process; nothing survives a test."""

from __future__ import annotations

import os
import signal
import socket
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from mldeploy.artifacts import scoring_server
from mldeploy.provider.framework.servicer import Provider, ProviderFailure
from mldeploy.provider.local import environments, processes
from mldeploy.provider.local.runs import runs
from mldeploy.provider.local.supervisor import AGAIN
from mldeploy.values.marshal import decode, encode

FAKE = Path(__file__).parent / "fake" / "serving"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """No test sees another one's services; whatever a test leaves running is killed."""
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    for kind in ("listeners", "replicas"):
        for run in runs(kind):
            run.stop(0)
            run.remove()


@pytest.fixture
def fake_serving(monkeypatch):
    """Replicas run the stand-in for the scoring server."""
    monkeypatch.setattr(scoring_server, "package", lambda: FAKE)


@pytest.fixture
def real_serving(monkeypatch):
    """Replicas run the real scoring server, with this environment's packages: nothing is installed."""
    monkeypatch.setattr(scoring_server, "requirements", lambda _extras=(): [])
    monkeypatch.setattr(environments.Environments, "python", lambda _self, _digest: Path(sys.executable))


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def project(tmp_path):
    """A project with a text as model and a script that answers with it."""
    root = tmp_path / "project"
    write(root, "models/m.txt", "one")
    write(
        root,
        "scripts/score.py",
        """
        import json, os

        def init():
            global text
            text = open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "m.txt")).read()

        def run(body):
            return {"model": text, "got": len(body)}
        """,
    )
    write(root, "golden/request.json", '{"data": 1}')
    return root


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


class Failed(Exception):
    """A failed operation, with its message and details."""

    def __init__(self, failure: ProviderFailure) -> None:
        super().__init__(failure.details())
        self.failure = failure


class CheckFailed(Exception):
    """A refused check: (property, reason) pairs."""

    def __init__(self, failures: list[tuple[str, str]]) -> None:
        super().__init__(str(failures))
        self.failures = failures


class Record:
    """A resource in a state, driven as an engine does."""

    def __init__(self, provider: Provider, token: str, name: str) -> None:
        self.provider, self.token = provider, token
        self.urn = f"urn:pulumi:local::shop::{token}::{name}"
        self.id = ""
        self.inputs = self.state = struct_pb2.Struct()

    def check(self, news: dict[str, Any]) -> struct_pb2.Struct:
        request = provider_pb2.CheckRequest(urn=self.urn, news=encode(news))
        if self.id:
            request.olds.CopyFrom(self.inputs)
        reply = self.provider.Check(request)
        if reply.failures:
            raise CheckFailed([(failure.property, failure.reason) for failure in reply.failures])
        return reply.inputs

    def diff(self, news: dict[str, Any]) -> Any:
        return self.provider.Diff(
            provider_pb2.DiffRequest(
                urn=self.urn, id=self.id, olds=self.state, old_inputs=self.inputs, news=self.check(news)
            )
        )

    def preview(self, news: dict[str, Any]) -> dict[str, Any]:
        request = provider_pb2.CreateRequest(urn=self.urn, properties=self.check(news), preview=True)
        return decode(self.provider.Create(request).properties)

    def create(self, **news: Any) -> dict[str, Any]:
        inputs = self.check(news)
        try:
            reply = self.provider.Create(provider_pb2.CreateRequest(urn=self.urn, properties=inputs))
        except ProviderFailure as failure:
            raise Failed(failure) from None
        self.id, self.inputs, self.state = reply.id, inputs, reply.properties
        return self.outputs

    def update(self, **news: Any) -> dict[str, Any]:
        inputs = self.check(news)
        request = provider_pb2.UpdateRequest(
            urn=self.urn, id=self.id, olds=self.state, old_inputs=self.inputs, news=inputs
        )
        try:
            self.state = self.provider.Update(request).properties
        except ProviderFailure as failure:
            raise Failed(failure) from None
        self.inputs = inputs
        return self.outputs

    def read(self) -> dict[str, Any] | None:
        request = provider_pb2.ReadRequest(
            urn=self.urn, id=self.id, inputs=self.inputs, properties=self.state
        )
        try:
            reply = self.provider.Read(request)
        except ProviderFailure as failure:
            raise Failed(failure) from None
        return decode(reply.properties) if reply.id else None

    def delete(self) -> None:
        self.provider.Delete(provider_pb2.DeleteRequest(urn=self.urn, id=self.id, properties=self.state))

    @property
    def outputs(self) -> dict[str, Any]:
        return decode(self.state)


@pytest.fixture
def provider(project, monkeypatch):
    return Provider(project)


@pytest.fixture
def record(provider):
    def make(token: str, name: str = "r") -> Record:
        return Record(provider, f"mldeploy:{token}", name)

    return make


class Stack:
    """A whole service out of single resources."""

    def __init__(self, record: Any, port: int) -> None:
        self.record, self.port = record, port
        self.model = record("model:StoredModel", "m")
        self.image = record("image:Environment", "i")
        self.keys = record("service:ServiceKeys", "k")
        self.replica = record("service:Replica", "r")
        self.gate = record("service:Gate", "g")
        self.listener = record("service:Listener", "l")

    def up(self, **replica: Any) -> None:
        self.model.create(name="m", source="models/m.txt")
        self.image.create(image="i", source_directory="scripts", entry_script="score.py", runtime="python")
        self.keys.create()
        self.replica.create(**self.replica_inputs(**replica))
        self.gate.create(**self.gate_inputs())
        self.listener.create(**self.listener_inputs())

    def replica_inputs(self, **changed: Any) -> dict[str, Any]:
        from mldeploy.values.property_value import reveal

        model, image, keys = self.model.outputs, self.image.outputs, reveal(self.keys.outputs)
        return {
            "service": "s",
            "image": image["digest"],
            "environment_digest": image["environment_digest"],
            "source_directory": "scripts",
            "entry_script": "score.py",
            "models": [{"name": "m", "version": model["version"], "digest": model["digest"]}],
            "auth_enabled": True,
            "keys": {"primary": keys["primary"], "secondary": keys["secondary"]},
            "enable_app_insights": False,
        } | changed

    def gate_inputs(self, replica: Record | None = None) -> dict[str, Any]:
        golden = [{"request": "golden/request.json"}]
        return {"replica": (replica or self.replica).id, "service": "s", "golden": golden}

    def listener_inputs(self, replica: Record | None = None) -> dict[str, Any]:
        version = self.model.outputs["version"]
        return {
            "service": "s",
            "port": self.port,
            "replica": (replica or self.replica).id,
            "models": {"m": version},
        }

    def swap(self, source_text: str, root: Path) -> None:
        """A new model version, as an engine does it: create, gate, switch, delete the old ones."""
        (root / "models" / "m.txt").write_text(source_text)
        old_model, old_replica = self.model, self.replica
        self.model = self.record("model:StoredModel", "m")
        self.model.create(name="m", source="models/m.txt")
        self.replica = self.record("service:Replica", "r")
        self.replica.create(**self.replica_inputs())
        self.gate.update(**self.gate_inputs())
        self.listener.update(**self.listener_inputs())
        old_replica.delete()
        old_model.delete()

    def key(self) -> str:
        return self.keys.outputs["primary"].value

    def down(self) -> None:
        for item in (self.listener, self.gate, self.replica, self.keys, self.image, self.model):
            if item.id:
                item.delete()


@pytest.fixture
def stack(record, port, fake_serving):
    made = Stack(record, port)
    yield made
    made.down()


@pytest.fixture
def real_stack(record, port, real_serving):
    made = Stack(record, port)
    yield made
    made.down()


def kill(pid: int) -> None:
    """Kill a process for good: whoever holds the port does not start a replica again that has no order."""
    for run in runs("replicas"):
        if run.process() == (pid, processes.birth(pid)):
            (run.path / AGAIN).unlink(missing_ok=True)
    born = processes.birth(pid)
    os.kill(pid, signal.SIGKILL)
    assert born and processes.wait_gone(pid, born, 10)
