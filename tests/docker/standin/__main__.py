"""`python -m tests.docker.standin [engine]`: the plugin process. Prints its port, as plugins do."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from mldeploy.values.difference import difference
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, contains_unknowns, reveal
from tests.docker.daemon import DOCKER
from tests.standin import Plugin, diff_response, serve

IMAGE = "docker:index/image:Image"


class StandIn(Plugin):
    """`Image`, and nothing else of the plugin."""

    name, version = "docker", "5.2.0"

    def Check(self, request: Any, context: Any) -> Any:
        news = decode(request.news)
        build = news.get("build")
        if not isinstance(news.get("imageName"), str) and not contains_unknowns(news.get("imageName")):
            failure = provider_pb2.CheckFailure(property="imageName", reason="is required")
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        if isinstance(build, dict):
            build["contextDigest"] = _digest(Path(str(reveal(build["context"]))))
        return provider_pb2.CheckResponse(inputs=encode(news))

    def Diff(self, request: Any, context: Any) -> Any:
        return diff_response(difference(reveal(decode(request.old_inputs)), reveal(decode(request.news))))

    def Create(self, request: Any, context: Any) -> Any:
        inputs = decode(request.properties)
        if request.preview:
            _docker(context, "version")
            return provider_pb2.CreateResponse(properties=encode(inputs | {"repoDigest": UNKNOWN}))
        outputs = _build(context, reveal(inputs))
        return provider_pb2.CreateResponse(id=outputs["imageName"], properties=encode(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        inputs = decode(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=encode(inputs | {"repoDigest": UNKNOWN}))
        return provider_pb2.UpdateResponse(properties=encode(_build(context, reveal(inputs))))

    def Read(self, request: Any, context: Any) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _build(context: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Build, push, and say under which digest the registry has it."""
    name, build, started = inputs["imageName"], inputs["build"], time.monotonic()
    command = ["build", "--tag", name, "--file", build["dockerfile"], "--platform", build["platform"]]
    for key, value in sorted((build.get("args") or {}).items()):
        command += ["--build-arg", f"{key}={value}"]
    _docker(context, *command, build["context"])
    digest = ""
    if not inputs.get("skipPush"):
        _docker(context, "push", name)
        repository = name.rpartition(":")[0]
        shown = _docker(context, "inspect", "--format", "{{json .RepoDigests}}", name)
        digest = next(text for text in json.loads(shown) if text.startswith(f"{repository}@"))
    if log := os.environ.get("STANDIN_DOCKER_LOG"):
        line = {"image": name, "seconds": time.monotonic() - started, "args": build.get("args")}
        with Path(log).open("a") as file:
            file.write(json.dumps(line) + "\n")
    server = name.split("/", 1)[0]
    return inputs | {"repoDigest": digest, "baseImageName": name, "registryServer": server}


def _docker(context: Any, *arguments: str) -> str:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run([DOCKER, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        context.abort(grpc.StatusCode.UNKNOWN, f"docker {arguments[0]}: {done.stderr[-2000:]}")
    return done.stdout.strip()


sys.exit(serve(StandIn()))
