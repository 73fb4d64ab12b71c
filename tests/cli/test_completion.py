"""What shells are told: by the fast answer and by Typer the same."""

from __future__ import annotations

import re

import pytest

from mldeploy.cli import app, completion


def asked(shell: str, words: list[str]) -> dict[str, str]:
    line = " ".join(["mldeploy", *words])
    found = {completion.VARIABLE: f"complete_{shell}"}
    if shell == "bash":
        return found | {"COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    return found | {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


def names(text: str) -> list[str]:
    """The answer without its explanations, which Typer cuts: in the shell's own format."""
    return sorted(re.sub(r'(?<=":)"[^"]*"|\t.*', "", line) for line in text.strip().splitlines())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("manifest.yaml", "manifest.prod.yaml", "manifest.pre-prod.yaml", "manifest.dev.eu.yaml"):
        (tmp_path / name).write_text("version: 1\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], ["up", "status", "state", "import-v1"]),
        (["sta"], ["status", "stack", "state"]),
        (["status", "--stack", ""], ["prod", "pre-prod", "dev.eu"]),
        (["status", "--stack", "pr"], ["prod", "pre-prod"]),
    ],
)
def test_names_are_completed_as_typer_does(shell, words, expected, monkeypatch, capsys):
    environment = asked(shell, words)
    found = completion.answer(environment)
    assert found is not None
    assert all(name in found for name in expected)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app.run([])
    assert names(capsys.readouterr().out) == names(found)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
@pytest.mark.parametrize("words", [["status", "--st"], ["xyz"], ["status", '"'], ["up", "--stack", "none"]])
def test_all_else_is_typers(shell, words):
    assert completion.answer(asked(shell, words)) is None


def test_the_command_answers(monkeypatch, capsys):
    from mldeploy import cli

    for name, value in asked("bash", ["stat"]).items():
        monkeypatch.setenv(name, value)
    assert cli._run([]) == 0
    assert capsys.readouterr().out.split() == ["status", "state"]
