"""The known causes of pods that do not get ready: one rule a cause, pure functions of what the cluster said.

The texts that rules look for are those of kubelet, scheduler, controller manager, containerd and the admission
plugins of Kubernetes 1.30 to 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mldeploy.provider.kubernetes.facts import Cause, Container, Facts
from mldeploy.provider.kubernetes.tree import at, condition, text

_SCRIPT_FAILED = 3
"""The scoring server's exit code when the entry script cannot be imported or its `init()` raised."""
_CONFIG_FAILED = 2
_KILLED = 137


# --- pods that were never created -------------------------------------------------------------------------


def quota(facts: Facts) -> Cause | None:
    """The namespace's ResourceQuota is used up."""
    for message in facts.refusals():
        if found := re.search(r"exceeded quota: (.+)", message):
            return Cause(
                "quota-exceeded",
                f"the namespace's quota does not allow another pod: {found[1][:300]}",
                "raise the quota, lower cpu_cores, memory_gb or the number of replicas, or remove an old version",
            )
        if "failed quota" in message:
            return Cause(
                "quota-exceeded", f"the quota refuses the pod: {message[:300]}", "set what the quota asks for"
            )
    return None


def pod_security(facts: Facts) -> Cause | None:
    """Pod Security admission refused the pod."""
    for message in facts.refusals():
        if found := re.search(r'violates PodSecurity "([^"]+)": (.+)', message):
            return Cause(
                "pod-security",
                f"Pod Security {found[1]} refuses the pod: {found[2][:300]}",
                "the pods of this project satisfy `restricted`: something in the cluster changes them (a webhook?)",
            )
    return None


def limit_range(facts: Facts) -> Cause | None:
    """A LimitRange refused the pod's resources."""
    for message in facts.refusals():
        if found := re.search(r"((?:maximum|minimum) \S+ usage per (?:Container|Pod) is .+)", message):
            return Cause(
                "limit-range",
                f"the namespace's LimitRange refuses the pod's size: {found[1][:300]}",
                "keep cpu_cores and memory_gb within the LimitRange, or change it",
            )
    return None


def service_account(facts: Facts) -> Cause | None:
    """The service account is missing."""
    for message in facts.refusals():
        if found := re.search(r'serviceaccount "([^"]+)" not found', message):
            return Cause(
                "service-account-missing",
                f"the service account {found[1]!r} does not exist",
                "`mldeploy refresh`, then `up` makes it again; if it stays away, something deletes it",
            )
    return None


def priority_class(facts: Facts) -> Cause | None:
    """The priority class is missing."""
    for message in facts.refusals():
        if found := re.search(r"no PriorityClass with name (\S+) was found", message):
            return Cause(
                "priority-class-missing",
                f"the cluster has no PriorityClass {found[1]}",
                "create the class, or change the service's priority_class",
            )
    return None


def webhook(facts: Facts) -> Cause | None:
    """An admission webhook or policy refused the pod."""
    pattern = (
        r'(admission webhook "[^"]+" denied the request: .+|failed calling webhook .+|'
        r"ValidatingAdmissionPolicy .+)"
    )
    for message in facts.refusals():
        if found := re.search(pattern, message):
            return Cause(
                "admission-denied",
                f"the cluster's own policy refuses the pod: {found[1][:400]}",
                "change what the policy names, or ask those who run the cluster",
            )
    return None


# --- pods that no node takes ------------------------------------------------------------------------------

_SCHEDULING = (
    (r"Insufficient (nvidia\.com/gpu|\S*gpu\S*?)[,.\s]", "no-gpu", "no node has a free GPU ({0})",
     "add a GPU node pool, or wait for its autoscaler"),
    (r"Insufficient (cpu)", "insufficient-cpu", "no node has enough free CPU",
     "add nodes, lower cpu_cores, or wait for the cluster autoscaler"),
    (r"Insufficient (memory)", "insufficient-memory", "no node has enough free memory",
     "add nodes, lower memory_gb, or wait for the cluster autoscaler"),
    (r"(Too many pods)", "too-many-pods", "the nodes are full of pods", "add nodes"),
    (r"(didn't match Pod's node affinity/selector)", "node-selector", "no node has the labels of node_selector",
     "label a node pool, or change node_selector"),
    (r"untolerated taint(?:\(s\))?:? ?(\{[^}]*\})?", "taint",
     "the nodes that fit have a taint {0} that is not tolerated",
     "add a toleration to the service, or another node pool"),
    (r"(no nodes available)", "no-nodes", "the cluster has no nodes", "add a node pool"),
    (r"(unbound immediate PersistentVolumeClaims|persistentvolumeclaim \S+ not found)", "volume",
     "a volume of the pod is not there", "create the volume claim"),
)  # fmt: skip


