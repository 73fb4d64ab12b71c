"""What a person reads before saying yes: a preview as Markdown, a stack as a picture."""

from mldeploy.review.markdown import render
from mldeploy.review.plan import Plan

__all__ = ["Plan", "render"]
