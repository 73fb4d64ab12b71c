"""Both samples as images: built, pushed, run by digest as a hardened container, scored, and rebuilt."""

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest

from tests.docker import daemon
from tests.docker.samples import REPOSITORY, Sample

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
GOLDEN = {
    "diabetes": ("golden/diabetes.json", "application/json", "golden/diabetes.expected.json"),
    "digits": ("golden/digit.png", "image/png", "golden/digit.expected.json"),
}
SERVER_PORT = 5001


@pytest.fixture(scope="module", params=sorted(GOLDEN))
def sample(request, base_image, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLDEPLOY_HOME", str(tmp_path_factory.mktemp("home")))
        yield Sample(request.param, tmp_path_factory.mktemp(request.param), base_image)


@pytest.fixture(scope="module")
def pushed(sample, docker_host, registry):
    """(reference by tag, reference by digest) of the sample in the registry."""
    reference = sample.build(docker_host, f"{registry}/{sample.name}")
    daemon.docker(docker_host, "push", reference)
    digests = json.loads(inspect(docker_host, reference, "{{json .RepoDigests}}"))
    return reference, next(d for d in digests if d.startswith(f"{registry}/{sample.name}@sha256:"))


def inspect(host, reference, template):
    return daemon.docker(host, "inspect", "--format", template, reference)


def layers(host, reference):
    return json.loads(inspect(host, reference, "{{json .RootFS.Layers}}"))


def test_runs_by_digest_hardened_and_answers(sample, pushed, docker_host):
    tag, digest = pushed
    daemon.docker(docker_host, "image", "rm", tag)
    port = daemon.free_port()
    options = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    container = daemon.docker(
        docker_host, "run", "--detach", *options, "--publish", f"127.0.0.1:{port}:{SERVER_PORT}", digest
    )
    request, content_type, expected = GOLDEN[sample.name]
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/", timeout=5, trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            running = inspect(docker_host, container, "{{.State.Running}}")
            assert running == "true", daemon.docker(docker_host, "logs", container)
            assert time.monotonic() < deadline, daemon.docker(docker_host, "logs", container)
            time.sleep(0.2)
        answer = httpx.post(
            f"http://127.0.0.1:{port}/score",
            content=(REPOSITORY / request).read_bytes(),
            headers={"Content-Type": content_type},
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        wanted = json.loads((REPOSITORY / expected).read_text())
        got = answer.json()
        if sample.name == "diabetes":
            assert got == pytest.approx(wanted)
        else:
            assert got["label"] == wanted["label"]
            assert got["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-4)
        assert daemon.docker(docker_host, "exec", container, "id", "-u") != "0"
    finally:
        daemon.docker(docker_host, "rm", "--force", container)


def test_says_what_is_in_it_and_keeps_no_build_tools(pushed, docker_host):
    _, digest = pushed
    labels = json.loads(inspect(docker_host, digest, "{{json .Config.Labels}}"))
    assert labels["org.opencontainers.image.title"]
    assert json.loads(inspect(docker_host, digest, "{{json .Config.Healthcheck}}"))["Test"]
    show = "import json; print(json.dumps(json.load(open('/opt/site/sbom.cdx.json'))['components']))"
    run = ["run", "--rm", "--network", "none", "--entrypoint", "python", digest, "-c"]
    components = {part["name"] for part in json.loads(daemon.docker(docker_host, *run, show))}
    assert components >= {"inference-schema", "httptools"}
    caches = "import glob; print([p for r in ('root', 'tmp', 'build') for p in glob.glob(f'/{r}/**/*')])"
    assert daemon.docker(docker_host, *run, caches) == "[]"


def test_unchanged_builds_nothing_and_a_new_model_only_the_last_layers(sample, pushed, docker_host, registry):
    repository = f"{registry}/{sample.name}"
    before = sample.context()
    first = sample.build(docker_host, repository)
    assert first == pushed[0]
    assert sample.context() == before
    created = inspect(docker_host, first, "{{.Created}}")
    model = sample.root / "models" / sample.name
    victim = next(path for path in sorted(model.iterdir()) if path.suffix in (".pkl", ".json"))
    kept = Path(f"{victim}.kept")
    shutil.copy(victim, kept)
    try:
        victim.write_bytes(victim.read_bytes() + b"\n")
        kept.rename(sample.root / "kept")
        started = time.monotonic()
        second = sample.build(docker_host, repository)
        seconds = time.monotonic() - started
        assert second != first
        old, new = layers(docker_host, first), layers(docker_host, second)
        assert old[:-1] == new[:-1]
        assert old[-1] != new[-1]
        assert seconds < 60  # 0.2 to 0.6 s on an idle machine
    finally:
        shutil.move(sample.root / "kept", victim)
    assert sample.build(docker_host, repository) == first
    assert inspect(docker_host, first, "{{.Created}}") == created