def scheduling(facts: Facts) -> Cause | None:
    """No node takes the pod."""
    for message in facts.unschedulable():
        for pattern, code, summary, advice in _SCHEDULING:
            if found := re.search(pattern, message + " "):
                text = summary.format(found[1] or "")
                return Cause(code, f"{text}: {message[:300]}", advice, final=False)
        return Cause(
            "unschedulable", f"no node takes the pod: {message[:300]}", "see the message", final=False
        )
    return None


# --- images -----------------------------------------------------------------------------------------------

_PULL = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")
_IMAGE_PROBLEMS = (
    (r"unauthorized|401|403|authentication required|authorization failed|denied|forbidden", "image-unauthorized",
     "the registry refuses the pull of {image}",
     "give the cluster the AcrPull role on the registry, or the image's registry credentials"),
    (r"not found|manifest unknown|404|does not exist|name unknown", "image-missing",
     "the image {image} is not in its registry",
     "push the image (run the update again), or correct the reference"),
    (r"no match for platform|no matching manifest", "image-platform",
     "the image {image} is not built for the node's processor",
     "build it for the node pool's architecture"),
    (r"no such host|i/o timeout|connection refused|dial tcp|TLS handshake|x509|context deadline",
     "registry-unreachable",
     "the node cannot reach the registry of {image}", "check name, firewall, private endpoint and DNS of the registry"),
    (r"no space left", "node-disk-full", "the node has no room for {image}", "use bigger node disks or smaller images"),
)  # fmt: skip


def image(facts: Facts) -> Cause | None:
    """The image cannot be pulled."""
    for container in facts.containers():
        if container.waiting in ("InvalidImageName", "ErrImageNeverPull"):
            shown = (
                f"{container.image!r} is no image that the node can use: {container.waiting_message[:200]}"
            )
            return Cause("image-name", shown, "correct the image's reference")
        if container.waiting in _PULL:
            return _pull_cause(container, [container.waiting_message, *facts.messages("Failed")])
    return None


def _patience(code: str, image: str) -> float:
    """A right to pull works minutes after it was given: on Azure up to ten
    (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting), elsewhere one or two
    (https://github.com/kubernetes/kubernetes/issues/92326)."""
    if code != "image-unauthorized":
        return Cause.patience
    server = image.partition("/")[0]
    return 600.0 if server.endswith((".azurecr.io", ".azurecr.cn", ".azurecr.us")) else 120.0


def _pull_cause(container: Container, messages: list[str]) -> Cause:
    for message in messages:
        for pattern, code, summary, advice in _IMAGE_PROBLEMS:
            if re.search(pattern, message.replace(container.image, "")):
                shown = f"{summary.format(image=container.image)}: {message[-300:]}"
                return Cause(code, shown, advice, patience=_patience(code, container.image))
    return Cause("image-pull", f"the image {container.image} cannot be pulled", "see the events")


# --- containers that do not start or do not stay ----------------------------------------------------------


def volume(facts: Facts) -> Cause | None:
    """A Secret or ConfigMap that the pod mounts or reads is missing."""
    for container in facts.containers():
        if container.waiting == "CreateContainerConfigError":
            return Cause(
                "configuration-missing",
                f"the container's configuration is incomplete: {container.waiting_message[:300]}",
                "`mldeploy refresh`, then `up` makes it again; if it stays away, something deletes it",
            )
    if any(container.ready or container.terminated for container in facts.containers()):
        return None
    for message in facts.messages("FailedMount"):
        if found := re.search(r'((?:secret|configmap) "[^"]+" not found)', message):
            return Cause(
                "configuration-missing", f"{found[1]}, which the pod mounts",
                "`mldeploy refresh`, then `up` makes it again; if it stays away, something deletes it",
            )  # fmt: skip
        return Cause(
            "mount-failed", f"a volume cannot be mounted: {message[:300]}", "see the message", final=False
        )
    return None


def memory(facts: Facts) -> Cause | None:
    """The container was killed for its memory."""
    for container in facts.containers():
        if any(reason == "OOMKilled" for reason, _, _ in container.exits):
            return Cause(
                "out-of-memory",
                f"the container {container.name} used more memory than its limit and was killed (OOMKilled)",
                "raise memory_gb (or memory_gb_limit), or load a smaller model",
            )
    return None


def evicted(facts: Facts) -> Cause | None:
    """The node threw the pod out."""
    for pod in facts.pods:
        if text(pod, "status", "reason") == "Evicted":
            return Cause(
                "evicted",
                f"the node evicted the pod: {text(pod, 'status', 'message')[:300]}",
                "request what the service needs (memory_gb), write less to /tmp, or use bigger nodes",
            )
    return None


_START_PROBLEMS = (
    (r"exec format error", "image-platform", "the image is built for another processor architecture than the node's",
     "build the image for the node pool's architecture"),
    (r"no such file or directory|executable file not found", "command-missing",
     "the image does not have the command it is to run",
     "use an image of this project, or install the scoring server in the base image"),
    (r"permission denied", "command-not-executable", "the image's command may not be executed by a user without rights",
     "make it readable and executable for everybody"),
)  # fmt: skip


