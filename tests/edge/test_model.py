"""The manifest model: what it makes is valid by the public JSON schemas and by the stand-in's twin rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mldeploy.edge import Deployment, ScoringOptions, content_digest, create_options, parse_content, twin
from mldeploy.edge.model import runtime_modules
from mldeploy.edge.options import Mount, environment, merge
from tests.edge.conftest import IMAGE
from tests.edge.standin.hub import _content_problem

SCHEMAS = Path(__file__).parents[3] / "shared" / "edge-schemas"
DEEP = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def schema_faults(content: dict[str, Any]) -> list[str]:
    """What the public schemas say of a complete manifest; layers have no public schema."""
    modules = content["modulesContent"]
    pairs = [("azure-iot-edge-deployment-2.0.json", content)]
    pairs.append(("azure-iot-edgeagent-deployment-1.1.json", {"$edgeAgent": modules["$edgeAgent"]}))
    pairs.append(("azure-iot-edgehub-deployment-1.1.json", {"$edgeHub": modules["$edgeHub"]}))
    found: list[str] = []
    for name, value in pairs:
        path = SCHEMAS / name
        if not path.exists():
            continue  # test_the_schemas_are_there says so
        validator = jsonschema.Draft4Validator(json.loads(path.read_text()))
        found += [f"{name}: {error.message}" for error in validator.iter_errors(value)]
    return found


# --- strategies: everything that the model takes
# --------------------------------------------------------------

names = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True).filter(
    lambda n: n not in ("edgeAgent", "edgeHub")
)
twin_keys = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=10
).filter(lambda key: not set(key) & set(".$#"))
scalars = (
    st.text(st.characters(codec="utf-8"), max_size=40)
    | st.booleans()
    | st.integers(-(2**52), 2**52 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(twin_keys, inner, max_size=3),
    max_leaves=8,
)
images = st.sampled_from([IMAGE, "r.io/x:1", "localhost:5000/a/b@sha256:" + "0" * 64, "alpine"])
env = st.dictionaries(st.from_regex(r"[A-Z_]{1,12}", fullmatch=True), scalars, max_size=3)
options = st.dictionaries(st.text(max_size=8), json_values, max_size=3)
containers = {"image": images, "create_options": options, "env": env}
modules = st.fixed_dictionaries(
    containers,
    optional={
        "status": st.sampled_from(["running", "stopped"]),
        "restart_policy": st.sampled_from(["always", "never"]),
        "startup_order": st.integers(0, 2**32 - 1),
        "version": st.text(st.characters(codec="utf-8"), max_size=5),
        "image_pull_policy": st.sampled_from(["on-create", "never"]),
        "desired": st.dictionaries(twin_keys, json_values, max_size=3),
    },
)
routes = st.fixed_dictionaries(
    {"route": st.sampled_from(["FROM /messages/* INTO $upstream",
     'from /messages/modules/a/outputs/* where t > 1 into BrokeredEndpoint("/modules/b/inputs/c")'])},
    optional={"priority": st.integers(0, 9), "time_to_live_secs": st.integers(0, 2**32 - 1)},
)  # fmt: skip
text = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
credentials = st.fixed_dictionaries({"address": text, "username": text, "password": text})
layer = {
    "modules": st.dictionaries(names, modules, min_size=1, max_size=4),
    "routes": st.dictionaries(twin_keys, routes, max_size=3),
}
system = st.fixed_dictionaries(containers)
deployments = st.fixed_dictionaries(
    layer,
    optional={
        "edge_agent": system,
        "edge_hub": system,
        "registry_credentials": st.dictionaries(names, credentials, max_size=1),
        "store_and_forward_secs": st.integers(-1, 2**31 - 1),
    },
) | st.fixed_dictionaries(layer | {"layered": st.just(True)})


@pytest.mark.skipif(not SCHEMAS.exists(), reason=f"needs the public IoT Edge schemas in {SCHEMAS}")
def test_the_schemas_are_there_and_refuse_what_is_wrong() -> None:
    content = Deployment.model_validate({"modules": {"a": {"image": "x"}}}).content()
    assert schema_faults(content) == []
    content["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]["a"]["status"] = "asleep"
    assert len(schema_faults(content)) == 2


@DEEP
@given(deployments)
def test_every_deployment_that_the_model_takes_is_valid(values: dict[str, Any]) -> None:
    try:
        deployment = Deployment.model_validate(values)
    except ValidationError as error:
        # The only reason why these can be refused: they are too big for a twin.
        assert (
            "4096" in str(error) or "32768" in str(error) or "4 KB" in str(error) or "nested" in str(error)
        ), error
        assume(False)
        return
    content = json.loads(json.dumps(deployment.content()))
    assert _content_problem(content["modulesContent"]) == ""
    if not deployment.layered:
        assert schema_faults(content) == []
    again = parse_content(content)
    assert again.content() == content
    assert content_digest(again.content()) == content_digest(content)


@DEEP
@given(st.dictionaries(st.text(max_size=30), st.text(max_size=900) | st.integers(), max_size=12))
def test_create_options_survive_being_split(value: dict[str, Any]) -> None:
    text = twin.compact(value)
    assume(len(text) <= twin.CHUNK * twin.CHUNKS)
    pieces = twin.split(text)
    assert len(pieces) <= 8
    assert all(len(piece.encode()) <= 512 for piece in pieces.values())
    assert list(pieces) == sorted(pieces)
    assert json.loads(twin.join(pieces)) == value


def test_create_options_beyond_eight_pieces_are_refused() -> None:
    assert len(twin.split("x" * 4096)) == 8
    with pytest.raises(ValueError, match="4097 characters as JSON; a twin holds 8 x 512 = 4096"):
        twin.split("x" * 4097)
    with pytest.raises(ValidationError, match="8 x 512"):
        Deployment.model_validate({"modules": {"a": {"image": "x", "create_options": {"a": "ü" * 800}}}})


def test_pieces_are_joined_by_number_and_in_old_spelling() -> None:
    assert (
        twin.join({"image": "i", "createoptions": "a", "createOptions02": "c", "createOptions01": "b"})
        == "abc"
    )


def test_the_digest_does_not_depend_on_order_and_does_not_show_passwords() -> None:
    first = {"a": 1, "b": {"address": "r", "username": "u", "password": "secret"}}
    second = {"b": {"password": "secret", "username": "u", "address": "r"}, "a": 1}
    assert content_digest(first) == content_digest(second)
    assert content_digest(first) != content_digest(first | {"b": first["b"] | {"password": "other"}})


def test_the_runtime_images_of_a_version() -> None:
    agent, hub = runtime_modules("1.6")
    assert agent.image == "mcr.microsoft.com/azureiotedge-agent:1.6"
    assert hub.image == "mcr.microsoft.com/azureiotedge-hub:1.6"
    assert set(hub.create_options["HostConfig"]["PortBindings"]) == {"5671/tcp", "8883/tcp", "443/tcp"}


def test_too_big_for_one_twin() -> None:
    big = {f"m{number}": {"image": "x", "env": {"A": "y" * 900}} for number in range(40)}
    with pytest.raises(ValidationError, match=r"\$edgeAgent: takes \d+ bytes; .* hold 32768"):
        Deployment.model_validate({"modules": big})


# --- create options of a scoring module
# -----------------------------------------------------------------------


def test_the_options_of_a_scoring_module() -> None:
    given_options = ScoringOptions(
        port=8890,
        bind_address="127.0.0.1",
        cpu_cores=0.5,
        memory_gb=1.5,
        gpu="all",
        auth_enabled=True,
        keys_file="/etc/scoring/keys.json",
        cert_file="/etc/tls/tls.crt",
        key_file="/etc/tls-key/tls.key",
        mounts=(Mount(source="/data", target="/collected", writable=True),),
        extra={"HostConfig": {"LogConfig": None, "Memory": 5}, "Labels": {"a": "b"}},
    )
    made = create_options(given_options)
    host = made["HostConfig"]
    assert host["PortBindings"] == {"5001/tcp": [{"HostPort": "8890", "HostIp": "127.0.0.1"}]}
    assert host["NanoCpus"] == 500_000_000
    assert host["Memory"] == 5
    assert host["DeviceRequests"] == [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]
    assert host["Binds"] == [
        "/etc/scoring:/run/mldeploy/keys:ro",
        "/etc/tls:/run/mldeploy/cert:ro",
        "/etc/tls-key:/run/mldeploy/cert-key:ro",
        "/data:/collected:rw",
    ]
    assert "LogConfig" not in host
    assert host["CapDrop"] == ["ALL"]
    assert host["ReadonlyRootfs"] is True
    assert made["Labels"] == {"a": "b"}
    assert environment(given_options) == {
        "SERVING_HOST": "0.0.0.0",
        "SERVING_PORT": "5001",
        "SERVING_AUTH_ENABLED": "true",
        "SERVING_KEYS_FILE": "/run/mldeploy/keys/keys.json",
        "SERVING_SSL": '{"cert_file":"/run/mldeploy/cert/tls.crt",'
        '"key_file":"/run/mldeploy/cert-key/tls.key"}',
    }
    assert len(twin.split(twin.compact(made))) <= 8


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"port": 70000}, "port is 70000; allowed: 1 to 65535"),
        ({"cpu_cores": 0}, "cpu_cores is 0; allowed: 0.01 or more"),
        ({"memory_gb": 0.001}, "memory_gb is 0.001; allowed: 0.006 or more"),
        ({"gpu": 0}, "gpu is 0"),
        ({"auth_enabled": True}, "auth_enabled needs keys_file"),
        ({"cert_file": "/a/b"}, "go together"),
        ({"keys_file": "keys.json"}, "must be an absolute path"),
        ({"mounts": (Mount(source="/a/../b", target="/c"),)}, "must be an absolute path"),
    ],
)
def test_options_that_a_device_would_refuse(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        create_options(ScoringOptions(**wrong))


def test_merging_keeps_what_is_not_named() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": None, "e": 5}}) == {
        "a": {"b": 1, "e": 5},
        "d": 3,
    }
