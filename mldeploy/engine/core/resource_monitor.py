"""The resource monitor: what the SDK talks to while the program runs (`pulumirpc.ResourceMonitor`)."""
# ruff: noqa: N802 - the methods are named by the protocol

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

import grpc

from mldeploy.engine.base.errors import BailError, EngineError, UnsupportedError
from mldeploy.engine.base.goal import Goal, ReadGoal
from mldeploy.engine.base.monitor_error import MonitorError
from mldeploy.engine.base.proto import EMPTY, Message, resource
from mldeploy.engine.base.urn import (
    ROOT_STACK_TYPE,
    is_provider_type,
    parse_provider_reference,
    type_package,
    urn_type,
)
from mldeploy.engine.core.construct import ComponentMaker, bare_component
from mldeploy.engine.core.default_providers import DefaultProviders, ProviderRequest
from mldeploy.engine.core.deployment import Deployment, Registration
from mldeploy.engine.core.step_executor import CancelledStepError, StepFailedError
from mldeploy.engine.core.step_generator import StepGenerator
from mldeploy.engine.plugins.registry import set_internal, set_version
from mldeploy.engine.plugins.sdk_only import SdkOnlyProvider
from mldeploy.engine.program.requests import inherit, make_goal, refuse_unsupported
from mldeploy.engine.program.transforms import Transforms
from mldeploy.engine.project.config import StackConfig
from mldeploy.values.assets import hash_assets
from mldeploy.values.marshal import Marshaller, unmarshal
from mldeploy.values.property_value import PropertyMap, lower_outputs, output_dependencies

_FEATURES = (
    "SECRETS",
    "RESOURCE_REFERENCES",
    "OUTPUT_VALUES",
    "ALIAS_SPECS",
    "REPLACEMENT_TRIGGER",
    "DELETED_WITH",
    "REPLACE_WITH",
    "TRANSFORMS",
    "INVOKE_TRANSFORMS",
    "PARAMETERIZATION",
    "RESOURCE_HOOKS",
    "ERROR_HOOKS",
    "BYTE_STRING",
    "INVOKE_DEPENDS_ON",
    "INVOKE_PARENT",
)
_SHUT_DOWN = "resource monitor shut down"


def _unavailable() -> MonitorError:
    return MonitorError(grpc.StatusCode.UNAVAILABLE, _SHUT_DOWN)


def _failed_registration(urn: str) -> Message:
    return resource.RegisterResourceResponse(urn=urn, result=resource.Result.FAIL)


