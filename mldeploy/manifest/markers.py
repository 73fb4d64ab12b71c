"""Where a key of the manifest works, said at the key: ``Annotated[int | None, On("local", "edge")]``.

From the one marker follow the refusal where the key would have no effect, the JSON Schema's text, the reference's
column and the default that depends on the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

ONLINE: Final = "online"
"""Services that answer requests."""
KEYED: Final = "keyed"
"""Services whose keys and certificates come from the stack, and not from the device that they run on."""
VERSIONED: Final = "versioned"
"""Services whose new version starts beside the old one, and takes over once it has proved itself."""
CLUSTER: Final = "cluster"
"""Services that are pods."""
CONTAINER: Final = "container"
"""Services that are containers, built from the manifest's image."""

Default = object | Callable[[Mapping[str, Any]], object]
"""A value; or what makes one of the section's other values, which may come from their own defaults."""


class On:
    """The types of target that a key is for."""

    def __init__(
        self,
        *where: str,
        default: Mapping[str, Default] | None = None,
        instead: str = "",
        unused: Mapping[str, str] | None = None,
    ) -> None:
        """Say where.

        Args:
            where: names of types, or traits of types such as :data:`ONLINE`. Without any, all types.
            default: by type or trait, where the default is another one than the field's.
            instead: what to write on other types, for the message.
            unused: by type, why the key is accepted there and does nothing, which `up` reports: for what the stacks of
                one project share.
        """
        self.where, self.default, self.instead = where, dict(default or {}), instead
        self.unused = dict(unused or {})

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The marker itself, which :mod:`mldeploy.manifest.json_schema` puts into words."""
        return {**handler(schema), "x-on": self}


class ServerSetting(On):
    """A key that the scoring server has under the same name, and so a key of every service that answers requests.

    Where the key has no value, the server's own default holds, and nothing of it is in a plan.
    """

    def __init__(self) -> None:
        super().__init__(ONLINE)


def marker(field: FieldInfo) -> On | None:
    """A field's marker."""
    return next((one for one in field.metadata if isinstance(one, On)), None)
