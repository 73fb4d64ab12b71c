"""What fails says why, and what served before still serves."""

from __future__ import annotations

import socket

import httpx
import pytest

from mldeploy.provider.framework.servicer import ProviderFailure
from mldeploy.provider.local.runs import Run, runs

from .conftest import CheckFailed, Failed, write
from .test_lifecycle import score


def failing_replica(stack, project, text):
    write(project, "scripts/score.py", text)
    image = stack.record("image:Environment", "i2")
    image.create(image="i", source_directory="scripts", entry_script="score.py", runtime="python")
    digests = {"image": image.outputs["digest"], "environment_digest": image.outputs["environment_digest"]}
    try:
        with pytest.raises(Failed) as caught:
            stack.record("service:Replica", "r2").create(**stack.replica_inputs(**digests))
    finally:
        image.delete()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "first_line"),
    [
        ("def init(:\n    pass\n", "service s: scripts/score.py:1: SyntaxError: invalid syntax"),
        (
            "def init():\n    raise ValueError('no model today')\n\ndef run(d): pass\n",
            "service s: scripts/score.py:2: init() raised ValueError: no model today",
        ),
        (
            "import cv2\ndef init(): pass\ndef run(d): pass\n",
            "service s: scripts/score.py needs the package 'opencv-python-headless' (module 'cv2'): "
            "add it to conda_file",
        ),
        ("x = 1 / 0\n", "service s: scripts/score.py:1: ZeroDivisionError: division by zero"),
        ("import os\nos._exit(7)\n", "service s: scripts/score.py: the process ended"),
    ],
    ids=["syntax", "init", "package", "import", "exit"],
)
def test_a_script_that_does_not_start(stack, project, text, first_line):
    stack.up()
    message = failing_replica(stack, project, text)
    assert message.splitlines()[0] == first_line
    if "exit" not in text:
        assert "the script's traceback:" in message and 'File "scripts/score.py", line' in message
    assert score(stack).json()["model"] == "one"
    assert [run.ident for run in runs("replicas")] == [stack.replica.id], "nothing of it stays"


def test_a_replica_that_never_gets_ready(stack, project, monkeypatch):
    monkeypatch.setattr("mldeploy.provider.local.replica._READY_SECONDS", 1.0)
    stack.up()
    message = failing_replica(stack, project, "import time\ndef init(): time.sleep(60)\ndef run(d): pass\n")
    assert "not ready after 1 seconds (init() still runs?)" in message
    assert [run.ident for run in runs("replicas")] == [stack.replica.id]


def test_a_cancelled_start_leaves_nothing(stack, project, provider):
    stack.up()
    provider.Cancel(None)
    with pytest.raises(Failed, match="cancelled"):
        stack.record("service:Replica", "r2").create(**stack.replica_inputs())
    assert [run.ident for run in runs("replicas")] == [stack.replica.id]


def test_a_wrong_golden_answer(stack, project):
    stack.up()
    write(project, "golden/expected.json", '{"model": "two", "got": 11}')
    wrong = {
        **stack.gate_inputs(),
        "golden": [{"request": "golden/request.json", "response": "golden/expected.json"}],
    }
    with pytest.raises(Failed) as caught:
        stack.gate.update(**wrong)
    message = str(caught.value)
    assert message.splitlines()[0] == (
        "service s: the gate failed: golden/request.json: not the answer in golden/expected.json: "
        'at $.model: expected "two", got "one"'
    )
    assert score(stack).json()["model"] == "one"


def test_a_golden_request_that_raises_shows_the_scripts_traceback(stack, project):
    text = "def init(): pass\n\ndef run(body):\n    raise KeyError('colour')\n"
    write(project, "scripts/score.py", text)
    with pytest.raises(Failed) as caught:
        stack.up()
    message = str(caught.value)
    assert "the gate failed: golden/request.json: status 500" in message
    assert "KeyError: 'colour'" in message and 'File "scripts/score.py", line 4' in message


def test_golden_files_are_checked_before_anything_happens(stack):
    golden = [{"request": "golden/no.json"}, {"request": "../x", "tolerance": -1}]
    with pytest.raises(CheckFailed) as caught:
        stack.gate.check({"replica": "r", "service": "s", "golden": golden})
    assert caught.value.failures == [("golden[1].tolerance", "is -1; allowed: at least 0")]
    with pytest.raises(CheckFailed) as caught:
        stack.gate.check({"replica": "r", "service": "s", "golden": [{"request": "golden/no.json"}]})
    assert caught.value.failures == [
        ("golden[0].request", "golden/no.json: no such file or folder in the project")
    ]


def test_without_golden_requests_the_replica_has_to_answer(stack):
    stack.up()
    stack.gate.update(replica=stack.replica.id, service="s")
    assert stack.gate.outputs["passed"] == 0
    stack.replica.delete()
    with pytest.raises(Failed, match="is gone"):
        stack.gate.update(replica=stack.replica.id, service="s")


