"""Rollouts with real containers: images built from the sample, kubelet, containerd, runc, real HTTP under load."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.docker import daemon, samples
from tests.kubernetes import isolated, real_node
from tests.kubernetes.controlplane import build
from tests.kubernetes.controlplane.cluster import running
from tests.kubernetes.gateway import Gateway, Load
from tests.kubernetes.project import ClusterProject

pytestmark = [
    pytest.mark.kubernetes,
    # Nine images are built first: a minute on two idle cores, several on busy ones.
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not isolated.inside(),
        reason="needs a network namespace of its own: python -m tests.kubernetes.isolated pytest -m kubernetes",
    ),
]
_REPOSITORY = "registry.example.org/mldeploy/diabetes"
_GOLDEN = "golden/diabetes.json"
CANARY = {
    "strategy": "canary",
    "steps": [25, 100],
    "bake_seconds": 5,
    "max_error_rate": 0.05,
    "max_latency_ratio": 5.0,
    "keep_previous": 1,
}
# What is added to the sample's entry script: a model that is not as the sample's.
_CHANGED = """
import time

class Changed:
    def __init__(self, model):
        self.model, self.count = model, 0

    def predict(self, data):
        self.count += 1
        {0}
        return self.model.predict(data){1}

load = init

def init():
    global model
    load()
    model = Changed(model)
"""
VERSIONS = {
    "good": "",
    "better": "# the same answers from another image",
    "wrong": _CHANGED.format("pass", " + 1"),
    # What the gate sends are fewer than 25 requests: these two fail only under traffic.
    "errors": _CHANGED.format("if self.count % 5 == 0: raise RuntimeError('no')", ""),
    "slow": _CHANGED.format("if self.count > 25: time.sleep(0.1)", ""),
    "crash": "def init():\n    raise ValueError('the model file is damaged')",
    "stuck": "import time\ndef init():\n    time.sleep(3600)",
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A Docker archive with an image of every version, and the pause image of the node."""
    reason = real_node.why_not() or build.why_not()
    if reason:
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("images")
    target = root / "images.tar"
    with pytest.MonkeyPatch.context() as patch, daemon.engine() as host:
        patch.setenv("MLDEPLOY_HOME", str(root / "home"))
        base = daemon.base_image(host)
        sample = samples.Sample("diabetes", root / "sample", base)
        script = sample.root / "entry_scripts/diabetes/score.py"
        original, tags = script.read_text(), []
        for name, addition in VERSIONS.items():
            script.write_text(f"{original}\n\n{addition}\n")
            built = sample.build(host, "mldeploy-test/diabetes")
            tags.append(f"mldeploy-test/{name}:1")
            daemon.docker(host, "tag", built, tags[-1])
        pause = root / "pause"
        pause.mkdir()
        waits = '["python", "-c", "import signal; signal.pause()"]'
        (pause / "Dockerfile").write_text(f"FROM {base}\nCMD {waits}\n")
        tags.append("mldeploy-test/pause:1")
        daemon.docker(host, "build", "--network", "none", "--tag", tags[-1], str(pause))
        daemon.docker(host, "save", "--output", str(target), *tags)
    yield target
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def images(archive):
    """A cluster with one real node; yields (cluster, references by version)."""
    with (
        running(kwok=False) as cluster,
        real_node.real_node(cluster, archive, _REPOSITORY) as node,
    ):
        yield cluster, {name: node.images[f"mldeploy-test/{name}:1"] for name in VERSIONS}


