"""Max and average pooling over two and three axes, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops import windows as w
from tfc.ops.const_ops import zeros
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import shape

FLOATS, REALS = dtypes.FLOATS, dtypes.REALS


def _attrs(layout: str) -> str:
    other = layout[0] + layout[-1] + layout[1:-1]
    return (
        "ksize: list(int), strides: list(int), padding: {'SAME', 'VALID'}, "
        f"data_format: {{'{layout}', '{other}'}} = '{layout}'"
    )


def _attrs_of(op: Any) -> dict[str, Any]:
    return {name: op.attr(name) for name in ("ksize", "strides", "padding", "data_format")}


def _pooled_shape(input: TensorShape, rank: int, attrs: dict[str, Any]) -> list[TensorShape]:
    layout = attrs["data_format"]
    for what in ("ksize", "strides"):
        if len(attrs[what]) != rank or any(n <= 0 for n in attrs[what]):
            raise ValueError(f"{what} must hold {rank} positive values, not {list(attrs[what])}")
    dims = s.with_rank(input, rank)
    channel = 1 if w.channels_first(layout) else rank - 1
    out = [dims[0]]
    for axis in range(1, rank):
        size, stride = attrs["ksize"][axis], attrs["strides"][axis]
        whole = axis == channel and size == 1
        out.append(dims[axis] if whole else w.extent(dims[axis], size, stride, 1, attrs["padding"]))
    return [s.shape_of(out)]


def _plain(
    build: Any, x: Value, attrs: dict[str, Any], rank: int
) -> tuple[tuple[int, ...], tuple[int, ...], w.Pairs]:
    """Window, strides and padding over all axes of `x`, in its own layout.

    Raises:
      InvalidArgumentError: rank or window do not fit.
    """
    if x.type.rank != rank:
        raise invalid(build, f"tensor_in must be {rank}-dimensional")
    sizes, strides = tuple(attrs["ksize"]), tuple(attrs["strides"])
    if sizes[0] != 1 or strides[0] != 1:
        raise invalid(build, "Pooling is not yet supported on the batch dimension.")
    layout = {"strides": (1, *strides, 1), "padding": attrs["padding"], "data_format": "NHWC"}
    dims = (max(x.type.shape[0], 1), *x.type.shape[1:])  # a batch of nothing fits its window
    at = w.window(build, dims, sizes, layout)
    return sizes, strides, at.padding


def _lower_max(build: Any, x: Value, rank: int, attrs: dict[str, Any]) -> Value:
    sizes, strides, padding = _plain(build, x, attrs, rank)
    return p.reduce_window(
        build,
        x,
        window=sizes,
        strides=strides,
        dilations=(1,) * rank,
        padding=padding,
        kind="max",
    )


def _lower_max_grad(build: Any, x: Value, dy: Value, rank: int, attrs: dict[str, Any]) -> Value:
    sizes, strides, padding = _plain(build, x, attrs, rank)
    return p.select_and_scatter(build, x, dy, window=sizes, strides=strides, padding=padding)


def _lower_max_grad_of_ties(
    build: Any, x: Value, y: Value, dy: Value, rank: int, attrs: dict[str, Any]
) -> Value:
    """`dy` of each window for every element of `x` that equals its maximum `y`.

    One term for each place in the window: there, the elements of all windows are a strided slice,
    and what they get is spread out by the strides again.
    """
    sizes, strides, padding = _plain(build, x, attrs, rank)
    zero = p.constant(build, 0, x.type.dtype)
    low, high = tuple(a for a, _ in padding), tuple(b for _, b in padding)
    none = (0,) * rank
    lowest = p.constant(build, p.identity("max", x.type.dtype), x.type.dtype)
    wide = p.pad(build, x, lowest, low=low, high=high, interior=none)
    nothing, total = p.full_like(build, dy, 0), p.full_like(build, wide, 0)
    counts, extents = y.type.shape, wide.type.shape
    for offset in np.ndindex(*sizes):
        limit = tuple(o + (n - 1) * k + 1 for o, n, k in zip(offset, counts, strides, strict=True))
        part = p.slice(build, wide, start=offset, limit=limit, stride=strides)
        share = p.select(build, p.eq(build, part, y), dy, nothing)
        spread = p.pad(
            build,
            share,
            zero,
            low=offset,
            high=tuple(d - end for d, end in zip(extents, limit, strict=True)),
            interior=tuple(k - 1 for k in strides),
        )
        total = p.add(build, total, spread)
    ends = tuple(d + a for d, a in zip(x.type.shape, low, strict=True))
    return p.slice(build, total, start=low, limit=ends, stride=(1,) * rank)


def _lower_max_grad_grad(
    build: Any, x: Value, y: Value, ddx: Value, rank: int, attrs: dict[str, Any]
) -> Value:
    """`ddx` at the first maximum of each window."""
    sizes, strides, padding = _plain(build, x, attrs, rank)
    _, chosen = _argmax(build, x, sizes, strides, padding)
    places = p.reshape(build, chosen, shape=(*chosen.type.shape, 1))
    return p.gather(build, p.reshape(build, ddx, shape=(x.type.size,)), places, dims=(0,))


def _argmax(
    build: Any,
    x: Value,
    sizes: Sequence[int],
    strides: Sequence[int],
    padding: w.Pairs,
) -> tuple[Value, Value]:
    """Maximum of each window of `x`, and the flat position of the first place it stands at."""
    dims, best, place = x.type.shape, None, None
    flat = p.reshape(build, p.iota(build, dtype="i64", shape=(x.type.size,), dim=0), shape=dims)
    lowest = p.constant(build, p.identity("max", x.type.dtype), x.type.dtype)
    none = p.constant(build, -1, "i64")
    low, high = tuple(a for a, _ in padding), tuple(b for _, b in padding)
    interior = (0,) * len(dims)
    wide = p.pad(build, x, lowest, low=low, high=high, interior=interior)
    where = p.pad(build, flat, none, low=low, high=high, interior=interior)
    extents = [
        (d - k) // stride + 1 for d, k, stride in zip(wide.type.shape, sizes, strides, strict=True)
    ]
    for offset in np.ndindex(*sizes):
        limit = tuple(
            o + (n - 1) * stride + 1 for o, n, stride in zip(offset, extents, strides, strict=True)
        )
        part = p.slice(build, wide, start=offset, limit=limit, stride=tuple(strides))
        at = p.slice(build, where, start=offset, limit=limit, stride=tuple(strides))
        if best is None or place is None:
            best, place = part, at
            continue
        inside = p.ge(build, at, p.full_like(build, at, 0))
        first = p.lt(build, place, p.full_like(build, place, 0))
        higher = p.and_(build, inside, p.or_(build, first, p.gt(build, part, best)))
        best, place = p.select(build, higher, part, best), p.select(build, higher, at, place)
    assert best is not None and place is not None
    return best, place


def _window_counts(build: Any, dims: Sequence[int], like: Value, geometry: Any) -> Value:
    """How many elements of an image of extents `dims` each window covers, as `like`'s dtype."""
    sizes, strides, padding = geometry
    total = np.ones((), np.int64)
    for d, k, stride, (low, high) in zip(dims, sizes, strides, padding, strict=True):
        count = (d + low + high - k) // stride + 1
        starts = np.arange(count) * stride - low
        covered = np.minimum(starts + k, d) - np.maximum(starts, 0)
        total = np.multiply.outer(total, covered)
    dims_out = total.shape
    if not total.size or (total == total.flat[0]).all():
        return p.splat(build, int(total.flat[0]) if total.size else 1, like.type)
    # the counts differ along padded axes only: a small constant, repeated along the others
    kept = [i for i, pads in enumerate(padding) if pads != (0, 0)]
    slim = total[tuple(slice(None) if i in kept else 0 for i in range(len(dims_out)))]
    small = p.constant(build, slim.astype(dtypes.numpy_dtype(like.type.dtype)))
    return p.broadcast(build, small, dims=tuple(kept), shape=dims_out)


