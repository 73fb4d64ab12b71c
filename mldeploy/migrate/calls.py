"""Calls of a script: those that make v1's objects, those that change them, and Python's own."""

from __future__ import annotations

import ast
import json
from typing import Any, Final, cast

import yaml

from mldeploy.migrate import library
from mldeploy.migrate.objects import Objects, path_key
from mldeploy.migrate.v1 import FUNCTIONS, METHODS, OBJECT_METHODS, SIGNATURES, STATED
from mldeploy.migrate.values import (
    MISSING,
    Call,
    Choice,
    Class,
    Function,
    Instance,
    OpenFile,
    Parser,
    Unknown,
    Variable,
    apply,
    apply_all,
    each,
    known,
    storable,
)

_LOADERS: Final[dict[tuple[str, ...], Any]] = {
    ("json", "load"): json.loads,
    ("yaml", "safe_load"): yaml.safe_load,
    ("yaml", "load"): yaml.safe_load,
    ("yaml", "full_load"): yaml.safe_load,
}
_DUMPED: Final[dict[tuple[str, ...], int]] = {
    ("joblib", "dump"): 1,
    ("pickle", "dump"): 1,
    ("torch", "save"): 1,
    ("dump",): 1,
    ("save_model",): 1,
}
"""Functions that write a model to a file, and which argument is the file."""


