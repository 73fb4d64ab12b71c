"""A private package index and a private base registry, for a local service as a container: used, and kept nowhere."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docker import daemon
from tests.docker.samples import Sample
from tests.docker.test_local_runtime import Local, score, stack

__all__ = ["stack"]
pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
USER, PASSWORD = "puller", "pull3r-password"
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuu8ucI7zoBnV38.pioG2erkqzZ7KpvqaO\n"
INDEX_TOKEN = "1ndex-t0ken%with#signs"
GATEWAY = "10.213.0.1"  # where a build sees this machine


class Index:
    """A package index that wants a login; ``answers`` counts statuses."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.answers, self.url = folder, dict[int, int](), ""


@contextmanager
def serve(folder: Path) -> Iterator[Index]:
    index = Index(folder)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            right = base64.b64encode(f"feed:{INDEX_TOKEN}".encode()).decode()
            status, body = 404, b""
            *_, kind, name = self.path.rstrip("/").split("/")
            if self.headers.get("Authorization") != f"Basic {right}":
                status = 401
            elif kind == "simple":
                files = [one.name for one in folder.glob("*.whl") if _project(one.name) == name]
                body = "".join(f'<a href="/files/{one}">{one}</a>' for one in files).encode()
                status = 200 if files else 404
            elif (folder / name).is_file():
                status, body = 200, (folder / name).read_bytes()
            index.answers[status] = index.answers.get(status, 0) + 1
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="feed"')
            self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((GATEWAY, 0), Handler)
    server.daemon_threads = True
    index.url = f"http://{GATEWAY}:{server.server_address[1]}/simple/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _project(wheel: str) -> str:
    return re.sub(r"[-_.]+", "-", wheel.split("-", maxsplit=1)[0]).lower()


@pytest.fixture
def private_registry() -> Iterator[str]:
    with daemon.registry(HTPASSWD) as address:
        yield address


@pytest.fixture
def private(
    stack: Local,
    docker_host: str,
    base_image: str,
    private_registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Local]:
    """The project with its base image in the registry, and its packages in the index."""
    monkeypatch.setenv("BASE_PASSWORD", PASSWORD)
    monkeypatch.setenv("INDEX_TOKEN", INDEX_TOKEN)
    base = f"{private_registry}/team/base:1"
    (tmp_path / "base").mkdir()
    # This index speaks plain HTTP, which pip takes from no host by itself.
    (tmp_path / "base/Dockerfile").write_text(f"FROM {base_image}\nENV PIP_TRUSTED_HOST={GATEWAY}\n")
    daemon.docker(docker_host, "build", "--network", "none", "--tag", base, str(tmp_path / "base"))
    logins = tmp_path / "logins"
    daemon.docker(docker_host, "--config", str(logins), "login", "-u", USER, "-p", PASSWORD, private_registry)
    daemon.docker(docker_host, "--config", str(logins), "push", "--quiet", base)
    # Neither the engine nor the user has what the build needs.
    daemon.docker(docker_host, "rmi", "--force", base)
    daemon.docker(docker_host, "builder", "prune", "--force", "--all")
    assert httpx.get(f"http://{private_registry}/v2/", trust_env=False).status_code == 401
    packages = Sample("diabetes", tmp_path / "sample", base_image).packages
    with serve(packages) as index:
        stack.describe(base)
        stack.manifest["images"]["diabetes"] |= {
            "base_image_registry": {
                "address": private_registry,
                "username": USER,
                "password": {"env": "BASE_PASSWORD"},
            },
            "package_index": {"url": index.url, "username": "feed", "password": {"env": "INDEX_TOKEN"}},
        }
        stack.environment |= {"BASE_PASSWORD": PASSWORD, "INDEX_TOKEN": INDEX_TOKEN}
        yield stack


def test_both_are_used_and_in_no_layer_no_state_and_no_context(
    private: Local, docker_host: str, tmp_path: Path
) -> None:
    changes, _ = private.up()
    assert changes["create"] > 3
    assert score(private).status_code == 401
    tag = daemon.docker(
        docker_host, "images", "--format", "{{.Repository}}:{{.Tag}}", "mldeploy/*/*/*"
    ).split()[0]
    looks = {
        "history": daemon.docker(docker_host, "history", "--no-trunc", tag),
        "inspect": daemon.docker(docker_host, "inspect", tag),
        "state": private.state(),
    }
    exported = tmp_path / "image.tar"
    daemon.docker(docker_host, "save", "--output", str(exported), tag)
    looks["layers"] = exported.read_bytes().decode("latin-1")
    for path in (private.folder / "build").rglob("*"):
        if path.is_file():
            looks[str(path)] = path.read_bytes().decode("latin-1")
    encoded = INDEX_TOKEN.replace("%", "%25").replace("#", "%23")
    for place, text in looks.items():
        for secret in (PASSWORD, INDEX_TOKEN, encoded):
            assert secret not in text, place
    assert private.up() == ({}, ""), "unchanged: nothing is built"


@pytest.mark.parametrize("wrong", ["BASE_PASSWORD", "INDEX_TOKEN"])
def test_a_wrong_password_is_an_error_that_does_not_show_it(
    private: Local, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv(wrong, "wr0ng-password-here")
    _, error = private.up(check=False)
    assert "docker build failed" in error
    assert re.search(r"401|[Uu]nauthorized|no basic auth|authoriz", error), error
    assert "wr0ng-password-here" not in error
    monkeypatch.setenv(wrong, PASSWORD if wrong == "BASE_PASSWORD" else INDEX_TOKEN)
    private.up()
