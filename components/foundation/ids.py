"""ARM resource ids, the standard tags, and what existing resources must look like. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"(/providers/(?P<type>[^/]+/[^/]+)/(?P<name>[^/]+))?",
    re.IGNORECASE,
)
_TAG_NAME = re.compile(r"[^<>%&\\?/]{1,512}")
_MOST_TAGS, _LONGEST_TAG = 50, 256


@dataclass(frozen=True)
class ArmId:
    """The parts of a resource's id; ``type`` and ``name`` are empty for a resource group."""

    subscription: str
    group: str
    type: str
    name: str


def parse(text: str, kind: str = "") -> ArmId:
    """The parts of an id of the given type (``Microsoft.Storage/storageAccounts``; "" for any).

    Raises:
        ValueError: it is no such id; the message says what one looks like.
    """
    match = _ID.fullmatch(text.strip())
    found = (match["type"] or "") if match else ""
    if match is None or (kind and found.lower() != kind.lower()):
        shape = f"/subscriptions/…/resourceGroups/…/providers/{kind}/…" if kind else "/subscriptions/…"
        raise ValueError(f"{text!r} is no resource id of {kind or 'Azure'}; it looks like {shape}")
    return ArmId(match["subscription"], match["group"], found, match["name"] or "")


def standard_tags(project: str, stack: str, *more: Mapping[str, str]) -> dict[str, str]:
    """The tags of every taggable resource: who manages it, for which stack, and the given ones. Azure's tag names
    do not tell capitals apart: a later `Project` stands in for `project`.

    Raises:
        ValueError: a tag that Azure refuses.
    """
    tags = {"managed-by": "mldeploy", "project": project, "stack": stack}
    for name, value in (item for given in more for item in given.items()):
        tags = {key: old for key, old in tags.items() if key == name or key.lower() != name.lower()}
        tags[name] = value
    if len(tags) > _MOST_TAGS:
        raise ValueError(f"tags: {len(tags)} with the standard ones; Azure allows {_MOST_TAGS}")
    for name, value in tags.items():
        if not _TAG_NAME.fullmatch(name):
            raise ValueError(
                f"tags: {name!r} is no tag name; allowed: 1-512 characters without < > % & \\ ? /"
            )
        if len(value) > _LONGEST_TAG:
            raise ValueError(f"tags.{name}: {len(value)} characters; Azure allows {_LONGEST_TAG}")
    return tags
