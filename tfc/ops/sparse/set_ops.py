"""Sets: the rows of the last dimension of a sparse or dense tensor. Results are sparse, in order.

They run in Python: how many elements there are is data, and elements may be strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue
from tfc.ops import shape_rules as s
from tfc.ops.sparse.common import check_arrays, check_parts
from tfc.ops.strings.common import invalid

_T = ("i8", "i16", "i32", "i64", "u8", "u16", "str")
_OUT = " -> result_indices: int64, result_values: T, result_shape: int64"
_HOW = ", set_operation: str, validate_indices: bool = True)"
_Sets = dict[tuple[int, ...], set[Any]]


def _of_dense(op: Any, array: np.ndarray) -> tuple[_Sets, tuple[int, ...]]:
    if array.ndim < 2:
        raise invalid(op, f"Shape must be at least rank 2 but is rank {array.ndim}")
    outer = array.shape[:-1]
    return {at: set(array[at].tolist()) for at in np.ndindex(outer)}, outer


def _of_sparse(
    op: Any, parts: Sequence[np.ndarray], validate: bool
) -> tuple[_Sets, tuple[int, ...]]:
    indices, values, shape = parts
    dims = check_arrays(op, indices, values, shape)
    if len(dims) < 2:
        raise invalid(op, f"Shape must be at least rank 2 but is rank {len(dims)}")
    if validate and len(indices) > 1:
        rows = [tuple(row) for row in indices.tolist()]
        for k, (before, after) in enumerate(zip(rows[:-1], rows[1:], strict=True)):
            if before >= after:
                what = "repeated" if before == after else "out of order"
                raise invalid(op, f"indices[{k + 1}] = {s.text(after)} is {what}")
    sets: _Sets = {}
    for row, value in zip(indices[:, :-1].tolist(), values.tolist(), strict=True):
        sets.setdefault(tuple(row), set()).add(value)
    return sets, dims[:-1]


def _combined(op: Any, name: str, a: Any, b: Any, dtype: Any) -> tuple[np.ndarray, ...]:
    (first, outer), (second, other) = a, b
    if outer != other:
        raise invalid(op, f"Mismatched group shapes {s.text(outer)} and {s.text(other)}")
    places: list[tuple[int, ...]] = []
    values: list[Any] = []
    widest = 0
    for at in sorted({*first, *second}):
        x, y = first.get(at, set()), second.get(at, set())
        row = sorted(_OPERATIONS[name](x, y))
        places += [(*at, k) for k in range(len(row))]
        values += row
        widest = max(widest, len(row))
    data = np.empty(len(values), dtype)
    data[:] = values
    found = np.array(places, np.int64).reshape(-1, len(outer) + 1)
    return found, data, np.array([*outer, widest], np.int64)


_OPERATIONS: dict[str, Any] = {
    "a-b": lambda a, b: a - b,
    "b-a": lambda a, b: b - a,
    "intersection": lambda a, b: a & b,
    "union": lambda a, b: a | b,
}


def _result_shape(rank: int | None) -> list[TensorShape]:
    return [s.shape_of([None, rank]), s.shape_of([None]), s.shape_of([rank])]


class DenseToDenseSetOperation(
    OpDef, sig="DenseToDenseSetOperation(set1: T, set2: T" + _HOW + _OUT, T=_T
):
    """An operation on the sets that the rows of two dense tensors are."""

    def shape(set1: TensorShape, set2: TensorShape) -> list[TensorShape]:
        a, b = s.with_rank_at_least(set1, 2), s.with_rank_at_least(set2, 2)
        s.merge_dims(None if a is None else a[:-1], None if b is None else b[:-1])
        known = a if a is not None else b
        return _result_shape(None if known is None else len(known))

    def host(
        op: Any, set1: np.ndarray, set2: np.ndarray, *, set_operation: str, **_: Any
    ) -> tuple[np.ndarray, ...]:
        sets = _of_dense(op, set1), _of_dense(op, set2)
        return _combined(op, set_operation, *sets, set1.dtype)


class DenseToSparseSetOperation(
    OpDef,
    sig="DenseToSparseSetOperation(set1: T, set2_indices: int64, set2_values: T, "
    "set2_shape: int64" + _HOW + _OUT,
    T=_T,
):
    """An operation on the sets of a dense and of a sparse tensor."""

    def shape(set1: TensorShape, *set2: TensorShape) -> list[TensorShape]:
        check_parts(*set2)
        dims = s.with_rank_at_least(set1, 2)
        own = s.with_rank(set2[2], 1)[0]
        return _result_shape(s.merge_dim(None if dims is None else len(dims), own))

    def host(
        op: Any, *arrays: np.ndarray, set_operation: str, validate_indices: bool
    ) -> tuple[np.ndarray, ...]:
        sets = _of_dense(op, arrays[0]), _of_sparse(op, arrays[1:], validate_indices)
        return _combined(op, set_operation, *sets, arrays[0].dtype)


class SparseToSparseSetOperation(
    OpDef,
    sig="SparseToSparseSetOperation(set1_indices: int64, set1_values: T, set1_shape: int64, "
    "set2_indices: int64, set2_values: T, set2_shape: int64" + _HOW + _OUT,
    T=_T,
):
    """An operation on the sets of two sparse tensors."""

    def shape(*sets: TensorShape) -> list[TensorShape]:
        check_parts(*sets[:3])
        check_parts(*sets[3:])
        ranks = s.with_rank(sets[2], 1)[0], s.with_rank(sets[5], 1)[0]
        return _result_shape(s.merge_dim(*ranks))

    def host(
        op: Any, *arrays: np.ndarray, set_operation: str, validate_indices: bool
    ) -> tuple[np.ndarray, ...]:
        parts = (arrays[:3], arrays[3:])
        first, second = (_of_sparse(op, part, validate_indices) for part in parts)
        return _combined(op, set_operation, first, second, arrays[1].dtype)


class SetSize(
    OpDef,
    sig="SetSize(set_indices: int64, set_values: T, set_shape: int64, "
    "validate_indices: bool = True) -> size: int32",
    T=_T,
):
    """How many different elements each row has."""

    def shape(
        indices: TensorShape, values: TensorShape, shape: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        check_parts(indices, values, shape)
        return [s.unknown()]

    def host(op: Any, *arrays: np.ndarray, validate_indices: bool) -> np.ndarray:
        sets, outer = _of_sparse(op, arrays, validate_indices)
        sizes = np.zeros(outer, np.int32)
        for at, elements in sets.items():
            sizes[at] = len(elements)
        return sizes


def _parts(value: Any) -> Any:
    """A SparseTensor for what is one, else a Tensor. Raises TypeError for elements that are
    neither integers nor strings."""
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        value = convert_to_tensor(value)
    dtype: DType = value.dtype.base_dtype
    if dtype.short not in _T:
        raise TypeError(f"'a' invalid dtype {dtype.name}")
    return value


def _operation(a: Any, b: Any, validate_indices: bool, name: str) -> SparseTensor:
    a, b = _parts(a), _parts(b)
    if a.dtype.base_dtype != b.dtype.base_dtype:
        raise TypeError(f"Types don't match, {a.dtype.name} vs {b.dtype.name}")
    if not isinstance(a, SparseTensor) and isinstance(b, SparseTensor):
        op, parts = "DenseToSparseSetOperation", [a, *_three(b)]
    elif not isinstance(a, SparseTensor):
        op, parts = "DenseToDenseSetOperation", [a, b]
    elif isinstance(b, SparseTensor):
        op, parts = "SparseToSparseSetOperation", [*_three(a), *_three(b)]
    else:  # the dense operand goes first
        turned = {"a-b": "b-a", "b-a": "a-b"}.get(name, name)
        return _operation(b, a, validate_indices, turned)
    how: dict[str, Any] = dict(set_operation=name, validate_indices=validate_indices)
    return SparseTensor(*apply(op, *parts, **how))


def _three(sparse: SparseTensor) -> Iterator[Tensor]:
    return iter((sparse.indices, sparse.values, sparse.dense_shape))


def set_size(a: Any, validate_indices: bool = True) -> Tensor:
    """How many different elements each row of the sparse tensor `a` has: int32, without its last
    dimension.

    Raises:
      TypeError: it is no sparse tensor, or its values are neither integers nor strings.
      InvalidArgumentError, when run: places out of order, if they are validated.
    """
    a = _parts(a)
    if not isinstance(a, SparseTensor):
        raise TypeError(f"Expected `SparseTensor`, got {a}.")
    return apply("SetSize", *_three(a), validate_indices=validate_indices)


def set_intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The elements that are in a row of `a` and in the same row of `b`.

    a, b: tensors or sparse tensors of integers or strings, whose dimensions but the last agree.

    Raises:
      TypeError: elements of another dtype, or of two. ValueError: dimensions that disagree.
    """
    return _operation(a, b, validate_indices, "intersection")


def set_difference(
    a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True
) -> SparseTensor:
    """The elements of each row of `a` that are not in the same row of `b`; the other way round if
    not `aminusb`. Operands and errors as of `set_intersection`."""
    return _operation(a, b, validate_indices, "a-b" if aminusb else "b-a")


def set_union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The elements of each row of `a` and of the same row of `b`. Operands and errors as of
    `set_intersection`."""
    return _operation(a, b, validate_indices, "union")
