"""The models of a stack, each registered once: in this machine's store, or in the workspace on Azure."""

from __future__ import annotations

from components.context import Context, Registered
from components.models.registered_model import RegisteredModel, RegisteredModelArgs


def in_store(context: Context, name: str) -> RegisteredModel:
    """The model in the local store."""

    def make() -> RegisteredModel:
        model = context.manifest.models[name]
        args = RegisteredModelArgs(
            source=model.source,
            version=model.version,
            description=model.description or "",
            tags=dict(model.tags),
            properties=dict(model.properties),
        )
        return RegisteredModel(name, args)

    registered = context.shared(("local", "model", name), make)
    context.registered[name] = registered
    return registered


def register_model(context: Context, name: str) -> Registered:
    """The model in the workspace when the stack has a region on Azure, else in the local store."""
    if context.manifest.azure.location is None:
        return in_store(context, name)
    # The SDK of Azure takes seconds to import: only stacks with models there pay.
    from components.models.azure_model import in_workspace

    return in_workspace(context, name)
