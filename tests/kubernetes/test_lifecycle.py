"""Services on a real API server: up, no change, update, keep, promote, remove. Pods are kwok's: they run nothing."""

from __future__ import annotations

import pytest

from tests.kubernetes.project import image, untouched

pytestmark = pytest.mark.kubernetes


def test_up_no_change_update_and_destroy(make_cluster_project, engine):
    project = make_cluster_project(engine)
    project.service(scaling={"replicas": 2})
    project.up()
    first = project.version()
    assert project.outputs()["diabetes"]["serving"] == first
    assert set(project.deployments()) == {first}
    assert project.up() == {}

    project.service(models={"diabetes": "2"})
    changes = project.up()
    second = project.version()
    assert second != first
    assert set(project.deployments()) == {second}, "the old version was not removed"
    assert changes.get("replace", 0) or changes.get("create-replacement", 0)
    assert project.up() == {}

    project.run("destroy", "--yes")
    assert project.api.get("Namespace", None, project.namespace) is None, "destroy left the namespace"
    assert project.resources() == []


def test_a_failed_version_takes_no_traffic_and_the_way_back_is_a_no_op_for_what_serves(
    make_cluster_project, engine
):
    project = make_cluster_project(engine)
    project.service()
    project.up()
    good = project.version()
    uid = project.deployments()[good]["metadata"]["uid"]

    project.service(image=image("missing"))
    said = project.failing_up()
    assert "ImagePullBackOff" in said or "is not in its registry" in said
    assert project.version() == good
    assert project.rollout_state()["serving"] == good

    del project.services["diabetes"]
    project.service()
    project.up()
    assert project.version() == good
    assert project.deployments()[good]["metadata"]["uid"] == uid, "what serves was made anew"
    assert set(project.deployments()) == {good}, "the failed version was not removed"
    assert project.up() == {}


def test_a_service_whose_first_gate_failed_can_be_looked_at(project):
    project.service(image=image("crash"))
    said = project.failing_up()
    assert "no such model" in said
    row = project.status()["diabetes"]
    assert row["state"] == "unhealthy"
    assert row["scoring_uri"] is None
    assert "no traffic yet" in project.run("status", check=False).stderr
    assert "a line of the fake pod's log" in project.run("logs", "diabetes").stdout
    assert project.run("keys", "diabetes").returncode == 0
    done = project.run("score", "diabetes", "--data", "services.json", check=False)
    assert done.returncode == 1
    assert "nothing routes to service diabetes" in done.stdout + done.stderr

    project.service(image=image("good"))
    project.up()
    assert project.status()["diabetes"]["state"] == "healthy"
    assert set(project.deployments()) == {project.version()}, "the failed version was not removed"


def test_a_new_model_for_one_service_touches_nothing_of_the_others(project):
    for name in ("first", "second", "third"):
        project.service(name)
    project.up()
    before = untouched(project, "second")
    assert {name.split("/")[1].split("-")[0] for name in before} == {"first", "third"}
    project.service("second", models={"diabetes": "2"})
    changes = project.up()
    assert untouched(project, "second") == before
    assert changes == {"update": 2, "replace": 3}, "gate and route; Deployment, Service and budget"
