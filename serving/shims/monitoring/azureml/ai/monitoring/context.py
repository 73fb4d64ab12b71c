"""Correlation contexts."""

from serving.monitoring import BasicCorrelationContext, CorrelationContext, get_context

__all__ = ["BasicCorrelationContext", "CorrelationContext", "get_context"]
