"""The text of one stack's manifest as one merged tree. Knows nothing of what the keys mean, and loads fast."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.manifest.errors import ManifestError, ManifestErrors, hint, shown
from mldeploy.manifest.merge import merge, without_nulls
from mldeploy.manifest.nodes import Scalar, Table, dotted, plain
from mldeploy.manifest.yaml_text import MAX_BYTES, parse

BASE: Final = "manifest.yaml"
SECTIONS: Final = ("models", "images", "targets", "services")
_STACK: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def overlay_name(stack: str) -> str:
    """``manifest.<stack>.yaml``."""
    return f"manifest.{stack}.yaml"


def manifest_files(root: Path, stack: str) -> list[Path]:
    """The files that :func:`load` reads, in the order they are merged; those of them that exist."""
    return [path for name in (BASE, overlay_name(stack)) if (path := root / name).is_file()]


def service_targets(root: Path, stack: str) -> dict[str, str]:
    """The target of each service that the stack's manifest lists, as it is written: nothing is checked but the YAML.

    Raises:
        ManifestErrors: there is no manifest that can be read.
    """
    tree, errors, files = read(root, stack)
    if tree is None:
        raise ManifestErrors(ordered(errors, files))
    services: Any = plain(tree).get("services")
    found = cast("dict[str, Any]", services) if isinstance(services, dict) else {}
    return {
        name: str(cast("dict[str, Any]", one).get("target") or "-") if isinstance(one, dict) else "-"
        for name, one in found.items()
    }


def read(root: Path, stack: str) -> tuple[Table | None, list[ManifestError], list[str]]:
    """The merged tree, None where there is none; what is wrong; the files' names in the order of their errors."""
    if not _STACK.fullmatch(stack) or ".." in stack:
        message = f"{shown(stack)} is no stack's name; allowed: letters, digits, '_', '-' and '.'"
        return None, [ManifestError(BASE, 0, 0, "", message)], [BASE]
    files = [BASE, overlay_name(stack)]
    base, errors = _read_file(root, BASE, required=True)
    over, more = _read_file(root, files[1], required=False)
    errors += more
    if over is not None and base is not None:
        errors += _removed_unknown(base, over)
    if base is None or any(not error.path for error in errors):
        return None, errors, files
    merged = without_nulls(base) if over is None else merge(without_nulls(base), over)
    return cast("Table", merged), errors, files


def _read_file(root: Path, name: str, *, required: bool) -> tuple[Table | None, list[ManifestError]]:
    """The file's tree, a mapping; None when it is not there or no manifest at all."""
    data = _bytes(root / name, required=required)
    if data is None:
        return None, []
    if isinstance(data, str):
        return None, [ManifestError(name, 0, 0, "", data)]
    node, errors = parse(data, name)
    if errors:
        return None, errors
    if node is None or (isinstance(node, Scalar) and node.value is None):
        message = "is empty; a manifest begins with version: 1"
        if not required:
            message += " (a stack with nothing of its own needs no such file: remove it)"
        return None, [ManifestError(name, 0, 0, "", message)]
    if not isinstance(node, Table):
        return None, [ManifestError(*node.mark, "", "a manifest is a mapping; it begins with version: 1")]
    return node, _version(node, required=required)


def _bytes(path: Path, *, required: bool) -> bytes | str | None:
    """The file's content; or what is wrong with it; or None when it is not there and need not be."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "is no regular file"
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        other = path.with_suffix(".yml")
        if other.is_file():
            return f"does not exist, but {other.name} does; rename that"
        if path.is_symlink():
            return "is a dangling link"
        return "does not exist" if required else None
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _version(tree: Table, *, required: bool) -> list[ManifestError]:
    entry = tree.entries.get("version")
    if entry is None:
        return [ManifestError(*tree.mark, "version", "is missing; write version: 1")] if required else []
    value = entry.node.value if isinstance(entry.node, Scalar) else plain(entry.node)
    if isinstance(value, int) and not isinstance(value, bool) and value == 1:
        return []
    return [ManifestError(*entry.key, "version", f"{shown(value)} is no version of the format; allowed: 1")]


def _removed_unknown(base: Table, over: Table) -> list[ManifestError]:
    """Entries that the overlay removes, but that are not there: most likely a typing error."""
    errors: list[ManifestError] = []
    for section in SECTIONS:
        there, removed = (tree.entries.get(section) for tree in (base, over))
        if removed is None or not isinstance(removed.node, Table):
            continue
        known = there.node.entries if there is not None and isinstance(there.node, Table) else {}
        for name, entry in removed.node.entries.items():
            if isinstance(entry.node, Scalar) and entry.node.value is None and name not in known:
                message = f"nothing to remove: {BASE} has no such entry {hint(name, known)}"
                errors.append(ManifestError(*entry.key, dotted((section, name)), message))
    return errors


def ordered(errors: list[ManifestError], files: list[str]) -> list[ManifestError]:
    """Each error once, by file and line."""
    return sorted(set(errors), key=lambda e: (files.index(e.file), e.line, e.column, e.path, e.message))
