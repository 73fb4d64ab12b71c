"""Reading a v1 deployment script by its syntax tree. Nothing of it is imported or run.

Statements are read in the order of the file, also those inside functions, loops and conditions, with one scope for all
of them: deployment scripts are straight lines. What cannot be known without running it becomes :class:`Unknown`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from operator import add, mul
from pathlib import Path, PurePosixPath
from typing import Any, cast

from mldeploy.migrate.findings import MigrateError
from mldeploy.migrate.v1 import CONSTANTS, FUNCTIONS, SIGNATURES, STATED, Call, Unknown, Variable


def read_script(path: Path, shown: str) -> list[Call]:
    """What a script (`.py`) or notebook (`.ipynb`) registers and deploys, in its order.

    Args:
        path: where it is.
        shown: how findings name it.

    Raises:
        MigrateError: it cannot be read, or is no Python.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MigrateError(f"{shown}: {getattr(error, 'strerror', None) or error}") from error
    if path.suffix == ".ipynb":
        text = _notebook(text, shown)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise MigrateError(f"{shown}:{error.lineno}: no Python: {error.msg}") from error
    reader = _Reader(shown)
    reader.block(tree.body)
    return reader.stated


def _notebook(text: str, shown: str) -> str:
    """The code cells of a notebook, one after the other; lines with magics become comments."""
    try:
        cells = json.loads(text)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise MigrateError(f"{shown}: no Jupyter notebook: {error}") from error
    found: list[str] = []
    for cell in code:
        if cell.lstrip().startswith("%%"):
            found += [f"# {line}" for line in cell.splitlines()]
        else:
            found += [f"# {line}" if line.lstrip()[:1] in ("%", "!") else line for line in cell.splitlines()]
    return "\n".join(found)


class _File:
    """What `open(path, "w")` gives."""

    def __init__(self, path: str) -> None:
        self.path = path


