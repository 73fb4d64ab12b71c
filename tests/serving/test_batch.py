"""`python -m serving.batch`: the styles of scripts, outputs, failures, exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.batch_job import FILES, ROOT, Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_files_become_mini_batches_and_rows_keep_their_order(job: Job) -> None:
    job.files(**{f"f{n:02}": "sleep 0.1" if n == 0 else str(n) for n in range(11)})
    (job.input / "sub").mkdir()
    (job.input / "sub/g").write_text("deep")
    (job.input / ".hidden").write_text("no")
    result = job("--mini_batch_size", "4", "--max_concurrency_per_instance=2")
    assert job.rows() == ["f00,sleep 0.1", *(f"f{n:02},{n}" for n in range(1, 11)), "g,deep"]
    assert sorted(job.called()) == ["f00 f01 f02 f03", "f04 f05 f06 f07", "f08 f09 f10 g"]
    assert job.summary() == {
        "complete": True, "mini_batches": 3, "items": 12, "succeeded": 12, "failed": 0, "rows": 12, "errors": [],
    }  # fmt: skip
    assert result.stdout == "12 items in 3 mini batches: 12 succeeded, 0 failed\n"
    assert "[1] init was called\n" in result.stderr
    assert "\x1b" not in result.stderr  # the progress bar is for terminals


def test_workers_are_parallel_and_call_init_once(job: Job) -> None:
    job.script("""
        import os, time

        def init(): print("init was called")

        def run(mini_batch):
            folder = os.path.dirname(os.environ["CALLS"])
            name = os.path.basename(mini_batch[0])
            open(f"{folder}/{name}.here", "w").close()
            while not os.path.exists(f"{folder}/{'ab'.replace(name, '')}.here"):  # each waits for the other
                time.sleep(0.01)
            return [name]

        def shutdown(): print("shutdown was called")
    """)
    job.files(a="", b="")
    result = job("--mini-batch-size", "1", "--max-concurrency-per-instance", "2", "--max-retries", "0")
    assert job.rows() == ["a", "b"]
    assert result.stderr.count("init was called") == result.stderr.count("shutdown was called") == 2


def test_online_scripts_score_files_and_lines(job: Job) -> None:
    job.script("""
        import json
        from inference_schema.schema_decorators import input_schema
        from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

        def init(): pass

        @input_schema("n", StandardPythonParameterType(1))
        def run(n):
            if n == 3:
                raise ValueError("not three")
            return {"double": n * 2}
    """)
    job.files(**{"a.json": '{"n": 1}', "b.jsonl": '{"n": 2}\n\n{"n": 3}\n{"n": 4}', "c.json": "{"})
    result = job("--mini-batch-size", "2")
    assert job.answers() == [
        {"file": "a.json", "output": {"double": 2}},
        {"file": "b.jsonl", "line": 1, "output": {"double": 4}},
        {"file": "b.jsonl", "line": 4, "output": {"double": 8}},
    ]
    assert "style online" in result.stderr
    assert "b.jsonl:3: ValueError: not three" in result.stderr
    assert [error["item"] for error in job.summary()["errors"]] == ["b.jsonl:3", "c.json"]


def test_an_undecorated_run_gets_json_text_when_told_online(job: Job) -> None:
    job.script("import json\ndef init(): pass\ndef run(mini_batch): return json.loads(mini_batch)['x'] + 1\n")
    job.files(**{"a.json": '{"x": 1}'})
    job("--style", "online")
    assert job.answers() == [{"file": "a.json", "output": 2}]


ADAPTED = {
    "online": (
        "import json\ndef init(): pass\ndef run(data): return json.loads(data)['x'] + 1\n",
        {"a.json": '{"x": 1}', "b.json": "{", "c.json": '{"x": 2}'},
    ),
    "mini_batch": (FILES, {"a": "1", "b": "skip", "c": "3"}),
    "tabular": (
        "import pandas as pd\ndef init(): pass\ndef run(mini_batch: pd.DataFrame): return mini_batch * 2\n",
        {"a.csv": "x,y\n1,2\n3,4\n", "b.csv": "x,y\n5,6\n"},
    ),
}


@pytest.mark.parametrize("style", ADAPTED)
def test_azures_driver_gives_the_same_rows(job: Job, style: str) -> None:
    """The adapter in the image of a batch deployment, called as Azure ML's driver calls it."""
    script, files = ADAPTED[style]
    job.script(script)
    job.files(**files)
    job()
    code = (
        "import batch_adapter, sys; batch_adapter.init(); print(*batch_adapter.run(sys.argv[1:]), sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, sorted(job.input.iterdir()))],
        env={
            **job.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT}/mldeploy/imaging/scripts",
            "SERVING_SOURCE_DIRECTORY": str(job.folder),
            "SERVING_ENTRY_SCRIPT": str(job.folder / "score.py"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [row for row in result.stdout.splitlines() if row != "init was called"] == job.rows()
    assert ("b.json could not be scored" in result.stderr) == (style == "online")


def test_tables_come_as_data_frames(job: Job) -> None:
    job.script("""
        import pandas as pd

        def init(): pass

        def run(mini_batch: pd.DataFrame) -> pd.DataFrame:
            assert list(mini_batch.index) == list(range(len(mini_batch))) and len(mini_batch) <= 3
            return pd.DataFrame({"name": mini_batch["name"], "double": mini_batch["x"] * 2})
    """)
    lines = "".join(f'"n, {n}",{n}\n' for n in range(7))
    job.files(
        **{"a.csv": f"name,x\n{lines}", "b.tsv": "name\tx\nt\t50\n", "c.jsonl": '{"name":"j","x":60}\n'}
    )
    job("--mini-batch-size", "3")
    assert job.rows() == [*(f'"n, {n}",{n * 2}' for n in range(7)), "t,100", "j,120"]
    assert job.summary()["mini_batches"] == 5
    job.files(**{"d.png": ""})
    assert "d.png: not a table; allowed: .csv" in job("--restart", code=2).stderr


def test_per_file_and_summary_only(job: Job) -> None:
    job.files(a="1", b="2", c="raise", d="4")
    job(
        "--output-action",
        "per_file",
        "--mini-batch-size",
        "2",
        "--output-file-name",
        "txt",
        "--max-retries",
        "0",
    )
    assert sorted(p.name for p in job.output.iterdir()) == [".batch", "a.txt", "b.txt", "summary.json"]
    assert (job.output / "b.txt").read_text() == "b,2\n"
    job("--output-action", "summary_only", "--restart", "--max-retries", "0")
    assert job.summary()["failed"] == 4


def test_rows_of_all_kinds_are_one_record_each(job: Job) -> None:
    job.script("""
        import numpy as np
        def init(): pass
        def run(mini_batch):
            return ["a\\nb", 1, {"x": np.float64(0.5)}, np.array([1, 2]), None]
    """)
    job.files(a="")
    job()
    text = (job.output / "predictions.csv").read_text()
    assert text == '"a\nb"\n1\n{"x": 0.5}\n[1, 2]\nnull\n'


def test_failures_are_retried_then_given_up(job: Job) -> None:
    job.files(a="exit", b="once", c="sleep 30", d="raise", e="skip", f="fine")
    result = job("--mini-batch-size", "1", "--max-retries", "1", "--timeout", "0.5")
    assert job.rows() == ["b,once", "f,fine"]
    assert job.called() == ["a", "a", "b", "b", "c", "c", "d", "d", "e", "f"]
    errors = {error["item"]: error["error"] for error in job.summary()["errors"]}
    assert errors == {
        "a": "the worker ended with exit code 7",
        "c": "took longer than 0.5 s",
        "d": "ValueError: no such thing",
        "e": "run() returned 0 rows for 1 items",
    }
    assert "mini batch 1: ValueError: this once; try 2 of 2" in result.stderr
    assert 'raise ValueError("no such thing")' in result.stderr  # the script's traceback


def test_error_threshold(job: Job) -> None:
    job.files(a="raise", b="skip", c="fine")
    size = ("--mini-batch-size", "1", "--max-retries", "0")
    assert "error: 2 failed; error_threshold allows 1" in job(*size, "--error-threshold", "1", code=4).stderr
    assert not job.summary()["complete"] and job.summary()["failed"] == 2
    job(*size, "--error-threshold", "2")  # the same run goes on
    assert job.rows() == ["c,fine"]
    assert job.called() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("def init(): raise OSError('no model')\ndef run(mini_batch): pass", "OSError: no model"),
        ("import does_not_exist", "No module named 'does_not_exist'"),
        ("def init(): pass", "no run() function is defined"),
        ("import os\ndef init(): os._exit(9)\ndef run(mini_batch): pass", "exit code 9"),
    ],
)
def test_scripts_that_do_not_start(job: Job, script: str, said: str) -> None:
    job.script(script)
    job.files(a="1")
    assert said in job(code=3).stderr


