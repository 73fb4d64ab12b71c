"""docs/migration.md shows exactly the rows of the code's table."""

import re
from pathlib import Path

import pytest

from mldeploy.migrate import FIELDS, rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migration.md"
OWNERS = list(dict.fromkeys(field.owner for field in FIELDS))


def section(owner: str) -> str:
    found = re.search(rf"^### {re.escape(owner)}\n\n(?P<rows>(\|.*\n)+)", PAGE.read_text(), re.MULTILINE)
    assert found, f"docs/migration.md has no section for {owner}"
    return found["rows"]


@pytest.mark.parametrize("owner", OWNERS)
def test_rows(owner):
    assert section(owner) == rows(owner) + "\n"


def test_no_other_sections():
    assert re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE) == OWNERS


def test_fields_are_unique():
    keys = [(field.owner, field.name) for field in FIELDS]
    assert len(keys) == len(set(keys))


def test_targets_of_rows_are_keys_of_the_manifest():
    """Every `services.*.…`, `images.*.…`, `models.*.…` of the table is a key that the manifest has."""
    from mldeploy.manifest import Image, Model, Service
    from mldeploy.manifest.kinds.aks import AksAttach, AksCreate

    for field in FIELDS:
        parts = field.to.split(".")
        if len(parts) < 3:
            continue
        kind = {"services": Service, "images": Image, "models": Model}.get(parts[0])
        if kind is not None:
            assert parts[2] in kind.model_fields, field
        elif parts[2] == "create" and len(parts) > 3:
            assert parts[3] in AksCreate.model_fields, field
        elif parts[2] == "attach" and len(parts) > 3:
            assert parts[3] in AksAttach.model_fields, field
