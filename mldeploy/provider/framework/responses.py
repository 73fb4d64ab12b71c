"""Messages of the ResourceProvider protocol, from what a resource said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from mldeploy.provider.framework.failures import ProviderFailure, Status
from mldeploy.provider.framework.resource import Diff, Resource, UnhealthyError
from mldeploy.values.marshal import encode
from mldeploy.values.property_value import Secret, contains_secrets, contains_unknowns, reveal

_KINDS = {"add": 0, "delete": 2, "update": 4}  # PropertyDiff.Kind; one more is the replacing kind


def given(resource: Resource[Any], values: Mapping[str, Any]) -> Any:
    """The inputs among the values, as a message."""
    return encode({name: value for name, value in values.items() if name in resource.inputs})


def still_secret(
    resource: Resource[Any], old: Mapping[str, Any], changed: Mapping[str, Any]
) -> dict[str, Any]:
    """What a read found, with the secrets marked that are declared or were secret before."""
    return {
        name: Secret(value)
        if name in resource.inputs and (resource.inputs[name].about.secret or contains_secrets(old.get(name)))
        else value
        for name, value in changed.items()
    }


def outputs(resource: Resource[Any], inputs: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Outputs with their secrets marked: declared ones, and those that echo a secret input."""
    declared = {name for name, field in (resource.inputs | resource.outputs).items() if field.about.secret}
    secret = declared | {name for name, value in inputs.items() if contains_secrets(value)}
    return encode(
        {
            name: Secret(reveal(value)) if name in secret and not contains_unknowns(value) else reveal(value)
            for name, value in values.items()
            if value is not None
        }
    )


def diff_response(found: Diff, resource: Resource[Any]) -> Any:
    """The answer to Diff."""
    details = {
        path: provider_pb2.PropertyDiff(
            kind=cast("Any", _KINDS[kind] + (1 if path in found.replaces else 0)),
            inputDiff=path not in found.drift,
        )
        for path, kind in found.details.items()
    }
    some = provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some,
        diffs=sorted({path.split(".")[0].split("[")[0] for path in details}),
        replaces=sorted({path.split(".")[0].split("[")[0] for path in found.replaces}),
        detailedDiff=details,
        hasDetailedDiff=True,
        deleteBeforeReplace=bool(found.replaces) and resource.delete_before_replace,
    )


def init_failed(
    resource: Resource[Any], ident: str, inputs: Mapping[str, Any], error: UnhealthyError
) -> ProviderFailure:
    """How a call fails whose resource exists and does not work: the engine keeps it, and says why."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=ident,
        properties=outputs(resource, inputs, error.outputs),
        inputs=given(resource, inputs),
        reasons=list(error.reasons),
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    message = "; ".join(error.reasons)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed])
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    return ProviderFailure(Status(grpc.StatusCode.UNKNOWN, message, metadata))
