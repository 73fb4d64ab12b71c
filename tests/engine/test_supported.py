"""docs/engine.md promises what a test proves, and nothing else."""

from __future__ import annotations

import pytest

from tests.engine.supported import AREAS, PAGE, Item, page, source

ITEMS = [item for items in AREAS.values() for item in items]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.words}-{item.proof}")
def test_it_is_proven(item: Item):
    assert item.uses in source(item.proof)


def test_the_page_says_it():
    text = PAGE.read_text()
    assert page(text) == text, "run `python -m tests.engine.supported`"
