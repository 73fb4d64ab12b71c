"""Every fixture input: what it becomes, that the result is valid, and that no secret of v1 is in it."""

import os
import re

import pytest
import yaml

from mldeploy.manifest import ManifestErrors, load
from mldeploy.migrate import Outcome, as_markdown
from tests.migrate.cases import CASES, EXPECTED, NAMES, run, write

UPDATE = os.environ.get("UPDATE_EXPECTED") == "1"
SECRETS = re.compile(
    r"hunter2hunter2|clear-text-password|secret-password|not-in-the-manifest|abcdefgh12345678|0123456789abcdef0123"
    r"|p{20}|s{20}|a{20}|b{20}|x{20}"
)


def test_there_are_enough_cases():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_case(name, tmp_path):
    root = tmp_path / "project"
    migration = run(name, root)
    made = {**migration.files, **migration.written, "report.md": as_markdown(migration)}
    expected = CASES / name / EXPECTED
    if UPDATE:
        for path, text in made.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_text(text)
    assert made == {str(p.relative_to(expected)): p.read_text() for p in expected.rglob("*") if p.is_file()}
    for path, text in made.items():
        assert not SECRETS.search(text), f"{path} holds a secret of v1"


@pytest.mark.parametrize("name", NAMES)
def test_result_is_valid(name, tmp_path):
    """Once a person has put the files there that only v1's registry has, nothing is left to complain about."""
    root = tmp_path / "project"
    migration = run(name, root)
    write(migration, root)
    decided = " ".join(finding.to for finding in migration.by_outcome(Outcome.DECIDE))

    def reported(path):
        return any(
            path.startswith(finding.to) for finding in migration.by_outcome(Outcome.DECIDE) if finding.to
        )

    models = [
        (model, entry)
        for document in migration.documents.values()
        for model, entry in document.get("models", {}).items()
    ]
    for model, entry in models:
        missing = not (root / entry["source"]).exists() and "://" not in entry["source"]
        if missing and f"models.{model}.source" in decided:
            (root / "models").mkdir(exist_ok=True)
            (root / entry["source"]).write_text("downloaded")
    assert migration.stacks
    for stack in migration.stacks:
        try:
            load(root, stack)
        except ManifestErrors as errors:
            # What is still to be decided is an error, and the report says so, too.
            left = [
                e for e in errors.errors if not ("is still to be decided" in e.message and reported(e.path))
            ]
            assert not left, "\n".join(map(str, left))


@pytest.mark.parametrize("name", NAMES)
def test_to_decide_is_marked_in_the_manifest(name, tmp_path):
    migration = run(name, tmp_path / "project")
    text = "\n".join(migration.files.values())
    assert text.count("TO DECIDE (") >= bool(
        [f for f in migration.by_outcome(Outcome.DECIDE) if f.to.count(".") > 1]
    )
    for document in migration.files.values():
        yaml.safe_load(document)
