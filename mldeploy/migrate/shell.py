"""Reading commands of CLI v1, `az ml model deploy` and its relatives, in scripts and notebooks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mldeploy.migrate.cells import Cell, Command
from mldeploy.migrate.findings import MigrateError
from mldeploy.migrate.json_files import read_document
from mldeploy.migrate.shell_options import COMMANDS, COMMON, INFERENCE, WORKSPACE
from mldeploy.migrate.values import MISSING, Call, Unknown

_UNKNOWN: Final = "\x01"
"""Stands for a value that only running the shell gives."""
_PAIRS: Final = frozenset({"tags", "properties"})
_SECOND_VERSION: Final = (
    "online-endpoint",
    "online-deployment",
    "batch-endpoint",
    "batch-deployment",
    "job",
    "compute",
    "data",
    "component",
)


def read_commands(cell: Cell, lookup: Callable[[str], Any], *folders: Path) -> Iterator[Call]:
    """The v1 calls that a cell's commands are.

    Args:
        cell: where the commands are.
        lookup: a Python variable's value, for `{name}` and `$name` of a notebook.
        folders: the folders that paths of files can be relative to.
    """
    variables: dict[str, str] = {}
    for command in _whole(cell.commands):
        for words in _words(command.text, variables, lookup):
            found = _az(words)
            if found:
                yield from _calls(found, cell.where(command.line), folders)


def _whole(commands: tuple[Command, ...]) -> Iterator[Command]:
    """Commands, continued lines joined."""
    held, start = "", 0
    for command in commands:
        start = start or command.line
        line = command.text.replace("\\\n", " ")
        if line.rstrip().endswith(("\\", "`", "^")):
            held += line.rstrip()[:-1] + " "
            continue
        yield Command(held + line, start)
        held, start = "", 0
    if held:
        yield Command(held, start)


def _words(text: str, variables: dict[str, str], lookup: Callable[[str], Any]) -> Iterator[list[str]]:
    """The words of each command of a line; assignments are remembered."""
    for part in re.split(r"&&|\|\||;(?=\s)|(?<!\|)\|(?!\|)", text):
        assigned = re.fullmatch(r"\s*(?:export\s+|set\s+|\$)?(\w+)\s*=\s*(.*)", part)
        filled = _filled(part, variables, lookup)
        if assigned and "az ml" not in part:
            value = _filled(assigned[2], variables, lookup).strip().strip("'\"")
            variables[assigned[1]] = value
            continue
        try:
            yield shlex.split(filled, comments=True)
        except ValueError:
            yield filled.split()


def _filled(text: str, variables: dict[str, str], lookup: Callable[[str], Any]) -> str:
    """A text with its variables' values; :data:`_UNKNOWN` for those that are not known."""

    def value(match: re.Match[str]) -> str:
        name = match["a"] or match["b"] or match["c"] or match["d"] or ""
        found: Any = variables.get(name, lookup(name))
        if isinstance(found, str | int | float):
            return str(found)
        if isinstance(found, Unknown):
            return found.known + _UNKNOWN
        return match["default"] or _UNKNOWN if found is MISSING else _UNKNOWN

    pattern = r"\$\{(?P<a>\w+)(?::-(?P<default>[^}]*))?\}|\$\((?P<b>[\w.]+)\)|\$(?P<c>\w+)|(?<![\w$@])\{(?P<d>\w+)\}"
    return re.sub(r"\$\([^)]*\s[^)]*\)|`[^`]*`", _UNKNOWN, re.sub(pattern, value, text))


def _az(words: list[str]) -> list[str]:
    """The words after `az ml`."""
    for index in range(len(words) - 1):
        if words[index].rsplit("/", 1)[-1] == "az" and words[index + 1] == "ml":
            return words[index + 2 :]
    return []


