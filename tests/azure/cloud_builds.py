"""Builds in a registry: a source that lives a day, a run that waits, works, writes a log, and pushes or fails."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.azure.answers import Answer, Ask
from tests.azure.standin.semantics import ServiceError, forbidden

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

_REGISTRIES = "Microsoft.ContainerRegistry/registries"
# https://learn.microsoft.com/azure/container-registry/container-registry-tasks-overview: uploaded sources live a day.
_DAY = 86_400.0


def answer(state: Cloud, ask: Ask) -> Answer:
    """`listBuildSourceUploadUrl`, `scheduleRun`, `runs/<id>`, `runs/<id>/listLogSasUrl`, `runs/<id>/cancel`."""
    registry, _, rest = ask.path.rpartition("/runs/" if "/runs/" in ask.path else "/")
    document = state.store.get(registry)
    if document is None:
        raise ServiceError(404, "ResourceNotFound", f"{registry} was not found")
    if not state.world.may_manage(ask.who, _REGISTRIES, registry, "PUT"):
        raise forbidden(ask.who, f"{_REGISTRIES}/{rest}/action", registry)
    if rest == "listBuildSourceUploadUrl":
        name = f"{len(state.uploads):04d}.tar.gz"
        return Answer.json(
            {"uploadUrl": f"{state.url}/upload/{name}?sig=secret", "relativePath": f"source/{name}"}
        )
    if rest == "scheduleRun":
        return _schedule(state, registry, _server(document), json.loads(ask.body))
    ident, _, action = rest.partition("/")
    run = state.world.runs.get(ident)
    if run is None:
        raise ServiceError(404, "RunNotFound", f"there is no run {ident}")
    if action == "listLogSasUrl":
        return Answer.json({"logLink": f"{state.url}/runlog/{ident}?sig=secret"})
    if action == "cancel":
        run["ends_at"], run["fails"] = state.world.now(), "canceled"
        return Answer(200)
    return Answer.json(_shown(state, run))


def _schedule(state: Cloud, registry: str, server: str, request: dict[str, Any]) -> Answer:
    world = state.world
    if world.free:
        # https://learn.microsoft.com/azure/container-registry/container-registry-tasks-overview (free credits).
        message = (
            f"ACR Tasks requests for the registry {registry.rsplit('/', 1)[-1]} and this subscription are not "
            "permitted. Please file an Azure support request at http://aka.ms/azuresupport for assistance."
        )
        raise ServiceError(403, "TasksOperationsNotAllowed", message)
    source = request.get("sourceLocation", "")
    place = f"/upload/{source.removeprefix('source/')}"
    fresh = world.now() - state.uploaded_at.get(place, 0.0) < _DAY
    content = state.uploads.get(place) if fresh else None
    (image,) = request.get("imageNames") or [""]
    repository = image.partition(":")[0]
    with state.lock:
        ident = f"ca{len(world.runs) + 1}"
        starts = world.now() + world.nature.delay("queue of builds", image)
        fails = world.build_fails.pop(repository, "") or (
            "unable to download the source" if content is None else ""
        )
        arguments = json.dumps(request.get("arguments"), sort_keys=True)
        digest = hashlib.sha256((content or b"") + arguments.encode()).hexdigest()
        world.runs[ident] = {
            "id": f"{registry}/runs/{ident}", "ident": ident, "server": server, "image": image,
            "starts_at": starts, "ends_at": starts + world.nature.delay("build", image),
            "fails": fails, "digest": f"sha256:{digest}", "request": request,
        }  # fmt: skip
    world.store.record(
        {"method": "POST", "type": f"{_REGISTRIES}/scheduleRun", "url": f"{registry}/scheduleRun", "body": request,
         "status": 200}
    )  # fmt: skip
    return Answer.json(_shown(state, world.runs[ident]))


def _shown(state: Cloud, run: dict[str, Any]) -> dict[str, Any]:
    now = state.world.now()
    status = "Queued" if now < run["starts_at"] else "Running" if now < run["ends_at"] else "Succeeded"
    properties: dict[str, Any] = {"runId": run["ident"], "status": status, "provisioningState": "Succeeded"}
    if status == "Succeeded" and run["fails"]:
        properties["status"] = "Canceled" if run["fails"] == "canceled" else "Failed"
        properties["runErrorMessage"] = "failed to run step ID: build: exit status 1"
    elif status == "Succeeded":
        repository, _, tag = run["image"].partition(":")
        properties["outputImages"] = [
            {"registry": run["server"], "repository": repository, "tag": tag, "digest": run["digest"]}
        ]
        if not run.get("pushed"):
            run["pushed"] = True
            for reference in (tag, run["digest"]):
                state.world.images[run["server"], repository, reference] = run["digest"]
    return {"id": run["id"], "name": run["ident"], "properties": properties}


def log(state: Cloud, ask: Ask) -> Answer:
    """The log as far as it is written; `Range` is not honoured, as a first request may be."""
    run = state.world.runs.get(ask.path.removeprefix("/runlog/"))
    if run is None:
        return Answer(404)
    now = state.world.now()
    if now < run["starts_at"]:
        # The blob is not there before an agent has taken the run.
        return Answer(404)
    lines = ["Step 1/9 : FROM base", "Step 2/9 : COPY --from=environment"]
    if now >= run["ends_at"]:
        lines += [run["fails"]] if run["fails"] else ["Successfully pushed image"]
    return Answer(200, ("\n".join(lines) + "\n").encode())


def _server(registry: dict[str, Any]) -> str:
    return registry["outputs"].get("loginServer") or f"{registry['id'].rsplit('/', 1)[-1].lower()}.azurecr.io"
