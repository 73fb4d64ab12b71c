"""Reading a v1 deployment script by its syntax tree. Nothing of it is imported or run.

Statements are read in their order. Of a branch both sides are read, and what a name can be after it is kept; functions
are read where they are called, those that nothing calls at the end. What cannot be known without running the script is
:class:`Unknown`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.migrate import library
from mldeploy.migrate.calls import Calls
from mldeploy.migrate.cells import Cell, Command, parse
from mldeploy.migrate.findings import MigrateError
from mldeploy.migrate.notebook import read_notebook
from mldeploy.migrate.reading import State
from mldeploy.migrate.shell import read_commands
from mldeploy.migrate.values import (
    MISSING,
    Class,
    Function,
    Imported,
    Instance,
    Scope,
    Unknown,
    join,
)

_DEEPEST: Final = 12
_MOST_CALLS: Final = 5_000


def cells_of(path: Path, shown: str) -> list[Cell]:
    """The code of a script (`.py`), a notebook (`.ipynb`) or a shell script (`.sh`).

    Raises:
        MigrateError: it cannot be read, or is no notebook.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MigrateError(f"{shown}: {getattr(error, 'strerror', None) or error}") from error
    if path.suffix == ".ipynb":
        return read_notebook(text, shown)
    if path.suffix == ".sh":
        commands = tuple(Command(line, number) for number, line in enumerate(text.splitlines(), 1))
        return [Cell(shown, ast.Module([], []), commands=commands)]
    return [Cell(shown, *parse(text))]


def read_script(path: Path, shown: str, root: Path | None = None) -> State:
    """What a script or notebook registers and deploys, in its order.

    Args:
        path: where it is.
        shown: how findings name it.
        root: the project's folder, whose modules and settings it may read; default: the script's.

    Raises:
        MigrateError: it cannot be read, or is no notebook.
    """
    cells = cells_of(path, shown)
    state = State(path.resolve().parent, (root or path.parent).resolve(), cells)
    reader = Interpreter(state, cells[0] if cells else Cell(shown, ast.Module([], [])))
    reader.scope.names |= {"__file__": path.name, "__name__": "__main__"}
    for cell in cells:
        reader.read(cell)
    reader.uncalled()
    return state


