"""The packages of each sample's image, for a container and for a batch node, can be installed together."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.images.context import BATCH_PACKAGES
from mldeploy.artifacts import conda
from mldeploy.manifest import ManifestErrors, load

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted(path.parent.name for path in (ROOT / "entry_scripts").glob("*/conda.yml"))
UV = Path(sys.executable).with_name("uv")


@pytest.mark.reliability  # asks the package index, pip for minutes
@pytest.mark.parametrize("tool", ["uv", "pip"])
@pytest.mark.parametrize("batch", [False, True], ids=["online", "batch"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_samples_conda_file_resolves(sample, batch, tool, tmp_path):
    found = conda.read(ROOT / "entry_scripts" / sample / "conda.yml", "conda.yml")
    lines = [entry.line for entry in found.entries] + list(BATCH_PACKAGES if batch else ())
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("\n".join(lines) + "\n")
    commands = {
        "uv": [str(UV), "pip", "compile", "--quiet", "--python-version", "3.11", str(wanted)],
        "pip": [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
            *("-r", str(wanted)),
        ],
    }
    done = subprocess.run(commands[tool], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pin", ["joblib==1.6.0", "cloudpickle==3.1.0", "numpy==2.4.0"])
def test_what_the_batch_driver_cannot_be_with_is_refused_with_its_line(pin, tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: t\nruntime: python\n")
    (tmp_path / "m.pkl").write_text("m")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/score.py").write_text("def init(): pass\ndef run(data): return data\n")
    (tmp_path / "scripts/conda.yml").write_text(f"dependencies:\n- python=3.11\n- pip: [pandas, {pin}]\n")
    (tmp_path / "manifest.yaml").write_text(
        "version: 1\nazure: {location: westeurope}\nmodels: {m: {source: m.pkl}}\n"
        "images: {i: {models: [m], source_directory: scripts, entry_script: score.py, conda_file: conda.yml}}\n"
        "targets: {night: {type: batch}, day: {type: aci}}\n"
        "services: {s: {image: i, target: night}}\n"
    )
    with pytest.raises(ManifestErrors) as caught:
        load(tmp_path, "dev")
    name = pin.partition("=")[0]
    assert (
        f"conda.yml:3: {pin}: Azure ML's batch driver (azureml-dataprep) can be installed only with a {name}"
        in (str(caught.value))
    )
    text = (tmp_path / "manifest.yaml").read_text()
    (tmp_path / "manifest.yaml").write_text(text.replace("target: night", "target: day"))
    load(tmp_path, "dev")
