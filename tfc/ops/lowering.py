"""What lowering rules share: errors at the op, constants, common shapes of statically typed values.

`build` is the Lowering that a rule receives; values are of known shape. What needs no `build.op` is
in `prims/helpers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.dtypes import COMPLEX, DType, int64, numpy_dtype
from tfc.base.shapes import shape_text
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.passes.arrays import Count
from tfc.passes.lower_errors import NeedsValue


def invalid(build: Any, message: str) -> errors.OpError:
    """The InvalidArgumentError to raise at the op being lowered."""
    return errors.InvalidArgumentError(None, build.op, message)


def counted(build: Any, count: Value) -> int:
    """`count`, i64[], which decides the shape of the result of the op being lowered: one stage
    computes it, the next is compiled for what it is. Not in regions.

    Raises:
      NeedsValue: it is not known yet.
    """
    token = Count(build.op, int64)
    known = build.values.get(token)
    if known is None:
        build.values[token] = known = count
    found = constant_value(known)
    if found is None:
        raise NeedsValue(known, token)
    return int(found)


def constant_ints(build: Any, values: Sequence[int], dtype: DType) -> Value:
    """A constant vector of integers."""
    return p.constant(build, np.asarray(values, dtype.as_numpy_dtype))


def zero(build: Any, dtype: str) -> Value:
    """The zero of a dtype; of strings the empty one."""
    value: Value = p.constant(build, np.array(b"" if dtype == "str" else 0, numpy_dtype(dtype)))
    return value


def broadcast_values(build: Any, x: Value, y: Value) -> tuple[Value, Value]:
    """Both values in their common shape.

    Raises:
      InvalidArgumentError: the shapes do not broadcast.
    """
    a, b = x.type.shape, y.type.shape
    if a == b:
        return x, y
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    out = []
    for m, n in pairs:
        if m != n and 1 not in (m, n):
            raise invalid(build, f"Incompatible shapes: {shape_text(a)} vs. {shape_text(b)}")
        out.append(n if m == 1 else m)
    return p.broadcast_to(build, x, tuple(out)), p.broadcast_to(build, y, tuple(out))


def one_shape(build: Any, *values: Value) -> None:
    """InvalidArgumentError unless all values have one shape."""
    first = values[0].type.shape
    for value in values[1:]:
        if value.type.shape != first:
            wanted, found = shape_text(first), shape_text(value.type.shape)
            raise invalid(build, f"Inputs must have the same shape, but are {wanted} and {found}")


def is_complex(x: Value) -> bool:
    """Whether the elements are complex."""
    return x.type.dtype in COMPLEX


def to(build: Any, x: Value, dtype: str) -> Value:
    """`x` converted to the short dtype, `x` itself if it has it."""
    return x if x.type.dtype == dtype else p.convert(build, x, dtype=dtype)


def reshape_value(build: Any, x: Value, shape: Sequence[int]) -> Value:
    """`x` with another shape of as many elements, `x` itself if it has that shape."""
    return x if x.type.shape == tuple(shape) else p.reshape(build, x, shape=tuple(shape))


def typed(x: Value, shape: Sequence[int], dtype: str | None = None) -> Type:
    """The type of `x` with another shape, and another dtype if given."""
    return Type(dtype or x.type.dtype, tuple(shape))
