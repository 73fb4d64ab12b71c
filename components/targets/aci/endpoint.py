"""`AciEndpoint`: a service on Azure Container Instances, for development and tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import pulumi
from pulumi_azure_native import containerinstance as aci

from components import naming
from components.base import Component
from components.foundation import outputs
from components.images import serving_settings
from components.sdk.azure import GroupGate, GroupShape, PullProof
from components.sdk.local import ServiceKeys
from components.service_keys import service_keys
from components.targets.aci.args import AciEndpointArgs
from components.targets.aci.rules import validate

# What the service refuses to change in place. Paths are those of azure-native's inputs.
_RECREATED_FOR = [
    "containers[0].resources",
    "osType",
    "restartPolicy",
    "sku",
    "priority",
    "subnetIds",
    "zones",
]


class AciEndpoint(Component):
    """A service in one container group: no replicas and no switch without a gap, as in v1. A new model or script
    restarts the container in place; other CPUs or memory recreate the group, and a preview says so.
    """

    group: ClassVar[str] = "service"

    scoring_uri: pulumi.Output[str]
    swagger_uri: pulumi.Output[str]
    primary_key: pulumi.Output[str | None]
    secondary_key: pulumi.Output[str | None]
    group_id: pulumi.Output[str]
    state: pulumi.Output[str]

    def __init__(self, name: str, args: AciEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(name, args)
        super().__init__(name, opts, args.customize)
        keys = service_keys(self, name, args, auth=args.auth_enabled)
        GroupShape(
            f"{name}-shape",
            service=name,
            cpu_cores=args.cpu_cores,
            memory_gb=args.memory_gb,
            network=args.subnet_id or "",
            zone=args.zone or "",
            opts=self.child(),
        )
        group = aci.ContainerGroup(
            f"{name}-group",
            resource_group_name=args.resource_group,
            container_group_name=args.group_name or name,
            location=args.location,
            os_type=aci.OperatingSystemTypes.LINUX,
            restart_policy=aci.ContainerGroupRestartPolicy.ALWAYS,
            sku=aci.ContainerGroupSku.STANDARD,
            identity=aci.ContainerGroupIdentityArgs(
                type=aci.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[args.identity_id]
            ),
            image_registry_credentials=[
                aci.ImageRegistryCredentialArgs(server=args.registry_server, identity=args.identity_id)
            ],
            ip_address=self._address(args),
            subnet_ids=[aci.ContainerGroupSubnetIdArgs(id=args.subnet_id)] if args.subnet_id else None,
            zones=[args.zone] if args.zone else None,
            containers=[self._container(name, args, keys)],
            volumes=self._volumes(args, keys) or None,
            diagnostics=self._diagnostics(args),
            tags=dict(args.tags),
            opts=self.child(
                replace_on_changes=list(_RECREATED_FOR),
                delete_before_replace=True,
                depends_on=[self._proof(name, args)],
            ),
        )
        base = outputs.answered(group, group.ip_address).apply(lambda address: _base(args, address))
        self._gate(name, args, group, keys)
        self.publish(
            {
                "scoring_uri": base.apply(lambda text: f"{text}/score"),
                "swagger_uri": base.apply(lambda text: f"{text}/swagger.json"),
                "primary_key": keys.primary if keys else None,
                "secondary_key": keys.secondary if keys else None,
                "group_id": group.id,
                "state": group.instance_view.apply(lambda view: str(outputs.field(view, "state") or "")),
            }
        )

    def _proof(self, name: str, args: AciEndpointArgs) -> PullProof:
        """Container Instances give up on an image whose identity may not pull yet: the group comes after the proof."""
        return PullProof(
            f"{name}-pull-proof",
            resource_group_id=args.resource_group_id,
            location=args.location,
            name=naming.dns_label(args.group_name or name, "pull", limit=63),
            image=args.image,
            server=args.registry_server,
            identity_id=args.identity_id,
            principal_id=args.identity_principal_id,
            subnet_id=args.subnet_id,
            tags=args.tags,
            opts=self.child(depends_on=list(args.needs)),
        )

    def _gate(
        self, name: str, args: AciEndpointArgs, group: aci.ContainerGroup, keys: ServiceKeys | None
    ) -> None:
        """A group is there as soon as Azure has taken the order: whether it serves is asked of itself."""
        own = outputs.answered(group, group.ip_address).apply(
            lambda address: _base(args, address, own_name=True)
        )
        GroupGate(
            f"{name}-gate",
            group_id=group.id,
            container=args.group_name or name,
            service=name,
            base_uri=own,
            private=args.subnet_id is not None,
            certificate=args.ssl["cert"] if args.ssl is not None else None,
            key=keys.primary if keys is not None else None,
            # What starts the container anew: its image, and every plain variable.
            revision=pulumi.Output.all(args.image, group.containers).apply(_revision),
            golden=args.golden,
            opts=self.child(),
        )

    @staticmethod
    def _address(args: AciEndpointArgs) -> aci.IpAddressArgs:
        ports = [aci.PortArgs(port=args.port, protocol=aci.ContainerGroupNetworkProtocol.TCP)]
        if args.subnet_id is not None:
            return aci.IpAddressArgs(type=aci.ContainerGroupIpAddressType.PRIVATE, ports=ports)
        return aci.IpAddressArgs(
            type=aci.ContainerGroupIpAddressType.PUBLIC,
            ports=ports,
            dns_name_label=args.dns_label,
            # The default, Unsecure, lets strangers take the name over once the group is gone.
            auto_generated_domain_name_label_scope=aci.DnsNameLabelReusePolicy.TENANT_REUSE
            if args.dns_label
            else None,
        )

    @staticmethod
    def _container(name: str, args: AciEndpointArgs, keys: ServiceKeys | None) -> aci.ContainerArgs:
        plain = serving_settings.environment(
            name, args.settings, auth=keys is not None, tls=args.ssl is not None, port=args.port
        )
        plain |= args.environment_variables
        variables = [
            aci.EnvironmentVariableArgs(name=key, value=value) for key, value in sorted(plain.items())
        ]
        variables += [
            aci.EnvironmentVariableArgs(name=key, secure_value=pulumi.Output.secret(value))
            for key, value in sorted(args.secret_environment.items())
        ]
        variables.append(aci.EnvironmentVariableArgs(name="AZURE_CLIENT_ID", value=args.identity_client_id))
        if args.collect_model_data is not None:
            collect = pulumi.Output.from_input(args.collect_destination).apply(
                lambda where: json.dumps(
                    {**(args.collect_model_data or {}), "destination": where}, sort_keys=True
                )
            )
            variables.append(aci.EnvironmentVariableArgs(name="SERVING_COLLECT_MODEL_DATA", value=collect))
        if args.app_insights_connection is not None:
            connection = pulumi.Output.secret(args.app_insights_connection)
            variables.append(
                aci.EnvironmentVariableArgs(
                    name="APPLICATIONINSIGHTS_CONNECTION_STRING", secure_value=connection
                )
            )
        folder = serving_settings.SECRETS_FOLDER
        mounts = [("keys", keys is not None), ("tls", args.ssl is not None)]
        return aci.ContainerArgs(
            name=args.group_name or name,
            image=args.image,
            ports=[aci.ContainerPortArgs(port=args.port, protocol=aci.ContainerNetworkProtocol.TCP)],
            resources=aci.ResourceRequirementsArgs(
                requests=aci.ResourceRequestsArgs(cpu=args.cpu_cores, memory_in_gb=args.memory_gb)
            ),
            environment_variables=variables,
            volume_mounts=[
                aci.VolumeMountArgs(name=key, mount_path=f"{folder}/{key}", read_only=True)
                for key, wanted in mounts
                if wanted
            ]
            or None,
            liveness_probe=_probe(args, "/livez", failures=2 * args.probes.failure_threshold),
            readiness_probe=_probe(
                args, "/readyz", failures=args.probes.failure_threshold, good=args.probes.success_threshold
            ),
        )

    @staticmethod
    def _volumes(args: AciEndpointArgs, keys: ServiceKeys | None) -> list[aci.VolumeArgs]:
        volumes: list[aci.VolumeArgs] = []
        if keys is not None:
            text = pulumi.Output.all(keys.primary, keys.secondary).apply(_keys_file)
            volumes.append(aci.VolumeArgs(name="keys", secret={"keys.json": pulumi.Output.secret(text)}))
        if args.ssl is not None:
            files = {"cert.pem": args.ssl["cert"], "key.pem": args.ssl["key"]}
            volumes.append(
                aci.VolumeArgs(
                    name="tls",
                    secret={
                        key: pulumi.Output.secret(pulumi.Output.from_input(value).apply(_base64))
                        for key, value in files.items()
                    },
                )
            )
        return volumes

    @staticmethod
    def _diagnostics(args: AciEndpointArgs) -> aci.ContainerGroupDiagnosticsArgs | None:
        if args.log_analytics_id is None or args.log_analytics_key is None:
            return None
        return aci.ContainerGroupDiagnosticsArgs(
            log_analytics=aci.LogAnalyticsArgs(
                workspace_id=args.log_analytics_id,
                workspace_key=pulumi.Output.secret(args.log_analytics_key),
                log_type=aci.LogAnalyticsLogType.CONTAINER_INSTANCE_LOGS,
            )
        )


def _probe(args: AciEndpointArgs, path: str, *, failures: int, good: int = 1) -> aci.ContainerProbeArgs:
    """A busy model is not restarted as soon as it gets no more requests: being alive has twice the patience."""
    scheme = aci.Scheme.HTTPS if args.ssl is not None else aci.Scheme.HTTP
    return aci.ContainerProbeArgs(
        http_get=aci.ContainerHttpGetArgs(path=path, port=args.port, scheme=scheme),
        initial_delay_seconds=args.probes.initial_delay_seconds,
        period_seconds=args.probes.period_seconds,
        timeout_seconds=args.probes.timeout_seconds,
        failure_threshold=failures,
        success_threshold=good if good != 1 else None,
    )


def _revision(found: Sequence[Any]) -> str:
    image, containers = found
    container = (containers or [None])[0]
    variables = cast("Sequence[Any]", outputs.field(container, "environment_variables") or [])
    plain = {
        str(outputs.field(one, "name")): str(outputs.field(one, "value"))
        for one in variables
        if outputs.field(one, "value") is not None
    }
    return naming.short_hash(str(image), json.dumps(plain, sort_keys=True), length=16)


def _base(args: AciEndpointArgs, address: Any, *, own_name: bool = False) -> str:
    """Scheme, host and port; ``own_name``: by the group's own name, whatever the certificate's is."""
    scheme = "https" if args.ssl is not None else "http"
    host = (
        (None if own_name else args.ssl_host)
        or outputs.field(address, "fqdn")
        or outputs.field(address, "ip")
        or ""
    )
    return f"{scheme}://{host}:{args.port}"


def _keys_file(keys: list[str]) -> str:
    return _base64(json.dumps({"primary": keys[0], "secondary": keys[1]}))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
