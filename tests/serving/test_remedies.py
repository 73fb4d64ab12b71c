"""Errors whose own words mislead come with what helps: in the log, in the startup error file, in `up`'s message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mldeploy.provider.local import startup
from serving.remedies import remedy
from tests.serving.replica import Replica, start

ERRORS = {
    "ModuleNotFoundError: No module named 'sklearn.linear_model.ridge'": ("0.21 or older", "scikit-learn 1."),
    "ModuleNotFoundError: No module named 'sklearn.ensemble.forest'": ("renamed in scikit-learn 0.22",),
    "ModuleNotFoundError: No module named 'sklearn.linear_model._nothing'": (
        "scikit-learn 1.",
        "has no sklearn.",
    ),
    "ImportError: cannot import name 'joblib' from 'sklearn.externals' (/x/__init__.py)": (
        "`import joblib`",
    ),
    "ModuleNotFoundError: No module named 'sklearn.externals.joblib'": ("`import joblib`",),
    "AttributeError: Can't get attribute 'MyT' on <module '__main__'>": ("Move it into a module", "MyT"),
    "AttributeError: Can't get attribute 'MyT' on <module 'serving.__main__' from '/a'>": (
        "Move it into a module",
    ),
    "AttributeError: Can't get attribute 'Old' on <module 'json.decoder' from '/a'>": ("another version",),
    "ModuleNotFoundError: No module named 'azureml.train'": ("remove its import",),
    "ModuleNotFoundError: No module named 'azureml.train.automl'": ("azureml-train-automl-runtime",),
    "ModuleNotFoundError: No module named 'azureml.core.experiment'": ("azureml-core",),
    "ModuleNotFoundError: No module named 'numpy._core.numeric'": ("numpy>=2",),
    "ModuleNotFoundError: No module named 'pandas.core.indexes.numeric'": ("pandas 3.", "another pandas"),
    "ModuleNotFoundError: No module named 'json.nothing'": ("json is there and has no json.nothing",),
    "ValueError: unsupported pickle protocol: 6": ("newer Python",),
    "ValueError: node array from the pickle has an incompatible dtype": ("pin the training's versions",),
    "PermissionError: [Errno 13] Permission denied: '/models/churn/x'": ("tempfile.mkdtemp()",),
    "OSError: [Errno 30] Read-only file system: '/models/churn/x'": ("tempfile.mkdtemp()",),
}
NOTHING_TO_ADD = (
    "ModuleNotFoundError: No module named 'cv2'",
    "ModuleNotFoundError: No module named 'nothing_of_the_kind.part'",
    "PermissionError: [Errno 13] Permission denied: '/elsewhere'",
    "ValueError: my own words",
    "",
)


@pytest.mark.parametrize("error", list(ERRORS))
def test_what_helps(error: str) -> None:
    trace = f'Traceback (most recent call last):\n  File "score.py", line 3, in init\n    load()\n{error}\n'
    found = remedy(trace, {"AZUREML_MODEL_DIR": "/models/churn"})
    assert all(part in found for part in ERRORS[error]), found
    assert "\n" not in found


@pytest.mark.parametrize("error", NOTHING_TO_ADD)
def test_clear_errors_stay_as_they_are(error: str) -> None:
    assert (
        remedy(f"Traceback (most recent call last):\n{error}\n", {"AZUREML_MODEL_DIR": "/models/churn"}) == ""
    )


@pytest.fixture
def replica() -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(script: str, **config: Any) -> Replica:
        made.append(start(script, **config))
        return made[-1]

    yield make
    for one in made:
        one.clean()


def test_a_start_that_fails_says_it(replica: Callable[..., Replica]) -> None:
    load = 'pickle.loads(b"csklearn.linear_model.ridge\\nRidge\\n.")'
    script = f"import pickle\ndef init():\n    {load}\ndef run(data): pass\n"
    one = replica(script)
    assert one.process.wait(60) == 3
    trace = one.startup_error()
    assert "remedy: sklearn.linear_model.ridge was renamed" in trace
    assert one.wait_log("did not start")["remedy"].startswith("sklearn.linear_model.ridge was renamed")
    line = startup.reason(trace.replace(one.config["source_directory"] + "/", ""), "score.py")
    assert line.startswith(
        "score.py:3: ModuleNotFoundError: No module named 'sklearn.linear_model.ridge': sklearn."
    )
    assert "needs the package" not in line


def test_a_run_that_fails_says_it(replica: Callable[..., Replica]) -> None:
    script = 'import pickle\ndef init(): pass\ndef run(data):\n    pickle.loads(b"c__main__\\nMyT\\n.")\n'
    one = replica(script)
    one.wait_ready()
    one.accept()
    assert one.request("/score", "{}").status == 500
    assert "Move it into a module beside the entry script" in one.wait_log("what helps")["message"]
