"""The package's Pulumi schema, made from the declared fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mldeploy.provider.framework.declare import Field, fields_of
from mldeploy.provider.framework.resource import Function, Resource

VERSION = "0.1.0"


def schema(resources: Mapping[str, Resource[Any]], functions: Mapping[str, Function[Any]]) -> dict[str, Any]:
    """The schema in Pulumi's package schema format."""
    types: dict[str, Any] = {}
    found = {token: _resource(resource, types) for token, resource in resources.items()}
    return {
        "name": "mldeploy",
        "version": VERSION,
        "displayName": "mldeploy",
        "description": "Stored models, environments, replicas, gates and listeners of scoring services.",
        "license": "Apache-2.0",
        "config": {},
        "provider": {"description": "Takes no configuration."},
        "types": types,
        "resources": found,
        "functions": {token: _function(function, types) for token, function in functions.items()},
    }


def _function(function: Function[Any], types: dict[str, Any]) -> dict[str, Any]:
    def side(fields: Mapping[str, Field]) -> dict[str, Any]:
        return {"type": "object", **_record(fields, types)}

    return {
        "description": function.description,
        "inputs": side(function.inputs),
        "outputs": side(function.outputs),
    }


def _resource(resource: Resource[Any], types: dict[str, Any]) -> dict[str, Any]:
    settable = {name: field for name, field in resource.inputs.items() if field.about.role == "input"}
    produced = {**resource.inputs, **resource.outputs}
    required = [name for name, field in settable.items() if field.about.required]
    return {
        "description": resource.description,
        "inputProperties": {name: _property(field, types, inputs=True) for name, field in settable.items()},
        "requiredInputs": required,
        "properties": {name: _property(field, types, inputs=False) for name, field in produced.items()},
        "required": [*required, *resource.outputs],
    }


def _record(fields: Mapping[str, Field], types: dict[str, Any]) -> dict[str, Any]:
    return {
        "properties": {name: _property(field, types, inputs=False) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.about.required],
    }


def _property(field: Field, types: dict[str, Any], *, inputs: bool) -> dict[str, Any]:
    made = {"description": field.about.description, **_type(field, types)}
    if field.about.secret:
        made["secret"] = True
    if inputs and field.about.replaces:
        made["willReplaceOnChanges"] = True
    return made


def _type(field: Field, types: dict[str, Any]) -> dict[str, Any]:
    if field.kind == "array":
        return {"type": "array", "items": _type(field.items, types) if field.items else _ANY}
    if field.kind == "map":
        return {"type": "object", "additionalProperties": _type(field.items, types) if field.items else _ANY}
    if field.record is not None:
        token = f"mldeploy:index:{field.record.__name__}"
        types[token] = {"type": "object", **_record(fields_of(field.record), types)}
        return {"$ref": f"#/types/{token}"}
    return {"type": field.kind}


_ANY = {"$ref": "pulumi.json#/Any"}
