"""Generated programs on this engine against what the CLI did with them (`generator.py --record`)."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.engine.conformance import EmbeddedRunner
from tests.engine.generator import digest, sequences, source, together, workspace

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))
MANY = 50
"""More programs than this take minutes: they run with the reliability suite."""


def recordings():
    for file in RECORDED:
        many = json.loads(file.read_text())["programs"] > MANY
        yield pytest.param(file, id=file.stem, marks=[pytest.mark.reliability] if many else [])


def test_there_are_recordings():
    assert RECORDED


@pytest.mark.parametrize("file", list(recordings()))
def test_same_as_recorded(file: Path, tmp_path: Path):
    recorded = json.loads(file.read_text())
    made = sequences(random.Random(recorded["seed"]), recorded["programs"], recorded["edits"], failing=False)
    for number, digests in enumerate(recorded["digests"]):
        start = number * recorded["together"]
        ours = workspace(tmp_path / f"w{number}")
        runner = EmbeddedRunner(ours)
        for spec, wanted in zip(together(made[start : start + recorded["together"]]), digests, strict=True):
            ours.set_program(source(spec))
            outcome = runner.run("up", [])
            assert outcome.ok, outcome.messages
            assert digest(outcome) == wanted, (
                "run `python -m tests.engine.generator` with the CLI to see what differs"
            )
