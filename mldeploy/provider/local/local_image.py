"""LocalImage: a scoring image that the local Docker engine built, for local services as containers."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mldeploy.artifacts.content import digest
from mldeploy.artifacts.sources import inside
from mldeploy.provider.common.login import RegistryLogin
from mldeploy.provider.framework.declare import Declaration, In, One, Opt, Or, Out, field, output
from mldeploy.provider.framework.resource import Change, Context, Diff, Live, ProvisionError, Resource
from mldeploy.provider.local.containers import Engine, endpoint

_SHOWN_LINES = 25
_STEP = re.compile(r"#\d+ \[[^\]]*\] .+")


class LocalImageFields(Declaration, token="mldeploy:image:LocalImage"):
    """A scoring image built by the local Docker engine."""

    image: In[str] = field("The image's name in the manifest.")
    context: In[str] = field("The build context's folder in the project.")
    digest: In[str] = field("The digest of everything in the context.")
    base_image: Opt[str] = field("The image it is built on: for reviews.", default=None, replaces=False)
    packages: Or[Sequence[str]] = field(
        "What it installs, as pip requirements: for reviews.", default=(), replaces=False
    )
    package_index: Opt[str] = field(
        "A private package index, with its credentials.", default=None, secret=True, replaces=False
    )
    base_image_registry: One[RegistryLogin] = field(
        "The private registry that the base image comes from.", default=None, secret=True
    )
    reference: Out[str] = output("The image's name and tag on the engine.")
    image_id: Out[str] = output("The engine's own id of it.")
    engine: Out[str] = output("The engine.")


class LocalImage(Resource[LocalImageFields]):
    """A tag of the local engine. Each creation has one of its own: removing it never takes another's away."""

    def diff(self, ctx: Context, change: Change[LocalImageFields]) -> Diff:
        """Credentials only fetch, and the rest only says, what the digest already stands for."""
        found = super().diff(ctx, change)
        found.ignore("package_index", "base_image_registry", "base_image", "packages")
        return found

    def create(self, ctx: Context, inputs: LocalImageFields) -> tuple[str, dict[str, Any]]:
        """Build it; layers that are there already are used again."""
        folder = inside(inputs.context, ctx.root)
        if not folder.is_dir() or digest(folder) != inputs.digest:
            raise ProvisionError(f"{inputs.context} changed since it was planned: run the update again")
        names = re.sub(r"[^a-z0-9/]+", "-", f"{ctx.scope}/{inputs.image}".lower())
        name = "/".join(part.strip("-") or "x" for part in names.split("/"))
        reference = f"mldeploy/{name}:{inputs.digest[:12]}-{secrets.token_hex(3)}"
        where = endpoint()
        _build(ctx, where, folder, reference, inputs)
        found = Engine(where).image_id(reference)
        if found is None:
            raise ProvisionError(f"the Docker engine at {where} built {reference}, and does not have it")
        return reference, {"reference": reference, "image_id": found, "engine": where}

    def read(
        self, ctx: Context, ident: str, state: LocalImageFields, inputs: LocalImageFields
    ) -> Live | None:
        """A tag that was removed, or that names another image by now, is gone."""
        if Engine(state.engine).image_id(ident) == state.image_id:
            return Live()
        ctx.warn(f"image {state.image}: the Docker engine does not have {ident} any more")
        return None

    def delete(self, ctx: Context, ident: str, state: LocalImageFields) -> None:
        """Take the tag away, and the layers that nothing else has."""
        Engine(state.engine).remove_image(ident)


def _build(ctx: Context, where: str, folder: Path, reference: str, inputs: LocalImageFields) -> None:
    docker = shutil.which("docker")
    if docker is None:
        raise ProvisionError("`docker` is not on PATH: install a Docker engine, or use `runtime: process`")
    with tempfile.TemporaryDirectory(prefix="mldeploy-build-") as private:
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "DOCKER_HOST": where}
        command = [docker, "build", "--progress", "plain", "--tag", reference]
        if index := inputs.package_index:
            config = Path(private) / "pip.conf"
            # pip reads its files without interpolation: a percent sign stands for itself.
            config.write_text(f"[global]\nindex-url = {index}\n")
            command += ["--secret", f"id=pip.conf,src={config}"]
        if login := inputs.base_image_registry:
            environment["DOCKER_CONFIG"] = str(_log_in(Path(private), login))
        started = time.monotonic()
        process = subprocess.Popen(
            [*command, str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        lines: deque[str] = deque(maxlen=_SHOWN_LINES)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                ctx.check_cancelled()
                lines.append(line.rstrip())
                if step := _STEP.match(line):
                    ctx.status(f"building: {step[0].partition(' ')[2][:100]}")
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()
    if process.returncode:
        tail = "\n  ".join(lines)
        raise ProvisionError(f"image {inputs.image}: docker build failed:\n  {tail}")
    ctx.info(f"image {inputs.image}: built in {time.monotonic() - started:.1f} s")


def _log_in(folder: Path, login: RegistryLogin) -> Path:
    """A Docker configuration for this build only: the user's own, with one more login."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        config: dict[str, Any] = json.loads(own.read_text("utf-8"))
    except (OSError, ValueError):
        config = {}
    pair = f"{login.username}:{login.password}".encode()
    config["auths"] = {
        **config.get("auths", {}),
        login.address: {"auth": base64.b64encode(pair).decode()},
    }
    # A credential store would be asked instead of the entry above.
    config.pop("credsStore", None)
    config["credHelpers"] = {
        server: helper for server, helper in config.get("credHelpers", {}).items() if server != login.address
    }
    # Docker looks for its builder beside its configuration.
    if (plugins := own.parent / "cli-plugins").is_dir():
        (folder / "cli-plugins").symlink_to(plugins.resolve())
    (folder / "config.json").write_text(json.dumps(config))
    return folder
