"""Environments: built by uv, shared by digest, verified; failures in uv's own words. No index is needed."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import threading
import zipfile

import pytest

from mldeploy.artifacts import scoring_server
from mldeploy.artifacts.content import digest
from mldeploy.provider.local import environments
from mldeploy.provider.local.environments import Environments

from .conftest import CheckFailed, Failed, write

TOKEN = "image:Environment"
pytestmark = pytest.mark.usefixtures("fake_serving")


@pytest.fixture(autouse=True)
def no_index(monkeypatch):
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def inputs(**changed):
    return {
        "image": "i", "source_directory": "scripts", "entry_script": "score.py", "conda_file": "conda.yml",
        "runtime": "python",
    } | changed  # fmt: skip


def wheel(root, name="mine", version="1.0"):
    """A real wheel with one module in it."""
    path = root / "scripts" / f"{name}-{version}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "answer = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{file},sha256={digest},{len(text)}\n"
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def conda_file(project, *lines):
    write(project, "scripts/conda.yml", "dependencies:\n" + "".join(f"  - {line}\n" for line in lines))


def test_user_packages_are_installed(project, record):
    wheel(project)
    conda_file(project, "python>=3.10", "pip: [azureml-defaults, ./mine-1.0-py3-none-any.whl]")
    image = record(TOKEN)
    outputs = image.create(**inputs())
    python = Environments().python(outputs["environment_digest"])
    assert subprocess.check_output([python, "-c", "import mine; print(mine.answer)"], text=True) == "42\n"
    assert outputs["dependencies"][0].startswith("mine-1.0-py3-none-any.whl sha256:")
    assert len(outputs["digest"]) == 64


def test_an_environment_is_shared_by_digest_and_goes_with_its_last_image(project, record):
    conda_file(project, "pip")
    first, second = record(TOKEN, "a"), record(TOKEN, "b")
    one = first.create(**inputs())
    write(project, "scripts/other.py", "x = 1")
    two = second.create(**inputs(entry_script="other.py"))
    assert one["environment_digest"] == two["environment_digest"] and one["digest"] != two["digest"]
    path = Environments().path(one["environment_digest"])
    first.delete()
    assert path.is_dir() and second.read() is not None
    second.delete()
    assert not path.exists()


def test_only_what_matters_changes_the_digests(project, record):
    conda_file(project, "pip")
    image = record(TOKEN)
    before = image.preview(inputs())
    write(project, "scripts/__pycache__/x.pyc", "x")
    assert image.preview(inputs()) == before
    write(project, "scripts/helper.py", "x")
    changed = image.preview(inputs())
    assert changed["digest"] != before["digest"]
    assert changed["environment_digest"] == before["environment_digest"]
    conda_file(project, "pip", "python>=3.11")
    assert image.preview(inputs())["environment_digest"] != before["environment_digest"]


SAYS = "dependencies:\n  - pip\n  - pip: [-r requirements.txt]\n"
SAME_PACKAGES = {
    "a comment": ("conda.yml", f"# for the service\n{SAYS}"),
    "line ends of Windows": ("conda.yml", SAYS.replace("\n", "\r\n")),
    "another name": ("conda.yml", f"name: mine\n{SAYS}"),
    "another layout": ("conda.yml", '{"dependencies": ["pip", {"pip": ["-r requirements.txt"]}]}'),
    "a comment in what it includes": ("requirements.txt", "# none yet\n"),
}


@pytest.mark.parametrize("case", SAME_PACKAGES)
def test_a_conda_file_that_says_the_same_rebuilds_nothing(project, record, case):
    write(project, "scripts/requirements.txt", "")
    write(project, "scripts/conda.yml", SAYS)
    image = record(TOKEN)
    before = image.preview(inputs())["digest"]
    name, text = SAME_PACKAGES[case]
    (project / "scripts" / name).write_bytes(text.encode())
    assert image.preview(inputs())["digest"] == before
    (project / "scripts/score.py").write_text("changed")
    assert image.preview(inputs())["digest"] != before


def test_a_state_whose_digest_took_every_byte_of_the_conda_file_is_not_replaced(project, record):
    conda_file(project, "pip")
    image = record(TOKEN)
    image.create(**inputs())
    for part in (image.inputs, image.state):
        part["source_digest"] = digest(project / "scripts")
        del part["source_files"]
    assert image.check(inputs())["source_digest"] == digest(project / "scripts")
    assert not image.diff(inputs()).detailedDiff
    write(project, "scripts/conda.yml", "# a comment is a change to it, once\ndependencies:\n  - pip\n")
    assert "source_digest" in image.diff(inputs()).detailedDiff


def test_damage_is_found_and_mended(project, record):
    wheel(project)
    conda_file(project, "pip: [./mine-1.0-py3-none-any.whl]")
    image = record(TOKEN)
    outputs = image.create(**inputs())
    path = Environments().path(outputs["environment_digest"])
    assert not image.diff(inputs()).detailedDiff
    next(path.glob("lib/python*/site-packages/mine.py")).unlink()
    assert list(image.diff(inputs()).detailedDiff) == ["environment_digest"]
    image.update(**inputs())
    assert not image.diff(inputs()).detailedDiff
    (path / ".complete").unlink()
    assert image.read() is None


def test_the_server_is_copied_so_that_edits_do_not_reach_services(project, record):
    conda_file(project, "pip")
    image = record(TOKEN)
    serving = image.create(**inputs())["serving_digest"]
    copy = Environments().serving_path(serving) / "serving" / "__main__.py"
    assert copy.read_bytes() == (scoring_server.package() / "__main__.py").read_bytes()
    copy.chmod(0o600)
    copy.write_text("tampered")
    assert image.read() is None


def test_several_builds_of_one_environment_at_once(project, record):
    wheel(project)
    conda_file(project, "pip: [./mine-1.0-py3-none-any.whl]")
    images, failures = [record(TOKEN, str(number)) for number in range(4)], []

    def build(image):
        try:
            image.create(**inputs())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=build, args=(image,)) for image in images]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == [] and all(image.read() is not None for image in images)
    [image.delete() for image in images]
    folders = {path.name for path in environments.environments_dir().iterdir()}
    assert folders == {"claims", "images", "locks"}, "nothing else stays"


def test_a_package_that_is_nowhere_fails_with_the_file_and_uvs_words(project, record, own_home):
    conda_file(project, "pip: [no-such-package-anywhere==9]")
    image = record(TOKEN)
    with pytest.raises(Failed) as caught:
        image.create(**inputs())
    message = str(caught.value)
    assert message.startswith("scripts/conda.yml: the environment cannot be built:")
    assert "scripts/conda.yml:2: no-such-package-anywhere==9" in message
    assert "you require no-such-package-anywhere==9" in message, "uv's own words"
    assert not any((own_home / "environments").glob("*/.complete")), "nothing half built stays"


def test_a_python_that_is_not_here_fails_with_what_is(project, record, monkeypatch):
    conda_file(project, "python=3.13.0")
    there = '[{"version": "3.11.2"}, {"version": "3.12.1"}]'

    def run(command, **_):
        return subprocess.CompletedProcess(command, 0 if "list" in command else 2, there, "")

    monkeypatch.setattr(environments.subprocess, "run", run)
    with pytest.raises(Failed, match=r"asks for Python ==3.13.0.\*; on this machine there is 3.11.2, 3.12.1"):
        record(TOKEN).create(**inputs())


@pytest.mark.parametrize(
    ("changed", "property_", "reason"),
    [
        ({"source_directory": "nowhere"}, "source_directory", "nowhere: no such file or folder"),
        ({"source_directory": "../.."}, "source_directory", "leads out of the project"),
        ({"source_directory": "models/m.txt"}, "source_directory", "is no folder"),
        ({"entry_script": "no.py"}, "entry_script", "no file 'no.py' in scripts"),
        ({"entry_script": "../models/m.txt"}, "entry_script", "no file '../models/m.txt' in scripts"),
        ({"conda_file": "no.yml"}, "conda_file", "no file 'no.yml' in scripts"),
        ({"runtime": "spark-py"}, "runtime", "is 'spark-py'; allowed: python"),
        ({"runtime": 3}, "runtime", "must be a string, not 3"),
        ({"image": None}, "image", "is required"),
        ({"base_image": "x"}, "base_image", "is no property here; allowed: image, source_directory"),
    ],
)
def test_bad_inputs(project, record, changed, property_, reason):
    conda_file(project, "pip")
    values = {name: value for name, value in inputs(**changed).items() if value is not None}
    with pytest.raises(CheckFailed) as caught:
        record(TOKEN).check(values)
    assert [(name, reason in text) for name, text in caught.value.failures] == [(property_, True)]


def test_an_entry_script_that_is_ignored_is_refused(project, record):
    write(project, "scripts/.amlignore", "*.py\n")
    with pytest.raises(CheckFailed, match="left out by the folder's ignore file"):
        record(TOKEN).check(inputs(conda_file=""))


def test_faults_of_the_conda_file_are_check_failures(project, record):
    conda_file(project, "cudatoolkit", "openjdk")
    with pytest.raises(CheckFailed) as caught:
        record(TOKEN).check(inputs())
    assert [name for name, _ in caught.value.failures] == ["conda_file", "conda_file"]
    assert caught.value.failures[1][1].startswith("scripts/conda.yml:3: 'openjdk'")


def test_a_cancelled_build_stops_uv_and_leaves_nothing(
    project, record, provider, own_home, tmp_path, monkeypatch
):
    slow = write(tmp_path, "uv", "#!/bin/sh\ncase $1 in venv) exec sleep 60;; esac\n")
    slow.chmod(0o700)
    monkeypatch.setattr(environments, "_binary", lambda: str(slow))
    conda_file(project, "pip")
    threading.Timer(0.5, provider.Cancel, [None]).start()
    with pytest.raises(Failed, match="cancelled"):
        record(TOKEN).create(**inputs())
    assert [path.name for path in (own_home / "environments").glob("*/bin")] == []
