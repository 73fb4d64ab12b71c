"""`AMLRequest` and `@rawhttp`, served by the scoring server."""

from serving.raw import AMLRequest, rawhttp

__all__ = ["AMLRequest", "rawhttp"]
