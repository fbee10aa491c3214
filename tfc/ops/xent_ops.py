"""Cross-entropy of a softmax with its gradient in one op, and the functions that use it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.activation_ops import repeat_last, shifted
from tfc.ops.axis_orders import moved_to_end
from tfc.ops.const_ops import prevent_gradient, stop_gradient, zeros_like
from tfc.ops.join_ops import concat
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import expand_dims, rank, reshape, shape, squeeze, transpose

FLOATS = dtypes.FLOATS
_HALF = (dtypes.float16, dtypes.bfloat16)


def _times_row(row: Tensor, matrix: Tensor) -> Tensor:
    """Each row of `matrix` times its element of the vector `row`."""
    return expand_dims(row, -1) * matrix


def _is_zero(grad: Any) -> bool:
    """Whether a gradient is None, or known to be zero everywhere."""
    if grad is None:
        return True
    if grad.op.type in ("ZerosLike", "Zeros"):
        return True
    value = constant_value(grad)
    return value is not None and not np.any(value)


class SoftmaxCrossEntropyWithLogits(
    OpDef,
    sig="SoftmaxCrossEntropyWithLogits(features: T, labels: T) -> loss: T, backprop: T",
    T=FLOATS,
):
    """Cross-entropy of softmax(features) against each row of `labels`, and its gradient."""

    def shape(features: TensorShape, labels: TensorShape) -> list[TensorShape]:
        a, b = s.dims_of(features), s.dims_of(labels)
        dims = s.merge_dims(a, b) if a is None or b is None else s.broadcast_dims(a, b)
        if dims is not None and len(dims) != 2:
            raise ValueError(f"Shape must be broadcasted with rank 2, but is rank {len(dims)}")
        rows, classes = (None, None) if dims is None else dims
        return [s.shape_of([rows]), s.shape_of([rows, classes])]

    def grad(op: Any, d_loss: Tensor, d_backprop: Any) -> list[Any]:
        logits, backprop = op.inputs[0], op.outputs[1]
        total = _times_row(d_loss, backprop)
        if not _is_zero(d_backprop):
            softmax = apply("Softmax", logits)
            inner = apply("BatchMatMul", expand_dims(d_backprop, 1), expand_dims(softmax, 2))
            total = total + (d_backprop - squeeze(inner, axis=[1])) * softmax
        return [total, _times_row(d_loss, -apply("LogSoftmax", logits))]

    def lower(build: Any, features: Value, labels: Value) -> tuple[Value, Value]:
        try:
            dims = np.broadcast_shapes(features.type.shape, labels.type.shape)
        except ValueError:
            raise invalid(
                build,
                "logits and labels must be broadcastable: logits_size="
                f"{s.text(features.type.shape)} labels_size={s.text(labels.type.shape)}",
            ) from None
        if len(dims) != 2:
            raise invalid(
                build,
                "logits and labels must be either 2-dimensional, or broadcasted "
                "to be 2-dimensional",
            )
        features, labels = (p.broadcast_to(build, v, dims) for v in (features, labels))
        moved, exponential, total = shifted(build, features)
        log_total = repeat_last(build, p.log(build, total), features)
        terms = p.mul(build, labels, p.sub(build, log_total, moved))
        loss = p.reduce(build, terms, dims=(1,), kind="add")
        softmax = p.div(build, exponential, repeat_last(build, total, features))
        return loss, p.sub(build, softmax, labels)


class SparseSoftmaxCrossEntropyWithLogits(
    OpDef,
    sig="SparseSoftmaxCrossEntropyWithLogits(features: T, labels: Tlabels,"
    " Tlabels: type = int64) -> loss: T, backprop: T",
    T=FLOATS,
    Tlabels=INDEX,
):
    """Cross-entropy of softmax(features) against one class per row, and its gradient."""

    def shape(features: TensorShape, labels: TensorShape) -> list[TensorShape]:
        rows, classes = s.with_rank(features, 2)
        rows = s.merge_dim(rows, s.with_rank(labels, 1)[0])
        return [s.shape_of([rows]), s.shape_of([rows, classes])]

    def grad(op: Any, d_loss: Tensor, _: Any) -> list[Any]:
        once = prevent_gradient(
            op.outputs[1],
            message="Currently there is no way to take the second derivative of "
            "sparse_softmax_cross_entropy_with_logits due to the fused implementation's "
            "interaction with tf.gradients()",
        )
        return [_times_row(d_loss, once), None]

    def lower(build: Any, features: Value, labels: Value) -> tuple[Value, Value]:
        dims = features.type.shape
        if len(dims) != 2:
            raise invalid(build, f"logits must be 2-D, but got shape {s.text(dims)}")
        if len(labels.type.shape) != 1:
            raise invalid(build, f"labels must be 1-D, but got shape {s.text(labels.type.shape)}")
        if labels.type.shape != dims[:1]:
            raise invalid(
                build,
                "logits and labels must have the same first dimension, got logits shape "
                f"{s.text(dims)} and labels shape {s.text(labels.type.shape)}",
            )
        zero, end = p.full_like(build, labels, 0), p.full_like(build, labels, dims[1])
        ok = p.and_(build, p.ge(build, labels, zero), p.lt(build, labels, end))
        build.assert_(
            ok,
            (labels,),
            message="Received a label value of {0} which is outside the valid range "
            f"of [0, {dims[1]})",
        )
        moved, exponential, total = shifted(build, features)
        counter = p.iota(build, dtype=labels.type.dtype, shape=dims, dim=1)
        hit = p.eq(build, repeat_last(build, labels, features), counter)
        none, one = p.full_like(build, features, 0), p.full_like(build, features, 1)
        term = p.sub(build, repeat_last(build, p.log(build, total), features), moved)
        loss = p.reduce(build, p.select(build, hit, term, none), dims=(1,), kind="add")
        softmax = p.div(build, exponential, repeat_last(build, total, features))
        return loss, p.sub(build, softmax, p.select(build, hit, one, none))


def _check_named(name: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{name}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


def _cast(x: Tensor, dtype: DType) -> Tensor:
    return x if x.dtype.base_dtype == dtype else apply("Cast", x, DstT=dtype)


def _as_matrix(x: Tensor) -> Tensor:
    """All axes but the last made one."""
    count = rank(x)
    last = apply("Slice", shape_op(x), [apply("Sub", count, 1)], [1])
    flat = reshape(x, concat([[-1], last], 0))
    dims = s.dims_of(x.get_shape())
    if dims:
        flat.set_shape([s.product(dims[:-1]), dims[-1]])
    return flat


def shape_op(x: Tensor) -> Tensor:
    """The shape of `x`, as a constant where it is known."""
    return shape(x)


def _moved_to_end(x: Tensor, axis: int, name: str | None = None) -> Tensor:
    """`x` with `axis` after the other axes."""
    return transpose(x, moved_to_end(x, axis), name=name or "transpose")


def softmax_cross_entropy_with_logits_v2(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    axis: int | None = None,
    name: str | None = None,
    dim: int | None = None,
) -> Tensor:
    """Cross-entropy of softmax(logits) against `labels`; gradients flow to both.

    The result lacks the class axis, `axis` (-1). Half types are computed in float32.
    """
    at = axis if dim is None else dim
    axis = -1 if at is None else at
    _check_named("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    default = "softmax_cross_entropy_with_logits"
    with name_scope(name, default, [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        given = logits.dtype.base_dtype
        precise = _cast(logits, dtypes.float32 if given in _HALF else given)
        labels = _cast(labels, precise.dtype.base_dtype)
        known = s.dims_of(logits.get_shape())
        if axis != -1 and (known is None or axis % len(known) != len(known) - 1):
            precise, labels = _moved_to_end(precise, axis), _moved_to_end(labels, axis)
            if known is not None:
                known = s.dims_of(precise.get_shape())
        count = rank(precise)
        whole = shape(precise)
        flat, flat_labels = _as_matrix(precise), _as_matrix(labels)
        cost, _ = apply("SoftmaxCrossEntropyWithLogits", flat, flat_labels, name=scope)
        outer = apply("Slice", whole, [0], [apply("Sub", count, 1)])
        cost = reshape(cost, outer)
        if known is not None:
            cost.set_shape(known[:-1])
        return _cast(cost, given)


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """Cross-entropy of softmax(logits) against `labels`, which are taken as constants.

    Raises:
      ValueError: `axis` is given: `dim` has a value already, whether given or not.
    """
    if axis is not None:
        raise ValueError("Cannot specify both 'axis' and 'dim'")
    _check_named("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    default = "softmax_cross_entropy_with_logits_sg"
    with name_scope(name, default, [logits, labels]) as scope:
        labels = stop_gradient(labels, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits, axis=dim, name=scope)


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """Cross-entropy of softmax(logits) against the class that `labels` names for each row.

    Raises:
      ValueError: ranks or shapes of labels and logits do not fit.
    """
    default = "sparse_softmax_cross_entropy_with_logits"
    _check_named(default, _sentinel, labels, logits)
    with name_scope(name, "SparseSoftmaxCrossEntropyWithLogits", [labels, logits]):
        labels = convert_to_tensor(labels)
        logits = convert_to_tensor(logits)
        given = logits.dtype.base_dtype
        precise = _cast(logits, dtypes.float32 if given in _HALF else given)
        rows, dims = labels.get_shape(), logits.get_shape()
        labels_shape = shape(labels)
        _check_labels(rows, dims)
        if dims.ndims == 2:
            cost, _ = apply("SparseSoftmaxCrossEntropyWithLogits", precise, labels, name=name)
            return _cast(cost, given)
        classes = shape(logits)[rank(logits) - 1]
        flat = reshape(precise, [-1, classes])
        cost, _ = apply(
            "SparseSoftmaxCrossEntropyWithLogits", flat, reshape(labels, [-1]), name=name
        )
        cost = reshape(cost, labels_shape)
        cost.set_shape(rows)
        return _cast(cost, given)


def _check_labels(rows: TensorShape, dims: TensorShape) -> None:
    if dims.ndims == 0:
        raise ValueError(f"Logits cannot be scalars - received shape {dims}.")
    if dims.ndims is not None and rows.ndims is not None and rows.ndims != dims.ndims - 1:
        raise ValueError(
            f"Rank mismatch: Rank of labels (received {rows.ndims}) should equal rank of "
            f"logits minus 1 (received {dims.ndims})."
        )
    known = rows.is_fully_defined() and dims.is_fully_defined()
    if known and rows.as_list() != dims.as_list()[:-1]:
        raise ValueError(
            f"Shape mismatch: The shape of labels (received {rows}) should equal the shape "
            f"of logits except for the last dimension (received {dims})."
        )


def _same_shapes(first: str, a: Tensor, second: str, b: Tensor) -> None:
    try:
        a.get_shape().merge_with(b.get_shape())
    except ValueError:
        raise ValueError(
            f"{first} and {second} must have the same shape ({a.get_shape()} vs {b.get_shape()})"
        ) from None


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """max(x, 0) - x * z + log(1 + exp(-|x|)) for logits x and labels z, element by element."""
    _check_named("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        x = convert_to_tensor(logits, name="logits")
        z = convert_to_tensor(labels, name="labels")
        _same_shapes("logits", x, "labels", z)
        zeros = zeros_like(x, name="zeros_like")
        positive = x >= zeros
        above = apply("Select", positive, x, zeros)
        below = apply("Select", positive, -x, x)
        curve = apply("Log1p", apply("Exp", below))
        return apply("Add", above - x * z, curve, name=scope)


def weighted_cross_entropy_with_logits(
    labels: Any = None,
    logits: Any = None,
    pos_weight: Any = None,
    name: str | None = None,
    targets: Any = None,
) -> Tensor:
    """Sigmoid cross-entropy with the positive term times `pos_weight`."""
    labels = targets if labels is None else labels
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        x = convert_to_tensor(logits, name="logits")
        z = convert_to_tensor(labels, name="targets")
        _same_shapes("logits", x, "targets", z)
        weight = 1 + (pos_weight - 1) * z
        straight = (1 - z) * x
        curve = apply("Log1p", apply("Exp", -apply("Abs", x))) + apply("Relu", -x)
        return apply("Add", straight, weight * curve, name=scope)


def log_poisson_loss(
    targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None
) -> Tensor:
    """exp(c) - z * c for the logarithm c of a rate and targets z; with Stirling's terms if full."""
    with name_scope(name, "log_poisson_loss", [log_input, targets]):
        c = convert_to_tensor(log_input, name="log_input")
        z = convert_to_tensor(targets, name="targets")
        _same_shapes("log_input", c, "targets", z)
        result = apply("Exp", c) - c * z
        if not compute_full_loss:
            return result
        # Stirling's approximation of log(z!), which only holds for z above 1
        point = z * apply("Log", z) - z + 0.5 * apply("Log", (2.0 * np.pi) * z)
        zeros, ones = apply("ZerosLike", z), apply("OnesLike", z)
        middle = apply("LogicalAnd", z >= zeros, z <= ones)
        return result + apply("Select", middle, zeros, point)
