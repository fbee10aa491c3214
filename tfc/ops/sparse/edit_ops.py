"""The Levenshtein distance of sequences that sparse tensors hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import NUMBERS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient
from tfc.ops.strings.common import invalid


class EditDistance(
    OpDef,
    sig="EditDistance(hypothesis_indices: int64, hypothesis_values: T, hypothesis_shape: int64, "
    "truth_indices: int64, truth_values: T, truth_shape: int64, normalize: bool = True)"
    " -> output: float32",
    T=(*NUMBERS, "i1", "str"),
):
    """How many insertions, deletions and changes make the sequence of the truth of that of the
    hypothesis, over the length of the truth if `normalize`. A host op: the shape of the result is
    a value of its operands."""

    def shape(*shapes: TensorShape, op: Any) -> list[TensorShape]:
        for k in (0, 3):
            rows, rank = shape_rules.with_rank(shapes[k], 2)
            count = shape_rules.with_rank(shapes[k + 1], 1)[0]
            shape_rules.merge_dim(rows, count)
            if rank is not None and rank < 2:
                who = "Truth" if k else "Hypothesis"
                raise ValueError(f"Input {who} SparseTensors must have rank at least 2, but its "
                                 f"rank is: {rank}")  # fmt: skip
            shape_rules.merge_dim(rank, shape_rules.with_rank(shapes[k + 2], 1)[0])
        both = [shape_rules.static_ints(op, k) for k in (2, 5)]
        if both[0] is None or both[1] is None:
            return [shape_rules.unknown()]
        if len(both[0]) != len(both[1]):
            raise ValueError(
                "Num elements of hypothesis_shape does not match truth_shape: "
                f"{len(both[0])} vs. {len(both[1])}"
            )
        return [TensorShape([max(a, b) for a, b in zip(both[0][:-1], both[1][:-1], strict=True)])]

    grad = no_gradient

    def host(op: Any, *arrays: np.ndarray, normalize: bool) -> np.ndarray:
        _check(op, arrays)
        sizes = np.maximum(arrays[2], arrays[5])[:-1]
        if np.prod(sizes, dtype=np.float64) > 1 << 31:
            raise invalid(op, f"a result of shape {sizes.tolist()} is too large")
        result = np.zeros(tuple(int(n) for n in sizes), np.float32)
        rows = [_rows(op, arrays[k], arrays[k + 1], arrays[k + 2], result.shape) for k in (0, 3)]
        for place in {*rows[0], *rows[1]}:
            hypothesis, truth = (r.get(place, []) for r in rows)
            distance: float = _distance(truth, hypothesis)
            if normalize:
                distance = distance / len(truth) if truth else float("inf") if distance else 0.0
            result[place] = distance
        return result


def _check(op: Any, arrays: Sequence[np.ndarray]) -> None:
    names = [f"{who}_{what}" for who in ("hypothesis", "truth")
             for what in ("indices", "values", "shape")]  # fmt: skip
    for name, array in zip(names, arrays, strict=True):
        rank = 2 if name.endswith("indices") else 1
        if array.ndim != rank:
            what = "a matrix" if rank == 2 else "a vector"
            raise invalid(op, f"{name} should be {what}, but got shape {list(array.shape)}")
    for k in (0, 3):
        if arrays[k].shape[0] != arrays[k + 1].size:
            raise invalid(op, f"{names[k]} has {arrays[k].shape[0]} rows for {names[k + 1]} of "
                              f"{arrays[k + 1].size}")  # fmt: skip
        if arrays[k].shape[1] != arrays[k + 2].size:
            raise invalid(op, f"{names[k]} has {arrays[k].shape[1]} columns for {names[k + 2]} "
                              f"of {arrays[k + 2].size}")  # fmt: skip
    if arrays[2].size != arrays[5].size or arrays[2].size < 2:
        raise invalid(op, "Expected hypothesis_shape and truth_shape of one length of at least 2, "
                          f"but they have {arrays[2].size} and {arrays[5].size}")  # fmt: skip


def _rows(
    op: Any, indices: np.ndarray, values: np.ndarray, extents: np.ndarray, sizes: tuple[int, ...]
) -> dict[tuple[int, ...], list[Any]]:
    """The sequence at each place, in the order of the entries."""
    result: dict[tuple[int, ...], list[Any]] = {}
    for row, value in zip(indices.tolist(), values.tolist(), strict=True):
        if any(not 0 <= at < size for at, size in zip(row[:-1], sizes, strict=True)):
            raise invalid(op, f"indices {row} are not within the shape {extents.tolist()}")
        result.setdefault(tuple(row[:-1]), []).append(value)
    return result


def _distance(first: Sequence[Any], second: Sequence[Any]) -> int:
    """The least number of insertions, deletions and changes from one sequence to the other."""
    above = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
        above = row
    return above[-1]


def edit_distance(
    hypothesis: Any, truth: Any, normalize: bool = True, name: str = "edit_distance"
) -> Tensor:
    """The Levenshtein distance between the sequences along the last axis of two SparseTensors of
    one rank, float32; over the length of the truth if `normalize`, infinite where that is 0 and
    the other is not.

    Raises:
      TypeError: one of them is not sparse. InvalidArgumentError: they do not fit.
    """
    for what, value in (("Hypothesis", hypothesis), ("Truth", truth)):
        if not isinstance(value, SparseTensor | SparseTensorValue):
            raise TypeError(f"{what} must be a SparseTensor.")
    return apply(
        "EditDistance",
        *(hypothesis.indices, hypothesis.values, hypothesis.dense_shape),
        *(truth.indices, truth.values, truth.dense_shape),
        normalize=normalize,
        name=name,
    )
