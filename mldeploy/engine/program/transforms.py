"""Transforms: callbacks into the program that change registrations and function calls on their way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

from mldeploy.engine.base.monitor_error import MonitorError
from mldeploy.engine.base.proto import Message, callback, callback_grpc, resource
from mldeploy.engine.base.waiting import waiting
from mldeploy.values.marshal import Marshaller, unmarshal
from mldeploy.values.property_value import UNKNOWN, Output, PropertyMap, Secret


class Transforms:
    """Holds the callbacks: each resource's own, its parents', the stack's, in the order they apply."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack: list[Message] = []
        self._invokes: list[Message] = []
        self._own: dict[str, list[Message]] = {}
        self._channels: dict[str, Any] = {}

    def add_stack_transform(self, request: Message) -> None:
        """For every resource from now on."""
        with self._lock:
            self._stack.append(_copy(request))

    def add_invoke_transform(self, request: Message) -> None:
        """For every function call from now on."""
        with self._lock:
            self._invokes.append(_copy(request))

    def remember(self, urn: str, request: Message) -> None:
        """A resource's transforms apply to its children too."""
        if request.transforms:
            with self._lock:
                self._own[urn] = [_copy(t) for t in request.transforms]

    def options(self, request: Message) -> Message:
        """A registration's options in the form that transforms see."""
        options = resource.TransformResourceOptions(
            depends_on=request.dependencies,
            ignore_changes=request.ignoreChanges,
            replace_on_changes=request.replaceOnChanges,
            version=request.version,
            provider=request.provider,
            plugin_download_url=request.pluginDownloadURL,
            deleted_with=request.deletedWith,
            additional_secret_outputs=request.additionalSecretOutputs,
            hide_diff=request.hideDiffs,
            replace_with=request.replace_with,
            providers=dict(request.providers),
        )
        setattr(options, "import", request.importId)
        for urn in request.aliasURNs:
            options.aliases.add(urn=urn)
        options.aliases.extend(request.aliases)
        if request.HasField("customTimeouts"):
            options.custom_timeouts.CopyFrom(request.customTimeouts)
        if request.HasField("replacement_trigger"):
            options.replacement_trigger.CopyFrom(request.replacement_trigger)
        if request.HasField("protect"):
            options.protect = request.protect
        if request.HasField("retainOnDelete"):
            options.retain_on_delete = request.retainOnDelete
        if request.deleteBeforeReplaceDefined or request.deleteBeforeReplace:
            options.delete_before_replace = request.deleteBeforeReplace
        return options

    def apply(
        self,
        request: Message,
        props: PropertyMap,
        options: Message,
        parent_of: Callable[[str], str],
    ) -> tuple[PropertyMap, Message, bool]:
        """Properties and options after every transform, and whether the resource brought any of its own."""
        with self._lock:
            transforms = list(request.transforms)
            current = request.parent
            while current:
                transforms += self._own.get(current, [])
                current = parent_of(current)
            transforms += self._stack
        if request.transforms:
            props = _with_dependencies(props, request)
        for transform in transforms:
            message = resource.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=_MARSHAL.struct(props),
                options=options,
            )
            response = resource.TransformResponse()
            response.ParseFromString(self._call(transform, message))
            if response.HasField("options"):
                options = response.options
            if response.HasField("properties"):
                props = unmarshal(response.properties)
        return props, options, bool(request.transforms)

    def invoke(
        self, request: Message, args: PropertyMap, reference: str
    ) -> tuple[PropertyMap, str, str, str]:
        """Arguments, provider, version and download URL of a function call after every transform."""
        options = resource.TransformInvokeOptions(
            provider=reference, version=request.version, plugin_download_url=request.pluginDownloadURL
        )
        with self._lock:
            transforms = list(self._invokes)
        for transform in transforms:
            message = resource.TransformInvokeRequest(
                token=request.tok, args=_MARSHAL.struct(args), options=options
            )
            response = resource.TransformInvokeResponse()
            response.ParseFromString(self._call(transform, message))
            if response.HasField("options"):
                options = response.options
            if response.HasField("args"):
                args = unmarshal(response.args)
        return args, options.provider, options.version, options.plugin_download_url

    def _call(self, target: Message, message: Message) -> bytes:
        with self._lock:
            channel = self._channels.get(target.target)
            if channel is None:
                channel = self._channels[target.target] = grpc.insecure_channel(target.target)
        stub = callback_grpc.CallbacksStub(channel)
        request = callback.CallbackInvokeRequest(token=target.token, request=message.SerializeToString())
        try:
            with waiting():
                return stub.Invoke(request).response
        except grpc.RpcError as error:
            details = error.details() if hasattr(error, "details") else str(error)
            # The program's own fault: it is told, and ends by it.
            raise MonitorError(grpc.StatusCode.UNKNOWN, f"invoke transform: {details}") from None

    def close(self) -> None:
        """Close the connections."""
        for channel in self._channels.values():
            channel.close()


def _with_dependencies(props: PropertyMap, request: Message) -> PropertyMap:
    """Properties as output values that name what they depend on, so that transforms keep it."""
    result: PropertyMap = {}
    for key, value in props.items():
        urns: list[str] = []
        if key in request.propertyDependencies:
            urns = list(request.propertyDependencies[key].urns)
        if not urns or isinstance(value, Output):
            result[key] = value
            continue
        secret = isinstance(value, Secret)
        inner = value.value if isinstance(value, Secret) else value
        known = inner is not UNKNOWN
        result[key] = Output(inner if known else None, known, secret, sorted(urns))
    return result


_MARSHAL = Marshaller(unknowns=True, secrets=True, resources=True, outputs=True)


def _copy(request: Message) -> Message:
    copy = callback.Callback()
    copy.CopyFrom(request)
    return copy
