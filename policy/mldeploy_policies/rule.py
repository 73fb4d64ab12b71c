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
DOCUMENTATION = "docs/policy.md"


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
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            assert self.check_stack is not None
            for message, urn in self.check_stack(args.resources, {**given, **args.get_config()}):
                report(message, urn)

        return validate


def _schema(settings: Settings) -> dict[str, dict[str, Any]]:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return {key: {"type": names[type(value)], "default": value} for key, value in settings.items()}