def _lower_avg(build: Any, x: Value, rank: int, attrs: dict[str, Any]) -> Value:
    sizes, strides, padding = geometry = _plain(build, x, attrs, rank)
    total = p.reduce_window(
        build,
        x,
        window=sizes,
        strides=strides,
        dilations=(1,) * rank,
        padding=padding,
        kind="add",
    )
    return p.div(build, total, _window_counts(build, x.type.shape, total, geometry))


def _lower_avg_grad(
    build: Any, dims: Sequence[int], dy: Value, rank: int, attrs: dict[str, Any]
) -> Value:
    """Each element of `dy` over its window's count, spread over that window."""
    zero = p.constant(build, 0, dy.type.dtype)
    image = p.broadcast(build, zero, dims=(), shape=tuple(dims))
    sizes, strides, padding = geometry = _plain(build, image, attrs, rank)
    share = p.div(build, dy, _window_counts(build, dims, dy, geometry))
    # The transpose of a window sum: dy spread out by the strides, summed over mirrored windows.
    low, high = [], []
    for d, n, k, stride, (before, _) in zip(
        dims, dy.type.shape, sizes, strides, padding, strict=True
    ):
        low.append(k - 1 - before)
        high.append(d - 1 + before - (n - 1) * stride)
    spread = p.pad(
        build,
        share,
        zero,
        low=tuple(low),
        high=tuple(high),
        interior=tuple(stride - 1 for stride in strides),
    )
    ones = (1,) * rank
    return p.reduce_window(
        build,
        spread,
        window=sizes,
        strides=ones,
        dilations=ones,
        padding=((0, 0),) * rank,
        kind="add",
    )


