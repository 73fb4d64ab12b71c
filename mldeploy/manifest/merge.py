"""Laying `manifest.<stack>.yaml` over `manifest.yaml`.

Mappings are merged key by key, everything else replaces, and null removes. A secret reference replaces as a
whole, since ``{config: a}`` merged with ``{env: B}`` would be neither. Every value keeps its place.
"""

from __future__ import annotations

from mldeploy.manifest.nodes import Entry, Node, Scalar, Table

_REFERENCE_KEYS = frozenset(("config", "env", "keyvault"))
FREE_FORM = frozenset(("desired", "create_options"))
"""Below these keys anything may be written, so nothing there is taken for a secret reference."""


def merge(base: Node, over: Node, *, free: bool = False) -> Node:
    """``over`` laid over ``base``. Neither is changed; unchanged parts are shared with them.

    ``merge(a, {}) == a``; ``merge(a, merge(b, c)) == merge(merge(a, b), c)`` where nothing is null and
    a key is a mapping everywhere or nowhere.
    """
    if not isinstance(base, Table) or not isinstance(over, Table):
        return without_nulls(over)
    if not free and _is_reference(base) and _is_reference(over):
        return over
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = base.entries.get(key)
        if _is_null(entry.node):
            entries.pop(key, None)
        elif below is None:
            entries[key] = Entry(entry.key, without_nulls(entry.node))
        else:
            node = merge(below.node, entry.node, free=free or key in FREE_FORM)
            # A mapping that only gains keys is still where the base has it.
            merged = isinstance(below.node, Table) and isinstance(entry.node, Table)
            entries[key] = Entry(below.key if merged else entry.key, node)
    return Table(base.mark, entries)


def without_nulls(node: Node) -> Node:
    """``node`` without the keys whose value is null: they mean "not given"."""
    if not isinstance(node, Table):
        return node
    kept = {
        key: Entry(entry.key, without_nulls(entry.node))
        for key, entry in node.entries.items()
        if not _is_null(entry.node)
    }
    return Table(node.mark, kept)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _is_reference(table: Table) -> bool:
    return bool(table.entries) and all(
        key in _REFERENCE_KEYS and isinstance(entry.node, Scalar) for key, entry in table.entries.items()
    )
