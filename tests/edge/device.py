"""What an IoT Edge device does with a deployment, over a real Docker Engine: the part of the IoT Edge agent
that matters here. It joins the pieces of the create options, adds image and environment, creates the
container and starts it."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from tests.edge.standin import Hub


class Agent:
    """One device's agent. Containers are named after their modules and gone after :meth:`close`."""

    def __init__(self, hub: Hub, device: str, docker_host: str) -> None:
        self.hub, self.device = hub, device
        transport = httpx.HTTPTransport(uds=docker_host.removeprefix("unix://"))
        self.docker = httpx.Client(transport=transport, base_url="http://docker/v1.41", timeout=60)
        self.running: dict[str, str] = {}

    def reconcile(self) -> None:
        """Make the device's containers those of its deployment."""
        wanted = self.hub.modules(self.device)
        for name in self.running.keys() - wanted.keys():
            self.remove(name)
        for name, module in wanted.items():
            text = json.dumps(module, sort_keys=True)
            if self.running.get(name) == text:
                continue
            self.remove(name)
            self.pull(module["settings"]["image"])
            created = self.docker.post("/containers/create", params={"name": name}, json=self.body(module))
            assert created.status_code == 201, created.text
            # The tests' engine leaves the machine's forwarding alone, and says so; other warnings are ours.
            warnings = [
                text for text in created.json()["Warnings"] or [] if "forwarding is disabled" not in text
            ]
            assert not warnings, created.text
            started = self.docker.post(f"/containers/{name}/start")
            assert started.status_code == 204, started.text
            self.running[name] = text

    def pull(self, image: str) -> None:
        """Get an image that is named by digest from its registry, unless it is here."""
        if "@" in image and self.docker.get(f"/images/{image}/json").status_code == 404:
            pulled = self.docker.post("/images/create", params={"fromImage": image}, timeout=300)
            assert pulled.status_code == 200, pulled.text
            assert "errorDetail" not in pulled.text, pulled.text

    def wait_healthy(self, name: str, seconds: float = 120) -> None:
        """Wait until the image's own health check passes."""
        deadline = time.monotonic() + seconds
        while not (found := self.healthy(name)):
            assert found is None, self.logs(name)
            assert time.monotonic() < deadline, self.logs(name)
            time.sleep(0.2)

    @staticmethod
    def body(module: dict[str, Any]) -> dict[str, Any]:
        """The body of Docker's create request."""
        settings = module["settings"]
        keys = ["createOptions", *(f"createOptions{number:02d}" for number in range(1, 100))]
        options = json.loads("".join(settings.get(key, "") for key in keys))
        environment = [f"{name}={item['value']}" for name, item in module.get("env", {}).items()]
        return {**options, "Image": settings["image"], "Env": environment}

    def healthy(self, name: str) -> bool | None:
        """What the device reports of a module: None while it starts."""
        if name not in self.running:
            return None
        state = self.docker.get(f"/containers/{name}/json").json()["State"]
        if not state["Running"]:
            return False
        return {"healthy": True, "unhealthy": False}.get(state.get("Health", {}).get("Status", ""))

    def inspect(self, name: str) -> dict[str, Any]:
        return self.docker.get(f"/containers/{name}/json").json()

    def run(self, name: str, *command: str) -> str:
        """The output of a command inside a module's container."""
        made = self.docker.post(
            f"/containers/{name}/exec",
            json={"Cmd": command, "AttachStdout": True, "AttachStderr": True, "Tty": True},
        ).json()
        return self.docker.post(f"/exec/{made['Id']}/start", json={"Detach": False, "Tty": True}).text

    def logs(self, name: str) -> str:
        return self.docker.get(f"/containers/{name}/logs", params={"stdout": 1, "stderr": 1}).text

    def remove(self, name: str) -> None:
        self.docker.delete(f"/containers/{name}", params={"force": 1})
        self.running.pop(name, None)

    def close(self) -> None:
        for name in list(self.running):
            self.remove(name)
        self.docker.close()
