"""Rollouts with pods that answer, under load, through the API server's proxy and a gateway that follows the weights."""

from __future__ import annotations

import json
import time

import pytest

from tests.kubernetes import isolated
from tests.kubernetes.gateway import Gateway, Load
from tests.kubernetes.process_pods import ProcessPods
from tests.kubernetes.project import image

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.skipif(
        not isolated.inside(),
        reason="needs a network namespace of its own: python -m tests.kubernetes.isolated pytest -m kubernetes",
    ),
]
CANARY = {
    "strategy": "canary",
    "steps": [20, 100],
    "bake_seconds": 4,
    "max_error_rate": 0.05,
    "max_latency_ratio": 3.0,
    "keep_previous": 1,
}


@pytest.fixture(scope="module")
def pods(cluster):
    started = ProcessPods(cluster.kubeconfig)
    started.start()
    yield started
    started.close()


@pytest.fixture(scope="module")
def shared(make_shared_project, pods, cluster):
    """A project with the good version serving, and a gateway in front of it."""
    project = make_shared_project()
    project.write("in.json", '{"data": [1, 2, 3]}')
    project.write("out.json", "[6]")
    project.service(
        image=image("process-good"),
        golden=[{"request": "in.json", "response": "out.json", "tolerance": 1e-9}],
        rollout=dict(CANARY),
        # Slow pods answer late here, not with 503.
        workload={"max_request_wait_time": 5000},
        route={"gateway": {"name": "edge"}},
    )
    project.up()
    gateway = Gateway(cluster.kubeconfig, project.namespace, "diabetes")
    gateway.start()
    while not any(row[2] for row in gateway.table):
        time.sleep(0.1)
    yield project, gateway
    gateway.close()


@pytest.fixture
def service(shared):
    """The shared project, and the good version back in place after the test."""
    project, gateway = shared
    yield project, gateway
    project.service(image=image("process-good"))
    project.services["diabetes"]["rollout"] = dict(CANARY)
    project.up()


def key_of(project):
    return json.loads(project.run("keys", "diabetes", "--show", "--json").stdout)["primary"]


def pods_of(project):
    """What serves; pods of a version that is being removed may still be there."""
    labels = f"mldeploy.dev/version={project.version()}"
    return {pod["metadata"]["uid"] for pod in project.api.list("Pod", project.namespace, labels=labels)}


def weights(project):
    route = project.api.get("HTTPRoute", project.namespace, "diabetes")
    return {item["name"]: item["weight"] for item in route["spec"]["rules"][0]["backendRefs"]}


def test_a_good_version_takes_over_without_a_failed_request(service):
    project, gateway = service
    first = project.version()
    project.service(image=image("process-better"))
    with Load(gateway, key_of(project)) as load:
        time.sleep(1)
        project.up()
        time.sleep(3)
    second = project.version()
    assert second != first
    assert load.failures == []
    assert load.answers[200] > 200
    assert load.backends[f"diabetes-{first}"] > 50
    assert load.backends[f"diabetes-{second}"] > 50
    assert weights(project) == {f"diabetes-{second}": 100}
    assert project.rollout_state()["kept"] == [first]
    assert project.up() == {}

    # One line takes it back: the kept version gets pods again, then the traffic.
    project.service(rollout={"promote": first})
    with Load(gateway, key_of(project)) as load:
        project.up()
        time.sleep(1)
    assert load.failures == []
    assert weights(project) == {f"diabetes-{first}": 100}
    assert project.rollout_state()["serving"] == first


@pytest.mark.parametrize(
    ("word", "said", "moved"),
    [
        ("process-wrong", "not the answer in out.json", False),
        ("process-errors", "answers were errors", True),
        ("process-slow", "allowed: max_latency_ratio", True),
        ("process-dies", "started again", True),
    ],
)
def test_a_bad_version_goes_back_by_itself(service, word, said, moved):
    project, gateway = service
    first = project.version()
    project.service(image=image(word))
    with Load(gateway, key_of(project)) as load:
        printed = project.failing_up()
        time.sleep(0.5)
        load.failures, after = [], load.failures
        time.sleep(1.5)
    assert said in printed
    assert weights(project) == {f"diabetes-{first}": 100}
    assert project.rollout_state()["serving"] == first
    assert load.failures == [], "requests fail after the return"
    if not moved:
        assert after == [], "a version that did not pass its gate got traffic"
        assert set(load.backends) == {f"diabetes-{first}"}
    else:
        assert load.backends[f"diabetes-{first}"] > sum(load.backends.values()) / 2

    # Back to the good version: nothing of the bad one is left, and what serves was never touched.
    project.service(image=image("process-good"))
    project.up()
    assert set(project.deployments()) <= {first, *project.rollout_state()["kept"]}


def test_day_two_and_rotated_keys(service):
    project, gateway = service
    row = project.status()["diabetes"]
    assert row["state"] == "healthy"
    assert row["models"] == {"diabetes": "1"}
    assert row["scoring_uri"].endswith("/api/v1/service/diabetes/score")
    assert "a line of the fake pod's log" in project.run("logs", "diabetes", "-n", "5").stdout
    assert json.loads(project.run("score", "diabetes", "--data", "in.json").stdout) == [6]
    assert "[secret]" in project.run("keys", "diabetes").stdout

    # One key after the other: clients move to the secondary, the primary is renewed, no pod starts again.
    keys = json.loads(project.run("keys", "diabetes", "--show", "--json").stdout)
    pods = pods_of(project)
    with Load(gateway, keys["secondary"], clients=2) as load:
        project.services["diabetes"]["key_generation"] = [2, 1]
        project.up()
        renewed = key_of(project)
        assert renewed != keys["primary"]
        deadline = time.monotonic() + 20
        while gateway.post(b'{"data": [1]}', renewed)[0] != 200:
            assert time.monotonic() < deadline, "the new key is not taken"
            time.sleep(0.2)
    assert load.failures == []
    assert gateway.post(b'{"data": [1]}', keys["primary"])[0] == 401
    assert pods_of(project) == pods
    assert project.up() == {}
