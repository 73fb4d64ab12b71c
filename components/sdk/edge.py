"""The typed Pulumi resource of IoT Edge deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

_Text = pulumi.Input[str]


class EdgeDeployment(pulumi.CustomResource):
    """An automatic deployment of an IoT hub. Changed content is a new deployment in front of the old one,
    which is removed after; labels, priority, condition and metrics change in place.
    """

    deployment_id: pulumi.Output[str]
    """Its id on the hub: the name and the content's digest."""
    content_digest: pulumi.Output[str]
    """SHA-256 over the content, hexadecimal."""
    rolled_out: pulumi.Output[bool]
    """Whether the wait of the last change was met, or there was none."""

    def __init__(
        self,
        resource_name: str,
        *,
        deployment_name: _Text,
        hub: _Text,
        target_condition: _Text,
        modules: pulumi.Input[Mapping[str, Any]],
        connection_string: _Text | None = None,
        priority: pulumi.Input[int] = 0,
        labels: Mapping[str, _Text] | None = None,
        metrics: Mapping[str, _Text] | None = None,
        routes: Mapping[str, Any] | None = None,
        layered: bool = False,
        edge_agent: Mapping[str, Any] | None = None,
        edge_hub: Mapping[str, Any] | None = None,
        registry_credentials: pulumi.Input[Mapping[str, Any]] | None = None,
        store_and_forward_secs: int | None = None,
        wait: Mapping[str, Any] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Deploy.

        Args:
            resource_name: the logical name.
            deployment_name: what the deployment's id begins with: lowercase letters, digits and a few marks.
            hub: the hub's host name, `my-hub.azure-devices.net`.
            target_condition: which devices: `tags.site='plant-7'`, `*` for all.
            modules: by name `{image, create_options?, env?, status?, restart_policy?, startup_order?,
            desired?, …}`. connection_string: of the hub, with registry read and write. Default: Microsoft
            Entra ID. priority: the highest one of matching deployments wins; the next number is used too.
            labels: for people and searches. metrics: your own metrics, twin queries by name. routes: by name
            `{route, priority?, time_to_live_secs?}`. layered: whether it is a layer over a complete
            deployment. edge_agent: `{image, create_options?, env?}`. Default: Microsoft's newest
            long-term-supported one. edge_hub: likewise. registry_credentials: by name `{address, username,
            password}`. store_and_forward_secs: seconds that messages wait for a connection; -1: for ever.
            wait: `{reported?, failed?, timeout?, rollback?}`: percent, percent, seconds, boolean. opts:
            Pulumi's options.
        """
        props: dict[str, Any] = {
            "name": deployment_name,
            "hub": hub,
            "connection_string": None
            if connection_string is None
            else pulumi.Output.secret(connection_string),
            "target_condition": target_condition,
            "priority": priority,
            "labels": labels,
            "metrics": metrics,
            "modules": modules,
            "routes": routes,
            "layered": layered or None,
            "edge_agent": edge_agent,
            "edge_hub": edge_hub,
            "registry_credentials": None
            if registry_credentials is None
            else pulumi.Output.secret(registry_credentials),
            "store_and_forward_secs": store_and_forward_secs,
            "wait": wait,
            "content_digest": None,
            "deployment_id": None,
            "claim": None,
            "rolled_out": None,
        }
        super().__init__("mldeploy:edge:EdgeDeployment", resource_name, props, opts)
