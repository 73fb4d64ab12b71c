"""The manifest's JSON Schema, for editors.

One schema serves `manifest.yaml` and every `manifest.<stack>.yaml`: both may leave out what the other says,
an overlay may set anything to null. So nothing is required but inside lists and secret references, which
replace as a whole; what a merged manifest must have is checked by :func:`mldeploy.manifest.load`.
"""

from __future__ import annotations

from typing import Any, Final, cast

from mldeploy.manifest.document import Manifest
from mldeploy.manifest.rules.names import SECTIONS
from mldeploy.manifest.targets import TARGET_TYPES

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SECRETS: Final = ("ConfigRef", "EnvRef", "KeyVaultRef")
_WHOLE: Final = frozenset((*_SECRETS, "NodePool", "Golden", "Toleration", "Mount"))
"""Models that an overlay replaces as a whole, so that what they require is required."""
Json = dict[str, Any]


def schema() -> Json:
    """The JSON Schema (draft 2020-12) of one manifest file."""
    made = Manifest.model_json_schema()
    definitions = cast("dict[str, Json]", made["$defs"])
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


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _target(definitions: dict[str, Json]) -> Json:
    """A target by its type; where an overlay leaves the type out, any of them."""
    kinds = [_ref(kind.__name__) for kind in TARGET_TYPES.values()]
    described = {
        kind: str(definitions[model.__name__].get("description", "")) for kind, model in TARGET_TYPES.items()
    }
    return {
        "description": "Where services run.",
        "type": ["object", "null"],
        "properties": {
            "type": {
                "description": "; ".join(f"{kind}: {text.rstrip('.')}" for kind, text in described.items()),
                "enum": list(TARGET_TYPES),
            }
        },
        "if": {"type": "object", "required": ["type"]},
        "then": {"oneOf": kinds},
        "else": {"anyOf": [*kinds, {"type": "null"}]},
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
        properties[name] = _property(value, whole=whole)
        if "description" not in properties[name]:
            # pydantic leaves out what the model that is referred to says in the same words.
            properties[name] = {"description": _described(value, definitions), **properties[name]}


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
