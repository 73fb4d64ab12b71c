"""The service's OpenAPI documents, versions 2.0, 3.0 and 3.1, from the script's schema decorators."""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

from serving.script import Script

_ALIASES = {"2": "2", "2.0": "2", "3": "3", "3.0": "3", "3.1": "3.1"}
_FILES = {"2": ("swagger.json", "swagger2.json"), "3": ("swagger3.json",), "3.1": ("swagger3.1.json",)}
Document = dict[str, Any]
_PREFIX = "SERVICE_PATH_PREFIX"


class SwaggerError(Exception):
    """No such document; the message lists the versions there are."""


class Swagger:
    """The documents of one script, made once."""

    def __init__(self, script: Script, service: str, folder: str, *, auth: bool) -> None:
        """Make them. A `swagger.json`, `swagger2.json`, `swagger3.json` or `swagger3.1.json` there wins.

        Args:
            script: the script.
            service: the documents' title.
            folder: where the script's own documents are.
            auth: whether scoring needs a key.

        Raises:
            ValueError: such a file is no JSON.
        """
        input_schema, output_schema, supported = _schemas(script)
        self._documents: dict[str, Any] = {}
        for version, names in _FILES.items():
            own = _own_file(Path(folder), names)
            if own is not None:
                self._documents[version] = own
            elif version in supported or f"{version}.0" in supported:
                build = _swagger2 if version == "2" else _openapi3
                self._documents[version] = build(
                    service, copy.deepcopy(input_schema), copy.deepcopy(output_schema)
                )
                if not auth:
                    _without_key(self._documents[version])
                if version == "3.1":
                    self._documents[version]["openapi"] = "3.1.0"
        self._own = {v for v, names in _FILES.items() if any((Path(folder) / n).is_file() for n in names)}

    def text(self, version: str, prefix: str) -> bytes:
        """The document for `?version=`, its paths under `prefix` or, without one, under `SERVICE_PATH_PREFIX`.

        Raises:
            SwaggerError: no such version, or the script's types cannot be described in it.
        """
        supported = ", ".join(sorted(self._documents))
        if version not in _ALIASES:
            raise SwaggerError(
                f"Swagger version [{version}] is not valid. Supported versions: [{supported}]."
            )
        name = _ALIASES[version]
        document = self._documents.get(name)
        if document is None:
            raise SwaggerError(
                f"Swagger version [{version}] is not supported for the scoring script. "
                f"Supported swagger versions: [{supported}]."
            )
        outside = os.environ.get(_PREFIX, "").strip("/")
        prefix = prefix or (f"/{outside}" if outside else "")
        if prefix and name not in self._own:
            document = {
                **document,
                "paths": {f"{prefix}{path}": item for path, item in document["paths"].items()},
            }
        return json.dumps(document).encode()


def _own_file(folder: Path, names: tuple[str, ...]) -> Any:
    return next((json.loads(path.read_text("utf-8")) for n in names if (path := folder / n).is_file()), None)


def _schemas(script: Script) -> tuple[Document, Document, set[str]]:
    anything: Document = {"type": "object", "example": {}}
    if "inference_schema.schema_util" not in sys.modules:
        return anything, anything, {"2", "3", "3.1"}
    from inference_schema import schema_util  # pyright: ignore[reportMissingTypeStubs]

    util = cast("Any", schema_util)
    supported = {str(version) for version in util.get_supported_versions(script.run)}
    if not script.decorated:
        return anything, anything, supported
    given: Document = copy.deepcopy(util.get_input_schema(script.run))
    required = [p.name for p in script.parameters if p.default is p.empty]
    if required:
        given["required"] = required
    return given, util.get_output_schema(script.run), supported


_SCORE = "Run web service's model and get the prediction output"
_HEALTH = "Simple health check endpoint to ensure the service is up at any given point."
_HEALTHY = "If service is up and running, this response will be returned with the content 'Healthy'"
_SCORED = "The service processed the input correctly and provided a result prediction, if applicable."
_FAILED = "The service failed to execute due to an error."
_PAYLOAD = "The input payload for executing the real-time machine learning service."
_BEARER = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "For example: Bearer abc123",
}
_ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}


