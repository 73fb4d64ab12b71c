"""What an EdgeDeployment is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from mldeploy.provider.framework.declare import (
    Declaration,
    In,
    Json,
    Named,
    One,
    Opt,
    Or,
    Out,
    Texts,
    computed,
    field,
    output,
)

_LONGEST = 4294967295


class EdgeSystemModule(Declaration):
    """A module of the runtime."""

    image: In[str] = field("The image, by digest: `registry/repository@sha256:…`.")
    create_options: Opt[Json] = field("Docker's create options, as an object.", default=None)
    env: Opt[Mapping[str, Any]] = field("Environment variables: texts, numbers and booleans.", default=None)
    image_pull_policy: Opt[Literal["on-create", "never"]] = field(
        "When devices pull the image.", default=None
    )
    startup_order: Opt[int] = field("Smaller starts earlier.", default=None, minimum=0, maximum=_LONGEST)


class EdgeModule(EdgeSystemModule):
    """A module."""

    version: Opt[str] = field("For people.", default=None)
    status: Opt[Literal["running", "stopped"]] = field("Default: `running`.", default=None)
    restart_policy: Opt[Literal["always", "never", "on-failure", "on-unhealthy"]] = field(
        "Default: `always`. The runtime implements `always` and `never` only.", default=None
    )
    desired: Opt[Json] = field("Desired properties of the module's twin.", default=None)


class EdgeRoute(Declaration):
    """A route of the IoT Edge hub."""

    route: In[str] = field("`FROM /messages/* INTO $upstream`.")
    priority: Opt[int] = field("0 is the highest.", default=None, minimum=0, maximum=9)
    time_to_live_secs: Opt[int] = field(
        "Seconds that messages wait.", default=None, minimum=0, maximum=_LONGEST
    )


class EdgeRegistryCredential(Declaration, secret=True):
    """How devices log in to a registry."""

    address: In[str] = field("The registry's host name.")
    username: In[str] = field("A user or token name.")
    password: In[str] = field("Its password.", secret=True)


class EdgeWait(Declaration):
    """What to wait for after a change."""

    reported: Or[float] = field(
        "Percent of the targeted devices that have to report success. Default: 100.",
        default=100.0,
        minimum=0,
        maximum=100,
    )
    failed: Opt[float] = field(
        "Percent of the targeted devices whose reported failure ends the wait at once.",
        default=None,
        minimum=0,
        maximum=100,
    )
    timeout: Or[float] = field("Seconds. Default: 1800.", default=1800.0, minimum=1)
    rollback: Or[bool] = field(
        "Whether a deployment that did not get there is removed if it follows one.", default=False
    )


class EdgeDeploymentFields(Declaration, token="mldeploy:edge:EdgeDeployment"):
    """An automatic deployment of IoT Edge modules to the devices of an IoT hub."""

    name: In[str] = field("What the deployment's id begins with; the content's digest follows.")
    hub: In[str] = field("The IoT hub's host name: `my-hub.azure-devices.net`.")
    connection_string: Opt[str] = field(
        "Of the hub, with registry read and write. Default: Microsoft Entra ID.",
        default=None,
        secret=True,
        replaces=False,
    )
    target_condition: In[str] = field("Which devices: `tags.site='plant-7'`, `*` for all.", replaces=False)
    priority: Or[int] = field(
        "The highest matching one wins; the next number is used too. Default: 0.",
        default=0,
        minimum=0,
        maximum=2147483646,
        replaces=False,
    )
    labels: Texts = field("For people and searches.", default=MappingProxyType({}), replaces=False)
    metrics: Texts = field(
        "Your own metrics: names and twin queries.", default=MappingProxyType({}), replaces=False
    )
    modules: Named[EdgeModule] = field("The modules, by name.")
    routes: Named[EdgeRoute] = field("Routes of the IoT Edge hub, by name.", default=None)
    layered: Opt[bool] = field("Whether this is a layer over a complete deployment.", default=None)
    edge_agent: One[EdgeSystemModule] = field("A module of the runtime.", default=None)
    edge_hub: One[EdgeSystemModule] = field("A module of the runtime.", default=None)
    registry_credentials: Named[EdgeRegistryCredential] = field(
        "How devices log in to registries, by name.", default=None, secret=True
    )
    store_and_forward_secs: Opt[int] = field(
        "How long messages wait for a connection, in seconds; -1: for ever. Default: 7200.",
        default=None,
        minimum=-1,
        maximum=2147483647,
    )
    wait: One[EdgeWait] = field(
        "What to wait for after a change. Default: nothing.", default=None, replaces=False
    )
    content_digest: Out[str] = computed("SHA-256 over the content; passwords count through scrypt.")
    deployment_id: Out[str] = output("The deployment's id on the hub.")
    claim: Out[str] = output("Which creation the deployment on the hub belongs to.", default="")
    rolled_out: Out[bool] = output(
        "Whether the wait of the last change was met, or there was none.", default=True
    )


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
