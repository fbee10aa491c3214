"""Structures of elements: tuples, namedtuples and dicts of leaves. A list is a leaf: it stands for
the tensor that it converts to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; those of a dict in the order of its keys."""
    if isinstance(structure, Mapping):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, tuple):
        return [leaf for part in structure for leaf in flatten(part)]
    return [structure]


def pack(structure: Any, leaves: Sequence[Any]) -> Any:
    """`leaves`, as many as `structure` has, in its form."""
    return _pack(structure, iter(leaves))


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, Mapping):
        packed = {key: _pack(structure[key], leaves) for key in sorted(structure)}
        return type(structure)((key, packed[key]) for key in structure)  # type: ignore[call-arg]
    if isinstance(structure, tuple):
        parts = [_pack(part, leaves) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)
    return next(leaves)


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """`function` of each leaf, in the form of `structure`."""
    return pack(structure, [function(leaf) for leaf in flatten(structure)])


def flatten_up_to(structure: Any, value: Any) -> list[Any]:
    """The parts of `value` that stand where `structure` has leaves.

    Raises:
      TypeError, ValueError: `value` has another form; a list counts as a tuple.
    """
    if isinstance(structure, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError(f"expected a dict with the keys {sorted(structure)}, but got {value!r}")
        if set(structure) != set(value):
            raise ValueError(f"expected the keys {sorted(structure)}, but got {sorted(value)}")
        pairs = [(structure[key], value[key]) for key in sorted(structure)]
    elif isinstance(structure, tuple):
        if not isinstance(value, tuple | list):
            raise TypeError(f"expected a tuple of {len(structure)} elements, but got {value!r}")
        if len(structure) != len(value):
            raise ValueError(f"expected {len(structure)} elements, but got {len(value)}")
        pairs = list(zip(structure, value, strict=True))
    else:
        return [value]
    return [leaf for part, inner in pairs for leaf in flatten_up_to(part, inner)]


def check_same(first: Any, second: Any) -> None:
    """Raises TypeError or ValueError unless both structures have one form: ValueError if they have
    not as many leaves."""
    counts = len(flatten(first)), len(flatten(second))
    if counts[0] != counts[1]:
        raise ValueError(
            "The two structures don't have the same number of elements. First structure: "
            f"{first}. Second structure: {second}"
        )
    flatten_up_to(first, second)
    flatten_up_to(second, first)
