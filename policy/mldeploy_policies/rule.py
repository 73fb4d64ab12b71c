"""What a rule is: a name, what it asks for, how to comply, and a check that yields what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

Settings = Mapping[str, Any]
SHOWN = 5
"""How many names a message has."""


@dataclass(frozen=True)
class Rule:
    """A rule about single resources, or with ``check_stack`` about all of them together."""

    name: str
    description: str
    """What it asks for, as a sentence."""
    fix: str
    """How to comply, in the manifest's words."""
    severity: Severity = Severity.MEDIUM
    types: tuple[str, ...] = ()
    """The types that ``check`` looks at; empty: all."""
    check: Callable[[ResourceValidationArgs, Settings], Iterator[str]] | None = None
    """Yields what is wrong with a resource."""
    check_stack: Callable[[Sequence[PolicyResource], Settings], Iterator[tuple[str, str | None]]] | None = (
        None
    )
    """Yields what is wrong with the stack, with the URN of the resource that is to blame, if one is."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Settings and their defaults; their types are the settings' types."""

    def policy(self, level: str = "advisory", settings: Settings | None = None) -> Policy:
        """The rule as a policy of a pack."""
        given = {**self.defaults, **(settings or {})}
        common: dict[str, Any] = {
            "name": self.name,
            "description": f"{self.description} {self.fix}",
            "enforcement_level": EnforcementLevel(level),
            "config_schema": PolicyConfigSchema(_schema(given)) if given else None,
            "severity": self.severity,
            "remediation_steps": self.fix,
        }
        if self.check_stack is not None:
            return StackValidationPolicy(validate=self._stack(given), **common)
        return ResourceValidationPolicy(validate=self._resource(given), **common)

    def _resource(self, given: Settings) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            assert self.check is not None
            if not self.types or args.resource_type in self.types:
                for message in self.check(args, {**given, **args.get_config()}):
                    report(f"{args.name}: {message}", None)

        return validate

    def _stack(self, given: Settings) -> Callable[[StackValidationArgs, ReportViolation], None]:
        look = self.check_stack or self._each

        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            for message, urn in look(args.resources, {**given, **args.get_config()}):
                report(message, urn)

        return validate

    def _each(
        self, resources: Sequence[PolicyResource], settings: Settings
    ) -> Iterator[tuple[str, str | None]]:
        """What is wrong with the resources, each fault once."""
        assert self.check is not None
        found: dict[str, list[PolicyResource]] = {}
        for one in resources:
            if not self.types or one.resource_type in self.types:
                for message in self.check(arguments(one), settings):
                    found.setdefault(message, []).append(one)
        for message, those in found.items():
            more = f" and {len(those) - SHOWN} more" if len(those) > SHOWN else ""
            names = ", ".join(dict.fromkeys(one.name for one in those[:SHOWN]))
            yield f"{names}{more}: {message}", those[0].urn


def arguments(resource: PolicyResource) -> ResourceValidationArgs:
    """A resource of a stack as it is given to a rule about single ones."""
    return ResourceValidationArgs(
        resource.resource_type,
        resource.props,
        resource.urn,
        resource.name,
        resource.opts,
        resource.provider,
        {},
    )


def _schema(settings: Settings) -> dict[str, dict[str, Any]]:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return {key: {"type": names[type(value)], "default": value} for key, value in settings.items()}
