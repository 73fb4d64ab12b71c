"""Functions of the provider: what a program asks for in every run, and no state keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mldeploy.provider.framework.resource import Context, Field, check_fields
from mldeploy.provider.framework.values import reveal


class Function:
    """One function; its values are plain, secret results are marked by it."""

    token: ClassVar[str]
    description: ClassVar[str]
    inputs: ClassVar[Mapping[str, Field]]
    outputs: ClassVar[Mapping[str, Field]]

    def call(self, ctx: Context, args: Mapping[str, Any]) -> dict[str, Any]:
        """The result.

        Raises:
            ProvisionError: there is none.
        """
        raise NotImplementedError

    def faults(self, args: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(property path, what is wrong) of every fault in the arguments."""
        return check_fields(self.inputs, reveal(dict(args)))
