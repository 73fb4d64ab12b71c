"""Every known cause from what a cluster says in that case. Messages are those of Kubernetes 1.36 and containerd 2."""

from __future__ import annotations

import pytest

from mldeploy.provider.kubernetes import explain
from mldeploy.provider.kubernetes.causes import RULES
from mldeploy.provider.kubernetes.facts import Facts

IMAGE = "registry.example.org/mldeploy/diabetes@sha256:abc"


def pod(waiting=None, ended=None, last=None, *, ready=False, restarts=0, status=None, **conditions):
    """A pod with one container. Reasons are (reason, message) or (reason, exit code, message)."""
    state = {}
    if waiting:
        state = {"waiting": {"reason": waiting[0], "message": waiting[1]}}
    elif ended:
        state = {"terminated": {"reason": ended[0], "exitCode": ended[1], "message": ended[2]}}
    else:
        state = {"running": {}}
    container = {"name": "scoring", "image": IMAGE, "state": state, "ready": ready, "restartCount": restarts}
    if last:
        container["lastState"] = {"terminated": {"reason": last[0], "exitCode": last[1], "message": last[2]}}
    found = [
        {"type": kind, "status": value[0], "reason": value[1], "message": value[2]}
        for kind, value in conditions.items()
    ]
    shown = {"phase": "Pending", "conditions": found, **(status or {})}
    if "no_containers" not in shown:
        shown["containerStatuses"] = [container]
    return {"metadata": {"name": "diabetes-1", "uid": "1"}, "spec": {"nodeName": "node-0"}, "status": shown}


def unscheduled(message):
    return Facts(pods=[pod(status={"no_containers": True}, PodScheduled=("False", "Unschedulable", message))])


def refused(message):
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return Facts(replica_sets=[{"metadata": {"name": "diabetes"}, "status": {"conditions": [condition]}}])


def event(reason, message):
    return {"reason": reason, "message": message, "type": "Warning", "metadata": {}}


