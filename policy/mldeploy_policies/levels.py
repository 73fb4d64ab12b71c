"""How strict each rule is in a stack, and what it compares with: `levels.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parents[1] / "levels.yaml"
NOT_EVALUATED = "not-evaluated"
"""The rule that says what the others could not look at."""
ALLOWED = ("advisory", "mandatory", "disabled", "remediate")


@dataclass(frozen=True)
class Levels:
    """The levels of one stack."""

    by_rule: dict[str, str]
    by_settings: dict[str, dict[str, Any]]

    def level(self, rule: str) -> str:
        """The level of a rule: its own, else that of `all`."""
        return self.by_rule.get(rule, self.by_rule.get("all", "advisory"))

    def settings(self, rule: str) -> dict[str, Any]:
        """What a rule compares with."""
        return self.by_settings.get(rule, {})


def load(stack: str, file: Path = FILE, *, strict: bool = False) -> Levels:
    """The levels of a stack.

    Args:
        stack: Its name.
        file: Where they are written.
        strict: What a rule could not look at stops the operation.

    Raises:
        ValueError: the file cannot be read, a level is none, or a rule is not known.
    """
    from mldeploy_policies.rules import RULES

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as problem:
        raise ValueError(f"{file}: {problem.strerror}") from None
    except yaml.YAMLError as problem:
        raise ValueError(f"{file}: is no YAML: {problem}") from None
    stacks, settings = document.get("stacks") or {}, document.get("settings") or {}
    known = {rule.name for rule in RULES} | {NOT_EVALUATED, "all"}
    for name, levels in stacks.items():
        for rule, level in (levels or {}).items():
            if rule not in known:
                raise ValueError(
                    f"{file.name}: stacks.{name}.{rule}: no such rule; allowed: {', '.join(sorted(known))}"
                )
            if level not in ALLOWED:
                raise ValueError(
                    f"{file.name}: stacks.{name}.{rule}: {level!r} is no level; allowed: {', '.join(ALLOWED)}"
                )
    unknown = set(settings) - known
    if unknown:
        raise ValueError(
            f"{file.name}: settings.{min(unknown)}: no such rule; allowed: {', '.join(sorted(known))}"
        )
    default, own = stacks.get("default") or {}, stacks.get(stack) or {}
    # A stack's `all` is for every rule that it does not name, also for those that the default names more mildly.
    base = {
        rule: own["all"] if "all" in own and level != "mandatory" else level
        for rule, level in default.items()
    }
    return Levels({**base, **own} | ({NOT_EVALUATED: "mandatory"} if strict else {}), settings)
