"""What shape rules share: dimension lists, TensorFlow's merging rules and their messages.

A rule works on `Dims`: a list of `int | None`, or None where even the rank is unknown. Errors are
ValueErrors in the words of TensorFlow's shape functions; whoever creates the op adds
"for 'name' (op: 'Type') with input shapes: ...".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.folding import folded_value
from tfc.framework.tensor_util import constant_value_as_shape

Dims = list[int | None] | None


def dims_of(shape: TensorShape) -> Dims:
    """The dimensions of `shape`, None for unknown ones; None if the rank is unknown."""
    return None if shape.ndims is None else shape.as_list()


def shape_of(dims: Sequence[int | None] | None) -> TensorShape:
    """The TensorShape with these dimensions."""
    return TensorShape(None if dims is None else list(dims))


def unknown(rank: int | None = None) -> TensorShape:
    """A shape of known rank and unknown dimensions, or wholly unknown."""
    return TensorShape(None if rank is None else [None] * rank)


def text(dims: Sequence[int | None] | None) -> str:
    """`[2,?]`, as TensorFlow's C++ messages print shapes."""
    return "?" if dims is None else shape_text(dims)


def with_rank(shape: TensorShape, rank: int) -> list[int | None]:
    """The dimensions of `shape`, which must have rank `rank`; all unknown if the rank is."""
    dims = dims_of(shape)
    if dims is None:
        return [None] * rank
    if len(dims) != rank:
        raise ValueError(f"Shape must be rank {rank} but is rank {len(dims)}")
    return dims


def with_rank_at_least(shape: TensorShape, rank: int) -> Dims:
    """The dimensions of `shape`, which must have at least `rank` of them."""
    dims = dims_of(shape)
    if dims is not None and len(dims) < rank:
        raise ValueError(f"Shape must be at least rank {rank} but is rank {len(dims)}")
    return dims


def with_rank_at_most(shape: TensorShape, rank: int) -> Dims:
    """The dimensions of `shape`, which must have at most `rank` of them."""
    dims = dims_of(shape)
    if dims is not None and len(dims) > rank:
        raise ValueError(f"Shape must be at most rank {rank} but is rank {len(dims)}")
    return dims


def merge_dim(a: int | None, b: int | None) -> int | None:
    """The one dimension that both describe."""
    if a is None or b is None or a == b:
        return b if a is None else a
    raise ValueError(f"Dimensions must be equal, but are {a} and {b}")


def merge_dims(a: Dims, b: Dims) -> Dims:
    """The one shape that both describe."""
    if a is None or b is None:
        return list(b) if a is None and b is not None else a
    if len(a) != len(b):
        raise ValueError(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
    merged = []
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if x is not None and y is not None and x != y:
            raise ValueError(
                f"Dimension {i} in both shapes must be equal, but are {x} and {y}. "
                f"Shapes are {text(a)} and {text(b)}."
            )
        merged.append(y if x is None else x)
    return merged


def check_scatter_nd(into: Dims, indices: TensorShape, updates: TensorShape) -> None:
    """Raises ValueError if no rows of `updates` can have their places in `into` by `indices`."""
    index, rows = with_rank_at_least(indices, 1), with_rank_at_least(updates, 1)
    if into is not None and 0 in into and any(d is not None and product(d) for d in (index, rows)):
        raise ValueError("Indices and updates specified for empty input")
    if index is None or rows is None:
        return
    outer = len(index) - 1
    try:
        merge_dims(index[:-1], rows[:outer])
    except ValueError as error:
        raise ValueError(
            f"Dimensions [0,{outer}) of indices[shape={text(index)}] must match dimensions "
            f"[0,{outer}) of updates[shape={text(rows)}]: {error}"
        ) from None
    depth = index[-1]
    if into is None or depth is None:
        return
    try:
        merge_dims(into[depth:], rows[outer:])
    except ValueError as error:
        raise ValueError(
            f"Dimensions [{depth},{len(into)}) of input[shape={text(into)}] must match dimensions "
            f"[{outer},{len(rows)}) of updates[shape={text(rows)}]: {error}"
        ) from None


def product(dims: Sequence[int | None]) -> int | None:
    """The number of elements, or None if it is not known."""
    total = 1
    if 0 in dims:
        return 0
    for d in dims:
        if d is None:
            return None
        total *= d
    return total


def check_attr(op: str, name: str, value: int, least: int) -> None:
    """Raises ValueError if an attribute is below what TensorFlow's definition of the op allows."""
    if value < least:
        raise ValueError(f"Attr '{name}' of '{op}' Op passed {value} less than minimum {least}.")


def axis_in(axis: int, rank: int) -> int:
    """`axis`, a scalar input, as a number in [0, rank); negative ones count from the end."""
    if not -rank <= axis < rank:
        raise ValueError(
            f"Dimension size, given by scalar input {axis} must be in range [-{rank}, {rank})"
        )
    return axis % rank if rank else 0


def extent_given(op: Any, index: int) -> int | None:
    """The extent that the scalar input `index` of `op` is; None if the graph does not tell."""
    found = static_ints(op, index)
    if found is not None and found[0] < 0:
        raise ValueError(
            f"Dimension size, given by scalar input {index}, must be non-negative but is {found[0]}"
        )
    return found[0] if found else None


def broadcast_dims(a: Dims, b: Dims) -> Dims:
    """The shape of an element by element operation on operands of these shapes."""
    if a is None or b is None:
        return None
    rank = max(len(a), len(b))
    left, right = [1] * (rank - len(a)) + list(a), [1] * (rank - len(b)) + list(b)
    out: list[int | None] = []
    for x, y in zip(left, right, strict=True):
        if x is None or y is None:
            known = y if x is None else x
            out.append(known if known is not None and known > 1 else None)
            if x == 1 or y == 1:
                out[-1] = y if x == 1 else x
        elif x == y or y == 1:
            out.append(x)
        elif x == 1:
            out.append(y)
        else:
            raise ValueError(f"Dimensions must be equal, but are {x} and {y}")
    return out


def static_input(op: Any, index: int) -> np.ndarray | None:
    """The value of input `index` of the TensorFlow op, where the graph alone decides it."""
    return folded_value(op.inputs[index])


def static_ints(op: Any, index: int) -> list[int] | None:
    """Like `static_input`, flattened to Python ints."""
    value = static_input(op, index)
    return None if value is None else [int(v) for v in np.ravel(value)]


def static_dims(op: Any, index: int) -> Dims:
    """The shape that the integer input `index` (1-D, or scalar -1: unknown) holds, as far as known.

    A negative entry is an unknown dimension.
    """
    tensor = op.inputs[index]
    if tensor.get_shape().ndims == 0:
        return None
    return dims_of(constant_value_as_shape(tensor, folded_value))
