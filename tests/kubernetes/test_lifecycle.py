"""Services on a real API server: up, no change, update, keep, promote, remove. Pods are kwok's: they run nothing."""

from __future__ import annotations

import pytest

from tests.kubernetes.project import image

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
    # destroy, and that it leaves nothing, is checked by the fixture


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
