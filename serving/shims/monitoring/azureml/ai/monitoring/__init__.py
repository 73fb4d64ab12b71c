"""Stands in for azureml-ai-monitoring, whose own sender is a container beside Azure ML's endpoints."""

from serving.monitoring import Collector

__all__ = ["Collector"]
