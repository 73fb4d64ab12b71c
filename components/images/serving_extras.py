"""What the scoring server of an image needs besides: packages for the telemetry and data collection of its services."""

from __future__ import annotations

from collections.abc import Iterator

from components.context import Context
from mldeploy.manifest import Image, Service
from mldeploy.manifest.kinds import kind

_CONNECTION = "APPLICATIONINSIGHTS_CONNECTION_STRING"


def serving_extras(context: Context, name: str) -> list[str]:
    """Names of the scoring server's optional dependencies (`serving/pyproject.toml`), sorted.

    Args:
        context: the manifest.
        name: the image's name in it. Images are shared, so that each of its services of this stack counts.
    """
    image = context.manifest.images[name]
    services = [service for service in context.manifest.services.values() if service.image == name]
    found = {extra for service in services for extra in _extras(context, service, image)}
    if any(variable.startswith("OTEL_EXPORTER_OTLP_") for variable in image.environment_variables):
        found.add("telemetry")
    return sorted(found)


def _extras(context: Context, service: Service, image: Image) -> Iterator[str]:
    on_azure = kind(context.manifest.targets[service.target].type).on_azure
    collect = service.collect_model_data
    if collect is not None and collect.enabled:
        if collect.format == "parquet":
            yield "parquet"
        where = collect.destination
        if (where or "").startswith("https://") or (on_azure and where is None):
            yield "azure-blob"
    if service.enable_app_insights and (on_azure or _CONNECTION in image.environment_variables):
        yield "azure-monitor"