class ResourceMonitor:
    """Method names are the protocol's. Each call comes on a thread of its own and returns when it is done."""

    def __init__(
        self,
        deployment: Deployment,
        generator: StepGenerator,
        config: StackConfig,
        before_first_step: Callable[[], None],
    ) -> None:
        self._deployment = deployment
        self._generator = generator
        self._config = config
        self._defaults = DefaultProviders(generator, config)
        self._transforms = Transforms()
        self._before_first = before_first_step
        self._gate = threading.Lock()
        self._opened = False
        self._lock = threading.Lock()
        self._parents: dict[str, str] = {}
        self._component_providers: dict[str, dict[str, str]] = {}
        self._goals: dict[str, Goal] = {}
        self._created: dict[str, bool] = {}
        self._components = ComponentMaker(self, deployment, config, self._defaults, self._transforms)
        self.stack_outputs: PropertyMap | None = None
        self.stack_urn = ""

    # -- what the SDK asks first -----------------------------------------------------------------------------

    def GetDeploymentInfo(self, request: Message) -> Message:
        """Names, configuration and abilities."""
        del request
        features = [getattr(resource, f"RESOURCE_MONITOR_FEATURE_{name}") for name in _FEATURES]
        identity = self._deployment.identity
        return resource.DeploymentInfo(
            project=identity.project,
            stack=identity.stack,
            organization="organization",
            config=self._config.plain(),
            configSecretKeys=self._config.secret_keys(),
            dryRun=self._deployment.preview,
            parallel=self._deployment.options.parallel,
            supportedFeatures=features,
        )

    def SupportsFeature(self, request: Message) -> Message:
        """Whether a feature of the older protocol is there."""
        known = {name.replace("_", "").lower() for name in _FEATURES}
        return resource.SupportsFeatureResponse(hasSupport=request.id.lower() in known)

    # -- resources -------------------------------------------------------------------------------------------

    def RegisterResource(self, request: Message) -> Message:
        """Bring a resource to the state the program asks for."""
        return self._guard(lambda: self._register(request))

    def _guard(
        self, work: Callable[[], Message], without: Callable[[str], Message] = _failed_registration
    ) -> Message:
        """Run a call; errors that were reported end the program, others are reported here.

        `without` answers for a step that failed when the program is to go on all the same.
        """
        if self._generator.executor.cancelled.is_set():
            raise _unavailable()
        try:
            self._open()
            return work()
        except CancelledStepError:
            raise _unavailable() from None
        except StepFailedError as failure:
            # Reported. With --continue-on-error the program goes on without what the step would have given.
            if self._generator.executor.cancelled.is_set():
                raise _unavailable() from None
            return without(failure.urn)
        except BailError:
            self._stop()
            raise _unavailable() from None
        except MonitorError as error:
            # Anew, so that the program's traceback does not end in the engine.
            raise MonitorError(error.code(), error.details()) from None
        except Exception as error:
            self._fail(error)
            raise _unavailable() from None

    def _fail(self, error: Exception) -> None:
        known = isinstance(error, EngineError)
        self._deployment.error(str(error) if known else "".join(traceback.format_exception(error)))
        self._stop()

    def _stop(self) -> None:
        """Registering failed for good: what was not registered yet must not count as removed."""
        self._generator.decided.failed = True
        self._generator.executor.cancel()

    def _open(self) -> None:
        """Before anything is done: is everything there that the program will need?"""
        if self._opened:
            return
        with self._gate:
            if not self._opened:
                self._before_first()
                self._opened = True

    def _register(self, request: Message) -> Message:
        refuse_unsupported(request)
        with self._lock:
            parent = self._goals.get(request.parent)
        if parent is not None:
            inherit(request, parent)
        type_, custom = request.type, request.custom
        props = unmarshal(request.object)
        hash_assets(props, self._deployment.identity.main)
        property_dependencies = {k: set(v.urns) for k, v in request.propertyDependencies.items()}
        if not property_dependencies and not request.remote:
            property_dependencies = {k: set(request.dependencies) for k in props}
        options = self._transforms.options(request)
        if (custom or request.remote) and not options.provider:
            options.provider = self._inherited_provider(request, type_package(type_))
        props, options, transformed = self._transforms.apply(
            request, props, options, lambda urn: self._parents.get(urn, "")
        )
        dependencies = set(options.depends_on) if transformed else set(request.dependencies)
        if transformed:
            property_dependencies = {}
        for key, value in props.items():
            found = property_dependencies.setdefault(key, set())
            output_dependencies(value, found)
            if transformed:
                dependencies |= found
        if request.remote:
            with self._lock:
                inherited = dict(self._component_providers.get(request.parent, {}))
            made = self._components.make(request, options, props, inherited)
            # Without an answer its provider's configuration is not known yet: a component without children.
            return made or self._register(bare_component(request))
        props = {k: lower_outputs(v) for k, v in props.items()}
        if is_provider_type(type_):
            self._provider_inputs(options, props)
        goal = make_goal(request, options, props, dependencies, property_dependencies)
        if custom and not is_provider_type(type_):
            goal.provider = options.provider or self._defaults.reference(
                ProviderRequest(type_package(type_), options.version, options.plugin_download_url)
            )
        registration = self._generator.register(goal)
        return self._answer(request, registration, goal, dict(options.providers))

    def _inherited_provider(self, request: Message, package: str) -> str:
        if package in request.providers:
            return request.providers[package]
        with self._lock:
            return self._component_providers.get(request.parent, {}).get(package, "")

    @staticmethod
    def _provider_inputs(options: Message, props: PropertyMap) -> None:
        if options.version:
            set_version(props, options.version)
        if options.plugin_download_url:
            set_internal(props, "pluginDownloadURL", options.plugin_download_url)

    def _answer(
        self, request: Message, registration: Registration, goal: Goal, providers: dict[str, str]
    ) -> Message:
        state = registration.state
        if state is None:
            raise _unavailable()
        with self._lock:
            self._goals[state.urn] = goal
            self._parents[state.urn] = request.parent
            self._created[state.urn] = bool(state.id) or not goal.custom
            if not request.custom:
                inherited = self._component_providers.get(request.parent, {})
                self._component_providers[state.urn] = {**inherited, **providers}
        self._transforms.remember(state.urn, request)
        if request.type == ROOT_STACK_TYPE:
            self.stack_urn = state.urn
        outputs = state.outputs if request.custom else {}
        marshal = Marshaller(unknowns=True, secrets=request.acceptSecrets, resources=request.acceptResources)
        return resource.RegisterResourceResponse(
            urn=state.urn, id=state.id, object=marshal.struct(outputs), unknown=registration.unknown
        )

    def RegisterResourceOutputs(self, request: Message) -> Message:
        """A component (or the stack) tells its outputs."""
        return self._guard(lambda: self._register_outputs(request))

    def _register_outputs(self, request: Message) -> Message:
        outputs = {k: lower_outputs(v) for k, v in unmarshal(request.outputs).items()}
        hash_assets(outputs, self._deployment.identity.main)
        if urn_type(request.urn) == ROOT_STACK_TYPE:
            # Kept for the end: whether old outputs survive depends on whether the run fails.
            self.stack_outputs = outputs
            return EMPTY
        self.complete_outputs(request.urn, outputs)
        return EMPTY

    def complete_outputs(self, urn: str, outputs: PropertyMap) -> None:
        """Record outputs of a resource whose registration has completed."""
        executor = self._generator.executor
        step = executor.pending_news.pop(urn, None)
        if step is None or step.new is None:
            raise EngineError(f"cannot complete a resource '{urn}' whose registration isn't pending")
        if getattr(step, "skipped_create", False):
            return
        old = step.old.outputs if step.old is not None else None
        step.new.outputs = outputs
        if self._deployment.snapshots is not None:
            self._deployment.snapshots.outputs(step.new, old)
        executor.outputs_registered(step)

    def ReadResource(self, request: Message) -> Message:
        """Read a resource that Pulumi does not own."""
        return self._guard(lambda: self._read(request), lambda urn: resource.ReadResourceResponse(urn=urn))

    def _read(self, request: Message) -> Message:
        if request.packageRef:
            raise UnsupportedError(f"{request.type}: parameterised packages need the pulumi CLI")
        provider = request.provider
        if not provider and not is_provider_type(request.type):
            provider = self._defaults.reference(
                ProviderRequest(type_package(request.type), request.version, request.pluginDownloadURL)
            )
        goal = ReadGoal(
            id=request.id,
            type=request.type,
            name=request.name,
            provider=provider,
            parent=request.parent,
            properties={k: lower_outputs(v) for k, v in unmarshal(request.properties).items()},
            dependencies=list(request.dependencies),
            additional_secret_outputs=list(request.additionalSecretOutputs),
        )
        state = self._generator.read(goal).state
        if state is None:
            raise _unavailable()
        with self._lock:
            self._created[state.urn] = True
        marshal = Marshaller(unknowns=True, secrets=request.acceptSecrets, resources=request.acceptResources)
        return resource.ReadResourceResponse(urn=state.urn, properties=marshal.struct(state.outputs))

    # -- functions -------------------------------------------------------------------------------------------

    def Invoke(self, request: Message) -> Message:
        """Call a provider's function."""
        try:
            return self._invoke(request)
        except CancelledStepError:
            raise _unavailable() from None
        except BailError:
            self._stop()
            raise _unavailable() from None
        except EngineError as error:
            text = f"invocation of {request.tok} returned an error: {error}"
            raise MonitorError(grpc.StatusCode.UNKNOWN, text) from None

    def _invoke(self, request: Message) -> Message:
        self._open()
        if request.packageRef:
            raise UnsupportedError("parameterised packages need the pulumi CLI")
        args = {k: lower_outputs(v) for k, v in unmarshal(request.args).items()}
        package = type_package(request.tok)
        reference = request.provider
        if not reference and request.parent:
            with self._lock:
                reference = self._component_providers.get(request.parent, {}).get(package, "")
        args, reference, version, url = self._transforms.invoke(request, args, reference)
        if not reference:
            reference = self._defaults.reference(ProviderRequest(package, version, url))
        provider = self._deployment.registry.get(parse_provider_reference(reference))
        if provider is None:
            raise EngineError(f"unknown provider '{reference}'")
        without_plugin = self._deployment.preview and isinstance(provider, SdkOnlyProvider)
        if without_plugin or self._pending(list(request.dependsOn)):
            return resource.ResourceInvokeResponse(unknown=True)
        result, failures = provider.invoke(request.tok, args, preview=self._deployment.preview)
        keep = request.acceptResources or request.tok == "pulumi:pulumi:getResource"
        response = resource.ResourceInvokeResponse()
        getattr(response, "return").CopyFrom(
            Marshaller(unknowns=True, secrets=True, resources=keep).struct(result)
        )
        for name, reason in failures:
            response.failures.add(property=name, reason=reason)
        return response

    def _pending(self, urns: list[str]) -> bool:
        """Whether an invoke waits for resources that do not exist yet."""
        with self._lock:
            return any(not self._created.get(urn, False) for urn in urns)

    def Call(self, request: Message) -> Message:
        """Call a method of a component."""
        return self._guard(lambda: self._components.call(request, self._provider_of))

    def _provider_of(self, urn: str) -> str:
        with self._lock:
            return self._goals[urn].provider if urn in self._goals else ""

    # -- the rest of the protocol ----------------------------------------------------------------------------

    def RegisterStackTransform(self, request: Message) -> Message:
        """A transform for every resource that is still to be registered."""
        self._transforms.add_stack_transform(request)
        return EMPTY

    def RegisterStackInvokeTransform(self, request: Message) -> Message:
        """A transform for every function call that is still to come."""
        self._transforms.add_invoke_transform(request)
        return EMPTY

    def _refuse_call(self, what: str) -> Message:
        text = f"{what} need the pulumi CLI"
        self._fail(UnsupportedError(text))
        raise MonitorError(grpc.StatusCode.UNIMPLEMENTED, text)

    def RegisterResourceHook(self, request: Message) -> Message:
        """Refused by name."""
        return self._refuse_call(f"resource hooks ('{request.name}')")

    def RegisterErrorHook(self, request: Message) -> Message:
        """Refused by name."""
        return self._refuse_call(f"error hooks ('{request.name}')")

    def RegisterPackage(self, request: Message) -> Message:
        """Refused by name."""
        package = request.parameterization.name or request.name
        return self._refuse_call(f"parameterised packages ('{package}')")

    def SignalAndWaitForShutdown(self, request: Message) -> Message:
        """Nothing needs the program's callbacks after its end."""
        del request
        return EMPTY

    def close(self) -> None:
        """Close connections."""
        self._components.close()
        self._transforms.close()
