"""Models without an entry script: what they are, what they need, and that they answer."""

from __future__ import annotations

import json
import pickle
import textwrap
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mldeploy.artifacts import runtimes
from mldeploy.manifest import ManifestErrors, load
from tests.serving.conftest import Starter

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
FRAME = pd.DataFrame({"age": X[:, 0], "city": ["Bonn", "Kyoto"] * 10})
COLUMNS = make_pipeline(
    ColumnTransformer([("city", OneHotEncoder(), ["city"]), ("age", StandardScaler(), ["age"])]),
    LogisticRegression(),
).fit(FRAME, Y)
RIDGE = Ridge().fit(X, Y)


def ridge(path):
    path.write_bytes(pickle.dumps(RIDGE))


def onnx(path):
    from skl2onnx import to_onnx

    path.write_bytes(to_onnx(RIDGE, X[:1].astype(np.float32)).SerializeToString())


def onnx_columns(path):
    from skl2onnx import to_onnx

    rows = FRAME[:1].astype({"age": np.float32})
    path.write_bytes(to_onnx(COLUMNS, rows, options={"zipmap": False}).SerializeToString())


def mlflow_model(path):
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Doubles(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["x"] * 2

    signature = infer_signature(pd.DataFrame({"x": [1.5], "name": ["a"]}), pd.Series([3.0]))
    mlflow.pyfunc.save_model(
        path, python_model=Doubles(), signature=signature, pip_requirements=["mlflow==3.17.2", "numpy"]
    )


SKLEARN = f"scikit-learn=={sklearn.__version__}"
KINDS = {
    "pickle": ("m.pkl", ridge, "sklearn", {SKLEARN, "joblib"}),
    "joblib": ("m.joblib", lambda path: joblib.dump(RIDGE, path, compress=3), "sklearn", {SKLEARN, "joblib"}),
    "columns": ("m.pkl", lambda path: joblib.dump(COLUMNS, path), "sklearn", {SKLEARN, "joblib", "pandas"}),
    "onnx": ("m.onnx", onnx, "onnx", {"onnxruntime>=1.20,<2", "numpy"}),
    "mlflow": ("m", mlflow_model, "mlflow", {"mlflow-skinny==3.17.2", "numpy", "pandas"}),
    "xgboost json": (
        "m.json",
        lambda path: path.write_text('{"learner":{"x":1},"version":[3,2,0]}'),
        "xgboost",
        {"xgboost-cpu==3.2.0", "numpy"},
    ),
    "xgboost old": (
        "m.json",
        lambda path: path.write_text('{"learner":{"x":1},"version":[1,7,6]}'),
        "xgboost",
        {"xgboost-cpu>=2.1,<4", "numpy"},
    ),
    "lightgbm": (
        "m.txt",
        lambda path: path.write_text("tree\nversion=v4\n"),
        "lightgbm",
        {"lightgbm>=4,<5", "numpy"},
    ),
    "catboost": (
        "m.cbm",
        lambda path: path.write_bytes(b"CBM1" + bytes(40)),
        "catboost",
        {"catboost>=1.2,<2", "numpy"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_model_is_and_needs(kind, tmp_path):
    name, make, runtime, packages = KINDS[kind]
    make(tmp_path / name)
    found = runtimes.plan(tmp_path / name)
    assert found.runtime == runtime
    assert (
        packages <= set(found.packages) <= packages | {"numpy>=2", "dill"}
    )  # dill, where it is imported, is in what joblib writes
    other = "onnx" if runtime != "onnx" else "sklearn"
    with pytest.raises(runtimes.NoRuntimeError, match=f"not of runtime {other}"):
        runtimes.plan(tmp_path / name, other)


class Attack:
    def __reduce__(self):
        import os

        return os.system, ("true",)


class Own:
    pass


def swapped(old, new):
    return pickle.dumps(RIDGE, 2).replace(old, new)


VERSION = sklearn.__version__.encode()
REFUSED = {
    "text": (lambda path: path.write_text("hello"), "is no model of a known kind"),
    "attack": (
        lambda path: path.write_bytes(pickle.dumps([RIDGE, Attack()])),
        r"would call (posix|os)\.system",
    ),
    "own class": (lambda path: path.write_bytes(pickle.dumps(Own())), "needs the module 'tests'"),
    "old": (
        lambda path: path.write_bytes(swapped(VERSION, b"0.9" + b"0" * (len(VERSION) - 3))),
        r"scikit-learn 0\.90*, which has no package for Python 3\.1\d",
    ),
    "no version": (
        lambda path: path.write_bytes(swapped(b"_sklearn_version", b"_another_version")),
        "does not say which",
    ),
    "cut": (lambda path: path.write_bytes(pickle.dumps(RIDGE)[:-9]), "cut off"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_scored_without_a_script(kind, tmp_path):
    make, message = REFUSED[kind]
    make(tmp_path / "m.pkl")
    with pytest.raises(runtimes.NoRuntimeError, match=message):
        runtimes.plan(tmp_path / "m.pkl")


def test_other_kinds_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"")
    with pytest.raises(runtimes.NoRuntimeError, match="is a PyTorch model: it needs an entry script"):
        runtimes.plan(tmp_path / "m.pt")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/saved_model.pb").write_bytes(b"")
    with pytest.raises(runtimes.NoRuntimeError, match="is a TensorFlow model"):
        runtimes.plan(tmp_path / "saved")


# -- they answer ----


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A replica for a kind of model, started once."""
    starter, running = Starter(), {}

    def serve(kind):
        if kind not in running:
            root = tmp_path_factory.mktemp("project")
            home = root / "azureml-models/churn/1"
            home.mkdir(parents=True)
            name, make, *_ = ALL[kind]
            make(home / name)
            made = runtimes.fill(root, "churn", "churn", runtimes.plan(home / name))
            source = root / made.source_directory
            files = {"source/payload.py": (source / "payload.py").read_text()}
            text = (source / made.entry_script).read_text()
            running[kind] = starter(text, files=files, model_dir=str(home), models={"churn": "1"})
        return running[kind]

    yield serve
    for one in starter.replicas:
        one.clean()


ALL = {**KINDS, "onnx columns": ("m.onnx", onnx_columns, "onnx", set())}
ROWS = X[:2].tolist()
NUMBERS = [
    {"data": ROWS},
    {"inputs": ROWS},
    {"instances": ROWS},
    {"input_data": {"columns": [0, 1], "index": [0, 1], "data": ROWS}},
    ROWS,
]
PEOPLE = FRAME[:2]
TABLES = [
    {"dataframe_split": json.loads(PEOPLE.to_json(orient="split"))},
    {"dataframe_records": json.loads(PEOPLE.to_json(orient="records"))},
    {"data": json.loads(PEOPLE.to_json(orient="records"))},
    {"inputs": {"city": ["Bonn", "Kyoto"], "age": [0, 2]}},
    {"data": [[0, "Bonn"], [2, "Kyoto"]]},
]


@pytest.mark.parametrize("body", NUMBERS, ids=lambda body: json.dumps(body)[:20])
@pytest.mark.parametrize("kind", ["pickle", "onnx"])
def test_rows_of_numbers_in_every_shape(served, kind, body):
    answer = served(kind).score(body)
    assert answer.status == 200, answer.body
    assert np.ravel(answer.json["predictions"]) == pytest.approx(RIDGE.predict(X[:2]), rel=1e-5)


@pytest.mark.parametrize("body", TABLES, ids=lambda body: next(iter(body)))
def test_columns_in_every_shape(served, body):
    answer = served("columns").score(body)
    assert answer.status == 200, answer.body
    assert answer.json["predictions"] == COLUMNS.predict(PEOPLE).tolist()


def test_csv_methods_and_several_inputs(served):
    text = PEOPLE.to_csv(index=False)
    csv = served("columns").request("/score", text, {"Content-Type": "text/csv"})
    assert csv.json["predictions"] == COLUMNS.predict(PEOPLE).tolist()
    asked = served("columns").score({**TABLES[0], "method": "predict_proba"})
    assert asked.json["predict_proba"] == pytest.approx(COLUMNS.predict_proba(PEOPLE))
    found = served("onnx columns").score({"dataframe_records": json.loads(PEOPLE.to_json(orient="records"))})
    assert found.json["predictions"]["label"] == COLUMNS.predict(PEOPLE).tolist()


def test_an_mlflow_model_and_its_signature(served):
    one = served("mlflow")
    assert one.score({"dataframe_records": [{"name": "a", "x": 2}]}).json == {"predictions": [4.0]}
    answer = one.score({"dataframe_records": [{"name": "a", "x": "two"}]})
    assert answer.status == 400 and "x" in answer.json["error"]


BAD = [
    ("columns", {"data": [{"age": 1}]}, "column 'city' is missing; the model takes: age, city"),
    ("columns", {"data": [{"age": 1, "town": "Bonn"}]}, "column 'city' is missing (there is 'town')"),
    (
        "columns",
        {"data": [{"age": 1, "city": "Bonn", "x": 1}]},
        "column 'x' is none of the model's: age, city",
    ),
    ("columns", {"data": [{"age": "old", "city": "Bonn"}]}, "the model does not take it: "),
    ("columns", {"data": [{"age": 1, "city": "Bonn"}, {"age": 1}]}, "row 1 has no value for column 'city'"),
    ("pickle", {"data": [[1]]}, "row 0 has 1 values; the model takes 2"),
    ("pickle", {"data": [[1, "two"]]}, "row 0, column 1: 'two' is no number"),
    ("pickle", {"data": []}, "at least one row"),
    ("pickle", {"rows": [[1, 2]]}, "has none of data, inputs"),
    (
        "pickle",
        {"data": [[1, 2]], "method": "__class__"},
        "method '__class__' is none of the model's: predict",
    ),
    ("onnx", {"data": [[1, "two"]]}, "takes tensor(float)"),
    ("onnx", {"data": [[1, 2, 3]]}, "row 0 has 3 values; the model takes 2"),
]


@pytest.mark.parametrize(("kind", "body", "message"), BAD)
def test_what_does_not_fit_is_the_clients_error(served, kind, body, message):
    answer = served(kind).score(body)
    assert answer.status == 400, answer.body
    assert message in answer.json["error"]


# -- in the manifest ----

MANIFEST = """
version: 1
models: {churn: {source: churn.pkl}}
images: {churn: {models: [churn]%s}}
targets: {here: {type: local}}
services: {churn: {image: churn, target: here, port: 18431}}
"""


def manifest(root, more=""):
    (root / "manifest.yaml").write_text(textwrap.dedent(MANIFEST) % more)
    (root / "manifest.local.yaml").write_text("version: 1\n")
    return load(root, "local")


def test_a_manifest_needs_no_script(tmp_path):
    ridge(tmp_path / "churn.pkl")
    image = manifest(tmp_path).images["churn"]
    assert (image.source_directory, image.entry_script, image.runtime) == (
        "build/runtimes/churn",
        "score.py",
        "python",
    )
    folder = tmp_path / image.source_directory
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(before) == {"score.py", "payload.py", "conda.yml"}
    assert SKLEARN in (folder / "conda.yml").read_text()
    assert manifest(tmp_path).images["churn"] == image
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (tmp_path / "mine.yml").write_text("dependencies: [pip: [scikit-learn==1.5.0]]\n")
    manifest(tmp_path, ", conda_file: mine.yml")
    assert "1.5.0" in (folder / "conda.yml").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (", runtime: onnx", "images.churn.runtime: churn.pkl is a pickle, not of runtime onnx"),
        (", entry_script: score.py", "images.churn.entry_script: is given without source_directory"),
        (", source_directory: src", "images.churn.source_directory: is given without entry_script"),
    ],
)
def test_faults_have_their_line(tmp_path, more, message):
    ridge(tmp_path / "churn.pkl")
    (tmp_path / "src").mkdir()
    with pytest.raises(ManifestErrors) as caught:
        manifest(tmp_path, more)
    assert message in str(caught.value)
    assert "manifest.yaml:4:" in str(caught.value)