def _calls(words: list[str], where: str, folders: tuple[Path, ...]) -> Iterator[Call]:
    found = next((key for size in (3, 2) if (key := tuple(words[:size])) in COMMANDS), None)
    if found is None:
        group = words[0] if words else ""
        if group in _SECOND_VERSION or (
            words[1:2] in (["create"], ["update"]) and group in ("model", "environment")
        ):
            yield Call("az ml (v2)", where, {"command": " ".join(words[:2])})
        elif group in ("model", "service", "computetarget", "endpoint") and words[1:2] not in (
            ["list"],
            ["show"],
            ["run"],
            ["get-logs"],
            ["get-keys"],
            ["download"],
        ):
            yield Call("az ml", where, {"command": " ".join(words[:3])})
        return
    owner, options = COMMANDS[found]
    values = _options(words[len(found) :], {**WORKSPACE, **COMMON, **options}, where)
    yield _call(owner, values, where, folders)


def _options(words: list[str], options: dict[str, str], where: str) -> dict[str, Any]:
    """Options' values by parameter; what is no option of v1's is kept under its own name."""
    values: dict[str, Any] = {}
    index = 0
    while index < len(words):
        word, _, joined = (
            words[index].partition("=") if words[index].startswith("--") else (words[index], "", "")
        )
        index += 1
        if not word.startswith("-"):
            continue
        given = [joined] if joined else []
        while not joined and index < len(words) and not re.match(r"-[A-Za-z-]", words[index]):
            given.append(words[index])
            index += 1
        # `-ct` and the like: CLI v1 took one hyphen as well.
        name = (
            options.get(word)
            or options.get(f"-{word}")
            or options.get(word[:2] if not word.startswith("--") else "")
            or word
        )
        _add(values, name, [_known(one, where) for one in given])
    return values


def _add(values: dict[str, Any], name: str, given: list[Any]) -> None:
    if name == "models":
        values.setdefault(name, []).extend(given)
    elif name in _PAIRS:
        pairs = (str(one.known if isinstance(one, Unknown) else one).partition("=") for one in given)
        values.setdefault(name, {}).update({key: value for key, _, value in pairs})
    else:
        values[name] = given[0] if given else True


def _known(text: str, where: str) -> Any:
    if _UNKNOWN not in text:
        return text
    return Unknown(text.replace(_UNKNOWN, "…"), where, text.replace(_UNKNOWN, ""), outside=True)


def _call(owner: str, values: dict[str, Any], where: str, folders: tuple[Path, ...]) -> Call:
    values = {name: value for name, value in values.items() if name not in ("workspace", "show_output")}
    if owner.startswith(("AksCompute", "AmlCompute")):
        name = values.pop("name", None)
        kind = "ComputeTarget.attach" if owner.endswith("attach_configuration") else "ComputeTarget.create"
        return Call(kind, where, {"name": name, "configuration": Call(owner, where, values)})
    if owner == "Model.register":
        return _registered(values, where)
    if owner in ("Model.deploy", "Service.update"):
        _configurations(values, where, folders)
    return Call(owner, where, values)


def _registered(values: dict[str, Any], where: str) -> Call:
    sizes = {"cpu": values.pop("cpu", None), "memory_in_gb": values.pop("memory_gb", None)}
    if any(sizes.values()):
        values["resource_configuration"] = Call(
            "ResourceConfiguration", where, {k: v for k, v in sizes.items() if v}
        )
    asset, run_file = values.pop("asset_path", None), values.pop("run_file", None)
    if asset is not None or run_file is not None or "run_id" in values:
        values["model_path"] = asset
        return Call(
            "Run.register_model", where, {key: value for key, value in values.items() if value is not None}
        )
    return Call("Model.register", where, values)


def _configurations(values: dict[str, Any], where: str, folders: tuple[Path, ...]) -> None:
    """The JSON files that a deployment names, and the options that are written out instead."""
    inference = {name: values.pop(name) for name in dict.fromkeys(INFERENCE.values()) if name in values}
    for name in ("inference_config", "deployment_config"):
        file = values.get(name)
        if isinstance(file, str):
            try:
                there = [folder / file for folder in folders if (folder / file).is_file()]
                document = read_document((there or [folders[0] / file])[0], file)
                values[name] = Call(f"{name} file", where, {"file": file, "document": document})
            except MigrateError as error:
                values[name] = Unknown(str(error), where, outside=True)
    if inference and "inference_config" not in values:
        values["inference_config"] = Call("InferenceConfig", where, inference)
    if "model_file" in values and "models" not in values:
        values["models"] = [Unknown("--model-metadata-file", where)]
    values.pop("model_file", None)
