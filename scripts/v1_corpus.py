"""Import every public v1 file of a list and print what came of it.

    python scripts/v1_corpus.py --clones FOLDER [--list tests/migrate/corpus.tsv] [--only TEXT] [--update]

FOLDER has a clone (or bare repository) `<owner>+<name>` for every repository of the list; nothing is downloaded. A file
is imported in a copy of its repository (small text files only), files that the repository lacks are stubbed, and the
result is loaded for every stack. The list has repository, commit, path and the expected outcome, separated by tabs.
"""

from __future__ import annotations

import argparse
import collections
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.manifest import ManifestErrors, load
from mldeploy.migrate import MigrateError, Migration, Options, Outcome, migrate
from mldeploy.migrate.account import Site, sites

_KEPT = (".py", ".ipynb", ".sh", ".yml", ".yaml", ".json", ".txt", ".r")
_LARGEST = 3_000_000
_ROUNDS = 4
_KNOWN = ("still to be decided",)
"""Faults that stand for a decision."""
OUTCOMES = ("whole", "one loss", "losses", "nothing", "refused", "silent", "crash")
_MODELS = {
    "sklearn": b"\x80\x02csklearn.linear_model._ridge\nRidge\n)\x81}X\x10\0\0\0_sklearn_versionX\x05\0\0\x001.5.2sb.",
    "onnx": b"\x08\x07",
}
"""What stands for a model that is scored without an entry script, by its runtime: its kind is looked at."""
_STUB = "import json\n\n\ndef init():\n    pass\n\n\ndef run(raw):\n    return json.loads(raw)\n"


@dataclass
class Measured:
    """What came of one file."""

    outcome: str
    reasons: list[str] = field(default_factory=list[str])
    valid: int = 0
    manifests: int = 0
    faults: list[str] = field(default_factory=list[str])


def measure(script: Path, root: Path, written: dict[Path, str | None]) -> Measured:
    """Import one file into its project and compare with an account of its calls that shares nothing with the reader."""
    try:
        calls = sites(script)
    except MigrateError as error:
        return Measured("refused", [str(error)])
    try:
        found = migrate([script], Options(root))
    except MigrateError as error:
        if "FPGA" in str(error):
            return Measured("whole", [f"refused: {error}"])
        return Measured("refused" if calls else "nothing", [str(error)])
    except Exception as error:
        return Measured("crash", [f"{error!r}: {traceback.format_exc().splitlines()[-3].strip()}"])
    silent = list(_silent(calls, found))
    losses = [f"{one.where}: {one.what}: {one.why}" for one in found.by_outcome(Outcome.UNREAD)]
    outcome = "silent" if silent else OUTCOMES[min(len(losses), 2)]
    measured = Measured(outcome, silent + losses)
    _validate(found, root, measured, written)
    return measured


def _silent(calls: list[Site], found: Migration) -> Iterator[str]:
    """Calls, and arguments written out in them, that no line of the report is about."""
    about: dict[str, set[str]] = {}
    for one in found.findings:
        about.setdefault(one.where, set()).add(one.what)
    for site in calls:
        lines = about.get(site.where)
        if not lines:
            yield f"{site.where}: {site.name}: no line about it"
            continue
        whole = any(one.outcome in (Outcome.UNREAD, Outcome.DROPPED) and "." not in one.what.removeprefix(site.name)
                    for one in found.findings if one.where == site.where)  # fmt: skip
        for keyword in () if whole else site.keywords:
            if not any(keyword in line for line in lines):
                yield f"{site.where}: {site.name}({keyword}=): no line about it"


def _validate(found: Migration, root: Path, measured: Measured, written: dict[Path, str | None]) -> None:
    for name, text in {**found.files, **found.written}.items():
        _write(root / name, text, written)
    for stack in found.stacks:
        measured.manifests += 1
        errors = _errors(root, stack, written)
        left = [
            str(one)
            for one in errors
            if not any(text in one.message for text in _KNOWN) and not _decided(found, one.path)
        ]
        measured.valid += not left
        measured.faults += left


def _errors(root: Path, stack: str, written: dict[Path, str | None]) -> list[ManifestErrors]:
    """What is wrong with a manifest after the files that the repository lacks are there."""
    for _ in range(_ROUNDS):
        try:
            load(root, stack)
        except ManifestErrors as errors:
            stubbed = [_stub(root, stack, one.path, written) for one in errors.errors]
            if not any(stubbed):
                return errors.errors
        else:
            return []
    return []


