"""Every block and every command of README and docs is what it says: read by the program that it is for."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from mldeploy.cli.tables import status_lines
from mldeploy.manifest import load
from mldeploy.manifest.service import Golden
from scripts.pages import commands as command_line
from scripts.pages import pages
from tests.docs.blocks import ROOT, blocks, commands, inline, of

BLOCKS = blocks()
GENERATED = [one for path, text in pages().items() for one in of(path, text)]
CLI = dict(command_line.commands())
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.M))
VARIABLES = set(re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.M))
SECTIONS = {"version", "azure", "models", "images", "targets", "services"}
FOLDERS = ("models", "entry_scripts", "golden")
PULUMI = {
    "up": {"--stack"},
    "preview": {"--stack"},
    "config set": {"--secret", "--stack"},
    "import": set(),
    "package add": set(),
    "plugin install": set(),
    "env run": {"--"},
    "stack select": {"--create", "--secrets-provider"},
}
"""Commands of the Pulumi CLI that the pages use, with the options that they use."""


def language(*names):
    chosen = [one for one in BLOCKS + GENERATED if one.language in names]
    return pytest.mark.parametrize("block", chosen, ids=str)


def test_every_block_has_a_language_that_is_checked():
    known = {"console", "sh", "yaml", "json", "python", "text"}
    assert [str(one) for one in BLOCKS + GENERATED if one.language not in known] == []
    assert len(BLOCKS) > 30


# --- commands --------------------------------------------------------------------------------------------


def parse_mldeploy(words: list[str]) -> None:
    """What the command line itself says to these words. Runs nothing."""
    for length in (3, 2):
        command = CLI.get(" ".join(["mldeploy", *words[1:length]]))
        if command is not None:
            rest = [re.sub(r"…", "x", word) for word in words[length:]]
            command.make_context("mldeploy", rest)
            return
    pytest.fail(f"no such command: {' '.join(words)}")


def check(words: list[str]) -> None:
    """One command, by the program that it calls."""
    while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.+", words[0]):  # a variable for this command only
        words = words[1:]
    match words:
        case ["make", *rest]:
            goals = [word for word in rest if "=" not in word]
            assert goals, words
            assert set(goals) <= TARGETS, words
            assert {word.partition("=")[0] for word in rest if "=" in word} <= VARIABLES, words
        case ["mldeploy" | ".venv/bin/mldeploy", *_]:
            parse_mldeploy(words)
        case ["pulumi", *rest]:
            check_pulumi(rest)
        case ["uv", "tool", "install", wheel]:
            version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
            assert wheel == f"dist/mldeploy-{version}-py3-none-any.whl", words
        case ["export", assignment]:
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*=.+", assignment), words
        case ["python" | ".venv/bin/python", "-m", module, *_]:
            assert importlib.util.find_spec(module), words
        case ["python" | ".venv/bin/python", file, *_]:
            assert (ROOT / file).is_file(), words
        case _:
            pytest.fail(f"nobody checks {words}")


def check_pulumi(rest: list[str]) -> None:
    name = next((one for one in PULUMI if rest[: len(one.split())] == one.split()), None)
    assert name is not None, f"pulumi {' '.join(rest)}: add it to PULUMI"
    if "--" in rest:
        check(rest[rest.index("--") + 1 :])
        rest = rest[: rest.index("--")]
    assert {word for word in rest if word.startswith("-")} <= PULUMI[name], rest


@language("console", "sh")
def test_commands(block):
    found = commands(block)
    assert found
    for words in found:
        check(words)


def test_commands_within_sentences():
    """`mldeploy keys SERVICE --show` and the like; words in capitals or `<…>` are the reader's."""
    found = inline()
    assert len(found) > 40
    for file, text in found:
        if text in CLI or text == "mldeploy stack":  # a command's name
            continue
        try:
            check(text.replace("<", "").replace(">", "").split())
        except BaseException as error:
            pytest.fail(f"{file}: `{text}`: {error}")


