"""`mldeploy graph`: every entry once, every edge, well-formed pictures."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mldeploy.cli.app import run as command
from mldeploy.manifest import load
from mldeploy.review.graph import build, mermaid, svg

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_samples(stack):
    manifest = load(ROOT, stack)
    graph = build(manifest)
    text = mermaid(graph)
    assert text.startswith("flowchart LR\n")
    assert text.count(" --> ") == len(graph.edges) >= 3 * len(manifest.services)
    picture = ElementTree.fromstring(svg(graph, "Title & more"))
    boxes = list(picture.iter(f"{SVG}g"))
    assert len(boxes) == sum(len(nodes) for nodes in graph.columns.values())
    assert picture.find(f"{SVG}title").text == "Title & more"
    width = float(picture.get("width"))
    for rect in picture.iter(f"{SVG}rect"):
        assert float(rect.get("x", 0)) + float(rect.get("width")) <= width


def test_boxes_do_not_overlap():
    picture = ElementTree.fromstring(svg(build(load(ROOT, "local")), "t"))
    rects = [
        tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
        for r in picture.iter(f"{SVG}rect")
        if r.get("x")
    ]
    for i, (x1, y1, w1, h1) in enumerate(rects):
        for x2, y2, w2, h2 in rects[i + 1 :]:
            assert x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1


def test_command(tmp_path, capsys):
    assert command(["graph", "-C", str(ROOT), "-o", str(tmp_path / "stack.svg")]) == 0
    ElementTree.parse(tmp_path / "stack.svg")
    assert command(["graph", "-C", str(ROOT)]) == 0
    assert "flowchart LR" in capsys.readouterr().out
