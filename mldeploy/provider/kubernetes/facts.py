"""What a cluster says about pods, and what a cause is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mldeploy.provider.kubernetes.tree import Json, condition, items, obj, text
from mldeploy.provider.local.startup import readable

_RAISED = re.compile(r"[A-Za-z_.]*(Error|Exception|Interrupt|Exit)\b(:|$)")
_SHOWN = 300


@dataclass(frozen=True)
class Cause:
    """Why, and what to do about it. ``final``: waiting does not help, once ``patience`` seconds have passed."""

    code: str
    summary: str
    advice: str
    final: bool = True
    patience: float = 20.0
    """What cannot get better by waiting is given this long, for a registry or a quota to recover."""


@dataclass(frozen=True)
class Container:
    """A container's state; reasons are empty where there is none."""

    name: str
    image: str
    restarts: int
    waiting: str
    waiting_message: str
    terminated: str
    exit_code: int
    message: str
    last_reason: str
    last_exit_code: int
    last_message: str
    ready: bool

    @property
    def exits(self) -> list[tuple[str, int, str]]:
        """(reason, exit code, message) of the present and the last end."""
        present = [(self.terminated, self.exit_code, self.message)] if self.terminated else []
        return present + (
            [(self.last_reason, self.last_exit_code, self.last_message)] if self.last_reason else []
        )


@dataclass(frozen=True)
class Facts:
    """What the cluster said. Objects are the API's own JSON."""

    deployments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    replica_sets: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pods: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    logs: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])

    def containers_of(self, pod: Json) -> list[Container]:
        """The states of a pod's containers."""
        both = [*items(pod, "status", "initContainerStatuses"), *items(pod, "status", "containerStatuses")]
        return [_container(item) for item in both]

    def containers(self) -> Iterator[Container]:
        """The states of all containers."""
        for pod in self.pods:
            yield from self.containers_of(pod)

    def messages(self, *reasons: str) -> Iterator[str]:
        """Messages of events with one of ``reasons``, latest first."""
        for event in reversed(self.events):
            if event.get("reason") in reasons:
                yield str(event.get("message", ""))

    def refusals(self) -> Iterator[str]:
        """Why pods could not even be created."""
        for item in (*self.replica_sets, *self.deployments):
            found = condition(item, "ReplicaFailure")
            if found.get("status") == "True":
                yield text(found, "message")
        yield from self.messages("FailedCreate")

    def unschedulable(self) -> Iterator[str]:
        """The scheduler's reasons, pod by pod."""
        for pod in self.pods:
            found = condition(pod, "PodScheduled")
            if found.get("status") == "False":
                yield text(found, "message")

    def last_words(self) -> str:
        """The line of a failed container that says most, for a summary: an exception's, else the last one."""
        messages = [message for container in self.containers() for _, _, message in container.exits]
        texts = [message.splitlines() for message in messages if message.strip()] + list(self.logs.values())
        lines = [[line.strip() for line in readable(text) if line.strip()] for text in texts]
        raised = [line for found in lines for line in found if _RAISED.match(line)]
        if raised:
            return raised[-1][:_SHOWN]
        return next((found[-1][:_SHOWN] for found in lines if found), "")


def _container(item: Json) -> Container:
    waiting, ended, before = (
        obj(item, "state", "waiting"),
        obj(item, "state", "terminated"),
        obj(item, "lastState", "terminated"),
    )
    return Container(
        name=text(item, "name"),
        image=text(item, "image"),
        restarts=int(item.get("restartCount", 0)),
        waiting=text(waiting, "reason"),
        waiting_message=text(waiting, "message"),
        terminated=text(ended, "reason"),
        exit_code=int(ended.get("exitCode", 0)),
        message=text(ended, "message"),
        last_reason=text(before, "reason"),
        last_exit_code=int(before.get("exitCode", 0)),
        last_message=text(before, "message"),
        ready=bool(item.get("ready")),
    )
