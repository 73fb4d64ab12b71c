"""Stands in for v1's azureml-monitoring."""

from serving.monitoring import ModelDataCollector

__all__ = ["ModelDataCollector"]
