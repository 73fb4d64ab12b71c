"""`collect_model_data` on the local target: from one line of the manifest to records in a folder."""

import json
import time

import pytest


def records(folder, collection):
    files = sorted(folder.glob(f"echo/{collection}/*/*/*/*/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def wait_for(check):
    end = time.monotonic() + 20
    while not (found := check()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("destination", [None, "kept/here"])
def test_inputs_and_outputs_are_kept(project, destination):
    collect = {"enabled": True} | ({"destination": destination} if destination else {})
    project.echo(collect_model_data=collect)
    project.change("up")
    assert project.post("echo", {"x": [3]}).status_code == 200
    folder = project.root / destination if destination else project.home / "collected"
    asked = wait_for(lambda: [r for r in records(folder, "model_inputs") if r["data"] == {"x": [3]}])
    answered = wait_for(
        lambda: [
            r for r in records(folder, "model_outputs") if r["correlationid"] == asked[0]["correlationid"]
        ]
    )
    assert answered[0]["data"]["scaled"] == [6]
    assert set(answered[0]["models"]) == {"echo"}
    assert project.change("up")["same"] > 0
    project.change("destroy")
    assert records(folder, "model_inputs"), "what was collected outlives the service"
