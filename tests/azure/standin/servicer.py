"""Pulumi's ResourceProvider protocol in front of the fake service, with azure-native's manners."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from mldeploy.values.difference import difference
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, Secret, contains_secrets, reveal
from tests.azure.standin import invokes
from tests.azure.standin.arm import (
    PartialError,
    Service,
    ServiceError,
    echoed,
    faults_of,
    path_faults,
    restored,
)
from tests.azure.standin.tokens import Token, of, pick
from tests.azure.standin.world import World
from tests.standin import Plugin, diff_response, top_level


class InProcessFailure(grpc.RpcError):
    """What a client in this process sees of a failed call: the accessors of a real one."""

    def __init__(self, status: _Status) -> None:
        super().__init__(status.details)
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status.code

    def details(self) -> str:
        return self._status.details

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._status.trailing_metadata


class _Status(grpc.Status):
    def __init__(self, details: str, metadata: tuple[tuple[str, bytes], ...] = ()) -> None:
        self.code, self.details, self.trailing_metadata = grpc.StatusCode.UNKNOWN, details, metadata


class StandIn(Plugin):
    """The plugin. ``folder`` holds the fake subscription, the request log and the planned faults."""

    name, version = "azure-native", "3.29.0"

    def __init__(self, folder: Path, world: World | None = None) -> None:
        self.service = Service(folder, world)

    # --- configuration ----------------------------------------------------------------------------------------

    def Configure(self, request: Any, context: Any = None) -> Any:
        given = reveal(decode(request.args)).get("subscriptionId")
        if isinstance(given, str):
            self.service.subscription = given
        return super().Configure(request, context)

    # --- resources --------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any = None) -> Any:
        token = self._token(request.urn, context)
        news, olds = decode(request.news), decode(request.olds)
        logical = str(request.urn).rsplit("::", 1)[-1]
        failures = self._complete(token, news, olds, logical, bytes(request.randomSeed))
        if not failures:
            name = news.get(token.path[-1]) if token.path else None
            ident = token.ident(self.service.subscription, news)
            failures = path_faults(token, news) + faults_of(token, name, token.body(news), ident)
        shown = [
            provider_pb2.CheckFailure(property=path, reason=f"{path} {reason}") for path, reason in failures
        ]
        return provider_pb2.CheckResponse(inputs=encode(news), failures=shown)

    @staticmethod
    def _complete(
        token: Token, news: dict[str, Any], olds: dict[str, Any], logical: str, seed: bytes
    ) -> list[tuple[str, str]]:
        """Auto-name as azure-native does: the last path parameter is the logical name and 8 random digits."""
        *parents, last = [name for name in token.path if not name.startswith("=")]
        if news.get(last) is None:
            suffix = hashlib.sha256(seed or logical.encode()).hexdigest()[:8]
            news[last] = token.fixed_name or olds.get(last) or f"{logical}{suffix}"
        return [(name, "is required") for name in parents if news.get(name) is None]

    def Diff(self, request: Any, context: Any = None) -> Any:
        token = self._token(request.urn, context)
        olds, news = reveal(decode(request.old_inputs)), reveal(decode(request.news))
        details = difference(olds, news)
        replaced = {name for name in token.path if olds.get(name) != news.get(name)}
        old_body, new_body = token.body(olds), token.body(news)
        for path in token.create_only:
            if pick(old_body, path) != pick(new_body, path):
                wanted = path.removeprefix("properties.").split(".")[0]
                replaced |= {key for key in olds.keys() | news.keys() if key in (wanted, path.split(".")[0])}
        replacing = {path for path in details if top_level(path) in replaced}
        return diff_response(details, replacing, delete_first=bool(replacing))

    def Create(self, request: Any, context: Any = None) -> Any:
        token, inputs = self._token(request.urn, context), decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=encode(_previewed(token, inputs)))
        ident = token.ident(self.service.subscription, reveal(inputs))
        if ident is None:
            self._fail(context, f"{request.urn}: a part of the resource's id is missing")
        if self.service.store.get(ident) is not None and not (token.no_delete or token.fixed_name):
            # azure-native asks for it first (CanCreate in client_azcore.go): what exists already must be imported.
            self._fail(context, f"cannot create already existing resource '{ident}'")
        outputs = self._put(context, token, ident, inputs, create=True)
        return provider_pb2.CreateResponse(id=ident, properties=_encoded(outputs))

    def Update(self, request: Any, context: Any = None) -> Any:
        token, inputs = self._token(request.urn, context), decode(request.news)
        if request.preview:
            state = decode(request.olds) | _previewed(token, inputs)
            return provider_pb2.UpdateResponse(properties=encode(state))
        outputs = self._put(context, token, request.id, inputs, create=False)
        return provider_pb2.UpdateResponse(properties=_encoded(outputs))

    def Read(self, request: Any, context: Any = None) -> Any:
        token = self._token(request.urn, context)
        document = self.service.store.get(request.id)
        if document is None:
            return provider_pb2.ReadResponse()
        inputs = restored(document["inputs"], decode(request.inputs))
        return (
            provider_pb2.ReadResponse(
                id=request.id, properties=_encoded(self.service.shown(document)), inputs=encode(inputs)
            )
            if token
            else None
        )

    def Delete(self, request: Any, context: Any = None) -> Any:
        token = self._token(request.urn, context)
        try:
            self.service.delete(token, request.id)
        except ServiceError as error:
            self._fail(context, str(error))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any = None) -> Any:
        try:
            found = invokes.call(self.service, request.tok, reveal(decode(request.args)))
        except (ServiceError, KeyError) as error:
            self._fail(context, str(error))
        return provider_pb2.InvokeResponse(**{"return": encode(found)})

    # --- plumbing ---------------------------------------------------------------------------------------------

    def _put(
        self, context: Any, token: Token, ident: str, inputs: dict[str, Any], *, create: bool
    ) -> dict[str, Any]:
        try:
            return self.service.put(token, ident, inputs, create=create)
        except ServiceError as error:
            return self._fail(context, str(error))
        except PartialError as error:
            document = self.service.store.get(ident)
            assert document is not None
            detail = provider_pb2.ErrorResourceInitFailed(
                id=ident,
                properties=_encoded(document["outputs"]),
                inputs=encode(inputs),
                reasons=[str(error)],
            )
            packed = any_pb2.Any()
            packed.Pack(detail)
            status = status_pb2.Status(code=2, message=str(error), details=[packed])
            return self._fail(context, str(error), (("grpc-status-details-bin", status.SerializeToString()),))

    def _token(self, urn: str, context: Any) -> Token:
        try:
            return of(str(urn).split("::")[2].rsplit("$", 1)[-1])
        except KeyError as error:
            return self._fail(context, str(error))

    @staticmethod
    def _fail(context: Any, message: str, metadata: tuple[tuple[str, bytes], ...] = ()) -> Any:
        status = _Status(message, metadata)
        if context is not None:
            context.abort_with_status(status)
        raise InProcessFailure(status)


def _previewed(token: Token, inputs: dict[str, Any]) -> dict[str, Any]:
    shown = {
        key: value for key, value in inputs.items() if key not in token.path and not contains_secrets(value)
    }
    return echoed(shown) | {"provisioningState": UNKNOWN}


def _encoded(outputs: dict[str, Any]) -> Any:
    secrets = {"connectionString", "instrumentationKey"} & outputs.keys()
    return encode({key: Secret(value) if key in secrets else value for key, value in outputs.items()})
