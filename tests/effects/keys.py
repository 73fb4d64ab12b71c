"""Every key of a service, an image and a target, found in the models, and another value for each."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mldeploy.manifest import secret_refs
from mldeploy.manifest.base import Section

Path = tuple[str | int, ...]
REFERENCES = (secret_refs.ConfigRef, secret_refs.EnvRef, secret_refs.KeyVaultRef)


def leaves(model: type[Section], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The keys that are no sections themselves, with their types; `0` and `x` stand for items of lists and mappings."""
    for key, field in model.model_fields.items():
        yield from _below(
            Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation, (*path, key)
        )


def _below(kind: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    plain = bare(kind)
    if isinstance(plain, type) and issubclass(plain, Section):
        yield from leaves(plain, path)
    elif get_origin(plain) is tuple and _is_section(get_args(plain)[0]):
        yield from _below(get_args(plain)[0], (*path, 0))
    elif get_origin(plain) is dict and _is_section(get_args(plain)[1]):
        yield from _below(get_args(plain)[1], (*path, "x"))
    else:
        yield path, kind


def _is_section(kind: Any) -> bool:
    plain = bare(kind)
    return isinstance(plain, type) and issubclass(plain, Section)


def bare(kind: Any) -> Any:
    """A type without annotations and None; secret references as the union that they are."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        options = [one for one in get_args(kind) if one is not type(None)]
        if len(options) == 1:
            return bare(options[0])
    return kind


def others(kind: Any, current: Any) -> list[Any]:
    """Values of a type that are not ``current``: every other one of a few, else one.

    Raises:
        LookupError: the type has a form of its own; say a value in the table of samples.
    """
    plain = bare(kind)
    if get_origin(plain) is Literal:
        return [one for one in get_args(plain) if one != current] or [current]
    if plain is bool:
        return [not current]
    if get_origin(plain) in (Union, types.UnionType) and set(REFERENCES) <= set(get_args(plain)):
        return [{"env": "TWO"}]
    if get_origin(plain) is dict:
        return [{"mine": "other"}]
    if plain in (int, float):
        return [(current or 0) + 1]
    raise LookupError(str(kind))
