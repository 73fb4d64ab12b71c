"""Blobs in memory: Content-MD5 is checked, and so is the right of who asks; a new container is not there at once."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.azure.answers import Answer, Ask
from tests.azure.standin.semantics import visible

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"


def answer(state: Cloud, ask: Ask) -> Answer:
    """``/blob/<account>/<container>/<path>``; without an account in the store nobody's rights are looked at."""
    account, _, rest = ask.path.removeprefix("/blob/").partition("/")
    container, _, name = rest.partition("/")
    if not (ask.header("Authorization") or "").startswith("Bearer "):
        return _code(401, "NoAuthenticationInformation")
    refused = _refused(state, ask, account, container, name or ask.query.get("prefix", ""))
    if refused is not None:
        return refused
    path = f"{container}/{name}"
    if ask.query.get("comp") == "list":
        return _list(state, container, ask.query)
    if ask.method == "PUT" and not _intact(ask, required=ask.query.get("comp") == "block"):
        return _code(400, "Md5Mismatch")
    if ask.query.get("comp") == "block":
        with state.lock:
            state.blocks.setdefault(path, {})[ask.query["blockid"]] = ask.body
        return Answer(201)
    if ask.query.get("comp") == "blocklist":
        return _block_list(state, path, ask)
    if ask.method == "PUT":
        with state.lock:
            taken = path in state.blobs and ask.header("If-None-Match") == "*"
            if not taken:
                state.blobs[path] = (ask.body, ask.header("x-ms-blob-content-md5") or "")
        return _code(409, "BlobAlreadyExists") if taken else Answer(201)
    if path not in state.blobs:
        return _code(404, "BlobNotFound")
    if ask.method == "DELETE":
        with state.lock:
            del state.blobs[path]
        return Answer(202)
    data, checksum = state.blobs[path]
    headers: dict[str, str] = {"Content_MD5": checksum} if checksum else {}
    headers |= {
        "x_ms_blob_type": "BlockBlob",
        "Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        "ETag": '"1"',
    }
    if ask.method == "HEAD":
        headers["Content_Length"] = str(len(data))
    return Answer(200, data, headers)


def _code(status: int, code: str) -> Answer:
    return Answer(status, b"", {"x_ms_error_code": code})


def _refused(state: Cloud, ask: Ask, account: str, container: str, path: str) -> Answer | None:
    world = state.world
    documents = [
        one for one in world.store.of(_CONTAINERS) if one["id"].split("/")[8].lower() == account.lower()
    ]
    if not documents and not world.store.of("Microsoft.Storage/storageAccounts"):
        return None
    found = next((one for one in documents if one["id"].endswith(f"/{container}")), None)
    account_id = documents[0]["id"].split("/blobServices/")[0] if documents else ""
    action = "blob.read" if ask.method in ("GET", "HEAD") else "blob.write"
    scope = found["id"] if found else account_id
    if not world.may(ask.who, action, scope, path):
        return _code(403, "AuthorizationPermissionMismatch")
    if not visible(world, found):
        return _code(404, "ContainerNotFound")
    busy = world.nature.busy(f"{ask.method} {account}")
    if busy == "429":  # https://learn.microsoft.com/azure/storage/common/scalability-targets-standard-account
        return Answer(503, b"", {"x_ms_error_code": "ServerBusy", "Retry_After": "1"})
    return None


def _intact(ask: Ask, *, required: bool) -> bool:
    given = ask.header("Content-MD5")
    if given is None:
        return not required
    return base64.b64encode(hashlib.md5(ask.body).digest()).decode() == given


def _block_list(state: Cloud, path: str, ask: Ask) -> Answer:
    if ask.method == "GET":
        blocks = "".join(
            f"<Block><Name>{name}</Name><Size>{len(data)}</Size></Block>"
            for name, data in state.blocks.get(path, {}).items()
        )
        text = f"<BlockList><CommittedBlocks/><UncommittedBlocks>{blocks}</UncommittedBlocks></BlockList>"
        if path not in state.blocks and path not in state.blobs:
            return _code(404, "BlobNotFound")
        return Answer(200, text.encode(), {"Content_Type": "application/xml"})
    names = [part.split("</")[0] for part in ask.body.decode().split("<Latest>")[1:]]
    with state.lock:
        staged = state.blocks.pop(path, {})
        content = b"".join(staged[name] for name in names)
        state.blobs[path] = (content, ask.header("x-ms-blob-content-md5") or "")
    return Answer(201)


def _list(state: Cloud, container: str, query: dict[str, str]) -> Answer:
    prefix = f"{container}/"
    rows = "".join(
        f"<Blob><Name>{escape(name.removeprefix(prefix))}</Name><Properties><Content-Length>{len(data)}"
        f"</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
        for name, (data, _) in sorted(state.blobs.items())
        if name.startswith(prefix + query.get("prefix", ""))
    )
    text = f'<?xml version="1.0"?><EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
    return Answer(200, text.encode(), {"Content_Type": "application/xml"})
