"""The components of the package, by their Pulumi types."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import cast

from components.base import Component

# Type to module and class: a component is imported when somebody makes it, some of them take seconds.
_PLACES = {
    "mldeploy:index:Manifest": "components.stack:Manifest",
    "mldeploy:model:RegisteredModel": "components.models.registered_model:RegisteredModel",
    "mldeploy:image:ScoringImage": "components.images.scoring_image:ScoringImage",
    "mldeploy:service:LocalEndpoint": "components.targets.local.endpoint:LocalEndpoint",
    "mldeploy:service:AciEndpoint": "components.targets.aci.endpoint:AciEndpoint",
    "mldeploy:azure:AksCluster": "components.targets.aks.cluster:AksCluster",
    "mldeploy:service:AksEndpoint": "components.kubernetes.endpoint:AksEndpoint",
    "mldeploy:service:BatchEndpoint": "components.targets.batch.endpoint:BatchEndpoint",
    "mldeploy:edge:EdgeModule": "components.targets.edge.module:EdgeModule",
}


def tokens() -> list[str]:
    """The types of all components."""
    return list(_PLACES)


def component(token: str) -> type[Component]:
    """The class of a type.

    Raises:
        ValueError: there is no such component.
        ImportError: it needs packages that are not installed.
    """
    if token not in _PLACES:
        raise ValueError(f"no component {token!r}; there are: {', '.join(_PLACES)}")
    module, _, name = _PLACES[token].partition(":")
    return cast("type[Component]", getattr(import_module(module), name))


def importable() -> dict[str, type[Component]]:
    """Every component whose packages are installed; the others are named on stderr."""
    found: dict[str, type[Component]] = {}
    for token in _PLACES:
        try:
            found[token] = component(token)
        except ImportError as error:
            print(f"{token} is left out: {error}", file=sys.stderr)
    return found