def _max_pool(suffix: str, rank: int, attrs_text: str) -> None:
    max_pool, max_grad = f"MaxPool{suffix}", f"MaxPool{suffix}Grad"

    class MaxPool(OpDef, sig=f"{max_pool}(input: T, {attrs_text}) -> output: T", T=REALS):
        """The largest element of each window."""

        def shape(input: TensorShape, **attrs: Any) -> list[TensorShape]:
            return _pooled_shape(input, rank, attrs)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            return [apply(max_grad, op.inputs[0], op.outputs[0], dy, **_attrs_of(op))]

        def lower(build: Any, input: Value, **attrs: Any) -> Value:
            return _lower_max(build, input, rank, attrs)


def _max_pool_gradients(suffix: str, rank: int, attrs_text: str) -> None:
    max_grad, max_grad_grad = f"MaxPool{suffix}Grad", f"MaxPool{suffix}GradGrad"

    class MaxPoolGrad(
        OpDef,
        sig=f"{max_grad}(orig_input: T, orig_output: T, grad: T, {attrs_text}) -> output: T",
        T=REALS,
    ):
        """The gradient of a max pool: each element goes to the first largest of its window; over
        three axes, to all that are equally large."""

        def shape(x: TensorShape, y: TensorShape, dy: TensorShape) -> list[TensorShape]:
            return [s.shape_of(s.with_rank(x, rank))]

        def grad(op: Any, ddx: Tensor) -> list[Any]:
            x, y, _ = op.inputs
            return [
                zeros(shape(x), dtype=x.dtype),
                zeros(shape(y), dtype=y.dtype),
                apply(max_grad_grad, x, y, ddx, **_attrs_of(op)),
            ]

        def lower(build: Any, x: Value, y: Value, dy: Value, **attrs: Any) -> Value:
            if rank == 5 and dy.type.size:
                return _lower_max_grad_of_ties(build, x, y, dy, rank, attrs)
            return _lower_max_grad(build, x, dy, rank, attrs)

    class MaxPoolGradGrad(
        OpDef,
        sig=f"{max_grad_grad}(orig_input: T, orig_output: T, grad: T, {attrs_text}) -> output: T",
        T=REALS,
    ):
        """Gradient of a max pool's gradient: the element at the first largest of each window."""

        def shape(
            x: TensorShape, y: TensorShape, ddx: TensorShape, **attrs: Any
        ) -> list[TensorShape]:
            return _pooled_shape(x, rank, attrs)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            x, y, _ = op.inputs
            return [
                zeros(shape(x), dtype=x.dtype),
                zeros(shape(y), dtype=y.dtype),
                apply(max_grad, x, y, dy, **_attrs_of(op)),
            ]

        def lower(build: Any, x: Value, y: Value, ddx: Value, **attrs: Any) -> Value:
            return _lower_max_grad_grad(build, x, y, ddx, rank, attrs)


def _avg_pool(suffix: str, rank: int, attrs_text: str) -> None:
    avg_pool, avg_grad = f"AvgPool{suffix}", f"AvgPool{suffix}Grad"

    class AvgPool(OpDef, sig=f"{avg_pool}(value: T, {attrs_text}) -> output: T", T=FLOATS):
        """The mean of each window; padding does not count."""

        def shape(value: TensorShape, **attrs: Any) -> list[TensorShape]:
            return _pooled_shape(value, rank, attrs)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            return [apply(avg_grad, shape(op.inputs[0]), dy, **_attrs_of(op))]

        def lower(build: Any, value: Value, **attrs: Any) -> Value:
            return _lower_avg(build, value, rank, attrs)

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
            return [None, apply(avg_pool, ddx, **_attrs_of(op))]

        def lower(build: Any, dims: Value, dy: Value, **attrs: Any) -> Value:
            extents = [int(d) for d in build.static(dims)]
            return _lower_avg_grad(build, extents, dy, rank, attrs)


def _define(suffix: str, rank: int, layout: str) -> None:
    """MaxPool and AvgPool over `rank` - 2 axes, with gradients."""
    for define in (_max_pool, _max_pool_gradients, _avg_pool):
        define(suffix, rank, _attrs(layout))


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

    def shape(
        input: TensorShape, *, ksize: Sequence[int], strides: Sequence[int], padding: str
    ) -> list[TensorShape]:
        attrs = {"ksize": ksize, "strides": strides, "padding": padding, "data_format": "NHWC"}
        return _pooled_shape(input, 4, attrs) * 2

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
        best, place = _argmax(build, input, *_plain(build, input, attrs, 4))
        if not include_batch_in_index:
            image = max(input.type.size // max(input.type.shape[0], 1), 1)
            place = p.rem(build, place, p.full_like(build, place, image))
        return best, p.convert(build, place, dtype=Targmax.short)
