"""ModelFiles against a blob service: content, parallel blocks, resuming, checksums, deletion."""

import hashlib
import os

import pytest

from mldeploy.provider.azure import blobs
from mldeploy.provider.azure.model_files import ModelFiles
from mldeploy.provider.framework.resource import CancelledError, CheckError, Context, ProvisionError
from tests.plain_values import Plain

FILES = Plain(ModelFiles())
BLOCK = 1 << 20
BIG = 2 * BLOCK + 12345


@pytest.fixture
def place(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(blobs, "BLOCK", BLOCK)
    monkeypatch.setattr(blobs, "_WHOLE", BLOCK)
    root = tmp_path / "root"
    (root / "models/many/sub").mkdir(parents=True)
    (root / "models/big.bin").write_bytes(os.urandom(BIG))
    for index in range(20):
        (root / f"models/many/sub/{index:02d} ä.txt").write_text(str(index))
    return Context(root=root)


def inputs(ctx, source, **more):
    given = {
        "account_url": "https://st.blob.core.windows.net",
        "container": "models",
        "name": "m",
        "source": source,
    }
    given |= more
    assert not FILES.faults(given)
    return given | FILES.check(ctx, {}, given)


def test_a_folder_goes_up_once_and_comes_down_whole(cloud, place):
    wanted = inputs(place, "models/many")
    ident, outputs = FILES.create(place, wanted)
    assert outputs["files"] == 20
    assert outputs["model_version"] == outputs["digest"][:12]
    assert outputs["path"] == f"m/{outputs['digest']}/many"
    assert len(cloud.blobs) == 20
    data, checksum = cloud.blobs[f"models/m/{outputs['digest']}/many/sub/07 ä.txt"]
    assert data == b"7"
    assert checksum
    puts = sum(method == "PUT" for method, _ in cloud.log)
    FILES.create(place, wanted)
    assert sum(method == "PUT" for method, _ in cloud.log) == puts, "files that were there went up again"
    assert FILES.read(place, ident, outputs | wanted, wanted) is not None
    FILES.delete(place, ident, outputs | wanted)
    assert cloud.blobs == {}
    FILES.delete(place, ident, outputs | wanted)


def test_a_large_file_goes_in_blocks_and_resumes(cloud, place):
    wanted = inputs(place, "models/big.bin")
    # The fault is asked for under the server's lock, so exactly one block arrives.
    cloud.fail = lambda method, path: 403 if sum(m == "PUT" for m, _ in cloud.log) > 1 else None
    with pytest.raises(ProvisionError, match="Storage Blob Data Contributor"):
        FILES.create(place, wanted)
    assert cloud.blobs == {}, "a part of a file is visible"
    cloud.fail = lambda method, path: None
    cloud.log.clear()
    _, outputs = FILES.create(place, wanted)
    data, _ = cloud.blobs[f"models/{outputs['path']}"]
    assert (
        hashlib.sha256(data).digest() == hashlib.sha256((place.root / "models/big.bin").read_bytes()).digest()
    )
    # Two missing blocks and the list of all: what had arrived did not go again.
    assert sum(method == "PUT" for method, _ in cloud.log) == 3


def test_a_file_that_changes_on_its_way_is_refused(cloud, place, monkeypatch):
    """The bytes that arrive are those that were hashed, or the service says so."""
    wanted = inputs(place, "models/big.bin")
    hashed = blobs.Part.checksum

    def then_change(part):
        found = hashed(part)
        with (place.root / "models/big.bin").open("r+b") as file:
            file.write(b"changed")
        return found

    monkeypatch.setattr(blobs.Part, "checksum", then_change)
    with pytest.raises(ProvisionError, match=r"Md5Mismatch: .*a file changed while it was sent"):
        FILES.create(place, wanted)
    assert cloud.blobs == {}


def test_a_file_that_shrinks_on_its_way_is_refused(cloud, place, monkeypatch):
    wanted = inputs(place, "models/big.bin")
    opened = blobs.open_regular

    def then_cut(path):
        file = opened(path)
        os.truncate(path, BIG - 100)
        return file

    monkeypatch.setattr(blobs, "open_regular", then_cut)
    with pytest.raises(ProvisionError, match="changed while it was uploaded"):
        FILES.create(place, wanted)
    assert cloud.blobs == {}


def test_a_repeated_request_sends_its_part_from_the_start(cloud, place):
    failing = {"left": 1}

    def fail(method, path):
        if method == "PUT" and path.endswith("big.bin") and failing["left"]:
            failing["left"] -= 1
            return 503
        return None

    cloud.fail = fail
    _, outputs = FILES.create(place, inputs(place, "models/big.bin"))
    assert cloud.blobs[f"models/{outputs['path']}"][0] == (place.root / "models/big.bin").read_bytes()
    assert failing["left"] == 0


def test_lost_files_are_drift(cloud, place):
    wanted = inputs(place, "models/many")
    ident, outputs = FILES.create(place, wanted)
    state = outputs | wanted
    cloud.blobs.pop(next(iter(cloud.blobs)))
    assert FILES.read(place, ident, state, wanted) is None
    FILES.create(place, wanted)
    assert FILES.read(place, ident, state, wanted) is not None
    name = next(iter(cloud.blobs))
    cloud.blobs[name] = (b"cut", "")
    assert FILES.read(place, ident, state, wanted) is None


def test_a_pinned_version_keeps_its_content(place):
    first = inputs(place, "models/many", version="3")
    (place.root / "models/many/sub/new.txt").write_text("x")
    with pytest.raises(CheckError) as error:
        FILES.check(place, first, {key: value for key, value in first.items() if key != "digest"})
    assert first["digest"] in str(error.value)
    assert "'3'" in str(error.value)


def test_content_that_changes_after_the_plan_is_refused(cloud, place):
    wanted = inputs(place, "models/many")
    (place.root / "models/many/sub/00 ä.txt").write_text("other")
    with pytest.raises(ProvisionError, match="changed since it was planned"):
        FILES.create(place, wanted)
    assert cloud.blobs == {}


def test_cancelling_stops_an_upload(cloud, place):
    wanted = inputs(place, "models/big.bin")
    place.cancelled.set()
    with pytest.raises(CancelledError):
        FILES.create(place, wanted)
    assert cloud.blobs == {}


def test_account_keys_are_never_used(cloud, place, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_KEY", "a2V5")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=a2V5")
    FILES.create(place, inputs(place, "models/many"))
    assert cloud.blobs
