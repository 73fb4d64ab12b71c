"""`mldeploy doctor`: problems have fixes, and no secret is said."""

import json
import re
from inspect import get_annotations
from pathlib import Path

from mldeploy.cli.app import run as command
from mldeploy.doctor import examine
from mldeploy.manifest.base import Section
from mldeploy.manifest.kinds import kinds
from mldeploy.manifest.secret_refs import NO_REFERENCES
from mldeploy.provider.local import containers
from mldeploy.session import Session

ROOT = Path(__file__).resolve().parents[2]
NOTHING = {"PATH": ""}


def project(tmp_path, extra=""):
    (tmp_path / "Pulumi.yaml").write_text("name: t\nruntime: python\n")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "score.py").write_text("")
    (tmp_path / "m.pkl").write_text("m")
    (tmp_path / "manifest.yaml").write_text(
        "version: 1\nmodels: {m: {source: m.pkl}}\n"
        "images: {i: {models: [m], source_directory: scripts, entry_script: score.py}}\n" + extra
    )
    return tmp_path


def found(session, environment=NOTHING, which=lambda name: None):
    return {finding.what: finding for finding in examine(session, environment, which)}


def test_local(tmp_path):
    root = project(
        tmp_path, "targets: {here: {type: local}}\nservices: {s: {image: i, target: here, port: 8890}}\n"
    )
    findings = found(Session(root, "local"))
    assert {f.level for f in findings.values()} <= {"ok", "note"}
    assert findings["manifest"].found == "1 services on local"
    assert "embedded engine" in findings["Pulumi CLI"].found


def test_azure_without_anything(tmp_path):
    root = project(
        tmp_path,
        "azure: {location: westeurope}\ntargets: {c: {type: aci}}\n"
        "services: {s: {image: i, target: c, auth_enabled: true, primary_key: {env: MY_SERVICE_KEY}}}\n",
    )
    findings = found(Session(root, "prod"))
    problems = {name for name, finding in findings.items() if finding.level == "problem"}
    assert problems >= {"docker", "Azure login", "passphrase", "{env: MY_SERVICE_KEY}"}
    assert all(finding.fix for finding in findings.values() if finding.level != "ok")


def test_values_of_secrets_are_never_said(tmp_path):
    root = project(
        tmp_path,
        "azure: {location: westeurope, builder: acr}\ntargets: {c: {type: aci}}\n"
        "services: {s: {image: i, target: c, auth_enabled: true, primary_key: {env: MY_SERVICE_KEY}}}\n",
    )
    environment = {
        "MY_SERVICE_KEY": "hush-1",
        "PULUMI_CONFIG_PASSPHRASE": "hush-2",
        "ARM_CLIENT_ID": "id",
        "ARM_CLIENT_SECRET": "hush-3",
    }
    findings = found(Session(root, "prod"), environment)
    assert "hush" not in json.dumps([finding.to_json() for finding in findings.values()])
    assert not [f for f in findings.values() if f.level == "problem"]


def test_faulty_manifest(tmp_path, capsys):
    root = project(tmp_path, "targets: {here: {type: lokal}}\n")
    assert command(["doctor", "-C", str(root)]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM  manifest: " in out
    assert "fix: run `mldeploy validate`" in out


def test_containers_on_this_machine(tmp_path, monkeypatch):
    root = project(
        tmp_path,
        "targets: {here: {type: local, runtime: docker}}\n"
        "services: {s: {image: i, target: here, port: 8890}}\n",
    )
    monkeypatch.setattr(containers, "fault", lambda: "no engine today")
    finding = found(Session(root, "local"))["targets.here"]
    assert (finding.level, finding.found, finding.fix) == (
        "problem", "no engine today", "or write `runtime: process`",
    )  # fmt: skip
    monkeypatch.setattr(containers, "fault", lambda: None)
    assert found(Session(root, "local"))["targets.here"].level == "ok"


def test_a_label_names_no_secret():
    for stack in ("dev", "prod"):
        assert not [what for what in found(Session(ROOT, stack)) if "env:" in what]


def test_every_key_of_free_texts_is_known_to_hold_no_references():
    kinds()  # the sections of all types

    def sections(of):
        for one in of.__subclasses__():
            yield one
            yield from sections(one)

    free = {
        name
        for section in sections(Section)
        for name, text in get_annotations(section).items()
        if re.search(r"\b(Labels|FreeForm)\b", str(text))
    }
    assert free == NO_REFERENCES
