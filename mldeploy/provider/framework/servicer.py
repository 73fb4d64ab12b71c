"""Pulumi's ResourceProvider protocol over the resources of this package.

Not over `pulumi.provider.experimental`: its server appends Python tracebacks to every error message, knows neither
resources that exist but are unhealthy nor old inputs in diffs, and cannot be called in process.
"""

from __future__ import annotations

import contextlib
import json
import threading
import traceback
from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi import RunError
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)

from mldeploy.engine.base.errors import EngineError
from mldeploy.provider.catalog import COMPONENTS, FUNCTIONS, RESOURCES
from mldeploy.provider.framework import responses
from mldeploy.provider.framework.failures import ProviderFailure, Status, scrub
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    ProvisionError,
    Resource,
    UnhealthyError,
)
from mldeploy.provider.framework.schema import VERSION, schema
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, Secret, reveal

_PACKAGE = "mldeploy"
_OF_ENGINES = ("version", "pluginDownloadURL")


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The provider as a gRPC servicer. Its methods are synchronous and thread-safe.

    A failure ends a call with ``context.abort_with_status``, and without a context raises
    :class:`ProviderFailure`.

    Args:
        root: the project's folder.
        engine: an Engine client or servicer (anything with ``Log(LogRequest)``) for progress messages.
    """

    def __init__(self, root: Path, engine: Any = None) -> None:
        self._root = root.absolute()
        self._engine = engine
        self._engine_address = ""
        self._cancelled = threading.Event()

    def use_engine(self, engine: Any) -> None:
        """Send progress and warnings to this engine (see the class)."""
        self._engine = engine

    @property
    def cancelled(self) -> bool:
        """Whether the engine wants no further operation: it was cancelled, or is done."""
        return self._cancelled.is_set()

    # --- plugin housekeeping -----------------------------------------------------------------------------

    def Handshake(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Learn the engine's address. (``program_directory`` is the plugin's own; the project's folder is the
        working directory.)"""
        if request.engine_address:
            self._connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Use the engine at the given address."""
        self._connect(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """The plugin's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """The package's schema."""
        made = schema(RESOURCES, FUNCTIONS)
        resources, types = import_module(f"{COMPONENTS}.schema").components()
        made["resources"] |= resources
        made["types"] |= types
        return provider_pb2.GetSchemaResponse(schema=json.dumps(made))

    def CheckConfig(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """The provider takes no configuration.

        In a project that is called as the provider, engines take the program's own for it. It is left out, as it may be
        secret and is none of the provider's.
        """
        inputs = struct_pb2.Struct()
        inputs.CopyFrom(request.news)
        given = [name for name in inputs.fields if name not in _OF_ENGINES and not name.startswith("__")]
        if request.urn.split("::")[1:2] == [_PACKAGE]:
            for name in given:
                del inputs.fields[name]
            given = []
        failures = [
            provider_pb2.CheckFailure(property=name, reason="the mldeploy provider takes no configuration")
            for name in given
        ]
        return provider_pb2.CheckResponse(inputs=inputs, failures=failures)

    def DiffConfig(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Nothing in the configuration can change."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Say what this provider can do."""
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptOutputs=True)

    def Cancel(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Make long operations stop at their next step."""
        self._cancelled.set()
        return empty_pb2.Empty()

    # --- resources ---------------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Validate inputs and add the computed ones."""
        with self._operation(request, context, request.news) as (resource, ctx):
            news, fields = decode(request.news), resource.fields
            inputs = resource.inputs
            computed = {name for name, field in inputs.items() if field.about.role == "computed"}
            news = {name: value for name, value in news.items() if name not in computed}
            plain = reveal(news)
            failures = resource.faults(plain)
            if not failures:
                try:
                    olds = fields.decode(reveal(decode(request.olds)))
                    news |= resource.check(ctx, olds, fields.decode(plain))
                except CheckError as error:
                    failures = list(error.failures)
            news = {
                name: Secret(value)
                if name in inputs and inputs[name].about.secret and not isinstance(value, Secret)
                else value
                for name, value in news.items()
                if value is not None
            }
            return provider_pb2.CheckResponse(
                inputs=encode(news),
                failures=[
                    provider_pb2.CheckFailure(property=path, reason=scrub(reason, request.news))
                    for path, reason in failures
                ],
            )

    def Diff(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Say which properties change, and which of them need a new resource."""
        with self._operation(request, context, request.news) as (resource, ctx):
            state, news = reveal(decode(request.olds)), reveal(decode(request.news))
            olds = reveal(decode(request.old_inputs))
            if not request.HasField("old_inputs"):
                olds = {name: state[name] for name in resource.inputs if name in state}
            if resource.foreign(olds):
                return responses.diff_response(resource.taken_over(olds, news), resource)
            found = resource.diff(ctx, _change(resource, request.id, state, olds, news))
            return responses.diff_response(found, resource)

    def Create(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Make a resource, or in a preview say what would be known of it."""
        with self._operation(request, context, request.properties) as (resource, ctx):
            wrapped = decode(request.properties)
            inputs = reveal(wrapped)
            if request.preview:
                outputs = _previewed(resource, ctx, inputs)
                return provider_pb2.CreateResponse(
                    id="", properties=responses.outputs(resource, wrapped, outputs)
                )
            try:
                ident, outputs = resource.create(ctx, resource.fields.decode(inputs))
            except UnhealthyError as error:
                error.outputs = inputs | dict(error.outputs)
                raise responses.init_failed(resource, error.ident, wrapped, error) from error
            return provider_pb2.CreateResponse(
                id=ident, properties=responses.outputs(resource, wrapped, inputs | outputs)
            )

    def Read(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Say what really is; an empty id means that it is gone."""
        with self._operation(request, context, request.properties) as (resource, ctx):
            old, state = decode(request.inputs), reveal(decode(request.properties))
            if not state and not old and not resource.importable:
                raise ProvisionError(f"{resource.token} cannot be imported: create it with the program")
            try:
                decoded = resource.fields.decode
                found = resource.read(ctx, request.id, decoded(state), decoded(reveal(old)))
            except UnhealthyError as error:
                error.outputs = state | dict(error.outputs)
                raise responses.init_failed(resource, request.id, old, error) from error
            if found is None:
                return provider_pb2.ReadResponse()
            inputs = old | responses.still_secret(resource, old, found.inputs)
            return provider_pb2.ReadResponse(
                id=request.id,
                properties=responses.outputs(
                    resource, inputs, {**reveal(old), **state, **found.inputs, **found.outputs}
                ),
                inputs=responses.given(resource, inputs),
            )

    def Update(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Change a resource in place, or in a preview say what would be known of it."""
        with self._operation(request, context, request.news) as (resource, ctx):
            wrapped, state = decode(request.news), reveal(decode(request.olds))
            news = reveal(wrapped)
            if request.preview:
                outputs = state | _previewed(resource, ctx, news)
            else:
                olds = reveal(decode(request.old_inputs)) if request.HasField("old_inputs") else state
                try:
                    change = _change(resource, request.id, state, olds, news)
                    outputs = news | resource.update(ctx, change)
                except UnhealthyError as error:
                    error.outputs = news | dict(error.outputs)
                    raise responses.init_failed(resource, request.id, wrapped, error) from error
            return provider_pb2.UpdateResponse(properties=responses.outputs(resource, wrapped, outputs))

    def Delete(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Remove a resource; one that is gone already is no error."""
        with self._operation(request, context, request.properties) as (resource, ctx):
            resource.delete(ctx, request.id, resource.fields.decode(reveal(decode(request.properties))))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Call a function."""
        with self._failing(context, request.args):
            function, args = FUNCTIONS.get(request.tok), reveal(decode(request.args))
            if function is None:
                raise ProvisionError(f"no function {request.tok!r}; there are: {', '.join(FUNCTIONS)}")
            if failures := function.faults(args):
                found = [provider_pb2.CheckFailure(property=path, reason=why) for path, why in failures]
                return provider_pb2.InvokeResponse(failures=found)
            context_ = Context(root=self._root, cancelled=self._cancelled)
            result = function.call(context_, function.fields.decode(args))
            return provider_pb2.InvokeResponse(**cast("Any", {"return": encode(result)}))

    def Construct(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Make one of the components, with its children."""
        with self._failing(context, request.inputs):
            try:
                return import_module(f"{COMPONENTS}.construct").construct(request, self._address())
            except RunError as error:
                raise ProvisionError(str(error)) from None

    # --- plumbing ----------------------------------------------------------------------------------------

    def _address(self) -> str:
        return self._engine_address or getattr(self._engine, "address", "")

    def _connect(self, address: str) -> None:
        self._engine_address = address
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    @contextlib.contextmanager
    def _operation(
        self, request: Any, context: Any, properties: Any
    ) -> Generator[tuple[Resource[Any], Context]]:
        token = request.type or str(request.urn).split("::")[2].rsplit("$", 1)[-1]
        with self._failing(context, properties):
            resource = RESOURCES.get(token)
            if resource is None:
                raise ProvisionError(f"no resource type {token!r}; there are: {', '.join(RESOURCES)}")
            yield resource, self._context(request)

    @contextlib.contextmanager
    def _failing(self, context: Any, properties: Any) -> Generator[None]:
        """End the call with what went wrong, without the secrets among ``properties``."""
        try:
            yield
        except ProviderFailure as failure:
            self._fail(context, failure.status)
        except (ProvisionError, EngineError, OSError, ValueError) as error:
            self._fail(context, Status(grpc.StatusCode.UNKNOWN, scrub(str(error), properties)))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {error}"
            message = f"a fault in the mldeploy provider: {scrub(text, properties)}"
            self._fail(context, Status(grpc.StatusCode.INTERNAL, message))

    def _context(self, request: Any) -> Context:
        urn = str(request.urn)
        severity = engine_pb2.LogSeverity
        return Context(
            root=self._root,
            urn=urn,
            status=self._logger(urn, severity.INFO, ephemeral=True),
            info=self._logger(urn, severity.INFO, ephemeral=False),
            warn=self._logger(urn, severity.WARNING, ephemeral=False),
            cancelled=self._cancelled,
            timeout=getattr(request, "timeout", 0.0) or None,
        )

    def _logger(self, urn: str, severity: Any, *, ephemeral: bool) -> Callable[[str], None]:
        def log(message: str) -> None:
            if self._engine is not None:
                request = engine_pb2.LogRequest(
                    severity=severity, message=message, urn=urn, ephemeral=ephemeral
                )
                # A progress message that cannot be delivered is no reason to fail the work it is about.
                with contextlib.suppress(grpc.RpcError):
                    cast("Any", self._engine).Log(request)

        return log

    @staticmethod
    def _fail(context: Any, status: Any) -> None:
        if context is not None:
            context.abort_with_status(status)
        raise ProviderFailure(status) from None


def _change(
    resource: Resource[Any],
    ident: str,
    state: Mapping[str, Any],
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
) -> Change[Any]:
    return Change(ident, *(resource.fields.decode(values) for values in (state, olds, news)))


def _previewed(resource: Resource[Any], ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    unknown: dict[str, Any] = dict.fromkeys(resource.outputs, UNKNOWN)
    return dict(inputs) | unknown | resource.preview(ctx, resource.fields.decode(inputs))
