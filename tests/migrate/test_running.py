"""Old scripts and models: what runs as it is, and what is said of the rest."""

import pickle
import subprocess
import sys

from mldeploy.migrate import Options, migrate
from tests.migrate import causes

OLD = causes.HEAD + causes.MODEL + causes.CONFIG + causes.ACI + causes.DEPLOY


class Estimator:
    """Pickled as scikit-learn's are: the version is in the state."""

    def __init__(self, version):
        self._sklearn_version = version


def project(root, script, version):
    (root / "source").mkdir(parents=True)
    (root / "source" / "score.py").write_text(script)
    (root / "source" / "conda.yml").write_text("dependencies: [python=3.11]\n")
    (root / "model.pkl").write_bytes(pickle.dumps(Estimator(version)))
    (root / "deploy.py").write_text(OLD)
    return migrate([root / "deploy.py"], Options(root, location="westeurope"))


def test_old_imports_and_models_are_named(tmp_path):
    found = project(tmp_path, "from azureml.monitoring import ModelDataCollector\n", "0.22.2.post1")
    assert {one.where for one in found.advice} == {"source/score.py:1", "model.pkl"}
    assert any("made by scikit-learn 0.22.2.post1" in one.advice for one in found.advice)


def test_a_script_of_today_needs_nothing(tmp_path):
    assert project(tmp_path, "import json\n", "1.6.1").advice == ()


def test_joblib_inside_scikit_learn_is_joblib(tmp_path):
    """v1's scripts import it from there; scikit-learn has not had it since 0.23."""
    (tmp_path / "sklearn" / "externals").mkdir(parents=True)
    for name in ("sklearn/__init__.py", "sklearn/externals/__init__.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "joblib").mkdir()
    (tmp_path / "joblib" / "__init__.py").write_text("def load(path): return path\n")
    code = (
        "from serving.shimming import add_shims; add_shims()\n"
        "from sklearn.externals import joblib; import sklearn.externals.joblib as other; import joblib as own\n"
        "assert joblib is own is other and own.__spec__.name == 'joblib', own.__spec__\nprint(joblib.load('x'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )
    assert done.stdout.strip() == "x", done.stderr
