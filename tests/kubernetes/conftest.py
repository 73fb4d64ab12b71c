"""One control plane for all cluster tests of a run; a namespace and a project for each test."""

from __future__ import annotations

import itertools

import pytest

from mldeploy.provider.framework.resource import Context
from mldeploy.provider.kubernetes import fields
from tests.kubernetes.controlplane import build
from tests.kubernetes.fake_cluster import FakeCluster
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


def _makes_projects(cluster, folder):
    """Yields a function that makes projects; afterwards their namespaces are on their way out.

    Only that: a namespace takes the API server six seconds to remove, and the cluster goes with the run. That `destroy`
    leaves nothing is what test_lifecycle.py is for.
    """
    from tests.kubernetes.project import ClusterProject

    made = []

    def make(engine="embedded"):
        number = next(_numbers)
        project = ClusterProject(folder / f"project{number}", cluster, engine, f"test-{number}")
        made.append(project)
        return project

    yield make
    for project in made:
        project.api.delete("Namespace", None, project.namespace)


@pytest.fixture
def make_cluster_project(cluster, tmp_path):
    """Makes projects for one test."""
    yield from _makes_projects(cluster, tmp_path)


@pytest.fixture(scope="module")
def make_shared_project(cluster, tmp_path_factory):
    """Makes projects that the tests of a module share."""
    yield from _makes_projects(cluster, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def project(make_cluster_project):
    """A project on the embedded engine."""
    return make_cluster_project()


@pytest.fixture
def fake_cluster(monkeypatch):
    """A cluster in memory that every kubeconfig leads to."""
    made = FakeCluster()
    monkeypatch.setattr(fields, "cluster", lambda _kubeconfig: made)
    return made


@pytest.fixture
def ctx(tmp_path):
    """A resource's context that keeps its warnings."""
    warnings: list[str] = []
    context = Context(root=tmp_path, warn=warnings.append)
    object.__setattr__(context, "warnings", warnings)
    return context
