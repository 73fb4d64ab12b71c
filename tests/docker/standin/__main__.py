"""`python -m tests.docker.standin [engine]`: the plugin process. Prints its port, as plugins do."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from mldeploy.provider.values import UNKNOWN, decode, difference, encode, has_unknown, reveal
from tests.docker.daemon import DOCKER

VERSION = "5.2.0"
IMAGE = "docker:index/image:Image"
_KINDS = {"add": 0, "delete": 2, "update": 4}


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """`Image`, and nothing else of the plugin."""

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "docker", "version": VERSION}))

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:
        news = decode(request.news)
        build = news.get("build")
        if not isinstance(news.get("imageName"), str) and not has_unknown(news.get("imageName")):
            failure = provider_pb2.CheckFailure(property="imageName", reason="is required")
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        if isinstance(build, dict):
            build["contextDigest"] = _digest(Path(str(reveal(build["context"]))))
        return provider_pb2.CheckResponse(inputs=encode(news))

    def Diff(self, request: Any, context: Any) -> Any:
        details = difference(reveal(decode(request.old_inputs)), reveal(decode(request.news)))
        some = provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some,
            diffs=sorted({path.split(".")[0] for path in details}),
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=_KINDS[kind], inputDiff=True)
                for path, kind in details.items()
            },
            hasDetailedDiff=True,
        )

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


def main() -> int:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 400 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=None))
    print(port, flush=True)
    server.wait_for_termination()
    return 0


sys.exit(main())