def test_the_command_of_the_docs_scores_the_sample(tmp_path: Path) -> None:
    text = (ROOT / "docs/serving.md").read_text()
    command = text.split("## Batch\n")[1].split("```sh\n")[1].split("```")[0]
    assert "python -m serving.batch" in command and "/tmp/scored" in command
    command = command.replace("/tmp/scored", str(tmp_path)).replace("python", sys.executable)
    subprocess.run(["bash", "-ec", command], cwd=ROOT, check=True, capture_output=True, timeout=60)
    (row,) = (tmp_path / "predictions.csv").read_text().splitlines()
    expected = json.loads((ROOT / "golden/diabetes.expected.json").read_text())
    assert json.loads(row)["output"] == pytest.approx(expected)


def test_input_that_cannot_be_used_ends_with_2(job: Job) -> None:
    assert "error: --input: " in job(code=2).stderr
    assert "'0' is not allowed; give a whole number from 1 on" in job("--mini-batch-size", "0", code=2).stderr


def test_a_script_may_print_more_than_a_pipe_holds(job: Job) -> None:
    job.script("""
        def init(): print(("x" * 99 + "\\n") * 2000)
        def run(mini_batch):
            print(("y" * 99 + "\\n") * 2000)
            return ["row"]
    """)
    job.files(a="")
    result = job("--max-concurrency-per-instance", "2")
    assert result.stderr.count("y" * 99) == 2000
    assert job.rows() == ["row"]
    assert "xxx" not in job("--restart", "--logging-level", "warning").stderr


