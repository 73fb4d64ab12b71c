"""The manifest's JSON Schema, for editors.

One schema serves `manifest.yaml` and every `manifest.<stack>.yaml`: both may leave out what the other says,
an overlay may set anything to null. So nothing is required but inside lists and secret references, which
replace as a whole; what a merged manifest must have is checked by :func:`mldeploy.manifest.load`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast

from pydantic.json_schema import models_json_schema

from mldeploy.manifest.base import Section
from mldeploy.manifest.docstrings import field_docstrings
from mldeploy.manifest.document import Manifest
from mldeploy.manifest.kinds import kinds, names_of
from mldeploy.manifest.markers import On
from mldeploy.manifest.rules.names import SECTIONS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SECRETS: Final = ("ConfigRef", "EnvRef", "KeyVaultRef")
_WHOLE: Final = frozenset((*_SECRETS, "NodePool", "Golden", "Toleration", "Mount"))
"""Models that an overlay replaces as a whole, so that what they require is required."""
Json = dict[str, Any]


def schema() -> Json:
    """The JSON Schema (draft 2020-12) of one manifest file."""
    made, definitions = _made()
    for name, definition in definitions.items():
        _object(definition, definitions, whole=name in _WHOLE)
    _object(made, definitions, whole=False)
    definitions["SecretRef"] = {
        "description": "A secret by reference; a manifest never holds one.",
        "oneOf": [_ref(name) for name in _SECRETS],
        "examples": [{"config": "primaryKey"}, {"env": "PRIMARY_KEY"}, {"keyvault": "primary-key"}],
    }
    definitions["Target"] = _target(definitions)
    sections = cast("dict[str, Json]", made["properties"])
    sections["targets"]["additionalProperties"] = _ref("Target")
    for name, rule in SECTIONS.items():
        sections[name]["propertyNames"] = {"pattern": f"^(?:{rule.pattern.pattern})$"}
    return {
        "$schema": DIALECT,
        "title": "mldeploy manifest, version 1",
        "description": made["description"],
        "type": "object",
        "properties": sections,
        "patternProperties": {"^x-": {"description": "Ignored: a place for YAML anchors."}},
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _made() -> tuple[Json, dict[str, Json]]:
    """The manifest's own schema, and those of everything in it, also of each type of target."""
    models = [Manifest, *(one.model for one in kinds().values())]
    _, whole = models_json_schema([(one, "validation") for one in models])
    definitions = cast("dict[str, Json]", whole["$defs"])
    for section in _sections(Section):
        properties = cast("dict[str, Json]", definitions.get(section.__name__, {}).get("properties", {}))
        for name, text in field_docstrings(section).items() if properties else ():
            properties[name].setdefault("description", text)
    for name, one in kinds().items():
        definitions[one.model.__name__]["properties"]["type"] = {"const": name, "description": f"`{name}`."}
    del definitions["Target"]
    return definitions.pop("Manifest"), definitions


def _sections(of: type[Section]) -> Iterator[type[Section]]:
    for one in of.__subclasses__():
        yield one
        yield from _sections(one)


def required() -> dict[str, set[str]]:
    """What each section requires once its overlay is merged, by the names of :func:`schema`'s definitions."""
    _, definitions = _made()
    return {name: set(one.get("required", ())) for name, one in definitions.items()}


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _target(definitions: dict[str, Json]) -> Json:
    """A target by its type; where an overlay leaves the type out, any of them."""
    models = {name: one.model.__name__ for name, one in kinds().items()}
    described = {name: str(definitions[model].get("description", "")) for name, model in models.items()}
    options = [_ref(model) for model in models.values()]
    return {
        "description": "Where services run.",
        "type": ["object", "null"],
        "properties": {
            "type": {
                "description": "; ".join(f"{kind}: {text.rstrip('.')}" for kind, text in described.items()),
                "enum": list(models),
            }
        },
        "if": {"type": "object", "required": ["type"]},
        "then": {"oneOf": options},
        "else": {"anyOf": [*options, {"type": "null"}]},
    }


def _object(definition: Json, definitions: dict[str, Json], *, whole: bool) -> None:
    """Tidy one model's schema: no generated titles, one-line descriptions, null where allowed."""
    definition.pop("title", None)
    if not whole:
        definition.pop("required", None)
    if "description" in definition:
        definition["description"] = " ".join(str(definition["description"]).split())
    properties = cast("dict[str, Json]", definition.get("properties", {}))
    for name, value in properties.items():
        on: On | None = value.pop("x-on", None)
        properties[name] = _property(value, whole=whole)
        if "description" not in properties[name]:
            # pydantic leaves out what the model that is referred to says in the same words.
            properties[name] = {"description": _described(value, definitions), **properties[name]}
        if on is not None:
            properties[name]["description"] += _where(on)


def _where(on: On) -> str:
    """A marker in words: `` Default: 0.1 on aks, kubernetes. For local, aks, kubernetes.``"""
    defaults = {where: value for where, value in on.default.items() if not callable(value)}
    given = "; ".join(
        f"{json.dumps(value)} on {', '.join(names_of((where,)))}" for where, value in defaults.items()
    )
    places = ", ".join(names_of(on.where)) if on.where else ""
    return (f" Default: {given}." if given else "") + (f" For {places}." if places else "")


def _described(value: Json, definitions: dict[str, Json]) -> str:
    name = str(value["$ref"]).rpartition("/")[2]
    return " ".join(str(definitions[name]["description"]).split())


def _property(value: Json, *, whole: bool) -> Json:
    """One property, its description and default first."""
    kept = {key: item for key, item in value.items() if key not in ("title", "discriminator")}
    if kept.get("default", 0) is None:
        del kept["default"]
    head = {key: kept.pop(key) for key in ("description", "default", "examples") if key in kept}
    if "description" in head:
        head["description"] = " ".join(str(head["description"]).split())
    kept = _secret(kept)
    inner = kept.get("additionalProperties")
    if isinstance(inner, dict):
        kept["additionalProperties"] = _nullable(_secret(cast("Json", inner)))
    return head | (kept if whole else _nullable(kept))


def _secret(value: Json) -> Json:
    """The three kinds of reference under their common name."""
    options = cast("list[Json]", value.get("anyOf", []))
    kinds = [_ref(name) for name in _SECRETS]
    if not all(kind in options for kind in kinds):
        return value
    others = [option for option in options if option not in kinds]
    return {"anyOf": [*others, _ref("SecretRef")]} if others else _ref("SecretRef")


def _nullable(value: Json) -> Json:
    """``value``, or null."""
    if "anyOf" in value:
        options = cast("list[Json]", value["anyOf"])
        return value if {"type": "null"} in options else {**value, "anyOf": [*options, {"type": "null"}]}
    kind = value.get("type")
    if isinstance(kind, str) and "const" not in value and "enum" not in value:
        return {**value, "type": [kind, "null"]}
    if isinstance(kind, list):
        return {**value, "type": [*kind, "null"]} if "null" not in kind else value
    return {"anyOf": [value, {"type": "null"}]} if value else value
