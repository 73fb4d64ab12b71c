"""Uploads against Azurite: a blob service that somebody else wrote."""

import base64
import hashlib
import os

import pytest

from mldeploy.provider.azure import blobs
from mldeploy.provider.azure.model_files import ModelFiles
from mldeploy.provider.framework.resource import Context, ProvisionError
from tests.azure import azurite
from tests.plain_values import Plain

pytestmark = [pytest.mark.skipif(bool(azurite.why_not()), reason=azurite.why_not()), pytest.mark.timeout(240)]


@pytest.fixture
def account(cloud, tmp_path, monkeypatch):
    data = tmp_path / "azurite"
    data.mkdir()
    with azurite.serve(data, cloud.folder) as url:
        monkeypatch.setenv("MLDEPLOY_BLOB_ENDPOINT", url)
        yield url


def test_files_are_uploaded_resumed_verified_and_deleted(account, tmp_path):
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    ctx = Context(root=tmp_path / "root")
    folder = ctx.root / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "big.bin").write_bytes(os.urandom(2 * blobs.BLOCK + 999))
    (folder / "sub/small ü.txt").write_text("small")
    files = Plain(ModelFiles())
    given = {"account_url": account, "container": "models", "name": "m", "source": "model"}
    given |= files.check(ctx, {}, given)
    with pytest.raises(ProvisionError, match="ContainerNotFound"):
        files.create(ctx, given)
    container = blobs.client(account, "models")
    container.create_container()
    ident, outputs = files.create(ctx, given)
    state = given | outputs
    name = f"{outputs['path']}/big.bin"
    data = container.download_blob(name).readall()
    assert hashlib.sha256(data).digest() == hashlib.sha256((folder / "big.bin").read_bytes()).digest()
    stamp = container.get_blob_client(name).get_blob_properties().last_modified
    etag = container.get_blob_client(name).get_blob_properties().etag
    files.create(ctx, given)
    assert container.get_blob_client(name).get_blob_properties().etag == etag, f"sent again after {stamp}"

    assert files.read(ctx, ident, state, given) is not None
    container.delete_blob(name)
    assert files.read(ctx, ident, state, given) is None

    # An interrupted upload: one block is staged, nothing is visible; then only the others are sent.
    client = container.get_blob_client(name)
    first = (folder / "big.bin").read_bytes()[: blobs.BLOCK]
    block = blobs.block_id(0, hashlib.md5(first).digest())
    client.stage_block(block, first)
    with pytest.raises(ResourceNotFoundError):
        client.get_blob_properties()
    files.create(ctx, given)
    assert container.download_blob(name).readall() == data
    assert files.read(ctx, ident, state, given) is not None
    assert client.get_blob_properties().metadata["sha256"] == hashlib.sha256(data).hexdigest()
    with pytest.raises(HttpResponseError, match="contentMD5"):
        client.stage_block(
            block, first, headers={"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}
        )
    files.delete(ctx, ident, state)
    assert list(container.list_blobs()) == []
