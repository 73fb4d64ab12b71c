"""Write the tables of docs/migration.md from the code's own."""

from __future__ import annotations

from pathlib import Path

from mldeploy.artifacts.script_imports import GONE, PRIVATE, STAYS
from mldeploy.artifacts.wheels import FIRST, HINTS, NO_WHEELS, PYTHONS
from mldeploy.migrate import FIELDS, rows
from mldeploy.migrate.images import NO_CODE

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "migration.md"


def sections() -> dict[str, str]:
    """The tables by their headings, in their order."""
    found = {owner: rows(owner) for owner in dict.fromkeys(field.owner for field in FIELDS)}
    found["Model.Framework"] = _table(
        ("v1", "`runtime`"), [(framework, f"`{runtime}`") for framework, runtime in NO_CODE.items()]
    )
    found["First versions with wheels"] = _table(
        ("package", *(f"Python {one}" for one in PYTHONS), ""),
        [(name, *versions.values(), HINTS.get(name, "")) for name, versions in FIRST.items()]
        + [
            (name, *("none" for _ in PYTHONS), f"the last was Python {last}")
            for name, last in NO_WHEELS.items()
        ],
    )
    listed = {name: said for name, said in GONE.items() if name.removeprefix("sklearn.") not in PRIVATE}
    found["Imports that are gone"] = _table(
        ("import", "what to write"),
        [(f"`{name}`", said) for name, said in listed.items()]
        + [
            (
                "`sklearn.` " + ", ".join(f"`{one}`" for one in PRIVATE),
                "removed in scikit-learn 0.24: the package above it",
            )
        ],
    )
    found["Imports that work as they are"] = _table(
        ("import", ""), [(f"`{name}`", said) for name, said in STAYS.items()]
    )
    return found


def _table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, tuple("---" for _ in head), *lines))


if __name__ == "__main__":
    text = _PAGE.read_text("utf-8")
    tables = "\n".join(f"### {heading}\n\n{table}\n" for heading, table in sections().items())
    _PAGE.write_text(text[: text.index("\n### ") + 1] + tables, "utf-8")
