"""ImageBuild: an image built and pushed by the registry itself: upload, schedule a run, follow its log, take its end.

`TaskRun`, which azure-native has for that, is not used: the status address that it polls was reported broken
(pulumi-azure-native#1713), and a run that failed is never run again under the same tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import httpx

from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest
from mldeploy.home import cache_dir
from mldeploy.provider.azure import arm
from mldeploy.provider.azure.arm import ArmError
from mldeploy.provider.azure.build_source import pack
from mldeploy.provider.azure.http import client
from mldeploy.provider.common.login import RegistryLogin
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, One, Opt, Out, Texts, computed, field, output
from mldeploy.provider.framework.resource import (
    CancelledError,
    Change,
    CheckError,
    Context,
    Diff,
    ProvisionError,
    Resource,
    known,
)

_API: Final = "2019-06-01-preview"
_TIMEOUT: Final = 600
_LOG_TIMEOUT: Final = 30
_BUILD_SECONDS: Final = 3600
# Waiting for an agent does not count in the run's own time limit.
_QUEUE_SECONDS: Final = 1800
_SHOWN: Final = 40
_DONE: Final = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})
_NOT_FOUND: Final = 404
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class ImageBuildFields(Declaration, token="mldeploy:azure:ImageBuild"):
    """An image, built and pushed by a task of its registry."""

    registry_id: In[str] = field("The registry's resource id.")
    repository: In[str] = field("The repository in it.")
    tag: In[str] = field("The tag to push.", replaces=False)
    epoch: Opt[str] = field("Another value builds again.", default=None, replaces=False)
    context: In[str] = field("The folder, relative to the project.", replaces=False)
    platform: In[str] = field("`linux/amd64`.", replaces=False)
    arguments: Texts = field("Build arguments.", default=_NOTHING, replaces=False)
    secret_arguments: Texts = field(
        "Build arguments that nobody reads in a log.", default=_NOTHING, secret=True, replaces=False
    )
    base_login: One[RegistryLogin] = field(
        "A login to the base image's registry.", default=None, secret=True, replaces=False
    )
    digest: Out[str] = computed("SHA-256 of the folder.", replaces=False)
    image_digest: Out[str] = output("The digest that was pushed.")
    run_id: Out[str] = output("The run, for `az acr task logs --run-id`.")


class ImageBuild(Resource[ImageBuildFields]):
    """One image of a registry. It is built again when its tag or epoch changes; the log is the progress that is shown,
    and the end of a failed one is in the error. Whether the registry has it still is ImagePresence's matter, which then
    makes this build again; when this is deleted the image stays, since a rollback may need it.
    """

    def check(self, ctx: Context, old: ImageBuildFields, new: ImageBuildFields) -> dict[str, Any]:
        """Digest the folder."""
        if not known(new.context):
            return {}
        try:
            cache = SqliteHashCache(cache_dir() / "hashes.sqlite")
            return {"digest": digest(ctx.root / new.context, cache=cache)}
        except ContentError as error:
            raise CheckError(("context", str(error))) from None

    def diff(self, ctx: Context, change: Change[ImageBuildFields]) -> Diff:
        """A new password builds nothing: what is in the image does not change by it."""
        found = super().diff(ctx, change)
        found.ignore("secret_arguments", "base_login")
        return found

    def create(self, ctx: Context, inputs: ImageBuildFields) -> tuple[str, dict[str, Any]]:
        """Build it."""
        return f"{inputs.registry_id}/{inputs.repository}", _build(ctx, inputs)

    def update(self, ctx: Context, change: Change[ImageBuildFields]) -> dict[str, Any]:
        """Build the new one."""
        return _build(ctx, change.new)


def _build(ctx: Context, inputs: ImageBuildFields) -> dict[str, Any]:
    registry = inputs.registry_id
    location = _upload(ctx, registry, inputs.context)
    try:
        scheduled = arm.call(ctx, "POST", f"{registry}/scheduleRun", _API, _request(inputs, location)) or {}
    except ArmError as error:
        if error.code == "TasksOperationsNotAllowed":
            raise ProvisionError(
                f"the registry builds nothing in this subscription ({error.code}; those on free credit have no ACR "
                "tasks): write `azure: {builder: docker}` to build with the Docker engine of this machine, or "
                "upgrade the subscription"
            ) from None
        raise
    run = str(_properties(scheduled).get("runId") or scheduled.get("name") or "")
    try:
        ended = _follow(ctx, registry, run, inputs.repository)
    except CancelledError:
        _cancel(ctx, registry, run)
        raise
    return {"image_digest": _digest(ctx, registry, run, ended, inputs), "run_id": run}


def _upload(ctx: Context, registry: str, context: str) -> str:
    """The context at the address that the registry hands out; it deletes it by itself after a day.

    Returns:
        The relative path that a run takes as its source.
    """
    found = arm.call(ctx, "POST", f"{registry}/listBuildSourceUploadUrl", _API) or {}
    url, relative = found.get("uploadUrl"), found.get("relativePath")
    if not url or not relative:
        raise ProvisionError(f"{registry} gave no upload address: are ACR tasks allowed there?")
    packed = pack(ctx.root / context)
    ctx.status(f"uploading the build context, {len(packed) >> 20:,} MB")
    try:
        answer = httpx.put(
            str(url), content=packed, headers={"x-ms-blob-type": "BlockBlob"}, timeout=_TIMEOUT
        )
    except httpx.HTTPError as error:
        # The address carries a signature, so it is no part of the message.
        raise ProvisionError(f"uploading the build context: {type(error).__name__}") from None
    if answer.is_error:
        raise ProvisionError(f"uploading the build context: {answer.status_code} {answer.reason_phrase}")
    return str(relative)


def _request(inputs: ImageBuildFields, location: str) -> dict[str, Any]:
    """The body of `scheduleRun`: a DockerBuildRequest of the API's 2019-06-01-preview."""
    os_name, architecture = inputs.platform.split("/")
    arguments = [
        {"name": name, "value": value, "isSecret": secret}
        for values, secret in ((inputs.arguments, False), (inputs.secret_arguments, True))
        for name, value in sorted(values.items())
    ]
    body: dict[str, Any] = {
        "type": "DockerBuildRequest",
        "sourceLocation": location,
        "dockerFilePath": "Dockerfile",
        "imageNames": [f"{inputs.repository}:{inputs.tag}"],
        "isPushEnabled": True,
        "noCache": False,
        "timeout": _BUILD_SECONDS,
        "platform": {"os": os_name.capitalize(), "architecture": architecture},
        "arguments": arguments,
    }
    login = inputs.base_login
    if login is not None:
        secret = {
            name: {"type": "Opaque", "value": value}
            for name, value in (("userName", login.username), ("password", login.password))
        }
        body["credentials"] = {"customRegistries": {login.address: secret}}
    return body


