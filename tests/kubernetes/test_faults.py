"""What goes wrong on real clusters: an error that says so, and a next `up` that puts it right."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tests.kubernetes.controlplane.cluster import api_ready, start_api_server

pytestmark = pytest.mark.kubernetes


def scale_as(project, manager, replicas):
    """Change the number of pods as somebody else would."""
    version = project.version()
    path = f"/apis/apps/v1/namespaces/{project.namespace}/deployments/diabetes-{version}"
    project.api.request(
        "PATCH",
        path,
        query={"fieldManager": manager},
        body=f'{{"spec": {{"replicas": {replicas}}}}}'.encode(),
        headers={"Content-Type": "application/merge-patch+json"},
    )


def replicas(project):
    return project.deployments()[project.version()]["spec"]["replicas"]


def test_the_autoscaler_owns_the_number_of_pods(project):
    project.service(scaling={"enabled": True, "min_replicas": 1, "max_replicas": 5})
    project.up()
    scale_as(project, "kube-controller-manager", 4)
    assert project.up() == {}
    project.service(facts={"mldeploy.dev/description": "changed in place"})
    assert project.up() == {"update": 1}
    assert replicas(project) == 4, "an update reset what the autoscaler had set"
    # A new version starts with as many pods as serve now.
    scale_as(project, "kube-controller-manager", 3)
    project.service(models={"diabetes": "2"})
    project.up()
    assert replicas(project) == 3


def test_another_controllers_field_is_a_conflict_that_names_it(project):
    project.service(scaling={"replicas": 1})
    project.up()
    scale_as(project, "night-scaler", 4)
    project.service(scaling={"replicas": 2})
    said = project.failing_up()
    assert "conflict" in said
    assert "night-scaler" in said
    assert ".spec.replicas" in said
    assert replicas(project) == 4
    project.service(scaling={"replicas": 4})  # the other one was right
    project.up()
    assert project.up() == {}


def test_a_persons_kubectl_edit_gives_way_to_the_manifest(project):
    """The official plugin takes kubectl's fields over, as desired state should: only controllers conflict."""
    project.service(scaling={"replicas": 1})
    project.up()
    scale_as(project, "kubectl-edit", 4)
    project.service(scaling={"replicas": 2})
    project.up()
    assert replicas(project) == 2
    assert project.up() == {}


def test_deleted_objects_come_back(project):
    project.service()
    project.up()
    version = project.version()
    for kind, name in (
        ("Deployment", f"diabetes-{version}"),
        ("Secret", "diabetes-keys"),
        ("Service", "diabetes"),
    ):
        assert project.api.delete(kind, project.namespace, name)
    project.run("refresh", "--yes")
    project.up()
    assert project.version() == version
    assert project.api.get("Secret", project.namespace, "diabetes-keys") is not None
    assert project.deployments()[version]["status"]["availableReplicas"] == 1
    assert project.up() == {}


def test_a_route_that_somebody_moved_is_put_back_by_the_next_up(project):
    """Without a refresh: traffic on a wrong version must not wait for one."""
    project.service(route={"gateway": {"name": "edge"}})
    project.up()
    version = project.version()
    route = project.api.get("HTTPRoute", project.namespace, "diabetes")
    route["spec"]["rules"][0]["backendRefs"] = [{"name": "somewhere-else", "port": 80, "weight": 1}]
    project.api.merge("HTTPRoute", project.namespace, "diabetes", {"spec": route["spec"]})
    assert project.up() == {"update": 1}
    route = project.api.get("HTTPRoute", project.namespace, "diabetes")
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == f"diabetes-{version}"
    assert project.up() == {}


def test_another_namespace_takes_everything_along(project):
    project.service(route={"gateway": {"name": "edge"}})
    project.up()
    old = project.namespace
    project.namespace = project.space["namespace"] = f"{old}-moved"
    project.up()
    assert project.deployments()[project.version()]["status"]["availableReplicas"] == 1
    assert project.api.get("Namespace", None, old) is None, "the old namespace is still there"
    assert project.up() == {}


def test_a_quota_that_is_used_up(project):
    project.space["quota"] = {"pods": "1"}
    project.service(scaling={"replicas": 2})
    said = project.failing_up()
    assert "the namespace's quota does not allow another pod" in said
    assert "raise the quota" in said
    project.space["quota"] = {"pods": "9"}
    project.up()
    assert replicas(project) == 2
    assert project.up() == {}


def test_a_missing_priority_class_is_the_cause(project):
    project.service(workload={"priority_class": "nowhere"})
    assert "the cluster has no PriorityClass nowhere" in project.failing_up()
    project.services["diabetes"]["workload"] = {}
    project.up()
    assert project.up() == {}


def test_a_service_whose_first_version_failed_leaves_nothing(project):
    project.space["keep"] = True
    project.service(workload={"priority_class": "nowhere"})
    project.failing_up()
    assert project.deployments()
    project.services.clear()
    project.up()
    assert project.deployments() == {}
    assert project.api.list("Service", project.namespace) == []


def test_a_finalizer_that_nobody_removes(project, cluster):
    project.space["delete_timeout"] = "20s"
    project.service()
    project.up()
    holder = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": project.namespace, "finalizers": ["example.org/never"]},
    }
    cluster.apply(holder)
    done = project.run("destroy", "--yes", check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    # The official plugin names the object only; docs/troubleshooting.md says where the finalizers are then.
    assert "example.org/never" in said or "timed out waiting for the condition" in said
    conditions = project.api.get("Namespace", None, project.namespace)["status"]["conditions"]
    assert any("example.org/never" in item["message"] for item in conditions)
    project.api.request(
        "PATCH",
        f"/api/v1/namespaces/{project.namespace}/configmaps/held",
        body=b'{"metadata": {"finalizers": null}}',
        headers={"Content-Type": "application/merge-patch+json"},
    )
    project.run("destroy", "--yes")
    assert project.api.get("Namespace", None, project.namespace) is None


@pytest.mark.parametrize("after", [0.5, 3.0])
def test_the_api_server_dies_in_the_middle(project, cluster, after):
    """Killed and back after two seconds: the `up` goes on, or fails and the next one finishes."""
    for number in range(3):
        project.service(f"service{number}")

    def kill() -> None:
        time.sleep(after)
        cluster.stop_one("kube-apiserver", signal.SIGKILL)
        time.sleep(2)
        start_api_server(cluster)

    killer = threading.Thread(target=kill)
    killer.start()
    project.write("services.json", {"space": project.space, "services": project.services})
    done = project.run("up", "--yes", check=False)
    killer.join()
    cluster.wait_for("API ready", lambda: api_ready(cluster))
    if done.returncode:
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert "cannot be reached" in said or "connection" in said.lower()
    project.up()
    for number in range(3):
        assert project.deployments(f"service{number}")
    assert project.up() == {}
