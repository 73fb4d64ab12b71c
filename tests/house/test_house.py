"""How the house stands: its layers, no circles, files and functions that fit on a screen."""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("mldeploy", "components", "serving", "policy/mldeploy_policies")
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
# What a part of the house may never reach, also not through others.
FORBIDDEN = [
    ("serving", ("mldeploy", "components", "mldeploy_policies", "pulumi")),
    ("mldeploy.manifest", ("components", "mldeploy.engine.core", "mldeploy.provider", "mldeploy.operations", "pulumi")),
    ("mldeploy.values", ("mldeploy.provider", "mldeploy.operations", "mldeploy.manifest", "components")),
    ("mldeploy.artifacts", ("mldeploy.provider", "mldeploy.engine", "mldeploy.manifest", "components")),
    ("mldeploy.imaging", ("mldeploy.provider", "mldeploy.engine", "components")),
    ("mldeploy.provider", ("mldeploy.imaging", "mldeploy.operations", "mldeploy.cli", "components")),
    ("mldeploy.provider", ("mldeploy.engine.core", "mldeploy.manifest")),
    ("mldeploy.engine", ("mldeploy.cli", "mldeploy.operations", "mldeploy.manifest", "components")),
    ("mldeploy.migrate", ("mldeploy.engine", "mldeploy.provider", "components")),
    ("components", ("mldeploy.engine.core", "mldeploy.operations", "mldeploy.cli")),
    ("mldeploy.operations", ("mldeploy.cli", "components")),
]  # fmt: skip


@pytest.fixture(scope="module")
def graph():
    """Who imports whom, also inside functions and for type checkers only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT), str(ROOT / "policy"), *sys.path])
        packages = ("mldeploy", "components", "serving", "mldeploy_policies")
        return grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)


def test_no_circles(graph):
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize(("part", "others"), FORBIDDEN)
def test_a_part_does_not_reach(part, others, graph):
    for other in others:
        found = graph.find_shortest_chain(part, other) if other == "pulumi" else None
        if other != "pulumi":
            chains = graph.find_shortest_chains(part, other)
            found = min(chains, key=len) if chains else None
        assert not found, " imports ".join(found)


@cache
def _files():
    return [file for source in SOURCES for file in sorted((ROOT / source).rglob("*.py"))]


def test_files_are_short():
    lengths = {str(f.relative_to(ROOT)): len(f.read_text("utf-8").splitlines()) for f in _files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short():
    long = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": length
        for file in _files()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}
