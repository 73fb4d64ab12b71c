"""How an entry script wants to be called for many inputs, read from its source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from serving.script import Script, Style

# The module that only v1's ParallelRunStep brings: who imports it names the parameter of run() as he likes.
_PARALLEL_RUN: Final = "azureml_user"
# What a DataFrame has and a list of paths has not.
_FRAME: Final = frozenset(
    (
        "apply", "assign", "astype", "columns", "drop", "dropna", "dtypes", "fillna", "groupby", "head", "iloc",
        "iterrows", "itertuples", "loc", "merge", "rename", "reset_index", "select_dtypes", "set_index", "shape",
        "to_dict", "to_numpy", "values",
    )
)  # fmt: skip
# Methods of models that take a table as their first argument.
_MODEL: Final = frozenset(("predict", "predict_proba", "transform", "decision_function"))


def style_of(script: Script) -> str:
    """`mini_batch`, `tabular` or `online`, when nobody says it."""
    parameter = script.parameters[0]
    if script.style is not Style.TEXT:
        return "online"
    tree = ast.parse(Path(script.path).read_bytes())
    table = _is_frame(parameter.annotation) or _used_as_frame(tree, parameter.name)
    if parameter.name != "mini_batch" and not table and not _imports(tree, _PARALLEL_RUN):
        return "online"
    return "tabular" if table else "mini_batch"


def _is_frame(annotation: object) -> bool:
    if annotation is inspect.Parameter.empty:
        return False
    return "DataFrame" in (annotation if isinstance(annotation, str) else repr(annotation))


def _imports(tree: ast.AST, package: str) -> bool:
    for node in ast.walk(tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] == package for name in names):
            return True
    return False


def _used_as_frame(tree: ast.AST, name: str) -> bool:
    """Whether run() treats its parameter as a table, before it gives the name to something else."""
    runs = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "run")
    return any(_frame_use(node, name) for run in runs for node in _before_reassigned(run, name))


def _before_reassigned(run: ast.FunctionDef, name: str) -> Iterator[ast.AST]:
    for statement in run.body:
        yield from ast.walk(statement)
        if any(
            isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
            for n in ast.walk(statement)
        ):
            return


def _frame_use(node: ast.AST, name: str) -> bool:
    def named(one: ast.AST) -> bool:
        return isinstance(one, ast.Name) and one.id == name

    if isinstance(node, ast.Attribute):
        return named(node.value) and node.attr in _FRAME
    if isinstance(node, ast.Subscript):
        by_name = isinstance(node.slice, ast.List) or (
            isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        )
        return named(node.value) and by_name
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _MODEL
        and bool(node.args)
        and named(node.args[0])
    )
