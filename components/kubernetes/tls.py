"""Where a service's certificate comes from, and the objects that bring it into its namespace."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from components.kubernetes import objects


@dataclass(frozen=True, kw_only=True)
class Tls:
    """TLS for clients: an own certificate, or one that cert-manager gets."""

    hostname: str
    """The name in the certificate."""
    cert: pulumi.Input[str] | None = None
    """The certificate chain as PEM."""
    key: pulumi.Input[str] | None = None
    """The private key as PEM."""
    issuer: str | None = None
    """The cert-manager ClusterIssuer, instead of `cert` and `key`."""


def tls_objects(
    name: str, service: str, namespace: str, tls: Tls | None, options: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The secret `<service>-tls`, or the Certificate that makes cert-manager fill it."""
    if tls is None:
        return []
    if tls.issuer is not None:
        made = objects.certificate(service, namespace, tls.hostname, tls.issuer)
        return [
            CustomResource(
                f"{name}-certificate",
                api_version="cert-manager.io/v1",
                kind="Certificate",
                metadata=made["metadata"],
                spec=made["spec"],
                opts=options,
            )
        ]
    if tls.cert is None or tls.key is None:
        raise pulumi.RunError(f"service {name!r}: ssl needs cert and key, or the issuer of a certificate")
    frame = objects.secret(service, namespace, "tls", "kubernetes.io/tls")
    return [
        Secret(
            f"{name}-tls-secret",
            metadata=frame["metadata"],
            type=frame["type"],
            string_data=pulumi.Output.secret({"tls.crt": tls.cert, "tls.key": tls.key}),
            opts=options,
        )
    ]
