"""Remote components: a provider's `Construct` registers the component and its children with this run's monitor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from mldeploy.engine.base.errors import BailError, EngineError, ProviderError, UnsupportedError
from mldeploy.engine.base.monitor_error import MonitorError
from mldeploy.engine.base.proto import Message, provider, resource, resource_grpc
from mldeploy.engine.base.urn import child_urn, parse_provider_reference, type_package
from mldeploy.engine.core.default_providers import DefaultProviders, ProviderRequest
from mldeploy.engine.core.deployment import Deployment
from mldeploy.engine.program.transforms import Transforms
from mldeploy.engine.project.config import StackConfig
from mldeploy.values.marshal import Marshaller, unmarshal
from mldeploy.values.property_value import PropertyMap, ResourceReference, lower_outputs, output_dependencies

_EVERYTHING = Marshaller(unknowns=True, secrets=True, resources=True, outputs=True)
# Each call of a component waits for its step; the engine itself limits how many run.
_THREADS = 256
_GRACE_SECONDS = 1.0  # cut off at once, a plugin's gRPC would complain on the terminal
_CALLS = (
    "GetDeploymentInfo",
    "SupportsFeature",
    "Invoke",
    "Call",
    "ReadResource",
    "RegisterResource",
    "RegisterResourceOutputs",
    "RegisterStackTransform",
    "RegisterStackInvokeTransform",
    "RegisterResourceHook",
    "RegisterErrorHook",
    "RegisterPackage",
    "SignalAndWaitForShutdown",
)


class MonitorServer:
    """A resource monitor over gRPC, for what plugins construct. It starts when its address is first asked for."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._lock = threading.Lock()
        self._server: Any = None
        self._address = ""

    @property
    def address(self) -> str:
        """Where the monitor is reached."""
        with self._lock:
            if self._server is None:
                servicer: Any = resource_grpc.ResourceMonitorServicer()
                for name in _CALLS:
                    setattr(servicer, name, _served(getattr(self._monitor, name)))
                server = grpc.server(ThreadPoolExecutor(_THREADS, "component"))
                resource_grpc.add_ResourceMonitorServicer_to_server(servicer, server)
                self._address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
                server.start()
                self._server = server
            return self._address

    def close(self) -> None:
        """Stop the server."""
        with self._lock:
            if self._server is not None:
                self._server.stop(_GRACE_SECONDS)
                self._server = None


def _served(call: Callable[[Message], Message]) -> Callable[[Message, Any], Message]:
    def handle(request: Message, context: Any) -> Message:
        try:
            return call(request)
        except MonitorError as error:
            context.abort(error.code(), error.details())
            raise

    return handle


class ComponentMaker:
    """Has components made by their providers, which register them and their children with `monitor`."""

    def __init__(
        self,
        monitor: Any,
        deployment: Deployment,
        config: StackConfig,
        defaults: DefaultProviders,
        transforms: Transforms,
    ) -> None:
        self._server = MonitorServer(monitor)
        self._deployment = deployment
        self._config = config
        self._defaults = defaults
        self._transforms = transforms

    def close(self) -> None:
        """Stop listening to components."""
        self._server.close()

    def make(
        self, request: Message, options: Message, props: PropertyMap, inherited: dict[str, str]
    ) -> Message | None:
        """The answer to a registration with `remote`; None while the provider's configuration is not known.

        `inherited`: the providers that the parent hands on, by package. Raises EngineError, MonitorError.
        """
        identity = self._deployment.identity
        urn = child_urn(identity.stack, identity.project, request.parent, request.type, request.name)
        for name, handed_on in inherited.items():
            if name not in options.providers:
                options.providers[name] = handed_on
        package = type_package(request.type)
        reference = options.provider or self._defaults.reference(
            ProviderRequest(package, options.version, options.plugin_download_url)
        )
        found = self._deployment.registry.get(parse_provider_reference(reference))
        if found is None:
            raise EngineError(f"unknown provider '{reference}'")
        self._transforms.remember(urn, request)  # before its children come
        try:
            response = found.construct(self._request(request, options, props, outputs=found.accepts_outputs))
        except ProviderError as error:
            if self._deployment.errors:  # One of its children failed, and that was reported.
                raise BailError(str(error)) from None
            raise EngineError(f"{request.type} resource '{request.name}' has a problem: {error}") from None
        return None if response is None else _answer(request, response)

    def call(self, request: Message, provider_of: Callable[[str], str]) -> Message:
        """The answer of a component's method. `provider_of`: the provider of a registered resource, empty for none.

        Raises EngineError.
        """
        if request.packageRef:
            raise UnsupportedError(f"{request.tok}: parameterised packages need the pulumi CLI")
        args = unmarshal(request.args)
        owner = args.get("__self__")
        reference = request.provider
        package = type_package(request.tok)
        if isinstance(owner, ResourceReference) and not reference:
            reference = f"{owner.urn}::{owner.id}" if package == "pulumi" else provider_of(owner.urn)
        reference = reference or self._defaults.reference(
            ProviderRequest(package, request.version, request.pluginDownloadURL)
        )
        found = self._deployment.registry.get(parse_provider_reference(reference))
        if found is None:
            raise EngineError(f"unknown provider '{reference}'")
        if not found.accepts_outputs:
            args = {key: lower_outputs(value) for key, value in args.items()}
        made = provider.CallRequest(
            tok=request.tok, args=_EVERYTHING.struct(args), accepts_output_values=True, **self._surroundings()
        )
        for key, needed in request.argDependencies.items():
            made.argDependencies[key].urns.extend(needed.urns)
        try:
            response = found.call(made)
        except ProviderError as error:
            if self._deployment.errors:
                raise BailError(str(error)) from None
            raise EngineError(f"call to function '{request.tok}' failed: {error}") from None
        return _returned(response) if response is not None else provider.CallResponse()

    def _surroundings(self) -> dict[str, Any]:
        """What the makers of components are told about the run."""
        identity = self._deployment.identity
        return {
            "project": identity.project,
            "stack": identity.stack,
            "organization": "organization",
            "config": self._config.plain(),
            "configSecretKeys": self._config.secret_keys(),
            "dryRun": self._deployment.preview,
            "parallel": self._deployment.options.parallel,
            "monitorEndpoint": self._server.address,
        }

    def _request(self, request: Message, options: Message, props: PropertyMap, *, outputs: bool) -> Message:
        if not outputs:
            props = {key: lower_outputs(value) for key, value in props.items()}
        made = provider.ConstructRequest(
            **self._surroundings(),
            type=request.type,
            name=request.name,
            parent=request.parent,
            inputs=_EVERYTHING.struct(props),
            accepts_output_values=True,
        )
        for key, needed in request.propertyDependencies.items():
            made.inputDependencies[key].urns.extend(needed.urns)
        _set_options(made, request.type, options)
        return made


