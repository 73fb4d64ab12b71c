"""From a validated manifest to the resource graph of one stack, and to the stack's outputs."""

from __future__ import annotations

from typing import Any

import pulumi

from components.context import Context, Endpoint, graph
from mldeploy.manifest import Manifest
from mldeploy.manifest.rules import keys
from mldeploy.targets import names

_FOR_PEOPLE = ("description", "tags", "properties")


def compose(manifest: Manifest) -> dict[str, Any]:
    """Register every resource of the current stack and return its outputs.

    Returns:
        ``about``: descriptions, tags and properties by section and name; ``models``: name to version;
        ``services``: name to ``{target, scoring_uri, swagger_uri}``; ``keys``: name to
        ``{primary, secondary}``, secret.

    Raises:
        pulumi.RunError: this machine lacks what a target needs, or a target cannot be as the manifest says.
    """
    context = Context(manifest, pulumi.get_project(), pulumi.get_stack())
    for line in keys.unused(manifest):
        pulumi.log.warn(line)
    for name, target in manifest.targets.items():
        require = getattr(graph(target.type), "require", None)
        if require is not None and manifest.services_on(name):
            require(name, target)
    endpoints: dict[str, Endpoint] = {}
    for name, target in manifest.targets.items():
        endpoints |= graph(target.type).deploy(context, name, target, manifest.services_on(name))
    _register_the_rest(context)
    return {
        "about": _about(manifest),
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


def _about(manifest: Manifest) -> dict[str, Any]:
    """What the manifest says for people, whatever of it a target can keep with its resources."""
    found: dict[str, dict[str, Any]] = {}
    for section in ("images", "services", "targets"):
        entries: dict[str, Any] = getattr(manifest, section)
        said = {
            name: {key: value for key in _FOR_PEOPLE if (value := getattr(entry, key, None))}
            for name, entry in sorted(entries.items())
        }
        found |= {section: about} if (about := {name: one for name, one in said.items() if one}) else {}
    return found


def _register_the_rest(context: Context) -> None:
    """Register the models that no service uses, where the stack's first target registers its own."""
    targets = context.manifest.targets.values()
    first = next((target.type for target in targets), names()[0])
    for model in context.manifest.models:
        if model not in context.registered:
            graph(first).register_model(context, model)