class _Reader:
    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._names: dict[str, Any] = {}
        self._modules: dict[str, str] = {}
        self._written: dict[str, Call] = {}
        self.stated: list[Call] = []

    # --- statements --------------------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> None:
        """Read statements, and those inside them, in order."""
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:  # noqa: PLR0912 - one case a kind of statement
        match node:
            case ast.Import():
                for name in node.names:
                    self._modules[name.asname or name.name.split(".")[0]] = (
                        name.name if name.asname else name.name.split(".")[0]
                    )
            case ast.ImportFrom():
                for name in node.names:
                    self._modules[name.asname or name.name] = f"{node.module or ''}.{name.name}"
            case ast.Assign():
                value = self.value(node.value)
                for target in node.targets:
                    self._assign(target, value)
            case ast.AnnAssign() if node.value is not None:
                self._assign(node.target, self.value(node.value))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.For() | ast.AsyncFor():
                self._assign(node.target, self._unknown(node.target))
                self.block([*node.body, *node.orelse])
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, value)
                self.block(node.body)
            case ast.If() | ast.While():
                self.block([*node.body, *node.orelse])
            case ast.Try():
                handled = [one for handler in node.handlers for one in handler.body]
                self.block([*node.body, *handled, *node.orelse, *node.finalbody])
            case ast.Expr() | ast.Return() if node.value is not None:
                self.value(node.value)
            case _:
                pass

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args]
        defaults = node.args.defaults
        for argument in [*arguments, *node.args.kwonlyargs]:
            self._names[argument.arg] = Unknown(argument.arg, self._where(node))
        for argument, default in zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True):
            self._names[argument.arg] = self.value(default)
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if default is not None:
                self._names[argument.arg] = self.value(default)
        self.block(node.body)

    def _assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name():
                self._names[target.id] = value
            case ast.Tuple() | ast.List():
                values = cast("list[Any]", value) if isinstance(value, list) else []
                known = len(values) == len(target.elts)
                for index, item in enumerate(target.elts):
                    self._assign(item, values[index] if known else self._unknown(item))
            case ast.Attribute():
                owner, path = self._owned(target)
                if owner is not None:
                    owner.values[path] = value
            case ast.Subscript():
                self._assign_item(target, value)
            case _:
                pass

    def _assign_item(self, target: ast.Subscript, value: Any) -> None:
        key = self.value(target.slice)
        if isinstance(target.value, ast.Attribute):
            owner, path = self._owned(target.value)
            if owner is None:
                return
            items = owner.values.setdefault(path, {})
        else:
            items = self.value(target.value)
        if isinstance(items, dict) and isinstance(key, str):
            cast("dict[str, Any]", items)[key] = value

    def _owned(self, node: ast.Attribute) -> tuple[Call | None, str]:
        """The v1 object at the root of an attribute chain, and the attributes after it, dotted."""
        path: list[str] = []
        current: ast.expr = node
        while isinstance(current, ast.Attribute):
            path.insert(0, current.attr)
            current = current.value
        root = self.value(current)
        if not isinstance(root, Call):
            return None, ""
        # A part that is an object of its own (a registry, conda dependencies) holds the rest.
        for end in range(len(path) - 1, 0, -1):
            part = root.values.get(".".join(path[:end]))
            if isinstance(part, Call):
                return part, ".".join(path[end:])
        return root, ".".join(path)

    # --- expressions -------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Any:  # noqa: PLR0912 - one case a kind of expression
        """What an expression gives, as far as that can be said."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._names.get(node.id, self._unknown(node))
            case ast.List() | ast.Tuple() | ast.Set():
                return [self.value(item) for item in node.elts]
            case ast.Dict():
                return self._mapping(node)
            case ast.JoinedStr():
                return self._formatted(node)
            case ast.UnaryOp(op=ast.USub()):
                operand = self.value(node.operand)
                return -operand if isinstance(operand, int | float) else self._unknown(node)
            case ast.BinOp():
                return self._operation(node)
            case ast.IfExp():
                return self.value(node.body)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._item(node)
            case ast.Call():
                return self._call(node)
            case ast.Await():
                return self.value(node.value)
            case _:
                return self._unknown(node)

    def _mapping(self, node: ast.Dict) -> Any:
        found: dict[str, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = self.value(key) if key is not None else None
            if not isinstance(name, str):
                return self._unknown(node)
            found[name] = self.value(value)
        return found

    def _formatted(self, node: ast.JoinedStr) -> Any:
        parts: list[str] = []
        for item in node.values:
            value = self.value(item.value) if isinstance(item, ast.FormattedValue) else self.value(item)
            if not isinstance(value, str | int | float) or getattr(item, "format_spec", None) is not None:
                return self._unknown(node)
            parts.append(str(value))
        return "".join(parts)

    def _operation(self, node: ast.BinOp) -> Any:
        left: Any = self.value(node.left)
        right: Any = self.value(node.right)
        both_texts = isinstance(left, str) and isinstance(right, str)
        if isinstance(node.op, ast.Div) and both_texts:
            return str(PurePosixPath(str(left)) / str(right))
        both_lists = isinstance(left, list) and isinstance(right, list)
        both_numbers = isinstance(left, int | float) and isinstance(right, int | float)
        operator = _OPERATORS.get(type(node.op))
        if operator is not None and (
            both_numbers or (isinstance(node.op, ast.Add) and (both_texts or both_lists))
        ):
            return operator(left, right)
        return self._unknown(node)

    def _attribute(self, node: ast.Attribute) -> Any:
        if node.attr in CONSTANTS:
            return CONSTANTS[node.attr]
        owner, path = self._owned(node)
        if owner is None:
            return self._unknown(node)
        if path in owner.values:
            return owner.values[path]
        if owner.owner.startswith("Environment") and path == "python.conda_dependencies":
            return owner.values.setdefault(path, Call("CondaDependencies", self._where(node)))
        return self._unknown(node)

    def _item(self, node: ast.Subscript) -> Any:
        key = self.value(node.slice)
        if self._dotted(node.value)[-2:] == ("os", "environ") and isinstance(key, str):
            return Variable(key)
        if self._ends(node.value, "compute_targets") and isinstance(key, str):
            return Call("ComputeTarget", self._where(node), {"name": key})
        if self._ends(node.value, "models") and isinstance(key, str):
            return Call("Model", self._where(node), {"name": key})
        items = self.value(node.value)
        if isinstance(items, dict) and isinstance(key, str):
            return cast("dict[str, Any]", items).get(key, self._unknown(node))
        if (
            isinstance(items, list)
            and isinstance(key, int)
            and -len(cast("list[Any]", items)) <= key < len(cast("list[Any]", items))
        ):
            return cast("list[Any]", items)[key]
        return self._unknown(node)

    @staticmethod
    def _ends(node: ast.expr, attribute: str) -> bool:
        return isinstance(node, ast.Attribute) and node.attr == attribute

    # --- calls -------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Any:
        name = self._dotted(node.func)
        owner = FUNCTIONS.get(name[-2:]) or (FUNCTIONS.get(name[-1:]) if name else None)
        if owner is not None and (len(name) < 2 or self._is_v1(name)):
            return self._make(owner, node)
        plain = self._plain_call(name, node)
        if plain is not None:
            return plain
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func, node)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.value(argument)
        return self._unknown(node)

    @staticmethod
    def _is_v1(name: tuple[str, ...]) -> bool:
        """Whether a dotted name can be azureml's: `Model.register`, not `whatever.Model(…)` of another package."""
        return "azureml" in name or name[0][:1].isupper()

    def _make(self, owner: str, node: ast.Call) -> Call:
        made = Call(owner, self._where(node), self._arguments(owner, node))
        if owner in ("ParallelRunConfig", "InferenceConfig"):
            self._files_written(made)
        if owner in STATED:
            self.stated.append(made)
        return made

    def _arguments(self, owner: str, node: ast.Call) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, argument in zip(SIGNATURES[owner], node.args, strict=False):
            found[name] = self.value(argument)
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = value
            elif isinstance(value, dict):
                found |= cast("dict[str, Any]", value)
        for name in ("provisioning_configuration", "attach_configuration"):
            if owner.startswith("ComputeTarget.") and name in found:
                found["configuration"] = found.pop(name)
        return {name: value for name, value in found.items() if value is not None}

    def _files_written(self, made: Call) -> None:
        """A conda file that the script writes itself is not there yet: take what it would write."""
        written = self._written.get(str(made.get("conda_file")))
        if written is not None:
            made.values["conda_file"] = written

    def _plain_call(self, name: tuple[str, ...], node: ast.Call) -> Any:
        last = name[-1] if name else ""
        arguments = [self.value(argument) for argument in node.args] if last in _PLAIN else []
        texts = [one for one in arguments if isinstance(one, str)]
        known = len(texts) == len(arguments) and bool(texts)
        if name[-3:] == ("os", "path", "join") and known:
            return str(PurePosixPath(*texts))
        if last in ("getenv", "get") and name[-3:] in (("os", "getenv"), ("os", "environ", "get")) and texts:
            return Variable(texts[0])
        if name[-2:] == ("os", "getenv") and texts:
            return Variable(texts[0])
        if last in ("Path", "PurePath", "str", "abspath") and known:
            return str(PurePosixPath(*texts)) if last != "str" else texts[0]
        if last == "dict" and not node.args:
            return {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        if name == ("open",) and texts:
            return _File(texts[0])
        return None

    def _method(self, function: ast.Attribute, node: ast.Call) -> Any:
        """A method of a v1 object, or of something unknown (a run, a file)."""
        target = self.value(function.value)
        method = function.attr
        if method == "register_model":
            made = Call("Run.register_model", self._where(node), self._arguments("Run.register_model", node))
            if isinstance(target, Call):
                made.values["run_id"] = target.get("run_id")
            self.stated.append(made)
            return made
        if method == "get_run" and node.args:
            return Call("Run", self._where(node), {"run_id": self.value(node.args[0])})
        arguments = [self.value(argument) for argument in node.args]
        named = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        if isinstance(target, _File) and method == "write" and arguments and isinstance(arguments[0], Call):
            self._written[target.path] = arguments[0]
        if isinstance(target, Call):
            return self._object_method(target, method, arguments, named, node)
        return self._unknown(node)

    def _object_method(
        self, target: Call, method: str, arguments: list[Any], named: dict[str, Any], node: ast.Call
    ) -> Any:
        if target.owner.startswith("CondaDependencies"):
            return self._conda_method(target, method, arguments, named)
        if method == "enable_ssl":
            target.values["enable_ssl"] = Call(
                "AksCompute.enable_ssl", self._where(node), self._arguments("AksCompute.enable_ssl", node)
            )
            return None
        if method in ("clone", "register"):
            return target
        return self._unknown(node)

    def _conda_method(self, target: Call, method: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        given = arguments[0] if arguments else next(iter(named.values()), None)
        keys = {
            "add_pip_package": "pip_packages",
            "add_conda_package": "conda_packages",
            "add_channel": "channels",
        }
        if method in keys and isinstance(given, str):
            target.values.setdefault(keys[method], [])
            packages = target.values[keys[method]]
            if isinstance(packages, list):
                cast("list[Any]", packages).append(given)
        elif method == "set_python_version":
            target.values["python_version"] = given
        elif method in ("save", "save_to_file"):
            names = [one for one in (*arguments, *named.values()) if isinstance(one, str)]
            if names:
                self._written[names[-1]] = target
        # `serialize_to_string()` stands for the file's text.
        return target

    # --- names -------------------------------------------------------------------------------------------

    def _dotted(self, node: ast.expr) -> tuple[str, ...]:
        """A name in full, imports resolved: `M.register` is ("azureml", "core", "model", "Model", "register")."""
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ()
        return (*self._modules.get(node.id, node.id).split("."), *path)

    def _where(self, node: ast.AST) -> str:
        return f"{self._shown}:{getattr(node, 'lineno', 0)}"

    def _unknown(self, node: ast.expr) -> Unknown:
        return Unknown(ast.unparse(node), self._where(node))


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {ast.Add: add, ast.Mult: mul}
_PLAIN = frozenset({"join", "getenv", "get", "Path", "PurePath", "str", "abspath", "open"})
