"""The local Docker engine: images are built with Docker's own command, containers are driven over its HTTP API.

Replicas get their port as an open socket over a UNIX socket in a folder that container and machine share, and are
known by their process ids. So the engine has to run on this very Linux machine, under its user ids.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from mldeploy.artifacts.image_layout import START, USER_ID
from mldeploy.provider.framework.resource import ProvisionError

if TYPE_CHECKING:
    import httpx

_DEFAULT: Final = "unix:///var/run/docker.sock"
_NOT_FOUND, _CONFLICT = 404, 409
_TIMEOUT = 60.0
_GIB = 1024**3
FOLDER: Final = "/run/mldeploy"
"""Where a container sees its run directory's shared folder."""
COLLECTED: Final = "/run/mldeploy-collected"
"""Where it sees the folder that collected data goes to."""


def endpoint() -> str:
    """The engine that Docker's own command would use: `DOCKER_HOST`, the current context, the usual socket."""
    if named := os.environ.get("DOCKER_HOST"):
        return named
    if (docker := shutil.which("docker")) is None:
        return _DEFAULT
    shown = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    found = subprocess.run([docker, *shown], capture_output=True, text=True, check=False)
    return found.stdout.strip() or _DEFAULT


def fault() -> str | None:
    """Why services cannot run as containers on this machine, with what to do about it; None when they can."""
    if not sys.platform.startswith("linux"):
        return "`runtime: docker` needs Linux: elsewhere, containers are in a virtual machine"
    if shutil.which("docker") is None:
        return "`docker` is not on PATH: install a Docker engine"
    where = endpoint()
    if not where.startswith("unix://"):
        return f"the Docker engine is at {where}; allowed: one on this machine, unix://<socket>"
    try:
        info = Engine(where).info()
    except ProvisionError as error:
        return str(error)
    if info.get("OSType") != "linux" or info.get("OperatingSystem") == "Docker Desktop":
        return f"containers of {info.get('OperatingSystem')} are in a virtual machine"
    options = str(info.get("SecurityOptions"))
    if "name=rootless" in options or "name=userns" in options:
        return "the Docker engine gives containers user ids of their own (rootless or userns-remap)"
    return None


@dataclass(frozen=True)
class Limits:
    """What a container may take; None: as much as there is."""

    cpu_cores: float | None = None
    memory_gb: float | None = None


