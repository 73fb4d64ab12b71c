"""Data collection: what is kept of requests and answers, where, and what happens when that place fails."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mldeploy.provider.common.golden_requests import GoldenRequest
from serving.collection import frames
from serving.collection.settings import CollectionError, settings
from serving.collection.stores import Folder
from tests.serving.replica import TEXT_SCRIPT, Replica

RAW_SCRIPT = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse

    def init(): pass

    @rawhttp
    def run(request):
        return AMLResponse(b"\\x89PNG", 200, {"Content-Type": "image/png"})
"""
COLLECTORS = """
    import json
    import pandas as pd
    from azureml.ai.monitoring import Collector
    from azureml.ai.monitoring.context import BasicCorrelationContext
    from azureml.monitoring import ModelDataCollector

    def init():
        global inputs, outputs, v1, errors
        errors = []
        inputs, outputs = Collector(name="inputs", on_error=errors.append), Collector(name="outputs")
        v1 = ModelDataCollector("m", designation="features", feature_names=["a", "b"])

    def run(data):
        frame = pd.DataFrame(json.loads(data))
        context = inputs.collect(frame)
        outputs.collect(frame * 2, context)
        inputs.collect("no frame")
        v1.collect(frame.to_numpy())
        return [str(error) for error in errors]
"""


