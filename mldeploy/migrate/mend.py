"""A conda file of v1 as one that installs today: a supported Python, versions that have wheels, nothing of v1's SDK."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mldeploy.artifacts.conda_names import CONDA_ONLY
from mldeploy.artifacts.wheels import (
    DEFAULT_PYTHON,
    FIRST,
    NO_WHEELS,
    PYTHONS,
    minors,
    numbers_of,
    too_old_version,
)

PYTHON: Final = "3.11"
"""What stands in place of a Python that is too old: most old code runs on it, and old pins have wheels for it."""
_NAME: Final = re.compile(r"^(?:[\w.\-/]+::)?([A-Za-z0-9_.-]+)")
_PIN: Final = re.compile(r"(?:={1,3}|~=|<=?)\s*([0-9][0-9A-Za-z.]*)")
_GIT: Final = re.compile(
    r"(?P<url>git\+https?://[^\s#@]*/(?P<repository>[^/\s#@]+?)(?:\.git)?(?:@[^\s#]+)?)"
    r"(?:#(?:[^\s]*&)?(?:egg=(?P<egg>[A-Za-z0-9_.-]+))?[^\s]*)?"
)
_SDK: Final = {
    "azureml-sdk": "an entry script needs none of it: the scoring server answers its imports",
    "azureml-monitoring": "the scoring server collects: `collect_model_data` of the service",
    "azureml-contrib-services": "the scoring server has AMLRequest, AMLResponse and rawhttp itself",
    "azureml-model-management-sdk": "the predecessor of azureml-core",
    "azureml-webservice-schema": "replaced by inference-schema, which the scoring server brings",
    "azureml-explain-model": "it has no version for a supported Python",
    "gunicorn": "the scoring server brings its own",
    **dict.fromkeys(
        NO_WHEELS,
        "no supported Python can install it: an AutoML model that needs it has to be exported to ONNX, or retrained",
    ),
}
"""Packages of v1 that are left out, and why nothing is lost."""
_RENAMED: Final = {"sklearn": "scikit-learn", "tensorflow-gpu": "tensorflow", "opencv-python-headless": ""}


@dataclass(frozen=True)
class Mended:
    """One line that is not as v1 had it."""

    before: str
    after: str
    """Empty when it is left out."""
    why: str


def mend(text: str) -> tuple[str, list[Mended]]:
    """A conda file's text as it installs today, and what is different; the same text when nothing is."""
    parser: Any = YAML()
    parser.indent(mapping=2, sequence=4, offset=2)
    try:
        document: Any = parser.load(text)
        listed: Any = document["dependencies"]
    except (YAMLError, KeyError, TypeError):
        return text, []  # `validate` says what is wrong with it.
    if not isinstance(listed, list):
        return text, []
    found: list[Mended] = []
    python = _allowed(cast("list[Any]", listed))
    _mend_list(cast("list[Any]", listed), found, python, conda=True)
    for item in cast("list[Any]", listed):
        if isinstance(item, dict) and isinstance(cast("dict[str, Any]", item).get("pip"), list):
            _mend_list(cast("dict[str, Any]", item)["pip"], found, python, conda=False)
    for item in [one for one in cast("list[Any]", listed) if one in ({"pip": []}, {"pip": None})]:
        cast("list[Any]", listed).remove(item)
    if not found:
        return text, []
    stream = io.StringIO()
    parser.dump(document, stream)
    return stream.getvalue(), found


def _allowed(listed: list[Any]) -> str:
    """The versions of Python that the mended file allows."""
    lines = [
        _python(line)[0] or line for line in listed if isinstance(line, str) and re.match(r"python\b", line)
    ]
    pinned = re.search(r"=\s*(\d+\.\d+)", lines[0]) if lines and ">" not in lines[0] else None
    return f"=={pinned[1]}.*" if pinned else DEFAULT_PYTHON


def _mend_list(items: list[Any], found: list[Mended], python: str, *, conda: bool) -> None:
    for index in range(len(items) - 1, -1, -1):
        line = items[index]
        if not isinstance(line, str):
            continue
        after, why = _line(line.strip(), python, conda=conda)
        if why:
            found.append(Mended(line, after, why))
            if after:
                items[index] = after
            else:
                del items[index]


def _line(line: str, python: str, *, conda: bool) -> tuple[str, str]:
    """What stands in place of a line, and why; no reason when it stays."""
    git = _GIT.fullmatch(line)
    if git is not None:
        name = git["egg"] or git["repository"]
        return f"{name} @ {git['url']}", f"pip wants a name: check that the package is called {name}"
    match = _NAME.match(line)
    if match is None or line.startswith("-"):
        return line, ""
    name, pin = match[1].lower().replace("_", "-"), _PIN.search(line)
    if conda and name == "python":
        return _python(line)
    if conda and (name in CONDA_ONLY or name.startswith(("cuda", "r-"))):
        return "", f"exists for conda only: {CONDA_ONLY.get(name, 'it is no Python package')}"
    if name in _SDK:
        return "", _SDK[name]
    renamed = _RENAMED.get(name)
    if renamed:
        rest = line[match.end(1) :]
        return _line(f"{renamed}{rest}", python, conda=conda)[0], f"the package is called {renamed}"
    if name.startswith("azureml-core") and pin and numbers_of(pin[1]) < (1, 50):
        return "azureml-core", f"{pin[1]} has no wheel for Python {PYTHONS[0]} and later"
    old = too_old_version(name, pin[1], python) if pin is not None and ">" not in line else None
    return (f"{name}>={FIRST[name][(minors(python) or PYTHONS)[0]]}", old) if old else (line, "")


def _python(line: str) -> tuple[str, str]:
    pinned = re.search(r"(\d+)\.(\d+)", line)
    bare = re.search(r"=\s*(\d+)\s*$", line)
    if pinned is None:
        return (f"python={PYTHON}", "Python 2 is not supported") if bare and bare[1] == "2" else (line, "")
    if f"{pinned[1]}.{pinned[2]}" in PYTHONS or ">" in line:
        return line, ""
    return (
        f"python={PYTHON}",
        f"supported are Python {PYTHONS[0]} to {PYTHONS[-1]}; remove the line or use {PYTHON}",
    )
