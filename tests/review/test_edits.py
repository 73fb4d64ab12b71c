"""Edits of YAML files: nothing but the value changes, and what cannot be edited safely is refused."""

import difflib

import pytest
import yaml

from mldeploy.edits.yaml_edits import edit

PATH = ("services", "churn", "rollout", "promote")
FILES = {
    "comments": "# top\nversion: 1  # the format\n\nservices:\n  # ours\n  churn:   # aligned\n    target: k   # c\n\n"
    "  other: {target: k}\n# end\n",
    "lists": "version: 1\nservices:\n  churn:\n    golden:\n      - {request: a.json, tolerance: 1.0e-6}\n"
    "      - {request: b.json}\n",
    "lists at the key": "version: 1\nservices:\n  churn:\n    golden:\n    - request: a.json\n      tolerance: 0x10\n",
    "four spaces": "version: 1\nservices:\n    churn:\n        target: k\n",
    "flow": "version: 1\nservices: {churn: {target: k, rollout: {strategy: canary}}, other: {target: k}}\n",
    "nulls": "version: 1\nservices:\n  churn: {target: k}\n  old: null\n  older: ~\n  oldest:\n",
    "quotes": "version: 1\nmodels:\n  m: {version: '3', tags: {a: \"yes\", b: on}}\nservices:\n  churn: {target: k}\n",
    "anchors": "version: 1\nx-tags: &tags {team: a}\nservices:\n  churn:\n    tags: *tags\n",
    "start": "---\n# first\nversion: 1\nservices:\n  churn: {target: k}\n",
    "line ends": "version: 1\r\nservices:\r\n  churn: {target: k}\r\n",
    "long": "version: 1\nservices:\n  churn: {target: k, description: " + "word " * 60 + "end}\n",
    "no end": "version: 1\nservices:\n  churn:\n    target: k",
    "multi-line": "version: 1\nservices:\n  churn:\n    description: |\n      one\n      two\n    target: k\n",
    "empty service": "version: 1\nservices:\n  churn:\n",
    "nothing": "",
    "a comment": "# only a comment\n",
}


def lines(before, after):
    """The removed and the added lines."""
    found = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [one[2:] for one in found if one[0] == "-"], [one[2:] for one in found if one[0] == "+"]


@pytest.mark.parametrize("name", FILES)
def test_only_the_value_changes(name, tmp_path):
    file = tmp_path / "manifest.prod.yaml"
    text = FILES[name]
    file.write_bytes(text.encode())
    made = edit(file, {PATH: "123456789012"})
    old, new = yaml.safe_load(text) or {"version": 1}, yaml.safe_load(made.after)
    service = new["services"]["churn"]
    assert service["rollout"]["promote"] == "123456789012", "a text, also when it is all digits"
    service["rollout"].pop("promote")
    if not service["rollout"]:
        del service["rollout"]
    wanted = (old.get("services") or {}).get("churn") or {}
    assert service == wanted
    assert {k: v for k, v in new.items() if k != "services"} == {
        k: v for k, v in old.items() if k != "services"
    }
    removed, added = lines(text, made.after)
    assert len(removed) <= 1, made.after
    assert len(added) <= 5, made.after
    assert ("\r\n" in made.after) == ("\r\n" in text)
    # Once more changes nothing.
    made.apply()
    again = edit(file, {PATH: "123456789012"})
    assert again.diff == ""
    assert made.undo()
    assert file.read_bytes() == text.encode()


def test_every_comment_stays(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(FILES["comments"])
    after = edit(file, {PATH: "v2"}).after
    assert [line for line in FILES["comments"].splitlines() if line not in after.splitlines()] == []


def test_the_samples_own_overlay(tmp_path):
    from tests.docs.blocks import ROOT

    for source in ("manifest.yaml", "manifest.prod.yaml", "docs/examples/manifest.full.yaml"):
        file = tmp_path / "manifest.yaml"
        file.write_bytes((ROOT / source).read_bytes())
        removed, added = lines(
            file.read_text(), edit(file, {("services", "diabetes", "description"): "x"}).after
        )
        assert len(removed) <= 1
        assert len(added) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: &all\n  churn: {target: k}\nx-copy: *all\n", "shared by the anchor &all"),
        ("services:\n  churn: &c {target: k}\n  other: *c\n", "services.churn is shared by the anchor &c"),
        ("services:\n  churn: [a]\n", "services.churn is no mapping"),
    ],
)
def test_what_cannot_be_edited(tmp_path, text, message):
    file = tmp_path / "manifest.prod.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        edit(file, {PATH: "v2"})
    assert file.read_text() == text


def test_a_new_file(tmp_path):
    file = tmp_path / "manifest.prod.yaml"
    made = edit(file, {PATH: "v2"})
    assert yaml.safe_load(made.after) == {"version": 1, "services": {"churn": {"rollout": {"promote": "v2"}}}}
    made.apply()
    assert made.undo()
    assert not file.exists()


def test_somebody_elses_text_stays(tmp_path):
    file = tmp_path / "manifest.prod.yaml"
    file.write_text("version: 1\n")
    made = edit(file, {PATH: "v2"})
    made.apply()
    file.write_text("version: 1\nservices: {}\n")
    assert not made.undo()
    assert file.read_text() == "version: 1\nservices: {}\n"
