"""Conda files: what they mean for pip, and every fault with its line."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.artifacts import conda

from .conftest import write


def read(tmp_path, text):
    return conda.read(write(tmp_path, "scripts/conda.yml", text), "scripts/conda.yml")


def lines(found):
    assert found.errors == []
    return [entry.shown for entry in found.entries]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("numpy", "numpy"),
        ("numpy=1.24", "numpy==1.24.*"),
        ("numpy=1.24.*", "numpy==1.24.*"),
        ("numpy==1.24.3", "numpy==1.24.3"),
        ("numpy=1.24.3=py311h64a7726_0", "numpy==1.24.3"),
        ("numpy 1.24.3 py311h64a7726_0", "numpy==1.24.3"),
        ("numpy >=1.24,<2", "numpy<2,>=1.24"),
        ("numpy>=1.24", "numpy>=1.24"),
        ("numpy=1.24.*,!=1.24.2", "numpy!=1.24.2,==1.24.*"),
        ("conda-forge::numpy=2", "numpy==2.*"),
        ("conda-forge/linux-64::numpy", "numpy"),
        ("numpy[version='>=1.24,<2']", "numpy<2,>=1.24"),
        ("numpy *", "numpy"),
        ("pytorch=2.4", "torch==2.4.*"),
        ("py-xgboost", "xgboost"),
        ("matplotlib-base", "matplotlib"),
        ("PyYAML", "pyyaml"),
    ],
)
def test_conda_entries(tmp_path, entry, line):
    found = read(tmp_path, f'dependencies:\n  - "{entry}"\n')
    assert lines(found) == [line]
    assert found.entries[0].conda and found.entries[0].where == "scripts/conda.yml:2"


@pytest.mark.parametrize(
    ("entry", "python"),
    [
        ("python=3.11", "==3.11.*"),
        ("python=3.11.7", "==3.11.7.*"),
        ("python==3.11.7", "==3.11.7"),
        ("python>=3.11", ">=3.11"),
        ("python>=3.10,<3.13", "<3.13,>=3.10"),
        ("python", conda.DEFAULT_PYTHON),
    ],
)
def test_python(tmp_path, entry, python):
    assert read(tmp_path, f'dependencies: ["{entry}"]\n').python == python


def test_pip_entries(tmp_path):
    write(
        tmp_path,
        "scripts/more/req.txt",
        "# a comment\nrequests[socks]==2.32 ; python_version > '3.9'  # why\n\nsix \\\n  >=1\n",
    )
    write(tmp_path, "scripts/wheels/mine-1-py3-none-any.whl", "not really")
    found = read(
        tmp_path,
        """
        name: x
        channels: [conda-forge]
        dependencies:
          - pip
          - _libgcc_mutex=0.1=main
          - pip:
              - scikit-learn==1.5
              - -r more/req.txt
              - --extra-index-url https://user:hush@example.org/simple
              - thing @ git+https://example.org/thing@v1
              - ./wheels/mine-1-py3-none-any.whl
              - --pre
        """,
    )
    shown = lines(found)
    assert shown[0] == "scikit-learn==1.5"
    assert shown[1] == "requests[socks]==2.32 ; python_version > '3.9'"
    assert shown[2].replace(" ", "") == "six>=1"
    assert shown[3] == "--extra-index-url https://***@example.org/simple"
    assert shown[4] == "thing @ git+https://example.org/thing@v1"
    assert shown[5].startswith("wheels/mine-1-py3-none-any.whl sha256:")
    assert found.prereleases
    assert (
        found.entries[1].where == "scripts/more/req.txt:2"
        and found.entries[2].where == "scripts/more/req.txt:4"
    )


def test_what_the_server_stands_in_for(tmp_path):
    found = read(
        tmp_path,
        """
        dependencies:
          - pip:
              - azureml-defaults==1.50
              - azureml_contrib_services
              - azureml-core
              - inference-schema[numpy-support]==1.3
        """,
    )
    assert lines(found) == ["azureml-core", "inference-schema[numpy-support]"]
    assert found.served == ["azureml-defaults", "azureml-contrib-services", "inference-schema"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "dependencies: [cudatoolkit=11.8]",
            ":1: 'cudatoolkit=11.8' exists for conda only: the wheels of GPU",
        ),
        ("dependencies:\n- numpy\n- r-base=4", ":3: 'r-base=4' exists for conda only: R scripts"),
        ("dependencies: [libxml2]", ":1: 'libxml2' exists for conda only: it is no Python package"),
        ("dependencies: [python=3.8]", ":1: 'python=3.8': allowed are Python 3.10 to 3.13"),
        ("dependencies: [python=2.7]", ":1: 'python=2.7': allowed are Python 3.10 to 3.13"),
        (
            "dependencies: ['numpy=1.2|1.3']",
            ":1: 'numpy=1.2|1.3': the version '=1.2|1.3' has no equal in pip",
        ),
        ("dependencies: ['numpy>=x']", ":1: 'numpy>=x': the version '>=x' has no equal in pip"),
        ("dependencies: ['!!']", ":1: '!!' is no conda dependency"),
        ("dependencies: [{conda: x}]", ":1: {'conda': 'x'} is no dependency"),
        ("dependencies: {a: b}", ": `dependencies` must be a list"),
        ("- a", ": must be a mapping with `dependencies`"),
        ("dependencies:\n- pip: x", ":2: `pip` must be a list"),
        ("dependencies:\n- pip: [1]", ":2: 1 is no pip requirement"),
        ("dependencies:\n- pip: ['a b']", ":2: 'a b' is no pip requirement"),
        ("dependencies:\n- pip: ['git+https://x/y']", "write it as `name @ git+https://x/y`"),
        ("dependencies:\n- pip: ['-e .']", ":2: the option '-e' is not allowed here; a service needs a copy"),
        ("dependencies:\n- pip: ['--trusted-host x']", ":2: the option '--trusted-host' is not allowed here"),
        ("dependencies:\n- pip: ['-r no.txt']", ":2: -r no.txt: No such file"),
        ("dependencies:\n- pip: ['./no.whl']", ":2: './no.whl': no such file beside conda.yml"),
        ("dependencies: [", "no valid YAML"),
    ],
)
def test_faults_name_file_line_entry_and_what_is_allowed(tmp_path, text, error):
    found = read(tmp_path, text)
    assert len(found.errors) == 1 and found.errors[0].startswith("scripts/conda.yml")
    assert error in found.errors[0]


def test_all_faults_are_told_at_once(tmp_path):
    found = read(tmp_path, "dependencies: [cudnn, openjdk, {pip: ['a b']}]")
    assert len(found.errors) == 3


def test_a_requirements_file_that_includes_itself_is_refused(tmp_path):
    write(tmp_path, "scripts/a.txt", "-r a.txt\n")
    found = read(tmp_path, "dependencies: [{pip: ['-r a.txt']}]")
    assert found.errors == ["scripts/a.txt:1: a.txt includes itself"]


scalars = (
    st.none()
    | st.integers()
    | st.text(max_size=15)
    | st.sampled_from(["python=3.11", "-r x", "pip", "a=1=b"])
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["dependencies", "pip", "x"]), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(documents)
def test_no_document_gives_a_traceback(tmp_path, document):
    import json

    found = read(tmp_path, json.dumps({"dependencies": document}))
    assert all(error.startswith("scripts/") for error in found.errors)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "variables:\n  A: b\ndependencies: []\n",
            "conda.yml:1: 'variables' has no effect here; write them in the manifest",
        ),
        (
            "dependencies: []\nplatforms: [linux-64]\n",
            "conda.yml:2: 'platforms' has no effect here; allowed: name,",
        ),
        ("dependencies: []\ndependancies: [numpy]\n", "conda.yml:2: 'dependancies' has no effect here"),
        (
            "dependencies:\n- pip:\n  - git+ssh://git@host.example/a/b.git\n",
            "conda.yml:3: 'git+ssh://git@host.example/a/b.git' is no pip requirement: "
            "write it as `name @ git+ssh://git@host.example/a/b.git`",
        ),
        (
            "dependencies:\n- pip:\n  - https://me:word@host.example/a.whl\n",
            "write it as `name @ https://host.example/a.whl`",
        ),
        (
            "dependencies:\n- pip:\n  - numpy @ file:///home/conda/work/numpy\n",
            "conda.yml:3: 'numpy @ file:///home/conda/work/numpy' is a file of the machine that wrote this: write "
            "`numpy==<version>`",
        ),
    ],
)
def test_what_pip_cannot_use_is_said_with_its_line(tmp_path, text, words):
    (error,) = read(tmp_path, text).errors
    assert words in error


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_files_of_windows_editors_are_read(tmp_path, encoding, ends):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    text = ends.join(["# größer", "numpy==2.0", ""])
    write(tmp_path, "scripts/requirements.txt", "").write_bytes(mark + text.encode(encoding))
    conda_yml = ends.join(["dependencies:", "- pip:", "  - -r requirements.txt", ""])
    write(tmp_path, "scripts/conda.yml", "").write_bytes(mark + conda_yml.encode(encoding))
    assert lines(conda.read(tmp_path / "scripts/conda.yml", "conda.yml")) == ["numpy==2.0"]
