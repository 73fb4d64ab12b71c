"""Keys: given or generated, rotated one at a time, used by running replicas at once, never shown."""

from __future__ import annotations

import pytest

from mldeploy.values.property_value import UNKNOWN, Secret

from .conftest import CheckFailed, Failed, write
from .test_lifecycle import score

PLANTED = "planted-secret-5f1c0a"


def test_generated_keys_are_secret_and_different(record):
    made = record("service:ServiceKeys").create()
    assert isinstance(made["primary"], Secret) and isinstance(made["secondary"], Secret)
    assert made["primary"] != made["secondary"] and len(made["primary"].value) >= 40


def test_raising_a_generation_renews_exactly_that_key(record):
    keys = record("service:ServiceKeys")
    before = keys.create()
    assert set(keys.diff({"generation_primary": 2}).detailedDiff) == {"generation_primary"}
    after = keys.update(generation_primary=2)
    assert after["primary"] != before["primary"] and after["secondary"] == before["secondary"]


def test_own_keys_come_and_go(record):
    keys = record("service:ServiceKeys")
    before = keys.create(primary=Secret(PLANTED))
    assert before["primary"] == Secret(PLANTED)
    given = keys.update(primary=Secret(PLANTED), secondary=Secret("other"))
    assert given["secondary"] == Secret("other") and given["primary"] == Secret(PLANTED)
    without = keys.update(secondary=Secret("other"))
    assert without["primary"] not in (Secret(PLANTED), None) and without["secondary"] == Secret("other")
    assert keys.preview({})["primary"] is UNKNOWN


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ü", "x" * 2000])
def test_keys_that_fit_no_header_are_refused_without_showing_them(record, key):
    with pytest.raises(CheckFailed) as caught:
        record("service:ServiceKeys").check({"primary": Secret(key)})
    ((property_, reason),) = caught.value.failures
    assert property_ == "primary" and "visible ASCII" in reason and (not key or key not in reason)


def test_a_rotated_key_works_at_once_and_restarts_nothing(stack):
    stack.up()
    old, pid = stack.key(), stack.replica.outputs["pid"]
    stack.keys.update(generation_primary=2)
    assert list(stack.replica.diff(stack.replica_inputs()).detailedDiff) == ["keys.primary"]
    stack.replica.update(**stack.replica_inputs())
    assert score(stack).status_code == 200 and score(stack, old).status_code == 401
    assert score(stack, stack.keys.outputs["secondary"].value).status_code == 200
    assert stack.replica.outputs["pid"] == pid


def test_a_secret_is_in_no_argument_environment_log_or_message(stack, project, own_home):
    import os
    from pathlib import Path

    stack.up(keys={"primary": PLANTED, "secondary": PLANTED + "2"})
    assert score(stack, PLANTED).status_code == 200
    for record in (stack.replica, stack.listener):
        folder = Path("/proc") / str(record.outputs["pid"])
        assert PLANTED.encode() not in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        assert b"PULUMI" not in (folder / "environ").read_bytes()
    for item in (stack.replica, stack.gate, stack.listener):
        public = {name: value for name, value in item.outputs.items() if not isinstance(value, Secret)}
        assert PLANTED not in repr(public)
    holding = {
        path.name: path.stat().st_mode & 0o777
        for path in own_home.rglob("*")
        if path.is_file() and PLANTED.encode() in path.read_bytes()
    }
    assert holding == {"keys.json": 0o600}
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in own_home.rglob("*") if path.name == stack.replica.id
    )
    assert os.stat(own_home).st_mode & 0o077 == 0


def test_a_message_never_repeats_a_secret(stack, project):
    write(
        project, "scripts/score.py", f"def init():\n    raise ValueError('{PLANTED}')\n\ndef run(d): pass\n"
    )
    with pytest.raises(Failed) as caught:
        stack.up(keys={"primary": Secret(PLANTED), "secondary": Secret("abcdef")})
    assert PLANTED not in str(caught.value) and "[secret]" in str(caught.value)
