"""What is known of wheels: which versions install on which Python, and which Python a conda file therefore gets."""

import pytest

from mldeploy.artifacts.conda import read
from mldeploy.artifacts.wheels import DEFAULT_PYTHON, FIRST, PYTHONS, minors, numbers_of, too_old

OLD = [
    ("numpy==1.19.5", DEFAULT_PYTHON, "from 1.21.2 on"),
    ("numpy=1.21", DEFAULT_PYTHON, None),
    ("numpy==1.21.6", "==3.11.*", "Python 3.11; numpy has them from 1.23.2 on"),
    ("conda-forge::scikit-learn=0.22.2.post1", DEFAULT_PYTHON, "from 1.0.2 on"),
    ("scikit-learn>=0.22", DEFAULT_PYTHON, None),
    ("azureml-train-automl-runtime==1.21.0.post1", DEFAULT_PYTHON, "the last that could was 3.9"),
    ("azureml-train-automl", DEFAULT_PYTHON, "no version for Python 3.10"),
    ("azureml-automl-core==1.21.0", DEFAULT_PYTHON, "from 1.44.0 on"),
    ("unheard-of==0.1", DEFAULT_PYTHON, None),
    ("https://example.org/numpy-1.0.whl", DEFAULT_PYTHON, None),
]


@pytest.mark.parametrize(("line", "python", "said"), OLD)
def test_pins_that_nothing_installs(line, python, said):
    found = too_old(line, python)
    assert (found is None) if said is None else (said in found), found


def test_later_pythons_need_later_versions():
    for versions in FIRST.values():
        assert list(versions) == list(PYTHONS)
        assert sorted(versions.values(), key=numbers_of) == list(versions.values())


CHOSEN = {
    "no pins": ("[scikit-learn]", PYTHONS),
    "of today": ("[numpy==2.2.1]", PYTHONS),
    "numpy 1": ("[{pip: [numpy==1.26.4]}]", ("3.10", "3.11", "3.12")),
    "two": ("[numpy==1.26.4, {pip: [pandas==1.5.3]}]", ("3.10", "3.11")),
    "with a line": ("['python>=3.11', numpy==1.26.4]", ("3.11", "3.12")),
    "not for any": ("[python=3.12, numpy==1.21.6]", ("3.12",)),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_python_of_a_conda_file_has_wheels_for_its_pins(name, tmp_path):
    listed, allowed = CHOSEN[name]
    (tmp_path / "conda.yml").write_text(f"dependencies: {listed}\n")
    assert minors(read(tmp_path / "conda.yml", "conda.yml").python) == allowed
