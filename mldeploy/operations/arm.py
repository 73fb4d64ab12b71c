"""What Azure Resource Manager says of a resource now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from mldeploy.operations.model import OperationError


def ask(ident: str, version: str, query: str = "") -> dict[str, Any] | None:
    """A resource as Azure has it now, None when it is gone.

    Raises:
        OperationError: nobody is logged in, or Azure refuses.
    """
    # Importing httpx takes a while: only a stack on Azure pays.
    from mldeploy.provider.azure import arm
    from mldeploy.provider.framework.resource import Context, ProvisionError

    try:
        return arm.call(Context(root=Path.cwd()), "GET", ident, version, missing_ok=True, query=query)
    except ProvisionError as error:
        raise OperationError(str(error)) from None


def under(value: Any, *path: str | int) -> Any:
    """What is at ``path`` of an answer; None where a part is missing."""
    for part in path:
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[part]
        else:
            return None
    return value