def _properties(found: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", found.get("properties") or {})


def _follow(ctx: Context, registry: str, run: str, repository: str) -> dict[str, Any]:
    """The run's properties once it has ended; meanwhile its last line is the progress."""

    def attempt() -> dict[str, Any]:
        found = _properties(arm.call(ctx, "GET", f"{registry}/runs/{run}", _API) or {})
        status = str(found.get("status") or "")
        if status in _DONE:
            return found
        last = next(reversed(_log(ctx, registry, run)), "") if status == "Running" else ""
        raise waiting.NotYetError(f"{status or 'Queued'}{f': {last}' if last else ''}")

    return waiting.patiently(
        ctx,
        attempt,
        what=f"the build {run} of {repository}",
        limit=_BUILD_SECONDS + _QUEUE_SECONDS,
        advice=f"its log: {_log_command(registry, run)}",
        longest=10.0,
    )


def _log(ctx: Context, registry: str, run: str) -> list[str]:
    """The lines of the run's log so far; empty where there is none yet."""
    try:
        link = (arm.call(ctx, "POST", f"{registry}/runs/{run}/listLogSasUrl", _API) or {}).get("logLink")
        answer = client().get(str(link), timeout=_LOG_TIMEOUT) if link else None
    except (ProvisionError, httpx.HTTPError):
        # The log is for people; the run's state decides.
        return []
    if answer is None or answer.is_error:
        return []
    return [line.rstrip() for line in answer.text.splitlines() if line.strip()]


def _digest(ctx: Context, registry: str, run: str, ended: Mapping[str, Any], inputs: ImageBuildFields) -> str:
    images = cast("list[dict[str, Any]]", ended.get("outputImages") or [])
    found = next((one.get("digest") for one in images if one.get("repository") == inputs.repository), None)
    if ended.get("status") == "Succeeded" and found:
        return str(found)
    lines = _log(ctx, registry, run)[-_SHOWN:]
    shown = "\n".join(f"  | {line}" for line in lines) or "  (there is no log)"
    why = f": {ended['runErrorMessage']}" if ended.get("runErrorMessage") else ""
    raise ProvisionError(
        f"image {inputs.repository}: the build {run} ended as {ended.get('status')} and pushed no image{why}\n"
        f"{shown}\n"
        f"  its whole log: {_log_command(registry, run)}; the next `up` builds again"
    )


def _log_command(registry: str, run: str) -> str:
    return f"`az acr task logs --registry {registry.rsplit('/', 1)[-1]} --run-id {run}`"


def _cancel(ctx: Context, registry: str, run: str) -> None:
    """An interrupted `up` leaves no build running; that is all that can be done here."""
    try:
        arm.call(Context(root=ctx.root, urn=ctx.urn), "POST", f"{registry}/runs/{run}/cancel", _API)
    except ProvisionError as error:
        ctx.warn(f"the build {run} was not cancelled: {error}")
