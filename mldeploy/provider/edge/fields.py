"""The declared properties of an EdgeDeployment."""

from __future__ import annotations

from mldeploy.provider.framework.resource import Field

_TEXT = Field(kind="string", description="A text.")
_CONTAINER = {
    "image": Field(
        kind="string", required=True, description="The image, by digest: `registry/repository@sha256:…`."
    ),
    "create_options": Field(kind="object", description="Docker's create options, as an object."),
    "env": Field(kind="map", description="Environment variables: texts, numbers and booleans."),
    "image_pull_policy": Field(
        kind="string", choices=("on-create", "never"), description="When devices pull the image."
    ),
    "startup_order": Field(
        kind="integer", minimum=0, maximum=4294967295, description="Smaller starts earlier."
    ),
}
_MODULE = Field(
    kind="object",
    type_name="EdgeModule",
    description="A module.",
    fields={
        **_CONTAINER,
        "version": Field(kind="string", description="For people."),
        "status": Field(kind="string", choices=("running", "stopped"), description="Default: `running`."),
        "restart_policy": Field(
            kind="string",
            choices=("always", "never", "on-failure", "on-unhealthy"),
            description="Default: `always`. The runtime implements `always` and `never` only.",
        ),
        "desired": Field(kind="object", description="Desired properties of the module's twin."),
    },
)
_SYSTEM = Field(
    kind="object", type_name="EdgeSystemModule", fields=_CONTAINER, description="A module of the runtime."
)
_ROUTE = Field(
    kind="object",
    type_name="EdgeRoute",
    description="A route of the IoT Edge hub.",
    fields={
        "route": Field(kind="string", required=True, description="`FROM /messages/* INTO $upstream`."),
        "priority": Field(kind="integer", minimum=0, maximum=9, description="0 is the highest."),
        "time_to_live_secs": Field(
            kind="integer", minimum=0, maximum=4294967295, description="Seconds that messages wait."
        ),
    },
)
_CREDENTIAL = Field(
    kind="object",
    type_name="EdgeRegistryCredential",
    description="How devices log in to a registry.",
    secret=True,
    fields={
        "address": Field(kind="string", required=True, description="The registry's host name."),
        "username": Field(kind="string", required=True, description="A user or token name."),
        "password": Field(kind="string", required=True, secret=True, description="Its password."),
    },
)
_WAIT = Field(
    kind="object",
    type_name="EdgeWait",
    replaces=False,
    description="What to wait for after a change. Default: nothing.",
    fields={
        "reported": Field(
            kind="number",
            minimum=0,
            maximum=100,
            description="Percent of the targeted devices that have to report success. Default: 100.",
        ),
        "failed": Field(
            kind="number",
            minimum=0,
            maximum=100,
            description="Percent of the targeted devices whose reported failure ends the wait at once.",
        ),
        "timeout": Field(kind="number", minimum=1, description="Seconds. Default: 1800."),
        "rollback": Field(
            kind="boolean",
            description="Whether a deployment that did not get there is removed if it follows one.",
        ),
    },
)

INPUTS: dict[str, Field] = {
    "name": Field(
        kind="string",
        required=True,
        description="What the deployment's id begins with; the content's digest follows.",
    ),
    "hub": Field(
        kind="string", required=True, description="The IoT hub's host name: `my-hub.azure-devices.net`."
    ),
    "connection_string": Field(
        kind="string",
        secret=True,
        replaces=False,
        description="Of the hub, with registry read and write. Default: Microsoft Entra ID.",
    ),
    "target_condition": Field(
        kind="string",
        required=True,
        replaces=False,
        description="Which devices: `tags.site='plant-7'`, `*` for all.",
    ),
    "priority": Field(
        kind="integer",
        replaces=False,
        minimum=0,
        maximum=2147483646,
        description="The highest matching one wins; the next number is used too. Default: 0.",
    ),
    "labels": Field(kind="map", items=_TEXT, replaces=False, description="For people and searches."),
    "metrics": Field(
        kind="map", items=_TEXT, replaces=False, description="Your own metrics: names and twin queries."
    ),
    "modules": Field(kind="map", items=_MODULE, required=True, description="The modules, by name."),
    "routes": Field(kind="map", items=_ROUTE, description="Routes of the IoT Edge hub, by name."),
    "layered": Field(kind="boolean", description="Whether this is a layer over a complete deployment."),
    "edge_agent": _SYSTEM,
    "edge_hub": _SYSTEM,
    "registry_credentials": Field(
        kind="map", items=_CREDENTIAL, secret=True, description="How devices log in to registries, by name."
    ),
    "store_and_forward_secs": Field(
        kind="integer",
        minimum=-1,
        maximum=2147483647,
        description="How long messages wait for a connection, in seconds; -1: for ever. Default: 7200.",
    ),
    "wait": _WAIT,
    "content_digest": Field(
        kind="string", computed=True, description="SHA-256 over the content; passwords count through scrypt."
    ),
}
OUTPUTS: dict[str, Field] = {
    "deployment_id": Field(kind="string", description="The deployment's id on the hub."),
    "claim": Field(kind="string", description="Which creation the deployment on the hub belongs to."),
    "rolled_out": Field(
        kind="boolean", description="Whether the wait of the last change was met, or there was none."
    ),
}
DEPLOYMENT = (
    "modules",
    "routes",
    "layered",
    "edge_agent",
    "edge_hub",
    "registry_credentials",
    "store_and_forward_secs",
)
"""The inputs that make the content."""
