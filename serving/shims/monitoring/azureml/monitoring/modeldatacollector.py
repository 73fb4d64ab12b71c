"""Where v1's class is defined."""

from serving.monitoring import ModelDataCollector

__all__ = ["ModelDataCollector"]
