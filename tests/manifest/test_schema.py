"""The JSON Schema that editors use: committed, complete, and of one mind with the loader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from mldeploy.manifest import schema
from tests.manifest.good import EVERYTHING
from tests.manifest.test_good import EXAMPLE

REPOSITORY = Path(__file__).parents[2]
BAD = Path(__file__).parent / "bad"
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def faults(text: str) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_committed_file_is_current() -> None:
    committed = (REPOSITORY / "manifest.v1.schema.json").read_text("utf-8")
    assert committed == json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n", "run `make schema`"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    names = set(SCHEMA["$defs"])
    used = set(references(SCHEMA))
    assert used == names


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].removeprefix("#/$defs/")
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_everything_is_described() -> None:
    for name, definition in {**SCHEMA["$defs"], "": SCHEMA}.items():
        assert definition.get("description"), name
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
            assert "title" not in value


@pytest.mark.parametrize("text", [EVERYTHING, EXAMPLE], ids=["everything", "example"])
def test_good_manifests(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    "name", ["manifest.yaml", "manifest.local.yaml", "manifest.dev.yaml", "manifest.prod.yaml"]
)
def test_the_repository_s_own_manifests(name: str) -> None:
    text = (REPOSITORY / name).read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=manifest.v1.schema.json")
    assert faults(text) == []


def test_overlays_may_be_partial_and_remove() -> None:
    over = """\
models: {m: {version: null}, old: null}
images: {one: {base_image: null, environment_variables: {MODE: null}}}
targets: {cluster: {create: {agent_count: 5, pools: null}}, here: null, nightly: null}
services: {a: {port: null, ssl: {key: null}, autoscale: null, collect_model_data: true}, b: null}
azure: {registry: {sku: null}}
"""
    assert faults(over) == []


EDITORS_SEE = [
    "aks-keys-beside-create",
    "aks-kubernetes-version-fraction",
    "aks-purpose",
    "aks-zone",
    "autoscale-utilization",
    "batch-settings",
    "collect-sampling",
    "edge-hub-name",
    "edge-module",
    "entry-is-a-text",
    "image-models-text",
    "image-name-in-capitals",
    "image-runtime",
    "key-in-clear",
    "key-reference-double",
    "key-reference-unknown",
    "local-runtime-unknown",
    "model-tags-list",
    "model-v1-key",
    "model-version-fraction",
    "name-with-slash",
    "registry-password-in-clear",
    "registry-with-scheme",
    "rollout-bake",
    "rollout-strategy",
    "section-is-a-list",
    "service-unknown-key",
    "service-v1-key",
    "service-wrong-types",
    "ssl-cname",
    "target-fpga",
    "target-is-a-text",
    "target-key-of-another-type",
    "toleration",
    "unknown-section",
    "version-as-text",
    "wrong-version",
]


@pytest.mark.parametrize("fault", EDITORS_SEE)
def test_editors_see_these_faults_too(fault: str) -> None:
    assert faults((BAD / fault / "manifest.yaml").read_text("utf-8"))