@pytest.fixture(scope="module")
def shared(images, tmp_path_factory):
    """A project whose good version serves in real pods, and a gateway in front of it."""
    cluster, references = images
    project = ClusterProject(tmp_path_factory.mktemp("real") / "project", cluster, "embedded", "real")
    for name in (_GOLDEN, "golden/diabetes.expected.json"):
        project.write(name, (samples.REPOSITORY / name).read_text())
    golden = {"request": _GOLDEN, "response": "golden/diabetes.expected.json", "tolerance": 1e-6}
    project.service(
        image=references["good"],
        golden=[golden],
        rollout=dict(CANARY),
        workload={
            "cpu_cores": 0.1,
            "cpu_cores_limit": 2,
            "memory_gb": 0.5,
            # Slow pods answer late here, not with 503.
            "max_request_wait_time": 10_000,
            "probes": {"initial_delay_seconds": 25, "period_seconds": 5},
        },
        route={"gateway": {"name": "edge"}},
    )
    project.up()
    gateway = Gateway(cluster.kubeconfig, project.namespace, "diabetes")
    gateway.start()
    while not any(row[2] for row in gateway.table):
        time.sleep(0.1)
    yield project, gateway, references
    gateway.close()


@pytest.fixture
def service(shared):
    """The shared project, and the good version back in place after the test."""
    project, gateway, references = shared
    yield project, gateway, references
    project.service(image=references["good"])
    project.services["diabetes"]["rollout"] = {**CANARY, "bake_seconds": 0}
    project.up()
    project.services["diabetes"]["rollout"] = dict(CANARY)


def load_of(project, gateway):
    key = json.loads(project.run("keys", "diabetes", "--show", "--json").stdout)["primary"]
    return Load(gateway, key, body=Path(project.root / _GOLDEN).read_bytes())


def weights(project):
    route = project.api.get("HTTPRoute", project.namespace, "diabetes")
    return {item["name"]: item["weight"] for item in route["spec"]["rules"][0]["backendRefs"]}


def test_a_new_version_and_the_way_back_without_a_failed_request(service):
    project, gateway, references = service
    first = project.version()
    pod = project.api.list("Pod", project.namespace)[0]
    assert pod["spec"]["nodeName"] == real_node.NODE
    assert pod["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
    answer = json.loads(project.run("score", "diabetes", "--data", _GOLDEN).stdout)
    assert answer == pytest.approx(json.loads((project.root / "golden/diabetes.expected.json").read_text()))
    assert "ready" in project.run("logs", "diabetes", "-n", "50").stdout

    project.service(image=references["better"])
    with load_of(project, gateway) as load:
        project.up()
        time.sleep(8)  # the old pods go meanwhile
    second = project.version()
    assert second != first
    assert load.failures == []
    assert load.answers[200] > 200
    assert load.backends[f"diabetes-{second}"] > 20
    assert project.rollout_state()["kept"] == [first]

    project.service(rollout={"promote": first})
    with load_of(project, gateway) as load:
        project.up()
        time.sleep(8)
    assert load.failures == []
    assert weights(project) == {f"diabetes-{first}": 100}
    assert project.up() == {}


@pytest.mark.parametrize(
    ("name", "said", "moved"),
    [
        ("wrong", "not the answer in golden/diabetes.expected.json", False),
        ("crash", "the model file is damaged", False),
        ("stuck", "probe", False),
        ("missing", "registry", False),
        ("errors", "answers were errors", True),
        ("slow", "allowed: max_latency_ratio", True),
    ],
)
def test_a_bad_version_goes_back_by_itself(service, name, said, moved):
    project, gateway, references = service
    first = project.version()
    missing = f"{_REPOSITORY}@sha256:{'0' * 64}"
    project.service(image=references.get(name, missing))
    with load_of(project, gateway) as load:
        printed = project.failing_up()
        time.sleep(0.5)
        load.failures, during = [], load.failures
        time.sleep(1.5)
    assert said in printed
    assert weights(project) == {f"diabetes-{first}": 100}
    assert project.rollout_state()["serving"] == first
    assert load.failures == [], "requests fail after the return"
    if not moved:
        assert during == [], "a version that did not pass its gate got traffic"
        assert set(load.backends) == {f"diabetes-{first}"}
    assert load.backends[f"diabetes-{first}"] > 100
