"""Traces and metrics through OpenTelemetry: to any OTLP collector, and to Application Insights.

Off unless asked for, and then nothing of it is imported. OpenTelemetry's own environment variables configure it
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, …); `enable_app_insights` with
`APPLICATIONINSIGHTS_CONNECTION_STRING` adds Azure Monitor. The providers are the process's global ones, so that spans
and instruments of the script's own, made with OpenTelemetry's API, go the same way.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serving import metrics
from serving.config import Config
from serving.logs import Log, current

if TYPE_CHECKING:
    from serving.messages import Request, Response

CONNECTION = "APPLICATIONINSIGHTS_CONNECTION_STRING"
_OTLP = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_PACKAGES = {
    "otlp": (
        ("opentelemetry.sdk.trace", "opentelemetry-sdk"),
        ("opentelemetry.exporter.otlp.proto.http", "opentelemetry-exporter-otlp-proto-http"),
    ),
    "azure-monitor": (("azure.monitor.opentelemetry.exporter", "azure-monitor-opentelemetry-exporter"),),
}
_FLUSH_SECONDS = 3.0


class TelemetryError(Exception):
    """Telemetry is asked for and cannot be sent; the message says what is missing."""


def exporters(config: Config, environ: Mapping[str, str]) -> list[str]:
    """`otlp` and `azure-monitor`, as far as they are asked for.

    Raises:
        TelemetryError: a package for one of them is not installed.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    found = ["otlp"] if any(environ.get(name) for name in _OTLP) else []
    if config.enable_app_insights and environ.get(CONNECTION):
        found.append("azure-monitor")
    for exporter in found:
        for module, package in _PACKAGES[exporter]:
            if not _installed(module):
                raise TelemetryError(f"{exporter} telemetry needs {package}, which is not installed")
    return found


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class Telemetry:
    """One worker's. Make it in the process that answers requests: its exporters have threads."""

    def __init__(self, config: Config, chosen: list[str], row: memoryview[float], log: Log) -> None:
        # Microsoft's exporter would report on itself to Microsoft otherwise.
        os.environ.setdefault("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
        self._api: Any = importlib.import_module("opentelemetry.trace")
        self._context: Any = importlib.import_module("opentelemetry.context")
        self._propagate: Any = importlib.import_module("opentelemetry.propagate")
        resource = _resource(config)
        self._traces = _tracer_provider(resource, chosen)
        self._meters = _meter_provider(resource, chosen)
        self._api.set_tracer_provider(self._traces)
        importlib.import_module("opentelemetry.metrics").set_meter_provider(self._meters)
        self._tracer: Any = self._traces.get_tracer("mldeploy.serving")
        self._instruments(row)
        self._tokens = threading.local()
        log.info(f"telemetry goes to {' and '.join(chosen)}")

    def _instruments(self, row: memoryview[float]) -> None:
        meter: Any = self._meters.get_meter("mldeploy.serving")
        observation: Any = importlib.import_module("opentelemetry.metrics").Observation
        self._duration = meter.create_histogram(
            "http.server.request.duration", unit="s", description="Duration of HTTP server requests."
        )
        self._run_duration = meter.create_histogram(
            "mldeploy.run.duration", unit="s", description="Duration of calls of run()."
        )
        for name, field, text in (
            (
                "http.server.active_requests",
                metrics.IN_FLIGHT,
                "Requests being received, waiting or running.",
            ),
            ("mldeploy.queue", metrics.QUEUED, "Requests that wait for their turn."),
        ):

            def read(_options: object, field: int = field) -> list[Any]:
                return [observation(row[field])]

            meter.create_observable_gauge(name, [read], description=text)

    # -- around run() ----

    def enter(self, request: Request) -> None:
        """`run()` is about to be called for this request, in this thread."""
        now = time.time_ns()
        span = self._server_span(request, now)
        run = self._tracer.start_span("run", context=self._api.set_span_in_context(span), start_time=now)
        request.spans = (span, run)
        self._tokens.token = self._context.attach(self._api.set_span_in_context(run))
        current.trace_id = f"{run.get_span_context().trace_id:032x}"

    def failed(self, request: Request, problem: BaseException) -> None:
        """`run()` raised, or took too long: its span says what."""
        if request.spans is not None:
            run = request.spans[1]
            run.record_exception(problem)
            run.set_attribute("error.type", type(problem).__qualname__)
            run.set_status(self._api.StatusCode.ERROR, f"{type(problem).__name__}: {problem}"[:500])

    def leave(self, request: Request) -> None:
        """`run()` has ended."""
        self._context.detach(self._tokens.token)
        current.trace_id = ""
        if request.spans is not None:
            request.spans[1].end()
        self._run_duration.record(request.run_ms / 1000)

    def _server_span(self, request: Request, now: int) -> Any:
        carrier = {name: request.header(name.encode()) for name in ("traceparent", "tracestate", "baggage")}
        parent = self._propagate.extract({name: value for name, value in carrier.items() if value})
        waited = int((time.monotonic() - request.arrived) * 1e9)
        return self._tracer.start_span(
            f"{request.method} {request.log_path}",
            context=parent,
            kind=self._api.SpanKind.SERVER,
            start_time=now - max(0, waited),
            attributes={
                "http.request.method": request.method,
                "http.route": request.log_path,
                "url.path": request.log_path,
                "url.scheme": request.scheme,
                "network.protocol.version": request.version,
                "client.address": request.peer,
                "http.request.body.size": len(request.body),
                "mldeploy.request_id": request.request_id,
                "mldeploy.client_request_id": request.client_request_id,
            },
        )

    def finish(self, request: Request, response: Response, seconds: float) -> None:
        """The request is answered."""
        span = request.spans[0] if request.spans is not None else self._server_span(request, time.time_ns())
        request.spans = None
        span.set_attribute("http.response.status_code", response.status)
        if response.status >= 500:
            span.set_attribute("error.type", str(response.status))
            span.set_status(self._api.StatusCode.ERROR)
        span.end()
        self._duration.record(
            seconds,
            {
                "http.request.method": request.method,
                "http.route": request.log_path,
                "http.response.status_code": response.status,
            },
        )

    def stop(self) -> None:
        """Send what waits, for three seconds at most.

        In threads of their own: an exporter whose collector is gone tries again for longer than a replica has to end.
        """
        ending = [
            threading.Thread(target=provider.shutdown, name="telemetry-stop", daemon=True)
            for provider in (self._traces, self._meters)
        ]
        for thread in ending:
            thread.start()
        deadline = time.monotonic() + _FLUSH_SECONDS
        for thread in ending:
            thread.join(max(0.0, deadline - time.monotonic()))


def _resource(config: Config) -> Any:
    resources: Any = importlib.import_module("opentelemetry.sdk.resources")
    given = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or config.service,
        "service.instance.id": f"{config.replica_id or 'replica'}-{os.getpid()}",
        "service.version": ", ".join(f"{name} {version}" for name, version in config.models.items()),
    }
    return resources.Resource.create({name: value for name, value in given.items() if value})