def test_the_output_folder_may_be_inside_the_input(job: Job) -> None:
    job.files(a="1")
    job.output = job.input / "out"
    job()
    assert "continuing: 1 of 1" in job().stderr
    job.output = job.input
    assert "is the input; give another folder" in job(code=2).stderr


def test_progress_bar_on_a_terminal(job: Job) -> None:
    job.files(**{f"f{n}": str(n) for n in range(4)})
    main, other = pty.openpty()
    process = subprocess.Popen(job.command("--mini-batch-size", "1"), env=job.environ, stderr=other)
    os.close(other)
    shown = b""
    try:
        while chunk := os.read(main, 4096):
            shown += chunk
    except OSError:  # how Linux tells that the other side closed
        pass
    finally:
        os.close(main)
    assert process.wait(10) == 0
    assert b"100% 4/4" in shown and b"\r\x1b[K" in shown


# -- tables ----


def test_tables_are_read_in_pieces_by_bytes(job: Job) -> None:
    import pandas as pd

    job.script("""
        import pandas as pd
        def init(): pass
        def run(mini_batch: pd.DataFrame):
            return [f"{len(mini_batch)} {x}" for x in mini_batch["x"]]
    """)
    kinds = {
        "csv": lambda table, path: table.to_csv(path, index=False),
        "jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
        "parquet": lambda table, path: table.to_parquet(path, row_group_size=250),
        "tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    }
    for number, (suffix, write) in enumerate(kinds.items()):
        rows = range(1000 * number, 1000 * number + 1000)
        table = pd.DataFrame({"x": rows, "text": [f'say "{n}",\nplease' for n in rows]})
        write(table, job.input / f"t.{suffix}")
    job("--mini-batch-size", "4KB", "--max-concurrency-per-instance", "2")
    sizes, numbers = zip(*(row.split() for row in job.rows()), strict=True)
    assert list(map(int, numbers)) == list(range(4000))
    for kind in range(4):
        assert max(map(int, sizes[1000 * kind : 1000 * kind + 1000])) < 300
    assert job.summary()["mini_batches"] > 12
    job("--restart")
    assert job.summary()["mini_batches"] == 1 + 1 + 4 + 1


def test_reading_a_table_is_not_counted_as_run(job: Job) -> None:
    job.script("""
        import time, pandas as pd
        slow = pd.read_csv
        def read(*args, **more):
            time.sleep(1)
            return slow(*args, **more)
        pd.read_csv = read
        def init(): pass
        def run(mini_batch: pd.DataFrame): return mini_batch
    """)
    job.files(**{"a.csv": "x\n1\n"})
    job("--timeout", "0.4", "--max-retries", "0")
    assert job.rows() == ["1"]


def test_a_row_that_cannot_be_read_costs_one_row(job: Job) -> None:
    job.script("def init(): pass\ndef run(mini_batch): return [row.x for row in mini_batch.itertuples()]\n")
    job.files(
        **{"a.jsonl": '{"x": 1}\n{"x":\n[3]\n{"x": 4}\n', "b.csv": "x,y\n1,2\n3,4,5\n6,7\n", "c.jsonl": "{\n"}
    )
    result = job()
    assert job.rows() == ["1", "4", "1", "6"]
    assert [error["item"] for error in job.summary()["errors"]] == [
        "a.jsonl:2",
        "a.jsonl:3",
        "b.csv:2",
        "c.jsonl:1",
    ]
    assert job.summary()["failed"] == 4 and job.summary()["items"] == 8
    assert "a.jsonl:2: JSONDecodeError" in result.stderr


# -- failures, once more ----


def test_failed_mini_batches_are_run_again_alone(job: Job) -> None:
    job.files(a="fine", b="raise", c="skip", d="fine")
    size = ("--mini-batch-size", "1", "--max-retries", "0")
    assert "2 failed; --retry-failed runs their mini batches again" in job(*size).stderr
    (job.folder / "score.py").write_text(
        "from os.path import basename\ndef init(): pass\n"
        "def run(mini_batch): return [basename(p) + ',mended' for p in mini_batch]\n"
    )
    assert "--retry-failed for the failed ones alone" in job(*size, code=2).stderr
    job(*size, "--retry-failed")
    assert job.rows() == ["a,fine", "b,mended", "c,mended", "d,fine"]
    assert job.summary()["failed"] == 0
    job(*size, "--retry-failed")
    assert job.rows() == ["a,fine", "b,mended", "c,mended", "d,fine"]


def test_over_the_threshold_what_is_there_is_written(job: Job) -> None:
    job.files(a="1", b="raise", c="raise", d="4")
    job("--mini-batch-size", "1", "--max-retries", "0", "--error-threshold", "1", code=4)
    assert job.rows()[0] == "a,1"
    assert job.summary()["complete"] is False


def test_a_run_of_which_everything_failed_says_so(job: Job) -> None:
    job.files(a="raise", b="raise")
    result = job("--mini-batch-size", "1", "--max-retries", "0")
    assert "error: all 2 items failed; the first: a: ValueError: no such thing" in result.stderr


# -- outputs ----


def test_a_header_and_the_files_names_on_request(job: Job) -> None:
    job.script("""
        import pandas as pd
        def init(): pass
        def run(mini_batch: pd.DataFrame):
            return pd.DataFrame({"naïve, name": mini_batch.name, "half": mini_batch.x / 2})
    """)
    job.files(**{"a, b.csv": 'name,x\n"é ""q""",1\nplain,\n'})
    job("--header", "--file-column", "source")
    text = (job.output / "predictions.csv").read_text("utf-8")
    assert text == 'source,"naïve, name",half\n"a, b.csv","é ""q""",0.5\n"a, b.csv",plain,\n'
    job.script("def init(): pass\ndef run(mini_batch): return [{'a': 1, 'b': [2]} for _ in mini_batch]\n")
    job.files(**{"a, b.csv": "x\n1\n"})
    job("--header", "--restart", "--style", "tabular")
    assert job.rows() == ["a,b", "1,[2]"]
    job.script("def init(): pass\ndef run(mini_batch): return ['x' for _ in mini_batch]\n")
    assert "rows without names" in job("--header", "--restart", code=2).stderr


# -- scripts of ParallelRunStep ----

PARALLEL_RUN = {
    "arguments": """
        import argparse
        def init():
            global more
            parser = argparse.ArgumentParser()
            parser.add_argument("--add", type=int)
            more, _ = parser.parse_known_args()
        def run(input_data):
            return (input_data["x"] + more.add).tolist()
    """,
    "run context": """
        from azureml.core import Run
        from azureml.core.run import Run as Same
        def init():
            global run_
            run_ = Run.get_context()
            run_.log("started", 1)
        def run(mini_batch):
            run_.log_row("rows", n=len(mini_batch))
            return [row.x + 1 for row in mini_batch.itertuples()]
    """,
    "entry script": """
        from azureml_user.parallel_run import EntryScript
        def init():
            entry = EntryScript()
            entry.logger.info("init is called")
            entry.working_dir, entry.output_dir
        def run(data):
            assert isinstance(data, list)
            import csv
            return [int(row["x"]) + 1 for path in data for row in csv.DictReader(open(path))]
    """,
    "frame": """
        def init(): pass
        def run(batch):
            batch = batch.drop(columns=["y"])
            batch["z"] = batch["x"] + 1
            return batch[["z"]]
    """,
}


@pytest.mark.parametrize("kind", PARALLEL_RUN)
def test_scripts_of_parallel_run_step_run_unchanged(job: Job, kind: str) -> None:
    job.script(PARALLEL_RUN[kind])
    job.files(**{"a.csv": "x,y\n1,0\n2,0\n"})
    job("--", "--add", "1")
    assert job.rows() == ["2", "3"]
