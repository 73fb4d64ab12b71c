"""The state on disk: layout, locks, secrets, damaged and foreign files, export and import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy.engine import Engine, EngineError, Options, read_stack
from mldeploy.engine.base.errors import LockedError, PassphraseError, StateError
from mldeploy.engine.project.secrets import Crypter, SecretsManager, new_salt
from mldeploy.engine.state import stack as stacks
from mldeploy.engine.state.lock import StackLock
from tests.engine.conformance import PASSPHRASE, EmbeddedRunner, Workspace
from tests.engine.testprovider import TestProvider

PROGRAM = """
import pulumi
from tp import Res
opts = pulumi.ResourceOptions(additional_secret_outputs=["computed"])
a = Res("a", opts=opts, value=pulumi.Output.secret("planted-secret"))
pulumi.export("open", 1)
pulumi.export("hidden", pulumi.Output.secret("planted-secret"))
"""


def stack_file(workspace: Workspace) -> Path:
    return workspace.folder / "state/.pulumi/stacks/conf/dev.json"


@pytest.fixture
def deployed(workspace: Workspace, runner: EmbeddedRunner) -> Workspace:
    workspace.set_program(PROGRAM)
    assert runner.run("up", []).ok
    return workspace


def test_layout(deployed: Workspace):
    root = deployed.folder / "state/.pulumi"
    assert (root / "meta.yaml").read_text() == "version: 1\n"
    assert (root / "stacks/conf/dev.json.attrs").exists()
    assert (root / "stacks/conf/dev.json.bak").exists()
    assert len(list((root / "history/conf/dev").glob("dev-*.history.json"))) == 1
    assert len(list((root / "history/conf/dev").glob("dev-*.checkpoint.json"))) == 1
    assert len(list((root / "backups/conf/dev").glob("dev.*.json"))) == 1
    assert not list((root / "locks").rglob("*.json"))
    assert not list(root.rglob("*.tmp"))
    assert not list(root.rglob("*.journal"))
    entry = json.loads(next((root / "history/conf/dev").glob("*.history.json")).read_text())
    assert entry["kind"] == "update"
    assert entry["result"] == "succeeded"
    assert entry["resourceChanges"] == {"create": 2}


def test_no_secret_in_the_state(deployed: Workspace):
    for file in (deployed.folder / "state").rglob("*"):
        if file.is_file():
            assert b"planted-secret" not in file.read_bytes(), file


def test_unchanged_secrets_keep_their_ciphertext(deployed: Workspace, runner: EmbeddedRunner):
    def ciphertexts() -> set[str]:
        return {
            part["ciphertext"]
            for part in _walk(json.loads(stack_file(deployed).read_text()))
            if isinstance(part, dict) and "ciphertext" in part
        }

    before = ciphertexts()
    assert runner.run("refresh", []).ok
    assert ciphertexts() & before


def _walk(value):
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(child)


def test_read_stack(deployed: Workspace):
    states = read_stack(deployed.folder, "dev", backend_url=deployed.state_url, passphrase=PASSPHRASE)
    assert [s.type for s in states][-1] == "tp:index:Res"
    assert states[-1].id == "a-1"
    assert repr(states[-1].inputs["value"]) == "[secret]"
    assert read_stack(deployed.folder, "other", backend_url=deployed.state_url) == []


# -- what cannot be read -------------------------------------------------------------------------------------


def edit(workspace: Workspace, change) -> bytes:
    file = stack_file(workspace)
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    return file.read_bytes()


@pytest.mark.parametrize("command", ["preview", "up", "refresh", "destroy"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=5), "format version 5, newer"),
        (lambda d: d.update(version=1), "format version 1, older"),
        (lambda d: d.update(version=4, features=["views"]), "needs views"),
        (lambda d: d["checkpoint"]["latest"]["resources"][0].update(viewOf="x"), "uses viewOf"),
        (lambda d: d["checkpoint"]["latest"]["resources"][0].pop("urn"), "has no urn"),
        (lambda d: d["checkpoint"]["latest"]["resources"].reverse(), "snapshot integrity failure"),
        (
            lambda d: d["checkpoint"]["latest"]["secrets_providers"].update(type="cloud"),
            "knows 'passphrase' only",
        ),
        (lambda d: d.pop("checkpoint"), "is no checkpoint"),
    ],
    ids=["newer", "older", "feature", "view", "urn", "order", "provider", "wrapper"],
)
def test_foreign_states_are_left_alone(deployed: Workspace, runner: EmbeddedRunner, command, change, message):
    raw = edit(deployed, change)
    outcome = _run_raw(deployed, command)
    assert not outcome.ok
    assert message in outcome.error
    assert stack_file(deployed).read_bytes() == raw
    assert len(deployed.objects()) == 1


def _run_raw(workspace: Workspace, command: str, passphrase: str | None = PASSPHRASE):
    engine = Engine(
        workspace.folder,
        "dev",
        backend_url=workspace.state_url,
        passphrase=passphrase,
        providers={"tp": lambda: TestProvider(workspace.objects_dir)},
    )
    return getattr(engine, command)(Options())


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]"])
def test_damaged_state(deployed: Workspace, text: bytes):
    stack_file(deployed).write_bytes(text)
    result = _run_raw(deployed, "up")
    assert not result.ok
    assert "dev.json.bak" in result.error
    assert stack_file(deployed).read_bytes() == text


def test_wrong_and_missing_passphrase(deployed: Workspace, monkeypatch: pytest.MonkeyPatch):
    raw = stack_file(deployed).read_bytes()
    result = _run_raw(deployed, "up", "wrong")
    assert "incorrect passphrase" in result.error
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert "PULUMI_CONFIG_PASSPHRASE" in _run_raw(deployed, "up", None).error
    assert stack_file(deployed).read_bytes() == raw


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(deployed: Workspace):
    folder = stack_file(deployed).parent
    folder.chmod(0o500)
    try:
        assert "cannot write" in _run_raw(deployed, "up").error
    finally:
        folder.chmod(0o700)


# What `pulumi stack init` wrote for the passphrase "conformance", and a secret of that stack.
BY_PULUMI = "v1:0v4wMGnmwzw=:v1:+L5cMvkVFEkCGoM1:B8toHP3K8XvrldgrYz2logmibMMVBw=="
SEALED_BY_PULUMI = "v1:fecGtm3SF/bpaODB:zAXxEGVuKU7pt7R5xV8n70xm0lbhk4EDFw=="


def test_what_pulumi_encrypted_is_read(pulumis_rounds):
    assert SecretsManager(BY_PULUMI, PASSPHRASE).crypter.decrypt(SEALED_BY_PULUMI) == "by pulumi"


@pytest.mark.parametrize(
    "broken",
    [
        lambda salt: salt[:-3],
        lambda salt: salt.replace("v1:", "v2:", 1),
        lambda salt: salt.rpartition(":")[0],
        lambda salt: "v1:" + salt[8:],
        lambda salt: salt.replace("=", "!", 1),
        lambda salt: "v1:c2hvcnQ=" + salt[15:],
    ],
)
def test_a_damaged_salt_is_no_wrong_passphrase(workspace: Workspace, broken):
    workspace.set_program("pass\n")
    (workspace.folder / "Pulumi.dev.yaml").write_text(f"encryptionsalt: '{broken(new_salt(PASSPHRASE))}'\n")
    error = _run_raw(workspace, "up").error
    assert "is damaged" in error
    assert "incorrect passphrase" not in error


def test_passphrase_crypter():
    salt = new_salt("p")
    sealed = SecretsManager(salt, "p").crypter.encrypt("text äß")
    assert SecretsManager(salt, "p").crypter.decrypt(sealed) == "text äß"
    with pytest.raises(PassphraseError):
        _ = SecretsManager(salt, "q").crypter
    with pytest.raises(PassphraseError):
        Crypter(b"0" * 32).decrypt(sealed)
    with pytest.raises(PassphraseError, match="malformed"):
        Crypter(b"0" * 32).decrypt("nonsense")


def test_a_salt_is_made_once(tmp_path: Path):
    workspace = Workspace(tmp_path / "x")
    file = workspace.folder / "Pulumi.dev.yaml"
    file.write_text("# kept\nconfig:\n  conf:a: b\n")
    workspace.set_program("pass\n")
    assert EmbeddedRunner(workspace).run("preview", []).ok
    assert "encryptionsalt" not in file.read_text(), "a preview writes nothing"
    assert EmbeddedRunner(workspace).run("up", []).ok
    text = file.read_text()
    assert text.startswith("encryptionsalt: v1:")
    assert text.endswith("# kept\nconfig:\n  conf:a: b\n")
    assert EmbeddedRunner(workspace).run("up", []).ok
    assert file.read_text() == text


# -- locks ---------------------------------------------------------------------------------------------------


def lock_folder(workspace: Workspace) -> Path:
    return workspace.folder / "state/.pulumi/locks/organization/conf/dev"


def test_a_lock_keeps_others_out(deployed: Workspace):
    raw = stack_file(deployed).read_bytes()
    code = (
        "import sys, time; from pathlib import Path; from mldeploy.engine.state.lock import StackLock\n"
        f"with StackLock(Path({str(lock_folder(deployed))!r})):\n    print('held', flush=True); time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        for command in ("up", "refresh", "destroy"):
            result = _run_raw(deployed, command)
            assert "currently locked by 1 lock(s)" in result.error
            assert f"pid {owner.pid}" in result.error
        assert _run_raw(deployed, "preview").ok, "a preview needs no lock"
        assert stack_file(deployed).read_bytes() == raw
    finally:
        owner.kill()
        owner.wait()
        assert owner.stdout is not None
        owner.stdout.close()
    assert _run_raw(deployed, "up").ok, "a dead owner's lock is taken over"
    assert not list(lock_folder(deployed).glob("*.json"))


def test_the_clis_locks_are_respected_until_cancel(deployed: Workspace):
    folder = lock_folder(deployed)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"pid": 1, "username": "me", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "x.json").write_text(json.dumps(content))
    assert "me@elsewhere (pid 1)" in _run_raw(deployed, "up").error
    done = stacks.cancel(deployed.folder, "dev", backend_url=deployed.state_url)
    assert "me@elsewhere" in done[0]
    assert _run_raw(deployed, "up").ok


def test_lock_is_exclusive_in_one_process(tmp_path: Path):
    with StackLock(tmp_path), pytest.raises(LockedError), StackLock(tmp_path):
        raise AssertionError("two locks at once")
    assert not list(tmp_path.glob("*.json"))


# -- stack commands ------------------------------------------------------------------------------------------


def test_export_and_import(deployed: Workspace, tmp_path: Path):
    url = deployed.state_url
    exported = stacks.export_stack(deployed.folder, "dev", backend_url=url, passphrase=PASSPHRASE)
    assert "planted-secret" not in json.dumps(exported)
    shown = stacks.export_stack(
        deployed.folder, "dev", show_secrets=True, backend_url=url, passphrase=PASSPHRASE
    )
    assert "planted-secret" in json.dumps(shown)
    before = deployed.state()
    for form in (exported, shown):
        stacks.import_stack(deployed.folder, "dev", form, backend_url=url, passphrase=PASSPHRASE)
        assert deployed.state() == before
        assert b"planted-secret" not in stack_file(deployed).read_bytes()
    foreign = json.loads(json.dumps(exported).replace("urn:pulumi:dev::", "urn:pulumi:prod::"))
    with pytest.raises(StateError, match="different stack"):
        stacks.import_stack(deployed.folder, "dev", foreign, backend_url=url, passphrase=PASSPHRASE)


def test_list_output_remove(deployed: Workspace):
    url, folder = deployed.state_url, deployed.folder
    assert [s.name for s in stacks.list_stacks(folder, backend_url=url)] == ["dev"]
    assert stacks.output(folder, "dev", backend_url=url) == {"open": 1, "hidden": "[secret]"}
    shown = stacks.output(folder, "dev", show_secrets=True, backend_url=url)
    assert shown["hidden"] == "planted-secret"
    with pytest.raises(EngineError, match="still has 3 resources"):
        stacks.remove_stack(folder, "dev", backend_url=url)
    assert _run_raw(deployed, "destroy").ok
    stacks.remove_stack(folder, "dev", backend_url=url)
    assert stacks.list_stacks(folder, backend_url=url) == []
    assert not (folder / "Pulumi.dev.yaml").exists()
    with pytest.raises(EngineError, match="no stack named"):
        stacks.export_stack(folder, "dev", backend_url=url)


def test_init(workspace: Workspace):
    stacks.init_stack(workspace.folder, "dev", backend_url=workspace.state_url)
    with pytest.raises(EngineError, match="already exists"):
        stacks.init_stack(workspace.folder, "dev", backend_url=workspace.state_url)
    assert stacks.output(workspace.folder, "dev", backend_url=workspace.state_url) == {}
