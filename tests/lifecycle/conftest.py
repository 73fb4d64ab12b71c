"""Projects for lifecycle tests. Whatever a test deploys is destroyed after it, and nothing may be left."""

import shutil

import psutil
import pytest

from tests.lifecycle.project import Project

HAS_PULUMI = shutil.which("pulumi") is not None


def engines():
    return [
        pytest.param("embedded", id="embedded"),
        pytest.param(
            "pulumi",
            id="pulumi",
            marks=[
                pytest.mark.pulumi,
                pytest.mark.skipif(not HAS_PULUMI, reason="needs the Pulumi CLI (`pulumi`) on PATH"),
            ],
        ),
    ]


def processes_of(home):
    """Every process that has the home folder in its command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(
            str(home) in part for part in process.info["cmdline"] or []
        ):
            found.append(process)
    return found


@pytest.fixture
def make_project(tmp_path, request):
    """A factory of projects that share one home; all are destroyed, and any left process fails the test."""
    home = tmp_path / "home"
    made = []

    def make(engine="embedded", name="project", **environment):
        project = Project(tmp_path / name, home, engine, environment, apart=engine == "pulumi")
        made.append(project)
        return project

    yield make
    ended = [project.run("destroy", "--yes", check=False) for project in made if project.has_state()]
    left = processes_of(home)
    for process in left:
        process.kill()
    assert [done.stdout + done.stderr for done in ended if done.returncode] == []
    assert not left, f"processes left behind: {[p.info['cmdline'] for p in left]}"


@pytest.fixture
def project(make_project):
    """One project on the embedded engine."""
    return make_project()
