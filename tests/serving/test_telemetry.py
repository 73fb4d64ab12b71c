"""Traces and metrics: what arrives at an OTLP collector and at Application Insights' ingestion endpoint."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from serving import measure, telemetry
from serving.config import Config
from tests.serving.replica import TEXT_SCRIPT, Replica

SCRIPT = """
    import logging
    from serving import measure

    def init():
        measure.count("models_loaded")

    def run(data):
        logging.warning("inside")
        measure.count("predictions", label="cat")
        measure.observe("confidence", 0.5, label="cat")
        if "fail" in data:
            raise ValueError(data)
        return len(data)
"""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Receiver:
    """Takes what is sent over HTTP, whatever it is."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                got.append((self.path, body))
                answer = json.dumps({"itemsReceived": 99, "itemsAccepted": 99, "errors": []}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, check: Callable[[], Any], seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while not (found := check()) and time.monotonic() < end:
            time.sleep(0.05)
        assert found, [path for path, _ in self.got]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


def otlp(url: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
    }


def spans(receiver: Receiver) -> dict[str, list[Any]]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found: dict[str, list[Any]] = {}
    for path, body in receiver.got:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.setdefault(span.name, []).append(span)
    return found


def metric_points(receiver: Receiver) -> dict[str, list[Any]]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    found: dict[str, list[Any]] = {}
    for path, body in receiver.got:
        if path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        found[metric.name] = [*metric.sum.data_points, *metric.histogram.data_points]
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_a_request_is_a_span_of_the_callers_trace(
    receiver: Receiver, replica: Callable[..., Replica]
) -> None:
    one = replica(SCRIPT, environ=otlp(receiver.url))
    assert one.request("/score", "abc", {"traceparent": PARENT, "x-request-id": "mine"}).json == 3
    assert one.request("/score", "fail").status == 500
    assert one.request("/score", method="DELETE").status == 405
    found = receiver.wait(lambda: len(s := spans(receiver)) >= 3 and len(s["POST /score"]) == 2 and s)
    first, second = found["POST /score"]
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (PARENT[3:35], PARENT[36:52])
    assert first.kind == 2
    about = attributes(first)
    assert (about["http.response.status_code"], about["http.route"], about["mldeploy.request_id"]) == (
        200, "/score", "mine",
    )  # fmt: skip
    run = next(span for span in found["run"] if span.trace_id == first.trace_id)
    assert run.parent_span_id == first.span_id
    assert first.start_time_unix_nano <= run.start_time_unix_nano <= run.end_time_unix_nano
    assert run.end_time_unix_nano <= first.end_time_unix_nano
    assert (second.status.code, attributes(second)["error.type"]) == (2, "500")
    failed = next(span for span in found["run"] if span.trace_id == second.trace_id)
    assert (failed.status.code, failed.status.message) == (2, "ValueError: fail")
    (event,) = failed.events
    raised = attributes(event)
    assert (raised["exception.type"], raised["exception.message"]) == ("ValueError", "fail")
    assert "raise ValueError(data)" in raised["exception.stacktrace"]
    assert run.status.code != 2
    assert second.trace_id != first.trace_id
    line = next(line for line in one.log() if line["message"] == "inside")
    assert line["trace_id"] == PARENT[3:35]


def test_metrics_of_the_server_and_of_the_script(receiver: Receiver, replica: Callable[..., Replica]) -> None:
    one = replica(SCRIPT, environ=otlp(receiver.url))
    for _ in range(3):
        one.request("/score", "abc")
    names = {
        "http.server.request.duration",
        "mldeploy.run.duration",
        "predictions",
        "models_loaded",
        "confidence",
    }
    found = receiver.wait(
        lambda: (
            names <= set(points := metric_points(receiver))
            and points["http.server.request.duration"][0].count == 3
            and points
        )
    )
    assert found["predictions"][0].as_double == 3 or found["predictions"][0].as_int == 3
    assert attributes(found["predictions"][0]) == {"label": "cat"}
    text = one.request("/metrics").body.decode()
    assert 'predictions_total{label="cat"} 3.0' in text
    assert 'confidence_count{label="cat"} 3.0' in text
    assert "models_loaded_total 1.0" in text


def test_application_insights_gets_requests(receiver: Receiver, replica: Callable[..., Replica]) -> None:
    pytest.importorskip("azure.monitor.opentelemetry.exporter")
    key = "11111111-2222-3333-4444-555555555555"
    connection = f"InstrumentationKey={key};IngestionEndpoint={receiver.url}/;LiveEndpoint={receiver.url}/"
    one = replica(
        SCRIPT,
        enable_app_insights=True,
        environ={telemetry.CONNECTION: connection, "OTEL_BSP_SCHEDULE_DELAY": "100"},
    )
    assert one.request("/score", "abc", {"traceparent": PARENT}).status == 200

    def requests() -> list[Any]:
        items = [item for path, body in receiver.got if "track" in path for item in json.loads(body)]
        return [item for item in items if item["data"]["baseType"] == "RequestData"]

    item = receiver.wait(requests)[0]
    assert item["iKey"] == key
    assert item["data"]["baseData"]["name"] == "POST /score"
    assert (item["data"]["baseData"]["responseCode"], item["data"]["baseData"]["success"]) == ("200", True)
    assert item["tags"]["ai.operation.id"] == PARENT[3:35]
    assert item["tags"]["ai.cloud.role"] == one.config["service"]


def test_a_collector_that_is_not_there_costs_no_request(replica: Callable[..., Replica]) -> None:
    one = replica(SCRIPT, environ=otlp("http://127.0.0.1:9"))
    assert all(one.request("/score", "abc").status == 200 for _ in range(20))
    # It also ends by itself, though the exporter would try again for longer than a replica has to end.
    assert one.stop() == 0


def test_it_is_off_unless_asked_for(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, enable_app_insights=True)
    assert one.score({"a": 1}).status == 200
    assert any("APPLICATIONINSIGHTS_CONNECTION_STRING is not set" in line["message"] for line in one.log())


def test_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", telemetry.CONNECTION: "InstrumentationKey=1"}
    assert telemetry.exporters(Config(), {}) == []
    assert telemetry.exporters(Config(), both) == ["otlp"]
    assert telemetry.exporters(Config(enable_app_insights=True), both) == ["otlp", "azure-monitor"]
    assert telemetry.exporters(Config(enable_app_insights=True), {**both, "OTEL_SDK_DISABLED": "true"}) == []
    monkeypatch.setattr(telemetry, "_installed", lambda module: not module.startswith("azure"))
    with pytest.raises(telemetry.TelemetryError, match="needs azure-monitor-opentelemetry-exporter"):
        telemetry.exporters(Config(enable_app_insights=True), both)


def test_metrics_have_fixed_kinds_and_bounded_dimensions() -> None:
    measure.count("test_hits", page="a")
    with pytest.raises(ValueError, match="test_hits is a counter with the dimensions"):
        measure.observe("test_hits", 1, page="a")
    with pytest.raises(ValueError, match="not a counter with"):
        measure.count("test_hits", other="a")
    with pytest.raises(ValueError, match="only grows"):
        measure.count("test_hits", -1, page="a")
    with pytest.raises(ValueError, match="'a b' is not allowed"):
        measure.count("a b")
    for number in range(measure.MOST_COMBINATIONS + 50):
        measure.count("test_many", user=number)
    from prometheus_client import generate_latest

    lines = [line for line in generate_latest().decode().splitlines() if line.startswith("test_many_total")]
    assert len(lines) == measure.MOST_COMBINATIONS + 1
    assert 'test_many_total{user="other"} 50.0' in lines
