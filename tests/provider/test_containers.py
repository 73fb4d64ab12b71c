"""What a local service as a container asks of the Docker engine, and what it says when it cannot have it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pulumi
import pytest
import yaml

from components.compose import compose
from mldeploy.manifest import load
from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.local import containers, launch


@pytest.fixture
def engine(monkeypatch):
    """An engine that says of itself what a test puts in here."""
    said = {
        "OSType": "linux",
        "OperatingSystem": "Debian",
        "SecurityOptions": ["name=seccomp,profile=default"],
    }
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/an-engine.sock")
    monkeypatch.setattr(containers.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(containers.Engine, "info", lambda self: said)
    return said


def test_a_local_engine_is_fine(engine):
    assert containers.fault() is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"OperatingSystem": "Docker Desktop"}, "in a virtual machine"),
        ({"SecurityOptions": ["name=rootless"]}, "user ids of their own"),
        ({"SecurityOptions": ["name=userns"]}, "user ids of their own"),
    ],
)
def test_engines_whose_containers_are_elsewhere(engine, said, reason):
    engine.update(said)
    assert reason in containers.fault()


def test_a_remote_engine(engine, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://build@far")
    assert "ssh://build@far; allowed: one on this machine" in containers.fault()


def test_an_engine_that_does_not_answer(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(containers.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert f"{tmp_path}/none.sock does not answer" in containers.fault()
    with pytest.raises(ProvisionError, match="does not answer"):
        containers.Engine().remove("c")


def test_no_docker(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "not on PATH" in containers.fault()


def test_the_container_is_hardened_and_limited(tmp_path):
    limits = containers.Limits(cpu_cores=0.5, memory_gb=0.25)
    body = containers.create_body(
        "mldeploy/x:1", {containers.FOLDER: tmp_path}, {"A": "b=c\nd", "HOME": "/data"}, limits
    )
    host = body["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 1 << 28, 1 << 28)
    assert set(body["Env"]) == {"A=b=c\nd", "HOME=/data", "SERVING_PORT=null"}
    assert body["User"].split(":")[0] == str(os.getuid() or 10001)
    unlimited = containers.create_body("mldeploy/x:1", {containers.FOLDER: tmp_path}, {}, containers.Limits())
    assert "Memory" not in unlimited["HostConfig"]


class Registered(pulumi.runtime.Mocks):
    """Counts what a program registers."""

    def __init__(self):
        self.types = []

    def new_resource(self, args):
        self.types.append(args.typ)
        return args.name, {**args.inputs, "reference": "mldeploy/x:1", "scoring_uri": "", "swagger_uri": ""}

    def call(self, args):
        raise AssertionError(args.token)


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "m.pkl").write_text("m")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/score.py").write_text("def init(): pass\ndef run(data): return data\n")
    manifest = {
        "version": 1,
        "models": {"m": {"source": "m.pkl"}},
        "images": {"i": {"models": ["m"], "source_directory": "scripts", "entry_script": "score.py"}},
        "targets": {"here": {"type": "local", "runtime": "docker"}},
        "services": {"s": {"image": "i", "target": "here", "port": 8890}},
    }
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    monkeypatch.chdir(tmp_path)
    recorded = Registered()
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorded, project="p", stack="local")

    @pulumi.runtime.test
    def run():
        return pulumi.Output.from_input(compose(load(Path.cwd(), "local"))["services"])

    return recorded, run


def test_without_an_engine_nothing_is_registered(program, monkeypatch):
    recorded, run = program
    monkeypatch.setattr(containers, "fault", lambda: "no engine today")
    with pytest.raises(
        pulumi.RunError, match=r"targets.here.runtime: no engine today; or write `runtime: process`"
    ):
        run()
    assert not [kind for kind in recorded.types if kind.startswith("mldeploy:")]


def test_a_container_has_no_virtual_environment(program, monkeypatch):
    recorded, run = program
    monkeypatch.setattr(containers, "fault", lambda: None)
    run()
    assert "mldeploy:image:LocalImage" in recorded.types
    assert "mldeploy:image:Environment" not in recorded.types
    assert "mldeploy:service:Replica" in recorded.types


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (204, {"Running": True, "Pid": os.getpid()}, ""),
        (304, {"Running": True, "Pid": 2**22 + 1, "Status": "running"}, "the container c is running"),
        (204, {"Running": False, "Pid": 0, "Status": "exited"}, "the container c is exited"),
        (404, {}, "the container c does not start: No such container"),
    ],
)
def test_a_container_that_ended_is_started_again(tmp_path, status, state, said):
    """What the process that holds the port does, with the order that it finds in the replica's folder."""
    asked = []

    class Docker(BaseHTTPRequestHandler):
        def do_POST(self):
            self.answer(status, b"No such container" if status == 404 else b"")

        def do_GET(self):
            self.answer(200, json.dumps({"State": state}).encode())

        def answer(self, code, body):
            asked.append(f"{self.command} {self.path}")
            self.send_response(code)
            if code != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self):
            return "client"

    record = tmp_path / "process.json"
    order = {"engine": str(tmp_path / "d.sock"), "container": "c", "record": str(record)}
    with UnixStreamServer(order["engine"], Docker) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        made = subprocess.run(
            [sys.executable, "-I", "-S", launch.__file__],
            input=json.dumps(order),
            capture_output=True,
            text=True,
        )
        server.shutdown()
    assert asked[0] == "POST /containers/c/start"
    if said:
        assert made.returncode and said in made.stderr
        assert not record.exists()
    else:
        assert int(made.stdout) == os.getpid()
        assert json.loads(record.read_text()) == {"pid": os.getpid(), "born": launch.birth(os.getpid())}


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_starts_no_second_process(tmp_path, there):
    """The process runs: that its record cannot be written must not look like a failure to whoever starts it again."""
    record = tmp_path / "process.json"
    if there:
        record.write_text(
            '{"pid": 1, "born": "a long time ago, in another boot of this machine: 123456789012345678"}'
        )
    order = {
        "argv": ["sleep", "60"],
        "cwd": "/",
        "env": dict(os.environ),
        "log": "/dev/null",
        "record": str(record),
    }
    code = (
        "import runpy, os; keep = os.open\n"
        "def full(path, *rest, **more):\n"
        "    if str(path).startswith(ROOT + '.'): raise OSError(28, 'No space left on device')\n"
        "    return keep(path, *rest, **more)\n"
        "os.open = full\n"
        "runpy.run_path(LAUNCH, run_name='__main__')"
    )
    code = code.replace("ROOT", repr(str(record))).replace("LAUNCH", repr(launch.__file__))
    made = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(order), capture_output=True, text=True
    )
    pid = int(made.stdout)
    try:
        if there:
            assert json.loads(record.read_text()) == {"pid": pid, "born": launch.birth(pid)}
        else:
            assert "process.json cannot be written" in made.stderr
        assert list(tmp_path.iterdir()) == [record] * there
    finally:
        os.kill(pid, 9)
