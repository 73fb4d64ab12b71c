"""What made a plan: the file or the key of the manifest behind a resource that changes, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mldeploy.manifest import Manifest
from mldeploy.review.plan import Change

_PACKAGES = 4
_NAMES = 3


def causes(manifest: Manifest, service: str, changes: list[Change]) -> list[str]:
    """Why a service changes, each cause once; nothing for what is new or goes altogether.

    Args:
        manifest: the stack's.
        service: the service's name.
        changes: what changes of it, of its image and of its models.
    """
    entry = manifest.services.get(service)
    if entry is None:
        return []
    found: list[str] = []
    for change in changes:
        if change.op in ("update", "replace"):
            found += _cause(manifest, entry.image, service, change)
    return list(dict.fromkeys(found))


def _cause(manifest: Manifest, image: str, service: str, change: Change) -> Iterator[str]:
    match change.kind:
        case "StoredModel" | "ModelFiles":
            name = str(change.inputs.get("name") or change.name.removesuffix("-files"))
            if name in manifest.models and _any(change, "digest", "source", "version"):
                yield f"model {name}: {manifest.models[name].source} changed"
        case "Environment" | "BuildSource" | "LocalImage":
            yield from _image(manifest, image, change)
        case "ServiceKeys":
            yield from (f"services.{service}.key_generation" for key in change.keys if "generation" in key)
        case "Replica" | "ContainerGroup" | "Listener" | "Rollout":
            # Its image is another because of what is in it, which is said there.
            known = set(type(manifest.services[service]).model_fields) - {"image"}
            yield from (f"services.{service}.{key}" for key in _heads(change) if key in known)
            if "environment_variables" in _heads(change):
                yield f"images.{image}.environment_variables"
            if "pid" in _heads(change):
                yield "its process is not running or does not answer"
        case _:
            return


def _image(manifest: Manifest, image: str, change: Change) -> Iterator[str]:
    entry = manifest.images[image]
    folder = entry.source_directory.rstrip("/")
    if _any(change, "source_digest", "context_digest", "digest"):
        yield _files(folder, change)
    if _any(change, "dependencies", "dependencies_digest", "python") and entry.conda_file:
        yield f"{folder}/{entry.conda_file}: {_packages(change) or 'other packages'}"
    if _any(change, "serving_digest", "serving_extras"):
        yield "mldeploy's scoring server is another version"
    for key in ("entry_script", "conda_file", "source_directory"):
        if _any(change, key):
            yield f"images.{image}.{key}"
    if _any(change, "environment_digest"):
        yield "its environment is gone or damaged"


def _files(folder: str, change: Change) -> str:
    """`entry_scripts/churn/score.py changed`, or the folder, where the state does not tell its files apart."""
    old, new = (_named(side.get("source_files")) for side in (change.before, change.inputs))
    if not old or not new:
        return f"files in {folder} changed"
    kinds = {
        "changed": [name for name in new if old.get(name, new[name]) != new[name]],
        "added": sorted(set(new) - set(old)),
        "removed": sorted(set(old) - set(new)),
    }
    return "; ".join(f"{_few(folder, names)} {what}" for what, names in kinds.items() if names)


def _few(folder: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(f"{folder}/{name}" for name in names[:_NAMES]) + more


def _packages(change: Change) -> str:
    """`+pandas==2.2, -pandas==2.1`."""
    old, new = (set(_texts(side.get("dependencies"))) for side in (change.before, change.inputs))
    differing = [f"-{one}" for one in sorted(old - new)] + [f"+{one}" for one in sorted(new - old)]
    more = f" and {len(differing) - _PACKAGES} more" if len(differing) > _PACKAGES else ""
    return ", ".join(differing[:_PACKAGES]) + more


def _named(value: Any) -> dict[str, str]:
    return (
        {str(k): str(v) for k, v in cast("dict[Any, Any]", value).items()} if isinstance(value, dict) else {}
    )


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _heads(change: Change) -> list[str]:
    """The properties that differ, without what is inside them: `models` of `models[0].digest`."""
    return list(dict.fromkeys(key.split(".")[0].split("[")[0] for key in change.keys))


def _any(change: Change, *keys: str) -> bool:
    return bool(set(keys) & set(_heads(change)))