class Engine:
    """One Docker engine.

    Args:
        where: `unix://<socket>`. Default: what Docker's own command would use.
    """

    def __init__(self, where: str = "") -> None:
        self.where = where or endpoint()
        import httpx  # takes longer than everything else here, and services that are processes need it not

        transport = httpx.HTTPTransport(uds=self.where.removeprefix("unix://"))
        # Without a version in the path, the engine answers in its newest one; each release drops old ones.
        self._client = httpx.Client(transport=transport, base_url="http://docker", timeout=_TIMEOUT)

    def _ask(self, method: str, path: str, *fine: int, **options: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ProvisionError(f"the Docker engine at {self.where} does not answer: {error}") from None
        if answer.is_error and answer.status_code not in fine:
            raise ProvisionError(f"Docker: {_message(answer)}")
        return answer

    def info(self) -> dict[str, Any]:
        """What the engine says of itself.

        Raises:
            ProvisionError: it does not answer, or this user may not ask it.
        """
        return cast("dict[str, Any]", self._ask("GET", "/info").json())

    # --- images ------------------------------------------------------------------------------------------

    def image_id(self, reference: str) -> str | None:
        """The image's id, None when the engine does not have it."""
        answer = self._ask("GET", f"/images/{reference}/json", _NOT_FOUND)
        return None if answer.status_code == _NOT_FOUND else str(answer.json()["Id"])

    def remove_image(self, reference: str) -> None:
        """Take the tag away, and the layers that no other image has. Succeeds when it is gone already.

        Raises:
            ProvisionError: a running container uses it.
        """
        for found in self.containers(f"io.mldeploy.image={reference}"):
            if found["State"] != "running":
                self.remove(str(found["Id"]))
        self._ask("DELETE", f"/images/{reference}", _NOT_FOUND)

    # --- containers --------------------------------------------------------------------------------------

    def containers(self, label: str) -> list[dict[str, Any]]:
        """The containers with a label, `<name>=<value>`, dead ones too."""
        query = {"all": "true", "filters": json.dumps({"label": [label]})}
        return cast("list[dict[str, Any]]", self._ask("GET", "/containers/json", params=query).json())

    def start(self, name: str, body: Mapping[str, Any]) -> int:
        """Create and start a container.

        Returns:
            The id of its first process on this machine; 0 when it ended at once.
        """
        self._ask("POST", "/containers/create", params={"name": name}, json=dict(body))
        self._ask("POST", f"/containers/{name}/start")
        return int(self.state(name).get("Pid") or 0)

    def state(self, name: str) -> dict[str, Any]:
        """Docker's `State` of a container; empty when there is none."""
        answer = self._ask("GET", f"/containers/{name}/json", _NOT_FOUND)
        return {} if answer.status_code == _NOT_FOUND else answer.json()["State"]

    def output(self, name: str) -> str:
        """The last lines that a container wrote to its standard streams."""
        query = {"stdout": "true", "stderr": "true", "tail": "40"}
        data = self._ask("GET", f"/containers/{name}/logs", _NOT_FOUND, params=query)
        return "" if data.status_code == _NOT_FOUND else _unframed(data.content)

    def remove(self, name: str) -> None:
        """Kill and remove a container. Succeeds when it is gone already, or is just going."""
        self._ask(
            "DELETE", f"/containers/{name}", _NOT_FOUND, _CONFLICT, params={"force": "true", "v": "true"}
        )


def container_user() -> int:
    """The user id that a replica has: one that owns nothing on this machine, or this user's own, as the shared folder's
    files must be readable by both."""
    return os.getuid() or USER_ID


def give(path: Path) -> Path:
    """Make a file or folder the container's user's."""
    if os.getuid() == 0:
        os.chown(path, USER_ID, USER_ID, follow_symlinks=False)
    return path


def create_body(
    image: str, folders: Mapping[str, Path], environment: Mapping[str, str], limits: Limits
) -> dict[str, Any]:
    """The request that makes a replica's container: hardened as on the other container targets.

    Args:
        image: the image's reference.
        folders: folders of this machine by where the container sees them, the only ones it can write to.
        environment: variables for the script.
        limits: what it may take.
    """
    host: dict[str, Any] = {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,size=64m"},  # noqa: S108
        "Mounts": [
            {"Type": "bind", "Source": str(source), "Target": target} for target, source in folders.items()
        ],
        # What the server writes before it has its own log file.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
    }
    if limits.cpu_cores:
        host["NanoCpus"] = round(limits.cpu_cores * 1_000_000_000)
    if limits.memory_gb:
        # The same limit with swap: otherwise Docker adds as much swap as there is memory.
        host["Memory"] = host["MemorySwap"] = round(limits.memory_gb * _GIB)
    user = container_user()
    # The port comes as an open socket: the image's own one is not bound, nor asked for health.
    variables = {"HOME": "/tmp", **environment, "SERVING_PORT": "null"}  # noqa: S108
    return {
        "Image": image,
        "Cmd": ["python", START, "--config", f"{FOLDER}/replica.json"],
        "Env": [f"{name}={value}" for name, value in sorted(variables.items())],
        "User": f"{user}:{os.getgid() or user}",
        "Labels": {"io.mldeploy.image": image},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return f"{answer.status_code} {answer.text[:500]}"


def _unframed(data: bytes) -> str:
    """Docker's log stream: before each piece 8 bytes, the last 4 of which are its length."""
    text = b""
    while len(data) > 8:
        size = int.from_bytes(data[4:8], "big")
        text, data = text + data[8 : 8 + size], data[8 + size :]
    return text.decode("utf-8", errors="replace")
