"""From what a replica left behind when it did not start, to one line that says why."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from mldeploy.artifacts.image_layout import SOURCE

_MISSING = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([^'.]+)")
_REMEDY = "remedy: "
"""What the server writes after a traceback when it knows better than the error itself."""
_WHERE = re.compile(r'File "([^"]+)", line (\d+)(?:, in (\S+))?')
# The import name of a package that has another name on PyPI.
_PACKAGES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "Crypto": "pycryptodome",
    "magic": "python-magic",
    "attr": "attrs",
    "google": "google-api-python-client",
}


def reason(trace: str, script: str) -> str:
    """One line from a script's traceback.

    Args:
        trace: the traceback, with paths as the user knows them.
        script: the entry script as the user knows it.
    """
    lines = [line for line in trace.strip().splitlines() if line.strip()]
    if not lines:
        return f"{script} did not start"
    helps = lines.pop().removeprefix(_REMEDY) if len(lines) > 1 and lines[-1].startswith(_REMEDY) else ""
    last = lines[-1].strip()
    if helps:
        places = _WHERE.findall(trace)
        own = [place for place in places if place[0].endswith(script)] or places
        return f"{own[-1][0]}:{own[-1][1]}: {last}: {helps}" if own else f"{script}: {last}: {helps}"
    if match := _MISSING.search(trace):
        module = match[1]
        package = _PACKAGES.get(module, module)
        return f"{script} needs the package {package!r} (module {module!r}): add it to conda_file"
    places = _WHERE.findall(trace)
    where = f"{places[-1][0]}:{places[-1][1]}" if places else script
    if last.startswith(("SyntaxError", "IndentationError", "TabError")):
        return f"{where}: {last}"
    if not places:  # the server's own words, which name the script
        return last if last.startswith(script) else f"{script}: {last}"
    own = [place for place in places if place[0].endswith(script)] or places
    place = f"{own[-1][0]}:{own[-1][1]}"
    in_init = any(name == "init" and file.endswith(script) for file, _line, name in places)
    return f"{place}: {'init() raised ' if in_init else ''}{last}"


def readable(log: Sequence[str], *, tracebacks: bool = True) -> list[str]:
    """Log lines as people read them: JSON lines by message, request and traceback, others as they are."""
    shown: list[str] = []
    for line in log:
        record = _record(line)
        if record is None:
            shown.append(line)
            continue
        words = [f"{record['level']}:"] if record.get("level") else []
        words += [str(record[key]) for key in ("message", "method", "path", "status") if key in record]
        shown.append(" ".join(words))
        if tracebacks:
            shown += str(record.get("traceback") or "").rstrip().splitlines()
    return shown


def _record(line: str) -> dict[str, Any] | None:
    try:
        record: Any = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) and "message" in record else None


def as_known(text: str, run: Path, source_directory: str) -> str:
    """A text of a replica with the script's files as the user knows them: where they ran from is of no interest."""
    for folder in (f"{run / 'source'}/", f"{SOURCE}/"):
        text = text.replace(folder, f"{source_directory.rstrip('/')}/")
    return text


def block(title: str, lines: Sequence[str]) -> str:
    """Lines under a title, indented; nothing when there are none."""
    return "\n".join(["", f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""
