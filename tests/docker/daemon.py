"""A Docker Engine and a registry of the tests' own, from Debian's packages, which leave the machine as it was.

The engine keeps everything under one folder and changes no firewall or forwarding rule. The base image is made from
Debian packages, byte-identical each time, because no public image registry may be in reach.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mldeploy-tests"
BASE_PACKAGES = (
    "python3",
    "python3-pip",
    "python-is-python3",
    "libstdc++6",
    "dash",
    "coreutils",
    "ca-certificates",
)
DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
START_SECONDS = 60


def why_not() -> str | None:
    """Why no engine can be started here, or None when one can."""
    for tool in ("dockerd", "containerd", "dpkg-deb", "apt-get"):
        if shutil.which(tool) is None and not Path("/usr/sbin", tool).exists():
            return f"needs {tool} (Debian package docker.io) on PATH"
    return None if os.geteuid() == 0 else "needs root to start dockerd"


@contextmanager
def engine() -> Iterator[str]:
    """A running engine; yields its ``DOCKER_HOST``. Everything it made is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mldeploy-docker-"))
    host = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--host", host]
    command += ["--pidfile", f"{folder}/pid", "--bip", "10.213.0.1/24"]
    command += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(lambda: _docker(host, "version", check=False).returncode == 0, process, folder / "log")
        yield host
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        subprocess.run(["umount", f"{folder}/exec/netns/default"], capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(ready, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"{process.args[0]} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _docker(host: str, *arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "1"}
    result = subprocess.run(
        [DOCKER, *arguments], env=environment, capture_output=True, text=True, check=False, **options
    )
    if check and result.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}:\n{result.stderr[-4000:]}")
    return result


def docker(host: str, *arguments: str, **options) -> str:
    """Run Debian's docker client against ``host`` and return its stdout.

    Raises:
        RuntimeError: it failed; the message has the end of its stderr.
    """
    return _docker(host, *arguments, **options).stdout.strip()


def base_image(host: str, tag: str = "mldeploy-test/base:1") -> str:
    """Import the base image (Debian with Python and pip, uid 10001) and return its tag. Ten seconds, then cached."""
    docker(host, "import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", str(base_archive()), tag)
    return tag


def base_archive() -> Path:
    """The base image's files as a tar archive in the cache. Making it needs Debian's packages, and no engine."""
    archive = CACHE / f"base-{hashlib.sha256(' '.join(BASE_PACKAGES).encode()).hexdigest()[:12]}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="mldeploy-base-") as folder:
            partial = archive.with_suffix(f".{os.getpid()}")
            _write_archive(_root_filesystem(Path(folder)), partial)
            partial.rename(archive)
    return archive


def _root_filesystem(folder: Path) -> Path:
    archives, root = folder / "archives", folder / "root"
    (archives / "partial").mkdir(parents=True)
    options = ["-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache::archives={archives}"]
    options += ["-o", "APT::Sandbox::User=root", "--no-install-recommends", "--download-only", "-y", "-q"]
    subprocess.run(["apt-get", *options, "install", *BASE_PACKAGES], capture_output=True, check=True)
    for name in ("bin", "sbin", "lib"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr/lib64").mkdir()
    (root / "lib64").symlink_to("usr/lib64")
    for package in sorted(archives.glob("*.deb")):
        files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
        extract = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner"]
        subprocess.run(extract, stdin=files.stdout, check=True)
        if files.wait():
            raise RuntimeError(f"dpkg-deb {package.name}: exit code {files.returncode}")
    _finish(root)
    return root


def _finish(root: Path) -> None:
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\napp:x:10001:10001::/home/app:/usr/sbin/nologin\n"
    )
    (etc / "group").write_text("root:x:0:\napp:x:10001:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = etc / "ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(path.read_bytes() for path in certificates))
    (root / "tmp").mkdir(exist_ok=True, mode=0o1777)
    (root / "home/app").mkdir(parents=True, exist_ok=True)
    for name in ("sh", "awk"):
        source = {"sh": "dash", "awk": "mawk"}[name]
        if (root / "usr/bin" / source).exists() and not (root / "usr/bin" / name).exists():
            (root / "usr/bin" / name).symlink_to(source)
    subprocess.run(["ldconfig", "-r", str(root)], capture_output=True, check=False)


def _write_archive(root: Path, target: Path) -> None:
    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(target, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=plain)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def registry(htpasswd: str = "") -> Iterator[str]:
    """A running `docker-registry` on loopback; yields ``127.0.0.1:<port>``. With ``htpasswd`` (lines of users and
    bcrypt hashes) only those may use it."""
    folder = Path(tempfile.mkdtemp(prefix="mldeploy-registry-"))
    port = free_port()
    executable = shutil.which("docker-registry") or _unpacked_registry()
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}', secret: only-for-this-test}}\n"
    )
    if htpasswd:
        (folder / "users").write_text(htpasswd)
        with (folder / "config.yml").open("a") as file:
            file.write(f"auth: {{htpasswd: {{realm: test, path: {folder}/users}}}}\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([executable, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(lambda: _answers(f"http://127.0.0.1:{port}/v2/"), process, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _unpacked_registry() -> str:
    """Debian's docker-registry, unpacked into the cache: installing it would start a service."""
    target = CACHE / "docker-registry"
    executable = target / "usr/bin/docker-registry"
    if not executable.exists():
        with tempfile.TemporaryDirectory(prefix="mldeploy-deb-") as folder:
            subprocess.run(
                ["apt-get", "download", "docker-registry"], cwd=folder, capture_output=True, check=True
            )
            package = next(Path(folder).glob("*.deb"))
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg", "-x", str(package), str(target)], check=True)
    return str(executable)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
