"""Facts that stand in more than one place say the same everywhere."""

import ast
import platform
import tokenize
from itertools import pairwise
from pathlib import Path

import pytest

from components.kubernetes.workload import Workload
from mldeploy import doctor
from mldeploy.manifest import load
from mldeploy.manifest.kinds import kinds
from mldeploy.manifest.rules import keys
from mldeploy.manifest.service import Golden, Service
from mldeploy.migrate import json_files
from mldeploy.provider.common.golden_requests import GoldenRequest
from mldeploy.provider.framework.declare import fields_of
from mldeploy.provider.local.replica_fields import ReplicaFields
from serving.config import Config

ROOT = Path(__file__).parents[2]


def test_a_golden_answer_has_one_tolerance():
    assert fields_of(GoldenRequest)["tolerance"].about.default == Golden.model_fields["tolerance"].default


def _default(name):
    return Service.model_fields[name].default


@pytest.mark.parametrize(
    "name", ["scoring_timeout_ms", "max_request_wait_time", "replica_max_concurrent_requests"]
)
def test_the_server_and_the_pods_have_the_manifest_s_limits(name):
    assert Config.__dataclass_fields__[name].default == _default(name)
    assert Workload.__dataclass_fields__[name].default == _default(name)


def test_a_replica_drains_as_long_as_a_request_may_take():
    replica = ReplicaFields.decode({})
    assert (
        replica.drain_seconds
        == ReplicaFields.decode({"scoring_timeout_ms": _default("scoring_timeout_ms")}).drain_seconds
    )


def test_old_versions_are_kept_without_pods():
    texts = ((ROOT / "manifest.v1.schema.json").read_text(), (ROOT / "docs/kubernetes.md").read_text())
    assert all("scaled to zero" in text and "kept running" not in text for text in texts)


def test_doctor_says_what_the_readme_says_of_other_systems(monkeypatch):
    assert "You need Linux" in (ROOT / "README.md").read_text()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    found = doctor._system()
    assert found.level == "problem"
    assert "use Linux" in found.fix


def _run_together(source):
    """Lines where a text stands right after another one that is a statement of its own."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for one, following in pairwise(body) if isinstance(body, list) else ():
            if _is_text(one) and _is_text(following):
                yield following.lineno
    tokens = list(tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__))
    for before, one in pairwise(tokens):
        if (
            one.type == before.type == tokenize.STRING
            and one.string.startswith('"""')
            and before.string.endswith('"""')
        ):
            yield one.start[0]


def _is_text(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def test_docstrings_do_not_run_together():
    assert list(_run_together('a = 1\n"""One."""\n"""Two."""\n')) == [3]
    assert list(_run_together('"""One.""" """Two."""\n')) == [1]
    for folder in ("mldeploy", "components", "serving", "policy"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            assert list(_run_together(file.read_text("utf-8"))) == [], file


def test_the_importer_knows_the_services_that_types_take_over():
    taken = {name for one in kinds().values() for name in one.v1}
    assert {"AciWebservice", "AksWebservice", "LocalWebservice"} <= taken
    assert {name for name in json_files.services().values() if name.endswith("Webservice")} <= taken


def test_a_key_that_is_accepted_and_does_nothing_is_reported(tmp_path):
    for name in ("models/m.pkl", "scripts/score.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("def init(): pass\ndef run(data): return data\n")
    (tmp_path / "manifest.yaml").write_text(
        "version: 1\n"
        "models: {m: {source: models/m.pkl}}\n"
        "images: {i: {models: [m], source_directory: scripts, entry_script: score.py, base_image: 'python:3.12', "
        "platform: linux/arm64}}\n"
        "targets: {t: {type: local}}\n"
        "services: {s: {image: i, target: t, port: 8001}}\n"
    )
    assert [line.partition(": is not used on t: ")[0] for line in keys.unused(load(tmp_path, "local"))] == [
        "images.i.base_image", "images.i.platform",
    ]  # fmt: skip
