"""A manifest planned in process: what a first preview shows the policy pack; what the cloud decides is unknown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from pulumi_policy import PolicyCustomTimeouts, PolicyResource, PolicyResourceOptions
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from components.compose import compose
from mldeploy.manifest import load
from mldeploy.values.property_value import UNKNOWN, reveal
from tests.azure import harness


class Plan:
    """The resources of one manifest's first preview."""

    def __init__(self, recorded: harness.Recorded) -> None:
        self.recorded = recorded
        if recorded.error is not None:
            raise recorded.error
        by_urn: dict[str, PolicyResource] = {}
        self.resources: list[PolicyResource] = []
        for one in recorded.resources:
            request = one.request
            above = {
                key: [by_urn[urn] for urn in its.urns if urn in by_urn]
                for key, its in request.propertyDependencies.items()
            }
            options = PolicyResourceOptions(
                request.protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], one.parent
            )
            props = unknown_checking_proxy(analyzed(one.inputs))
            by_urn[one.urn] = made = PolicyResource(
                one.type, props, one.urn, one.name, options, None, None, [], above
            )
            self.resources.append(made)


def analyzed(value: Any) -> Any:
    """Inputs as the engines hand them to an analyzer: secrets revealed, unknown ones marked."""
    plain = reveal(value)
    if plain is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(plain, Mapping):
        return {key: analyzed(item) for key, item in plain.items()}
    if isinstance(plain, list | tuple):
        return [analyzed(item) for item in plain]
    return plain


def planned(project: Path, home: Path, stack: str = "prod", config: Mapping[str, str] | None = None) -> Plan:
    """Plan the manifest of a folder.

    Raises:
        ManifestErrors: the manifest is refused.
    """
    before = Path.cwd()
    os.chdir(project)
    try:
        with mock.patch.dict(os.environ, {"MLDEPLOY_HOME": str(home / "home")}):
            manifest = load(project, stack)
            return Plan(
                harness.run(
                    lambda: compose(manifest),
                    home / "cloud",
                    stack=stack,
                    root=project,
                    config=dict(config or {}),
                )
            )
    finally:
        os.chdir(before)
