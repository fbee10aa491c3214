"""Einsum: sums of products over named axes.

It is one op of one or two operands, lowered to `dot` with batch, contracted and free axes as the
equation names them, and not a composition of Transpose, Reshape and MatMul: unknown dimensions
need no arithmetic on shapes, and the gradient is the same op with the equation turned round, so
that derivatives of any order exist. More operands are contracted two by two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.broadcast_ops import broadcast_to
from tfc.ops.common import conj, reduce_sum
from tfc.ops.join_ops import concat, stack
from tfc.ops.linalg import equation as eq
from tfc.ops.lowering import invalid, reshape_value
from tfc.ops.matmul_ops import MATRIX_TYPES, dot_of
from tfc.ops.shape_ops import reshape
from tfc.ops.shape_ops import shape as shape_of

_OPTIMIZE = (True, False, "greedy", "optimal", "branch-2", "branch-all", "auto", "dp")
Labels = list[str]


class Einsum(OpDef, sig="Einsum(inputs: N * T, equation: str) -> output: T", T=MATRIX_TYPES):
    """For every place of the result, the sum over the axes that it lacks of the products of the
    operands. Axes of one label have one extent; those of an ellipsis broadcast."""

    def shape(*inputs: TensorShape, equation: str) -> list[TensorShape]:
        return [_shape(inputs, equation)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return _gradients(op, dy)

    def lower(build: Any, *inputs: Value, equation: str) -> Value:
        return _lower(build, inputs, equation)


def _shape(inputs: Sequence[TensorShape], equation: str) -> TensorShape:
    operands, result = eq.split(equation)
    if len(operands) != len(inputs):
        raise ValueError(f"Got {len(inputs)} inputs for equation {equation!r}")
    extents: dict[str, int | None] = {}
    middle: s.Dims = []
    for k, (subscripts, shape) in enumerate(zip(operands, inputs, strict=True)):
        dims, dots = s.dims_of(shape), eq.ELLIPSIS in subscripts
        named = len(subscripts) - 3 * dots
        if dims is None:
            middle = None if dots else middle
            for label in eq.labels(subscripts, 0):
                extents.setdefault(label, None)
            continue
        if len(dims) < named or (len(dims) != named and not dots):
            least = "at least " if dots else ""
            raise ValueError(
                f"Shape must be {least}rank {named} but is rank {len(dims)}\n"
                f"\t for {k}th input and equation: {equation}"
            )
        broadcast = len(dims) - named
        for label, dim in zip(eq.labels(subscripts, broadcast), dims, strict=True):
            if not eq.is_broadcast(label):
                extents[label] = s.merge_dim(extents.get(label), dim)
        at = subscripts.find(eq.ELLIPSIS)
        if dots:
            middle = s.broadcast_dims(middle, dims[at : at + broadcast])
    if eq.ELLIPSIS not in result:
        if middle:
            raise ValueError(
                f"Shape must be at most rank 0 but is rank {len(middle)}\n\t for einsum equation "
                f"'{equation}' without ellipsis (...) in the output subscripts where input(s) have "
                "non-empty broadcasting shape"
            )
        return s.shape_of([extents[label] for label in result])
    if middle is None:
        return s.unknown()
    before, _, after = result.partition(eq.ELLIPSIS)
    return s.shape_of([*(extents[c] for c in before), *middle, *(extents[c] for c in after)])


# ---- lowering


def _lower(build: Any, inputs: Sequence[Value], equation: str) -> Value:
    operands, result = eq.split(equation)
    if len(inputs) > 2:
        raise invalid(build, f"Einsum takes one or two operands, not {len(inputs)}")
    axes, extents, broadcast = _labelled(build, inputs, operands, equation)
    wanted = eq.labels(result, broadcast)
    if broadcast and eq.ELLIPSIS not in result:
        raise invalid(
            build, f"equation {equation} has no ellipsis in its output for broadcast dimensions"
        )
    once = list(dict.fromkeys(wanted))
    parts = [_diagonals(build, x, a) for x, a in zip(inputs, axes, strict=True)]
    parts = [_without_ones(build, x, a, extents) for x, a in parts]
    kept = [set(once).union(*(a for k, (_, a) in enumerate(parts) if k != i))
            for i in range(len(parts))]  # fmt: skip
    parts = [_summed(build, x, a, keep) for (x, a), keep in zip(parts, kept, strict=True)]
    value, found = parts[0]
    if len(parts) == 2:
        value, found = _product(build, parts[0], parts[1], once, extents)
    missing = [label for label in once if label not in found]  # all of extent 1
    value = reshape_value(build, value, (*value.type.shape, *(1 for _ in missing)))
    value = _arranged(build, value, found + missing, once)
    return _embedded(build, value, once, wanted, [extents[label] for label in once])


def _labelled(
    build: Any, inputs: Sequence[Value], operands: Sequence[str], equation: str
) -> tuple[list[Labels], dict[str, int], int]:
    """The labels of each operand's axes, the extent of each label, and how many axes the ellipsis
    stands for."""
    axes: list[Labels] = []
    extents: dict[str, int] = {}
    most = 0
    for x, subscripts in zip(inputs, operands, strict=True):
        dots = eq.ELLIPSIS in subscripts
        named = len(subscripts) - 3 * dots
        rank, dims = x.type.rank, x.type.shape
        if rank < named or (rank != named and not dots):
            least = "at least " if dots else ""
            raise invalid(
                build,
                f"Expected input with subscripts '{subscripts}' to have rank {least}{named} "
                f"but got {rank}: {equation}",
            )
        most = max(most, rank - named)
        axes.append(eq.labels(subscripts, rank - named))
        for axis, (label, extent) in enumerate(zip(axes[-1], dims, strict=True)):
            known = extents.setdefault(label, extent)
            if eq.is_broadcast(label) and 1 in (known, extent):
                extents[label] = extent if known == 1 else known
            elif known != extent:
                raise invalid(
                    build,
                    f"Expected dimension {known} at axis {axis} of the input shaped "
                    f"{shape_text(dims)} but got dimension {extent}",
                )
    return axes, extents, most


def _diagonals(build: Any, x: Value, axes: Labels) -> tuple[Value, Labels]:
    """`x` with one axis for each label: the diagonal of those that share it."""
    for label in dict.fromkeys(axes):
        places = [k for k, a in enumerate(axes) if a == label]
        if len(places) == 1:
            continue
        count = x.type.shape[places[0]]
        at = p.iota(build, dtype="i64", shape=(count, len(places)), dim=0)
        x = p.gather(build, x, at, dims=tuple(places))
        axes = [label, *(a for a in axes if a != label)]
    return x, axes


def _without_ones(
    build: Any, x: Value, axes: Labels, extents: dict[str, int]
) -> tuple[Value, Labels]:
    """`x` without the axes of extent 1 that broadcast: then only the other operand has them."""
    dropped = {
        label
        for label, extent in zip(axes, x.type.shape, strict=True)
        if eq.is_broadcast(label) and extent == 1
    }
    left = [k for k, label in enumerate(axes) if label not in dropped]
    value = reshape_value(build, x, [x.type.shape[k] for k in left])
    return value, [axes[k] for k in left]


def _summed(build: Any, x: Value, axes: Labels, kept: set[str]) -> tuple[Value, Labels]:
    """`x` summed over the labels that nothing else needs."""
    gone = tuple(k for k, label in enumerate(axes) if label not in kept)
    if not gone:
        return x, axes
    return p.reduce(build, x, dims=gone, kind="add"), [a for a in axes if a in kept]


def _product(
    build: Any, first: tuple[Value, Labels], second: tuple[Value, Labels], wanted: Labels,
    extents: dict[str, int],
) -> tuple[Value, Labels]:  # fmt: skip
    (x, a), (y, b) = first, second
    shared = [label for label in a if label in b]
    batch = [label for label in shared if label in wanted]
    contracted = [label for label in shared if label not in wanted]
    if not contracted:  # nothing to sum: a product element by element
        labels = [label for label in wanted if label in a or label in b]
        shape = tuple(extents[label] for label in labels)
        return p.mul(build, _spread(build, x, a, labels, shape),
                     _spread(build, y, b, labels, shape)), labels  # fmt: skip

    def places(labels: Labels, axes: Labels) -> tuple[int, ...]:
        return tuple(axes.index(label) for label in labels)

    value = dot_of(
        build, x, y,
        (places(batch, a), places(batch, b)),
        (places(contracted, a), places(contracted, b)),
    )  # fmt: skip
    free = [label for label in (*a, *b) if label not in shared]
    return value, batch + free


def _spread(build: Any, x: Value, axes: Labels, labels: Labels, shape: tuple[int, ...]) -> Value:
    ordered = [label for label in labels if label in axes]
    x = _arranged(build, x, axes, ordered)
    dims = tuple(labels.index(label) for label in ordered)
    return p.broadcast(build, x, dims=dims, shape=shape)


def _arranged(build: Any, x: Value, axes: Labels, wanted: Labels) -> Value:
    if axes == wanted:
        return x
    return p.transpose(build, x, perm=tuple(axes.index(label) for label in wanted))


def _embedded(build: Any, x: Value, axes: Labels, wanted: Labels, extents: Sequence[int]) -> Value:
    """`x` broadcast to its labels' extents; where the result repeats a label, it is zero off the
    diagonal."""
    sizes = dict(zip(axes, extents, strict=True))
    x = p.broadcast_to(build, x, tuple(extents))
    if axes == wanted:
        return x
    shape = tuple(sizes[label] for label in wanted)
    dims = tuple(wanted.index(label) for label in axes)
    x = p.broadcast(build, x, dims=dims, shape=shape)
    zero = p.full_like(build, x, 0)
    for k, label in enumerate(wanted):
        first = wanted.index(label)
        if first != k:
            row = p.iota(build, dtype="i64", shape=shape, dim=first)
            column = p.iota(build, dtype="i64", shape=shape, dim=k)
            x = p.select(build, p.eq(build, row, column), x, zero)
    return x


# ---- gradients


def _gradients(op: Any, dy: Tensor) -> list[Any]:
    operands, result = eq.split(op.get_attr("equation").decode())
    dots = eq.ELLIPSIS
    if dots in result:  # an operand without an ellipsis has an empty one
        operands = [o if dots in o else o + dots for o in operands]
    else:  # and here they all are empty
        operands = [o.replace(dots, "") for o in operands]
    grads = []
    for k, x in enumerate(op.inputs):
        others = [(conj(t), o) for j, (t, o) in enumerate(zip(op.inputs, operands, strict=True))
                  if j != k]  # fmt: skip
        grad = _gradient(dy, result, others, shape_of(x), operands[k])
        if dots in result and len(op.inputs) == 2:
            other = op.inputs[1 - k]
            grad = _unbroadcast(grad, x, other, operands[k], operands[1 - k])
        grads.append(grad)
    return grads


def _gradient(
    dy: Tensor, result: str, others: Sequence[tuple[Tensor, str]], dims: Tensor, subscripts: str
) -> Tensor:
    """The gradient of one operand, with the broadcast axes of the result."""
    elsewhere = eq.tokens(result + "".join(o for _, o in others))
    alone = [t for t in dict.fromkeys(eq.tokens(subscripts)) if t not in elsewhere]
    shared = "".join(t for t in eq.tokens(subscripts) if t not in alone)
    tensors, given = [dy, *(t for t, _ in others)], ",".join([result, *(o for _, o in others)])
    grad: Tensor = apply("Einsum", tensors, equation=f"{given}->{shared}")
    if not alone:
        return grad
    # What was summed over these axes spreads evenly: they come first, then each to its place.
    if len(set(shared)) != len(shared.replace(eq.ELLIPSIS, ".")):
        once = "".join(dict.fromkeys(eq.tokens(shared)))
        grad = apply("Einsum", tensors, equation=f"{given}->{once}")
        shared = once
    sizes = stack([dims[_axis_of(subscripts, label)] for label in alone])
    wide = broadcast_to(grad, concat([sizes, shape_of(grad)], 0))
    spread: Tensor = apply("Einsum", [wide], equation=f"{''.join(alone)}{shared}->{subscripts}")
    return spread


def _axis_of(subscripts: str, label: str) -> int:
    """The axis of a label, counted from the end if it stands behind an ellipsis."""
    before, _, after = subscripts.partition(eq.ELLIPSIS)
    at = before.find(label)
    return at if at >= 0 else after.index(label) - len(after)


def _unbroadcast(grad: Tensor, x: Tensor, other: Tensor, mine: str, theirs: str) -> Tensor:
    """`grad` summed over the axes along which `x` was broadcast."""
    begin, end = _ellipsis_range(mine)
    other_begin, other_end = _ellipsis_range(theirs)
    a, b = x.get_shape(), other.get_shape()
    if (
        a.is_fully_defined()
        and b.is_fully_defined()
        and a.as_list()[begin:end] == b.as_list()[other_begin:other_end]
    ):
        return grad
    dims, others = shape_of(x), shape_of(other)
    axes = apply("BroadcastGradientArgs", dims[begin:end], others[other_begin:other_end])[0]
    return reshape(reduce_sum(grad, axes + begin), dims)


def _ellipsis_range(subscripts: str) -> tuple[int, int | None]:
    begin = subscripts.find(eq.ELLIPSIS)
    behind = len(subscripts) - begin - 3
    return begin, -behind or None


# ---- the Python API


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Sums of products over named axes: `einsum("ab,bc->ac", x, y)` is the product of matrices.

    equation: a letter for each axis of each operand, `...` for axes that broadcast, and behind `->`
    the axes of the result; without it those letters that stand once, in alphabetic order. A letter
    that an operand repeats takes the diagonal. name: of the op. optimize: in which order more than
    two operands are contracted; any of opt_einsum's choices is accepted, and none changes the sum.

    Raises:
      TypeError: another keyword.
      ValueError: the equation does not fit the operands.
    """
    name, optimize = kwargs.pop("name", None), kwargs.pop("optimize", "greedy")
    if kwargs:
        raise TypeError(
            f"Invalid keyword arguments for einsum: {', '.join(kwargs)}. Valid arguments: name, "
            "optimize, greedy."
        )
    if optimize not in _OPTIMIZE:
        raise ValueError(f"optimize must be one of {_OPTIMIZE}, not {optimize!r}")
    with name_scope(name, "einsum", [equation, *inputs]):
        operands, result = eq.completed(equation, len(inputs))
        tensors: list[Tensor] = []
        for operand in inputs:
            dtype = tensors[0].dtype.base_dtype if tensors else None
            given = dtype if not hasattr(operand, "dtype") else None
            tensors.append(convert_to_tensor(operand, dtype=given))
        for i, j, product in eq.path(operands, result, _sizes(tensors, operands)):
            part = apply(
                "Einsum",
                [tensors[i], tensors[j]],
                equation=f"{operands[i]},{operands[j]}->{product}",
            )
            tensors = [t for k, t in enumerate(tensors) if k not in (i, j)] + [part]
            operands = [o for k, o in enumerate(operands) if k not in (i, j)] + [product]
        whole: Tensor = apply("Einsum", tensors, equation=f"{','.join(operands)}->{result}")
        return whole


def _sizes(tensors: Sequence[Tensor], operands: Sequence[str]) -> dict[str, int]:
    """The extents of labels, as far as they are known; an unknown one counts as 10."""
    sizes: dict[str, int] = {}
    for tensor, subscripts in zip(tensors, operands, strict=True):
        dims = s.dims_of(tensor.get_shape())
        broadcast = 0 if dims is None else len(dims) - len(subscripts.replace(eq.ELLIPSIS, ""))
        names = eq.labels(subscripts, max(0, broadcast))
        if dims is not None and len(names) == len(dims):
            middle = [d or 10 for n, d in zip(names, dims, strict=True) if eq.is_broadcast(n)]
            sizes[eq.ELLIPSIS] = max(sizes.get(eq.ELLIPSIS, 1), int(np.prod(middle)))
            sizes.update({n: d for n, d in zip(names, dims, strict=True) if d is not None})
        for n in names:
            sizes.setdefault(n, 10)
    return sizes
