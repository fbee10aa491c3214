"""Constants, placeholders, fills, and ops that pass their input through."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.dtypes import INDEX, DType, kernel_name
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework import opdef
from tfc.framework.graph import (
    Tensor,
    control_dependencies,
    convert_to_tensor,
    get_default_graph,
    name_scope,
)
from tfc.framework.literals import as_array
from tfc.framework.opdef import ANY, OpDef
from tfc.ir.core import Literal, Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_entries, by_lowering
from tfc.passes import lower_arrays

# tf.zeros and tf.ones of fewer elements are constants; larger ones are a Fill, as in TensorFlow.
SMALL_CONSTANT_ELEMENTS = 1000


class Const(OpDef, sig="Const(value: tensor, dtype: type) -> output: dtype"):
    """A constant tensor."""

    def shape(*, value: Literal) -> list[TensorShape]:
        return [s.shape_of(value.array.shape)]

    def lower(build: Any, *, value: Literal) -> Value:
        array = value.array
        if array.size > 1 and is_uniform(array):
            return p.splat(build, array.ravel()[0], value.type)
        return p.const(build, value=value)

    def host(*, value: Literal) -> np.ndarray:
        return value.array


def is_uniform(array: np.ndarray) -> bool:
    """Whether all elements of a C-contiguous array have the same bits (not: are equal)."""
    if array.dtype == object:
        return False
    elements = array.reshape(-1)
    if elements[:1].tobytes() != elements[-1:].tobytes():
        return False  # most arrays that are not, at once
    whole = elements.itemsize in (1, 2, 4, 8)
    bits = elements.view(f"u{elements.itemsize}" if whole else "u1").reshape(elements.size, -1)
    return bool((bits == bits[0]).all())


class Placeholder(OpDef, sig="Placeholder(dtype: type, shape: shape = None) -> output: dtype"):
    """A tensor that must be fed."""

    def shape(*, shape: TensorShape | None) -> list[TensorShape]:
        return [s.unknown() if shape is None else shape]

    def lower(build: Any, *, dtype: DType, shape: TensorShape | None) -> Value:
        raise errors.InvalidArgumentError(None, build.op, unfed_message(build.op, dtype, shape))

    def host(op: Any, *, dtype: DType, shape: TensorShape | None) -> np.ndarray:
        raise errors.InvalidArgumentError(None, op, unfed_message(op, dtype, shape))


def unfed_message(op: Any, dtype: DType, shape: TensorShape | None) -> str:
    """TensorFlow's words for a placeholder without a value."""
    said = f"dtype {kernel_name(dtype)}"
    if shape is not None and shape.ndims is not None:
        said += f" and shape {s.text(shape.as_list())}"
    return f"You must feed a value for placeholder tensor '{op.name}' with {said}"


class PlaceholderV2(OpDef, sig="PlaceholderV2(dtype: type, shape: shape) -> output: dtype"):
    """A tensor that must be fed, in graphs written by early versions."""

    shape = Placeholder.shape
    lower = Placeholder.lower
    host = Placeholder.host


class PlaceholderWithDefault(
    OpDef, sig="PlaceholderWithDefault(input: dtype, shape: shape) -> output: dtype", dtype=ANY
):
    """`input`, unless something else is fed."""

    def shape(input: TensorShape, *, shape: TensorShape) -> list[TensorShape]:
        s.merge_dims(s.dims_of(input), s.dims_of(shape))
        return [shape]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [dy]

    def lower(build: Any, input: Value) -> Value:
        return input

    def host(input: np.ndarray) -> np.ndarray:
        return input


def _same_shape(input: TensorShape) -> list[TensorShape]:
    return [input]


def _same_value(build: Any, input: Value) -> Value:
    return input


def _same_array(input: np.ndarray) -> np.ndarray:
    return input


class Identity(OpDef, sig="Identity(input: T) -> output: T", T=ANY):
    """A tensor with the shape and content of `input`."""

    takes_arrays = True
    shape, lower, host = _same_shape, _same_value, _same_array

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [dy]


