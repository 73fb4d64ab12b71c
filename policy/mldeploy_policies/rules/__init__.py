"""All rules, one a module."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from mldeploy_policies.rule import Rule

RULES: tuple[Rule, ...] = tuple(
    import_module(f"{__name__}.{module.name}").RULE
    for module in sorted(iter_modules(__path__), key=lambda one: one.name)
)
