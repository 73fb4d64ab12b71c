"""Advice on old conda files and the scripts that go with them."""

import pytest

from mldeploy.migrate import MigrateError, advise

OLD = """\
name: project_environment
channels: [conda-forge]
dependencies:
  - python=3.6.2
  - numpy=1.16.2
  - scikit-learn=0.20.3
  - pandas
  - pip:
      - azureml-defaults==1.0.72
      - azureml-monitoring
      - sklearn
      - joblib==1.3.2
      - tensorflow==1.15
"""
SCRIPT = """\
import pickle
from sklearn.externals import joblib
from azureml.monitoring import ModelDataCollector
from azureml.core.model import Model
"""


@pytest.fixture
def conda(tmp_path):
    path = tmp_path / "conda.yml"
    path.write_text(OLD)
    return path


def test_old_pins(conda):
    advice = {one.what: one for one in advise(conda)}
    texts = " ".join(one.advice for one in advice.values())
    assert "allowed are Python 3.10 to 3.13" in texts
    assert "use 3.11" in texts
    assert advice["numpy==1.16.2"].where == "conda.yml:5" if "numpy==1.16.2" in advice else True
    assert any("1.16" in one.advice and "no wheel" in one.advice for one in advice.values())
    assert any("scikit-learn" in what and "made again" in one.advice for what, one in advice.items())
    assert any(what.startswith("azureml-defaults") for what in advice)
    assert advice["sklearn"].advice == "the package is called scikit-learn"
    assert "not pinned" in advice["pandas"].advice
    assert "2.8" in advice["tensorflow==1.15"].advice
    assert "joblib==1.3.2" not in advice


def test_scripts(conda, tmp_path):
    script = tmp_path / "score.py"
    script.write_text(SCRIPT)
    found = {one.where: one.advice for one in advise(conda, [script]) if one.where.startswith("score.py")}
    assert set(found) == {"score.py:2", "score.py:3", "score.py:4"}
    assert "import joblib" in found["score.py:2"]
    assert "collect_model_data" in found["score.py:3"]


def test_python_2_script(conda, tmp_path):
    script = tmp_path / "score.py"
    script.write_text("print 'hello'\n")
    assert any("no Python 3" in one.advice for one in advise(conda, [script]))


def test_a_current_file_needs_nothing(tmp_path):
    path = tmp_path / "conda.yml"
    path.write_text("dependencies:\n  - python=3.12\n  - pip:\n      - scikit-learn==1.6.1\n")
    assert advise(path) == []


def test_absent(tmp_path):
    with pytest.raises(MigrateError, match="does not exist"):
        advise(tmp_path / "no.yml")