def records(folder: Path, collection: str) -> list[dict[str, Any]]:
    files = sorted(folder.glob(f"*/{collection}/*/*/*/*/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def wait_for(check: Callable[[], Any], seconds: float = 15) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < end:
        time.sleep(0.05)
    assert found
    return found


def metric(one: Replica, name: str) -> float:
    text = one.request("/metrics").body.decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def collecting(folder: Path, **more: Any) -> dict[str, Any]:
    return {"enabled": True, "destination": str(folder), **more}


def test_inputs_and_outputs_are_kept_with_the_ids_of_the_request(
    replica: Callable[..., Replica], tmp_path: Path
) -> None:
    one = replica(TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept"), models={"m": "3"})
    sent = {"x-request-id": "first", "x-ms-client-request-id": "mine", "Content-Type": "application/json"}
    assert one.request("/score", '{"a": [1, 2.5, NaN]}', sent).status == 200
    assert one.request("/score?x=1", None, {"x-request-id": "second"}, method="GET").status == 200
    wait_for(lambda: len(records(tmp_path / "kept", "model_outputs")) == 2)
    first, second = records(tmp_path / "kept", "model_inputs")
    assert (first["correlationid"], first["clientrequestid"], first["status"]) == ("first", "mine", 200)
    assert first["data"] == {"a": [1, 2.5, "NaN"]}
    assert (first["specversion"], first["type"], first["models"]) == (
        "1.0",
        "mldeploy.model_inputs",
        {"m": "3"},
    )
    assert (second["correlationid"], second["data"]) == ("second", "x=1")
    assert "golden" not in first
    outputs = {r["correlationid"]: r["data"] for r in records(tmp_path / "kept", "model_outputs")}
    assert outputs["second"]["got"] == {"x": 1}
    assert wait_for(lambda: metric(one, "serving_collected_records_total") == 4)
    modes = {oct(p.stat().st_mode & 0o777) for p in (tmp_path / "kept").rglob("*.jsonl")}
    assert modes == {"0o600"}


def test_golden_requests_of_a_gate_are_marked(replica: Callable[..., Replica], tmp_path: Path) -> None:
    """A new version's gate sends them: who reads the data can leave them out."""
    one = replica(TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept"))
    headers = GoldenRequest.decode({"request": "r.json"}).headers
    assert one.request("/score", "{}", headers).status == 200
    wait_for(lambda: records(tmp_path / "kept", "model_outputs"))
    for collection in ("model_inputs", "model_outputs"):
        assert [one["golden"] for one in records(tmp_path / "kept", collection)] == [True]


def test_failures_and_keys_are_not_kept(replica: Callable[..., Replica], tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"primary": "very-secret-key"}')
    one = replica(
        TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept"), auth_enabled=True, keys_file=str(keys)
    )
    good = {"Authorization": "Bearer very-secret-key", "x-request-id": "good"}
    assert one.request("/score", '{"raise": "no"}', good).status == 500
    assert one.request("/score", "{}").status == 401
    assert one.request("/score", '{"a": 1}', good).status == 200
    wait_for(lambda: records(tmp_path / "kept", "model_outputs"))
    assert len(records(tmp_path / "kept", "model_inputs")) == 1
    everything = "".join(p.read_text() for p in (tmp_path / "kept").rglob("*.jsonl"))
    assert "very-secret-key" not in everything


def test_sampling_keeps_both_sides_of_a_request(replica: Callable[..., Replica], tmp_path: Path) -> None:
    one = replica(TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept", sampling=0.3))
    with_client = one.client()
    for number in range(300):
        one.request("/score", '{"a": 1}', {"x-request-id": f"id-{number}"}, client=with_client)
    assert one.control("stop", seconds=30) == {"ok": True}
    one.process.wait(45)
    kept = [
        {r["correlationid"] for r in records(tmp_path / "kept", c)} for c in ("model_inputs", "model_outputs")
    ]
    assert kept[0] == kept[1]
    assert 50 <= len(kept[0]) <= 130


def test_bytes_are_kept_as_base64(replica: Callable[..., Replica], tmp_path: Path) -> None:
    one = replica(RAW_SCRIPT, collect_model_data=collecting(tmp_path / "kept"))
    assert one.request("/score", b"\xff\xfe\x00", {"Content-Type": "application/octet-stream"}).status == 200
    wait_for(lambda: records(tmp_path / "kept", "model_outputs"))
    assert records(tmp_path / "kept", "model_inputs")[0]["data_base64"] == "//4A"
    answer = records(tmp_path / "kept", "model_outputs")[0]
    assert (answer["datacontenttype"], answer["data_base64"]) == ("image/png", "iVBORw==")


def test_scripts_collect_with_the_classes_of_azure_ml(
    replica: Callable[..., Replica], tmp_path: Path
) -> None:
    one = replica(COLLECTORS, collect_model_data=collecting(tmp_path / "kept", collections=["model_inputs"]))
    answer = one.request("/score", '{"a": [1], "b": [2]}', {"x-request-id": "mine"})
    assert answer.json == ["data type (str) not supported, supported types: pandas.DataFrame"]
    wait_for(lambda: records(tmp_path / "kept", "m.features"))
    assert [r["data"] for r in records(tmp_path / "kept", "inputs")] == [[{"a": 1, "b": 2}]]
    assert [r["data"] for r in records(tmp_path / "kept", "outputs")] == [[{"a": 2, "b": 4}]]
    assert [r["data"] for r in records(tmp_path / "kept", "m.features")] == [[{"a": 1, "b": 2}]]
    for name in ("inputs", "outputs", "m.features", "model_inputs"):
        assert {r["correlationid"] for r in records(tmp_path / "kept", name)} == {"mine"}
    assert not records(tmp_path / "kept", "model_outputs")


def test_collectors_do_nothing_where_collection_is_off(replica: Callable[..., Replica]) -> None:
    one = replica(COLLECTORS)
    assert one.request("/score", '{"a": [1], "b": [2]}').status == 200
    assert [line for line in one.log() if "collect_model_data is off" in line["message"]]


def test_parquet_is_written_at_the_end(replica: Callable[..., Replica], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    one = replica(TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept", format="parquet"))
    for number in range(3):
        one.request("/score", json.dumps({"a": number}), {"x-request-id": str(number)})
    one.control("stop", seconds=30)
    one.process.wait(45)
    files = list((tmp_path / "kept").glob("*/model_inputs/*/*/*/*/*.parquet"))
    rows = [row for file in files for row in parquet.read_table(file, partitioning=None).to_pylist()]
    assert sorted((row["correlationid"], json.loads(row["data"])["a"], row["status"]) for row in rows) == [
        ("0", 0, 200), ("1", 1, 200), ("2", 2, 200),
    ]  # fmt: skip


def test_a_destination_that_fails_costs_records_not_requests(
    replica: Callable[..., Replica], tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    one = replica(TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept"))
    for _ in range(5):
        assert one.score({"a": 1}).status == 200
    wait_for(lambda: metric(one, "serving_collected_records_dropped_total") == 10)
    assert any("collected data cannot be written" in line["message"] for line in one.log())


def test_a_killed_collector_is_replaced_and_leaves_whole_lines(
    replica: Callable[..., Replica], tmp_path: Path
) -> None:
    one = replica(TEXT_SCRIPT, collect_model_data=collecting(tmp_path / "kept"))
    one.score({"a": 0})
    wait_for(lambda: records(tmp_path / "kept", "model_outputs"))
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
    collector = next(int(pid) for pid in children if int(pid) not in one.workers)
    os.kill(collector, signal.SIGKILL)
    for number in range(1, 20):
        assert one.score({"a": number}).status == 200
        time.sleep(0.02)
    wait_for(lambda: {19} <= {r["data"]["a"] for r in records(tmp_path / "kept", "model_inputs")})
    assert any("the collector ended" in line["message"] for line in one.log())


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tmp_path))
    folder.append("a/b.jsonl", b"one\n")
    real, calls = os.write, []

    def write(fd: int, data: Any) -> int:
        calls.append(fd)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(fd, bytes(data)[:2])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        folder.append("a/b.jsonl", b"two\n")
    monkeypatch.undo()
    folder.append("a/b.jsonl", b"three\n")
    assert (tmp_path / "a/b.jsonl").read_bytes() == b"one\nthree\n"


def test_frames_come_out_as_they_went_in() -> None:
    sent = [(f'{{"n": {n}}}', os.urandom(n * 37)) for n in range(20)]
    stream = b"".join(frames.encode(head, data) for head, data in sent)
    for size in (1, 7, 64, len(stream)):
        decoder = frames.Decoder()
        found = [f for i in range(0, len(stream), size) for f in decoder.feed(stream[i : i + size])]
        assert found == [(json.loads(head), data) for head, data in sent]
    with pytest.raises(frames.FrameError):
        frames.Decoder().feed(b"\xff" * 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sampling": 2, "destination": "/x"}, "sampling: 2 is not allowed; give a number from 0 to 1"),
        ({"destination": "x"}, "destination: 'x' is not allowed; give a folder's absolute path or https"),
        ({"destination": "https://a.blob.core.windows.net"}, "names no container"),
        ({"destination": "https://a/b?sig=x"}, "a URL with a signature is a secret"),
        ({"destination": "/x", "format": "csv"}, "format: 'csv' is not allowed; choose jsonl, parquet"),
        ({"destination": "/x", "collections": ["a"]}, "collections: 'a' is not allowed"),
        ({"destination": "/x", "colour": 1}, "unknown keys colour; allowed: enabled, sampling"),
    ],
)
def test_settings_that_cannot_be_used(given: dict[str, Any], message: str) -> None:
    with pytest.raises(CollectionError) as caught:
        settings(given)
    assert message in str(caught.value)


def test_nothing_is_collected_unless_asked() -> None:
    assert settings(None) is None
    assert settings({"enabled": False, "destination": "nowhere"}) is None
