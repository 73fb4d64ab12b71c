"""A new model version reaches clients without a failed request; a bad one never does."""

import json
import threading
import time

import httpx
import pytest

from tests.lifecycle.conftest import engines


class Load:
    """Clients that ask one service without a pause and keep every answer. Half of them keep their connection."""

    def __init__(self, uri, clients=8):
        self.uri, self.failures, self.factors = uri, [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n % 2 == 0,)) for n in range(clients)]

    def _ask(self, keep_alive):
        client = httpx.Client(timeout=30)
        while not self._stop.is_set():
            try:
                headers = {} if keep_alive else {"Connection": "close"}
                answer = client.post(self.uri, json={"x": [1]}, headers=headers)
                factor = answer.json()["factor"]
                if answer.status_code != 200 or answer.json()["scaled"] != [factor]:
                    self.failures.append((answer.status_code, answer.text))
                self.factors.append(factor)
            except Exception as error:
                self.failures.append(repr(error))
            time.sleep(0.002)
        client.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("engine", engines())
def test_a_new_model_under_load_fails_no_request(make_project, engine):
    project = make_project(engine)
    project.echo(factor=1)
    project.run("up", "--yes")
    versions = {project.status()["echo"]["models"]["echo"]}
    swaps = 3
    with Load(project.status()["echo"]["scoring_uri"]) as load:
        for factor in range(2, swaps + 2):
            project.model(factor)
            changes = project.change("up")
            assert changes["replace"] == 2  # the model and the replica
            versions.add(project.status()["echo"]["models"]["echo"])
            assert project.post("echo", {"x": [1]}).json()["factor"] == factor
    assert load.failures == []
    assert set(load.factors) == set(range(1, swaps + 2))
    assert len(versions) == swaps + 1


@pytest.mark.reliability
def test_ten_swaps_under_load(project):
    project.echo(factor=1)
    project.run("up", "--yes")
    with Load(project.status()["echo"]["scoring_uri"]) as load:
        for factor in range(2, 12):
            project.model(factor)
            project.run("up", "--yes")
    assert load.failures == []
    assert set(load.factors) == set(range(1, 12))


BROKEN = {
    "an import of what is not there": ("import no_such_module\n", ["no_such_module", "score.py"]),
    "an exception in init": (
        "def init():\n    raise RuntimeError('no weights today')\ndef run(raw):\n    return 1\n",
        ["RuntimeError", "no weights today", "score.py"],
    ),
    "a wrong golden answer": (
        "def init():\n    pass\ndef run(raw):\n    return {'scaled': [7, 7], 'factor': 2}\n",
        ["golden/echo.json", "7"],
    ),
    "a missing package": (
        "import not_there_at_all\ndef init():\n    pass\ndef run(raw):\n    return 1\n",
        ["not_there_at_all", "conda_file"],
    ),
    "an exception in run": (
        "def init():\n    pass\ndef run(raw):\n    raise ValueError('cannot score this')\n",
        ["golden/echo.json", "cannot score this"],
    ),
}


@pytest.mark.parametrize("engine", engines())
def test_a_broken_script_leaves_the_old_version_serving(make_project, engine):
    project = make_project(engine)
    project.echo(factor=2)
    project.run("up", "--yes")
    good = (project.root / "scripts/score.py").read_text()
    row = project.status()["echo"]
    for fault, (script, words) in BROKEN.items():
        project.write("scripts/score.py", script)
        done = project.run("up", "--yes", check=False)
        printed = done.stdout + done.stderr
        assert done.returncode == 1, fault
        for word in words:
            assert word in printed, f"{fault}: {word!r} is not in\n{printed}"
        assert project.status()["echo"] == row, fault
        assert project.post("echo", {"x": [4]}).json() == {"scaled": [8], "factor": 2}, fault
    project.write("scripts/score.py", good + "\n# fixed\n")
    project.run("up", "--yes")
    assert project.post("echo", {"x": [4]}).json() == {"scaled": [8], "factor": 2}
    assert [r for r in project.resources() if r.get("delete")] == []
    assert sum(r["type"] == "mldeploy:service:Replica" for r in project.resources()) == 1
    project.run("preview", "--expect-no-changes")


def test_going_back_to_the_old_content_after_a_failed_gate(project):
    project.echo(factor=2)
    project.run("up", "--yes")
    good = (project.root / "scripts/score.py").read_text()
    project.write("scripts/score.py", BROKEN["a wrong golden answer"][0])
    assert project.run("up", "--yes", check=False).returncode == 1
    project.write("scripts/score.py", good)
    project.run("up", "--yes")
    assert project.post("echo", {"x": [4]}).json() == {"scaled": [8], "factor": 2}
    project.run("preview", "--expect-no-changes")


def test_a_pinned_version_keeps_its_content(project):
    project.echo(factor=2)
    project.edit_manifest(lambda m: m["models"]["echo"].update(version="3"))
    project.run("up", "--yes")
    assert project.status()["echo"]["models"] == {"echo": "3"}
    project.model(9)
    done = project.run("up", "--yes", check=False)
    assert done.returncode == 1
    printed = done.stdout + done.stderr
    assert "version" in printed
    assert "'3'" in printed or '"3"' in printed
    project.edit_manifest(lambda m: m["models"]["echo"].update(version="4"))
    project.run("up", "--yes")
    assert project.status()["echo"]["models"] == {"echo": "4"}
    assert project.post("echo", {"x": [1]}).json()["factor"] == 9


def test_rotating_one_key_leaves_the_other_and_restarts_nothing(project):
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    keys = json.loads(project.run("keys", "echo", "--show", "--json").stdout)
    pid = project.outputs("Replica")["pid"]
    assert project.post("echo", {"x": [1]}).status_code == 401
    assert project.post("echo", {"x": [1]}, keys["primary"]).status_code == 200
    project.edit_manifest(lambda m: m["services"]["echo"].update(key_generation={"primary": 2}))
    project.run("up", "--yes")
    after = json.loads(project.run("keys", "echo", "--show", "--json").stdout)
    assert after["secondary"] == keys["secondary"]
    assert after["primary"] != keys["primary"]
    assert project.outputs("Replica")["pid"] == pid
    deadline = time.monotonic() + 10
    while project.post("echo", {"x": [1]}, after["primary"]).status_code != 200:
        assert time.monotonic() < deadline
    assert project.post("echo", {"x": [1]}, keys["primary"]).status_code == 401
    assert project.post("echo", {"x": [1]}, keys["secondary"]).status_code == 200
    masked = project.run("keys", "echo").stdout
    assert after["primary"] not in masked
