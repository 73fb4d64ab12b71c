"""Write the tables of docs/migration.md from the importer's own."""

from __future__ import annotations

from pathlib import Path

from mldeploy.migrate import FIELDS, rows

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "migration.md"


def tables() -> str:
    """Every section, in the table's order."""
    return "\n".join(
        f"### {owner}\n\n{rows(owner)}\n" for owner in dict.fromkeys(field.owner for field in FIELDS)
    )


if __name__ == "__main__":
    text = _PAGE.read_text("utf-8")
    _PAGE.write_text(text[: text.index("\n### ") + 1] + tables(), "utf-8")