def _info(service: str) -> Document:
    return {
        "title": service,
        "description": f"API specification for the Azure Machine Learning service {service}",
        "version": os.environ.get("SERVICE_VERSION", "1.0"),
    }


def _without_key(document: Document) -> None:
    """Take away what says that a key is needed."""
    document.pop("security", None)
    document.pop("securityDefinitions", None)
    document.get("components", {}).pop("securitySchemes", None)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)


def _swagger2(service: str, input_schema: Document, output_schema: Document) -> Document:
    failed = {"description": _FAILED, "schema": {"$ref": "#/definitions/ErrorResponse"}}

    def operation(name: str, text: str, done: Document, **more: Any) -> Document:
        return {
            "operationId": name,
            "description": text,
            **more,
            "responses": {"200": done, "default": failed},
        }

    health = {
        "description": _HEALTHY,
        "schema": {"type": "string"},
        "examples": {"text/html": "Healthy"},
    }
    scored = {"description": _SCORED, "schema": {"$ref": "#/definitions/ServiceOutput"}}
    spec = {"description": "The Swagger specification.", "schema": {"type": "object"}}
    body: Document = {
        "name": "serviceInputPayload",
        "in": "body",
        "description": _PAYLOAD,
        "schema": {"$ref": "#/definitions/ServiceInput"},
    }
    if "required" in input_schema:
        body["required"] = True
    version = {"name": "version", "in": "query", "required": False, "type": "number", "enum": [2, 3, 3.1]}
    score = operation("RunMLService", _SCORE, scored, security=[{"Bearer": []}], parameters=[body])
    return {
        "swagger": "2.0",
        "info": _info(service),
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": dict(_BEARER)},
        "paths": {
            "/": {
                "get": operation("ServiceHealthCheck", _HEALTH, health, security=[], produces=["text/html"])
            },
            "/score": {"post": score},
            "/swagger.json": {
                "get": operation(
                    "GetSwaggerSpec",
                    "Get the Swagger specification.",
                    spec,
                    security=[],
                    parameters=[version],
                )
            },
        },
        "definitions": {
            "ServiceInput": input_schema,
            "ServiceOutput": output_schema,
            "ErrorResponse": dict(_ERROR),
        },
    }


def _openapi3(service: str, input_schema: Document, output_schema: Document) -> Document:
    def content(schema: Document, kind: str = "application/json") -> Document:
        return {"content": {kind: {"schema": schema}}}

    failed = {"description": _FAILED, **content({"$ref": "#/components/schemas/ErrorResponse"})}

    def operation(name: str, text: str, done: Document, **more: Any) -> Document:
        return {
            "operationId": name,
            "description": text,
            **more,
            "responses": {"200": done, "default": failed},
        }

    health = {"description": _HEALTHY, **content({"type": "string", "example": "Healthy"}, "text/html")}
    scored = {"description": _SCORED, **content({"$ref": "#/components/schemas/ServiceOutput"})}
    spec = {"description": "The Swagger specification.", **content({"type": "object"})}
    body: Document = {"description": _PAYLOAD, **content({"$ref": "#/components/schemas/ServiceInput"})}
    if "required" in input_schema:
        body["required"] = True
    version = {
        "name": "version",
        "in": "query",
        "required": False,
        "schema": {"type": "number", "enum": [2, 3, 3.1]},
    }
    score = operation("RunMLService", _SCORE, scored, security=[{"Bearer": []}], requestBody=body)
    return {
        "openapi": "3.0.3",
        "info": _info(service),
        "security": [{"Bearer": []}],
        "paths": {
            "/": {"get": operation("ServiceHealthCheck", _HEALTH, health, security=[])},
            "/score": {"post": score},
            "/swagger.json": {
                "get": operation(
                    "GetSwaggerSpec",
                    "Get the Swagger specification.",
                    spec,
                    security=[],
                    parameters=[version],
                )
            },
        },
        "components": {
            "securitySchemes": {"Bearer": dict(_BEARER)},
            "schemas": {
                "ServiceInput": input_schema,
                "ServiceOutput": output_schema,
                "ErrorResponse": dict(_ERROR),
            },
        },
    }
