"""The typed Pulumi resources of the `mldeploy` provider.

The class attributes of a resource are its outputs; arguments are documented in ``Args``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

_Text = pulumi.Input[str]


def _secret_outputs(opts: pulumi.ResourceOptions | None, *names: str) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=list(names)))


class StoredModel(pulumi.CustomResource):
    """A model version in the local store: a file or a folder, by content, immutable."""

    digest: pulumi.Output[str]
    """SHA-256 over names and bytes, hexadecimal."""
    version: pulumi.Output[str]
    """The pinned version, else the first 12 digits of the digest."""
    file_name: pulumi.Output[str]
    """The base name of the registered file or folder."""
    size: pulumi.Output[int]
    """Bytes in all files."""
    files: pulumi.Output[int]
    """The number of files."""

    def __init__(
        self,
        resource_name: str,
        *,
        model_name: _Text,
        source: _Text,
        version: _Text | None = None,
        description: _Text | None = None,
        tags: Mapping[str, _Text] | None = None,
        properties: Mapping[str, _Text] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register a model version.

        Args:
            resource_name: the logical name.
            model_name: the model's name in the store.
            source: a path relative to the project, or ``runs:/<run id>/<path>``.
            version: a pinned version, which never gets other content. Default: from the content.
            description: for people.
            tags: labels; they can change.
            properties: facts of this version; they never change.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "name": model_name,
            "source": source,
            "version": version,
            "description": description,
            "tags": tags,
            "properties": properties,
            "digest": None,
            "file_name": None,
            "size": None,
            "files": None,
        }
        super().__init__("mldeploy:model:StoredModel", resource_name, props, opts)


class Environment(pulumi.CustomResource):
    """A source directory and the Python environment that its entry script runs in."""

    digest: pulumi.Output[str]
    """The image's digest: packages, Python version, scoring server, source directory, entry script."""
    environment_digest: pulumi.Output[str]
    """The digest of packages and Python version: images that share them share one environment."""

    def __init__(
        self,
        resource_name: str,
        *,
        image: _Text,
        source_directory: _Text,
        entry_script: _Text,
        conda_file: _Text | None = None,
        runtime: _Text = "python",
        serving_extras: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Build an environment.

        Args:
            resource_name: the logical name.
            image: the image's name in the manifest.
            source_directory: the scripts' folder, relative to the project.
            entry_script: the script with ``init()`` and ``run()``, relative to ``source_directory``.
            conda_file: the conda environment file, relative to ``source_directory``.
            runtime: ``python``.
            serving_extras: optional dependencies of the scoring server, by name.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "image": image,
            "source_directory": source_directory,
            "entry_script": entry_script,
            "conda_file": conda_file,
            "runtime": runtime,
            "serving_extras": list(serving_extras) or None,
            "digest": None,
            "environment_digest": None,
        }
        super().__init__("mldeploy:image:Environment", resource_name, props, opts)


class LocalImage(pulumi.CustomResource):
    """A scoring image built by the local Docker engine, from a build context of `mldeploy.imaging`."""

    digest: pulumi.Output[str]
    """The digest of everything in the context."""
    reference: pulumi.Output[str]
    """Its name and tag on the engine; new for each creation."""

    def __init__(
        self,
        resource_name: str,
        *,
        image: _Text,
        context: _Text,
        digest: _Text,
        package_index: _Text | None = None,
        base_image_registry: Mapping[str, _Text] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Build an image.

        Args:
            resource_name: the logical name.
            image: the image's name in the manifest.
            context: the build context's folder, relative to the project.
            digest: the context's digest.
            package_index: a private package index, with its credentials; only the build sees it.
            base_image_registry: ``{address, username, password}`` of the base image's private registry.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "image": image,
            "context": context,
            "digest": digest,
            "package_index": None if package_index is None else pulumi.Output.secret(package_index),
            "base_image_registry": None
            if base_image_registry is None
            else pulumi.Output.secret(base_image_registry),
            "reference": None,
            "image_id": None,
            "engine": None,
        }
        secret = _secret_outputs(opts, "package_index", "base_image_registry")
        super().__init__("mldeploy:image:LocalImage", resource_name, props, secret)


class ServiceKeys(pulumi.CustomResource):
    """The two keys of a service: given ones, or generated ones."""

    primary: pulumi.Output[str]
    """The primary key, secret."""
    secondary: pulumi.Output[str]
    """The secondary key, secret."""

    def __init__(
        self,
        resource_name: str,
        *,
        primary: _Text | None = None,
        secondary: _Text | None = None,
        generation_primary: pulumi.Input[int] = 1,
        generation_secondary: pulumi.Input[int] = 1,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the keys.

        Args:
            resource_name: the logical name.
            primary: your own primary key. Default: a generated one.
            secondary: your own secondary key. Default: a generated one.
            generation_primary: raise it to renew a generated primary key, and nothing else.
            generation_secondary: raise it to renew a generated secondary key, and nothing else.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "primary": None if primary is None else pulumi.Output.secret(primary),
            "secondary": None if secondary is None else pulumi.Output.secret(secondary),
            "generation_primary": generation_primary,
            "generation_secondary": generation_secondary,
        }
        secret = _secret_outputs(opts, "primary", "secondary")
        super().__init__("mldeploy:service:ServiceKeys", resource_name, props, secret)


