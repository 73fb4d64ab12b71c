"""The reference of the manifest: every key with type, allowed values, default, meaning and an example."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from scripts.pages import ROOT
from scripts.pages.text import code, plain, table

Json = dict[str, Any]
EXAMPLE = ROOT / "docs/examples/manifest.full.yaml"
_INTRO = """\
# Manifest reference

Made from the schema that `mldeploy validate` and editors use. `manifest.yaml` holds what the stacks share,
`manifest.<stack>.yaml` is merged over it by name; there every key may also be `null`, which removes it. Keys that
begin with `x-` are ignored at the top: a place for YAML anchors. All examples are parts of one file that uses every
section: `docs/examples/manifest.full.yaml`.

To have completion and errors while you type, begin the file with

```yaml
# yaml-language-server: $schema=manifest.v1.schema.json
```

"""
_TOP = ("Azure", "Model", "Image")
_PLACES = {"Azure": "azure", "Model": "models.*", "Image": "images.*", "Service": "services.*"}
_LONGEST_PATTERN = 60
_ITEM = "-"
"""A list's item in a path."""


def page() -> str:
    """`reference/manifest.md`."""
    from mldeploy.manifest.json_schema import required as requirements
    from mldeploy.manifest.json_schema import schema

    made = schema()
    definitions: dict[str, Json] = made["$defs"]
    examples = dict(_examples(made, yaml.safe_load(EXAMPLE.read_text("utf-8"))))
    required = requirements()
    targets = list(_target_types())
    nested = sorted(set(definitions) - {*_TOP, *targets, "Service", "Target", "SecretRef"})
    sections = [
        *(_section(name, definitions, required, examples) for name in _TOP),
        "## Targets { #target }\n\nUnder `targets:`, by name. `type` decides which keys there are.\n",
        *(_section(name, definitions, required, examples, level=3) for name in targets),
        _section("Service", definitions, required, examples),
        _secrets(definitions),
        "## Parts\n\nWhat the sections above are made of.\n",
        *(
            _section(name, definitions, required, examples, level=3)
            for name in nested
            if not name.endswith("Ref")
        ),
    ]
    return "\n".join([_INTRO, _contents(made), *sections])


def _contents(made: Json) -> str:
    links = {
        "azure": "azure",
        "models": "model",
        "images": "image",
        "targets": "target",
        "services": "service",
    }
    rows = [
        (f"[`{name}`](#{links[name]})" if name in links else code(name), plain(value["description"]))
        for name, value in made["properties"].items()
    ]
    return table(("key", "what it holds"), rows)


def _section(
    name: str,
    definitions: Mapping[str, Json],
    required: Mapping[str, set[str]],
    examples: Mapping[str, Any],
    level: int = 2,
) -> str:
    one = definitions[name]
    kind = _target_types().get(name)
    title = f"`type: {kind}`" if kind else f"`{_PLACES[name]}`" if name in _PLACES else _words(name)
    parts = [f"{'#' * level} {title} {{ #{name.lower()} }}", "", plain(str(one.get("description", ""))), ""]
    applies = _applies(name)
    heads = ["key", "value", "default", *(["targets"] if applies else []), "meaning"]
    rows = []
    for key, value in one["properties"].items():
        default = "**required**" if key in required.get(name, ()) else _default(value)
        row = [code(key), _kind(value, definitions), default, plain(str(value.get("description", "")))]
        rows.append([*row[:3], applies.get(key, "all"), row[3]] if applies else row)
    parts += [table(heads, rows)]
    if name in examples:
        if level > 2 and not kind:
            parts += [f"At `{_path(examples[name], one)}`:", ""]
        parts += ["```yaml", _dump(examples[name]).rstrip(), "```", ""]
    return "\n".join(parts)


def _words(name: str) -> str:
    text = "".join(f" {c.lower()}" if c.isupper() and i else c for i, c in enumerate(name))
    return re.sub(r"\b(Aks|Ssl)\b", lambda found: found[0].upper(), text)


def _path(example: Any, shape: Json) -> str:
    """Where the example's section is: `services.*.probes`."""
    keys: list[str] = []
    while isinstance(example, list) or not (len(keys) > 1 and set(example) <= set(shape["properties"])):
        if isinstance(example, list):
            (example,) = example
            continue
        ((key, example),) = example.items()
        keys.append("*" if len(keys) == 1 and keys[0] != "azure" else key)
    return ".".join(keys)


def _target_types() -> dict[str, str]:
    from mldeploy.manifest.kinds import kinds

    return {one.model.__name__: name for name, one in kinds().items()}