def start(facts: Facts) -> Cause | None:
    """The container runtime could not start the process."""
    for container in facts.containers():
        texts = (
            [container.waiting_message]
            if container.waiting in ("RunContainerError", "CreateContainerError")
            else []
        )
        texts += [
            f"{reason} {message}"
            for reason, _, message in container.exits
            if reason in ("StartError", "ContainerCannotRun")
        ]
        texts += [message for _, code, message in container.exits if code and "exec format error" in message]
        for said in texts:
            for pattern, code, summary, advice in _START_PROBLEMS:
                if re.search(pattern, said):
                    return Cause(code, f"{summary}: {said.strip()[-300:]}", advice)
            return Cause(
                "start-failed", f"the container cannot be started: {said.strip()[:300]}", "see the message"
            )
    return None


def script(facts: Facts) -> Cause | None:
    """The entry script does not load."""
    for container in facts.containers():
        for _, code, _ in container.exits:
            if code == _SCRIPT_FAILED:
                return Cause(
                    "init-failed",
                    f"the entry script cannot be imported, or its init() raised: {facts.last_words()}",
                    "correct the script; `mldeploy logs` and a local target show the whole traceback",
                )
    return None


def filesystem(facts: Facts) -> Cause | None:
    """The process wants to write where it may not."""
    texts = [message for container in facts.containers() for _, code, message in container.exits if code]
    texts += [
        line
        for container in facts.containers()
        if container.exits
        for lines in facts.logs.values()
        for line in lines
    ]
    for said in texts:
        if found := re.search(r"Read-only file system:? ?'?([^'\n]*)'?", said):
            return Cause(
                "read-only-file-system",
                f"the script writes to the container's file system, which is read-only: {found[1]}".rstrip(
                    ": "
                ),
                "write to /tmp (at most 512 MiB)",
            )
    return None


def probes(facts: Facts) -> Cause | None:
    """A probe kills the container or keeps it out of service."""
    killed = {
        kind
        for message in facts.messages("Killing")
        if (found := re.search(r"failed (startup|liveness) probe", message))
        for kind in [found[1]]
    }
    failing = {
        found[1].lower(): message
        for message in reversed(list(facts.messages("Unhealthy")))
        if (found := re.match(r"(Startup|Liveness|Readiness) probe (?:failed|errored)", message))
    }
    if "startup" in killed:
        return Cause(
            "startup-probe",
            f"the service did not answer its startup probe in time: {failing.get('startup', '')[:200]}",
            "raise probes.initial_delay_seconds when init() needs longer, or give it more cpu_cores",
        )
    if "liveness" in killed:
        return Cause(
            "liveness-probe",
            f"the service stopped answering and was started again: {failing.get('liveness', '')[:200]}",
            "the entry script blocks the server or starves: give it more cpu_cores, or shorten what it does",
        )
    running = any(
        not container.ready and not container.waiting and not container.terminated
        for container in facts.containers()
    )
    if running and (kind := next((kind for kind in ("readiness", "startup") if kind in failing), None)):
        return Cause(
            f"{kind}-probe-failing",
            f"the container runs, but its {kind} probe fails: {failing[kind][:200]}",
            "see the log: init() may still be loading, or the server listens elsewhere",
            final=False,
        )
    return None


def crash(facts: Facts) -> Cause | None:
    """The process ends by itself."""
    for container in facts.containers():
        for reason, code, _ in container.exits:
            if code == _CONFIG_FAILED and reason != "Completed":
                return Cause(
                    "bad-configuration",
                    f"the scoring server refuses its configuration: {facts.last_words()}",
                    "see the log",
                )
            if code or container.restarts:
                killed = code >= _KILLED
                how = f"was killed (exit code {code}: a signal)" if killed else f"ended with exit code {code}"
                return Cause(
                    "crash", f"the container {container.name} {how}: {facts.last_words()}", "see the log"
                )
    return None


def node_lost(facts: Facts) -> Cause | None:
    """The node is away."""
    for pod in facts.pods:
        lost = condition(pod, "DisruptionTarget").get("reason") == "DeletionByTaintManager"
        if lost or at(pod, "status", "reason") == "NodeLost":
            node = text(pod, "spec", "nodeName")
            return Cause(
                "node-lost", f"the node {node} does not answer any more", "see the node's health", False
            )
    return None


RULES: tuple[Callable[[Facts], Cause | None], ...] = (
    quota,
    pod_security,
    limit_range,
    service_account,
    priority_class,
    webhook,
    image,
    memory,
    start,
    filesystem,
    script,
    volume,
    evicted,
    probes,
    crash,
    node_lost,
    scheduling,
)