class Calls(Objects):
    """What calls give. Functions and classes of the script are for the class below."""

    def invoke(self, function: Function, node: ast.Call) -> Any:
        """What a function of the script returns."""
        raise NotImplementedError

    def construct(self, kind: Class, node: ast.Call) -> Any:
        """An object of a class of the script."""
        raise NotImplementedError

    def call(self, node: ast.Call) -> Any:
        """What a call gives."""
        name = self.dotted(node.func)
        owner = FUNCTIONS.get(name[-2:]) or (FUNCTIONS.get(name[-1:]) if name else None)
        if owner is not None and self._is_v1(name, node):
            return self.make(owner, node)
        holder = self.value(node.func.value) if isinstance(node.func, ast.Attribute) else MISSING
        for one in each(self._callee(node.func, holder)):
            if isinstance(one, Function):
                return self.invoke(one, node)
            if isinstance(one, Class):
                return self.construct(one, node)
        plain = self._plain(name, node)
        if plain is not MISSING:
            return plain
        if isinstance(node.func, ast.Attribute):
            return self._method(holder, node.func.attr, node)
        self.arguments_of(node)
        return self.unknown(node)

    def _callee(self, function: ast.expr, holder: Any) -> Any:
        """The function or class of the script that is called."""
        if isinstance(function, ast.Name):
            return self.scope.get(function.id)
        if isinstance(function, ast.Attribute):
            return apply(lambda one: self._member_of(one, function), holder)
        return self.value(function)

    def _member_of(self, holder: Any, function: ast.Attribute) -> Any:
        if isinstance(holder, Instance):
            return self.member(holder, function.attr, function)
        return holder.values.get(function.attr) if isinstance(holder, Class) else None

    @staticmethod
    def _is_v1(name: tuple[str, ...], node: ast.Call) -> bool:
        """Whether a dotted name is azureml's: `Model.register`, not `keras.Model(…)`."""
        if "azureml" in name:
            return True
        if len(name) > 1 and (name[0] == "" or not name[0][:1].isupper()):
            return False
        # Not imported by this script: a notebook's cell that was left out, or `import *`.
        return (
            len(name) > 1
            or name != ("Model",)
            or any(one.arg == "workspace" for one in node.keywords)
            or (
                bool(node.args)
                and isinstance(node.args[0], ast.Name)
                and node.args[0].id in ("ws", "workspace")
            )
        )

    # --- v1's objects ------------------------------------------------------------------------------------

    def make(self, owner: str, node: ast.Call, values: dict[str, Any] | None = None) -> Call:
        """A v1 object with its arguments."""
        made = Call(owner, self.where(node), self._arguments(owner, node) | (values or {}))
        if owner == "Webservice":
            made.values["kind"] = "".join(self.dotted(node.func)[-1:])
        if owner == "Environment.get":
            registered = self.state.environments.get(str(made.get("name")))
            if registered is not None:
                self.state.made.append(made)
                return registered
        self._written_files(made)
        self.state.made.append(made)
        if owner in STATED:
            self.state.stated.append(made)
        return made

    def _arguments(self, owner: str, node: ast.Call) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, argument in zip(SIGNATURES[owner], node.args, strict=False):
            if isinstance(argument, ast.Starred):
                continue
            found[name] = self.value(argument)
        for argument in node.args[len(SIGNATURES[owner]) :]:
            self.value(argument)
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = value
            elif isinstance(value, dict):
                found |= {str(key): item for key, item in cast("dict[Any, Any]", value).items()}
            else:
                found[f"**{keyword.value.id if isinstance(keyword.value, ast.Name) else ''}"] = value
        for name in ("provisioning_configuration", "attach_configuration"):
            if owner.startswith("ComputeTarget.") and name in found:
                found["configuration"] = found.pop(name)
        otherwise = self.unknown(node)
        return {name: storable(value, otherwise) for name, value in found.items() if value is not None}

    def _written_files(self, made: Call) -> None:
        """A conda file that the script writes itself is not there yet: take what it would write."""
        for key in ("conda_file", "file_path", "conda_specification", "conda_dependencies_file_path"):
            written = self.state.written.get(path_key(made.get(key)))
            if isinstance(written, Call):
                made.values[key] = written

    # --- Python's own functions --------------------------------------------------------------------------

    def arguments_of(self, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
        arguments: list[Any] = []
        for argument in node.args:
            value = self.value(argument)
            if isinstance(argument, ast.Starred) and isinstance(value, list):
                arguments += cast("list[Any]", value)
            else:
                arguments.append(value)
        named = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        return arguments, named

    def _plain(self, name: tuple[str, ...], node: ast.Call) -> Any:
        """What a function of Python or of a known package gives, :data:`MISSING` when it is none of those."""
        if not name or name[0] == "":
            return MISSING
        if name[-2:] == ("os", "getenv") or name[-3:] == ("os", "environ", "get"):
            return self._variable(node)
        if name[-1] == "ArgumentParser":
            self.arguments_of(node)
            return Parser()
        if name == ("dict",):
            return self.arguments_of(node)[1]
        if name in (("open",), ("io", "open"), ("codecs", "open")) and node.args:
            path = self.arguments_of(node)[0][0]
            return OpenFile(path) if isinstance(path, str) else self.unknown(node)
        if name[-2:] in (("copy", "deepcopy"), ("copy", "copy")) and node.args:
            value = self.value(node.args[0])
            return value.copy() if isinstance(value, Call) else value
        if name[-1] in ("next", "iter", "sorted", "reversed", "list") and node.args:
            value = self.value(node.args[0])
            if isinstance(value, Call):
                return value  # One of `Model.list(ws, name=…)`.
        loader = _LOADERS.get(name[-2:])
        if loader is not None and node.args:
            return self._loaded(loader, node)
        if name[-2:] in _DUMPED or name[-1:] in _DUMPED:
            self._dumped(_DUMPED.get(name[-2:], _DUMPED.get(name[-1:], 1)), node)
        return self._library(name, node)

    def _library(self, name: tuple[str, ...], node: ast.Call) -> Any:
        plain = (1,) if len(name) == 1 or name[0] == "pathlib" else ()
        found = (library.FUNCTIONS.get(name[-size:]) for size in (3, 2, *plain))
        function = next((one for one in found if one is not None), None)
        if function is None:
            return MISSING
        arguments, named = self.arguments_of(node)
        flat = [one for one in arguments if isinstance(one, Unknown | Variable | Call | Choice)]
        try:
            if not flat:
                return function(*arguments, **named)
            if all(isinstance(one, Choice) for one in flat):
                return apply_all(function, *arguments)
        except (TypeError, ValueError, AttributeError, OverflowError):
            return self.unknown(node)
        unknown = next((one for one in flat if isinstance(one, Unknown)), None)
        if name[-1] == "str" and unknown is not None:
            return unknown
        if name[-1] in ("join", "Path") and known(one for one in arguments if not isinstance(one, Unknown)):
            # `os.path.join(folder_of_the_run, "model.pkl")`: the file's name is worth something.
            last = arguments[-1]
            return self.unknown(node, last if isinstance(last, str) else "")
        return self.unknown(node)

    def _variable(self, node: ast.Call) -> Any:
        """An environment variable: its default where the script has one."""
        arguments, named = self.arguments_of(node)
        name = arguments[0] if arguments else named.get("key")
        default = arguments[1] if len(arguments) > 1 else named.get("default")
        if isinstance(default, str | int | float) and default != "":
            self.state.assumed[f"{self.where(node)}\0os.environ[{name!r}]"] = str(default)
            return default
        return Variable(name) if isinstance(name, str) else self.unknown(node)

    def _loaded(self, loader: Any, node: ast.Call) -> Any:
        """The content of a JSON or YAML file of the project."""
        file = self.value(node.args[0])
        if isinstance(file, str):
            return loader(file) if _parses(loader, file) else self.unknown(node)
        if not isinstance(file, OpenFile):
            return self.unknown(node)
        text = self.state.written.get(path_key(file.path))
        if not isinstance(text, str):
            path = self.project_file(file.path)
            if path is None:
                return self.unknown(node)
            text = path.read_text("utf-8", errors="replace")
        return loader(text) if _parses(loader, text) else self.unknown(node)

    def _dumped(self, index: int, node: ast.Call) -> None:
        arguments, named = self.arguments_of(node)
        given = named.get("filename", arguments[index] if len(arguments) > index else None)
        path = given.path if isinstance(given, OpenFile) else given
        if isinstance(path, str):
            self.state.dumped.append(path)

    # --- methods -----------------------------------------------------------------------------------------

    def _method(self, target: Any, method: str, node: ast.Call) -> Any:
        if method in METHODS:
            return self._stated(METHODS[method], target, node)
        for one in each(target):
            if isinstance(one, Call) and not one.owner.startswith("CondaDependencies"):
                return self._object_method(one, method, node)
        if method == "get_run" and node.args:
            return Call("Run", self.where(node), {"run_id": self.value(node.args[0])})
        late = _LATE.get(method, set()) if isinstance(target, Unknown) else set[str]()
        if any(keyword.arg in late for keyword in node.keywords):
            # `service.update(models=[…])` of a service from elsewhere.
            return self._stated(OBJECT_METHODS[method], target, node)
        arguments, named = self.arguments_of(node)
        return apply(lambda one: self._plain_method(one, method, arguments, named, node), target)

    def _stated(self, owner: str, target: Any, node: ast.Call) -> Call:
        values: dict[str, Any] = {}
        if isinstance(target, Call):
            values = {"run_id": target.get("run_id")} if owner == "Run.register_model" else {"of": target}
        return self.make(owner, node, {key: value for key, value in values.items() if value is not None})

    def _object_method(self, target: Call, method: str, node: ast.Call) -> Any:
        owner = OBJECT_METHODS.get(method)
        if method == "enable_ssl":
            target.values["enable_ssl"] = self.make("AksCompute.enable_ssl", node)
            return None
        if method == "register" and target.owner.startswith("Environment"):
            self.make("Environment.register", node)
            name = target.get("name")
            if isinstance(name, str):
                self.state.environments[name] = target
            return target
        if owner is not None and method != "register":
            return self._stated(owner, target, node)
        self.arguments_of(node)
        return target if method in ("clone", "register", "copy", "build") else self.unknown(node)

    def _plain_method(
        self, target: Any, method: str, arguments: list[Any], named: dict[str, Any], node: ast.Call
    ) -> Any:
        if isinstance(target, Call):
            return self.conda_method(target, method, arguments, named)
        if isinstance(target, Parser):
            return self.parser_method(target, method, arguments, named, node)
        if isinstance(target, OpenFile):
            return self.file_method(target, method, arguments, node)
        if method == "download_file" and arguments:
            to = named.get("output_file_path", arguments[1] if len(arguments) > 1 else arguments[0])
            self.state.downloads[path_key(to)] = str(arguments[0])
        if method in ("upload_file", "upload_folder"):
            path = named.get(
                "path_or_stream", named.get("path", arguments[1] if len(arguments) > 1 else None)
            )
            self.state.dumped += [path] if isinstance(path, str) else []
        if method == "write_text" and isinstance(target, str) and arguments:
            self.state.written[path_key(target)] = arguments[0]
        flat = [*arguments, *named.values()]
        if method == "format" and isinstance(target, str) and not known(flat):
            return self.format(target, arguments, named, node)
        done, found = library.method(target, method, arguments, named)
        if done:
            return found
        kept = (
            target.known
            if isinstance(target, Unknown) and method in ("lower", "replace", "strip", "upper")
            else ""
        )
        return self.unknown(node, kept)


_LATE: Final = {
    "update": {
        "models",
        "inference_config",
        "auth_enabled",
        "enable_app_insights",
        "image",
        "cpu_cores",
        "memory_gb",
    },
}
"""Methods of an unknown object that are v1's when they have one of these arguments."""


def _parses(loader: Any, text: str) -> bool:
    try:
        loader(text)
    except (ValueError, yaml.YAMLError):
        return False
    return True
