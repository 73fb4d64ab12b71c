"""v1's scripts find their models and their modules whatever the conda file installs beside the server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import tools
from tests.serving.replica import ROOT, Replica, start

EXTENDED = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
# What the real packages do inside a service: look for models under the current folder, need a library of their own.
CORE = {
    "azureml/__init__.py": EXTENDED,
    "azureml/core/__init__.py": "from azureml.core.model import Model\n",
    "azureml/core/model.py": """
class Model:
    REAL = True

    @staticmethod
    def get_model_path(model_name, version=None, _workspace=None):
        if _workspace:
            return f"downloaded from {_workspace}"
        raise RuntimeError("Model not found in cache at azureml-models")
""",
}
MONITORING = {
    "azureml/__init__.py": EXTENDED,
    "azureml/monitoring/__init__.py": "raise ImportError('libaml-dc.so')\n",
    "azureml/ai/monitoring/__init__.py": "raise ImportError('libaml-dc.so')\n",
}
FINDS = """
    import os
    from azureml.core.model import Model
    {imports}

    def init():
        global found, missing
        found = Model.get_model_path("churn")
        try:
            missing = Model.get_model_path("other", version=3)
        except Exception as problem:
            missing = str(problem)

    def run(data):
        return {{"found": os.path.relpath(found, os.environ["AZUREML_MODEL_DIR"]), "missing": missing,
                 "real": getattr(Model, "REAL", False), "remote": {remote}}}
"""


@pytest.fixture
def replica() -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(script: str, **config: Any) -> Replica:
        made.append(start(script, **config))
        return made[-1]

    yield make
    for one in made:
        one.clean()


def installed(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """The variables of an environment with these files in it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


@pytest.mark.parametrize(
    ("files", "imports", "real"),
    [
        ({}, "import azureml.core", False),
        (CORE, "import azureml.core", True),
        (CORE, "from azureml.contrib.services.aml_request import rawhttp", True),
        (MONITORING, "import azureml.monitoring; azureml.monitoring.ModelDataCollector", False),
        (
            {**CORE, **MONITORING},
            "from azureml.monitoring.modeldatacollector import ModelDataCollector",
            True,
        ),
        ({**CORE, **MONITORING}, "from azureml.ai.monitoring.context import get_context", True),
    ],
    ids=["nothing", "core", "core, contrib", "monitoring", "both", "both, ai"],
)
def test_models_are_found_whatever_is_installed(
    replica: Callable[..., Replica], tmp_path: Path, files: dict[str, str], imports: str, real: bool
) -> None:
    environ = installed(tmp_path / "site", files)
    remote = 'Model.get_model_path("other", _workspace="ws")' if real else "None"
    model = tmp_path / "azureml-models/churn/7"
    model.mkdir(parents=True)
    (model / "model.pkl").write_text("x")
    one = replica(FINDS.format(imports=imports, remote=remote), environ=environ, model_dir=str(model))
    one.wait_ready()
    one.accept()
    answer = one.request("/score", "{}").json
    assert answer["found"] == "model.pkl"
    assert answer["real"] is real
    assert "other version 3 is not deployed with this service" in answer["missing"]
    assert "churn/7" in answer["missing"]
    assert answer["remote"] == ("downloaded from ws" if real else None)


def test_the_real_azureml_core_finds_models(tmp_path: Path) -> None:
    try:
        folder = tools.environment(
            "azureml-core-1.61", ("azureml-core==1.61.0.post4", "setuptools<80", "werkzeug")
        )
    except tools.UnavailableError as problem:
        pytest.skip(str(problem))
    model = tmp_path / "azureml-models/churn/7"
    model.mkdir(parents=True)
    (model / "model.pkl").write_text("x")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from serving.shimming import add_shims; add_shims()\n"
        "from azureml.core.model import Model; from azureml.core import Workspace\n"
        "from azureml.contrib.services import aml_request\n"
        "print(Model.get_model_path('churn'), Model.get_model_path('churn', version=7))"
    )
    command = [str(folder / "bin/python"), "-c", program, str(ROOT)]
    environ = {**os.environ, "AZUREML_MODEL_DIR": str(model)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environ)
    assert done.stdout.split() == [f"{model}/model.pkl"] * 2, done.stderr


