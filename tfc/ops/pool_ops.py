"""Max and average pooling over two and three axes, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply, lookup
from tfc.ir.core import Value
from tfc.ops import pool_values as v
from tfc.ops import shape_rules as s
from tfc.ops import windows as w
from tfc.ops.const_ops import zeros
from tfc.ops.shape_ops import shape

FLOATS, REALS = dtypes.FLOATS, dtypes.REALS


def _attrs(layout: str, explicit: bool = False) -> str:
    other = layout[0] + layout[-1] + layout[1:-1]
    paddings = "{'SAME', 'VALID'}"
    if explicit:
        paddings = "{'SAME', 'VALID', 'EXPLICIT'}, explicit_paddings: list(int) = []"
    return (
        f"ksize: list(int), strides: list(int), padding: {paddings}, "
        f"data_format: {{'{layout}', '{other}'}} = '{layout}'"
    )


def _attrs_of(op: Any, other: str) -> dict[str, Any]:
    """The attributes that an op hands to one of type `other`."""
    names = ("ksize", "strides", "padding", "explicit_paddings", "data_format")
    kept, taken = (set(d.signature().attrs) for d in (op.defn, lookup(other)))
    return {name: op.attr(name) for name in names if name in kept & taken}


def _pooled_shape(
    input: TensorShape, rank: int, attrs: dict[str, Any], deep: bool = False
) -> list[TensorShape]:
    layout = attrs["data_format"]
    for what in ("ksize", "strides"):
        if len(attrs[what]) != rank or any(n <= 0 for n in attrs[what]):
            raise ValueError(f"{what} must hold {rank} positive values, not {list(attrs[what])}")
    dims = s.with_rank(input, rank)
    channel = 1 if w.channels_first(layout) else rank - 1
    flat = attrs.get("explicit_paddings") or ()
    w.check_explicit(flat, layout, rank)
    out = [dims[0]]
    for axis in range(1, rank):
        size, stride = attrs["ksize"][axis], attrs["strides"][axis]
        if axis == channel and (size == 1 or not deep):
            out.append(dims[axis])
            continue
        pads = (flat[2 * axis], flat[2 * axis + 1]) if flat else (0, 0)
        out.append(w.extent(dims[axis], size, stride, 1, attrs["padding"], pads))
    return [s.shape_of(out)]


def _max_pool(suffix: str, rank: int, attrs_text: str) -> None:
    max_pool, max_grad = f"MaxPool{suffix}", f"MaxPool{suffix}Grad"

    class MaxPool(OpDef, sig=f"{max_pool}(input: T, {attrs_text}) -> output: T", T=REALS):
        """The largest element of each window."""

        shape_holds_when_run = False  # windows that just do not fit are none

        def shape(input: TensorShape, **attrs: Any) -> list[TensorShape]:
            return _pooled_shape(input, rank, attrs, deep=rank == 4)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            return [apply(max_grad, op.inputs[0], op.outputs[0], dy, **_attrs_of(op, max_grad))]

        def lower(build: Any, input: Value, **attrs: Any) -> Value:
            return v.lower_max(build, input, attrs)


def _max_pool_gradients(suffix: str, rank: int, attrs_text: str, second_attrs: str) -> None:
    max_grad, max_grad_grad = f"MaxPool{suffix}Grad", f"MaxPool{suffix}GradGrad"

    class MaxPoolGrad(
        OpDef,
        sig=f"{max_grad}(orig_input: T, orig_output: T, grad: T, {attrs_text}) -> output: T",
        T=REALS,
    ):
        """The gradient of a max pool: each element goes to the first largest of its window; over
        volumes to all that are as large, to 1e-5."""

        def shape(x: TensorShape, y: TensorShape, dy: TensorShape) -> list[TensorShape]:
            return [s.shape_of(s.with_rank(x, rank))]

        def grad(op: Any, ddx: Tensor) -> list[Any]:
            x, y, _ = op.inputs
            return [
                zeros(shape(x), dtype=x.dtype),
                zeros(shape(y), dtype=y.dtype),
                apply(max_grad_grad, x, y, ddx, **_attrs_of(op, max_grad_grad)),
            ]

        def lower(build: Any, x: Value, y: Value, dy: Value, **attrs: Any) -> Value:
            return v.lower_max_grad(build, x, y, dy, attrs)

    class MaxPoolGradGrad(
        OpDef,
        sig=f"{max_grad_grad}(orig_input: T, orig_output: T, grad: T, {second_attrs}) -> output: T",
        T=REALS,
    ):
        """Gradient of a max pool's gradient: the element at the first largest of each window."""

        shape_holds_when_run = False  # windows that just do not fit are none

        def shape(
            x: TensorShape, y: TensorShape, ddx: TensorShape, **attrs: Any
        ) -> list[TensorShape]:
            return _pooled_shape(x, rank, attrs)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            x, y, _ = op.inputs
            return [
                zeros(shape(x), dtype=x.dtype),
                zeros(shape(y), dtype=y.dtype),
                apply(max_grad, x, y, dy, **_attrs_of(op, max_grad)),
            ]

        def lower(build: Any, x: Value, y: Value, ddx: Value, **attrs: Any) -> Value:
            return v.lower_max_grad_grad(build, x, y, ddx, attrs)


