"""Reading, merging and checking the manifest of one stack."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from mldeploy import targets
from mldeploy.manifest.azure import Azure
from mldeploy.manifest.document import Manifest
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import ManifestError, ManifestErrors, hint, printable, shown
from mldeploy.manifest.image import Image
from mldeploy.manifest.kinds import kind, resolve
from mldeploy.manifest.merge import merge, without_nulls
from mldeploy.manifest.model import Model
from mldeploy.manifest.nodes import Node, Scalar, Table, dotted, locate, plain
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules import check, notes
from mldeploy.manifest.rules.runtimes import written
from mldeploy.manifest.secret_refs import SecretRef, written_secrets
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault, validate
from mldeploy.manifest.yaml_text import MAX_BYTES, parse

BASE = "manifest.yaml"
SECTIONS = ("models", "images", "targets", "services")
_MODELS: dict[str, type[BaseModel]] = {"models": Model, "images": Image, "services": Service}
_STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def load(root: Path, stack: str) -> Manifest:
    """The manifest of a stack: ``manifest.<stack>.yaml`` over ``manifest.yaml``, checked as a whole.

    Args:
        root: the project's folder.
        stack: the stack's name.

    Raises:
        ManifestErrors: everything that is wrong, in the order of files and lines.
    """
    return _manifest(_checked(root, stack)[1], root)


def load_with_notes(root: Path, stack: str) -> tuple[Manifest, list[ManifestError]]:
    """As :func:`load`, and what is allowed but may yet fail, in the same form as errors."""
    tree, draft, files = _checked(root, stack)
    said = [_placed(fault, tree, root, stack) for fault in notes(draft, root)]
    return _manifest(draft, root), _ordered(said, files)


def _checked(root: Path, stack: str) -> tuple[Table, Draft, list[str]]:
    tree, errors, files = _read(root, stack)
    if tree is None:
        raise ManifestErrors(_ordered(errors, files))
    draft, faults = _validate(plain(tree))
    faults += check(draft, root)
    errors += [_placed(fault, tree, root, stack) for fault in faults]
    if errors:
        raise ManifestErrors(_ordered(errors, files))
    return tree, draft, files


def secret_places(root: Path, stack: str, reference: SecretRef) -> list[str]:
    """Where a secret is named, for a message about it: ``manifest.prod.yaml:14:5: services.churn.ssl.key``.

    The files are read anew, and only for that message; where they cannot be, there is no place.
    """
    tree, _, _ = _read(root, stack)
    if tree is None:
        return []
    ((kind, wanted),) = reference.model_dump().items()
    found: list[str] = []
    for path, name in written_secrets(plain(tree), kind):
        if name == wanted:
            mark = locate(tree, path)
            found.append(f"{mark.file}:{mark.line}:{mark.column}: {dotted(path)}")
    return found


def overlay_name(stack: str) -> str:
    """``manifest.<stack>.yaml``."""
    return f"manifest.{stack}.yaml"


def manifest_files(root: Path, stack: str) -> list[Path]:
    """The files that :func:`load` reads, in the order they are merged; those of them that exist."""
    return [path for name in (BASE, overlay_name(stack)) if (path := root / name).is_file()]


def _read(root: Path, stack: str) -> tuple[Table | None, list[ManifestError], list[str]]:
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


def _validate(raw: dict[str, Any]) -> tuple[Draft, list[Fault]]:
    """Every entry validated on its own, so that one bad entry hides nothing about the others."""
    faults = [
        Fault((key,), f"unknown key {hint(key, Manifest.model_fields)}")
        for key in raw
        if key not in Manifest.model_fields and not key.startswith("x-")
    ]
    draft = Draft(raw=raw)
    if "azure" in raw:
        azure = validate(Azure, raw["azure"], ("azure",))
        draft.azure = azure.value or Azure.model_construct()
        draft.left_out["azure", ""] = azure.left_out
        faults += azure.faults
    for section in SECTIONS:
        entries = raw.get(section, {})
        if not isinstance(entries, dict):
            faults.append(Fault((section,), "must be a mapping of entries by name"))
            continue
        for name, value in cast("dict[str, Any]", entries).items():
            draft.names[section].append(name)
            faults += _entry(draft, section, name, value)
    return draft, faults


def _entry(draft: Draft, section: str, name: str, value: Any) -> list[Fault]:
    path: NodePath = (section, name)
    model = _MODELS.get(section)
    if model is None:
        model, faults = _target_model(draft, name, value)
        if model is None:
            return faults
    checked = validate(model, value, path)
    if checked.value is not None:
        entries: dict[str, Any] = getattr(draft, section)
        entries[name] = checked.value
        draft.left_out[section, name] = checked.left_out
    return checked.faults


def _target_model(draft: Draft, name: str, value: Any) -> tuple[type[Target] | None, list[Fault]]:
    path: NodePath = ("targets", name, "type")
    if not isinstance(value, dict):
        return Target, []  # which says that it must be a mapping
    type_: Any = cast("dict[str, Any]", value).get("type")
    if type_ is None:
        return None, [Fault(path, f"is missing; allowed: {', '.join(targets.names())}")]
    if not isinstance(type_, str) or type_ not in targets.names():
        return None, [Fault(path, _unknown_type(type_))]
    draft.target_types[name] = type_
    return kind(type_).model, []


def _unknown_type(type_: object) -> str:
    if isinstance(type_, str) and "fpga" in type_.lower():
        return (
            "Azure ML's FPGA service is retired; use an AKS target with a GPU pool (gpu_cores), "
            "or ONNX Runtime on CPU"
        )
    return f"{shown(type_)} is no type of target {hint(str(type_), targets.names())}"


def _placed(fault: Fault, tree: Node, root: Path, stack: str) -> ManifestError:
    message, mark, overlay = fault.message, locate(tree, fault.path), overlay_name(stack)
    if message == "is missing" and fault.path[-1] == "target" and not (root / overlay).is_file():
        message += f"; there is no {overlay}"
    if fault.removable and mark.file == BASE and (root / overlay).is_file():
        message += f" (in {overlay}: write {fault.path[-1]}: null)"
    return ManifestError(*mark, dotted(fault.path), printable(message))


def _ordered(errors: list[ManifestError], files: list[str]) -> list[ManifestError]:
    return sorted(set(errors), key=lambda e: (files.index(e.file), e.line, e.column, e.path, e.message))


def _manifest(draft: Draft, root: Path) -> Manifest:
    services = {name: resolve(one, draft.targets[one.target].type) for name, one in draft.services.items()}
    # Every part is validated.
    return Manifest.model_construct(
        version=1,
        azure=draft.azure,
        models=draft.models,
        images=written(root, draft.models, draft.images),
        targets=draft.targets,
        services=services,
    )
