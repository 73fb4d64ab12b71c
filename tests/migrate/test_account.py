"""Exit 0 always accounts for every call: a walk of the syntax tree that shares no code with the importer compares."""

import ast
import json
import re

import pytest

from mldeploy.migrate import as_json
from tests.migrate.cases import NAMES, arguments, project, run

CALLS = re.compile(
    r"(^|\.)(Model\.(register|deploy|profile|package)|register_model|InferenceConfig|ParallelRunConfig"
    r"|Webservice\.deploy\w*|deploy_configuration|image_configuration|(Container)?Image\.create|create_version"
    r"|update_version|provisioning_configuration|attach_configuration|ComputeTarget\.(create|attach)|enable_ssl"
    r"|mlflow\.azureml\.\w+)$"
)


def pieces(path):
    """The Python of a script or notebook with the name that a report gives each piece."""
    if path.suffix == ".py":
        return [(f"{path.name}:{{}}", path.read_text())] if _parses(path.read_text()) else []
    if path.suffix != ".ipynb":
        return []
    cells = json.loads(path.read_text())["cells"]
    found = []
    for number, cell in enumerate(cells, 1):
        text = "".join(cell["source"])
        magic = text.lstrip().startswith("%%")
        body = "\n".join(["", *text.splitlines()[1:]]) if magic else text
        body = "\n".join("pass" if line.startswith(("!", "%")) else line for line in body.splitlines())
        if cell["cell_type"] == "code" and "%%writefile" not in text and _parses(body):
            found.append((f"{path.name} cell {number}, line {{}}", body))
    return found


def _parses(text):
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def name(node):
    path = []
    while isinstance(node, ast.Attribute):
        path.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *path]) if isinstance(node, ast.Name) else ".".join(path)


@pytest.mark.parametrize("case", NAMES)
def test_every_call_has_a_line(case, tmp_path):
    root = project(case, tmp_path / "read")
    found = as_json(run(case, tmp_path / "project"))["findings"]
    said = {finding["where"] for finding in found}
    missing = [
        f"{where.format(node.lineno)}: {name(node.func)}"
        for word in arguments(case)
        if (root / word).is_file()
        for where, text in pieces(root / word)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and CALLS.search(name(node.func))
        and where.format(node.lineno) not in said
    ]
    assert not missing
    assert all(finding["why"] or finding["outcome"] == "mapped" for finding in found)


def test_what_is_not_understood_is_said(tmp_path):
    """A call that the reader never comes by still has its line."""
    from mldeploy.migrate import Options, Outcome, migrate

    script = tmp_path / "deploy.py"
    script.write_text(
        "from azureml.core.model import Model\n"
        "Model.register(ws, 'a', 'b')\n"
        "hidden = {lambda: Model.deploy(ws, 'svc', [m]) for _ in ()}\n"
    )
    found = migrate([script], Options(tmp_path)).by_outcome(Outcome.UNREAD)
    assert [(one.where, one.what) for one in found] == [("deploy.py:3", "Model.deploy")]
