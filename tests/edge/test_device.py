"""The sample as a module on a device: built, deployed through the hub, run by a real Docker Engine, and scored."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mldeploy.edge import Mount, ScoringOptions, create_options
from mldeploy.edge.options import environment
from mldeploy.provider.framework.resource import UnhealthyError
from tests.docker import daemon
from tests.docker.samples import REPOSITORY, Sample
from tests.edge.conftest import Driver
from tests.edge.device import Agent

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
GOLDEN = json.loads((REPOSITORY / "golden/diabetes.json").read_text())
EXPECTED = json.loads((REPOSITORY / "golden/diabetes.expected.json").read_text())


@pytest.fixture(scope="module")
def image(docker_host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample's image, built without a network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLDEPLOY_HOME", str(tmp_path_factory.mktemp("home")))
        return Sample("diabetes", tmp_path_factory.mktemp("project"), base_image).build(docker_host, "edge")


@pytest.fixture
def agent(driver: Driver, docker_host: str) -> Iterator[Agent]:
    made = Agent(driver.server.hub, "line-1", docker_host)
    driver.server.hub.devices = {"line-1": driver.server.hub.devices["line-1"]}
    driver.server.hub.health = lambda device, modules: made.healthy("diabetes")
    yield made
    made.close()


def deploy(driver: Driver, agent: Agent, image: str, options: ScoringOptions) -> None:
    """`up` with a wait for the device, which works meanwhile."""
    done = threading.Event()
    problems: list[BaseException] = []

    def work() -> None:
        while not done.is_set():
            try:
                agent.reconcile()
            except BaseException as error:
                problems.append(error)
                driver.ctx.cancelled.set()
                return
            done.wait(0.2)

    device = threading.Thread(target=work)
    device.start()
    module = {"image": image, "create_options": create_options(options), "env": environment(options)}
    try:
        driver.up(modules={"diabetes": module}, wait={"timeout": 120, "failed": 0})
    except UnhealthyError as error:
        said = agent.inspect("diabetes").get("State"), agent.logs("diabetes")
        pytest.fail(f"{error}\n{problems}\n{said}")
    finally:
        done.set()
        device.join()


def score(url: str, key: str | None = None, **client: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{url}/score", json=GOLDEN, headers=headers, timeout=60, trust_env=False, **client)


def eventually(check: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_the_sample_answers_on_a_device(driver: Driver, agent: Agent, image: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys" / "scoring.json"
    keys.parent.mkdir()
    keys.write_text(json.dumps({"primary": "first-key", "secondary": "second-key"}))
    collected = tmp_path / "collected"
    collected.mkdir()
    collected.chmod(0o777)
    tmp_path.chmod(0o755)
    port = daemon.free_port()
    options = ScoringOptions(
        port=port,
        bind_address="127.0.0.1",
        cpu_cores=1,
        memory_gb=0.5,
        auth_enabled=True,
        keys_file=str(keys),
        mounts=(Mount(source=str(collected), target="/collected", writable=True),),
    )
    deploy(driver, agent, image, options)
    assert driver.messages[-1].startswith("1 devices targeted, 1 applied, 1 report success")
    url = f"http://127.0.0.1:{port}"
    answer = score(url, "first-key")
    assert answer.status_code == 200, answer.text
    assert answer.json() == pytest.approx(EXPECTED, rel=1e-6)
    assert score(url).status_code == 401
    assert httpx.get(f"{url}/swagger.json", trust_env=False).json()["paths"]["/score"]

    found = agent.inspect("diabetes")
    host = found["HostConfig"]
    assert (host["NanoCpus"], host["Memory"]) == (1_000_000_000, 536_870_912)
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert found["Config"]["User"] == "10001:10001"
    assert "Read-only file system" in agent.run("diabetes", "python3", "-c", "open('/opt/x', 'w')")
    agent.run("diabetes", "python3", "-c", "open('/collected/x', 'w').write('kept')")
    assert (collected / "x").read_text() == "kept"

    # New keys on the device, put there the way files are replaced: the module takes them without a restart.
    fresh = keys.with_suffix(".new")
    fresh.write_text(json.dumps({"primary": "third-key", "secondary": "second-key"}))
    fresh.rename(keys)
    assert eventually(lambda: score(url, "third-key").status_code == 200)
    assert eventually(lambda: score(url, "first-key").status_code == 401)
    assert agent.inspect("diabetes")["RestartCount"] == 0


def test_tls_with_the_devices_certificate(driver: Driver, agent: Agent, image: str, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    port = daemon.free_port()
    options = ScoringOptions(port=port, bind_address="127.0.0.1", cert_file=str(cert), key_file=str(key))
    deploy(driver, agent, image, options)
    context = ssl.create_default_context(cafile=str(cert))
    answer = score(f"https://localhost:{port}", verify=context)
    assert answer.json() == pytest.approx(EXPECTED, rel=1e-6)
    with pytest.raises(httpx.TransportError):
        score(f"http://127.0.0.1:{port}").raise_for_status()


def test_it_starts_without_any_network(driver: Driver, agent: Agent, image: str) -> None:
    """The model and all packages are in the image."""
    deploy(driver, agent, image, ScoringOptions(extra={"HostConfig": {"NetworkMode": "none"}}))
    assert agent.inspect("diabetes")["HostConfig"]["NetworkMode"] == "none"
    request = (
        "import http.client,json;c=http.client.HTTPConnection('127.0.0.1',5001,timeout=30);"
        f"c.request('POST','/score',json.dumps({GOLDEN!r}),{{'Content-Type':'application/json'}});"
        "print(c.getresponse().read().decode())"
    )
    assert json.loads(agent.run("diabetes", "python3", "-c", request)) == pytest.approx(EXPECTED, rel=1e-6)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, readable by the module's user."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    folder.chmod(0o755)
    cert, key = folder / "cert" / "tls.crt", folder / "key" / "tls.key"
    for path in (cert, key):
        path.parent.mkdir()
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert, key
