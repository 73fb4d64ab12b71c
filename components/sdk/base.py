"""The typed Pulumi resources of our provider, made from the provider's own declarations.

A class here inherits a declaration of `mldeploy.provider` and nothing else. Type checkers see a constructor with a
keyword argument for each input (a `pulumi.Input`), and an attribute for each property (a `pulumi.Output`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components.base import below
from mldeploy.provider.framework.declare import Declaration, describe, field, plain, positional, properties_of


class ProviderResource(pulumi.CustomResource, Declaration):
    """A resource of the provider. Secret inputs become secret Outputs, whatever they are given as."""

    if TYPE_CHECKING:
        resource_name: str = positional()
        opts: pulumi.ResourceOptions | None = field("Pulumi's options.", default=None)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        arguments = [
            f"    {name}: {one.description}"
            for name, one in properties_of(cls).items()
            if one.role == "input"
        ]
        about = (describe(base) for base in cls.__mro__[1:] if issubclass(base, Declaration))
        cls.__doc__ = "\n".join([next(about), "", "Args:", *arguments])

    def __init__(
        self, resource_name: str, *, opts: pulumi.ResourceOptions | None = None, **inputs: Any
    ) -> None:
        declared = properties_of(type(self))
        if unknown := inputs.keys() - {name for name, one in declared.items() if one.role == "input"}:
            raise TypeError(f"{type(self).__name__} has no input {', '.join(sorted(unknown))}")
        props: dict[str, Any] = {name: plain(inputs.get(name)) for name in declared}
        secret = [name for name, one in declared.items() if one.secret]
        for name in secret:
            if props[name] is not None:
                props[name] = pulumi.Output.secret(props[name])
        if secret:
            marked = pulumi.ResourceOptions(additional_secret_outputs=secret)
            opts = pulumi.ResourceOptions.merge(opts, marked)
        super().__init__(self.token, resource_name, props, below(opts))

    if not TYPE_CHECKING:
        __setattr__ = object.__setattr__
