"""What `validate` says of scripts, packages and models from years ago, before anything is made."""

import pickle
import textwrap

import pytest

from mldeploy.manifest import ManifestErrors, load, load_with_notes

MANIFEST = """
version: 1
models: {m: {source: model.pkl}}
images: {m: {models: [m], source_directory: src, entry_script: score.py, conda_file: conda.yml}}
targets: {here: {type: local}, contained: {type: local, runtime: docker}}
services: {s: {image: m, target: %s, port: 8001}}
"""
SCRIPT = "def init(): pass\ndef run(raw): return raw\n"


def stub(name, version="1.5.2"):
    """A pickle of an object of that class with scikit-learn's version in its state."""
    module, _, last = name.rpartition(".")
    state = pickle.dumps({"_sklearn_version": version}, 2)[2:-1]
    return b"\x80\x02c" + f"{module}\n{last}\n".encode() + b")\x81" + state + b"b."


def project(root, *, script=SCRIPT, conda="dependencies: []\n", model=b"model", target="here", **modules):
    (root / "src").mkdir()
    (root / "src/score.py").write_text(textwrap.dedent(script))
    (root / "src/conda.yml").write_text(conda)
    (root / "model.pkl").write_bytes(model)
    for name, text in modules.items():
        (root / f"src/{name}.py").write_text(text)
    (root / "manifest.yaml").write_text(MANIFEST % target)
    (root / "manifest.local.yaml").write_text("version: 1\n")
    return root


class Attack:
    def __reduce__(self):
        import os

        return os.system, ("true",)


FAULTS = {
    "import": (
        {"script": f"from sklearn.ensemble.forest import RandomForestClassifier\n{SCRIPT}"},
        "images.m.entry_script: src/score.py:1: sklearn.ensemble.forest.RandomForestClassifier cannot be imported",
    ),
    "import in init": (
        {"script": "def init():\n    import cPickle\ndef run(raw): return raw\n"},
        "src/score.py:2: cPickle cannot be imported: Python 2: write `import pickle`",
    ),
    "import of its own module": (
        {"script": f"import helper\n{SCRIPT}", "helper": "\nfrom collections import Mapping\n"},
        "src/helper.py:2: collections.Mapping cannot be imported: moved in Python 3.10",
    ),
    "old pin": (
        {"conda": "dependencies: [{pip: [numpy==1.16.2]}]\n"},
        "images.m.conda_file: src/conda.yml:1: numpy==1.16.2: 1.16.2 has no wheel",
    ),
    "old pin in an image": (
        {"conda": "dependencies: [{pip: [numpy==1.16.2]}]\n", "target": "contained"},
        "images.m.conda_file: src/conda.yml:1: numpy==1.16.2: 1.16.2 has no wheel",
    ),
    "old Python in an image": (
        {"conda": "dependencies: [python=3.6.2]\n", "target": "contained"},
        "allowed are Python 3.10 to 3.13; remove the line or use 3.11",
    ),
    "AutoML": (
        {"conda": "dependencies: [{pip: [azureml-train-automl-runtime==1.38.0]}]\n"},
        "azureml-train-automl-runtime has no version for Python 3.10 and later",
    ),
    "class that is gone": (
        {"model": stub("sklearn.linear_model.ridge.Ridge", "0.20.3")},
        "models.m.source: model.pkl holds a sklearn.linear_model.ridge.Ridge of scikit-learn 0.20.3",
    ),
    "trees": (
        {
            "model": stub("sklearn.tree._tree.Tree", "1.2.2"),
            "conda": "dependencies: [scikit-learn==1.5.1]\n",
        },
        "model.pkl holds trees of scikit-learn 1.2.2, which 1.5.1 cannot load",
    ),
    "attack": ({"model": pickle.dumps(Attack(), 2)}, "system when it is loaded, which no model needs"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_run_is_refused(name, tmp_path):
    given, message = FAULTS[name]
    with pytest.raises(ManifestErrors) as caught:
        load(project(tmp_path, **given), "local")
    assert message in str(caught.value)
    assert all(error.line for error in caught.value.errors)


FINE = {
    "joblib of scikit-learn": {"script": f"from sklearn.externals import joblib\n{SCRIPT}"},
    "tried": {"script": f"try:\n    import cPickle\nexcept ImportError:\n    import pickle\n{SCRIPT}"},
    "a module of its own": {"script": f"import Queue\n{SCRIPT}", "Queue": ""},
    "v1's own": {"script": f"from azureml.core.model import Model\n{SCRIPT}"},
    "trees of its version": {
        "model": stub("sklearn.tree._tree.Tree", "1.2.2"),
        "conda": "dependencies: [scikit-learn==1.2.2]\n",
    },
}


@pytest.mark.parametrize("name", FINE)
def test_what_can_run_is_not(name, tmp_path):
    manifest, notes = load_with_notes(project(tmp_path, **FINE[name]), "local")
    assert manifest.images and notes == []


def test_what_may_fail_is_noted_with_its_place(tmp_path):
    _, notes = load_with_notes(project(tmp_path, model=stub("sklearn.pipeline.Pipeline", "0.24.1")), "local")
    assert [str(one).partition(", and ")[0] for one in notes] == [
        "manifest.yaml:3:14: models.m.source: model.pkl was made by scikit-learn 0.24.1"
    ]
