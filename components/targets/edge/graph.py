"""`type: edge`: services as modules on IoT Edge devices. A target is one deployment, its services are the
modules."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components import naming, secrets
from components.context import Context, Endpoint, Registered
from components.images import serving_settings
from components.images.context import container_image, model_versions, plain_variables, registry_login
from components.models.registration import in_store
from components.targets.edge.hub import EdgeHub, EdgeHubArgs
from components.targets.edge.module import EdgeModule, EdgeModuleArgs, ScoringModule
from mldeploy.edge import Mount, ScoringOptions
from mldeploy.edge.options import PORT
from mldeploy.manifest import Service
from mldeploy.manifest.edge import Edge
from mldeploy.manifest.kinds.edge import EdgeTarget

_DOMAIN = "azure-devices.net"
_LOOPBACK = ("127.0.0.1", "localhost")


def deploy(
    context: Context, name: str, target: EdgeTarget, services: Mapping[str, Service]
) -> dict[str, Endpoint]:
    """One :class:`EdgeModule` for the target, over the images of its services.

    Raises:
        pulumi.RunError: the manifest asks for something that devices do not have.
    """
    if not services:
        return {}
    options = {key: _options(service) for key, service in services.items()}
    for service in services.values():
        for model in context.manifest.images[service.image].models:
            register_model(context, model)
    modules = {key: _module(context, key, target, service, options[key]) for key, service in services.items()}
    try:
        EdgeModule(name, _arguments(context, name, target, modules))
    except ValueError as error:
        raise pulumi.RunError(f"targets.{name}: {error}") from None
    return {key: _endpoint(key, options[key]) for key in services}


def register_model(context: Context, name: str) -> Registered:
    """The model in the workspace, or in the local store when the stack's devices need nothing of Azure's
    foundation."""
    edge = [target for target in context.manifest.targets.values() if isinstance(target, EdgeTarget)]
    if any(target.registry is None or target.create is not None for target in edge):
        from components.models.azure_model import in_workspace

        return in_workspace(context, name)
    return in_store(context, name)


def _arguments(
    context: Context,
    name: str,
    target: EdgeTarget,
    modules: Mapping[str, ScoringModule],
) -> EdgeModuleArgs:
    hub, connection = _hub(context, name, target)
    identity = (context.project, context.stack, name)
    return EdgeModuleArgs(
        # Names that look alike once they are lowercase stay apart by the hash.
        deployment_name=f"{naming.dns_label(*identity, limit=90)}-{naming.short_hash(*identity)}",
        hub=hub,
        connection_string=connection,
        modules=modules,
        target_condition=target.target_condition,
        priority=target.priority,
        labels={"mldeploy-project": context.project, "mldeploy-stack": context.stack, **target.labels},
        metrics=dict(target.metrics),
        layered=target.layered,
        runtime_version=target.runtime_version,
        routes={key: route.model_dump(exclude_none=True) for key, route in target.routes.items()},
        registry_credentials=_credentials(context, target),
        store_and_forward_secs=target.store_and_forward_secs,
        wait=target.wait.model_dump(exclude_none=True) if target.wait else None,
    )


def _hub(
    context: Context, name: str, target: EdgeTarget
) -> tuple[pulumi.Input[str], pulumi.Input[str] | None]:
    """The hub's host name, and its connection string unless Entra is used.

    Raises:
        pulumi.RunError: the connection string is that of another hub.
    """
    given = None if target.connection_string is None else secrets.resolve(context, target.connection_string)
    if target.create is not None:
        from components.foundation import stack as azure_parts

        base = azure_parts.foundation(context)
        made = EdgeHub(
            f"{name}-iot",
            EdgeHubArgs(
                hub_name=target.hub,
                resource_group=base.resource_group,
                location=azure_parts.location(context, target.create.location, f"targets.{name}"),
                sku=target.create.sku,
                units=target.create.units,
                tags=dict(context.manifest.azure.tags),
            ),
        )
        return made.host_name, given or made.connection_string
    if given is None:
        return f"{target.hub}.{_DOMAIN}", None
    # The connection string knows the domain, which is another one in the clouds of other countries.
    return pulumi.Output.unsecret(given.apply(lambda text: _host(name, target.hub, text))), given


def _host(name: str, hub: str, connection_string: str) -> str:
    parts = dict(part.split("=", 1) for part in connection_string.split(";") if "=" in part)
    host = parts.get("HostName", "")
    if host.split(".", 1)[0].lower() != hub.lower() and host.split(":", 1)[0] not in _LOOPBACK:
        raise pulumi.RunError(
            f"targets.{name}.connection_string: it is for {host or 'no host'!r}; allowed: the hub {hub!r}"
        )
    return host


def _options(service: Service) -> ScoringOptions:
    edge, tls = service.edge or Edge(), service.ssl is not None and service.ssl.enabled
    return ScoringOptions(
        port=service.port,
        bind_address=edge.bind_address or "",
        cpu_cores=service.cpu_cores,
        memory_gb=service.memory_gb,
        gpu=service.gpu_cores or None,
        auth_enabled=service.auth_enabled,
        keys_file=edge.keys_file if service.auth_enabled else None,
        cert_file=edge.cert_file if tls else None,
        key_file=edge.key_file if tls else None,
        mounts=tuple(Mount(source=m.source, target=m.target, writable=m.writable) for m in edge.mounts),
        extra=dict(edge.create_options),
    )


def _module(
    context: Context, name: str, target: EdgeTarget, service: Service, options: ScoringOptions
) -> ScoringModule:
    edge = service.edge or Edge()
    settings = service.server_settings()
    if service.collect_model_data is not None and service.collect_model_data.enabled:
        settings["collect_model_data"] = service.collect_model_data.model_dump(mode="json", exclude_none=True)
    settings["models"] = model_versions(context, service.image)
    # Auth and TLS are the options' own: their files are the device's.
    env = serving_settings.environment(name, settings, auth=False, tls=False, port=PORT)
    env |= plain_variables(context.manifest.images[service.image])
    return ScoringModule(
        image=container_image(context, service.image, target.registry).reference,
        options=options,
        env=env,
        restart_policy=edge.restart_policy,
        status=edge.status,
        startup_order=edge.startup_order,
        image_pull_policy=edge.image_pull_policy,
        desired=dict(edge.desired),
    )


def _credentials(context: Context, target: EdgeTarget) -> dict[str, dict[str, pulumi.Input[str]]]:
    login = registry_login(context, target.registry)
    if login is None or target.registry is None:
        return {}
    return {naming.dns_label(target.registry.address): login.to_json()}


def _endpoint(name: str, options: ScoringOptions) -> Endpoint:
    """Where one device answers: to other machines on its port, to other modules under the module's name."""
    scheme = "https" if options.cert_file else "http"
    host = f"{name}:{PORT}" if options.port is None else f"<device>:{options.port}"
    return Endpoint(f"{scheme}://{host}/score", f"{scheme}://{host}/swagger.json")
