"""Whatever is in the files: a manifest, or errors with a place. Never a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.manifest import Manifest, ManifestError, ManifestErrors, load
from mldeploy.manifest.document import Manifest as Document
from mldeploy.manifest.kinds import kinds
from mldeploy.manifest.nodes import dotted, plain
from mldeploy.manifest.yaml_text import parse
from tests.manifest.good import EVERYTHING
from tests.manifest.project import make_project

GOOD: Any = yaml.safe_load(EVERYTHING)
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

keys = st.sampled_from(
    sorted(
        {name for kind in kinds().values() for name in kind.model.model_fields}
        | set(Document.model_fields)
        | set(GOOD["services"]["aks-many"])
        | {"m", "i", "here", "s", "x-a", "config", "env", "keyvault", "..", "a/b", "", "NUL", "\n", "é"}
    )
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["local", "aks", "../x", "/etc", "runs:/", "models/m.pkl", "on", "1.10", "\0", "https://a:b@c"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(keys, st.text(max_size=5)), inner, max_size=4)
    ),
    max_leaves=25,
)
manifests = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        section: st.dictionaries(
            keys, st.one_of(st.dictionaries(keys, values, max_size=6), values), max_size=3
        )
        for section in ("models", "images", "targets", "services", "azure")
    },
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("properties"))


def attempt(
    root: Path, base: str | bytes, over: str | bytes | None = None
) -> Manifest | tuple[ManifestError, ...]:
    """Load; errors must be well-formed."""
    for name, text in (("manifest.yaml", base), ("manifest.dev.yaml", over)):
        if text is None:
            (root / name).unlink(missing_ok=True)
        else:
            (root / name).write_bytes(
                text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            )
    try:
        return load(root, "dev")
    except ManifestErrors as caught:
        assert caught.errors
        lines = str(caught).split("\n")
        assert len(lines) == len(caught.errors)
        for error in caught.errors:
            assert error.file in ("manifest.yaml", "manifest.dev.yaml")
            assert error.message
            assert (error.line == 0) == (error.column == 0)
        return caught.errors


@EXAMPLES
@given(st.one_of(st.text(), st.binary(max_size=200)))
def test_any_text(root: Path, text: str | bytes) -> None:
    attempt(root, text)


@EXAMPLES
@given(st.text(alphabet=" \n\t:-{}[]&*!|>'\"#%@`,?~<ab01.é\\", max_size=60))
def test_any_yaml_punctuation(root: Path, text: str) -> None:
    attempt(root, "version: 1\n" + text, text)


@settings(EXAMPLES, max_examples=60)
@given(manifests, st.one_of(st.none(), manifests))
def test_any_tree(root: Path, base: Any, over: Any) -> None:
    attempt(root, yaml.safe_dump(base, allow_unicode=True), None if over is None else yaml.safe_dump(over))


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in paths_of(item, (*path, key)))]


PLACES = [path for path in paths_of(GOOD) if path]
FREE_FORM = ("x-labels", "desired", "create_options")
CHECKED = [path for path in PLACES if path[0] != "x-labels" and not set(path[:-1]) & set(FREE_FORM)]


def mutate(tree: Any, path: tuple[Any, ...], how: str, value: Any) -> None:
    here = tree
    for part in path[:-1]:
        if not isinstance(here, dict | list) or (isinstance(here, dict) and part not in here):
            return
        if isinstance(here, list) and (not isinstance(part, int) or part >= len(here)):
            return
        here = here[part]
    last = path[-1]
    if isinstance(here, list):
        here[:] = [value, *here[1:]]
    elif isinstance(here, dict):
        if how == "replace":
            here[last] = value
        elif how == "remove":
            here.pop(last, None)
        else:
            here[f"{last}x"] = here.pop(last, None)


mutations = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "rename"]), values),
    min_size=1,
    max_size=3,
)


@settings(EXAMPLES, max_examples=120)
@given(mutations)
def test_mutated_good_manifests(root: Path, changes: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    tree = copy.deepcopy(GOOD)
    for path, how, value in changes:
        mutate(tree, path, how, value)
    attempt(root, yaml.safe_dump(tree))


@settings(EXAMPLES, max_examples=80)
@given(mutations)
def test_mutations_in_an_overlay(root: Path, changes: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    over: Any = {}
    for path, _, value in changes:
        here = over
        for part in path[:-1]:
            if not isinstance(part, str) or not isinstance(here.setdefault(part, {}), dict):
                break
            here = here[part]
        else:
            if isinstance(path[-1], str):
                here[path[-1]] = value
    attempt(root, EVERYTHING, yaml.safe_dump(over))


@pytest.mark.parametrize("path", CHECKED, ids=lambda path: ".".join(map(str, path)))
def test_every_place_is_checked(root: Path, path: tuple[Any, ...]) -> None:
    """A list for something else, or a number for a list, is wrong everywhere, and said to be there."""
    tree = copy.deepcopy(GOOD)
    here = tree
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = 0.25 if isinstance(here[path[-1]], list) else [["wrong"]]
    found = attempt(root, yaml.safe_dump(tree))
    assert not isinstance(found, Manifest)
    place = (
        path[:-1] if path[-1] in ("config", "env", "keyvault") else path
    )  # a secret reference is one value
    assert any(error.path.startswith(dotted(place)) for error in found)


trees = st.recursive(
    st.one_of(st.booleans(), st.integers(-(10**17), 10**17), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=15,
)


@EXAMPLES
@given(trees)
def test_reads_what_was_written(value: Any) -> None:
    """What PyYAML writes, with tags and quotes, is read back."""
    node, errors = parse(yaml.safe_dump({"k": value}, default_style='"').encode(), "f")
    assert errors == []
    assert node is not None
    assert plain(node) == {"k": value}