def _stub(root: Path, stack: str, path: str, written: dict[Path, str | None]) -> bool:
    """Make the model, script or conda file that a manifest names."""
    import yaml

    parts = path.split(".")
    document = {}
    for name in ("manifest.yaml", f"manifest.{stack}.yaml"):
        if (root / name).exists():
            for section, entries in (yaml.safe_load((root / name).read_text()) or {}).items():
                document.setdefault(section, {}).update(entries) if isinstance(entries, dict) else None
    if parts[0] == "models":
        key = max((k for k in document["models"] if path.startswith(f"models.{k}")), key=len)
        source = document["models"].get(key, {}).get("source", "")
        if source and "://" not in source and not (root / source).exists():
            runtime = next(
                (one.get("runtime") for one in document.get("images", {}).values() if key in one["models"]),
                "",
            )
            _write(root / source, _MODELS.get(runtime, b"model"), written)
            return True
    if parts[0] == "images":
        key = max((k for k in document["images"] if path.startswith(f"images.{k}")), key=len)
        image = document["images"].get(key, {})
        folder = root / image.get("source_directory", ".")
        made = False
        for name, text in (
            (image.get("entry_script"), _STUB),
            (image.get("conda_file"), "dependencies: [python=3.11]\n"),
        ):
            if name and not (folder / name).exists():
                _write(folder / name, text, written)
                made = True
        return made
    return False


def _decided(found: Migration, path: str) -> bool:
    return any(one.to and path.startswith(one.to) for one in found.by_outcome(Outcome.DECIDE))


def _write(path: Path, text: str | bytes, written: dict[Path, str | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written.setdefault(path, path.read_text() if path.exists() else None)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


# --- the corpus ------------------------------------------------------------------------------------------


def _extract(clone: Path, commit: str, into: Path) -> None:
    """The small text files of a commit; large ones can be absent from a clone."""
    places = (clone / "repo" / ".git", clone / "repo", clone / ".git", clone)
    git = ["git", f"--git-dir={next(one for one in places if (one / 'HEAD').is_file())}"]
    listed = subprocess.run(
        [*git, "ls-tree", "-rlz", commit], capture_output=True, check=True, text=True
    ).stdout
    for entry in filter(None, listed.split("\0")):
        described, _, name = entry.partition("\t")
        _, kind, blob, size = described.split()
        if kind == "blob" and size.isdigit() and int(size) < _LARGEST and name.lower().endswith(_KEPT):
            shown = subprocess.run([*git, "cat-file", "blob", blob], capture_output=True, check=False)
            if shown.returncode == 0:
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                (into / name).write_bytes(shown.stdout)


def main() -> int:
    """Print the table; 1 when something is silent, crashes or is not as the list says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument(
        "--list", type=Path, default=Path(__file__).parents[1] / "tests" / "migrate" / "corpus.tsv"
    )
    parser.add_argument("--only", default="", help="only lines with this text")
    parser.add_argument("--update", action="store_true", help="write the outcomes into the list")
    parser.add_argument("--trees", type=Path, help="keep the extracted repositories here")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    lines = [
        line.split("\t") for line in given.list.read_text().splitlines() if line and not line.startswith("#")
    ]
    counts: collections.Counter[str] = collections.Counter()
    valid, manifests, different, kept = 0, 0, 0, []
    with tempfile.TemporaryDirectory() as temporary:
        trees: dict[tuple[str, str], Path] = {}
        for repository, commit, path, *rest in lines:
            if given.only not in f"{repository}/{path}@{commit}":
                continue
            key = (repository, commit)
            if key not in trees:
                trees[key] = (
                    given.trees or Path(temporary)
                ) / f"{repository.replace('/', '+')}@{commit[:10]}"
                if not trees[key].exists():
                    _extract(given.clones / repository.replace("/", "+"), commit, trees[key])
            written: dict[Path, str | None] = {}
            measured = measure(trees[key] / path, trees[key], written)
            for made, before in written.items():
                made.unlink() if before is None else made.write_text(before)
            counts[measured.outcome] += 1
            valid, manifests = valid + measured.valid, manifests + measured.manifests
            expected = rest[0] if rest else ""
            different += bool(expected) and expected != measured.outcome
            kept.append("\t".join((repository, commit, path, measured.outcome)))
            if given.verbose or measured.outcome not in ("whole", "nothing") or measured.faults:
                print(f"{measured.outcome}: {repository}@{commit[:7]} {path}", flush=True)
                for reason in measured.reasons[:12]:
                    print(f"    {reason[:300]}")
                for fault in measured.faults[:6]:
                    print(f"    invalid: {fault[:300]}")
    total = sum(counts.values())
    repositories = len({line[0] for line in lines})
    print(f"\n{total} files from {repositories} repositories")
    for outcome in OUTCOMES:
        print(f"  {outcome:10} {counts[outcome]:5} {counts[outcome] / max(total, 1):7.1%}")
    print(
        f"  valid manifests but for what is to decide: {valid} of {manifests}; not as the list says: {different}"
    )
    if given.update:
        head = [line for line in given.list.read_text().splitlines() if line.startswith("#")]
        given.list.write_text("\n".join([*head, *kept]) + "\n")
    return int(bool(counts["silent"] or counts["crash"] or different))


if __name__ == "__main__":
    sys.exit(main())
