"""From a validated manifest to the resource graph of one stack, and to the stack's outputs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pulumi

from components.context import Context, Endpoint
from mldeploy.manifest import LocalTarget, Manifest

_TARGET_MODULES = {
    "local": "components.targets.local.graph",
    "aci": "components.targets.aci.graph",
    "aks": "components.targets.aks.graph",
    "kubernetes": "components.targets.kubernetes.graph",
    "batch": "components.targets.batch.graph",
    "edge": "components.targets.edge.graph",
}


def compose(manifest: Manifest) -> dict[str, Any]:
    """Register every resource of the current stack and return its outputs.

    Returns:
        ``models``: name to version; ``services``: name to ``{target, scoring_uri, swagger_uri}``; ``keys``: name to
        ``{primary, secondary}``, secret.

    Raises:
        pulumi.RunError: a target's type cannot be deployed by this version, or this machine lacks what it needs.
    """
    context = Context(manifest, pulumi.get_project(), pulumi.get_stack())
    for name, target in manifest.targets.items():
        if isinstance(target, LocalTarget) and any(s.target == name for s in manifest.services.values()):
            _target_module(name, target.type).require(name, target)
    endpoints: dict[str, Endpoint] = {}
    for name, target in manifest.targets.items():
        services = {key: service for key, service in manifest.services.items() if service.target == name}
        endpoints |= _target_module(name, target.type).deploy(context, name, target, services)
    _register_the_rest(context)
    return {
        "models": {name: model.version for name, model in sorted(context.registered.items())},
        "services": {
            name: {
                "target": manifest.services[name].target,
                "scoring_uri": endpoint.scoring_uri,
                "swagger_uri": endpoint.swagger_uri,
            }
            for name, endpoint in sorted(endpoints.items())
        },
        "keys": {
            name: pulumi.Output.secret({"primary": endpoint.primary_key, "secondary": endpoint.secondary_key})
            for name, endpoint in sorted(endpoints.items())
            if endpoint.primary_key is not None
        },
    }


def _target_module(name: str, kind: str) -> Any:
    try:
        return import_module(_TARGET_MODULES[kind])
    except ModuleNotFoundError as error:
        if error.name != _TARGET_MODULES[kind]:
            raise
        raise pulumi.RunError(
            f"target {name!r}: type {kind!r} can be described but not deployed in this version"
        ) from None


def _register_the_rest(context: Context) -> None:
    """Register the models that no service uses, where the stack's first target registers its own."""
    targets = context.manifest.targets
    name, kind = next(((name, target.type) for name, target in targets.items()), ("local", "local"))
    for model in context.manifest.models:
        if model not in context.registered:
            _target_module(name, kind).register_model(context, model)