def _set_options(made: Message, type_: str, options: Message) -> None:
    for theirs, ours in _SAME.items():
        getattr(made, theirs).extend(getattr(options, ours))
    for alias in options.aliases:
        made.aliases.add().ParseFromString(alias.SerializeToString())
    for package, reference in options.providers.items():
        made.providers[package] = reference
    if options.provider:
        made.providers[type_package(type_)] = options.provider
    made.deletedWith = options.deleted_with
    if options.HasField("custom_timeouts"):
        for name in ("create", "update", "delete", "read"):
            setattr(made.customTimeouts, name, getattr(options.custom_timeouts, name))
    for theirs, ours in _OPTIONAL.items():
        if options.HasField(ours):
            setattr(made, theirs, getattr(options, ours))
    if options.HasField("replacement_trigger"):
        made.replacement_trigger.CopyFrom(options.replacement_trigger)


_SAME = {
    "dependencies": "depends_on",
    "additionalSecretOutputs": "additional_secret_outputs",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
    "replace_with": "replace_with",
}
_OPTIONAL = {
    "protect": "protect",
    "retainOnDelete": "retain_on_delete",
    "deleteBeforeReplace": "delete_before_replace",
}


def _returned(response: Message) -> Message:
    """A method's answer for the program, whose SDK takes no output values here."""
    values = unmarshal(getattr(response, "return"))
    answer = provider.CallResponse(failures=response.failures)
    plain = Marshaller(unknowns=True, secrets=True, resources=True)
    getattr(answer, "return").CopyFrom(plain.struct({k: lower_outputs(v) for k, v in values.items()}))
    _depend(answer.returnDependencies, response.returnDependencies, values)
    return answer


def _answer(request: Message, response: Message) -> Message:
    outputs = unmarshal(response.state)
    marshal = Marshaller(unknowns=True, secrets=request.acceptSecrets, resources=request.acceptResources)
    answer = resource.RegisterResourceResponse(
        urn=response.urn, object=marshal.struct({k: lower_outputs(v) for k, v in outputs.items()})
    )
    _depend(answer.propertyDependencies, response.stateDependencies, outputs)
    return answer


def _depend(made: Any, said: Any, values: Mapping[str, Any]) -> None:
    """Name for each value the resources it depends on: those that the provider ``said``, and those in its outputs."""
    for key, value in values.items():
        needed = set(said[key].urns) if key in said else set[str]()
        output_dependencies(value, needed)
        made[key].urns.extend(sorted(needed))


def bare_component(request: Message) -> Message:
    """The registration of a component of which nothing is known but where it is."""
    return resource.RegisterResourceRequest(
        type=request.type,
        name=request.name,
        parent=request.parent,
        acceptSecrets=request.acceptSecrets,
        acceptResources=request.acceptResources,
    )
