"""Runs a program's components in process against the stand-in: as a plan, or as a whole first deployment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.proto import provider_pb2, resource_pb2

from mldeploy.provider.catalog import RESOURCES
from mldeploy.provider.framework.servicer import Provider
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, contains_secrets, reveal
from tests.azure.standin import invokes
from tests.azure.standin.arm import Service, ServiceError, echoed, faults_of, path_faults
from tests.azure.standin.outputs import computed
from tests.azure.standin.servicer import StandIn
from tests.azure.standin.tokens import of

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Registered:
    """One resource as the program registered it."""

    type: str
    name: str
    parent: str
    urn: str
    inputs: dict[str, Any]
    """With Secret and UNKNOWN."""
    request: Any

    @property
    def plain(self) -> dict[str, Any]:
        """The inputs without secret wrappers."""
        return reveal(self.inputs)


@dataclass
class Recorded:
    """What a program did."""

    resources: list[Registered] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What Check, or the service, refused: `<name>: <path> <reason>`."""
    error: BaseException | None = None

    def of(self, type_: str) -> list[Registered]:
        """The resources whose type ends so."""
        return [item for item in self.resources if item.type.endswith(type_)]

    def one(self, name: str) -> Registered:
        """The resource of that name."""
        (found,) = [
            item for item in self.resources if item.name == name and "mldeploy:" not in item.type
        ] or [item for item in self.resources if item.name == name]
        return found


class _Nothing(Mocks):
    def new_resource(self, args: Any) -> Any:
        raise AssertionError("the monitor answers")

    def call(self, args: Any) -> Any:
        raise AssertionError("the monitor answers")


class _Monitor(MockMonitor):
    """Answers as the stand-in would. In a plan, computed outputs stay unknown."""

    def __init__(self, recorded: Recorded, service: Service, *, preview: bool, root: Path) -> None:
        super().__init__(_Nothing())
        self._recorded, self._service, self._preview = recorded, service, preview
        self._provider, self._lock = Provider(root), threading.Lock()

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs = decode(request.object)
        with self._lock:
            self._recorded.resources.append(
                Registered(request.type, request.name, request.parent, urn, dict(inputs), request)
            )
            if not request.custom:
                return resource_pb2.RegisterResourceResponse(urn=urn)
            if request.type.startswith("azure-native:"):
                ident, outputs = self._azure(request, inputs)
            elif request.type in RESOURCES:
                ident, outputs = self._ours(urn, request.type, inputs)
            else:
                ident, outputs = "", inputs
        self.resources[urn] = MockMonitor.ResourceRegistration(urn, ident, outputs)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=ident, object=encode(outputs))

    def Invoke(self, request: Any) -> Any:
        if request.tok == "mldeploy:azure:getCaller":
            known = {"principal_id": self._service.world.deployer, "principal_type": "ServicePrincipal"}
            return resource_pb2.ResourceInvokeResponse(**{"return": encode(known)})
        found = invokes.call(self._service, request.tok, reveal(decode(request.args)))
        return resource_pb2.ResourceInvokeResponse(**{"return": encode(found)})

    def _azure(self, request: Any, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        token = of(request.type)
        missing = StandIn._complete(token, inputs, {}, request.name, b"")
        name = inputs.get(token.path[-1])
        found = missing or path_faults(token, inputs) + faults_of(token, name, token.body(inputs), None)
        self._recorded.faults += [f"{request.name}: {path} {reason}" for path, reason in found]
        shown = {key: value for key, value in inputs.items() if key not in token.path}
        ident = token.ident(self._service.subscription, reveal(inputs))
        if self._preview or ident is None or found:
            return "", echoed({key: value for key, value in shown.items() if not contains_secrets(value)})
        try:
            return ident, self._service.put(token, ident, inputs, create=True)
        except ServiceError as error:
            self._recorded.faults.append(f"{request.name}: {error}")
            return ident, reveal(shown) | computed(token.arm, token.version, ident, reveal(inputs))

    def _ours(self, urn: str, type_: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        checked = self._provider.Check(provider_pb2.CheckRequest(urn=urn, type=type_, news=encode(inputs)))
        self._recorded.faults += [
            f"{urn.rpartition('::')[2]}: {f.property} {f.reason}" for f in checked.failures
        ]
        if checked.failures:
            return "", inputs
        self._recorded.resources[-1].inputs = dict(decode(checked.inputs))
        made = self._provider.Create(
            provider_pb2.CreateRequest(urn=urn, type=type_, properties=checked.inputs, preview=True)
        )
        outputs = decode(made.properties)
        if self._preview:
            return "", {key: value for key, value in outputs.items() if value is not UNKNOWN}
        return f"id-{urn.rpartition('::')[2]}", {key: _known(key, value) for key, value in outputs.items()}


def _known(key: str, value: Any) -> Any:
    plain = reveal(value)
    return (
        value
        if plain is not UNKNOWN
        else type(value)(f"known-{key}")
        if value is not UNKNOWN
        else f"known-{key}"
    )


def run(
    program: Callable[[], Any],
    folder: Path,
    *,
    preview: bool = True,
    stack: str = "dev",
    root: Path = ROOT,
    config: dict[str, str] | None = None,
) -> Recorded:
    """Run ``program``; what it raises is in ``error``."""
    recorded = Recorded()
    # The embedded engine, when a test ran it before, has closed the loop that it made for its program.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monitor = _Monitor(recorded, Service(folder), preview=preview, root=root)
    pulumi.runtime.set_mocks(_Nothing(), project="mldeploy", stack=stack, preview=preview, monitor=monitor)
    pulumi.runtime.set_all_config(config or {})

    @pulumi.runtime.test
    def go() -> Any:
        return program()

    try:
        go()
    except Exception as error:
        recorded.error = error
    finally:
        # A program that stopped half-way leaves tasks; ended by the collector later, they disturb whatever runs then.
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()
        # The next test may be anybody's: leave it a loop that is open.
        asyncio.set_event_loop(asyncio.new_event_loop())
    return recorded