def test_a_port_of_another_process_is_named_with_its_owner(stack, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(Failed) as caught:
            stack.up()
    assert f"port {port} is in use by process " in str(caught.value) and "(p" in str(caught.value)
    assert list(runs("listeners")) == []


def test_a_port_of_another_service_is_named_with_the_service(stack):
    stack.up()
    for project, service in (("bakery", "other"), ("shop", "s")):
        other = stack.record("service:Listener", "other")
        other.urn = other.urn.replace("shop", project)
        with pytest.raises(Failed, match=r"is in use by the service 's' of shop/local \(listener s-"):
            other.create(service=service, port=stack.port, replica=stack.replica.id)
    assert score(stack).json()["model"] == "one"


def test_a_replica_that_cannot_take_the_port_leaves_it_where_it_was(stack):
    stack.up()
    with pytest.raises(Failed, match="cannot take port"):
        stack.listener.update(**{**stack.listener_inputs(), "replica": "s-gone-000000"})
    assert score(stack).json()["model"] == "one"
    assert stack.listener.read()["replica"] == stack.replica.id


@pytest.mark.parametrize(
    ("changed", "property_", "reason"),
    [
        ({"num_replicas": 0}, "num_replicas", "is 0; allowed: at least 1 and at most 256"),
        ({"scoring_timeout_ms": "soon"}, "scoring_timeout_ms", "must be a whole number, not 'soon'"),
        ({"auth_enabled": "yes"}, "auth_enabled", "must be a boolean, not 'yes'"),
        ({"keys": None}, "keys", "are required when auth_enabled is true"),
        ({"keys": {"primary": 7, "secondary": "x"}}, "keys.primary", "must be a string, not a int"),
        ({"service": "../x"}, "service", "is '../x'; allowed: letters"),
        (
            {"models": [{"name": "m", "version": "a/b", "digest": "d"}]},
            "models[0].version",
            "is 'a/b'; allowed",
        ),
        ({"models": [{"name": "m", "digest": "d"}]}, "models[0].version", "is required"),
        (
            {"environment_variables": {"PYTHONPATH": "x"}},
            "environment_variables.PYTHONPATH",
            "leads to the scoring server",
        ),
        ({"environment_variables": {"A": 1}}, "environment_variables.A", "must be a string, not 1"),
    ],
)
def test_bad_inputs_of_a_replica(record, changed, property_, reason):
    good = {
        "service": "s", "image": "i", "environment_digest": "e", "source_directory": "scripts",
        "entry_script": "score.py", "auth_enabled": True, "keys": {"primary": "p", "secondary": "q"},
    }  # fmt: skip
    values = {name: value for name, value in {**good, **changed}.items() if value is not None}
    with pytest.raises(CheckFailed) as caught:
        record("service:Replica").check(values)
    assert [(name, reason in text) for name, text in caught.value.failures] == [(property_, True)]


@pytest.mark.parametrize(
    ("changed", "property_", "reason"),
    [
        ({"source": "models/no.txt"}, "source", "models/no.txt: no such file or folder in the project"),
        ({"source": "../../etc"}, "source", "no such file or folder"),
        ({"source": "models/.."}, "source", "is the project's own folder"),
        ({"source": "a\0b"}, "source", "no such file or folder"),
        ({"source": "azureml://jobs/x/outputs/y"}, "source", "not in this version"),
        ({"source": "s3://x/y"}, "source", "unknown kind of source"),
        ({"name": "a/b"}, "name", "is 'a/b'; allowed: letters"),
        ({"version": ".."}, "version", "is '..'; allowed: letters"),
    ],
)
def test_bad_inputs_of_a_model(record, changed, property_, reason):
    with pytest.raises(CheckFailed) as caught:
        record("model:StoredModel").check({"name": "m", "source": "models/m.txt"} | changed)
    assert [(name, reason in text) for name, text in caught.value.failures] == [(property_, True)]


def test_a_pinned_version_with_other_content_is_refused_in_the_preview(record, project):
    model = record("model:StoredModel")
    first = model.create(name="m", source="models/m.txt", version="3")["digest"]
    write(project, "models/m.txt", "two")
    with pytest.raises(CheckFailed) as caught:
        model.check({"name": "m", "source": "models/m.txt", "version": "3"})
    ((property_, reason),) = caught.value.failures
    assert property_ == "version" and first in reason and "the source now has" in reason


def test_replicas_answer_503_while_they_are_dead(stack):
    stack.up()
    Run("replicas", stack.replica.id).stop(0)
    answer = httpx.get(stack.listener.outputs["url"] + "/", timeout=10)
    assert answer.status_code == 503 and "mldeploy up" in answer.json()["error"]


def test_a_change_to_a_port_that_is_taken_leaves_the_service_where_it_is(stack):
    stack.up()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProviderFailure, match=f"port {port} is in use by process "):
            stack.listener.diff({**stack.listener_inputs(), "port": port})
    assert stack.listener.diff({**stack.listener_inputs(), "port": port}).replaces == ["port"]
    assert score(stack).status_code == 200
