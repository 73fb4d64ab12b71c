"""One control plane for all cluster tests of a run; a namespace and a project for each test."""

from __future__ import annotations

import itertools

import pytest

from tests.kubernetes.controlplane import build
from tests.lifecycle.conftest import engines

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc):
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", engines())


@pytest.fixture(scope="session")
def cluster():
    """The running test cluster; the reason why there is none skips."""
    reason = build.why_not()
    if reason:
        pytest.skip(reason)
    from tests.kubernetes.controlplane.cluster import running

    with running() as started:
        yield started


@pytest.fixture
def make_cluster_project(cluster, tmp_path):
    from tests.kubernetes.project import ClusterProject

    made = []

    def make(engine="embedded"):
        number = next(_numbers)
        project = ClusterProject(tmp_path / f"project{number}", cluster, engine, f"test-{number}")
        made.append(project)
        return project

    yield make
    for project in made:
        if (project.root / ".pulumi-state").exists():
            done = project.run("destroy", "--yes", check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert project.api.get("Namespace", None, project.namespace) is None, "destroy left the namespace"


@pytest.fixture
def project(make_cluster_project):
    """A project on the embedded engine."""
    return make_cluster_project()
