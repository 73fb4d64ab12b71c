"""`AMLResponse`, served by the scoring server."""

from serving.raw import AMLResponse

__all__ = ["AMLResponse"]