class Interpreter(Calls):
    """Reads statements."""

    def __init__(self, state: State, cell: Cell) -> None:
        super().__init__(state, cell)
        self._module = self.scope
        self._returned: list[Any] = []
        self._depth, self._calls = 0, 0
        self._called: set[ast.AST] = set()
        self._defined: list[Function] = []
        self._classes: list[Class] = []
        self._instances: dict[int, Instance] = {}
        self._modules: dict[Path, Instance] = {}
        self._main = True

    def read(self, cell: Cell) -> None:
        """Read a cell: its statements, the file that it writes, the commands that it runs."""
        self.cell = cell
        if cell.writes is not None:
            name = cell.writes[0].removeprefix("$").strip("{}")
            found = self.scope.get(name) if name.isidentifier() else cell.writes[0]
            if isinstance(found, str):
                self.state.written[str(Path(found))] = cell.writes[1]
        for call in read_commands(cell, self.scope.get, self.state.base, self.state.root):
            self.state.made.append(call)
            self.state.stated.append(call)
        self.block(cell.tree.body)

    def uncalled(self) -> None:
        """Read the functions and methods that nothing called: what they would do when another script does."""
        named = {
            node.id
            for function in self._defined
            for node in ast.walk(function.node)
            if isinstance(node, ast.Name)
        }
        # Those that another function calls come after it: their arguments are known there.
        for function in sorted(self._defined, key=lambda one: getattr(one.node, "name", "") in named):
            if function.node not in self._called:
                self._run(function, [], {})
        for kind in list(self._classes):
            made = self._instances.get(id(kind)) or self._made(kind, [], {})
            for method in kind.values.values():
                if isinstance(method, Function) and method.node not in self._called:
                    self._run(Function(method.node, method.scope, method.cell, made), [], {})

    # --- statements --------------------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> None:
        """Read statements in their order."""
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:  # noqa: PLR0912 - one case a kind of statement
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Assign():
                value = self._alias(node.value) or self.value(node.value)
                for target in node.targets:
                    self.bind(target, value)
            case ast.AnnAssign() if node.value is not None:
                self.bind(node.target, self.value(node.value))
            case ast.AugAssign():
                self._augmented(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                made = Function(node, self.scope, self.cell)
                self.scope.names[node.name] = made
                self._defined += [made] if self._main else []
            case ast.ClassDef():
                self._class(node)
            case ast.For() | ast.AsyncFor():
                self._loop(node)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self.bind(item.optional_vars, value)
                self.block(node.body)
            case ast.If():
                self._branch(node)
            case ast.While():
                self.value(node.test)
                self.block([*node.body, *node.orelse])
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self.value(node.subject)
                self._sides([case.body for case in node.cases])
            case ast.Return():
                self._returned.append(self.value(node.value) if node.value is not None else None)
            case ast.Expr():
                self.value(node.value)
            case ast.Assert():
                self.value(node.test)
            case _:
                pass

    def _alias(self, node: ast.expr) -> Imported | None:
        """`M = Model`: another name for something that is imported."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and isinstance(self.scope.get(root.id), Imported):
            return Imported(self.dotted(node))
        return None

    def _augmented(self, node: ast.AugAssign) -> None:
        both = ast.copy_location(ast.BinOp(_loaded(node.target), node.op, node.value), node)
        self.bind(node.target, self.value(both))

    def _branch(self, node: ast.If) -> None:
        truth = self.truth(node.test)
        if truth is False and not self._main and _asks_for_main(node.test):
            self.block(node.orelse)
            return
        if truth is None:
            self._sides([node.body, node.orelse])
            return
        # The side that is not taken is read first: it deploys somewhere, too, but what it names does not count.
        taken, other = (node.body, node.orelse) if truth else (node.orelse, node.body)
        before = dict(self.scope.names)
        self.block(other)
        added = {name: value for name, value in self.scope.names.items() if name not in before}
        self.scope.names = added | before
        self.block(taken)

    def _sides(self, blocks: list[list[ast.stmt]]) -> None:
        """Read each from the same names; what a name can be afterwards is what it is in any."""
        before, after = dict(self.scope.names), list[dict[str, Any]]()
        for block in blocks:
            self.scope.names = dict(before)
            self.block(block)
            after.append(self.scope.names)
        merged: dict[str, Any] = {}
        for names in after:
            for name, value in names.items():
                merged[name] = join(merged.get(name, MISSING), value)
        self.scope.names = merged

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        self._sides([node.body + node.orelse, *[handler.body for handler in node.handlers]])
        self.block(node.finalbody)

    def _loop(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.value(node.iter)
        if isinstance(items, dict):
            items = list(cast("dict[str, Any]", items))
        if isinstance(items, list) and items:
            for item in cast("list[Any]", items)[: library.MOST]:
                self.bind(node.target, item)
                self.block(node.body)
        else:
            self.bind(node.target, self.unknown(node.iter) if isinstance(node.target, ast.Name) else None)
            self.block(node.body)
        self.block(node.orelse)

    # --- functions and classes ---------------------------------------------------------------------------

    def _class(self, node: ast.ClassDef) -> None:
        kind = Class(node.name)
        for base in node.bases:
            inherited = self.value(base)
            if isinstance(inherited, Class):
                kind.values |= inherited.values
        outer = self.scope
        self.scope = Scope(above=outer)
        held = self._defined
        self._defined = []
        self.block(node.body)
        self._defined = held
        kind.values |= self.scope.names
        self.scope = outer
        self.scope.names[node.name] = kind
        self._classes += [kind] if self._main else []

    def construct(self, kind: Class, node: ast.Call) -> Any:
        """An object of a class of the script."""
        arguments, named = self.arguments_of(node)
        return self._made(kind, arguments, named)

    def _made(self, kind: Class, arguments: list[Any], named: dict[str, Any]) -> Instance:
        made = Instance(of=kind)
        self._instances[id(kind)] = made
        first = kind.values.get("__init__")
        if isinstance(first, Function):
            self._run(Function(first.node, first.scope, first.cell, made), arguments, named)
        else:  # A dataclass, or a class of settings.
            fields = [name for name, value in kind.values.items() if not isinstance(value, Function)]
            made.values |= dict(zip(fields, arguments, strict=False)) | named
        return made

    def invoke(self, function: Function, node: ast.Call) -> Any:
        """What a function of the script returns."""
        arguments, named = self.arguments_of(node)
        self._calls += 1
        if self._depth >= _DEEPEST or self._calls > _MOST_CALLS:
            return self.unknown(node)
        found = self._run(function, arguments, named)
        return self.unknown(node) if found is MISSING else found

    def _run(self, function: Function, arguments: list[Any], named: dict[str, Any]) -> Any:
        """Read a function's body; what it can return, :data:`MISSING` when it returns nothing."""
        self._called.add(function.node)
        outer, cell, returned = self.scope, self.cell, self._returned
        self.scope, self.cell, self._returned = Scope(above=function.scope), function.cell, []
        self._depth += 1
        self._parameters(function, arguments, named)
        if isinstance(function.node, ast.Lambda):
            self._returned.append(self.value(function.node.body))
        else:
            self.block(function.node.body)
        found: Any = MISSING
        for one in self._returned:
            found = join(found, one)
        self._depth -= 1
        self.scope, self.cell, self._returned = outer, cell, returned
        return found

    def _parameters(self, function: Function, arguments: list[Any], named: dict[str, Any]) -> None:
        given = function.node.args
        names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
        static = any(
            isinstance(one, ast.Name) and one.id == "staticmethod"
            for one in getattr(function.node, "decorator_list", [])
        )
        values = [function.bound, *arguments] if function.bound is not None and not static else arguments
        bound = self.scope.names
        for name in (*names, *(argument.arg for argument in given.kwonlyargs)):
            bound[name] = Unknown(name, self.where(function.node), outside=True)
        for name, default in _defaults(given):
            bound[name] = self.value(default)
        bound |= dict(zip(names, values, strict=False))
        rest = {key: value for key, value in named.items() if key not in bound}
        bound |= {key: value for key, value in named.items() if key in bound}
        if given.vararg:
            bound[given.vararg.arg] = values[len(names) :]
        if given.kwarg:
            bound[given.kwarg.arg] = rest

    # --- modules -----------------------------------------------------------------------------------------

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.split(".")[0]
                local = self._local(name.name.split("."))
                path = tuple(name.name.split(".")) if name.asname else (first,)
                self.scope.names[name.asname or first] = (
                    local if local is not None and ("." not in name.name or name.asname) else Imported(path)
                )
            return
        module = (node.module or "").split(".")
        local = self._local(module) if node.module else None
        for name in node.names:
            if local is not None and name.name == "*":
                self.scope.names |= local.values
                continue
            inner = (
                self._local([*module, name.name] if node.module else [name.name]) if local is None else None
            )
            found = local.values.get(name.name) if local is not None else inner
            self.scope.names[name.asname or name.name] = (
                Imported((*module, name.name)) if found is None else found
            )

    def _local(self, module: list[str]) -> Instance | None:
        """A module of the project, beside the script or from the project's folder."""
        if not module[0]:
            return None
        name = "/".join(module)
        path = self.project_file(f"{name}.py") or self.project_file(f"{name}/__init__.py")
        if path is None:
            return None
        if path not in self._modules:
            self._modules[path] = Instance()
            cell = cells_of(path, path.name)[0]
            outer, before, main = self.scope, self.cell, self._main
            self.scope, self.cell, self._main = (
                Scope({"__name__": module[-1], "__file__": path.name}),
                cell,
                False,
            )
            stated = len(self.state.stated)
            self.block(cell.tree.body)
            del self.state.stated[stated:]  # What a module does when it is imported is for its own import.
            self._modules[path].values = self.scope.names
            self.scope, self.cell, self._main = outer, before, main
        return self._modules[path]


def _asks_for_main(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def _loaded(target: ast.Name | ast.Attribute | ast.Subscript) -> ast.expr:
    copied = ast.parse(ast.unparse(target), mode="eval").body
    return ast.copy_location(copied, target)


def _defaults(given: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    named = [*given.posonlyargs, *given.args]
    for argument, default in zip(named[len(named) - len(given.defaults) :], given.defaults, strict=True):
        yield argument.arg, default
    for argument, keyword_default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if keyword_default is not None:
            yield argument.arg, keyword_default
