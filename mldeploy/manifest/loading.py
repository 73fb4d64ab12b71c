"""Reading, merging and checking the manifest of one stack."""

from __future__ import annotations

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
from mldeploy.manifest.model import Model
from mldeploy.manifest.nodes import Node, Table, dotted, locate, plain
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.reading import BASE, SECTIONS, ordered, overlay_name, read
from mldeploy.manifest.rules import check, notes
from mldeploy.manifest.rules.runtimes import written
from mldeploy.manifest.secret_refs import SecretRef, written_secrets
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault, validate

_MODELS: dict[str, type[BaseModel]] = {"models": Model, "images": Image, "services": Service}


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
    return _manifest(draft, root), ordered(said, files)


def _checked(root: Path, stack: str) -> tuple[Table, Draft, list[str]]:
    tree, errors, files = read(root, stack)
    if tree is None:
        raise ManifestErrors(ordered(errors, files))
    draft, faults = _validate(plain(tree))
    faults += check(draft, root)
    errors += [_placed(fault, tree, root, stack) for fault in faults]
    if errors:
        raise ManifestErrors(ordered(errors, files))
    return tree, draft, files


def secret_places(root: Path, stack: str, reference: SecretRef) -> list[str]:
    """Where a secret is named, for a message about it: ``manifest.prod.yaml:14:5: services.churn.ssl.key``.

    The files are read anew, and only for that message; where they cannot be, there is no place.
    """
    tree, _, _ = read(root, stack)
    if tree is None:
        return []
    ((kind, wanted),) = reference.model_dump().items()
    found: list[str] = []
    for path, name in written_secrets(plain(tree), kind):
        if name == wanted:
            mark = locate(tree, path)
            found.append(f"{mark.file}:{mark.line}:{mark.column}: {dotted(path)}")
    return found


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
