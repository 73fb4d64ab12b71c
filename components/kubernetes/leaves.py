"""Objects whose unknown parts are leaves: what a plan cannot know yet hides nothing of what it does know.

An object is rendered from plain values by one function. Which of its leaves follow from which input is found by
rendering it again with another value of that input: a leaf that changes becomes an Output of the inputs that change it,
all others stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi

Render = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Factor:
    """An input that may not be known yet."""

    value: pulumi.Input[Any]
    one: Any
    """A stand-in of its type."""
    other: Any
    """Another one."""


def rendered(render: Render, factors: Mapping[str, Factor]) -> Any:
    """What ``render`` makes of the factors' values, with Outputs at the leaves that follow from them.

    The shape (keys, lengths of lists) must not follow from a factor.

    Args:
        render: from values by name to JSON-like data.
        factors: the inputs by name.

    Raises:
        TypeError: the shape follows from a factor.
    """
    plain = {name: factor.one for name, factor in factors.items()}
    varied = {name: render({**plain, name: factor.other}) for name, factor in factors.items()}

    def leaf(path: tuple[str | int, ...], names: list[str]) -> pulumi.Output[Any]:
        values = pulumi.Output.all(**{name: factors[name].value for name in names})

        def pick(known: dict[str, Any]) -> Any:
            found: Any = render({**plain, **known})
            for key in path:
                found = found[key]
            return found

        return values.apply(pick)

    def walk(value: Any, others: Mapping[str, Any], path: tuple[str | int, ...]) -> Any:
        if all(other == value for other in others.values()):
            return value
        if isinstance(value, dict):
            part = cast("dict[str, Any]", value)
            _same_shape(path, set(part), [set(other) for other in others.values()])
            return {
                key: walk(item, {name: other[key] for name, other in others.items()}, (*path, key))
                for key, item in part.items()
            }
        if isinstance(value, list):
            items = cast("list[Any]", value)
            _same_shape(path, len(items), [len(other) for other in others.values()])
            return [
                walk(item, {name: other[index] for name, other in others.items()}, (*path, index))
                for index, item in enumerate(items)
            ]
        return leaf(path, [name for name, other in others.items() if other != value])

    return walk(render(plain), varied, ())


def _same_shape(path: tuple[str | int, ...], own: object, others: list[Any]) -> None:
    if any(other != own for other in others):
        raise TypeError(f"the shape of {'.'.join(map(str, path))} follows from a value that may not be known")
