"""A page for each component: its arguments and outputs, read from the source without importing a cloud SDK."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.pages import ROOT
from scripts.pages.text import code, plain, table

_INTRO = """\
# Components

A manifest is the usual way. Each building block is also a Pulumi component of its own, `(name, args, opts)`, for
programs that need another composition. Type checkers know every argument; outputs are attributes. Every component also
takes `customize`, which changes single children without a fork of the component:

```python
AciEndpoint("scoring", AciEndpointArgs(..., customize={"group": {"priority": "Spot", "tags": {"team": "health"}}}))
```

adds to the arguments of the child `scoring-group`. Mappings are merged, other values replaced, `opts` is merged into
the child's resource options; a role that the component does not have is an error that names those it has.

"""
_USE = """\
Import it with

```python
from {module} import {name}, {name}Args
```
"""


@dataclass(frozen=True)
class Field:
    """One argument or output."""

    name: str
    kind: str
    default: str | None
    """None: required."""
    text: str


@dataclass(frozen=True)
class Component:
    """One component, with the helper classes that its arguments use."""

    module: str
    name: str
    group: str
    text: str
    arguments: list[Field]
    outputs: list[Field]
    helpers: dict[str, list[Field]]

    @property
    def path(self) -> str:
        """Its page in the site."""
        return f"reference/components/{_kebab(self.name)}.md"


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def find() -> list[Component]:
    """Every component, by name."""
    found = [one for file in sorted((ROOT / "components").rglob("*.py")) for one in _components(file)]
    return sorted(found, key=lambda one: one.name)


def _components(file: Path) -> list[Component]:
    beside = file.with_name("args.py")
    body = [
        node
        for source in dict.fromkeys((file, *([beside] if beside.exists() else [])))
        for node in ast.parse(source.read_text("utf-8")).body
    ]
    classes = {n.name: n for n in body if isinstance(n, ast.ClassDef)}
    constants = {
        ast.unparse(n.targets[0]): ast.unparse(n.value)
        for n in body
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Constant)
    }
    found = []
    shared = _shared()
    for name, node in classes.items():
        if not any(isinstance(base, ast.Name) and base.id == "Component" for base in node.bases):
            continue
        arguments = [*_fields(classes[f"{name}Args"], constants), *shared]
        wanted = set(re.findall(r"\w+", " ".join(field.kind for field in arguments)))
        helpers = {n: _fields(c, constants) for n, c in classes.items() if n in wanted and _is_data(c)}
        found.append(
            Component(
                ".".join(file.relative_to(ROOT).with_suffix("").parts),
                name,
                _group(node),
                ast.get_docstring(node) or "",
                arguments,
                _fields(node, constants),
                helpers,
            )
        )
    return found


def _shared() -> list[Field]:
    """The arguments of every component."""
    body = ast.parse((ROOT / "components/base.py").read_text("utf-8")).body
    node = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == "ComponentArgs")
    names = {ast.unparse(n.targets[0]): ast.unparse(n.value) for n in body if isinstance(n, ast.Assign)}
    return [replace(one, kind=names.get(one.kind, one.kind)) for one in _fields(node, {})]


def _is_data(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(one) for one in node.decorator_list)


def _group(node: ast.ClassDef) -> str:
    for one in node.body:
        targets = [one.target] if isinstance(one, ast.AnnAssign) else getattr(one, "targets", [])
        if "group" in map(ast.unparse, targets):
            return str(ast.literal_eval(one.value))  # type: ignore[attr-defined]
    raise LookupError(f"component {node.name} has no group")


def _fields(node: ast.ClassDef, constants: Mapping[str, str]) -> list[Field]:
    """Annotated names of a class with the text below each; class variables are left out."""
    found = []
    for one, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(one, ast.AnnAssign) or "ClassVar" in ast.unparse(one.annotation):
            continue
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = str(after.value.value)
        default = None if one.value is None else _default(one.value, constants)
        found.append(Field(ast.unparse(one.target), _kind(one.annotation), default, " ".join(text.split())))
    return found


def _default(value: ast.expr, constants: Mapping[str, str]) -> str:
    """`field(default_factory=dict[str, str])` is an empty one; a constant of the module is its value."""
    text = constants.get(ast.unparse(value), ast.unparse(value))
    if found := re.fullmatch(r"field\(default_factory=(dict|list|tuple).*\)", text):
        return {"dict": "{}", "list": "[]", "tuple": "()"}[found[1]]
    if found := re.fullmatch(r"field\(default_factory=(\w+)\)", text):
        return f"{found[1]}()"
    return text


def _kind(annotation: ast.expr) -> str:
    return ast.unparse(annotation).replace("pulumi.", "")


def pages() -> dict[str, str]:
    """The overview and a page for each component."""
    found = find()
    rows = [
        (f"[`{one.name}`](components/{Path(one.path).name})", code(_token(one)), _summary(one))
        for one in found
    ]
    overview = _INTRO + table(("component", "type", "what it makes"), rows)
    return {"reference/components.md": overview, **{one.path: _page(one) for one in found}}


def _token(one: Component) -> str:
    return f"mldeploy:{one.group}:{one.name}"


def _summary(one: Component) -> str:
    return plain(re.split(r"(?<=[.])\s", " ".join(one.text.split()))[0])


def _page(one: Component) -> str:
    parts = [f"# {one.name}", "", plain(one.text), "", f"Type: `{_token(one)}`.", ""]
    parts += [_USE.format(module=one.module, name=one.name), "## Arguments", "", _arguments(one.arguments)]
    for name, fields in one.helpers.items():
        parts += [f"### {name}", "", _arguments(fields)]
    rows = [(code(field.name), code(field.kind), plain(field.text)) for field in one.outputs]
    described = any(field.text for field in one.outputs)
    heads = ("output", "type", "meaning") if described else ("output", "type")
    parts += ["## Outputs", "", table(heads, (row[: len(heads)] for row in rows))]
    return "\n".join(parts)


def _arguments(fields: list[Field]) -> str:
    rows = (
        (code(f.name), code(f.kind), "**required**" if f.default is None else code(f.default), plain(f.text))
        for f in fields
    )
    return table(("argument", "type", "default", "meaning"), rows)