def pulling(message):
    return Facts(pods=[pod(waiting=("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": {message}'))])


CASES = {
    "quota-exceeded": refused(
        'pods "diabetes-7f" is forbidden: exceeded quota: mldeploy, requested: requests.cpu=1, used: requests.cpu=4, '
        "limited: requests.cpu=4"
    ),
    "pod-security": refused(
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
    ),
    "limit-range": refused('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'),
    "service-account-missing": refused(
        'pods "x" is forbidden: error looking up service account models/diabetes: serviceaccount "diabetes" not found'
    ),
    "priority-class-missing": refused('pods "x" is forbidden: no PriorityClass with name high was found'),
    "admission-denied": refused('admission webhook "policy.example.org" denied the request: images must be signed'),
    "insufficient-cpu": unscheduled("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available"),
    "insufficient-memory": unscheduled("0/3 nodes are available: 3 Insufficient memory."),
    "no-gpu": unscheduled("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
    "node-selector": unscheduled("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."),
    "taint": unscheduled("0/2 nodes are available: 2 node(s) had untolerated taint {sku: gpu}."),
    "too-many-pods": unscheduled("0/1 nodes are available: 1 Too many pods."),
    "no-nodes": unscheduled("no nodes available to schedule pods"),
    "volume": unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
    "unschedulable": unscheduled("0/1 nodes are available: something new."),
    "image-missing": pulling('rpc error: code = NotFound desc = failed to pull: registry.example.org/x: not found'),
    "image-unauthorized": pulling("failed to authorize: failed to fetch anonymous token: 401 Unauthorized"),
    "registry-unreachable": pulling("dial tcp: lookup registry.example.org: no such host"),
    "image-platform": pulling("no match for platform in manifest"),
    "node-disk-full": pulling("write /var/lib/containerd/x: no space left on device"),
    "image-pull": pulling("something new"),
    "image-name": Facts(pods=[pod(waiting=("InvalidImageName", "couldn't parse image name"))]),
    "out-of-memory": Facts(
        pods=[pod(waiting=("CrashLoopBackOff", "back-off"), last=("OOMKilled", 137, ""), restarts=2)]
    ),
    "command-missing": Facts(
        pods=[pod(waiting=("RunContainerError", 'exec: "python": executable file not found in $PATH'))]
    ),
    "command-not-executable": Facts(pods=[pod(ended=("StartError", 128, "exec: /run.sh: permission denied"))]),
    "start-failed": Facts(pods=[pod(ended=("StartError", 128, "something new"))]),
    "read-only-file-system": Facts(
        pods=[pod(ended=("Error", 3, "OSError: [Errno 30] Read-only file system: '/app/cache'"))]
    ),
    "init-failed": Facts(
        pods=[pod(waiting=("CrashLoopBackOff", "back-off"), last=("Error", 3, "ValueError: no such model"))]
    ),
    "bad-configuration": Facts(pods=[pod(ended=("Error", 2, "keys_file: missing"))]),
    "configuration-missing": Facts(
        pods=[pod(waiting=("CreateContainerConfigError", 'secret "diabetes-environment" not found'))]
    ),
    "mount-failed": Facts(
        pods=[pod(waiting=("ContainerCreating", ""))], events=[event("FailedMount", "MountVolume.SetUp failed: x")]
    ),
    "evicted": Facts(pods=[pod(status={"reason": "Evicted", "message": "low on disk", "no_containers": 1})]),
    "startup-probe": Facts(
        pods=[pod(restarts=1)],
        events=[
            event("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503"),
            event("Killing", "Container scoring failed startup probe, will be restarted"),
        ],
    ),
    "liveness-probe": Facts(
        pods=[pod(restarts=1)],
        events=[event("Killing", "Container scoring failed liveness probe, will be restarted")],
    ),
    "readiness-probe-failing": Facts(
        pods=[pod()], events=[event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")]
    ),
    "startup-probe-failing": Facts(
        pods=[pod()], events=[event("Unhealthy", "Startup probe failed: connection refused")]
    ),
    "crash": Facts(pods=[pod(waiting=("CrashLoopBackOff", "x"), last=("Error", 1, "ImportError: numpy"), restarts=4)]),
    "node-lost": Facts(
        pods=[pod(ready=True, DisruptionTarget=("True", "DeletionByTaintManager", "deleting"))]
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_the_cause_is_found(code):
    found = explain.causes(CASES[code])
    assert found, "no cause"
    assert found[0].code == code
    assert found[0].advice
    text = explain.report(CASES[code])
    assert f"probable cause: {found[0].summary}" in text


def test_every_rule_is_exercised():
    used = {rule for facts in CASES.values() for rule in RULES if rule(facts) is not None}
    assert used == set(RULES)


def test_a_missing_secret_at_mount():
    facts = Facts(
        pods=[pod(waiting=("ContainerCreating", ""))],
        events=[
            event(
                "FailedMount", 'MountVolume.SetUp failed for volume "keys": secret "diabetes-keys" not found'
            )
        ],
    )
    assert explain.causes(facts)[0].code == "configuration-missing"


def test_a_healthy_pod_has_no_cause():
    assert explain.causes(Facts(pods=[pod(ready=True)])) == []


@pytest.mark.parametrize("code", ["insufficient-cpu", "readiness-probe-failing", "mount-failed", "node-lost"])
def test_what_waiting_may_help_is_not_final(code):
    assert not explain.causes(CASES[code])[0].final


def test_the_image_in_a_message_is_no_cause():
    """`not-found/denied` in an image's name is not why its pull fails."""
    image = "registry.example.org/denied/not-found@sha256:abc"
    item = pod(waiting=("ImagePullBackOff", f"Back-off pulling image {image}: dial tcp: i/o timeout"))
    item["status"]["containerStatuses"][0]["image"] = image
    assert explain.causes(Facts(pods=[item]))[0].code == "registry-unreachable"


def test_the_report_shows_states_events_and_logs():
    facts = Facts(
        pods=[pod(waiting=("CrashLoopBackOff", "x"), last=("Error", 3, "ValueError: bad"), restarts=2)],
        events=[event("BackOff", "Back-off restarting failed container")],
        logs={"diabetes-1": ["loading", "ValueError: bad"]},
    )
    text = explain.report(facts)
    assert (
        "diabetes-1: Pending, not ready, waiting (CrashLoopBackOff), 2 restarts, the last one ended: Error"
        in text
    )
    assert "BackOff: Back-off restarting failed container" in text
    assert "the end of the log of diabetes-1" in text
    assert "    ValueError: bad" in text


def test_the_scripts_exception_is_found_in_the_servers_log():
    """The scoring server logs JSON; its last lines are not the ones that say why."""
    lines = [
        '{"level": "error", "message": "the entry script did not start", "traceback": "Traceback (most recent call '
        'last):\\n  File \\"/app/score.py\\", line 2, in init\\nValueError: the model file is damaged\\n"}',
        '{"level": "info", "message": "stopped", "exit_code": 3}',
    ]
    for facts in (
        Facts(pods=[pod(ended=("Error", 3, "\n".join(lines)))]),
        Facts(pods=[pod(ended=("Error", 3, ""))], logs={"diabetes-1": lines}),
    ):
        assert explain.causes(facts)[0].summary.endswith("ValueError: the model file is damaged")
    assert "    ValueError: the model file is damaged" in explain.report(facts)
