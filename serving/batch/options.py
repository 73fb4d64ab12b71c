"""The command line. Options have the names of the manifest's `batch` keys; v1's names work too."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.batch.tables import MIB, Amount

_BYTES = {"": 1, "b": 1, "kb": 1 << 10, "mb": MIB, "gb": MIB << 10}
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPILOG = """\
styles, how run() is called (auto looks at the script):
  mini_batch  run(mini_batch) with a list of paths, returns a list or a DataFrame with one row for each file that
              succeeded; auto: when the parameter is named mini_batch, or the script is one of ParallelRunStep
  tabular     the same with a pandas DataFrame of rows (of .csv, .tsv, .parquet, .jsonl files); auto: when such a script
              annotates its parameter as a DataFrame or uses it as one
  online      run() as behind HTTP: each file, or each line of a .jsonl file, is one call; auto: everything else

What follows -- are the script's own arguments: its init() finds them in sys.argv.

exit codes: 0 done; 1 the disk is full or fails; 2 bad arguments or input; 3 the entry script did not start; 4 more
failed than error_threshold allows; 130, 143 interrupted. After an interruption, also by SIGKILL or a power cut, the
same command does what is missing.
"""


class UsageError(Exception):
    """Arguments or input that cannot be used; the message says which and what is allowed."""


@dataclass(frozen=True)
class Options:
    """What a batch run was asked to do. Paths are absolute."""

    entry_script: Path
    source_directory: Path
    input: Path
    output: Path
    model_dir: str = ""
    include: tuple[str, ...] = ()
    style: str = "auto"
    mini_batch_size: Amount | None = None
    """Files, rows (tabular) or lines (.jsonl) of one mini batch, or bytes of a table. None: by the style."""
    max_concurrency_per_instance: int = 1
    """Worker processes."""
    max_retries: int = 3
    timeout: float = 30.0
    """Seconds for one `run()`; reading a table is not counted."""
    error_threshold: int = -1
    output_action: str = "append_row"
    output_file_name: str = "predictions.csv"
    logging_level: str = "info"
    restart: bool = False
    retry_failed: bool = False
    header: bool = False
    file_column: str = ""
    shard: int = 0
    """Which of `shards` this run is: it scores every `shards`-th mini batch, and the last one merges."""
    shards: int = 1
    arguments: tuple[str, ...] = ()
    """The script's own, for `sys.argv`."""

    def amount(self, style: str) -> Amount:
        """How much goes into one mini batch: rows of tables are too small to be counted in tens."""
        return self.mini_batch_size or (Amount(MIB, bytes=True) if style == "tabular" else Amount(10))


