"""`type: toy`: what can be done with its services, and what is looked at on this machine."""

from dataclasses import dataclass

from mldeploy.operations.model import Answer, Finding, ServiceStatus, State
from mldeploy.operations.state import current


@dataclass(frozen=True)
class ToyService:
    name: str
    blocks: int
    kind: str = "toy"

    def status(self, target):
        return ServiceStatus(
            self.name, target, State.HEALTHY, {}, "toy://box/score", None, f"{self.blocks} blocks"
        )

    def logs(self, *, lines, follow):
        yield "played with"

    def keys(self):
        return None

    def score(self, body, content_type, timeout):
        return Answer(200, "application/json", body)


def handles(resources):
    return [
        ToyService(str(one.inputs["service"]), int(one.inputs["blocks"]))
        for one in current(resources, "toys:index:Box")
    ]


def examine(name, target):
    yield Finding("ok", f"targets.{name}", f"{target.blocks} blocks in the box")
