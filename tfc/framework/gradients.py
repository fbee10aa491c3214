"""tf.gradients: the rules by which `passes.autodiff` adds gradient ops to the user's graph.

The ops, their names and their order are TensorFlow 1.2's: everything stands in the scope
`gradients`, the gradient of op `mul` in `gradients/mul_grad`; sums of several gradients are
`gradients/AddN`. Integer gradients flow like any others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from tfc.base import dtypes, nest
from tfc.framework.convert import (
    constant_tensor,
    convert_to_tensor,
    convert_to_tensor_or_indexed_slices,
)
from tfc.framework.gradient_registry import get_gradient_function
from tfc.framework.graph import control_dependencies, get_default_graph, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply, apply_op
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import TapeGradient
from tfc.passes import autodiff

# Called after each tf.gradients with the ops that it added: `tfc dump-ir --autodiff` hangs here.
observers: list[Callable[[Sequence[Operation]], None]] = []


class AggregationMethod:
    """How several gradients of one tensor are added."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


class UnconnectedGradients:
    """What stands for the gradient of an x that no y depends on."""

    NONE = "none"
    ZERO = "zero"


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: str = UnconnectedGradients.NONE,
) -> list[Any]:
    """For each x, the sum over ys of dy/dx: a Tensor, an IndexedSlices, or None.

    grad_ys: for each y the gradient to start from; ones where it is None. gate_gradients: the
    gradients of one op become available together. stop_gradients: tensors taken as constants.

    Raises:
      LookupError: an op on the way has no gradient. ValueError, TypeError: `grad_ys` does not fit
      `ys`, or a gradient function returns what does not fit its op.
    """
    ys, xs = _as_list(ys), _as_list(xs)
    stops = [] if stop_gradients is None else _as_list(stop_gradients)
    grad_ys = [None] * len(ys) if grad_ys is None else _as_list(grad_ys)
    method = AggregationMethod.DEFAULT if aggregation_method is None else aggregation_method
    if method not in (0, 1, 2):
        raise ValueError(f"Invalid aggregation_method specified {method}.")
    given = [g for g in (*ys, *xs, *stops, *grad_ys) if g is not None]
    with name_scope(name, "gradients", given):
        graph = get_default_graph()
        before = graph.version
        ys = [_tensor_of(convert_to_tensor_or_indexed_slices(y, name="y")) for y in ys]
        xs = [_tensor_of(_as_reference(x)) for x in xs]
        stops = [_tensor_of(_as_reference(s)) for s in stops]
        seeds = _seeds(grad_ys, ys)
        integers = any(y.dtype.is_integer for y in ys)
        rules = _rules(method, gate_gradients, colocate_gradients_with_ops, integers)
        found = autodiff.reverse(ys, seeds, xs, stops, rules)
        if unconnected_gradients == UnconnectedGradients.ZERO:
            pairs = zip(found, xs, strict=True)
            found = [_zeros_like(x) if g is None else g for g, x in pairs]
        elif unconnected_gradients != UnconnectedGradients.NONE:
            raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
    for observer in observers:
        observer(graph.get_operations()[before:])
    return found


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple | nest.View) else [x]


def _as_reference(x: Any) -> Any:
    """An x as a tensor: of a variable its storage, so that every read of it counts."""
    return convert_to_tensor_or_indexed_slices(x, name="x", as_ref=True)


def _tensor_of(value: Any) -> Tensor:
    tensor: Tensor = value.values if isinstance(value, IndexedSlices) else value
    return tensor


def _seeds(grad_ys: Sequence[Any], ys: Sequence[Tensor]) -> list[Any]:
    """The gradient that each y starts with."""
    if len(grad_ys) != len(ys):
        raise ValueError(f"Passed {len(grad_ys)} grad_ys for {len(ys)} ys")
    converted = [
        None if g is None else convert_to_tensor_or_indexed_slices(g, name=f"grad_y_{i}")
        for i, g in enumerate(grad_ys)
    ]
    seeds = []
    for y, g in zip(ys, converted, strict=True):
        if g is None:
            if y.dtype.is_complex:
                raise TypeError(
                    f"Gradients of complex tensors must set grad_ys (y.dtype = {y.dtype!r})"
                )
            seeds.append(_ones_like(y))
            continue
        _check_seed(y, g)
        seeds.append(g)
    return seeds


