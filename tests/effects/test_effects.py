"""No key without effect: changing one changes the plan, or the manifest refuses it with its line, on every target."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from mldeploy import targets
from mldeploy.manifest import Image, ManifestErrors, Service, load
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.rules import keys as rules
from tests.effects import samples
from tests.effects.keys import Path, bare, leaves, others
from tests.effects.plan import Planner

TABLES = {"services": samples.SERVICE, "images": samples.IMAGE, "targets": samples.TARGET}
ENTRIES = {"services": "scoring", "images": "i", "targets": "t"}


def cases() -> Iterator[Any]:
    """(variant, section, key, its type) of all."""
    for variant in samples.TARGETS:
        model = kind(str(samples.TARGETS[variant]["type"])).model
        sections = [("images", Image), ("targets", model)]
        # What a service does is the same on all targets of a type; how its image is built is not.
        sections += [("services", Service)] if variant in samples.FOR_SERVICES else []
        for section, of in sections:
            for path, type_ in leaves(of):
                if (variant, path[0]) in samples.ELSEWHERE or ("*", path[0]) in samples.ELSEWHERE:
                    continue
                name = ".".join(map(str, path))
                yield pytest.param(variant, section, path, type_, id=f"{variant}-{section}.{name}")


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    with pytest.MonkeyPatch.context() as patch:
        yield Planner(tmp_path_factory.mktemp("effects"), patch)


@pytest.fixture(scope="module")
def plans(planner: Planner) -> Any:
    """The plan of a document, made once."""
    known: dict[str, Any] = {}

    def plan(document: dict[str, Any]) -> Any:
        key = repr(document)
        if key not in known:
            try:
                known[key] = planner(document)
            except ManifestErrors as errors:
                known[key] = errors
        return known[key]

    return plan


def test_every_type_has_a_variant() -> None:
    assert {str(one["type"]) for one in samples.TARGETS.values()} == set(targets.names())
    assert {str(samples.TARGETS[one]["type"]) for one in samples.FOR_SERVICES} == set(targets.names())


def test_the_tables_name_keys_that_there_are() -> None:
    for section, models in {
        "services": [Service], "images": [Image],
        "targets": [kind(name).model for name in targets.names()],
    }.items():  # fmt: skip
        there = {".".join(map(str, path)) for model in models for path, _ in leaves(model)}
        assert set(TABLES[section]) <= there


@pytest.mark.parametrize("variant", samples.TARGETS)
def test_the_manifests_are_good(variant: str, plans: Any) -> None:
    plan = plans(samples.document(variant))
    assert not isinstance(plan, ManifestErrors), plan
    assert len(plan) > 3


@pytest.mark.parametrize(("variant", "section", "path", "type_"), list(cases()))
def test_a_key_has_an_effect_or_is_refused(
    variant: str, section: str, path: Path, type_: Any, plans: Any, planner: Planner
) -> None:
    key = ".".join(map(str, path))
    before = _with(samples.document(variant), section, _context(variant, section, key))
    for value in _values(variant, section, key, path, type_, before):
        after = copy.deepcopy(before)
        _put(after[section][ENTRIES[section]], path, value)
        if key == "image":
            after["images"]["j"] = {**after["images"]["i"], "entry_script": "other.py"}
        if key == "target":
            after["targets"]["u"] = before["targets"]["t"] | {"description": "another"}
        old, new = plans(before), plans(after)
        if isinstance(new, ManifestErrors):
            where = ".".join((section, ENTRIES[section], *map(str, path))).replace(".0", "[0]")
            # Where it is another key that has no effect any more, its line says without which.
            without = f"has no effect without {key.partition('.')[0]}"
            assert any(_covers(error.path, where) or without in str(error) for error in new.errors), str(new)
        elif f"{section}.{key}" in samples.PERMITS:
            assert isinstance(old, ManifestErrors)
        elif (reason := _exception(section, key, variant)) is not None:
            assert old == new, f"{key} has an effect on {variant}, though: {reason}"
        elif any(f"{key}.".startswith(f"{one}.") for one in _reported(planner, after, section)):
            assert old == new
        else:
            assert not isinstance(old, ManifestErrors), str(old)
            assert "error" not in old, old
            assert old != new, f"{section}.{key}: {value!r} changes nothing on {variant}, and nobody says so"


def _covers(error: str, where: str) -> bool:
    """The line that is complained about is the key's, or its section's."""
    return error == where or where.startswith((f"{error}.", f"{error}["))


def _context(variant: str, section: str, key: str) -> dict[str, Any]:
    if section == "services" and (variant, key) in samples.BY_VARIANT:
        return samples.BY_VARIANT[variant, key]
    return TABLES[section].get(key, ({}, None))[0]


def _values(variant: str, section: str, key: str, path: Path, type_: Any, document: Any) -> list[Any]:
    if section == "services" and (variant, key) in samples.VALUES_BY_VARIANT:
        return [samples.VALUES_BY_VARIANT[variant, key]]
    if key in TABLES[section]:
        return [TABLES[section][key][1]]
    here: Any = document[section][ENTRIES[section]]
    for part in path:
        here = here.get(part) if isinstance(here, dict) else here[part] if here else None
    return others(type_, _default(variant, section, path) if here is None else here)


def _default(variant: str, section: str, path: Path) -> Any:
    here: Any = {"services": Service, "images": Image}.get(
        section, kind(str(samples.TARGETS[variant]["type"])).model
    )
    for part in path[:-1]:
        here = bare(here.model_fields[part].annotation)
    return here.model_fields[path[-1]].default


def _with(document: dict[str, Any], section: str, more: dict[str, Any]) -> dict[str, Any]:
    entry = document[section][ENTRIES[section]]
    for key, value in copy.deepcopy(more).items():
        if value is None:
            entry.pop(key, None)
        else:
            entry[key] = {**entry[key], **value} if isinstance(value, dict) and key in entry else value
    return document


def _put(entry: Any, path: Path, value: Any) -> None:
    for part, following in pairwise(path):
        entry = (
            entry[part] if isinstance(entry, list) else entry.setdefault(part, [{}] if following == 0 else {})
        )
    entry[path[-1]] = value


def _exception(section: str, key: str, variant: str) -> str | None:
    found = samples.WITHOUT_EFFECT
    return found.get((f"{section}.{key}", variant)) or found.get((f"{section}.{key}", "*"))


def _reported(planner: Planner, document: dict[str, Any], section: str) -> set[str]:
    """The keys that `up` says are not used."""
    planner.write(document)
    start = f"{section}.{ENTRIES[section]}."
    lines = rules.unused(load(planner.folder, "prod"))
    return {line.partition(":")[0].removeprefix(start) for line in lines if line.startswith(start)}
