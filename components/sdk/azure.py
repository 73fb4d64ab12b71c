"""The typed Pulumi resources of the `mldeploy` provider that are about Azure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

_Text = pulumi.Input[str]


class ModelFiles(pulumi.CustomResource):
    """A file or folder in a blob container, by content."""

    digest: pulumi.Output[str]
    """SHA-256 over names and bytes, hexadecimal."""
    model_version: pulumi.Output[str]
    """The pinned version, else the first 12 digits of the digest."""
    path: pulumi.Output[str]
    """Where the file or folder is in the container."""
    folder_url: pulumi.Output[str]
    """The address of the folder that holds it."""

    def __init__(
        self,
        resource_name: str,
        *,
        account_url: _Text,
        container: _Text,
        name: _Text,
        source: _Text,
        version: _Text | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Upload files.

        Args:
            resource_name: the logical name.
            account_url: ``https://<account>.blob.core.windows.net``.
            container: the container's name.
            name: the model's name.
            source: a path relative to the project, or ``runs:/<run id>/<path>``.
            version: a pinned version, which never gets other content.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "account_url": account_url,
            "container": container,
            "name": name,
            "source": source,
            "version": version,
            "digest": None,
            "model_version": None,
            "path": None,
            "folder_url": None,
        }
        super().__init__("mldeploy:azure:ModelFiles", resource_name, props, opts)


class ImagePresence(pulumi.CustomResource):
    """What an image's tag has to be, and whether it is still in its registry."""

    epoch: pulumi.Output[str]
    """Changes when the image has to be pushed again."""
    image_tag: pulumi.Output[str]
    """The tag: a digest of the context and the base image."""
    base: pulumi.Output[str]
    """The base image, by digest where that is known."""

    def __init__(
        self,
        resource_name: str,
        *,
        server: _Text,
        repository: _Text,
        tag: _Text,
        base_image: _Text | None = None,
        base_login: Mapping[str, _Text] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Watch an image.

        Args:
            resource_name: the logical name.
            server: the registry's host name.
            repository: the repository in it.
            tag: the context's digest.
            base_image: the base image.
            base_login: ``{address, username, password}`` of its private registry.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "server": server,
            "repository": repository,
            "tag": tag,
            "base_image": base_image,
            "base_login": None if base_login is None else pulumi.Output.secret(base_login),
            "epoch": None,
            "image_tag": None,
            "base": None,
        }
        super().__init__("mldeploy:azure:ImagePresence", resource_name, props, opts)


class BuildSource(pulumi.CustomResource):
    """A build context where an ACR task can read it."""

    location: pulumi.Output[str]
    """The relative path that a task run takes as its source."""

    def __init__(
        self,
        resource_name: str,
        *,
        registry_id: _Text,
        context: _Text,
        epoch: _Text,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Upload a context.

        Args:
            resource_name: the logical name.
            registry_id: the registry's resource id.
            context: the folder, relative to the project.
            epoch: another value uploads again.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "registry_id": registry_id,
            "context": context,
            "epoch": epoch,
            "location": None,
        }
        super().__init__("mldeploy:azure:BuildSource", resource_name, props, opts)


class EndpointDefaults(pulumi.CustomResource):
    """The default deployment of a batch endpoint."""

    def __init__(
        self,
        resource_name: str,
        *,
        endpoint_id: _Text,
        deployment: _Text,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Set it.

        Args:
            resource_name: the logical name.
            endpoint_id: the endpoint's resource id.
            deployment: the name of an existing deployment.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {"endpoint_id": endpoint_id, "deployment": deployment}
        super().__init__("mldeploy:azure:EndpointDefaults", resource_name, props, opts)


class GroupShape(pulumi.CustomResource):
    """What of a container group cannot change in place; a preview says what a change means."""

    def __init__(
        self,
        resource_name: str,
        *,
        service: _Text,
        cpu_cores: pulumi.Input[float],
        memory_gb: pulumi.Input[float],
        network: _Text,
        zone: _Text,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Remember the shape.

        Args:
            resource_name: the logical name.
            service: the service's name.
            cpu_cores: CPUs.
            memory_gb: memory in GB.
            network: the subnet's id, or "".
            zone: the availability zone, or "".
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "service": service,
            "cpu_cores": cpu_cores,
            "memory_gb": memory_gb,
            "network": network,
            "zone": zone,
        }
        super().__init__("mldeploy:azure:GroupShape", resource_name, props, opts)
