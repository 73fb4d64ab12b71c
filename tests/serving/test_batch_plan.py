"""How input becomes mini batches, and what a torn journal leaves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batch.journal import Journal, Record
from serving.batch.options import UsageError, parse
from serving.batch.plan import File, MiniBatch, find_files, mini_batches
from serving.batch.rows import rows_of
from serving.batch.tables import Amount, Reader, pieces

FIELD = st.sampled_from(["1", "x", '"a, b"', '"line\nbreak"', '"say ""no"""', '""', "é"])
RECORD = st.lists(FIELD, min_size=2, max_size=2).map(",".join)
AMOUNT = st.builds(Amount, st.integers(1, 60), st.booleans())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(RECORD, st.sampled_from(["", "  "])), max_size=30),
    AMOUNT,
    st.booleans(),
    st.booleans(),
)
def test_pieces_of_a_csv_are_the_whole_table(
    records: list[str], amount: Amount, crlf: bool, end: bool
) -> None:
    import pandas as pd

    line = "\r\n" if crlf else "\n"
    text = line.join(["p,q", *records]) + (line if end else "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.encode())
        cut, reader = list(pieces(path, amount)), Reader()
        parts = [reader.read(path, piece, lambda *_: pytest.fail("a row was refused")) for piece in cut]
        whole = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert [len(part) for part in parts] == [piece.items for piece in cut]
    assert [piece.first for piece in cut] == [sum(p.items for p in cut[:n]) for n in range(len(cut))]
    assert sum(piece.items for piece in cut) == len(whole)
    if not amount.bytes:
        assert all(piece.items == amount.count for piece in cut[:-1])
    found = [
        row
        for part in parts
        for row in part.astype(object).where(part.notna(), "").astype(str).itertuples(index=False, name=None)
    ]
    numbers = {"1.0": "1"}  # a piece with a missing number has its others as fractions
    assert [tuple(numbers.get(v, v) for v in row) for row in found] == [
        *whole.itertuples(index=False, name=None)
    ]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([b'{"a": 1}', b"", b"  ", b"[2]", '"é"'.encode()]), max_size=30),
    AMOUNT,
    st.booleans(),
)
def test_pieces_of_lines_cover_each_line_once(content: list[bytes], amount: Amount, end: bool) -> None:
    data = b"\n".join(content) + (b"\n" if end else b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        path.write_bytes(data)
        cut = list(pieces(path, amount))
    found: list[tuple[int, bytes]] = []
    for piece in cut:
        text = data[piece.start : piece.stop]
        its = [(n, line) for n, line in enumerate(text.split(b"\n"), piece.first) if line.strip()]
        assert len(its) == piece.items
        assert amount.bytes or piece.items <= amount.count
        found += its
    assert found == [(n, line) for n, line in enumerate(content) if line.strip()]


def test_parquet_is_read_by_row_groups(tmp_path: Path) -> None:
    import pandas as pd

    table = pd.DataFrame({"x": range(25)})
    path = tmp_path / "x.parquet"
    table.to_parquet(path, row_group_size=10)
    cut = list(pieces(path, Amount(4)))
    assert [(p.group, p.first, p.items) for p in cut[:4]] == [(0, 0, 4), (0, 4, 4), (0, 8, 2), (1, 10, 4)]
    reader = Reader()
    parts = [reader.read(path, piece, lambda *_: None) for piece in cut]
    assert pd.concat(parts).x.tolist() == table.x.tolist()
    assert [p.items for p in pieces(path, Amount(1 << 20, bytes=True))] == [10, 10, 5]


@settings(max_examples=50)
@given(st.integers(0, 20), st.integers(1, 6))
def test_mini_batches_of_files(count: int, size: int) -> None:
    files = [File(f"{n:02}.png", 1, 0) for n in range(count)]
    whole = mini_batches(Path("/none"), files, "mini_batch", Amount(size))
    assert [b.index for b in whole] == list(range(len(whole)))
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
        rows_of(None)
    with pytest.raises(TypeError, match="run\\(\\) returned str"):
        rows_of("row")
    with pytest.raises(TypeError, match="a row holds object"):
        rows_of([object()])


def test_options_have_the_manifests_names(tmp_path: Path) -> None:
    from mldeploy.manifest.batch import Batch, RetrySettings

    script = tmp_path / "score.py"
    script.write_text("")
    given = ["--input", ".", "--output", "o", "--entry_script", str(script)]
    options = parse(given, {})
    section = Batch()
    here = {
        "error_threshold", "max_concurrency_per_instance", "output_action", "output_file_name",
        "logging_level",
    }  # fmt: skip
    for name in here:
        value = getattr(section, name)
        assert getattr(options, name) == value, name
        assert parse([*given, f"--{name}={value}"], {}) == options
    assert options.amount("mini_batch").count == section.mini_batch_size
    for name in RetrySettings.model_fields:
        assert getattr(options, name) == getattr(section.retry_settings, name), name
    assert set(Batch.model_fields) - here == {
        "mini_batch_size",
        "instance_count",
        "retry_settings",
        "schedule",
    }


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
    assert "give one of them" in refused("--restart", "--retry-failed")
    assert "or such as 1MB" in refused("--mini-batch-size", "1XB")


def test_v1s_names_and_values_are_taken(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("")
    given = ["--input", ".", "--output", "o", "--entry_script", str(script)]
    v1 = (
        "--mini_batch_size 1MB --process_count_per_node 4 --run_invocation_timeout 600 --run_max_try 3 "
        "--append_row_file_name out.txt --logging_level INFO -- --model_name churn --threshold 0.5"
    )
    found = parse([*given, *v1.split()], {})
    assert found.mini_batch_size == Amount(1 << 20, bytes=True)
    assert (found.max_concurrency_per_instance, found.timeout, found.max_retries) == (4, 600, 2)
    assert (found.output_file_name, found.logging_level) == ("out.txt", "info")
    assert found.arguments == ("--model_name", "churn", "--threshold", "0.5")
