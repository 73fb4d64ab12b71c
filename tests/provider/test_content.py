"""Content digests: equal exactly when contents are, on every machine; and nothing hangs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.artifacts.content import (
    ContentError,
    Ignore,
    SqliteHashCache,
    digest,
    entries,
    file_hash,
    source_ignore,
)

from .conftest import write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "model/a.txt", "a")
    write(tmp_path, "model/sub/b.txt", "b")
    return tmp_path / "model"


def test_a_digest_is_the_same_everywhere(folder, tmp_path):
    copy = tmp_path / "elsewhere" / "other-name"
    shutil.copytree(folder, copy)
    (copy / "a.txt").chmod(0o700)
    os.utime(copy / "a.txt", (1, 1))
    (copy / "empty").mkdir()
    assert digest(copy) == digest(folder)


def test_a_digest_is_fixed_for_all_times(tmp_path):
    # A change here registers every model again under another version: do not.
    path = write(tmp_path, "m.txt", "one")
    assert digest(path) == "03ad3884af88c1869c29cb649ed0822652aee86bbab25a28560d4a729831dcf7"
    assert digest(path) == digest(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.txt").write_text("A"),
        lambda folder: (folder / "a.txt").rename(folder / "c.txt"),
        lambda folder: (folder / "a.txt").rename(folder / "sub" / "a.txt"),
        lambda folder: (folder / "new").write_text(""),
        lambda folder: (folder / "sub" / "b.txt").unlink(),
    ],
)
def test_every_change_counts(folder, change):
    before = digest(folder)
    change(folder)
    assert digest(folder) != before


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "a/x", "ab", "ü", "a b", "c/d/e"]), st.binary(max_size=9), min_size=1
    ),
    st.dictionaries(
        st.sampled_from(["a", "b", "a/x", "ab", "ü", "a b", "c/d/e"]), st.binary(max_size=9), min_size=1
    ),
)
def test_digests_are_equal_exactly_when_contents_are(tmp_path, first, second):
    digests = []
    for number, files in enumerate((first, second)):
        files = {name: data for name, data in files.items() if name != "a" or "a/x" not in files}
        root = tmp_path / str(number)
        shutil.rmtree(root, ignore_errors=True)
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        digests.append((files, digest(root)))
    assert (digests[0][0] == digests[1][0]) == (digests[0][1] == digests[1][1])


def test_links_count_as_what_they_point_to(folder, tmp_path):
    plain = digest(folder)
    target = folder / "sub" / "b.txt"
    target.rename(folder / ".blob")
    target.symlink_to("../.blob")
    (folder / "copy").mkdir()
    shutil.copy(folder / ".blob", folder / "copy" / "b.txt")
    with_link = digest(folder)
    target.unlink()
    shutil.copy(folder / ".blob", target)
    assert digest(folder) == with_link != plain


def fifo(folder):
    os.mkfifo(folder / "pipe")


def unix_socket(folder):
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(folder)
        try:
            made.bind("sock")
        finally:
            os.chdir(before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (fifo, "pipe is a pipe: only files and folders"),
        (unix_socket, "sock is a socket: only files and folders"),
        (lambda folder: (folder / "l").symlink_to("nowhere"), "l is a link to nowhere, which does not exist"),
        (lambda folder: (folder / "l").symlink_to("/etc/passwd"), "l is a link to /etc/passwd, outside of"),
        (lambda folder: (folder / "l").symlink_to(".."), "l is a link to .., outside of"),
        (lambda folder: (folder / "sub" / "l").symlink_to("../sub"), "leads back to a folder that holds it"),
        (lambda folder: (folder / "l").symlink_to("l"), "l: "),
        (lambda folder: os.mkdir(os.fsencode(folder) + b"/\xff"), "not valid UTF-8"),
    ],
    ids=["fifo", "socket", "dangling", "absolute", "parent", "circle", "self", "not-utf8"],
)
def test_what_is_no_content_is_refused_and_named(folder, make, message):
    make(folder)
    with pytest.raises(ContentError, match=message.replace(".", r"\.")):
        digest(folder)


def test_a_missing_an_empty_and_a_special_source_are_refused(tmp_path):
    with pytest.raises(ContentError, match="No such file"):
        digest(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContentError, match="has no file in it"):
        digest(tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ContentError, match="is a pipe"):
        digest(tmp_path / "pipe")


def test_a_big_file_is_never_loaded(tmp_path):
    with (tmp_path / "big").open("wb") as file:
        file.truncate(300 << 20)
    code = (
        "import sys, resource; from pathlib import Path; from mldeploy.artifacts.content import digest;"
        "resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20)); print(digest(Path(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "big")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 64


def test_the_cache_is_used_and_never_believed_wrongly(tmp_path):
    path, cache = write(tmp_path, "f", "old"), SqliteHashCache(tmp_path / "cache")
    fresh = file_hash(path, cache)
    assert cache.get(path, path.stat()) is None, "a file that was just written may still change unseen"
    os.utime(path, (1, 1))
    cache.put(path, path.stat(), "remembered")
    assert file_hash(path, cache) == "remembered" != fresh
    path.write_text("new")
    os.utime(path, (1, 1))  # same size, same mtime: ctime still tells
    assert file_hash(path, cache) not in ("remembered", fresh)


def test_a_damaged_cache_costs_time_only(tmp_path):
    path, cache = write(tmp_path, "f", "x"), tmp_path / "cache"
    cache.write_bytes(b"this is no database" * 100)
    assert file_hash(path, SqliteHashCache(cache)) == file_hash(path)


@pytest.mark.parametrize(
    ("pattern", "name", "is_folder", "ignored"),
    [
        ("*.pyc", "a/b.pyc", False, True),
        ("build", "x/build", False, True),
        ("build/", "x/build", False, False),
        ("build/", "x/build", True, True),
        ("/build", "x/build", True, False),
        ("/build", "build", True, True),
        ("a/*.txt", "a/b.txt", False, True),
        ("a/*.txt", "a/c/b.txt", False, False),
        ("a/**/b", "a/b", False, True),
        ("a/**/b", "a/x/y/b", False, True),
        ("a/**", "a/x/y", False, True),
        ("**/a", "x/y/a", False, True),
        ("[ab].txt", "b.txt", False, True),
        ("[!ab].txt", "b.txt", False, False),
        ("?.txt", "ab.txt", False, False),
        ("# comment", "# comment", False, False),
        (r"\#x", "#x", False, True),
        ("a.b", "aXb", False, False),
    ],
)
def test_ignore_patterns(pattern, name, is_folder, ignored):
    assert Ignore([pattern])(name, is_folder) is ignored


def test_the_last_pattern_that_matches_decides():
    ignore = Ignore(["*.bin", "!keep.bin"])
    assert ignore("a.bin", False) and not ignore("keep.bin", False)


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_pattern_gives_a_traceback(pattern, name):
    assert Ignore([pattern])(name, False) in (True, False)


def test_a_source_directory_leaves_out_what_its_ignore_files_say(tmp_path):
    for name in ("score.py", "__pycache__/score.pyc", "notes.md", "data/x.csv"):
        write(tmp_path, name, "x")
    write(tmp_path, ".gitignore", "score.py\n")
    write(tmp_path, ".amlignore", "data/\n.*ignore\n")
    write(tmp_path, ".dockerignore", "*.md\n")
    names = [entry.name for entry in entries(tmp_path, source_ignore(tmp_path))]
    assert names == ["score.py"], ".amlignore stands in for .gitignore"
