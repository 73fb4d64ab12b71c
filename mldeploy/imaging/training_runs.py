"""The image that a training run ran in, as a base image: v1 read `run.properties["AzureML.DerivedImageName"]`.

Azure ML keeps it in the run's properties, which its run history service has (path and scope as in `azure-ai-ml`); other
MLflow servers have the run's tags. A run's image never changes, so it is asked for once.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from mldeploy.artifacts.content import ContentError, text_digest
from mldeploy.artifacts.mlflow_store import mlflow_client, mlflow_error, tracking_uri
from mldeploy.home import cache_dir, private_folder

PREFIX: Final = "runs:/"
PROPERTIES: Final = ("AzureML.DerivedImageName", "mlflow.docker.image.uri")
_SCOPE: Final = "https://ml.azure.com/.default"
_WORKSPACE: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/workspaces/[^/?]+", re.I
)
_TIMEOUT: Final = 30
_NOT_FOUND: Final = 404

Login = Callable[[str], str]
"""From an Entra scope to an access token; raises ContentError where nobody is logged in."""


def base_image(source: str, root: Path, registry: str | None = None, *, login: Login) -> str:
    """The image behind ``runs:/<run id>``.

    Args:
        source: ``runs:/<run id>``.
        root: the project.
        registry: the registry's address, for names without one: Azure ML builds into the workspace's own registry.
        login: for Azure ML's run history, which is asked where the tracking URI is an ``azureml:`` one.

    Raises:
        ContentError: there is no such run, it has no image, or the image's registry is not known.
    """
    tracking, run = tracking_uri(root), source.removeprefix(PREFIX)
    known = private_folder(cache_dir() / "runs") / f"{text_digest('base image', tracking, run)[:32]}.txt"
    name = known.read_text("utf-8") if known.is_file() else ""
    if not name:
        azure = tracking.startswith("azureml:")
        found = _azure_properties(tracking, run, login) if azure else _mlflow_tags(tracking, run)
        name = next((found[key] for key in PROPERTIES if found.get(key)), "")
        if not name:
            raise ContentError(
                f"{source}: the run has no image of its own (none of {', '.join(PROPERTIES)}): "
                "name the base image itself"
            )
        known.write_text(name, "utf-8")
    if _has_registry(name):
        return name
    if registry is None:
        raise ContentError(
            f"{source}: the run's image is {name!r}, in its workspace's registry: give that one as "
            "base_image_registry: {address: <registry>.azurecr.io}"
        )
    return f"{registry}/{name}"


def _has_registry(name: str) -> bool:
    """Docker's rule: what is before the first slash is a registry when it looks like a host."""
    first, slash, _ = name.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def _mlflow_tags(tracking: str, run: str) -> Mapping[str, str]:
    client = mlflow_client(f"{PREFIX}{run}", tracking)
    try:
        return cast("Mapping[str, str]", client.get_run(run).data.tags)
    except Exception as error:
        raise mlflow_error(f"{PREFIX}{run}", tracking, error) from None


def _azure_properties(tracking: str, run: str, login: Login) -> Mapping[str, str]:
    address = urlsplit(tracking)
    workspace = _WORKSPACE.search(address.path)
    if workspace is None:
        raise ContentError(
            f"MLFLOW_TRACKING_URI {tracking!r} names no workspace: take it from the workspace's page"
        )
    url = f"{_scheme(address.hostname or '')}://{address.netloc}/history/v1.0{workspace[0]}/runs/{run}"
    try:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {login(_SCOPE)}"}, timeout=_TIMEOUT)
    except (httpx.HTTPError, ContentError) as error:
        raise ContentError(f"{PREFIX}{run}: Azure ML cannot be asked: {error}") from None
    if answer.status_code == _NOT_FOUND:
        raise ContentError(f"{PREFIX}{run}: the workspace has no such run")
    if answer.is_error:
        raise ContentError(f"{PREFIX}{run}: Azure ML answers {answer.status_code} {answer.reason_phrase}")
    body = cast("dict[str, Any]", answer.json())
    return cast("dict[str, str]", body.get("properties") or {})


def _scheme(host: str) -> str:
    """A token goes over TLS only, except to this very machine."""
    try:
        return "http" if ipaddress.ip_address(host).is_loopback else "https"
    except ValueError:
        return "https"
