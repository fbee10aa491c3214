"""`tf.nest`: structures of lists, tuples and dicts, taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfc.base import nest
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.ragged_tensor import RaggedTensor
from tfc.framework.sparse_tensor import SparseTensor


def is_nested(seq: Any) -> bool:
    """Whether `seq` is a list, tuple or dict, as opposed to a leaf."""
    return nest.is_sequence(seq)


is_sequence = is_nested


def _parts(leaf: Any) -> list[Any]:
    """The tensors of a leaf that is made of several; others are parts of their own."""
    if isinstance(leaf, SparseTensor):
        return [leaf.indices, leaf.values, leaf.dense_shape]
    if isinstance(leaf, IndexedSlices):
        shape = [] if leaf.dense_shape is None else [leaf.dense_shape]
        return [leaf.values, leaf.indices, *shape]
    if isinstance(leaf, RaggedTensor):
        return [*_parts(leaf.values), leaf.row_splits]
    return [leaf]


def _joined(leaf: Any, parts: list[Any]) -> Any:
    """A leaf like `leaf` of the first of `parts`, which are taken away."""
    if isinstance(leaf, SparseTensor):
        taken = [parts.pop(0) for _ in range(3)]
        return SparseTensor(*taken)
    if isinstance(leaf, IndexedSlices):
        taken = [parts.pop(0) for _ in _parts(leaf)]
        return IndexedSlices(*taken)
    if isinstance(leaf, RaggedTensor):
        values = _joined(leaf.values, parts)
        return RaggedTensor(values, parts.pop(0))
    return parts.pop(0)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves, in the order of lists and of the sorted keys of dicts; a leaf alone as a list.

    expand_composites: sparse and ragged tensors and slices as the tensors that they are made of.
    """
    leaves = nest.flatten(structure)
    return [p for leaf in leaves for p in _parts(leaf)] if expand_composites else leaves


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """The elements of `flat_sequence` in a structure like `structure`.

    Raises:
      TypeError: flat_sequence is no sequence.
      ValueError: it has more or fewer elements than the structure.
    """
    if not nest.is_sequence(flat_sequence):
        raise TypeError("flat_sequence must be a sequence")
    given = list(flat_sequence)
    if not nest.is_sequence(structure) and len(given) != 1 and not expand_composites:
        raise ValueError(f"Structure is a scalar but len(flat_sequence) == {len(given)} > 1")
    if not expand_composites:
        return nest.pack(structure, given)
    wanted = len(flatten(structure, True))
    if wanted != len(given):
        raise ValueError(
            f"Could not pack sequence. Structure had {wanted} elements, but flat_sequence had "
            f"{len(given)} elements."
        )
    return nest.pack(structure, [_joined(leaf, given) for leaf in nest.flatten(structure)])


def assert_same_structure(
    nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Check that two structures have one form.

    check_types: sequences must also be of the same types. expand_composites: so must tensors made
    of several.

    Raises:
      ValueError: they differ in form. TypeError: they differ in types.
    """
    if check_types:
        nest.check_same(nest1, nest2)
        _check_types(nest1, nest2)
    else:
        _check_form(nest1, nest2)
    if expand_composites:
        for a, b in zip(nest.flatten(nest1), nest.flatten(nest2), strict=True):
            if (len(_parts(a)) > 1 or len(_parts(b)) > 1) and type(a) is not type(b):
                raise TypeError(f"The two structures differ in a leaf: {type(a)} and {type(b)}")


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [structure[key] for key in sorted(structure)]
    return list(structure)


def _check_types(first: Any, second: Any) -> None:
    """Tuples with names must be of one type; plain sequences were compared before."""
    if not nest.is_sequence(first):
        return
    named = [hasattr(s, "_fields") for s in (first, second)]
    same = type(first) is type(second) or (
        all(named)
        and type(first).__name__ == type(second).__name__
        and first._fields == second._fields
    )
    if any(named) and not same:
        raise TypeError(
            "The two namedtuples don't have the same sequence type. First structure has type "
            f"{type(first)}, while second structure has type {type(second)}."
        )
    for a, b in zip(_children(first), _children(second), strict=True):
        _check_types(a, b)


def _check_form(first: Any, second: Any) -> None:
    is_leaf = [not nest.is_sequence(s) for s in (first, second)]
    if all(is_leaf):
        return
    if any(is_leaf) or len(_children(first)) != len(_children(second)):
        raise ValueError(
            "The two structures don't have the same nested structure. First structure: "
            f"{first!r}, second structure: {second!r}."
        )
    for a, b in zip(_children(first), _children(second), strict=True):
        _check_form(a, b)


def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """`func` of the corresponding leaves of structures of one form, in the form of the first.

    kwargs: check_types, expand_composites as for `assert_same_structure`.

    Raises:
      TypeError: func is not callable, or the structures differ in types.
      ValueError: no structure, other keywords, or structures that differ in form.
    """
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    check_types = kwargs.pop("check_types", True)
    expand = kwargs.pop("expand_composites", False)
    if kwargs:
        raise ValueError(f"Only valid keyword arguments are check_types and expand_composites, "
                         f"not: `{'`, `'.join(kwargs)}`")  # fmt: skip
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types, expand)
    columns = zip(*(flatten(s, expand) for s in structure), strict=True)
    return pack_sequence_as(structure[0], [func(*leaves) for leaves in columns], expand)
