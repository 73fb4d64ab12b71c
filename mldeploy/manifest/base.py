"""What all sections of the manifest have in common: strict frozen models and small types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mldeploy.manifest.errors import shown
from mldeploy.manifest.nodes import WrittenFloat, WrittenInt

T = TypeVar("T")


class Section(BaseModel):
    """A mapping of the manifest: unknown keys are errors, values are never coerced, nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


def fail(message: str) -> PydanticCustomError:
    """An error for a validator to raise; ``message`` is shown as it is."""
    return PydanticCustomError("manifest", "{message}", {"message": message})


def as_written(value: Any) -> Any:
    """A text, also where a whole number was written: ``version: 3`` is "3". A fraction is refused."""
    if isinstance(value, WrittenInt):
        return value.text
    if isinstance(value, WrittenFloat):
        raise fail(
            f'{value.text} is a number, the same as {_other(value)}; as a text, quote it: "{value.text}"'
        )
    if isinstance(value, bool):
        raise fail(f'must be a text, not the boolean {shown(value)}; quote it: "{shown(value)}"')
    if isinstance(value, int):
        return str(value)
    return value


def _other(value: WrittenFloat) -> str:
    """The same number written in another way: why a version must not be one."""
    short = repr(float(value))
    return short if short != value.text else f"{short}0"


def plain_numbers(value: Any) -> Any:
    """Free-form content with ordinary numbers."""
    if isinstance(value, dict):
        return {key: plain_numbers(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [plain_numbers(item) for item in cast("list[Any]", value)]
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value


@dataclass(frozen=True)
class Pattern:
    """The whole text matches ``expression``; ``allowed`` says in words what does."""

    expression: str
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.expression})$"}

    def check(self, value: str) -> str:
        """``value``, if it matches."""
        if not re.fullmatch(self.expression, value):
            raise fail(f"{shown(value)} is not allowed; allowed: {self.allowed}")
        return value


def _location(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[a-z]+[a-z0-9]*", value):
        short = re.sub(r"[^a-z0-9]", "", value.lower())
        raise fail(f'{shown(value)} is no short name of an Azure region (did you mean "{short}"?)')
    return value


Text = Annotated[str, Field(min_length=1), BeforeValidator(as_written)]
"""A text that is not empty; a whole number counts as its digits."""
LooseText = Annotated[str, BeforeValidator(as_written), WithJsonSchema({"type": ["string", "integer"]})]
"""A text, maybe empty."""
Items = Annotated[tuple[T, ...], Strict(False)]
"""A list; a tuple once read."""
FreeForm = Annotated[dict[str, Any], BeforeValidator(plain_numbers)]
"""A mapping whose content is somebody else's format."""
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Labels = dict[str, LooseText]
"""Tags and properties: texts by name."""
HostName = Annotated[
    Text,
    Pattern(
        r"(?=.{1,253}$)([a-zA-Z0-9*]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*",
        "a host name such as score.example.org",
    ),
]
Location = Annotated[Text, BeforeValidator(_location)]
"""An Azure region by its short name: ``westeurope``."""
Zone = Annotated[Text, Pattern(r"[123]", "1, 2, 3")]
ArmId = Annotated[
    Text,
    Pattern(
        r"/subscriptions/[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(/resourceGroups/[^/]+(/providers/[^/]+(/[^/]+/[^/]+)+)?)?",
        "a resource id, /subscriptions/<uuid>/resourceGroups/<name>/providers/<type>/<name>",
    ),
]
Uuid = Annotated[Text, Pattern(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a UUID")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d)")


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            raise fail(
                f"{shown(value)} is no duration; allowed: seconds as a number, or such as 90s, 10m, 2h, 1d"
            )
        return int(match[1]) * _UNITS[match[2]]
    return value


def _percent(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]{1,3}(\.[0-9]+)?)%", value)
        if match is None or float(match[1]) > 100:
            raise fail(f"{shown(value)} is no share; allowed: 0% to 100%")
        return float(match[1])
    return value


Seconds = Annotated[
    int,
    Field(ge=0),
    BeforeValidator(_seconds),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+(s|m|h|d)$"}]}
    ),
]
"""A duration; written in seconds or as ``10m``, held in seconds."""
Percent = Annotated[
    float,
    Field(ge=0, le=100),
    BeforeValidator(_percent),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]+)?%$"}),
]
"""A share; written ``90%``, held as 90.0."""
Namespace = Annotated[
    Text, Pattern(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1-63 lowercase letters, digits and inner hyphens")
]
VmSize = Annotated[Text, Pattern(r"[A-Za-z0-9]+_[A-Za-z0-9_-]+", "a VM size such as Standard_D4s_v5")]