def parse(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Options:
    """Read and check the command line.

    Raises:
        UsageError: something is missing, or a value is not allowed.
        SystemExit: after `--help` (0) and for options that do not exist (2).
    """
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    known = _parser().parse_args([_dashes(argument) for argument in arguments[:end]])
    script = known.entry_script or environ.get("AZUREML_ENTRY_SCRIPT", "")
    if not script:
        raise UsageError("--entry-script: missing; give the path of the script with init() and run()")
    root = known.source_directory or environ.get("AML_APP_ROOT", "")
    if root and not Path(script).is_file():
        script = str(Path(root) / script)
    path = Path(script).absolute()
    if not path.is_file():
        raise UsageError(f"--entry-script: {script}: no such file")
    name = known.output_file_name
    if not name or "/" in name or "\0" in name or name.startswith("."):
        raise UsageError(f"--output-file-name: {name!r} is not allowed; give a file name without a folder")
    if known.restart and known.retry_failed:
        raise UsageError("--restart begins anew and --retry-failed goes on: give one of them")
    shard = _shard(known, environ)
    model_dir = known.model_dir or environ.get("AZUREML_MODEL_DIR", "")
    if known.model_dir and not Path(model_dir).exists():
        raise UsageError(f"--model-dir: {model_dir}: no such folder")
    return Options(
        entry_script=path,
        source_directory=Path(root).absolute() if root else path.parent,
        input=Path(known.input).absolute(),
        output=Path(known.output).absolute(),
        model_dir=str(Path(model_dir).absolute()) if model_dir else "",
        include=tuple(known.include),
        style=known.style,
        mini_batch_size=known.mini_batch_size,
        max_concurrency_per_instance=known.max_concurrency_per_instance,
        max_retries=known.max_retries if known.run_max_try is None else known.run_max_try - 1,
        timeout=known.timeout,
        error_threshold=known.error_threshold,
        output_action=known.output_action,
        output_file_name=name,
        logging_level=known.logging_level,
        restart=known.restart,
        retry_failed=known.retry_failed,
        header=known.header,
        file_column=known.file_column,
        shard=shard,
        shards=known.shards,
        arguments=tuple(arguments[end + 1 :]),
    )


def _shard(known: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if known.shards == 1 and known.shard is None:
        return 0
    given = known.shard if known.shard is not None else environ.get("JOB_COMPLETION_INDEX", "")
    if not re.fullmatch("[0-9]+", str(given)) or int(given) >= known.shards:
        said = f"{given!r} is not allowed" if given != "" else "missing"
        raise UsageError(f"--shard: {said}; give a whole number from 0 to {known.shards - 1}")
    return int(given)


def _dashes(argument: str) -> str:
    """`--mini_batch_size`, as the manifest writes it, is `--mini-batch-size` too."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def _at_least(least: int):
    def number(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]+", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give a whole number from {least} on")
        return int(text)

    return number


def amount(text: str) -> Amount:
    """`10` items; `64KB`, `1MB`, `2GB` bytes."""
    match = re.fullmatch(r"([0-9]+) ?([kmg]?b)?", text.lower())
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; give a whole number from 1 on, or such as 1MB"
        )
    return Amount(int(match[1]) * _BYTES[match[2] or ""], bytes=bool(match[2]))


def seconds(text: str) -> float:
    """`30`, `1.5`, `90s`, `10m`, `2h`, `1d` in seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration; allowed: seconds, or such as 90s, 10m, 2h"
        )
    return float(match[1]) * _UNITS[match[2]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.batch",
        description="Run an entry script's init() and run() over the files of a folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--input", required=True, metavar="PATH", help="a folder, with all its sub-folders, or one file")
    add("--output", required=True, metavar="FOLDER", help="where results go; made if missing")
    add("--entry-script", metavar="FILE", help="default: AZUREML_ENTRY_SCRIPT")
    add(
        "--source-directory",
        metavar="FOLDER",
        help="the script's folder; default: AML_APP_ROOT, else its own",
    )
    add("--model-dir", metavar="FOLDER", help="becomes AZUREML_MODEL_DIR; default: that variable")
    add("--include", action="append", default=[], metavar="GLOB", help="only files of such names; repeatable")
    styles = ("auto", "mini_batch", "tabular", "online")
    add("--style", choices=styles, default="auto", help="how run() is called; see below")
    add(
        "--mini-batch-size",
        type=amount,
        metavar="N",
        help="files of one mini batch, or rows, or lines, or such as 1MB of a table; 1MB for tables, else 10",
    )
    add(
        "--max-concurrency-per-instance",
        "--process-count-per-node",
        type=_at_least(1),
        default=1,
        metavar="N",
        help="worker processes; 1",
    )
    add(
        "--max-retries",
        type=_at_least(0),
        default=3,
        metavar="N",
        help="how often a failed mini batch is tried again; 3",
    )
    add("--run-max-try", type=_at_least(1), metavar="N", help="v1's: how often it is tried in all")
    add(
        "--timeout",
        "--run-invocation-timeout",
        type=seconds,
        default=30.0,
        metavar="TIME",
        help="for one run(), such as 90 or 5m; 30",
    )
    add(
        "--error-threshold",
        type=_at_least(-1),
        default=-1,
        metavar="N",
        help="files (or rows, lines) that may fail; -1: any number",
    )
    _add_outcome(parser)
    return parser


def _add_outcome(parser: argparse.ArgumentParser) -> None:
    """What becomes of the rows, and of mini batches that failed or were begun."""
    add = parser.add_argument
    add(
        "--output-action",
        choices=("append_row", "summary_only", "per_file"),
        default="append_row",
        help="one file with all rows; only the summary (the script writes its own files, to AZUREML_BI_OUTPUT_PATH); "
        "or one file FILE.OUTPUT_FILE_NAME for each input file",
    )  # fmt: skip
    add(
        "--output-file-name",
        "--append-row-file-name",
        default="predictions.csv",
        metavar="NAME",
        help="predictions.csv",
    )
    add("--header", action="store_true", help="begin the file with the names of the rows' columns")
    add(
        "--file-column",
        default="",
        metavar="NAME",
        help="each row begins with its input file's name, in this column",
    )
    add(
        "--shards",
        type=_at_least(1),
        default=1,
        metavar="N",
        help="share the mini batches among N runs over the same input and output, on any machines; 1",
    )
    add(
        "--shard",
        type=_at_least(0),
        metavar="I",
        help="which of them this is, from 0 on; default: JOB_COMPLETION_INDEX, as Kubernetes gives it",
    )
    levels = ("debug", "info", "warning")
    add("--logging-level", type=str.lower, choices=levels, default="info", help="info")
    add("--restart", action="store_true", help="forget an earlier run of this output and begin anew")
    add(
        "--retry-failed",
        action="store_true",
        help="run the failed mini batches again, also with a mended script",
    )
