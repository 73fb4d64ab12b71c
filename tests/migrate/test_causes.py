"""One input a cause: the manifest says what v1's script said, the report the rest, and `validate` has no other word."""

import json
import pickle
import re

import pytest
import yaml
from sklearn.linear_model import Ridge

from mldeploy.manifest import ManifestErrors, load
from mldeploy.migrate import MigrateError, Options, Outcome, migrate
from mldeploy.migrate.account import sites
from tests.migrate import causes, causes_scripts
from tests.migrate.cases import SUPPORT, write

GROUPS = {
    "notebook": causes.NOTEBOOKS,
    "shell": causes.SHELL,
    "image": causes.OLD_IMAGES,
    "values": causes_scripts.VALUES,
    "packages": causes_scripts.PACKAGES,
    "branches": causes_scripts.BRANCHES,
    "functions": causes_scripts.FUNCTIONS,
    "updates": causes_scripts.UPDATES,
    "rest": causes_scripts.REST,
}
ALL = {f"{group}-{name}": cause for group, found in GROUPS.items() for name, cause in found.items()}
FILES = {
    **SUPPORT,
    "ic.json": json.dumps({"entryScript": "score.py", "sourceDirectory": "source", "condaFile": "conda.yml"}),
    "dc.json": json.dumps(
        {"computeType": "ACI", "containerResourceRequirements": {"cpu": 1, "memoryInGB": 1.5}}
    ),
    "aks.json": json.dumps({"computeType": "AKS", "numReplicas": 2}),
    "settings.json": json.dumps({"name": "churn", "path": "model.pkl"}),
    "common.py": "from azureml.core.model import InferenceConfig\nNAME = 'churn'\n"
    "def config():\n    return InferenceConfig('score.py', source_directory='source')\n",
    "ridge.pkl": pickle.dumps(Ridge()).decode("latin-1"),
    "net.onnx": "",
    "source/old.yml": "dependencies:\n  - python=3.6.2\n  - scikit-learn=0.22.2.post1\n"
    "  - pip: [azureml-sdk==1.0.43]\n",
}


def project(root, source):
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode("latin-1"))
    if isinstance(source, list):
        cells = [{"cell_type": "code", "source": text.splitlines(keepends=True)} for text in source]
        script, text = root / "deploy.ipynb", json.dumps({"cells": cells})
    else:
        script, text = root / ("deploy.sh" if source.startswith("#!") else "deploy.py"), source
    script.write_text(text)
    return script


def test_there_are_enough():
    assert len(ALL) >= 60


@pytest.mark.parametrize("name", ALL)
def test_cause(name, tmp_path):
    source, facts, lines = ALL[name]
    script = project(tmp_path, source)
    found = migrate([script], Options(tmp_path, location="westeurope"))
    for fact in facts:
        _fact(fact, found.documents)
    report = [f"{one.outcome.value} {one.where}: {one.what}: {one.why}" for one in found.findings]
    for line in lines:
        kind, _, rest = line.partition("*")
        start, _, text = rest.partition(": ") if ": " in rest else ("", "", rest.removeprefix(": "))
        assert any(one.startswith(kind) and f"{start.strip()}: " in one and text in one for one in report), (
            f"{line}\n" + "\n".join(report)
        )
    said = {one.where for one in found.findings}
    assert not [site for site in sites(script) if site.where not in said]
    _valid(found, tmp_path)


def _fact(fact, documents):
    absent = fact.startswith("no ")
    stack, path, *value = re.split(r" = | ", fact.removeprefix("no "), maxsplit=2)
    here = documents.get("manifest.yaml" if stack == "base" else f"manifest.{stack}.yaml", {})
    rest = path
    while rest and isinstance(here, dict):
        key = next((key for key in here if rest == key or rest.startswith(f"{key}.")), None)
        if key is None:
            here = None
            break
        here, rest = here[key], rest[len(key) + 1 :]
    assert (here is None) if absent else (here == yaml.safe_load(value[0])), f"{fact}: {here!r}"


def _valid(found, root):
    write(found, root)
    decided = [one.to for one in found.findings if one.outcome in (Outcome.DECIDE, Outcome.UNREAD) and one.to]
    for stack in found.stacks:
        try:
            load(root, stack)
        except ManifestErrors as errors:
            left = [
                str(one)
                for one in errors.errors
                if "still to be decided" not in one.message
                and not any(one.path.startswith(to) for to in decided)
            ]
            assert not left, "\n".join(left)


def test_fpga_alone_is_refused(tmp_path):
    script = tmp_path / "deploy.py"
    script.write_text(
        causes.HEAD
        + "ComputeTarget.create(ws, 'f', AksCompute.provisioning_configuration(vm_size='Standard_PB6s'))\n"
    )
    with pytest.raises(MigrateError, match="FPGA service is retired"):
        migrate([script], Options(tmp_path))


def test_no_secret_of_a_script_is_shown(tmp_path):
    secret = "hunter2hunter2hunter2"
    script = project(
        tmp_path,
        causes.HEAD
        + causes.MODEL
        + causes.CONFIG
        + f"k = '{secret}' if prod else '{secret}x'\n"
        + f"reg(password='{secret}')\nprint 'token={secret}'\n"
        + f"aci = AciWebservice.deploy_configuration(auth_enabled=True, primary_key=k, tags=reg(password='{secret}'))\n"
        + causes.DEPLOY,
    )
    found = migrate([script], Options(tmp_path))
    shown = "".join(found.files.values()) + str([one.to_json() for one in found.findings])
    assert secret not in shown
