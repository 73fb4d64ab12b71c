"""Every message with which the code refuses something or fails, gathered from the source, with the way to its fix."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scripts.pages import ROOT
from scripts.pages.text import code, plain, table

_PACKAGES = ("mldeploy", "components", "serving")
_HOLE = "…"
_REASONS = ("mldeploy/manifest/", "mldeploy/provider/", "components/")
"""Where functions give reasons back, for a caller that raises them."""
_SENTENCE = 3
_INTRO = """\
# Messages

Every message that says why something is refused or failed, from the code; `…` stands for a name or a value. Type a part
of yours into the field. Each group leads to its [troubleshooting](../troubleshooting.md) section.

"""

# Never shown to a person: faults of the program itself, and signals between its own parts.
INTERNAL = frozenset(
    [
        "AssertionError",
        "AttributeError",
        "NotImplementedError",
        "TypeError",
        "SystemExit",
        "BailError",
        "TooLargeError",
        "NotYetError",
        "RefusedError",
        "DiffUnavailableError",
        "MonitorError",
        "CancelledStepError",
        "StepFailedError",
        "ScoringTimeout",
        "ProviderFailure",
        "InvalidSpecifier",
        "NotRolledOutError",
        "ControlError",
        "_AbortError",
        "_RefusedError",
    ]
)

# Where the answer is: the first prefix that fits a file decides. Order matters.
SECTIONS = (
    ("mldeploy/manifest/", "the-manifest-is-refused"),
    ("mldeploy/cli/", "a-command-refuses-its-options"),
    ("mldeploy/session.py", "a-command-refuses-its-options"),
    ("mldeploy/home.py", "a-command-refuses-its-options"),
    ("mldeploy/edits/", "rollback-and-promote"),
    ("mldeploy/operations/", "a-service-does-not-answer"),
    ("mldeploy/migrate/", "import-v1-refuses-a-file"),
    ("mldeploy/engine/", "the-state-and-the-engine"),
    ("mldeploy/artifacts/content.py", "models-and-their-versions"),
    ("mldeploy/artifacts/sources.py", "models-and-their-versions"),
    ("mldeploy/provider/local/store.py", "models-and-their-versions"),
    ("mldeploy/provider/local/stored_model.py", "models-and-their-versions"),
    ("mldeploy/provider/common/model_source.py", "models-and-their-versions"),
    ("mldeploy/artifacts/scoring_server.py", "the-environment-cannot-be-built"),
    ("mldeploy/artifacts/conda.py", "the-environment-cannot-be-built"),
    ("mldeploy/provider/local/environments.py", "the-environment-cannot-be-built"),
    ("mldeploy/provider/local/environment.py", "the-environment-cannot-be-built"),
    ("mldeploy/imaging/", "the-image-cannot-be-built"),
    ("mldeploy/provider/local/containers.py", "the-image-cannot-be-built"),
    ("mldeploy/provider/azure/", "azure"),
    ("mldeploy/provider/kubernetes/", "kubernetes-and-aks"),
    ("components/kubernetes/", "kubernetes-and-aks"),
    ("components/targets/kubernetes/", "kubernetes-and-aks"),
    ("components/targets/aks/", "kubernetes-and-aks"),
    ("mldeploy/provider/edge/", "iot-edge"),
    ("mldeploy/edge/", "iot-edge"),
    ("components/targets/edge/", "iot-edge"),
    ("components/secrets.py", "secrets-are-missing"),
    ("components/targets/local/", "a-local-service-does-not-start"),
    ("components/", "azure"),
    ("serving/", "the-scoring-server-refuses-a-request-or-does-not-start"),
    ("mldeploy/provider/", "a-local-service-does-not-start"),
    ("", "anything-else"),
)


@dataclass(frozen=True)
class Message:
    """One message of the code."""

    file: str
    kind: str
    """The exception's class, or `Fault` for a finding in the manifest, `Cause` for a pod's."""
    text: str
    """With `…` for what is only known when it happens."""
    fix: str = ""

    @property
    def section(self) -> str:
        """The anchor of its section in troubleshooting.md."""
        return next(anchor for prefix, anchor in SECTIONS if self.file.startswith(prefix))


@cache
def trees() -> dict[Path, ast.Module]:
    """The code, parsed."""
    files = [file for name in _PACKAGES for file in sorted((ROOT / name).rglob("*.py"))]
    return {file: ast.parse(file.read_text("utf-8")) for file in files}


@cache
def messages() -> list[Message]:
    """Every message of the code, by file and line."""
    found = [one for file, tree in trees().items() for one in _of(file, tree)]
    return list(dict.fromkeys(found))


def _of(file: Path, tree: ast.Module) -> Iterator[Message]:
    name = file.relative_to(ROOT).as_posix()
    for kind, arguments in _raised(tree):
        text = next((t for t in map(_text, arguments) if _says(t)), "")
        if kind not in INTERNAL and text:
            yield Message(name, kind, text)
    for node in ast.walk(tree):
        if name.startswith(_REASONS) and isinstance(node, ast.Return | ast.Yield):
            yield from (Message(name, "reason", text) for text in _reasons(node.value))
        if not isinstance(node, ast.Call):
            continue
        gathers = name.startswith(_REASONS) and ast.unparse(node.func).endswith(("._fault", "errors.append"))
        if gathers and _says(text := _text(node.args[-1])):
            yield Message(name, "reason", text)
        if not isinstance(node.func, ast.Name):
            continue
        texts = [_text(one) for one in node.args]
        if node.func.id == "Fault" and len(texts) > 1 and _says(texts[1]):
            yield Message(name, "Fault", texts[1])
        elif node.func.id == "fail" and texts and _says(texts[0]):
            yield Message(name, "Fault", texts[0])
        elif node.func.id == "Cause" and len(texts) > 2 and _says(texts[1]):
            yield Message(name, "Cause", texts[1], texts[2])


def _reasons(value: ast.expr | None) -> Iterator[str]:
    """Sentences that a function gives back, alone or with the property that they are about."""
    for one in value.elts[1:] if isinstance(value, ast.Tuple) else [value]:
        text = _text(one) if isinstance(one, ast.JoinedStr) else ""
        if (
            "://" not in text
            and "&" not in text
            and sum(len(word) > 2 for word in text.replace(_HOLE, " ").split()) >= _SENTENCE
        ):
            yield text


def _raised(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rsplit(".", 1)[-1]
            if name[:1].isupper() or name.startswith("_"):
                yield name, node.exc.args


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(_text, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case ast.IfExp(body=body):
            return _text(body)
        case ast.Call(args=arguments):
            return max((t for t in map(_text, arguments) if _says(t)), key=len, default=_HOLE)
        case _:
            return _HOLE


def _says(text: str) -> bool:
    """Whether there is a word of its own in it."""
    return any(len(word) > 2 for word in text.replace(_HOLE, " ").split())


def page() -> str:
    """`reference/errors.md`."""
    groups: dict[str, list[Message]] = {}
    for one in messages():
        groups.setdefault(one.section, []).append(one)
    parts = [_INTRO]
    for anchor in dict.fromkeys(anchor for _, anchor in SECTIONS):
        title = anchor.replace("-", " ").capitalize().replace("aks", "AKS").replace("Iot edge", "IoT Edge")
        parts += [
            f"## {title} {{ #{anchor} }}",
            "",
            f"[Causes and fixes](../troubleshooting.md#{anchor})",
            "",
        ]
        plainly = [one for one in groups.get(anchor, []) if not one.fix]
        rows = [(code(" ".join(one.text.split())), one.kind, code(one.file)) for one in plainly]
        parts += [table(("message", "raised as", "in"), rows)]
        known = [(plain(one.text), plain(one.fix)) for one in groups.get(anchor, []) if one.fix]
        if known:
            parts += ["", table(("probable cause of pods that do not get ready", "what to do"), known)]
    return "\n".join(parts)
