"""What the modules of the foundation have in common: whose child a part is, where it goes, whether it exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components import naming
from components.base import Component
from components.foundation import ids as azure_ids
from components.foundation.args import FoundationArgs

# A blob container has the shortest names of what is made inside shared parts.
_LONGEST_INNER: Final = 63
EXISTING: Final = {
    "resource_group": "",
    "log_analytics": "Microsoft.OperationalInsights/workspaces",
    "app_insights": "Microsoft.Insights/components",
    "storage": "Microsoft.Storage/storageAccounts",
    "key_vault": "Microsoft.KeyVault/vaults",
    "registry": "Microsoft.ContainerRegistry/registries",
    "workspace": "Microsoft.MachineLearningServices/workspaces",
}
"""The type of each part that may exist already; that of a resource group is empty."""


@dataclass(frozen=True)
class Place:
    """Where the parts are made."""

    parent: Component
    name: str
    args: FoundationArgs
    tags: dict[str, str]
    group: pulumi.Output[str]
    group_id: pulumi.Output[str]

    def existing(self, part: str) -> tuple[pulumi.Output[str], pulumi.Output[str]] | None:
        """Name and id of an existing part; None where it is to be created."""
        given = self.args.existing.get(part)
        if given is None:
            return None
        name = azure_ids.parse(given, EXISTING[part]).name
        return pulumi.Output.from_input(name), pulumi.Output.from_input(given)

    def group_of(self, part: str) -> pulumi.Input[str]:
        """The resource group of a part: an existing one may be in another."""
        given = self.args.existing.get(part)
        return azure_ids.parse(given).group if given else self.group

    def unique(self, name: Callable[[str, str, str], str]) -> pulumi.Output[str]:
        """A global name: the subscription comes from the group's id, so it is the same wherever `up` runs."""
        args = self.args
        return self.group_id.apply(
            lambda text: name(args.project, args.stack, azure_ids.parse(text).subscription)
        )

    def own_name(self, part: str, name: str) -> str:
        """The name of something inside ``part``: with the stack's in it where the part is shared with others."""
        if self.args.existing.get(part) is None:
            return name
        return naming.dns_label(name, self.args.project, self.args.stack, limit=_LONGEST_INNER)

    def kept(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a part that holds what nobody can make again."""
        return kept(self.parent, self.args, **options)


def kept(parent: Component, args: FoundationArgs, **options: Any) -> pulumi.ResourceOptions:
    """See :meth:`Place.kept`; for the resource group, which is there before any place."""
    return parent.child(protect=True, **options) if args.protect else parent.child(**options)


def named_by_birth(
    place: Place, name: Callable[[str, str, str], str], born: pulumi.Output[str]
) -> pulumi.Output[str]:
    """A name for what keeps its name for weeks after it was deleted.

    ``born`` is another value after a ``destroy``, so a new ``up`` does not stumble over the old name; and it is in the
    state, so an ``up`` that repeats a lost request finds the same name again, and leaves nothing behind.
    """
    args = place.args
    return born.apply(lambda text: name(args.project, args.stack, text))