def _avg_pool(suffix: str, rank: int, attrs_text: str) -> None:
    avg_pool, avg_grad = f"AvgPool{suffix}", f"AvgPool{suffix}Grad"

    class AvgPool(OpDef, sig=f"{avg_pool}(value: T, {attrs_text}) -> output: T", T=FLOATS):
        """The mean of each window; padding does not count."""

        shape_holds_when_run = False  # windows that just do not fit are none

        def shape(value: TensorShape, **attrs: Any) -> list[TensorShape]:
            return _pooled_shape(value, rank, attrs)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            return [apply(avg_grad, shape(op.inputs[0]), dy, **_attrs_of(op, avg_grad))]

        def lower(build: Any, value: Value, **attrs: Any) -> Value:
            return v.lower_avg(build, value, attrs)

    class AvgPoolGrad(
        OpDef,
        sig=f"{avg_grad}(orig_input_shape: int32, grad: T, {attrs_text}) -> output: T",
        T=FLOATS,
    ):
        """The gradient of an average pool over an input of shape `orig_input_shape`."""

        def shape(
            orig_input_shape: TensorShape, grad: TensorShape, *, op: Any
        ) -> list[TensorShape]:
            known = s.static_dims(op, 0)
            return [s.unknown(rank) if known is None else s.shape_of(known)]

        def grad(op: Any, ddx: Tensor) -> list[Any]:
            return [None, apply(avg_pool, ddx, **_attrs_of(op, avg_pool))]

        def lower(build: Any, dims: Value, dy: Value, **attrs: Any) -> Value:
            extents = [int(d) for d in build.static(dims)]
            return v.lower_avg_grad(build, extents, dy, attrs)


def _define(suffix: str, rank: int, layout: str) -> None:
    """MaxPool and AvgPool over `rank` - 2 axes, with gradients."""
    plain, padded = _attrs(layout), _attrs(layout, explicit=rank == 4)
    _max_pool(suffix, rank, padded)
    _max_pool_gradients(suffix, rank, padded, plain)
    _avg_pool(suffix, rank, plain)


_define("", 4, "NHWC")
_define("3D", 5, "NDHWC")


class MaxPoolWithArgmax(
    OpDef,
    sig="MaxPoolWithArgmax(input: T, ksize: list(int), strides: list(int), Targmax: type = int64,"
    " padding: {'SAME', 'VALID'}, include_batch_in_index: bool = False)"
    " -> output: T, argmax: Targmax",
    T=REALS,
    Targmax=dtypes.INDEX,
):
    """The largest element of each window and its flat position in its image, or in the batch."""

    shape_holds_when_run = False  # windows that just do not fit are none

    def shape(
        input: TensorShape, *, ksize: Sequence[int], strides: Sequence[int], padding: str
    ) -> list[TensorShape]:
        attrs = {"ksize": ksize, "strides": strides, "padding": padding, "data_format": "NHWC"}
        return _pooled_shape(input, 4, attrs, deep=True) * 2

    def grad(op: Any, dy: Tensor, _: Any) -> list[Any]:
        attrs = {name: op.attr(name) for name in ("ksize", "strides", "padding")}
        pooled = apply("MaxPoolGrad", op.inputs[0], op.outputs[0], dy, **attrs)
        return [pooled]

    def lower(
        build: Any,
        input: Value,
        *,
        ksize: Sequence[int],
        strides: Sequence[int],
        padding: str,
        include_batch_in_index: bool,
        Targmax: Any,
    ) -> tuple[Value, Value]:
        attrs = {"ksize": ksize, "strides": strides, "padding": padding}
        best, place = v.argmax(build, input, v.plain(build, input, attrs))
        if not include_batch_in_index:
            image = max(input.type.size // max(input.type.shape[0], 1), 1)
            place = p.rem(build, place, p.full_like(build, place, image))
        return best, p.convert(build, place, dtype=Targmax.short)
