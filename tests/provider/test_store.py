"""The model store: immutable, verified, shared, safe when several write at once."""

from __future__ import annotations

import os
import threading

import pytest

from mldeploy.artifacts.content import digest_entries
from mldeploy.artifacts.sources import empty_folders, model_entries
from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.local.store import Claim, Store, copy_tree, remove_tree

from .conftest import write


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


def put(store, source, ident="c", *, name="m", version="1", scope="shop/local"):
    listed = model_entries(source)
    content = digest_entries(listed)
    store.put(listed, content, Claim(ident, scope, name, version), empty_folders(source))
    return content


def test_content_is_stored_under_its_base_name_and_read_only(store, tmp_path):
    write(tmp_path, "model/sub/b.txt", "b")
    content = put(store, tmp_path / "model")
    stored = store.path(content) / "model" / "sub" / "b.txt"
    assert stored.read_text() == "b"
    assert stored.stat().st_mode & 0o222 == 0 and stored.parent.stat().st_mode & 0o222 == 0
    assert store.verify(content) is None


def test_the_name_is_part_of_the_content(store, tmp_path):
    assert put(store, write(tmp_path, "a", "x"), "1") != put(store, write(tmp_path, "b", "x"), "2", name="n")


def test_the_users_file_is_copied_not_linked(store, tmp_path):
    source = write(tmp_path, "m", "one")
    content = put(store, source)
    with source.open("r+") as file:
        file.write("two")
    assert store.verify(content) is None
    assert (store.path(content) / "m").read_text() == "one"


def damaged(store, content, text="evil"):
    path = store.path(content) / "m"
    path.chmod(0o600)
    before = path.stat()
    path.write_text(text)
    return path, before


def test_deleted_and_changed_content_is_found_and_mended(store, tmp_path):
    source = write(tmp_path, "m", "good")
    content = put(store, source)
    damaged(store, content, "longer than before")
    assert "was changed" in (store.fault(content) or "")
    put(store, source)
    assert store.verify(content) is None
    path, before = damaged(store, content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.fault(content) is None, "size and time are the same: only reading finds it"
    assert "damaged" in (store.verify(content) or "")
    remove_tree(store.path(content))
    assert "is gone" in (store.verify(content) or "")
    put(store, source)
    assert (store.path(content) / "m").read_text() == "good"


def test_a_pinned_version_never_gets_other_content(store, tmp_path):
    source = write(tmp_path, "m", "one")
    first = put(store, source, "1")
    source.write_text("two")
    with pytest.raises(ProvisionError) as caught:
        put(store, source, "2")
    second = digest_entries(model_entries(source))
    assert first in str(caught.value) and second in str(caught.value)
    assert not store.path(second).exists() and store.claims(second) == []
    put(store, source, "2", scope="other/local")  # another project's version is another thing
    store.release(first, "1")
    put(store, source, "3")  # nobody has that version any more


def test_shared_content_goes_with_its_last_claim(store, tmp_path):
    source = write(tmp_path, "m", "x")
    content = put(store, source, "1")
    put(store, source, "2", name="n")
    store.release(content, "1")
    store.release(content, "1")
    assert store.verify(content) is None
    store.release(content, "2")
    assert not store.path(content).exists()
    left = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == []


def test_a_source_that_changes_meanwhile_is_not_registered(store, tmp_path):
    source = write(tmp_path, "m", "one")
    listed = model_entries(source)
    content = digest_entries(listed)
    source.write_text("two")
    with pytest.raises(ProvisionError, match="changed"):
        store.put(listed, content, Claim("c", "s", "m", "1"))
    assert store.claims(content) == [] and list((tmp_path / "store" / "tmp").iterdir()) == []


def test_many_may_register_and_release_the_same_at_once(store, tmp_path):
    source = write(tmp_path, "m", "x" * 100_000)
    content = put(store, source, "keep")
    failures = []

    def work(number):
        try:
            for _ in range(5):
                put(store, source, f"c{number}")
                assert store.verify(content) is None
                store.release(content, f"c{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == [] and store.claims(content) == ["keep"]


def test_holes_stay_holes(store, tmp_path):
    source = tmp_path / "m"
    with source.open("wb") as file:
        file.write(b"head")
        file.seek(64 << 20)
        file.write(b"tail")
        file.truncate(80 << 20)
    content = put(store, source)
    stored = store.path(content) / "m"
    assert stored.stat().st_size == 80 << 20 and stored.stat().st_blocks * 512 < 8 << 20
    assert store.verify(content) is None


def test_what_a_script_does_to_its_copy_never_reaches_the_store(store, tmp_path):
    write(tmp_path, "model/sub/b.txt", "b")
    content = put(store, tmp_path / "model")
    copy_tree(store.path(content), tmp_path / "run")
    copy = tmp_path / "run/model/sub/b.txt"
    copy.write_text("changed")
    (copy.parent / "unpacked").mkdir()
    (copy.parent / "unpacked/c.txt").write_text("c")
    assert not copy.samefile(store.path(content) / "model/sub/b.txt")
    assert store.verify(content) is None
    copy_tree(store.path(content), tmp_path / "next")
    assert (tmp_path / "next/model/sub/b.txt").read_text() == "b"
    remove_tree(tmp_path / "run")
    assert store.verify(content) is None


def test_executable_files_and_empty_folders_are_kept(store, tmp_path):
    write(tmp_path, "model/sub/tool", "#!/bin/sh")
    write(tmp_path, "model/data", "x")
    content = put(store, tmp_path / "model")
    copy_tree(store.path(content), tmp_path / "first")
    assert not os.access(tmp_path / "first/model/sub/tool", os.X_OK)
    (tmp_path / "model/sub/tool").chmod(0o755)  # the content is the same
    (tmp_path / "model/cache/deep").mkdir(parents=True)
    assert put(store, tmp_path / "model", "2") == content
    copy_tree(store.path(content), tmp_path / "second")
    assert (tmp_path / "second/model/sub/tool").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "second/model/data").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "second/model/cache/deep").is_dir()
    assert store.verify(content) is None
    assert [path for path in store.path(content).rglob("*") if path.stat().st_mode & 0o222] == []
