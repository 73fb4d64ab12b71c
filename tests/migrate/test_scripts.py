"""Reading scripts: nothing is run, what is unknown is said, faults name the place."""

from pathlib import Path

import pytest

from mldeploy.migrate import MigrateError, Options, Outcome, migrate
from mldeploy.migrate.scripts import read_script
from mldeploy.migrate.v1 import SIGNATURES
from mldeploy.migrate.values import Choice, Unknown, Variable

HEAD = "from azureml.core.model import InferenceConfig, Model\nfrom azureml.core.webservice import LocalWebservice\n"


def script(tmp_path: Path, text: str, name: str = "deploy.py") -> Path:
    path = tmp_path / name
    path.write_text(HEAD + text)
    return path


def calls(tmp_path, text):
    return read_script(script(tmp_path, text), "deploy.py").stated


def test_nothing_is_run(tmp_path):
    trap = tmp_path / "trap"
    calls(
        tmp_path,
        f"open({str(trap)!r}, 'w').write('x')\nimport os\nos.mkdir({str(trap)!r})\nModel.register(ws, 'm', 'n')\n",
    )
    assert not trap.exists()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' + '-b'", "a-b"),
        ("f'{NAME}-{2}'", "churn-2"),
        ("os.path.join('a', 'b.pkl')", "a/b.pkl"),
        ("str(Path('a') / 'b')", "a/b"),
        ("SETTINGS['name']", "from-dict"),
        ("LIST[1]", "second"),
        ("'x' if FLAG else 'y'", Choice(("x", "y"))),
        ("os.environ['MODEL']", Variable("MODEL")),
        ("os.getenv('MODEL', 'd')", "d"),
        ("os.environ.get('MODEL')", Variable("MODEL")),
    ],
)
def test_values(tmp_path, expression, value):
    text = f"import os\nNAME = 'churn'\nSETTINGS = dict(name='from-dict')\nLIST = ['first', 'second']\nModel.register(ws, 'p', {expression})\n"  # noqa: E501
    assert calls(tmp_path, text)[0].get("model_name") == value


@pytest.mark.parametrize(
    "expression", ["args.name", "name()", "f'{x}'", "[n for n in y][0]", "lambda: 1", "a @ b"]
)
def test_what_cannot_be_known_is_unknown(tmp_path, expression):
    found = calls(tmp_path, f"Model.register(ws, 'p', {expression})\n")[0].get("model_name")
    assert isinstance(found, Unknown)
    assert found.where == "deploy.py:3"


def test_other_packages_models_are_not_v1s(tmp_path):
    text = "import keras\nmodel = keras.Model('x')\nmodel.deploy()\nx.Model.register('no')\nModel.register(ws, 'p', 'n')\n"  # noqa: E501
    assert [call.where for call in calls(tmp_path, text)] == ["deploy.py:7"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "deploy.py:3: no Python"),
        ("print('nothing')\n", "nothing in it registers or deploys a model"),
    ],
)
def test_faults(tmp_path, text, message):
    with pytest.raises(MigrateError, match=message):
        migrate([script(tmp_path, text)], Options(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "{", "x.json:1:2: no JSON"),
        ("x.json", "[]", "must be a mapping, not list"),
        (
            "x.json",
            '{"computeType": "vm"}',
            "computeType: 'vm' is no type of v1; allowed: aci, aks, aksendpoint, local",
        ),
        ("x.json", '{"other": 1}', "neither an inference config"),
        ("x.yml", "dependencies: [a]", "a conda file; give it with --conda"),
        ("x.yml", "a: [", "no YAML"),
        ("x.txt", "", "no v1 file; allowed: .py"),
        ("x.json", '{"entryScript": "score.py"}', "which models"),
        ("x.json", '{"computeType": "local"}', "given are 0 and 1"),
        ("x.ipynb", "{}", "no Jupyter notebook"),
        ("absent.py", None, "absent.py: No such file"),
    ],
)
def test_faulty_files(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(MigrateError, match=message):
        migrate([tmp_path / name], Options(tmp_path))


def test_a_path_outside_the_project_is_to_decide(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "model.pkl").write_text("x")
    found = migrate([script(root, "Model.register(ws, '../model.pkl', 'churn')\n")], Options(root))
    assert "is outside the project" in " ".join(f.why for f in found.by_outcome(Outcome.DECIDE))


def test_every_documented_parameter_has_a_row():
    """The signatures are v1's; a parameter without a row would be lost without a word."""
    from mldeploy.migrate import by_name

    owners = {"Webservice.deploy": None, "Webservice.deploy_from_model": None}
    for owner in ("InferenceConfig", "Model.register", "Run.register_model", "Model.deploy", "LocalWebservice",
                  "AciWebservice", "AksWebservice", "AksEndpoint", "AksCompute.provisioning_configuration",
                  "AksCompute.attach_configuration", "AksCompute.enable_ssl", "AmlCompute.provisioning_configuration",
                  "ParallelRunConfig", "ContainerImage.image_configuration", "Model"):  # fmt: skip
        assert owner not in owners
        missing = [name for name in SIGNATURES[owner] if by_name(owner, name) is None]
        assert not missing, f"{owner}: {missing}"
