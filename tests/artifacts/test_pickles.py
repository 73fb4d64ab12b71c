"""What a pickle says of itself, and that nothing of it runs."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mldeploy.artifacts.pickles import PickleError, looks_like_pickle, read_pickle

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20) % 2
FRAME = pd.DataFrame({"age": X[:, 0], "city": ["Bonn", "Kyoto"] * 10})
MODELS = {
    "ridge": Ridge().fit(X, Y),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
    "forest": RandomForestClassifier(5).fit(X, Y),
    "columns": make_pipeline(
        ColumnTransformer([("city", OneHotEncoder(), ["city"]), ("age", StandardScaler(), ["age"])]),
        LogisticRegression(),
    ).fit(FRAME, Y),
}
WAYS = {
    **{f"pickle {n}": (lambda model, path, n=n: path.write_bytes(pickle.dumps(model, n))) for n in (2, 4, 5)},
    **{
        f"joblib {way}": (lambda model, path, way=way: joblib.dump(model, path, compress=way))
        for way in (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3))
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_versions_and_names_are_read(model, way, tmp_path):
    path = tmp_path / "model.pkl"
    WAYS[way](MODELS[model], path)
    assert looks_like_pickle(path)
    facts = read_pickle(path)
    assert facts.versions == {"scikit-learn": {sklearn.__version__}}
    assert "sklearn" in facts.packages()
    last = getattr(MODELS[model], "_final_estimator", MODELS[model])
    assert any(name.endswith(f".{type(last).__name__}") for name in facts.globals)


class Attack:
    def __reduce__(self):
        import os

        return os.system, ("touch attacked",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_runs_and_what_would_run_is_named(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps({"model": [1, Attack()]}, protocol))
    assert read_pickle(path).globals & {"posix.system", "os.system"}
    assert not (tmp_path / "attacked").exists()


def test_nothing_is_imported(tmp_path):
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(MODELS["forest"]))
    code = (
        "import sys, pathlib\n"
        "from mldeploy.artifacts.pickles import read_pickle\n"
        f"read_pickle(pathlib.Path({str(path)!r}))\n"
        "assert not {'sklearn', 'numpy', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["text", "cut", "cut joblib", "cut zlib", "empty", "png"])
def test_what_is_no_pickle_is_refused(kind, tmp_path):
    path = tmp_path / "m.pkl"
    whole = io.BytesIO()
    joblib.dump(MODELS["forest"], whole, compress=3 if kind == "cut zlib" else 0)
    path.write_bytes(
        {
            "text": b"no pickle at all\n",
            "cut": pickle.dumps(MODELS["forest"])[:-20],
            "cut joblib": whole.getvalue()[:-30],
            "cut zlib": whole.getvalue()[:-30],
            "empty": b"",
            "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        }[kind]
    )
    with pytest.raises(PickleError, match=r"m\.pkl"):
        read_pickle(path)


def test_several_versions_are_all_named(tmp_path):
    other = (
        "9" * len(sklearn.__version__.split(".")[0])
        + sklearn.__version__[len(sklearn.__version__.split(".")[0]) :]
    )
    older = pickle.dumps(MODELS["ridge"], 2).replace(sklearn.__version__.encode(), other.encode())
    path = tmp_path / "m.pkl"
    # Two pickles in one: opcodes of the first up to its STOP, then the second's, as a pair.
    path.write_bytes(b"\x80\x02" + older[2:-1] + pickle.dumps(MODELS["ridge"], 2)[2:-1] + b"\x86.")
    assert read_pickle(path).versions == {"scikit-learn": {sklearn.__version__, other}}
