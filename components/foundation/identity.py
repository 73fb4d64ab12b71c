"""`ServiceIdentity`: the managed identity that one service runs as, with the rights of that service and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pulumi
from pulumi_azure_native import managedidentity

from components import naming
from components.base import Component
from components.foundation.roles import Role, grant


@dataclass(frozen=True, kw_only=True)
class ServiceIdentityArgs:
    """Arguments of :class:`ServiceIdentity`."""

    project: str
    """The project's name: part of the identity's."""
    stack: str
    """The stack's name: likewise."""
    service: str
    """The service's name: likewise."""
    folder: str | None = None
    """The folder of its collected data. Default: the service's name."""
    resource_group: pulumi.Input[str]
    """Where the identity is made."""
    location: pulumi.Input[str]
    """Its region."""
    registry_id: pulumi.Input[str] | None = None
    """The registry that it may pull from. Default: none; on a cluster the nodes pull."""
    collected_id: pulumi.Input[str] | None = None
    """The container for collected data, where it may write under the service's name. Default: none."""
    account_roles: Mapping[Role, str] = field(default_factory=dict[Role, str])
    """More roles on the storage account, each with the last part of its grant's name."""
    account_id: pulumi.Input[str] | None = None
    """That storage account."""
    settle_seconds: int | None = None
    """How long to wait after the grants, where nobody can see that they work."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Its tags."""


class ServiceIdentity(Component):
    """One service's identity. A service reads and writes nothing of another's, and each has its own federated
    credentials: Azure writes one of an identity at a time, and allows 20.
    """

    group: ClassVar[str] = "azure"

    identity_id: pulumi.Output[str]
    client_id: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    identity_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ServiceIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        made = managedidentity.UserAssignedIdentity(
            f"{name}-of-service",
            resource_group_name=args.resource_group,
            resource_name_=naming.dns_label("id", args.project, args.stack, args.service, limit=120),
            location=args.location,
            tags=dict(args.tags),
            opts=self.child(),
        )
        who, settle = made.principal_id, args.settle_seconds
        # What has to be given before somebody works as this identity.
        self.grants: list[pulumi.Resource] = []
        if args.registry_id is not None:
            self.grants.append(
                grant(
                    f"{name}-pull",
                    "AcrPull",
                    scope=args.registry_id,
                    principal_id=who,
                    settle_seconds=settle,
                    opts=self.child(),
                )
            )
        if args.collected_id is not None:
            self.grants.append(
                grant(
                    f"{name}-collect",
                    "Storage Blob Data Contributor",
                    scope=args.collected_id,
                    principal_id=who,
                    path_prefix=f"{args.folder or args.service}/",
                    opts=self.child(),
                )
            )
        for role, suffix in args.account_roles.items():
            assert args.account_id is not None
            self.grants.append(
                grant(
                    f"{name}-{suffix}",
                    role,
                    scope=args.account_id,
                    principal_id=who,
                    settle_seconds=settle,
                    opts=self.child(),
                )
            )
        self.publish(
            {
                "identity_id": made.id,
                "client_id": made.client_id,
                "principal_id": who,
                "identity_name": made.name,
            }
        )
