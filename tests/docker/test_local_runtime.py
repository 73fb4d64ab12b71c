"""`runtime: docker`: a local service as a hardened container, with the life that processes have, on both engines."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from ssl import create_default_context
from typing import Any

import httpx
import pytest

from mldeploy.operations.local import handles
from mldeploy.provider.local.containers import Engine
from tests.docker import daemon
from tests.docker.samples import REPOSITORY, SOURCES, copy_sample
from tests.stack import ENGINES, Stack, only

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
GOLDEN = json.loads((REPOSITORY / "golden/diabetes.json").read_text())
EXPECTED = json.loads((REPOSITORY / "golden/diabetes.expected.json").read_text())
SECRET = "5ecret-of-the-script"


class Local(Stack):
    """The diabetes sample, and a script that tells where it runs, on the local engine."""

    manifest: dict[str, Any]

    def write_program(self) -> None:
        super().write_program()
        copy_sample("diabetes", self.folder)
        for name in ("diabetes.json", "diabetes.expected.json"):
            (self.folder / "golden").mkdir(exist_ok=True)
            (self.folder / "golden" / name).write_bytes((REPOSITORY / "golden" / name).read_bytes())

    def describe(self, base: str) -> None:
        images: dict[str, Any] = {
            "diabetes": {
                "models": ["diabetes"],
                "source_directory": "entry_scripts/diabetes",
                "entry_script": "score.py",
                "conda_file": "conda.yml",
                "base_image": base,
            }
        }
        service = {
            "image": "diabetes",
            "target": "here",
            "port": daemon.free_port(),
            "auth_enabled": True,
            "cpu_cores": 1,
            "memory_gb": 0.5,
            "collect_model_data": {"enabled": True},
            "golden": [{"request": "golden/diabetes.json", "response": "golden/diabetes.expected.json"}],
        }
        self.manifest = {
            "version": 1,
            "models": {"diabetes": {"source": SOURCES["diabetes"]}},
            "images": images,
            "targets": {"here": {"type": "local", "runtime": "docker"}},
            "services": {"diabetes": service},
        }

    def up(self, check: bool = True) -> tuple[dict[str, int], str]:
        self.write_manifest(self.manifest)
        changes, error = self.run("up", check)
        return only(changes), error

    def service(self) -> Any:
        from mldeploy.engine import read_stack

        url = self.environment["PULUMI_BACKEND_URL"]
        resources = read_stack(self.folder, "local", backend_url=url, passphrase="test")
        return handles(resources)[0]

    def new_model(self) -> None:
        model = self.folder / SOURCES["diabetes"]
        model.write_bytes(model.read_bytes() + b"\n")


@pytest.fixture
def stack(
    tmp_path: Path,
    docker_host: str,
    offline_base: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Local]:
    # Another client that is first on PATH may be one without its builder.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").symlink_to(shutil.which(daemon.DOCKER) or daemon.DOCKER)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCRIPT_SECRET", SECRET)
    made = Local(tmp_path / "project", getattr(request, "param", "embedded"))
    made.describe(offline_base)
    yield made
    made.run("destroy")
    assert daemon.docker(docker_host, "ps", "--all", "--quiet") == ""
    assert daemon.docker(docker_host, "images", "--quiet", "mldeploy/*/*/*") == ""
    assert not list((tmp_path / "home/services/replicas").glob("*"))


def running(host: str) -> list[dict[str, Any]]:
    """What `docker inspect` says of each running container."""
    names = daemon.docker(host, "ps", "--quiet").split()
    return json.loads(daemon.docker(host, "inspect", *names)) if names else []


def score(stack: Local, key: str | None = None) -> httpx.Response:
    port = stack.manifest["services"]["diabetes"]["port"]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(
        f"http://127.0.0.1:{port}/score", json=GOLDEN, headers=headers, timeout=60, trust_env=False
    )


@pytest.mark.parametrize("stack", ENGINES, indirect=True)
def test_a_life(stack: Local, docker_host: str) -> None:
    stack.up()
    (first,) = running(docker_host)
    host, config = first["HostConfig"], first["Config"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (10**9, 1 << 29, 1 << 29)
    assert config["User"].split(":")[0] not in ("", "0")
    assert not host["PortBindings"]
    folders = sorted(mount["Destination"] for mount in first["Mounts"])
    assert folders == ["/run/mldeploy", "/run/mldeploy-collected/diabetes"]

    key = stack.service().keys().primary
    assert score(stack).status_code == 401
    assert score(stack, key).json() == pytest.approx(EXPECTED, rel=1e-6)
    collected = Path(os.environ["MLDEPLOY_HOME"]) / "collected/diabetes"
    assert eventually(lambda: [f for f in collected.glob("model_inputs/**/*.jsonl") if f.stat().st_size])
    assert stack.service().status("here").state == "healthy"
    assert any("ready" in line for line in stack.service().logs(lines=100, follow=False))
    assert stack.up()[0] == {}

    # Keys turn in place; the container stays.
    stack.manifest["services"]["diabetes"]["key_generation"] = {"primary": 2}
    stack.up()
    fresh = stack.service().keys().primary
    assert fresh != key
    assert eventually(lambda: score(stack, fresh).status_code == 200)
    assert eventually(lambda: score(stack, key).status_code == 401)
    assert [found["Id"] for found in running(docker_host)] == [first["Id"]]

    # A new model: another container takes the port, and no request fails meanwhile.
    stack.new_model()
    with Load(stack, fresh) as load:
        stack.up()
    assert load.statuses == {200}, load.errors
    assert load.count > 20
    (second,) = running(docker_host)
    assert second["Id"] != first["Id"]
    assert len(daemon.docker(docker_host, "images", "--quiet", "mldeploy/*/*/*").split()) == 1

    # Killed: it comes back by itself, and the state has nothing to do.
    daemon.docker(docker_host, "kill", second["Id"])
    assert eventually(lambda: score(stack, fresh).status_code == 200)
    assert eventually(lambda: stack.service().status("here").state == "healthy")
    assert [found["Id"] for found in running(docker_host)] == [second["Id"]]
    assert only(stack.run("refresh")[0]).get("delete") is None

    # Removed: status and refresh tell, `up` repairs.
    daemon.docker(docker_host, "rm", "--force", second["Id"])
    assert stack.service().status("here").state == "unhealthy"
    assert only(stack.run("refresh")[0]).get("delete") == 1
    stack.up()
    assert score(stack, fresh).status_code == 200
    assert len(daemon.docker(docker_host, "ps", "--all", "--quiet").split()) == 1


def test_a_model_that_fails_its_gate_gets_no_traffic(stack: Local, docker_host: str) -> None:
    stack.up()
    key = stack.service().keys().primary
    script = stack.folder / "entry_scripts/diabetes/score.py"
    text = script.read_text()
    script.write_text(text + "\n\ndef run(data):\n    return [1.0, 2.0]\n")
    _, error = stack.up(check=False)
    assert "the gate failed" in error
    assert score(stack, key).json() == pytest.approx(EXPECTED, rel=1e-6)
    script.write_text(text + "\n\ndef init():\n    raise RuntimeError('no weights here')\n")
    _, error = stack.up(check=False)
    assert "entry_scripts/diabetes/score.py:" in error
    assert "no weights here" in error
    script.write_text(text)
    stack.up()
    assert score(stack, key).json() == pytest.approx(EXPECTED, rel=1e-6)
    assert len(running(docker_host)) == 1


def test_the_memory_limit_is_enforced_and_named(stack: Local) -> None:
    script = stack.folder / "entry_scripts/diabetes/score.py"
    text = script.read_text()
    script.write_text(text + "\n\nhog = b'x' * (900 << 20)\n")
    _, error = stack.up(check=False)
    assert "no memory left (memory_gb: 0.5)" in error


def test_secret_variables_are_in_no_layer_and_no_state(stack: Local, docker_host: str) -> None:
    variables = {"PLAIN": "as it is", "TOKEN": {"env": "SCRIPT_SECRET"}}
    stack.manifest["images"]["diabetes"]["environment_variables"] = variables
    stack.manifest["services"]["diabetes"] |= {"auth_enabled": False, "golden": []}
    script = stack.folder / "entry_scripts/diabetes/score.py"
    script.write_text(
        "import os\n\ndef init():\n    pass\n\ndef run(data):\n"
        "    return [os.environ['PLAIN'], os.environ['TOKEN']]\n"
    )
    stack.up()
    assert score(stack).json() == ["as it is", SECRET]
    (tag,) = daemon.docker(
        docker_host, "images", "--format", "{{.Repository}}:{{.Tag}}", "mldeploy/*/*/*"
    ).split()
    for arguments in (("history", "--no-trunc", tag), ("inspect", tag)):
        assert SECRET not in daemon.docker(docker_host, *arguments)
    # Nor plain ones: they are the service's, and another value builds nothing.
    assert "as it is" not in daemon.docker(docker_host, "inspect", tag)
    assert SECRET not in stack.state()


def test_tls(stack: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.edge.test_device import certificate

    cert, key = certificate(tmp_path)
    monkeypatch.setenv("CERT", cert.read_text())
    monkeypatch.setenv("KEY", key.read_text())
    ssl = {"enabled": True, "cert": {"env": "CERT"}, "key": {"env": "KEY"}}
    stack.manifest["services"]["diabetes"] |= {"ssl": ssl, "auth_enabled": False}
    stack.up()
    port = stack.manifest["services"]["diabetes"]["port"]
    trusted = create_default_context(cafile=str(cert))
    answer = httpx.post(
        f"https://localhost:{port}/score", json=GOLDEN, verify=trusted, timeout=60, trust_env=False
    )
    assert answer.json() == pytest.approx(EXPECTED, rel=1e-6)


def test_an_engine_that_is_gone_is_an_error_and_no_absence(
    stack: Local, docker_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.up()
    replica = running(docker_host)[0]["Name"].strip("/")
    about = next(Path(stack.environment["MLDEPLOY_HOME"]).glob("services/replicas/*/about.json"))
    text = about.read_text()
    about.write_text(text.replace(docker_host, f"{docker_host}-gone"))
    _, error = stack.run("destroy", check=False)
    assert "does not answer" in error
    assert Engine(docker_host).state(replica)
    about.write_text(text)


class Load:
    """One request after another, until the block ends."""

    def __init__(self, stack: Local, key: str) -> None:
        self.stack, self.key = stack, key
        self.statuses: set[int] = set()
        self.errors: list[str] = []
        self.count = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        while not self.done.is_set():
            try:
                self.statuses.add(score(self.stack, self.key).status_code)
            except httpx.HTTPError as error:
                self.statuses.add(0)
                self.errors.append(repr(error))
            self.count += 1
            time.sleep(0.05)

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def eventually(check: Any, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
