"""The fixture inputs: one folder each in tests/fixtures/v1, with what v1 users have, and what becomes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mldeploy.migrate import Migration, Options, migrate

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "v1"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())
EXPECTED = "expected"
SCRIPT = "import json\n\n\ndef init():\n    pass\n\n\ndef run(raw):\n    return {'got': json.loads(raw)}\n"
CONDA = "dependencies:\n  - python=3.11\n"
SUPPORT = {
    "model.pkl": "model",
    "folder/weights.bin": "weights",
    "source/score.py": SCRIPT,
    "source/conda.yml": CONDA,
    "scripts/score.py": SCRIPT,
    "scripts/conda.yml": CONDA,
    "envs/conda.yml": CONDA,
    "score.py": SCRIPT,
    "requirements.txt": "joblib\n# a comment\nnumpy==1.26.4\n",
}


def project(name: str, folder: Path) -> Path:
    """A project folder with a case's inputs and what they refer to."""
    shutil.copytree(CASES / name, folder, ignore=shutil.ignore_patterns(EXPECTED, "arguments.json"))
    for path, text in SUPPORT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def arguments(name: str) -> list[str]:
    """A case's command line: given in arguments.json, else just its script."""
    given = CASES / name / "arguments.json"
    if given.exists():
        return json.loads(given.read_text())
    return [path.name for path in (CASES / name).iterdir() if path.suffix in (".py", ".ipynb")]


def run(name: str, folder: Path) -> Migration:
    """Migrate a case through the library, with the options of its command line."""
    root, given = project(name, folder), iter(arguments(name))
    paths, options = [], {"models": [], "tags": []}
    keys = {
        "--model": "models",
        "-m": "models",
        "--tag": "tags",
        "--name": "name",
        "--compute-target": "compute_target",
    }
    keys["--location"] = "location"
    for word in given:
        if word not in keys:
            paths.append(root / word)
        elif keys[word] in ("models", "tags"):
            options[keys[word]].append(next(given))
        else:
            options[keys[word]] = next(given)
    options |= {"models": tuple(options["models"]), "tags": tuple(options["tags"])}
    return migrate(paths, Options(root, **options))


def write(migration: Migration, root: Path) -> None:
    """Write the manifest files and conda files."""
    for name, text in {**migration.files, **migration.written}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
