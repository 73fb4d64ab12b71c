"""The typed Pulumi resources of the provider's Kubernetes part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

_OUTPUTS = ("serving", "weights", "kept", "scoring_uri", "swagger_uri")


class KubernetesGate(pulumi.CustomResource):
    """Waits until a version is ready and scores it with the golden requests (see
    `mldeploy.provider.kubernetes.gate`)."""

    passed: pulumi.Output[int]
    """How many requests were answered as expected."""
    seconds: pulumi.Output[float]
    """How long it took."""

    def __init__(
        self,
        resource_name: str,
        *,
        inputs: Mapping[str, Any],
        golden: Sequence[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the gate.

        Args:
            resource_name: the logical name.
            inputs: kubeconfig, namespace, service, version, replicas, tls, key, max_latency_ratio.
            golden: the requests, `{request, response, tolerance, content_type}`.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {**inputs, "golden": list(golden)}
        props |= dict.fromkeys(("passed", "seconds", "golden_digest"))
        super().__init__("mldeploy:kubernetes:Gate", resource_name, props, opts)


class Rollout(pulumi.CustomResource):
    """Moves the traffic to a version (see `mldeploy.provider.kubernetes.rollout`)."""

    serving: pulumi.Output[str]
    """The version that serves."""
    weights: pulumi.Output[dict[str, int]]
    """Percent of the traffic by version."""
    kept: pulumi.Output[list[str]]
    """Versions kept to be promoted back, latest first."""
    scoring_uri: pulumi.Output[str]
    """Where to POST."""
    swagger_uri: pulumi.Output[str]
    """The OpenAPI document."""

    def __init__(
        self, resource_name: str, *, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the rollout.

        Args:
            resource_name: the logical name.
            inputs: the inputs by their names in the provider.
            opts: Pulumi's options.
        """
        props: dict[str, Any] = {**inputs, **dict.fromkeys(_OUTPUTS)}
        super().__init__("mldeploy:kubernetes:Rollout", resource_name, props, opts)


class Versions(pulumi.CustomResource):
    """The versions of a service: removed with it, also those that no rollout knows of (see
    `mldeploy.provider.kubernetes.sweep`)."""

    def __init__(
        self, resource_name: str, *, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make it before the first version.

        Args:
            resource_name: the logical name.
            inputs: kubeconfig, namespace, service.
            opts: Pulumi's options.
        """
        super().__init__("mldeploy:kubernetes:Versions", resource_name, dict(inputs), opts)
