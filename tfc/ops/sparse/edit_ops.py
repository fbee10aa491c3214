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
from tfc.ops.sparse.common import distinct_rows
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
    ahead = indices[:, :-1]
    wrong = (ahead < 0) | (ahead >= np.asarray(sizes))
    if wrong.any():
        row = indices[int(wrong.any(axis=1).argmax())].tolist()
        raise invalid(op, f"indices {row} are not within the shape {extents.tolist()}")
    places, where = distinct_rows(ahead, sizes)
    ordered = values[np.argsort(where, kind="stable")].tolist()
    ends = np.cumsum(np.bincount(where, minlength=len(places))).tolist()
    spans = zip([0, *ends[:-1]], ends, strict=False)
    return {
        tuple(place): ordered[start:end]
        for place, (start, end) in zip(places.tolist(), spans, strict=True)
    }


def _distance(first: Sequence[Any], second: Sequence[Any]) -> int:
    """The least number of insertions, deletions and changes from one sequence to the other.

    A row of the table of distances of all beginnings is two integers: bit k of `up` and of `down`
    says that the distance grows or falls by 1 from the first k elements of `second` to k + 1; so a
    row follows from the last one in a few operations on integers (Myers 1999, as Hyyro put it).
    """
    if not second:
        return len(first)
    at: dict[Any, int] = {}
    for k, b in enumerate(second):
        at[b] = at.get(b, 0) | 1 << k
    every = (1 << len(second)) - 1
    last = 1 << (len(second) - 1)
    up, down, distance = every, 0, len(second)
    for a in first:
        same = at.get(a, 0)
        over = (((same & up) + up) ^ up) | same
        more, less = down | ~(over | up), up & over
        distance += bool(more & last) - bool(less & last)
        more, less = more << 1 | 1, less << 1
        stays = same | down
        up = (less | ~(stays | more)) & every
        down = more & stays & every
    return distance


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
