"""Objects that a script works with beside v1's: arguments of the command line, files, lists of packages."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.migrate.expressions import Expressions
from mldeploy.migrate.values import Call, Choice, Instance, OpenFile, Parser, Unknown, known

_LARGEST_FILE: Final = 200_000
_ADDED: Final = {
    "add_pip_package": "pip_packages",
    "add_conda_package": "conda_packages",
    "add_channel": "channels",
}


class Objects(Expressions):
    """Their methods."""

    def project_file(self, name: str) -> Path | None:
        """A file of the project that the script reads: beside it, or from the project's folder."""
        for folder in (self.state.base, self.state.root):
            path = (folder / name).resolve()
            inside = path.is_relative_to(self.state.root.resolve())
            if inside and path.is_file() and path.stat().st_size < _LARGEST_FILE:
                return path
        return None

    def format(self, text: str, arguments: list[Any], named: dict[str, Any], node: ast.Call) -> Any:
        def piece(value: Any) -> Any:
            return value if known([value]) else value.known if isinstance(value, Unknown) else ""

        try:
            kept = text.format(
                *[piece(one) for one in arguments], **{key: piece(one) for key, one in named.items()}
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            kept = text.partition("{")[0]
        return self.unknown(node, kept)

    def file_method(self, target: OpenFile, method: str, arguments: list[Any], node: ast.Call) -> Any:
        if method == "write" and arguments:
            before = self.state.written.get(path_key(target.path))
            given = arguments[0]
            self.state.written[path_key(target.path)] = (
                before + given if isinstance(before, str) and isinstance(given, str) else given
            )
            return None
        if method == "read":
            path = self.project_file(target.path)
            return path.read_text("utf-8", errors="replace") if path is not None else self.unknown(node)
        return self.unknown(node)

    def parser_method(
        self, target: Parser, method: str, arguments: list[Any], named: dict[str, Any], node: ast.Call
    ) -> Any:
        """`argparse`: an argument's value is its default; without one only the command line tells."""
        if method == "add_argument":
            flags = [one for one in arguments if isinstance(one, str)]
            name = named.get("dest") or next(
                (one for one in flags if one.startswith("--")), flags[0] if flags else ""
            )
            key = str(name).lstrip("-").replace("-", "_")
            default = named.get("default")
            if named.get("action") in ("store_true", "store_false") and default is None:
                default = named["action"] == "store_false"
            if isinstance(default, str | int | float) and not isinstance(default, bool):
                self.state.assumed[f"{self.where(node)}\0--{key}"] = str(default)
            target.values[key] = (
                Unknown(f"--{key.replace('_', '-')}", self.where(node), outside=True)
                if default is None
                else default
            )
            return None
        if method in ("parse_args", "parse_known_args"):
            made = Instance(target.values)
            return made if method == "parse_args" else [made, []]
        if method == "add_argument_group":
            return target
        return self.unknown(node)

    def conda_method(self, target: Call, method: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        given = arguments[0] if arguments else next(iter(named.values()), None)
        if method in _ADDED:
            packages = target.values.setdefault(_ADDED[method], [])
            if isinstance(packages, list) and isinstance(given, str | Unknown | Choice):
                cast("list[Any]", packages).append(given)
        elif method in ("set_pip_requirements", "set_pip_packages"):
            target.values["pip_packages"] = given
        elif method in ("remove_pip_package", "remove_conda_package"):
            for key in ("pip_packages", "conda_packages"):
                listed = target.values.get(key)
                if isinstance(listed, list):
                    target.values[key] = [one for one in cast("list[Any]", listed) if one != given]
        elif method == "set_python_version":
            target.values["python_version"] = given
        elif method in ("save", "save_to_file"):
            names = [one for one in (*arguments, *named.values()) if isinstance(one, str)]
            # `save_to_file(base_directory, path)`: the script names the file with or without the folder later.
            for name in {*names[-1:], "/".join(names)} if names else {"conda_dependencies.yml"}:
                self.state.written[path_key(name)] = target
        # `serialize_to_string()` stands for the file's text.
        return target


def path_key(value: Any) -> str:
    """A path as a key: `./conda.yml` is `conda.yml`."""
    return str(Path(value)) if isinstance(value, str) and value else f"\0{value!r}"[:200]