def _check_seed(y: Tensor, g: Any) -> None:
    real, given = y.dtype.is_floating or y.dtype.is_integer, g.dtype
    if real and not (given.is_floating or given.is_integer):
        raise TypeError(
            f"Gradient type {given.name} generated for real or integer-valued tensor {y} with type "
            f"{y.dtype.name} must be real or integer"
        )
    if y.dtype.is_complex and not given.is_complex:
        raise TypeError(
            f"Gradient type {given.name} generated for complex-valued tensor {y} with type "
            f"{y.dtype.name} must be real"
        )
    if not real and not y.dtype.is_complex:
        raise TypeError(
            f"Tensor {y} with type {y.dtype.name} must be numeric to obtain a default gradient"
        )


def _shape_of(tensor: Tensor) -> Tensor:
    """The op `Shape`: a constant where the shape is known."""
    shape = tensor.get_shape()
    if shape.is_fully_defined():
        return constant_tensor(np.array(shape.as_list(), np.int32), "Shape")
    result: Tensor = apply("Shape", tensor, out_type=dtypes.int32)
    return result


def _ones_like(y: Tensor) -> Tensor:
    if not (y.dtype.is_floating or y.dtype.is_integer):
        raise TypeError(
            f"Tensor {y} with type {y.dtype.name} must be numeric to obtain a default gradient"
        )
    shape = _shape_of(y)
    one = constant_tensor(np.ones((), y.dtype.as_numpy_dtype), "Const")
    ones: Tensor = apply("Fill", shape, one)
    return ones


def _zeros_like(x: Tensor) -> Tensor:
    zeros: Tensor = apply("ZerosLike", x, name="zeros_like")
    return zeros


_HANDLES = ("resource", "variant")


def _rules(method: int, gate: bool, colocate: bool, integers: bool) -> autodiff.Rules:
    """integers: whether gradients flow through integers, as they do in early versions of
    TensorFlow; they do here if a y is an integer."""

    def differentiate(op: Operation, dys: list[Any]) -> Sequence[Any]:
        with op.graph.colocate_with(op, True) if colocate else nullcontext():
            return _differentiate(op, dys, gate)

    def add(op: Operation, parts: list[Any]) -> Any:
        with op.graph.colocate_with(op, True) if colocate else nullcontext():
            return _add(op, parts, method)

    def carries(tensor: Tensor) -> bool:
        dtype = tensor.dtype
        real = dtype.is_floating or dtype.is_complex or (integers and dtype.is_integer)
        return real or dtype.base_dtype.name in _HANDLES

    return autodiff.Rules(add, differentiate, _accept, carries)


def _differentiate(op: Operation, dys: list[Any], gate: bool) -> Sequence[Any]:
    """Gradients of the inputs of `op`, in the scope of its name."""
    try:
        function = get_gradient_function(op)
    except LookupError:
        raise LookupError(
            f"No gradient defined for operation '{op.name}' (op type: {op.type})"
            + ("" if op.location is None else f" ({op.location})")
        ) from None
    if function is None:
        return ()
    for i, (dy, output) in enumerate(zip(dys, op.outputs, strict=True)):
        dtype = output.dtype
        if dy is None and not op.regions and (dtype.is_floating or dtype.is_complex):
            dys[i] = _zeros_like(output)
    graph = op.graph
    before, graph._original_op = graph._original_op, op
    try:
        with graph.name_scope(op.name + "_grad"):
            found = function(op, *dys)
            grads = list(found) if isinstance(found, list | tuple) else [found]
            _verify(op, grads)
            if gate and sum(g is not None for g in grads) > 1:
                grads = _gated(grads)
    finally:
        graph._original_op = before
    return grads


