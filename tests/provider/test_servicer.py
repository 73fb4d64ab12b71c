"""The provider's protocol: in process, and as the plugin process that the Pulumi CLI starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from mldeploy.provider.catalog import RESOURCES
from mldeploy.provider.framework.declare import Declaration
from mldeploy.provider.framework.resource import CancelledError, Diff, Resource, UnhealthyError
from mldeploy.provider.framework.servicer import Provider, ProviderFailure
from mldeploy.provider.local import processes
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, Secret

from .conftest import CheckFailed

BIN = Path(__file__).parents[2] / "mldeploy" / "provider" / "bin" / "pulumi-resource-mldeploy"
TOKENS = {
    "mldeploy:model:StoredModel",
    "mldeploy:image:Environment",
    "mldeploy:service:ServiceKeys",
    "mldeploy:service:Replica",
    "mldeploy:service:Gate",
    "mldeploy:service:Listener",
}


def urn(token, name="x"):
    return f"urn:pulumi:local::shop::{token}::{name}"


def test_the_schema_describes_every_resource(provider):
    schema = json.loads(provider.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert schema["name"] == "mldeploy" and set(schema["resources"]) >= TOKENS
    replica = schema["resources"]["mldeploy:service:Replica"]
    assert (
        replica["inputProperties"]["keys"]["secret"]
        and "willReplaceOnChanges" not in replica["inputProperties"]["keys"]
    )
    assert replica["inputProperties"]["image"]["willReplaceOnChanges"]
    resources = {t: one for t, one in schema["resources"].items() if not one.get("isComponent")}
    for token, described in resources.items():
        assert set(described["requiredInputs"]) <= set(described["inputProperties"]), token
        for where in ("inputProperties", "properties"):
            assert all(value["description"] for value in described[where].values()), token
        for value in described["properties"].values():
            reference = value.get("items", value).get("$ref", "")
            assert (
                not reference.startswith("#/types/") or reference.removeprefix("#/types/") in schema["types"]
            )


def test_a_preview_knows_what_follows_from_the_inputs(record):
    model = record("model:StoredModel").preview({"name": "m", "source": "models/m.txt"})
    assert model["version"] == model["digest"][:12] and model["files"] == 1
    listener = record("service:Listener").preview({"service": "s", "port": 8890, "replica": UNKNOWN})
    assert listener["scoring_uri"] == "http://127.0.0.1:8890/score" and listener["pid"] is UNKNOWN
    unknown = record("service:Listener").preview({"service": "s", "port": UNKNOWN, "replica": UNKNOWN})
    assert unknown["scoring_uri"] is UNKNOWN


def test_unknown_inputs_are_checked_as_far_as_they_are_known(record):
    news = {
        "service": "s", "image": UNKNOWN, "environment_digest": UNKNOWN, "source_directory": "scripts",
        "entry_script": "score.py", "auth_enabled": True,
        "keys": Secret({"primary": UNKNOWN, "secondary": UNKNOWN}),
        "models": [{"name": "m", "version": UNKNOWN, "digest": UNKNOWN}], "environment_variables": UNKNOWN,
    }  # fmt: skip
    checked = decode(record("service:Replica").check(news))
    assert checked["image"] is UNKNOWN
    with pytest.raises(CheckFailed, match="num_replicas"):
        record("service:Replica").check({**news, "num_replicas": 0})


def test_an_unknown_input_of_an_existing_replica_replaces_it(stack):
    stack.up()
    diff = stack.replica.diff({**stack.replica_inputs(), "image": UNKNOWN})
    assert {path: change.kind for path, change in diff.detailedDiff.items()} == {
        "image": provider_pb2.PropertyDiff.UPDATE_REPLACE
    }
    assert list(diff.replaces) == ["image"] and not diff.deleteBeforeReplace
    moved = stack.listener.diff({**stack.listener_inputs(), "port": stack.port + 1})
    assert moved.deleteBeforeReplace and list(moved.replaces) == ["port"]


def test_secret_inputs_stay_secret_in_the_outputs(stack):
    stack.up(environment_variables=Secret({"TOKEN": "x"}))
    outputs = stack.replica.outputs
    assert isinstance(outputs["keys"], Secret) and isinstance(outputs["environment_variables"], Secret)
    assert isinstance(decode(stack.replica.inputs)["keys"], Secret)


def test_configuration_is_refused(provider):
    request = provider_pb2.CheckRequest(
        urn=urn("pulumi:providers:mldeploy"), news=encode({"region": "x", "version": "1"})
    )
    failures = provider.CheckConfig(request).failures
    assert [(failure.property, failure.reason) for failure in failures] == [
        ("region", "the mldeploy provider takes no configuration")
    ]


def test_the_programs_configuration_is_not_the_providers_where_both_have_one_name(provider):
    news = encode({"echoKey": Secret("x"), "version": "1"})
    request = provider_pb2.CheckRequest(
        urn="urn:pulumi:local::mldeploy::pulumi:providers:mldeploy::default", news=news
    )
    answer = provider.CheckConfig(request)
    assert not answer.failures
    assert decode(answer.inputs) == {"version": "1"}


class BrokenFields(Declaration, token="mldeploy:test:Broken"):
    """Fails in every way."""


class Broken(Resource[BrokenFields]):
    def create(self, ctx, inputs):
        raise KeyError("fault")

    def read(self, ctx, ident, state, inputs):
        raise UnhealthyError({"pid": 7}, "does not answer", "is old")

    def update(self, ctx, change):
        raise CancelledError("cancelled")

    def diff(self, ctx, change):
        return Diff()


BROKEN = BrokenFields.token


@pytest.fixture
def broken(monkeypatch):
    monkeypatch.setitem(RESOURCES, BROKEN, Broken())


def call(provider, method, request):
    with pytest.raises(ProviderFailure) as caught:
        getattr(provider, method)(request)
    return caught.value


@pytest.mark.usefixtures("broken")
def test_failures_have_codes_and_an_unhealthy_resource_its_details(provider):
    request = provider_pb2.CreateRequest(urn=urn(BROKEN))
    failure = call(provider, "Create", request)
    assert failure.code() is grpc.StatusCode.INTERNAL
    assert failure.details().startswith("a fault in the mldeploy provider: KeyError in test_servicer.py:")
    read = provider_pb2.ReadRequest(
        urn=urn(BROKEN), id="i", properties=encode({"a": 1}), inputs=encode({"a": 1})
    )
    failure = call(provider, "Read", read)
    status = status_pb2.Status.FromString(dict(failure.trailing_metadata())["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == "i" and list(detail.reasons) == ["does not answer", "is old"]
    assert decode(detail.properties) == {"a": 1, "pid": 7}


ASSET = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "path": "a.txt"}
NOTHING_KNOWN = {"4dabf18193072939515e22adb298388d": "00000000000000000000000000000000"}


@pytest.mark.parametrize(
    ("value", "reason"), [(ASSET, "give a path"), (NOTHING_KNOWN, "a value of an unknown kind")]
)
def test_a_value_of_another_kind_is_refused_with_its_reason(provider, value, reason):
    news = encode({"name": "m", "source": value, "description": Secret("hidden words")})
    token = "mldeploy:model:StoredModel"
    failure = call(provider, "Check", provider_pb2.CheckRequest(urn=urn(token), news=news))
    assert reason in failure.details() and failure.code() is grpc.StatusCode.UNKNOWN


def test_an_unknown_type_is_named_with_those_that_exist(provider):
    failure = call(provider, "Create", provider_pb2.CreateRequest(urn=urn("mldeploy:x:Y")))
    assert "no resource type 'mldeploy:x:Y'; there are: mldeploy:model:StoredModel" in failure.details()


def test_importing_is_refused(provider):
    failure = call(provider, "Read", provider_pb2.ReadRequest(urn=urn("mldeploy:service:Gate"), id="x"))
    assert "cannot be imported" in failure.details()


def test_progress_reaches_the_engine(project, fake_serving):
    class Engine:
        said: ClassVar = []

        def Log(self, request):
            self.said.append((request.message, request.ephemeral, request.urn))

    provider = Provider(project, Engine())
    token = "mldeploy:model:StoredModel"
    inputs = provider.Check(
        provider_pb2.CheckRequest(urn=urn(token), news=encode({"name": "m", "source": "models/m.txt"}))
    ).inputs
    provider.Create(provider_pb2.CreateRequest(urn=urn(token), properties=inputs))
    assert Engine.said == [("storing 1 files, 3 bytes", True, urn(token))]


@pytest.fixture
def plugin(project, own_home):
    process = subprocess.Popen([BIN, "127.0.0.1:1"], cwd=project, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        process.terminate()
        assert process.wait(10) is not None
        process.stdout.close()


def test_the_plugin_process_works_from_the_projects_folder(plugin):
    assert plugin.GetPluginInfo(empty_pb2.Empty()).version
    handshake = plugin.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
    assert handshake.accept_secrets
    configured = plugin.Configure(provider_pb2.ConfigureRequest(acceptSecrets=True))
    assert configured.acceptSecrets and configured.supportsPreview
    token = "mldeploy:model:StoredModel"
    request = provider_pb2.CheckRequest(urn=urn(token), news=encode({"name": "m", "source": "models/m.txt"}))
    checked = plugin.Check(request)
    assert not checked.failures and decode(checked.inputs)["digest"]
    made = plugin.Create(provider_pb2.CreateRequest(urn=urn(token), properties=checked.inputs))
    assert made.id.startswith("m:")
    about = {"urn": urn(token), "id": made.id, "properties": made.properties}
    read = plugin.Read(provider_pb2.ReadRequest(inputs=checked.inputs, **about))
    assert read.id == made.id and read.properties == made.properties
    plugin.Delete(provider_pb2.DeleteRequest(**about))
    with pytest.raises(grpc.RpcError) as caught:
        plugin.Create(provider_pb2.CreateRequest(urn=urn("mldeploy:x:Y"), properties=struct_pb2.Struct()))
    assert "no resource type" in caught.value.details()


def test_the_executable_is_found_through_links(tmp_path):
    link = tmp_path / "pulumi-resource-mldeploy"
    link.symlink_to(BIN)
    process = subprocess.Popen([link], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert int(process.stdout.readline()) > 0
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_the_plugin_ends_as_the_cli_ends_it_and_not_by_a_ctrl_c_before(tmp_path):
    """The CLI sends `Cancel`, then SIGINT to the process group; after five seconds it kills and reports a bug."""
    process = subprocess.Popen([BIN], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            os.killpg(process.pid, signal.SIGINT)
            assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=10).version
            stub.Cancel(empty_pb2.Empty(), timeout=10)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(4) == 0
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_the_plugin_ends_with_its_engine(tmp_path):
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE); p.stdout.readline(); print(p.pid, flush=True);"
        "time.sleep(60)"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", code, BIN], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    pid = int(engine.stdout.readline())
    born = processes.birth(pid)
    engine.kill()
    engine.wait()
    engine.stdout.close()
    assert born and processes.wait_gone(pid, born, 15)


def test_starting_the_provider_does_not_import_mlflow():
    code = "import sys, mldeploy.provider.framework.servicer; print('mlflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
