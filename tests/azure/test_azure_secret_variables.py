"""Secret environment variables of an image: in no build context, and secret where a container gets them."""

import pulumi
import yaml

from components.compose import compose
from mldeploy.manifest import load
from mldeploy.values.property_value import Secret
from tests.azure import harness, programs

SECRET = "5ecret-of-the-script"


def test_container_instances_get_them_as_secure_values(tmp_path):
    def program():
        return programs.aci(secret_environment={"TOKEN": pulumi.Output.secret(SECRET)})

    recorded = harness.run(program, tmp_path)
    assert recorded.error is None
    assert not recorded.faults
    (group,) = recorded.of("ContainerGroup")
    (variable,) = [v for v in _variables(group.inputs) if v["name"] == "TOKEN"]
    assert isinstance(variable["secureValue"], Secret)
    assert variable["secureValue"].value == SECRET
    assert "value" not in variable


def _variables(inputs):
    (container,) = _open(inputs["containers"])
    return [_open(variable) for variable in _open(_open(container)["environmentVariables"])]


def _open(value):
    return value.value if isinstance(value, Secret) else value


def test_no_build_context_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHURN_TOKEN", SECRET)
    (tmp_path / "m.pkl").write_text("m")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/score.py").write_text("def init(): pass\ndef run(data): return data\n")
    variables = {"PLAIN": "as it is", "CHURN_TOKEN": {"env": "CHURN_TOKEN"}}
    image = {"models": ["m"], "source_directory": "scripts", "entry_script": "score.py"}
    manifest = {
        "version": 1,
        "azure": {"location": "westeurope"},
        "models": {"m": {"source": "m.pkl"}},
        "images": {"i": {**image, "environment_variables": variables}},
        "targets": {"dev": {"type": "aci"}},
        "services": {"s": {"image": "i", "target": "dev", "auth_enabled": True}},
    }
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    recorded = harness.run(lambda: compose(load(tmp_path, "dev")) and None, tmp_path / "cloud", root=tmp_path)
    assert recorded.error is None
    texts = [path.read_bytes() for path in (tmp_path / "build").rglob("*") if path.is_file()]
    assert any(b"as it is" in text for text in texts)
    assert not any(SECRET.encode() in text or b"CHURN_TOKEN" in text for text in texts)
    names = {v["name"] for v in _variables(recorded.of("ContainerGroup")[0].inputs)}
    assert "CHURN_TOKEN" in names