def test_correlations_of_v1s_collector(replica: Callable[..., Replica]) -> None:
    script = """
        import numpy as np, pandas as pd
        from azureml.monitoring import ModelDataCollector

        def init():
            global inputs, predictions
            inputs = ModelDataCollector("m", designation="inputs", feature_names=["a", "b"])
            predictions = ModelDataCollector("m", designation="predictions", feature_names=["p"], model_version="3")

        def run(data):
            seen = inputs.collect(np.array([[1, 2]]), "mine")
            frame = predictions.add_correlations(pd.DataFrame({"p": [1.5]}), seen)
            array = predictions.add_correlations(np.array([1.5]), seen)
            row = predictions.add_correlations([1.5], seen)
            assert predictions.collect(frame) is None and predictions.add_correlations([1], None) == [1]
            return {"names": list(frame.columns), "same": array[0].tolist() == row == frame.iloc[0].tolist(),
                    "id": seen["$aml_dc_correlation_id"], "request": seen["$aml_request_id"]}
    """
    one = replica(script)
    one.wait_ready()
    one.accept()
    answer = one.request("/score", "{}", {"x-request-id": "r1"}).json
    assert answer["names"] == [
        "p", "$aml_dc_correlation_id", "$aml_dc_scoring_timestamp", "$aml_dc_boundary", "$aml_workspace",
        "$aml_service_name", "$aml_model_name", "$aml_model_version", "$aml_request_id",
    ]  # fmt: skip
    assert answer["same"]
    assert answer["id"].startswith("mine-")
    assert answer["request"] == "r1"


RAW = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    {imports}

    def init():
        pass

    @rawhttp
    def run(request):
        assert isinstance(request, AMLRequest)
        return {{"endpoint": request.endpoint, "blueprint": request.blueprint, "view_args": request.view_args,
                 "rule": str(request.url_rule), "scheme": request.scheme, "url": request.url, "body": {body}}}
"""
ASKED = {"X-Forwarded-Proto": "https", "Host": "score.example.com"}


@pytest.mark.parametrize("allowed", [None, "10.0.0.1", "*"])
def test_raw_requests_say_where_they_were_routed(
    replica: Callable[..., Replica], allowed: str | None
) -> None:
    environ = {} if allowed is None else {"FORWARDED_ALLOW_IPS": allowed}
    one = replica(RAW.format(imports="", body="request.get_data(as_text=True)"), environ=environ)
    one.wait_ready()
    one.accept()
    scheme = "http" if allowed == "10.0.0.1" else "https"
    assert one.request("/score", "hello", ASKED).json == {
        "endpoint": "main.handle_score", "blueprint": "main", "view_args": {}, "rule": "/score", "scheme": scheme,
        "url": f"{scheme}://score.example.com/score", "body": "hello",
    }  # fmt: skip


def test_flasks_request_is_the_request_of_raw_scripts(replica: Callable[..., Replica]) -> None:
    try:
        folder = tools.environment("flask-3", ("flask>=3,<4",))
    except tools.UnavailableError as problem:
        pytest.skip(str(problem))
    site = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    script = RAW.format(
        imports="import flask", body="flask.request.get_data(as_text=True) + flask.request.method"
    )
    one = replica(script, environ={"PYTHONPATH": f"{ROOT}{os.pathsep}{site}"})
    one.wait_ready()
    one.accept()
    for path in ("/score", "/api/v1/service/churn/score"):
        answer = one.request(path, "hello", ASKED)
        assert answer.status == 200, one.output()
        assert answer.json == {
            "endpoint": "main.handle_score", "blueprint": "main", "view_args": {}, "rule": path, "scheme": "https",
            "url": f"https://score.example.com{path}", "body": "helloPOST",
        }  # fmt: skip