def _tracer_provider(resource: Any, chosen: list[str]) -> Any:
    sdk: Any = importlib.import_module("opentelemetry.sdk.trace")
    export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
    provider = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
    if "otlp" in chosen:
        otlp: Any = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    if "azure-monitor" in chosen:
        azure: Any = importlib.import_module("azure.monitor.opentelemetry.exporter")
        exporter = azure.AzureMonitorTraceExporter(
            connection_string=os.environ[CONNECTION], disable_offline_storage=True
        )
        provider.add_span_processor(export.BatchSpanProcessor(exporter))
    return provider


def _meter_provider(resource: Any, chosen: list[str]) -> Any:
    sdk: Any = importlib.import_module("opentelemetry.sdk.metrics")
    export: Any = importlib.import_module("opentelemetry.sdk.metrics.export")
    readers: list[Any] = []
    if "otlp" in chosen:
        otlp: Any = importlib.import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
        readers.append(export.PeriodicExportingMetricReader(otlp.OTLPMetricExporter()))
    if "azure-monitor" in chosen:
        azure: Any = importlib.import_module("azure.monitor.opentelemetry.exporter")
        exporter = azure.AzureMonitorMetricExporter(
            connection_string=os.environ[CONNECTION], disable_offline_storage=True
        )
        readers.append(export.PeriodicExportingMetricReader(exporter))
    return sdk.MeterProvider(readers, resource=resource, shutdown_on_exit=False)
