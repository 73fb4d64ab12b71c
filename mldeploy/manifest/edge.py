"""What a service on an edge target has of its own: the settings of its IoT Edge module."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mldeploy.manifest.base import FreeForm, Items, Pattern, Section, Text, fail

DevicePath = Annotated[
    Text, Pattern(r"/(?!.*(^|/)\.\.(/|$))[^:]*", "an absolute path on the device, without '..' and ':'")
]


def _implemented(value: Any) -> Any:
    if value in ("on-failure", "on-unhealthy"):
        raise fail(f"{value} is not implemented by the IoT Edge runtime; allowed: always, never")
    return value


class Mount(Section):
    """A folder of the device in the module."""

    source: DevicePath
    """The folder on the device."""
    target: DevicePath
    """Where the module sees it."""
    writable: bool = False
    """Whether the module may write there."""


class Edge(Section):
    """The settings of an IoT Edge module."""

    restart_policy: Annotated[Literal["always", "never"], BeforeValidator(_implemented)] = "always"
    """When the device starts it again."""
    status: Literal["running", "stopped"] = "running"
    """Whether it runs."""
    startup_order: Annotated[int, Field(ge=0, le=4294967295)] | None = None
    """Smaller starts earlier. Default: last."""
    image_pull_policy: Literal["on-create", "never"] = "on-create"
    """When the device pulls the image."""
    desired: FreeForm = Field(default_factory=dict)
    """Desired properties of the module's twin."""
    bind_address: Text | None = None
    """The device's address that `port` listens on. Default: all of them."""
    keys_file: DevicePath | None = None
    """With `auth_enabled`: a JSON file on the device, `{"primary": …, "secondary": …}`."""
    cert_file: DevicePath | None = None
    """With `ssl`: a PEM certificate chain on the device."""
    key_file: DevicePath | None = None
    """With `ssl`: its PEM private key on the device."""
    mounts: Items[Mount] = ()
    """More folders of the device, such as one for collected data."""
    create_options: FreeForm = Field(default_factory=dict)
    """More of Docker's create options, in Docker's own words; they win over the other settings."""
