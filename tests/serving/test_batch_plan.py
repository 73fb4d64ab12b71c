"""How input becomes mini batches, and what a torn journal leaves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batch.calls import row_texts
from serving.batch.journal import Journal, Record
from serving.batch.options import UsageError, parse
from serving.batch.plan import File, MiniBatch, find_files, lines, mini_batches, split


@settings(max_examples=50)
@given(st.integers(0, 500), st.integers(1, 60))
def test_pieces_cover_everything_once(count: int, size: int) -> None:
    pieces = list(split(count, size))
    assert [n for start, stop in pieces for n in range(start, stop)] == list(range(count))
    assert all(0 < stop - start <= size for start, stop in pieces)
    assert all(stop - start == size for start, stop in pieces[:-1])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([b'{"a": 1}', b"", b"  ", b"[2]", '"é"'.encode()]), max_size=30),
    st.integers(1, 7),
    st.booleans(),
)
def test_pieces_of_lines_cover_each_line_once(content: list[bytes], size: int, end: bool) -> None:
    data = b"\n".join(content) + (b"\n" if end else b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        path.write_bytes(data)
        pieces = list(lines(path, size))
    found: list[tuple[int, bytes]] = []
    for start, stop, count, first in pieces:
        its = [(n, line) for n, line in enumerate(data[start:stop].split(b"\n"), first) if line.strip()]
        assert len(its) == count <= size
        found += its
    assert found == [(n, line) for n, line in enumerate(content) if line.strip()]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 20), max_size=8), st.integers(1, 6))
def test_mini_batches_of_files_and_tables(sizes: list[int], size: int) -> None:
    files = [File(f"{n:02}.csv", rows, 0) for n, rows in enumerate(sizes)]
    rows = {file.name: file.size for file in files}
    tables = mini_batches(Path("/none"), files, "tabular", size, rows.__getitem__)
    assert [b.index for b in tables] == list(range(len(tables)))
    assert [(b.files[0], n) for b in tables for n in range(b.start, b.stop)] == [
        (n, row) for n, count in enumerate(sizes) for row in range(count)
    ]
    whole = mini_batches(Path("/none"), files, "mini_batch", size, rows.__getitem__)
    assert [n for b in whole for n in b.files] == list(range(len(files)))
    assert all(b.items == len(b.files) <= size and MiniBatch.from_json(b.to_json()) == b for b in whole)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_journal_cut_anywhere_keeps_whole_mini_batches(data: st.DataObject) -> None:
    """A power cut leaves any beginning of the journal, and rows that it does not know yet."""
    sizes = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))
    texts = [b"%d" % n * size for n, size in enumerate(sizes)]
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        journal.begin({})
        for n, text in enumerate(texts):
            journal.add([(Record(n, 1, 0, 1, parts=[[n, len(text)]]), [text])])
        journal.close()
        path = Path(folder) / ".batch/journal"
        written = path.read_bytes()
        cut = data.draw(st.integers(0, len(written)))
        path.write_bytes(written[:cut])
        with (Path(folder) / ".batch/rows").open("ab") as rows:
            rows.write(b"rows of a mini batch that was not journaled")

        journal = Journal(Path(folder))
        journal.resume()
        kept = written[:cut].count(b"\n")
        assert sorted(journal.records) == list(range(kept))
        journal.add(
            (Record(n, 1, 0, 1, parts=[[n, len(text)]]), [text])
            for n, text in enumerate(texts)
            if n not in journal.records
        )
        assert [b"".join(journal.rows_of(journal.records[n])) for n in range(len(texts))] == texts
        assert b"".join(journal.rows_of(journal.records[0], file=9)) == b""
        journal.close()


def test_what_a_script_returns_must_be_rows() -> None:
    with pytest.raises(TypeError, match="run\\(\\) returned NoneType; a list or a DataFrame is needed"):
        row_texts(None)
    with pytest.raises(TypeError, match="run\\(\\) returned str"):
        row_texts("row")
    with pytest.raises(TypeError, match="a row holds object"):
        row_texts([object()])


def test_options_have_the_manifests_names(tmp_path: Path) -> None:
    from mldeploy.manifest.batch import Batch, RetrySettings

    script = tmp_path / "score.py"
    script.write_text("")
    given = ["--input", ".", "--output", "o", "--entry_script", str(script)]
    options = parse(given, {})
    section = Batch()
    here = {
        "mini_batch_size", "error_threshold", "max_concurrency_per_instance", "output_action", "output_file_name",
        "logging_level",
    }  # fmt: skip
    for name in here:
        value = getattr(section, name)
        assert getattr(options, name) == value, name
        assert parse([*given, f"--{name}={value}"], {}) == options
    for name in RetrySettings.model_fields:
        assert getattr(options, name) == getattr(section.retry_settings, name), name
    assert set(Batch.model_fields) - here == {"instance_count", "retry_settings", "schedule"}


def test_arguments_and_input_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, folder = tmp_path / "score.py", tmp_path / "in"
    script.write_text("")
    folder.mkdir()
    given = ["--input", str(folder), "--output", str(tmp_path / "o"), "--entry-script", str(script)]

    def refused(*more: str) -> str:
        with pytest.raises((UsageError, SystemExit)) as caught:
            find_files(parse([*given, *more], {}))
        return f"{caught.value}{capsys.readouterr().err}"

    assert "has no files" in refused()
    (folder / "a").write_text("1")
    assert "has no files that match *.csv" in refused("--include", "*.csv")
    assert "'a/b' is not allowed; give a file name without a folder" in refused("--output-file-name", "a/b")
    assert "'soon' is no duration" in refused("--timeout", "soon")
    assert "'-2' is not allowed; give a whole number from -1 on" in refused("--error-threshold=-2")
    assert "unrecognized arguments: --mini-batch" in refused("--mini-batch", "1")
    assert "is the input; give another folder" in refused("--output", str(folder))
    assert "no such file" in refused("--entry-script", "none.py")
    assert "no such folder" in refused("--model-dir", str(tmp_path / "none"))
    assert "no such file or folder" in refused("--input", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="--entry-script: missing"):
        parse(given[:4], {})
    assert parse(given[:4], {"AZUREML_ENTRY_SCRIPT": str(script)}).entry_script == script
    assert parse([*given, "--timeout", "5m"], {}).timeout == 300