@pytest.mark.pulumi
@pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the Pulumi CLI (`pulumi`) on PATH")
@pytest.mark.parametrize("name", PULUMI)
def test_the_pulumi_cli_has_these_commands(name):
    done = subprocess.run(
        ["pulumi", *name.split(), "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for option in PULUMI[name] - {"--"}:
        assert option in done.stdout, option


# --- YAML, JSON ------------------------------------------------------------------------------------------


@language("yaml")
def test_yaml(block, folder, tmp_path):
    text = re.sub(
        r"/subscriptions/…",
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg",
        block.text,
    )
    document = yaml.safe_load(text)
    if document is None:
        assert all(line.startswith("#") for line in text.splitlines())
    elif block.file == "reference/manifest.md":
        # A part of the full example, which is validated as a whole.
        whole = yaml.safe_load((ROOT / "docs/examples/manifest.full.yaml").read_text("utf-8"))
        assert is_part(document, whole), block
    elif set(document) <= SECTIONS:
        manifest(document, folder)
    elif set(document) <= {"stacks", "settings"}:
        levels(text, tmp_path)
    elif set(document) == {"environment"}:
        assert all(re.fullmatch(r"[\w-]+/[\w-]+", one) for one in document["environment"])
    elif document.get("runtime") == "yaml":
        # A program: what it makes is in the package, and the package is there.
        for where in document["packages"].values():
            assert (ROOT / where.removeprefix("../mldeploy/")).is_dir()
        assert {one["type"] for one in document["resources"].values()} <= {"mldeploy:Manifest"}
    elif set(document) == {"golden"}:
        # A part of a service: what Golden takes.
        assert [Golden.model_validate(one) for one in document["golden"]]
    elif set(document) == {"values"}:
        assert set(document["values"]) >= {"pulumiConfig", "environmentVariables"}
    else:
        pytest.fail(f"{block}: nobody knows what {sorted(document)} is")


def is_part(part, whole) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return all(any(is_part(one, other) for other in whole) for one in part)
    return part == whole


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The sample's files, which blocks refer to."""
    folder = tmp_path_factory.mktemp("project")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "models/diabetes/sklearn_regression_model.pkl", folder / "churn.pkl")
    return folder


def manifest(document, folder):
    """A block is a whole manifest, or what a stack lays over the sample's."""
    (folder / "manifest.page.yaml").unlink(missing_ok=True)
    if {"version", "models", "images", "targets", "services"} <= set(document):
        (folder / "manifest.yaml").write_text(yaml.safe_dump(document))
    else:
        base = yaml.safe_load((ROOT / "manifest.yaml").read_text("utf-8"))
        shared = base["services"]
        for service in shared.values():
            service.pop("golden", None)  # the sample's, which not every target has
        (folder / "manifest.yaml").write_text(yaml.safe_dump(base))
        services = document.get("services") or {}
        for service in services.values():
            if isinstance(service, dict) and "target" not in service and "targets" not in document:
                # What the block is about may be for clusters only; that is what the sample's prod stack has.
                service["target"] = "cluster"
        if "targets" not in document:
            document["targets"] = {
                "cluster": {"type": "aks", "create": {}, "gateway": {"name": "g", "class_name": "c"}}
            }
            if any("port" in service for service in services.values()):
                document["targets"]["here"] = {"type": "local"}
        document["services"] = services | {name: None for name in shared if name not in services}
        document.setdefault("azure", {"location": "westeurope"})
        (folder / "manifest.page.yaml").write_text(yaml.safe_dump(document))
    load(folder, "page")


def levels(text, folder):
    sys.path.insert(0, str(ROOT / "policy"))
    from mldeploy_policies.levels import load as load_levels

    (folder / "levels.yaml").write_text(text)
    assert load_levels("prod", folder / "levels.yaml").level("no-latest") == "mandatory"


def test_the_full_example(folder):
    shutil.copy(ROOT / "docs/examples/manifest.full.yaml", folder / "manifest.yaml")
    loaded = load(folder, "local")
    assert {target.type for target in loaded.targets.values()} == {
        "local",
        "aci",
        "aks",
        "kubernetes",
        "batch",
        "edge",
    }


@language("json")
def test_json(block):
    json.loads(block.text)


# --- Python and text -------------------------------------------------------------------------------------


@language("python")
def test_python(block):
    """What it imports is there, and calls of components have arguments that there are. Definitions are executed."""
    tree = ast.parse(block.text)
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            imported |= {one.name: getattr(module, one.name) for one in node.names}
        elif isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(one.name) for one in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            known = getattr(imported.get(node.func.id), "__dataclass_fields__", None)
            if known is not None:
                assert {one.arg for one in node.keywords} <= set(known)
    if not any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in tree.body):
        exec(compile(tree, str(block), "exec"), {})


@language("text")
def test_text(block):
    """What a program prints: its first line has the words that the program uses."""
    first = block.text.splitlines()[0]
    if block.file == "reference/cli.md":
        assert first.startswith("mldeploy ")
    elif first.startswith("SERVICE"):
        assert re.split(r"\s{2,}", first) == status_lines([], 80)[0].split()
    elif first.startswith("manifest."):
        assert re.fullmatch(r"manifest\.\w+\.yaml:\d+:\d+: [\w.]+: .*", first)
    elif first.startswith("service "):
        code = (ROOT / "mldeploy/provider/kubernetes/explain.py").read_text()
        assert all(words in code for words in re.findall(r"^  ([\w ]+):", block.text, re.M))
    else:
        pytest.fail(f"{block}: nobody knows what prints this")
