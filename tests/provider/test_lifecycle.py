"""One service through its life: up, answers, swap, rotate, down."""

from __future__ import annotations

import socket

import httpx
import pytest

from mldeploy.home import short_dir
from mldeploy.provider.framework.servicer import ProviderFailure
from mldeploy.provider.local.runs import Run, runs

from .conftest import Failed, Stack, write


def score(stack, key=None):
    headers = {"Authorization": f"Bearer {key or stack.key()}"}
    return httpx.post(stack.listener.outputs["scoring_uri"], content=b"abc", headers=headers, timeout=10)


def test_up_scores_and_down_leaves_nothing(stack, own_home):
    stack.up()
    assert score(stack).json() == {"model": "one", "got": 3}
    assert score(stack, "wrong").status_code == 401
    stack.down()
    with pytest.raises(httpx.ConnectError):
        score(stack)
    assert list(runs("replicas")) == list(runs("listeners")) == []
    left = [path for path in own_home.rglob("*") if path.is_file() and path.name != ".lock"]
    assert [path for path in left if "hashes.sqlite" not in path.name] == []
    for item in (stack.listener, stack.replica, stack.model, stack.image):
        item.delete()  # what is gone is gone


def test_a_swap_moves_the_port_to_the_new_model(stack, project):
    stack.up()
    stack.swap("two", project)
    assert score(stack).json()["model"] == "two"
    assert len(list(runs("replicas"))) == 1


def test_a_renamed_service_keeps_its_port_without_a_failed_request(stack, record, port):
    stack.up()
    renamed = Stack(record, port)
    renamed.model, renamed.image, renamed.keys = stack.model, stack.image, stack.keys
    renamed.replica.create(**renamed.replica_inputs(service="renamed"))
    renamed.listener.create(**{**renamed.listener_inputs(), "service": "renamed"})
    assert score(renamed).json()["model"] == "one"
    for item in (stack.listener, stack.gate, stack.replica):
        item.delete()
    assert score(renamed).json()["model"] == "one"
    renamed.listener.delete()
    renamed.replica.delete()
    with pytest.raises(httpx.ConnectError):
        score(renamed)


def test_another_port_for_the_same_replica(stack, port):
    stack.up()
    old = stack.listener
    old.delete()
    stack.listener = stack.record("service:Listener", "l")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        stack.port = probe.getsockname()[1]
    stack.listener.create(**stack.listener_inputs())
    assert score(stack).json()["model"] == "one"
    with pytest.raises(httpx.ConnectError):
        httpx.get(old.outputs["url"])


def test_a_home_with_a_long_path_still_has_its_sockets(stack, tmp_path, monkeypatch):
    deep = tmp_path / ("deep" * 20) / ("deeper" * 12)
    monkeypatch.setenv("MLDEPLOY_HOME", str(deep))
    stack.up()
    run = Run("replicas", stack.replica.id)
    assert len(str(run.control)) < 104 and not run.control.is_relative_to(deep)
    assert run.control.parent.stat().st_mode & 0o077 == 0
    assert score(stack).json()["model"] == "one"
    stack.down()
    assert not run.control.exists() and list(runs("replicas")) == []
    assert not [path for path in short_dir().iterdir() if path.name[:20] == run.control.name[:20]]
    forgotten = short_dir() / "0123-control.reserved"
    forgotten.write_text(str(tmp_path / "a home that was removed"))
    forgotten.with_suffix(".sock").touch()
    stack.up()
    assert not forgotten.exists() and not forgotten.with_suffix(".sock").exists()


def test_another_home_does_not_take_a_running_service_for_a_removed_one(
    stack, own_home, tmp_path, monkeypatch
):
    stack.up()
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "other"))
    words = f"runs from {own_home}, not from {tmp_path / 'other'}: .* with MLDEPLOY_HOME={own_home}"
    with pytest.raises((ProviderFailure, Failed), match=words):
        stack.listener.delete()
    with pytest.raises((ProviderFailure, Failed), match=words):
        stack.listener.read()
    for operation in (stack.replica.delete, stack.replica.read):
        with pytest.raises((ProviderFailure, Failed), match=words):
            operation()
    kept = f"is in {own_home}, not in {tmp_path / 'other'}: .* with MLDEPLOY_HOME={own_home}"
    for part in (stack.model, stack.image):
        for operation in (part.delete, part.read):
            with pytest.raises((ProviderFailure, Failed), match=kept):
                operation()
    assert score(stack).status_code == 200
    monkeypatch.setenv("MLDEPLOY_HOME", str(own_home))
    stack.down()


def test_several_models_have_one_folder_with_all_of_them(stack, project):
    write(project, "models/folder/sub/n.txt", "two")
    write(
        project,
        "scripts/score.py",
        """
        import os

        def init():
            global found
            root = os.environ["AZUREML_MODEL_DIR"]
            walked = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
            found = sorted(os.path.relpath(path, root) for path in walked)

        def run(body):
            return found
        """,
    )
    second = stack.record("model:StoredModel", "n")
    second.create(name="n", source="models/folder", version="7")
    models = [
        {"name": "n", "version": "7", "digest": second.outputs["digest"]},
    ]
    stack.model.create(name="m", source="models/m.txt", version="3")
    models.append({"name": "m", "version": "3", "digest": stack.model.outputs["digest"]})
    stack.image.create(image="i", source_directory="scripts", entry_script="score.py", runtime="python")
    stack.keys.create()
    stack.replica.create(**stack.replica_inputs(models=models))
    stack.listener.create(**stack.listener_inputs())
    assert score(stack).json() == ["m/3/m.txt", "n/7/folder/sub/n.txt"]
