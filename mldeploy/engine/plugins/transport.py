"""How calls reach a provider: a servicer object in this process, or a gRPC stub of a plugin process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from mldeploy.engine.base.errors import EngineError, InitError, PluginError, ProviderError
from mldeploy.engine.base.proto import Message, provider, status
from mldeploy.engine.base.waiting import waiting
from mldeploy.values.marshal import unmarshal

# What a provider in this process answers without waiting for anything.
_QUICK = frozenset({"CheckConfig", "DiffConfig", "Check", "Diff"})


class InProcessContext:
    """Stands in for the gRPC context of a servicer that runs inside the engine."""

    def __init__(self) -> None:
        self._code: Any = grpc.StatusCode.OK
        self._details = ""
        self._metadata: Any = ()

    def abort(self, code: Any, details: str) -> None:
        """End the call with an error."""
        raise _AbortError(code, details, self._metadata)

    def abort_with_status(self, status: Any) -> None:
        """End the call with a rich error."""
        raise _AbortError(status.code, status.details, status.trailing_metadata)

    def set_code(self, code: Any) -> None:
        """Note the error to end with."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Note the error's text."""
        self._details = details

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Note what goes along with an error."""
        self._metadata = metadata

    def is_active(self) -> bool:
        """Calls inside the engine are never cancelled by the transport."""
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """There is no transport whose end could be waited for."""
        del callback
        return False

    def raise_pending(self) -> None:
        """Raise what the servicer noted with set_code."""
        if self._code is not grpc.StatusCode.OK:
            raise _AbortError(self._code, self._details, self._metadata)


class _AbortError(Exception):
    def __init__(self, code: Any, details: str, metadata: Any) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.metadata = metadata


class PluginTransport:
    """How calls reach the provider: a servicer object in this process, or a gRPC stub."""

    def __init__(
        self, target: Any, *, in_process: bool, name: str, gone: Callable[[], str] | None = None
    ) -> None:
        self._target = target
        self._in_process = in_process
        self._name = name
        self._gone = gone

    def call(self, method: str, request: Message) -> Message:
        """The answer. Raises ProviderError with the provider's message, PluginError when it is gone."""
        if self._in_process and method in _QUICK:
            return self._call_here(method, request)
        with waiting():
            return self._call_here(method, request) if self._in_process else self._call_there(method, request)

    def _call_there(self, method: str, request: Message) -> Message:
        try:
            return getattr(self._target, method)(request)
        except grpc.RpcError as error:
            raise self._translate(error, method) from None

    def _call_here(self, method: str, request: Message) -> Message:
        handler = getattr(self._target, method, None)
        if handler is None:
            raise ProviderError(f"{self._name}: {method} is not implemented", "UNIMPLEMENTED")
        context = InProcessContext()
        try:
            response = handler(request, context)
            context.raise_pending()
        except _AbortError as error:
            raise _provider_error(error.code, error.details, error.metadata) from None
        except NotImplementedError as error:
            raise ProviderError(str(error) or f"{method} is not implemented", "UNIMPLEMENTED") from error
        except Exception as error:
            if not hasattr(error, "code"):
                raise ProviderError(f"{type(error).__name__}: {error}", "UNKNOWN") from error
            raise ProviderError(str(error), "UNKNOWN") from error
        return response

    def _translate(self, error: Any, method: str) -> EngineError:
        code, details = error.code(), error.details() or ""
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED) and self._gone is not None:
            why = self._gone()
            if why or code is grpc.StatusCode.UNAVAILABLE:
                return PluginError(
                    f"the {self._name} plugin {why or 'does not answer'} during {method} ({details})"
                )
        metadata = error.trailing_metadata() if hasattr(error, "trailing_metadata") else ()
        return _provider_error(code, details, metadata)


def _provider_error(code: Any, details: str, metadata: Any) -> EngineError:
    name = getattr(code, "name", str(code))
    for key, value in metadata or ():
        if key == "grpc-status-details-bin":
            init = _init_failure(value)
            if init is not None:
                return init
    return ProviderError(details, name)


def _init_failure(data: bytes) -> InitError | None:
    rich = status.Status()
    rich.ParseFromString(data)
    for detail in rich.details:
        if detail.type_url.endswith("pulumirpc.ErrorResourceInitFailed"):
            failed = provider.ErrorResourceInitFailed()
            failed.ParseFromString(detail.value)
            reasons = list(failed.reasons)
            text = "; ".join(reasons) or rich.message
            inputs = unmarshal(failed.inputs) if failed.HasField("inputs") else None
            return InitError(text, reasons, failed.id, unmarshal(failed.properties), inputs)
    return None
