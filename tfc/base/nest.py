"""Structures: lists, tuples, namedtuples, dicts and views of dicts, of leaves, nested at will.

Dicts are taken in the order of their sorted keys, as TensorFlow does, so that equal structures
flatten alike.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any

View = ItemsView | KeysView | ValuesView


def is_sequence(value: Any) -> bool:
    """Whether `value` has elements, as opposed to being a leaf."""
    return isinstance(value, list | tuple | Mapping | View)


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; a leaf alone is a list of one."""
    if isinstance(structure, Mapping):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, list | tuple | View):
        return [leaf for element in structure for leaf in flatten(element)]
    return [structure]


def pack(structure: Any, leaves: Sequence[Any]) -> Any:
    """`leaves` in a structure like `structure`.

    Raises:
      ValueError: there are more or fewer leaves than the structure has.
    """
    wanted = len(flatten(structure))
    if wanted != len(leaves):
        raise ValueError(
            f"Could not pack sequence. Structure had {wanted} elements, but flat_sequence had "
            f"{len(leaves)} elements. Structure: {structure!r}, flat_sequence: {leaves!r}."
        )
    return _pack(structure, iter(leaves))


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, Mapping):
        packed = {key: _pack(structure[key], leaves) for key in sorted(structure)}
        return type(structure)((key, packed[key]) for key in structure)  # type: ignore[call-arg]
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(_pack(element, leaves) for element in structure))
    if isinstance(structure, list | tuple):
        return type(structure)(_pack(element, leaves) for element in structure)
    if isinstance(structure, View):
        return [_pack(element, leaves) for element in structure]
    return next(leaves)


def map_leaves(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the corresponding leaves of structures of one form, in that form."""
    for other in structures[1:]:
        check_same(structures[0], other)
    columns = zip(*(flatten(s) for s in structures), strict=True)
    return pack(structures[0], [function(*leaves) for leaves in columns])


def check_same(first: Any, second: Any) -> None:
    """Raises ValueError or TypeError unless both structures have one form."""
    count, other = len(flatten(first)), len(flatten(second))
    if count != other or is_sequence(first) != is_sequence(second):
        raise ValueError(
            "The two structures don't have the same nested structure. First structure: "
            f"{first!r}, second structure: {second!r}."
        )
    if not is_sequence(first):
        return
    if isinstance(first, Mapping) != isinstance(second, Mapping) or (
        isinstance(first, list) != isinstance(second, list)
    ):
        raise TypeError(
            "The two structures don't have the same sequence type. First structure has type "
            f"{type(first)}, while second structure has type {type(second)}."
        )
    if isinstance(first, Mapping):
        if set(first) != set(second):
            raise ValueError(
                "The two dictionaries don't have the same set of keys. First structure has keys "
                f"{sorted(first)}, while second structure has keys {sorted(second)}."
            )
        pairs = [(first[key], second[key]) for key in sorted(first)]
    else:
        if len(first) != len(second):
            raise ValueError(
                "The two structures don't have the same number of elements. First structure: "
                f"{first!r}, second structure: {second!r}."
            )
        pairs = list(zip(first, second, strict=True))
    for a, b in pairs:
        check_same(a, b)
