"""kwok's configuration: its own fast stages, and pods whose image says how they fail.

An image with `missing` in its name is never pulled, one with `crash` ends with exit code 3, one with `oom` is
killed for its memory. One with `process` is left to `tests.kubernetes.process_pods`.
"""

from __future__ import annotations

from pathlib import Path

_FAILING = '.spec.containers.[].image | select(test("missing|crash|oom|process"))'
_PROCESS = '.spec.containers.[].image | select(test("process"))'
_FRESH = """    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: '.status.containerStatuses', operator: DoesNotExist}"""

_PENDING = """apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {{name: {name}}}
spec:
  resourceRef: {{apiGroup: v1, kind: Pod}}
  selector:
    matchExpressions:
{fresh}
    - {{key: '.spec.containers.[].image | select(test("{word}"))', operator: Exists}}
  next:
    statusTemplate: |
      {{{{ $now := Now }}}}
      conditions:
      - {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "True", type: Initialized}}
      - {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "False", type: Ready, reason: ContainersNotReady}}
      - {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "False", type: ContainersReady,
         reason: ContainersNotReady}}
      containerStatuses:
      {{{{ range .spec.containers }}}}
      - image: {{{{ .image | Quote }}}}
        imageID: ""
        name: {{{{ .name | Quote }}}}
        ready: false
        restartCount: {restarts}
        state: {{waiting: {{reason: {reason}, message: {message}}}}}
        {last}
      {{{{ end }}}}
      hostIP: {{{{ NodeIPWith .spec.nodeName | Quote }}}}
      phase: {phase}
      startTime: {{{{ $now | Quote }}}}"""


def configuration(stages: Path, log: Path) -> str:
    """The configuration's YAML text.

    Args:
        stages: the folder with kwok's own stages.
        log: the file that every pod's log is read from.
    """
    documents = []
    for path in sorted(stages.glob("*.yaml")):
        text = path.read_text().strip()
        if path.stem == "pod-ready":
            mark = "    matchExpressions:\n"
            assert text.count(mark) == 1, "kwok's pod-ready stage has changed"
            text = text.replace(mark, f"{mark}    - key: '{_FAILING}'\n      operator: 'DoesNotExist'\n")
        if path.stem == "pod-delete":
            mark = "    matchExpressions:\n"
            assert text.count(mark) == 1, "kwok's pod-delete stage has changed"
            text = text.replace(mark, f"{mark}    - key: '{_PROCESS}'\n      operator: 'DoesNotExist'\n")
        documents.append(text)
    back_off = "'Back-off pulling image: manifest unknown: not found'"
    restart = "'back-off 10s restarting failed container'"
    documents += [
        _stage("image-missing", "missing", "ImagePullBackOff", back_off),
        _stage("crashes", "crash", "CrashLoopBackOff", restart, (3, "Error", '"ValueError: no such model"')),
        _stage("killed", "oom", "CrashLoopBackOff", restart, (137, "OOMKilled", '""')),
        "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: ClusterLogs\nmetadata: {name: all}\n"
        f"spec:\n  logs: [{{logsFile: {log}, follow: false}}]",
    ]
    return "\n---\n".join(documents) + "\n"


def _stage(name: str, word: str, reason: str, message: str, last: tuple[int, str, str] | None = None) -> str:
    ended = ""
    if last:
        code, why, text = last
        now = "{{ $now | Quote }}"
        ended = (
            f"lastState: {{terminated: {{exitCode: {code}, reason: {why}, message: {text}, "
            f"startedAt: {now}, finishedAt: {now}}}}}"
        )
    return _PENDING.format(
        name=name,
        word=word,
        fresh=_FRESH,
        reason=reason,
        message=message,
        restarts=3 if last else 0,
        last=ended,
        phase="Running" if last else "Pending",
    )
