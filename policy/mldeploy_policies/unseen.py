"""What a preview could not look at, said in one line: a green review that saw nothing is worse than none.

Values that only the update will know leave a rule without an answer. The update asks again, with every value known, and
stops before the first change of a resource that does not comply. Until then this says which rules are still open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pulumi_policy import PolicyResource

from mldeploy_policies.levels import NOT_EVALUATED, Levels
from mldeploy_policies.reading import PRESENCE, noting_unknown
from mldeploy_policies.rule import SHOWN, Rule, Settings, arguments

# An image that the stack builds itself is named by the digest of what was built, whatever that will be, and comes from
# the registry that `mldeploy:azure:ImagePresence` names, which the rule looks at by itself.
_BUILDERS = (
    "azure-native:containerregistry:TaskRun",
    "docker-build:index:Image",
    "docker:index/image:",
    "mldeploy:azure:Image",
    "mldeploy:image:",
)
_IMAGE_RULES = frozenset(("allowed-registries", "images-by-digest", "no-latest"))
_OWN_REGISTRY = "azure-native:containerregistry:Registry"
_STACK = "the whole stack"


def rule(rules: Iterable[Rule], levels: Levels) -> Rule:
    """The rule that looks for what the others could not see.

    Args:
        rules: The other rules.
        levels: Theirs in this stack: a rule that is disabled leaves nothing open.
    """
    asked = [one for one in rules if levels.level(one.name) != "disabled"]

    def check(resources: Sequence[PolicyResource], settings: Settings) -> Iterator[tuple[str, str | None]]:
        del settings
        found = {one.name: list(_open(one, resources, levels)) for one in asked}
        found = {name: sorted(set(unseen)) for name, unseen in found.items() if unseen}
        if found:
            names = {name for unseen in found.values() for name in unseen} - {_STACK}
            places = _many(len(names), "resource") if names else _STACK
            shown = "; ".join(f"{name}: {_names(unseen)}" for name, unseen in sorted(found.items()))
            yield f"{_many(len(found), 'rule')} could not look at {places}: {shown}", None

    return Rule(
        name=NOT_EVALUATED,
        description="Every rule could look at every resource.",
        fix="The update looks again when the values are known, and stops before it changes such a resource.",
        check_stack=check,
    )


def _open(one: Rule, resources: Sequence[PolicyResource], levels: Levels) -> Iterator[str]:
    """The names of the resources of which a rule asked for something that is not known yet."""
    given = {**one.defaults, **levels.settings(one.name)}
    if one.check_stack is not None:
        with noting_unknown() as unknown:
            list(one.check_stack(resources, given))
        if unknown:
            yield _STACK
        return
    assert one.check is not None
    for resource in resources:
        if one.types and resource.resource_type not in one.types:
            continue
        with noting_unknown() as unknown:
            violations = list(one.check(arguments(resource), given))
        if unknown and not violations and not (one.name in _IMAGE_RULES and _built_here(resource)):
            yield resource.name


def _built_here(resource: PolicyResource) -> bool:
    above: dict[str, Any] = resource.property_dependencies
    if resource.resource_type == PRESENCE:
        # Where it will be is the stack's own registry, whose name Azure completes.
        return any(one.resource_type == _OWN_REGISTRY for one in above.get("server", ()))
    return any(one.resource_type.startswith(_BUILDERS) for its in above.values() for one in its)


def _names(found: Sequence[str]) -> str:
    more = len(found) - SHOWN
    return ", ".join(found[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count != 1 else "")