class StopGradient(OpDef, sig="StopGradient(input: T) -> output: T", T=ANY):
    """`input`, taken as a constant by `tf.gradients`."""

    takes_arrays = True
    shape, lower, host = _same_shape, _same_value, _same_array

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]


class PreventGradient(
    OpDef, sig="PreventGradient(input: T, message: str = '') -> output: T", T=ANY
):
    """`input`, where asking for a gradient is an error."""

    shape, lower, host = _same_shape, _same_value, _same_array

    def grad(op: Any, dy: Tensor) -> list[Any]:
        message = op.get_attr("message")
        said = message.decode() if isinstance(message, bytes) else message
        raise LookupError(f"Gradient explicitly disabled. Reason: {said}")


class EnsureShape(OpDef, sig="EnsureShape(input: T, shape: shape) -> output: T", T=ANY):
    """`input`, checked to have a shape compatible with `shape`."""

    def shape(input: TensorShape, *, shape: TensorShape) -> list[TensorShape]:
        return [s.shape_of(s.merge_dims(s.dims_of(input), s.dims_of(shape)))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [dy]

    def lower(build: Any, input: Value, *, shape: TensorShape) -> Value:
        if not shape.is_compatible_with(TensorShape(list(input.type.shape))):
            raise errors.InvalidArgumentError(
                None,
                build.op,
                f"Shape of tensor {build.op.inputs[0].op.name} {s.text(input.type.shape)} is not "
                f"compatible with expected shape {s.text(s.dims_of(shape))}.",
            )
        return input

    host = by_lowering(lower)


class CheckNumerics(
    OpDef, sig="CheckNumerics(tensor: T, message: str) -> output: T", T=dtypes.FLOATS
):
    """`tensor`, where an infinity or a NaN in it is an error."""

    shape = _same_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [
            opdef.apply(
                "CheckNumerics",
                dy,
                message="Not a number (NaN) or infinity (Inf) values "
                "detected in gradient. " + _decoded(op.get_attr("message")),
            )
        ]

    def lower(build: Any, tensor: Value, *, message: Any) -> Value:
        text = _decoded(message).replace("{", "{{").replace("}", "}}")
        is_number = p.eq(build, tensor, tensor)
        finite = p.is_finite(build, tensor)
        infinite = p.and_(build, is_number, p.not_(build, finite))
        # TensorFlow names what it finds: NaN, Inf, or both
        has = [_any(build, p.not_(build, is_number)), _any(build, infinite)]
        no = [p.not_(build, h) for h in has]
        for bad, what in (
            (p.and_(build, has[0], has[1]), "Inf and NaN"),
            (p.and_(build, has[0], no[1]), "NaN"),
            (p.and_(build, has[1], no[0]), "Inf"),
        ):
            build.assert_(p.not_(build, bad), (), message=f"{text} : Tensor had {what} values")
        return tensor


def _any(build: Any, x: Value) -> Value:
    return p.reduce(build, x, dims=tuple(range(x.type.rank)), kind="or")


def _decoded(text: Any) -> str:
    return text.decode() if isinstance(text, bytes) else text


class Fill(
    OpDef,
    sig="Fill(dims: index_type, value: T, index_type: type = int32) -> output: T",
    T=ANY,
    index_type=INDEX,
):
    """A tensor of shape `dims`, every element `value`."""

    def shape(dims: TensorShape, value: TensorShape, *, op: Any) -> list[TensorShape]:
        s.with_rank(dims, 1)
        s.with_rank(value, 0)
        known = s.static_ints(op, 0)
        if known is not None and any(d < 0 for d in known):
            at = next(i for i, d in enumerate(known) if d < 0)
            raise ValueError(f"Fill dimensions must be >= 0: dimension {at} is {known[at]}")
        return [s.shape_of(s.static_dims(op, 0))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        rank = opdef.apply("Rank", dy)
        axes = opdef.apply("Range", 0, rank, 1)
        return [None, opdef.apply("Sum", dy, axes)]

    def lower(build: Any, dims: Value, value: Value) -> Value:
        shape = tuple(int(d) for d in build.static(dims))
        if any(d < 0 for d in shape):
            raise errors.InvalidArgumentError(
                None, build.op, f"Dimension {min(shape)} must be >= 0"
            )
        return p.broadcast(build, value, dims=(), shape=shape)

    def host(dims: np.ndarray, value: np.ndarray) -> np.ndarray:
        return np.full(tuple(dims), value[()], dtype=value.dtype)


def constant(
    value: Any,
    dtype: Any = None,
    shape: Any = None,
    name: str = "Const",
    verify_shape: bool = False,
) -> Tensor:
    """A constant tensor.

    `value` is a number, string, list or array; fewer values than `shape` holds are continued with
    the last one. Python floats become float32, ints int32 where they fit; numpy arrays keep
    their dtype.

    Raises:
      TypeError: values of another type than `dtype`, or of no type.
      ValueError: a ragged list, or more values than `shape` holds.
    """
    if isinstance(value, Tensor):
        raise TypeError(f"Expected any non-tensor type, but got a tensor instead: {value}")
    if isinstance(shape, int | float):
        raise TypeError(f"shape must be a list of dimensions, not {shape!r}")
    array = as_array(
        value,
        None if dtype is None else dtypes.as_dtype(dtype),
        None if shape is None else as_shape(shape).as_list(),
        verify_shape,
    )
    return constant_of(array, name)


def constant_of(array: np.ndarray, name: str = "Const") -> Tensor:
    """A Const op holding `array`, of exactly its dtype."""
    dtype = dtypes.as_dtype(array.dtype)
    op = get_default_graph().create_op(
        "Const", [], attrs={"value": Literal(array), "dtype": dtype}, name=name
    )
    return op.outputs[0]


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor that must be fed whenever something that needs it is run."""
    wanted = TensorShape(None) if shape is None else as_shape(shape)
    return opdef.apply("Placeholder", dtype=dtypes.as_dtype(dtype), shape=wanted, name=name)


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that has the value `input` unless it is fed."""
    wanted = TensorShape(None) if shape is None else as_shape(shape)
    return opdef.apply("PlaceholderWithDefault", input, shape=wanted, name=name)


def identity(input: Any, name: str | None = None) -> Tensor:
    """A tensor with the shape and content of `input`."""
    return opdef.apply("Identity", input, name=name)


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """`input`, taken as a constant by `tf.gradients`."""
    return opdef.apply("StopGradient", input, name=name)


def prevent_gradient(input: Any, message: str = "", name: str | None = None) -> Tensor:
    """`input`, where asking for a gradient is an error."""
    return opdef.apply("PreventGradient", input, message=message, name=name)


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x`, checked when it runs to have a shape compatible with `shape`."""
    return opdef.apply("EnsureShape", x, shape=as_shape(shape), name=name)


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """`tensor`, where an infinity or a NaN in it is an error that says `message`."""
    return opdef.apply("CheckNumerics", tensor, message=message, name=name)


def verify_tensor_all_finite(
    t: Any = None,
    msg: str | None = None,
    name: str | None = None,
    x: Any = None,
    message: str | None = None,
) -> Tensor:
    """`t`, where an infinity or a NaN in it is an error that says `msg`; x and message are other
    names of these.

    Raises:
      ValueError: both spellings of one argument are given.
    """
    if t is not None and x is not None:
        raise ValueError("Cannot specify both 'x' and 't'.")
    if msg is not None and message is not None:
        raise ValueError("Cannot specify both 'message' and 'msg'.")
    with name_scope(name, "VerifyFinite", [x if t is None else t]):
        tensor = convert_to_tensor(x if t is None else t, name="x")
        checked = check_numerics(tensor, message=(message if msg is None else msg) or "")
        with control_dependencies([checked]):
            return identity(tensor)


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of shape `dims`, every element `value`."""
    return opdef.apply("Fill", dims, value, name=name)


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of zeros (of False, or of empty strings)."""
    return _filled(shape, dtypes.as_dtype(dtype).base_dtype, 0, name, "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of ones (of True)."""
    return _filled(shape, dtypes.as_dtype(dtype).base_dtype, 1, name, "ones")


def _filled(shape: Any, dtype: DType, number: int, name: str | None, default: str) -> Tensor:
    with name_scope(name, default, [shape]) as scope:
        element = _number(dtype, number)
        dims = _static_shape(shape)
        if dims is not None:
            count = int(np.prod(dims, dtype=object)) if dims else 1
            if count < SMALL_CONSTANT_ELEMENTS:
                return constant_of(np.full(dims, element, dtype.as_numpy_dtype), name=scope)
            wide = any(d > np.iinfo(np.int32).max for d in dims)
            shape = constant_of(np.asarray(dims, np.int64 if wide else np.int32), "shape_as_tensor")
        elif not isinstance(shape, Tensor):
            shape = convert_to_tensor(shape, dtype=dtypes.int32, name="shape")
        if shape.get_shape().ndims == 0:
            shape = opdef.apply("Reshape", shape, [-1])
        return fill(shape, constant_of(np.asarray(element, dtype.as_numpy_dtype)), name=scope)


def _number(dtype: DType, number: int) -> Any:
    """0 or 1 as an element of `dtype`."""
    if dtype == dtypes.string:
        if number:
            raise TypeError("tf.ones does not make strings")
        return b""
    return bool(number) if dtype.is_bool else number


def _static_shape(shape: Any) -> list[int] | None:
    """`shape` as a list of ints, a bare int being a vector; None if it holds tensors."""
    if isinstance(shape, Tensor):
        return None
    try:
        known = as_shape(shape)
    except (TypeError, ValueError):
        return None
    return [int(d) for d in known] if known.is_fully_defined() else None


def zeros_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Tensor:
    """Zeros of the shape (and, if `dtype` is None, the dtype) of `tensor`."""
    return _filled_like(tensor, dtype, 0, name, "zeros_like", optimize)


def ones_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Tensor:
    """Ones of the shape (and, if `dtype` is None, the dtype) of `tensor`."""
    return _filled_like(tensor, dtype, 1, name, "ones_like", optimize)


class ZerosLike(OpDef, sig="ZerosLike(x: T) -> y: T", T=ANY):
    """Zeros of the type of `x`."""

    takes_arrays = True
    shape = _same_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]

    def lower(build: Any, x: Any) -> Any:
        return lower_arrays.zeros_like(build, x)

    def host(x: np.ndarray, *, op: Any) -> np.ndarray:
        if op.inputs[0].dtype.base_dtype.short == "str":
            return np.full(x.shape, b"", object)
        return by_entries(np.zeros_like, x)


class OnesLike(OpDef, sig="OnesLike(x: T) -> y: T", T=ANY):
    """Ones of the type of `x`."""

    shape = _same_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]

    def lower(build: Any, x: Value) -> Value:
        return p.full_like(build, x, 1)


def _filled_like(
    tensor: Any, dtype: Any, number: int, name: str | None, default: str, optimize: bool
) -> Tensor:
    with name_scope(name, default, [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name="tensor")
        wanted = tensor.dtype.base_dtype if dtype is None else dtypes.as_dtype(dtype).base_dtype
        known = tensor.get_shape().is_fully_defined()
        if optimize and known:
            return _filled(tensor.get_shape(), wanted, number, scope, default)
        if wanted == tensor.dtype.base_dtype and number == 0:
            return opdef.apply("ZerosLike", tensor, name=scope)
        shape = opdef.apply("Shape", tensor)
        return fill(
            shape,
            constant_of(np.asarray(_number(wanted, number), wanted.as_numpy_dtype)),
            name=scope,
        )
