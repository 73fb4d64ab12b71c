"""Performance: the figures that the benchmarks left in `bench/results`, and how to measure them again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from scripts.pages import ROOT
from scripts.pages.text import table

RESULTS = ROOT / "bench/results"
_INTRO = """\
# Performance

Figures are measured by the programs in `bench/`, never estimated; they depend on the machine, so measure on yours. What
a measurement means, and what it leaves out, is said by the program's own `--help` and in the pages of the
[scoring server](serving.md), the [engine](engine.md) and [Kubernetes](kubernetes.md).

| program | measures |
|---|---|
| `python -m bench.serving` | requests a second, latency, memory of the scoring server and of others |
| `python -m bench.engine` | previews and updates of stacks with hundreds and thousands of resources |
| `python -m bench.azure_plan` | the plan of large Azure stacks |
| `python -m bench.azure_upload` | uploads of large models |
| `python -m bench.kubernetes` | stacks with many services on a real API server |

"""


def pages() -> dict[str, str]:
    """`performance.md`: one section for each file of results."""
    files = sorted(RESULTS.glob("*.json")) if RESULTS.is_dir() else []
    sections = [_section(file.stem, json.loads(file.read_text("utf-8"))) for file in files]
    if not sections:
        sections = [
            "No results are recorded in `bench/results` of this checkout: run a program with `--json` or `--output`.\n"
        ]
    return {"performance.md": _INTRO + "\n".join(sections)}


def _section(name: str, document: Any) -> str:
    parts = [f"## {name.replace('_', ' ').replace('-', ' ').capitalize()}", ""]
    parts += [f"From `bench/results/{name}.json`.", ""]
    for title, rows in _tables(document):
        heads = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[_shown(row.get(head)) for head in heads] for row in rows]
        parts += [
            *([f"### {title}", ""] if title else []),
            table([head.replace("_", " ") for head in heads], cells),
        ]
    return "\n".join(parts)


def _tables(document: Any, title: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Lists of records are tables as they are; plain values are one of two columns; the rest goes deeper."""
    if isinstance(document, list):
        items = cast("list[Any]", document)
        rows = [_flat(item) if isinstance(item, dict) else {"value": item} for item in items]
        if rows:
            yield title, rows
        return
    if not isinstance(document, dict):
        yield title, [{"value": document}]
        return
    mapping = cast("dict[str, Any]", document)
    if mapping and all(isinstance(value, dict) for value in mapping.values()):
        yield title, [{"": key, **_flat(value)} for key, value in mapping.items()]
        return
    plain = [{"what": k, "value": v} for k, v in mapping.items() if not isinstance(v, dict | list)]
    if plain:
        yield title, plain
    for key, value in mapping.items():
        if isinstance(value, dict | list):
            yield from _tables(value, f"{title}: {key}" if title else key.replace("_", " "))


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= _flat(cast("dict[str, Any]", value), f"{name} ")
        else:
            found[name] = value
    return found


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in cast("list[Any]", value))
    return str(value)
