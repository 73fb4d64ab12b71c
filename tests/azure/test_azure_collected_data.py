"""Data that the scoring server collects, in Azurite: append blobs and Parquet, with an Entra token."""

import io
import json

import pytest

from mldeploy.provider.azure import blobs
from tests.azure import azurite
from tests.serving.replica import TEXT_SCRIPT, start
from tests.serving.test_collection import metric, wait_for

pytestmark = [pytest.mark.skipif(bool(azurite.why_not()), reason=azurite.why_not()), pytest.mark.timeout(240)]


@pytest.fixture
def account(cloud, tmp_path, monkeypatch):
    data = tmp_path / "azurite"
    data.mkdir()
    with azurite.serve(data, cloud.folder) as url:
        monkeypatch.setenv("MLDEPLOY_BLOB_ENDPOINT", url)
        yield url


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_records_arrive_in_blobs_and_a_missing_container_costs_no_request(account, form):
    client = blobs.client(account, "modeldata")
    one = start(
        TEXT_SCRIPT,
        collect_model_data={"enabled": True, "destination": f"{account}/modeldata/in/here", "format": form},
    )
    try:
        one.wait_ready()
        one.accept()
        if form == "jsonl":
            assert one.request("/score", '{"a": 0}', {"x-request-id": "lost"}).status == 200
            wait_for(lambda: metric(one, "serving_collected_records_dropped_total") == 2, 60)
            assert any("404 The specified container does not exist" in line["message"] for line in one.log())
        client.create_container()
        for number in range(1, 4):
            answer = one.request("/score", json.dumps({"a": number}), {"x-request-id": str(number)})
            assert answer.status == 200
        one.control("stop", seconds=30)
        one.process.wait(45)
    finally:
        one.clean()
    names = list(client.list_blob_names())
    assert {name.split("/")[:2] == ["in", "here"] for name in names} == {True}
    found = {}
    for name in names:
        data = client.download_blob(name).readall()
        if form == "jsonl":
            rows = [json.loads(line) for line in data.splitlines()]
        else:
            parquet = pytest.importorskip("pyarrow.parquet")
            rows = [
                {**row, "data": json.loads(row["data"])}
                for row in parquet.read_table(io.BytesIO(data)).to_pylist()
            ]
        found.setdefault(name.split("/")[3], []).extend((row["correlationid"], row["data"]) for row in rows)
    assert sorted(found) == ["model_inputs", "model_outputs"]
    assert sorted(found["model_inputs"]) == [(str(n), {"a": n}) for n in range(1, 4)]
    assert [ident for ident, _ in sorted(found["model_outputs"])] == ["1", "2", "3"]
