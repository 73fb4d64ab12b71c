"""`type: toy`: what it is to a manifest."""

from mldeploy.manifest.base import Positive
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.kinds.kind import Kind, Need, name_rule
from mldeploy.manifest.markers import ONLINE
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault


class ToyTarget(Target):
    """A box of toys."""

    blocks: Positive = 3
    """How many there are."""


def _service(draft: Draft, name: str, service: Service):
    if service.cpu_cores is not None and service.cpu_cores > 1:
        yield Fault(
            ("services", name, "cpu_cores"), f"{service.cpu_cores:g} is too many for a toy; allowed: 1"
        )


KIND = Kind(
    model=ToyTarget,
    traits={ONLINE: None},
    service_names=name_rule(r"[a-z]+", "lowercase letters"),
    check_service=_service,
    needs=(Need("program", "toybox", "buy one"),),
    v1=("ToyWebservice",),
)
