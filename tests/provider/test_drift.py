"""What happens behind our back: refresh sees it, an update repairs it, with or without a refresh before."""

from __future__ import annotations

import pytest

from mldeploy.provider.local import processes
from mldeploy.provider.local import status as local_status
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.runs import Run, runs
from mldeploy.provider.local.store import Store, remove_tree

from .conftest import kill
from .test_lifecycle import score


def replaces(diff):
    return {path for path, change in diff.detailedDiff.items() if change.kind % 2}


def state(stack):
    return local_status.service_state(
        stack.listener.outputs,
        stack.replica.outputs,
        listener_id=stack.listener.id,
        replica_id=stack.replica.id,
    )


def test_nothing_happened(stack):
    stack.up()
    assert state(stack) == "healthy"
    assert local_status.log_path(stack.replica.id).is_file()
    for item, news in (
        (stack.model, {"name": "m", "source": "models/m.txt"}),
        (
            stack.image,
            {"image": "i", "source_directory": "scripts", "entry_script": "score.py", "runtime": "python"},
        ),
        (stack.keys, {}),
        (stack.replica, stack.replica_inputs()),
        (stack.gate, stack.gate_inputs()),
        (stack.listener, stack.listener_inputs()),
    ):
        assert item.read() == item.outputs
        assert dict(item.diff(news).detailedDiff) == {}, item.token


def test_a_killed_replica_is_gone_and_is_replaced(stack):
    stack.up()
    kill(stack.replica.outputs["pid"])
    assert stack.replica.read() is None
    assert stack.listener.read()["replica"] == ""
    assert replaces(stack.replica.diff(stack.replica_inputs())) == {"pid"}
    assert state(stack) == "unhealthy"
    stack.replica.create(**stack.replica_inputs())
    stack.listener.update(**stack.listener_inputs())
    assert score(stack).json()["model"] == "one" and state(stack) == "healthy"
    assert [run.ident for run in runs("replicas")] == [stack.replica.id], "what the dead one left is gone"


def test_a_hung_replica_is_unhealthy_and_is_replaced(stack):
    stack.up()
    Run("replicas", stack.replica.id).control.unlink()
    with pytest.raises(Exception, match="is hung, not ready"):
        stack.replica.read()
    assert replaces(stack.replica.diff(stack.replica_inputs())) == {"pid"}
    assert state(stack) == "unhealthy"


def test_a_killed_supervisor_is_gone_and_its_successor_takes_the_socket_from_the_replica(stack):
    stack.up()
    kill(stack.listener.outputs["pid"])
    assert score(stack).json()["model"] == "one", "the replica still accepts"
    assert stack.listener.read() is None
    assert list(stack.listener.diff(stack.listener_inputs()).detailedDiff) == ["pid"]
    stack.listener = stack.record("service:Listener", "l")
    stack.listener.create(**stack.listener_inputs())
    assert score(stack).json()["model"] == "one" and state(stack) == "healthy"
    assert [run.ident for run in runs("listeners")] == [stack.listener.id]


def test_a_killed_supervisor_is_started_again_by_an_update(stack, project):
    stack.up()
    old = stack.listener.outputs["pid"]
    kill(old)
    stack.swap("two", project)
    assert stack.listener.outputs["pid"] != old
    assert score(stack).json()["model"] == "two" and state(stack) == "healthy"


def test_everything_killed(stack):
    stack.up()
    kill(stack.listener.outputs["pid"])
    kill(stack.replica.outputs["pid"])
    assert state(stack) == "stopped"
    assert stack.listener.read() is None and stack.replica.read() is None
    stack.replica.create(**stack.replica_inputs())
    stack.listener.create(**stack.listener_inputs())
    assert score(stack).json()["model"] == "one"


def test_a_listener_that_another_one_switched(stack):
    stack.up()
    other = stack.record("service:Replica", "r2")
    other.create(**stack.replica_inputs())
    supervisor = Run("listeners", stack.listener.id)
    supervisor.call("switch", replica=other.id, control=str(Run("replicas", other.id).control))
    assert stack.listener.read()["replica"] == other.id
    assert list(stack.listener.diff(stack.listener_inputs()).detailedDiff) == ["replica"]
    stack.listener.update(**stack.listener_inputs())
    assert stack.listener.read()["replica"] == stack.replica.id
    other.delete()
    assert score(stack).status_code == 200


def test_the_stores_files_deleted(stack):
    stack.up()
    news = {"name": "m", "source": "models/m.txt"}
    remove_tree(Store(_store()).path(stack.model.outputs["digest"]))
    assert list(stack.model.diff(news).detailedDiff) == ["files"]
    assert stack.model.read() is None
    stack.model.update(**news)
    assert not stack.model.diff(news).detailedDiff and stack.model.read() == stack.model.outputs
    assert score(stack).json()["model"] == "one"


def _store():
    from mldeploy.home import store_dir

    return store_dir()


def test_a_listener_deleted_after_its_supervisor_died_closes_the_port(stack):
    stack.up()
    kill(stack.listener.outputs["pid"])
    stack.listener.delete()
    with pytest.raises(Exception, match="refused"):
        score(stack)


def test_missing():
    assert local_status.service_state(None, None) == "missing"


def test_a_reused_process_id_is_not_ours(stack):
    stack.up()
    pid, born = Run("replicas", stack.replica.id).process()
    assert processes.alive(pid, born) and not processes.alive(pid, "another boot:1")
    assert processes.birth(2**22 + 1) is None


def test_another_checkout_with_the_same_state_manages_the_same_services(stack, project, tmp_path):
    import shutil

    from mldeploy.provider.framework.servicer import Provider

    stack.up()
    shutil.copytree(project, tmp_path / "copy")
    stack.replica.provider = stack.model.provider = stack.image.provider = Provider(tmp_path / "copy")
    assert not stack.model.diff({"name": "m", "source": "models/m.txt"}).detailedDiff
    image = {"image": "i", "source_directory": "scripts", "entry_script": "score.py", "runtime": "python"}
    assert not stack.image.diff(image).detailedDiff
    assert not stack.replica.diff(stack.replica_inputs()).detailedDiff


def test_what_a_killed_update_left_running_goes_with_the_next_replica(stack, monkeypatch):
    stack.up()
    orphan = stack.record("service:Replica", "orphan")
    orphan.create(**stack.replica_inputs())
    young = stack.record("service:Replica", "young")
    young.create(**stack.replica_inputs())
    assert Run("replicas", orphan.id).alive(), "somebody may just be starting it"
    for run in runs("replicas"):
        write_json(run.path / "about.json", {**run.about(), "made": 0})
    new = stack.record("service:Replica", "new")
    new.create(**stack.replica_inputs())
    assert not Run("replicas", orphan.id).path.exists() and not Run("replicas", young.id).path.exists()
    assert score(stack).status_code == 200, "the one that has the port stays"
    new.delete()
