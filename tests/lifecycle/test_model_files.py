"""A folder with only a model, for each kind: init, up, the right answer, and 400s; nothing is written by hand.

Each model is trained by its library in an environment of its own, which is downloaded: make test-reliability.
"""

import json
import os
import socket
import subprocess
import sys
import textwrap

import pytest
from uv import find_uv_bin

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(1200)]  # environments are downloaded

COMMON = """
import json, pathlib
import numpy as np
X = np.arange(80.0).reshape(40, 2) / 10
Y = (X[:, 0] > 4).astype(int)
ROWS = X[[3, 30]]
def answer(found):
    pathlib.Path("answer.json").write_text(json.dumps(np.asarray(found).tolist()))
"""
FRAME = """
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
table = pd.DataFrame({"age": X[:, 0], "city": ["Bonn", "Kyoto"] * 20})
model = make_pipeline(
    ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough"), LogisticRegression()
).fit(table, Y)
"""
ROWS = {"data": [[0.6, 0.7], [6.0, 6.1]]}
TABLE = {"dataframe_records": [{"age": 0.6, "city": "Kyoto"}, {"city": "Bonn", "age": 6.0}]}
NUMBER = ({"data": [[1, "two"]]}, "'two'")
COLUMN = ({"dataframe_records": [{"age": 1, "town": "Bonn"}]}, "city")
SKLEARN = "from sklearn.linear_model import LogisticRegression; model = LogisticRegression().fit(X, Y)\n"
KINDS = {
    "pickle": (
        ["scikit-learn"],
        SKLEARN + "import pickle; pickle.dump(model, open('m.pkl', 'wb')); answer(model.predict(ROWS))",
        ("m.pkl", ROWS, NUMBER),
    ),
    "an older pickle": (
        ["scikit-learn==1.5.2", "numpy<2.3"],
        SKLEARN + "import pickle; pickle.dump(model, open('m.pkl', 'wb')); answer(model.predict(ROWS))",
        ("m.pkl", ROWS, NUMBER),
    ),
    "joblib": (
        ["scikit-learn"],
        SKLEARN + "import joblib; joblib.dump(model, 'm.joblib', compress=3); answer(model.predict(ROWS))",
        ("m.joblib", ROWS, NUMBER),
    ),
    "skops": (
        ["scikit-learn", "skops"],
        SKLEARN + "import skops.io; skops.io.dump(model, 'm.skops'); answer(model.predict(ROWS))",
        ("m.skops", ROWS, NUMBER),
    ),
    "columns": (
        ["scikit-learn", "pandas"],
        FRAME + "import joblib; joblib.dump(model, 'm.pkl'); answer(model.predict(table.iloc[[3, 30]]))",
        ("m.pkl", TABLE, COLUMN),
    ),
    "mlflow sklearn": (
        ["scikit-learn", "pandas", "mlflow-skinny==3.17.2", "skops"],
        FRAME + "import mlflow.sklearn; from mlflow.models import infer_signature\n"
        "mlflow.sklearn.save_model(model, 'm', signature=infer_signature(table, Y))\n"
        "answer(model.predict(table.iloc[[3, 30]]))",
        ("m", TABLE, COLUMN),
    ),
    "onnx": (
        ["scikit-learn", "skl2onnx", "onnx<1.20"],
        SKLEARN + "from skl2onnx import to_onnx\n"
        "made = to_onnx(model, X[:1].astype('float32'), options={'zipmap': False})\n"
        "open('m.onnx', 'wb').write(made.SerializeToString()); answer(model.predict(ROWS))",
        ("m.onnx", ROWS, NUMBER),
    ),
    "xgboost": (
        ["xgboost-cpu", "scikit-learn"],
        "import xgboost\nmodel = xgboost.train({'max_depth': 2}, xgboost.DMatrix(X, Y), 5)\n"
        "model.save_model('m.json'); answer(model.predict(xgboost.DMatrix(ROWS)))",
        ("m.json", ROWS, NUMBER),
    ),
    "lightgbm": (
        ["lightgbm"],
        "import lightgbm\nmodel = lightgbm.train({'min_data_in_leaf': 2, 'verbose': -1}, lightgbm.Dataset(X, Y), 5)\n"
        "model.save_model('m.txt'); answer(model.predict(ROWS))",
        ("m.txt", ROWS, NUMBER),
    ),
    "catboost": (
        ["catboost"],
        "import catboost\nmodel = catboost.CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False)\n"
        "model.fit(X, Y); model.save_model('m.cbm'); answer(model.predict(ROWS))",
        ("m.cbm", ROWS, NUMBER),
    ),
}


def mldeploy(folder, *arguments, code=0):
    environment = {**os.environ, "MLDEPLOY_HOME": str(folder / ".home")}
    done = subprocess.run(
        [sys.executable, "-m", "mldeploy", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_with_only_a_model(kind, tmp_path):
    packages, code, (name, request, (wrong, said)) = KINDS[kind]
    (tmp_path / "train.py").write_text(textwrap.dedent(COMMON) + code)
    with_packages = [part for one in packages for part in ("--with", one)]
    uv = [find_uv_bin(), "run", "--quiet", "--no-project", "--python", sys.executable]
    subprocess.run([*uv, *with_packages, "python", "train.py"], cwd=tmp_path, check=True)
    right = json.loads((tmp_path / "answer.json").read_text())
    mldeploy(tmp_path, "init", name)
    manifest = (tmp_path / "manifest.yaml").read_text()
    (tmp_path / "manifest.yaml").write_text(manifest.replace("port: 8890", f"port: {free_port()}"))
    try:
        mldeploy(tmp_path, "up", "--yes", "--engine", "embedded")
        (tmp_path / "request.json").write_text(json.dumps(request))
        answer = json.loads(mldeploy(tmp_path, "score", "m", "--data", "request.json"))["predictions"]
        if isinstance(answer, dict):
            answer = answer["label"]
        assert [float(one) for one in answer] == pytest.approx([float(one) for one in right], rel=1e-4)
        (tmp_path / "wrong.json").write_text(json.dumps(wrong))
        refused = mldeploy(tmp_path, "score", "m", "--data", "wrong.json", code=1)
        assert said in refused and "HTTP 400" in refused
    finally:
        mldeploy(tmp_path, "destroy", "--yes", "--engine", "embedded")