def _applies(name: str) -> dict[str, str]:
    """The types of target that the keys of a section are for; empty for a section whose keys are for all."""
    from mldeploy.manifest.base import Section
    from mldeploy.manifest.kinds import names_of
    from mldeploy.manifest.markers import marker

    def below(kind: type[Section]) -> Iterator[type[Section]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    model = next(one for one in below(Section) if one.__name__ == name)
    found = {key: marker(field) for key, field in model.model_fields.items()}
    return {key: ", ".join(names_of(on.where)) for key, on in found.items() if on and on.where}


def _secrets(definitions: Mapping[str, Json]) -> str:
    rows = []
    for name in ("ConfigRef", "EnvRef", "KeyVaultRef"):
        (key,) = definitions[name]["properties"]
        text = plain(definitions[name]["properties"][key]["description"])
        rows.append((f"`{{{key}: …}}`", text, plain(str(definitions[name].get("description", "")))))
    intro = f"## Secrets {{ #secretref }}\n\n{definitions['SecretRef']['description']}\n\n"
    return intro + table(("form", "names", "where it is"), rows)


# --- values ----------------------------------------------------------------------------------------------


def _default(value: Json) -> str:
    if "default" not in value or value["default"] in ({}, [], None):
        return ""
    default = value["default"]
    if isinstance(default, dict):
        return "its defaults"
    return code(json.dumps(default, ensure_ascii=False) if not isinstance(default, str) else default)


def _kind(value: Json, definitions: Mapping[str, Json]) -> str:
    if "$ref" in value:
        return _reference(value["$ref"].rpartition("/")[2], definitions)
    if "const" in value:
        return code(str(value["const"]))
    if "enum" in value:
        return ", ".join(code(str(one)) for one in value["enum"] if one is not None)
    if "anyOf" in value:
        options = [_kind(one, definitions) for one in value["anyOf"] if one != {"type": "null"}]
        return " or ".join(dict.fromkeys(options))
    kinds = value.get("type", "any")
    kinds = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if kinds == ["string", "integer"]:  # a text, also where a number was written
        kinds = ["string"]
    return " or ".join(dict.fromkeys(_simple(kind, value, definitions) for kind in kinds))


def _reference(name: str, definitions: Mapping[str, Json]) -> str:
    if name == "SecretRef":
        return "[secret](#secretref)"
    if name.endswith("Ref"):
        (key,) = definitions[name]["properties"]
        return f"`{{{key}: …}}`"
    return f"[{_words(name).lower()}](#{name.lower()})"


def _simple(kind: str, value: Json, definitions: Mapping[str, Json]) -> str:
    if kind == "array":
        return f"list of {_kind(value.get('items', {}), definitions)}"
    if kind == "object":
        inner = value.get("additionalProperties")
        return f"{_kind(inner, definitions)} by name" if isinstance(inner, dict) else "mapping"
    if kind == "boolean":
        return "`true`, `false`"
    words = {"string": "text", "integer": "whole number", "number": "number"}.get(kind, "anything")
    return words + _limits(kind, value)


def _limits(kind: str, value: Json) -> str:
    if kind == "string":
        pattern = re.sub(r"^\^\(\?:(.*)\)\$$", r"\1", str(value.get("pattern", "")))
        return f" like {code(pattern)}" if pattern and len(pattern) <= _LONGEST_PATTERN else ""
    low, high = value.get("minimum"), value.get("maximum")
    above = value.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if above is not None:
        return f" above {above:g}"
    return f" from {low:g}" if low is not None else f" to {high:g}" if high is not None else ""


# --- examples --------------------------------------------------------------------------------------------


def _examples(made: Json, document: Json) -> Iterator[tuple[str, Any]]:
    """Each section's first use in the full example, below the keys that lead there."""
    found: dict[str, Any] = {}
    definitions: dict[str, Json] = made["$defs"]

    def walk(value: Any, shape: Json, path: tuple[str, ...]) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item, shape.get("items", {}), (*path, _ITEM))
            return
        if not isinstance(value, dict):
            return
        for name in _names(shape, value):
            found.setdefault(name, _below(path, value))
            shape = definitions[name]
        inner = shape.get("additionalProperties")
        for key, item in value.items():
            below = shape.get("properties", {}).get(key) or (inner if isinstance(inner, dict) else {})
            walk(item, below, (*path, key))

    def _names(shape: Json, value: Json) -> list[str]:
        options = [shape, *shape.get("anyOf", [])]
        names = [one["$ref"].rpartition("/")[2] for one in options if "$ref" in one]
        names = [n for n in names if not n.endswith("Ref")]
        if names == ["Target"]:
            return [name for name, kind in _target_types().items() if kind == value.get("type")]
        return [
            n
            for n in names
            if "properties" in definitions[n] and set(value) <= set(definitions[n]["properties"])
        ][:1]

    walk(document, made, ())
    yield from found.items()


def _below(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = [value] if key == _ITEM else {key: value}
    return value


def _dump(value: Any) -> str:
    stream = io.StringIO()
    yaml.safe_dump(value, stream, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    return stream.getvalue()
