"""Reading the JSON (or YAML) files of CLI v1: `inferenceconfig.json` and `deploymentconfig.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import yaml

from mldeploy.manifest.kinds import kinds
from mldeploy.migrate.findings import Finding, MigrateError, Outcome
from mldeploy.migrate.table import json_fields
from mldeploy.migrate.values import Call

# A service with versions of its own, which is one of AKS.
_ENDPOINT = {"aksendpoint": "AksEndpoint"}


def services() -> dict[str, str]:
    """v1's class by what `computeType` says: that of the type of target which takes such services over."""
    webservices = {name: one for name, of in kinds().items() for one in of.v1 if one.endswith("Webservice")}
    return webservices | _ENDPOINT


def read_document(path: Path, shown: str) -> dict[str, Any]:
    """A JSON or YAML file with a mapping.

    Raises:
        MigrateError: it cannot be read, or holds something else.
    """
    try:
        text = path.read_text("utf-8-sig")
        loaded: Any = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise MigrateError(f"{shown}: {getattr(error, 'strerror', None) or error}") from error
    except json.JSONDecodeError as error:
        raise MigrateError(f"{shown}:{error.lineno}:{error.colno}: no JSON: {error.msg}") from error
    except yaml.YAMLError as error:
        raise MigrateError(f"{shown}: no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(loaded, dict):
        raise MigrateError(f"{shown}: must be a mapping, not {type(loaded).__name__}")
    return cast("dict[str, Any]", loaded)


def is_deployment(document: dict[str, Any]) -> bool:
    """Whether it is a deployment config: those say `computeType`."""
    return "computeType" in document


def is_inference(document: dict[str, Any]) -> bool:
    """Whether it is an inference config: those say `entryScript`."""
    return "entryScript" in document or "environment" in document


def read_deployment(document: dict[str, Any], shown: str, findings: list[Finding]) -> Call:
    """A deployment config as the object that v1's SDK made of it.

    Raises:
        MigrateError: `computeType` is none of local, aci, aks, aksendpoint.
    """
    kind = str(document["computeType"])
    owner = services().get(kind.lower())
    if owner is None:
        allowed = ", ".join(sorted(services()))
        raise MigrateError(f"{shown}: computeType: {kind!r} is no type of v1; allowed: {allowed}")
    rest = {key: value for key, value in document.items() if key != "computeType"}
    return _fields(owner, rest, shown, findings, "deploymentconfig.json")


def read_inference(document: dict[str, Any], shown: str, findings: list[Finding]) -> Call:
    """An inference config as the object that v1's SDK made of it."""
    environment: Any = document.get("environment")
    rest = {key: value for key, value in document.items() if key not in ("environment", "baseImageRegistry")}
    made = _fields("InferenceConfig", rest, shown, findings, "inferenceconfig.json")
    registry: Any = document.get("baseImageRegistry")
    if isinstance(registry, dict):
        made.values["base_image_registry"] = _registry(cast("dict[str, Any]", registry), shown, findings)
    if isinstance(environment, dict):
        made.values["environment"] = _environment(cast("dict[str, Any]", environment), shown, findings)
    elif isinstance(environment, str):
        made.values["environment"] = Call("Environment.get", shown, {"name": environment})
    return made


def _environment(document: dict[str, Any], shown: str, findings: list[Finding]) -> Call:
    nested: dict[str, Any] = json.loads(json.dumps(document))
    registry = _take(nested, ["docker", "baseImageRegistry"])
    made = _fields("Environment", nested, shown, findings, "environment")
    if isinstance(registry, dict) and any(cast("dict[str, Any]", registry).values()):
        made.values["docker.base_image_registry"] = _registry(
            cast("dict[str, Any]", registry), shown, findings
        )
    return made


def _registry(document: dict[str, Any], shown: str, findings: list[Finding]) -> Call:
    return _fields("ContainerRegistry", document, shown, findings, "baseImageRegistry")


def _fields(owner: str, document: dict[str, Any], shown: str, findings: list[Finding], label: str) -> Call:
    """The keys that the table knows, by their parameters' names; a finding for every other key."""
    rest: dict[str, Any] = json.loads(json.dumps(document))
    made = Call(owner, shown)
    for field in json_fields(owner):
        value = _take(rest, field.json.split("."))
        if value is not None:
            made.values[field.name] = value
    why = "no key that v1 read; it had no effect"
    findings += [Finding(Outcome.DROPPED, shown, f"{label}: {key}", "", why) for key in _left(rest)]
    return made


def _take(document: dict[str, Any], path: list[str]) -> Any:
    """Remove and return what is at a path; CLI v1 did not mind the case of letters."""
    key = next((name for name in document if name.lower() == path[0].lower()), None)
    if key is None:
        return None
    if len(path) == 1:
        return document.pop(key)
    inner = document[key]
    if not isinstance(inner, dict):
        return None
    found = _take(cast("dict[str, Any]", inner), path[1:])
    if not inner:
        del document[key]
    return found


def _left(document: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in document.items():
        if isinstance(value, dict) and value:
            found += _left(cast("dict[str, Any]", value), f"{prefix}{key}.")
        elif value not in (None, {}, [], ""):
            found.append(f"{prefix}{key}")
    return found
