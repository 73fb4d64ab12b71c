"""Keys that would have no effect where they stand: refused, so that nobody relies on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from mldeploy.manifest.base import Section
from mldeploy.manifest.document import Manifest
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds import applies, names_of
from mldeploy.manifest.markers import On, marker
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.nodes import dotted
from mldeploy.manifest.service import Service
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every key of a service, and of its image, that the type of its target has no use for."""
    for name, service in draft.services.items():
        type_ = draft.type_of(service)
        if type_ is None:
            continue
        target = draft.targets.get(service.target)
        for path, on in _written(draft, name, service):
            if not applies(on, type_, target) and type_ not in on.unused:
                message = (
                    f"does not apply to {shown(service.target)}, which is of type {type_}; "
                    f"it is for {', '.join(names_of(on.where))}"
                )
                yield Fault(path, f"{message}; {on.instead}" if on.instead else message, removable=True)


def _written(draft: Draft, name: str, service: Service) -> Iterator[tuple[NodePath, On]]:
    yield from _marked(service, draft.given("services", name), ("services", name))
    image = draft.images.get(service.image)
    if image is not None:
        yield from _marked(image, draft.given("images", service.image), ("images", service.image))


def unused(manifest: Manifest) -> list[str]:
    """What the manifest says and no target of the stack does, each with why: `images.one.base_image: …`."""
    found: dict[str, None] = {}
    for name, service in manifest.services.items():
        target, image = manifest.targets[service.target], manifest.images[service.image]
        for path, on in (
            *_marked(service, service.model_fields_set, ("services", name)),
            *_marked(image, image.model_fields_set, ("images", service.image)),
        ):
            reason = on.unused.get(target.type)
            if reason is not None and not applies(on, target.type, target):
                found[f"{dotted(path)}: is not used on {service.target}: {reason}"] = None
    return list(found)


def _marked(section: Section, given: set[str], path: NodePath) -> Iterator[tuple[NodePath, On]]:
    """The keys that are written, here and below, and that have a marker."""
    for key, field in type(section).model_fields.items():
        if key not in given:
            continue
        on = marker(field)
        if on is not None:
            yield (*path, key), on
        yield from _below(getattr(section, key), (*path, key))


def _below(value: Any, path: NodePath) -> Iterator[tuple[NodePath, On]]:
    if isinstance(value, Section):
        yield from _marked(value, value.model_fields_set, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield from _below(item, (*path, index))
