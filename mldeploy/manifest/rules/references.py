"""References by name: services to images and targets, images to models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import hint, shown
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001 -- every rule has the same signature
    """Names that name nothing, and models named twice."""
    for name, image in draft.images.items():
        seen: set[str] = set()
        for index, model in enumerate(image.models):
            path: NodePath = ("images", name, "models", index)
            if model in seen:
                yield Fault(path, f"model {shown(model)} is in the image twice")
            elif model not in draft.names["models"]:
                yield Fault(path, _no_model(draft, model))
            seen.add(model)
    for name, service in draft.services.items():
        for kind, section, wanted in (
            ("image", "images", service.image),
            ("target", "targets", service.target),
        ):
            if wanted not in draft.names[section]:
                yield Fault(
                    ("services", name, kind),
                    f"no {kind} {shown(wanted)} {hint(wanted, draft.names[section])}",
                )


def _no_model(draft: Draft, wanted: str) -> str:
    base, separator, version = wanted.partition(":")
    if separator and base in draft.names["models"]:
        return (
            f"{shown(wanted)} names a version; write {base} here and models.{base}.version: {shown(version)}"
        )
    return f"no model {shown(wanted)} {hint(wanted, draft.names['models'])}"