def _verify(op: Operation, grads: Sequence[Any]) -> None:
    if len(grads) != len(op.inputs):
        raise ValueError(
            f"Num gradients {len(grads)} generated for op {op.node_def} do not match num inputs "
            f"{len(op.inputs)}"
        )
    for g, tensor in zip(grads, op.inputs, strict=True):
        if g is None:
            continue
        if isinstance(g, TapeGradient):
            continue
        if not isinstance(g, Tensor | IndexedSlices):
            raise TypeError(
                f"the gradient function of '{op.name}' (op: '{op.type}') returned {g!r}, "
                "which is no tensor"
            )
        wanted, dtype = tensor.dtype, g.dtype
        real = wanted.is_floating or wanted.is_integer
        if real and not (dtype.is_floating or dtype.is_integer):
            raise TypeError(
                f"Gradient type {dtype.name} generated for real or integer-valued tensor {tensor} "
                f"with type {wanted.name} must be real or integer"
            )
        if wanted.is_complex and not dtype.is_complex:
            raise TypeError(
                f"Gradient type {dtype.name} generated for complex-valued tensor {tensor} with "
                f"type {wanted.name} must be complex"
            )


def _accept(op: Operation, position: int, gradient: Any) -> None:
    """What is known of the input's shape holds for its gradient."""
    if not isinstance(gradient, Tensor):
        return
    shape = op.inputs[position].get_shape()
    try:
        gradient.set_shape(shape)
    except ValueError:
        raise ValueError(
            f"Incompatible shapes between op input and calculated input gradient. Forward "
            f"operation: {op.name}. Input index: {position}. Original input shape: {shape}. "
            f"Calculated input gradient shape: {gradient.get_shape()}"
        ) from None


def _gated(grads: Sequence[Any]) -> list[Any]:
    """The gradients, each available only when all of them are: TensorFlow's `tuple`."""
    with name_scope(None, "tuple"):
        ops = {g.op: None for g in grads if g is not None}
        controls = sorted(ops, key=lambda op: op._id)
        with name_scope(None, "group_deps") as scope, control_dependencies(controls):
            gate = apply_op("NoOp", name=scope)
        return [None if g is None else _after(gate, g) for g in grads]


def _after(gate: Operation, value: Any) -> Any:
    with name_scope(None, "control_dependency") as scope, control_dependencies([gate]):
        if isinstance(value, IndexedSlices):
            values = apply("Identity", value.values, name=scope)
            return IndexedSlices(values, value.indices, value.dense_shape)
        return apply("Identity", value, name=scope)


def _add(op: Operation, parts: list[Any], method: int) -> Any:
    """The sum of two or more gradients: IndexedSlices if all of them are that, else a Tensor."""
    if all(isinstance(g, IndexedSlices) for g in parts):
        return _joined(parts)
    if all(isinstance(g, TapeGradient) for g in parts):
        return _merged(parts)
    tensors = [convert_to_tensor(g) for g in parts]
    if method == AggregationMethod.ADD_N:
        return apply("AddN", tensors)
    with name_scope(op.name + "_gradient_sum"):
        total = tensors[0]
        for g in tensors[1:]:
            total = apply("AddN", [total, g])
        return total


def _merged(parts: Sequence[TapeGradient]) -> TapeGradient:
    """What several gradients say of one tape."""
    entries: dict[Tensor, list[Tensor]] = {}
    for part in parts:
        for tensor, gradient in part.entries.items():
            entries.setdefault(tensor, []).append(convert_to_tensor(gradient))
    return TapeGradient(
        {t: found[0] if len(found) == 1 else apply("AddN", found) for t, found in entries.items()}
    )


def _joined(slices: Sequence[IndexedSlices]) -> IndexedSlices:
    """All the rows of several IndexedSlices, one after the other."""
    indices = [s.indices for s in slices]
    if any(i.dtype == dtypes.int64 for i in indices):
        indices = [
            i if i.dtype == dtypes.int64 else apply("Cast", i, DstT=dtypes.int64) for i in indices
        ]
    values = apply("ConcatV2", [s.values for s in slices], 0, name="concat")
    joined = apply("ConcatV2", indices, 0, name="concat")
    return IndexedSlices(values, joined, slices[0].dense_shape)
