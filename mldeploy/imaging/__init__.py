"""Container images: a deterministic build context from scripts, packages, scoring server and models."""

from mldeploy.imaging.context import BuildContext, ContextModel, ContextSpec, render

__all__ = ["BuildContext", "ContextModel", "ContextSpec", "render"]