class Replica(pulumi.CustomResource):
    """The processes that score for one version of a local service; its id is new for each creation."""

    pid: pulumi.Output[int]
    """The main process."""
    log: pulumi.Output[str]
    """The log file's path."""

    def __init__(
        self,
        resource_name: str,
        *,
        service: _Text,
        image: _Text,
        source_directory: _Text,
        entry_script: _Text,
        models: Sequence[Mapping[str, _Text]],
        auth_enabled: pulumi.Input[bool],
        environment_digest: _Text | None = None,
        container_image: _Text | None = None,
        keys: Mapping[str, _Text] | None = None,
        ssl: Mapping[str, _Text] | None = None,
        num_replicas: pulumi.Input[int] | None = None,
        scoring_timeout_ms: pulumi.Input[int] | None = None,
        replica_max_concurrent_requests: pulumi.Input[int] | None = None,
        max_request_wait_time: pulumi.Input[int] | None = None,
        collect_model_data: Mapping[str, Any] | None = None,
        enable_app_insights: pulumi.Input[bool] | None = None,
        environment_variables: Mapping[str, _Text] | None = None,
        cpu_cores: pulumi.Input[float] | None = None,
        memory_gb: pulumi.Input[float] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start a replica.

        Args:
            resource_name: the logical name.
            service: the service's name.
            image: the digest of an :class:`Environment` or a :class:`LocalImage`.
            source_directory: the scripts' folder, relative to the project.
            entry_script: the script, relative to ``source_directory``.
            models: ``{name, version, digest}`` of each model that the script finds.
            auth_enabled: whether clients must send a key.
            environment_digest: the environment digest of the :class:`Environment`: run as processes.
            container_image: the reference of the :class:`LocalImage`: run as a container.
            keys: ``{primary, secondary}``; changing them restarts nothing.
            ssl: PEM ``{cert, key}``: clients use https.
            num_replicas: worker processes.
            scoring_timeout_ms: milliseconds that one request may take.
            replica_max_concurrent_requests: how many requests one worker scores at once.
            max_request_wait_time: milliseconds that a request may wait for a worker.
            collect_model_data: v1's data collection settings.
            enable_app_insights: whether telemetry is sent.
            environment_variables: for the script.
            cpu_cores: how many cores numeric libraries use; a container's limit.
            memory_gb: a container's limit; not enforced for processes.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "service": service,
            "image": image,
            "environment_digest": environment_digest,
            "container_image": container_image,
            "source_directory": source_directory,
            "entry_script": entry_script,
            "models": models,
            "auth_enabled": auth_enabled,
            "keys": None if keys is None else pulumi.Output.secret(keys),
            "ssl": None if ssl is None else pulumi.Output.secret(ssl),
            "num_replicas": num_replicas,
            "scoring_timeout_ms": scoring_timeout_ms,
            "replica_max_concurrent_requests": replica_max_concurrent_requests,
            "max_request_wait_time": max_request_wait_time,
            "collect_model_data": collect_model_data,
            "enable_app_insights": enable_app_insights,
            "environment_variables": environment_variables,
            "cpu_cores": cpu_cores,
            "memory_gb": memory_gb,
            "pid": None,
            "log": None,
        }
        secret = _secret_outputs(opts, "keys", "ssl")
        super().__init__("mldeploy:service:Replica", resource_name, props, secret)


class Gate(pulumi.CustomResource):
    """Golden requests that a replica must answer rightly before traffic moves to it."""

    passed: pulumi.Output[int]
    """How many requests were answered as expected."""
    seconds: pulumi.Output[float]
    """How long they took together."""

    def __init__(
        self,
        resource_name: str,
        *,
        service: _Text,
        replica: _Text,
        golden: Sequence[Mapping[str, Any]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Run the requests.

        Args:
            resource_name: the logical name.
            service: the service's name.
            replica: the id of a :class:`Replica`.
            golden: ``{request, response?, tolerance?, content_type?}``: files of the project, the numeric
            tolerance of the comparison, the request's content type. Without any, the replica has to answer at
            all. opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "service": service,
            "replica": replica,
            "golden": list(golden),
            "passed": None,
            "seconds": None,
        }
        super().__init__("mldeploy:service:Gate", resource_name, props, opts)


class Listener(pulumi.CustomResource):
    """The port of a local service; replicas take it over from each other without a failed request."""

    pid: pulumi.Output[int]
    """The supervisor's process."""
    url: pulumi.Output[str]
    """The service's root."""
    scoring_uri: pulumi.Output[str]
    """Where to POST requests."""
    swagger_uri: pulumi.Output[str]
    """The API's description."""

    def __init__(
        self,
        resource_name: str,
        *,
        service: _Text,
        port: pulumi.Input[int],
        replica: _Text,
        models: pulumi.Input[Mapping[str, _Text]] | None = None,
        ssl_enabled: pulumi.Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Listen.

        Args:
            resource_name: the logical name.
            service: the service's name.
            port: the TCP port on 127.0.0.1.
            replica: the id of the :class:`Replica` that answers.
            models: what it scores with, name to version: for people and `mldeploy status`.
            ssl_enabled: whether the addresses are https.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {
            "service": service,
            "port": port,
            "replica": replica,
            "models": models,
            "ssl_enabled": ssl_enabled,
            "pid": None,
            "url": None,
            "scoring_uri": None,
            "swagger_uri": None,
        }
        super().__init__("mldeploy:service:Listener", resource_name, props, opts)
