"""docs/migration.md shows exactly the rows of the code's tables."""

import re
from pathlib import Path

import pytest

from mldeploy.migrate import FIELDS
from scripts.migration_docs import sections

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migration.md"
SECTIONS = sections()


@pytest.mark.parametrize("heading", SECTIONS)
def test_rows(heading):
    found = re.search(rf"^### {re.escape(heading)}\n\n(?P<rows>(\|.*\n)+)", PAGE.read_text(), re.MULTILINE)
    assert found, f"docs/migration.md has no section for {heading}"
    assert found["rows"] == SECTIONS[heading] + "\n"


def test_no_other_sections():
    assert re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE) == list(SECTIONS)


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
