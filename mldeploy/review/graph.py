"""A stack as a picture: models -> images -> services -> targets, as Mermaid text and as SVG."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

from mldeploy.manifest import Manifest

COLUMNS = ("models", "images", "services", "targets")
_FILLS = {"models": "#e8f1fb", "images": "#eef7ea", "services": "#fff4e0", "targets": "#f3ecf8"}
_LINES = {"models": "#3b73af", "images": "#4f8a3c", "services": "#b7791f", "targets": "#7d4f9e"}
_WIDTH, _HEIGHT, _GAP, _COLUMN, _MARGIN, _HEAD = 210, 50, 18, 300, 24, 64
_MOST_CHARS = 28


@dataclass(frozen=True)
class Node:
    """A box: where it belongs, its name, and a line of detail."""

    column: str
    name: str
    detail: str

    @property
    def key(self) -> tuple[str, str]:
        """What edges name it by."""
        return self.column, self.name


@dataclass(frozen=True)
class Graph:
    """Boxes by column, and edges between neighbouring columns."""

    columns: Mapping[str, Sequence[Node]]
    edges: Sequence[tuple[tuple[str, str], tuple[str, str]]]

    def to_json(self) -> dict[str, Any]:
        """As plain data: boxes by column, and edges as pairs of `<column>/<name>`."""
        columns = {
            column: [{"name": node.name, "detail": node.detail} for node in nodes]
            for column, nodes in self.columns.items()
        }
        return {**columns, "edges": [["/".join(start), "/".join(end)] for start, end in self.edges]}


def build(manifest: Manifest) -> Graph:
    """The graph of a stack. What no service of the stack uses is left out."""
    services = manifest.services
    images = {name: manifest.images[name] for name in {service.image for service in services.values()}}
    models = {name: manifest.models[name] for image in images.values() for name in image.models}
    targets = {name: manifest.targets[name] for name in {service.target for service in services.values()}}
    nodes = {
        "models": [
            Node("models", n, f"version {m.version}" if m.version else m.source)
            for n, m in sorted(models.items())
        ],
        "images": [Node("images", n, i.entry_script) for n, i in sorted(images.items())],
        "services": [
            Node("services", n, _service(s.port, s.auth_enabled)) for n, s in sorted(services.items())
        ],
        "targets": [Node("targets", n, t.type) for n, t in sorted(targets.items())],
    }
    edges = [(("models", m), ("images", n)) for n, image in sorted(images.items()) for m in image.models]
    edges += [(("images", s.image), ("services", n)) for n, s in sorted(services.items())]
    edges += [(("services", n), ("targets", s.target)) for n, s in sorted(services.items())]
    return Graph(_ordered(nodes, edges), edges)


def _service(port: int | None, auth: bool) -> str:
    parts = [f"port {port}" if port else "", "with keys" if auth else "without keys"]
    return ", ".join(part for part in parts if part)


def _ordered(
    nodes: dict[str, list[Node]], edges: Sequence[tuple[tuple[str, str], tuple[str, str]]]
) -> dict[str, list[Node]]:
    """Each column in the order of its neighbours to the left, so that few edges cross."""
    for left, right in pairwise(COLUMNS):
        rank = {node.key: index for index, node in enumerate(nodes[left])}
        middle: dict[tuple[str, str], float] = {}
        for node in nodes[right]:
            found = [rank[a] for a, b in edges if b == node.key and a in rank]
            middle[node.key] = sum(found) / len(found) if found else len(rank)
        nodes[right].sort(key=lambda node, middle=middle: (middle[node.key], node.name))
    return nodes


def text(graph: Graph) -> str:
    """By target, each service with its image and that one's models: for terminals.

    here (local)
      diabetes  port 8890, with keys
        image diabetes  score.py
          model diabetes  models/diabetes.pkl
    """
    found = {node.key: node for column in COLUMNS for node in graph.columns[column]}
    lines: list[str] = []
    for target in graph.columns["targets"]:
        lines.append(f"{target.name} ({target.detail})")
        for service in (found[a] for a, b in graph.edges if b == target.key):
            lines.append(f"  {service.name}  {service.detail}")
            for image in (found[a] for a, b in graph.edges if b == service.key):
                lines.append(f"    image {image.name}  {image.detail}")
                models = (found[a] for a, b in graph.edges if b == image.key)
                lines += [f"      model {model.name}  {model.detail}" for model in models]
    return "\n".join(lines or ["no services"]) + "\n"


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart, for READMEs and pull requests."""
    ids = {
        node.key: f"{column[0]}{index}"
        for column in COLUMNS
        for index, node in enumerate(graph.columns[column])
    }
    lines = ["flowchart LR"]
    for column in COLUMNS:
        lines.append(f"  subgraph {column}")
        lines += [
            f'    {ids[node.key]}["{_quoted(node.name)}<br/><small>{_quoted(node.detail)}</small>"]'
            for node in graph.columns[column]
        ]
        lines.append("  end")
    lines += [f"  {ids[a]} --> {ids[b]}" for a, b in graph.edges]
    for column in COLUMNS:
        members = ",".join(ids[node.key] for node in graph.columns[column])
        if members:
            lines.append(f"  classDef {column} fill:{_FILLS[column]},stroke:{_LINES[column]},color:#1c2733")
            lines.append(f"  class {members} {column}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return re.sub(r'["<>#&]', lambda match: f"#{ord(match[0])};", text)


def svg(graph: Graph, title: str) -> str:
    """The picture. Colours are legible on a light and on a dark page."""
    rows = max((len(graph.columns[column]) for column in COLUMNS), default=0)
    height = _HEAD + max(rows, 1) * (_HEIGHT + _GAP) - _GAP + _MARGIN
    width = 2 * _MARGIN + 3 * _COLUMN + _WIDTH
    places = _places(graph, height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>',
    ]
    for index, column in enumerate(COLUMNS):
        x = _MARGIN + index * _COLUMN + _WIDTH / 2
        parts.append(
            f'<text x="{x:g}" y="36" text-anchor="middle" font-size="14" font-weight="600" '
            f'fill="{_LINES[column]}">{column}</text>'
        )
    parts += [_edge(places[a], places[b]) for a, b in graph.edges]
    parts += [_box(node, places[node.key]) for column in COLUMNS for node in graph.columns[column]]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _places(graph: Graph, height: float) -> dict[tuple[str, str], tuple[float, float]]:
    """The left upper corner of each box; columns are centred."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for index, column in enumerate(COLUMNS):
        nodes = graph.columns[column]
        used = len(nodes) * (_HEIGHT + _GAP) - _GAP
        top = _HEAD + (height - _HEAD - _MARGIN - used) / 2
        for row, node in enumerate(nodes):
            found[node.key] = (_MARGIN + index * _COLUMN, top + row * (_HEIGHT + _GAP))
    return found


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH, start[1] + _HEIGHT / 2, end[0], end[1] + _HEIGHT / 2
    half = (x2 - x1) / 2
    path = f"M{x1:g} {y1:g} C{x1 + half:g} {y1:g} {x2 - half:g} {y2:g} {x2 - 7:g} {y2:g}"
    head = f"M{x2:g} {y2:g} l-8 -4 v8 z"
    return (
        f'<path d="{path}" fill="none" stroke="#8a96a3" stroke-width="1.5"/><path d="{head}" fill="#8a96a3"/>'
    )


def _box(node: Node, place: tuple[float, float]) -> str:
    x, y = place
    middle = x + _WIDTH / 2
    return (
        f"<g><title>{escape(node.name)}: {escape(node.detail)}</title>"
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{_FILLS[node.column]}" '
        f'stroke="{_LINES[node.column]}"/>'
        f'<text x="{middle:g}" y="{y + 21:g}" text-anchor="middle" font-size="14" fill="#1c2733">'
        f"{escape(_short(node.name, _MOST_CHARS - 4))}</text>"
        f'<text x="{middle:g}" y="{y + 39:g}" text-anchor="middle" font-size="11" fill="#5a6875">'
        f"{escape(_short(node.detail, _MOST_CHARS + 2))}</text></g>"
    )


def _short(text: str, most: int) -> str:
    """At most so many characters; paths lose their beginning, which says least."""
    if len(text) <= most:
        return text
    return "…" + text[-most + 1 :] if "/" in text else text[: most - 1] + "…"
