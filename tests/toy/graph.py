"""`type: toy`: its resources."""

import pulumi

from components.context import Context, Endpoint
from components.models.registration import in_store as register_model

__all__ = ["deploy", "register_model"]


class Box(pulumi.CustomResource):
    scoring_uri: pulumi.Output[str]

    def __init__(self, name, **inputs):
        super().__init__("toys:index:Box", name, {**inputs, "scoring_uri": None})


def deploy(context: Context, name, target, services):
    found = {}
    for key, service in services.items():
        for model in context.manifest.images[service.image].models:
            register_model(context, model)
        box = Box(f"{key}-box", service=key, blocks=target.blocks, timeout=service.scoring_timeout_ms)
        found[key] = Endpoint(box.scoring_uri, "")
    return found
