"""Reading what Azure answers. In a preview an output may still be the input, in the input's shape."""

from __future__ import annotations

import re
from typing import Any, cast

import pulumi


def answered(resource: pulumi.CustomResource, value: pulumi.Output[Any]) -> pulumi.Output[Any]:
    """``value`` once the resource exists: in a preview of its creation it is unknown, not an echo of the input."""
    return pulumi.Output.all(resource.id, value).apply(lambda pair: pair[1])


def field(value: Any, name: str) -> Any:
    """The field ``name`` (snake case) of an answer, typed or a plain mapping; None where it is missing."""
    if value is None:
        return None
    if isinstance(value, dict):
        plain = cast("dict[str, Any]", value)
        camel = re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
        return plain.get(name, plain.get(camel))
    return getattr(value, name, None)
