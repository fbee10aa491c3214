"""ArgMax and ArgMin, running sums and products, and sequences: Range, LinSpace."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import FLOATS, INDEX, INTEGERS, NUMBERS, REALS, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import cast_ops, shape_rules
from tfc.ops.common import define, no_gradient, unchanged
from tfc.ops.lowering import invalid, to


def _arg_shape(
    input: TensorShape, dimension: TensorShape, *, op: Any, **_: Any
) -> list[TensorShape]:
    shape_rules.with_rank(dimension, 0)
    dims, axis = shape_rules.dims_of(input), shape_rules.static_ints(op, 1)
    shape_rules.with_rank(dimension, 0)
    if dims is None:
        return [shape_rules.unknown()]
    if len(dims) <= 1:
        return [TensorShape([])]
    if axis is None:
        return [shape_rules.unknown(len(dims) - 1)]
    if not -len(dims) <= axis[0] < len(dims):
        raise ValueError(
            f"Dimension ({axis[0]}) must be in the range [{-len(dims)}, {len(dims)}), "
            "where the bounds are the rank of the input"
        )
    at = axis[0] % len(dims)
    return [shape_rules.shape_of(dims[:at] + dims[at + 1 :])]


def _define_arg(name: str, kind: str, what: str) -> Any:
    def lower(build: Any, x: Value, dimension: Value, *, output_type: DType, **_: Any) -> Value:
        if dimension.type.rank:
            shape = shape_rules.text(dimension.type.shape)
            raise invalid(build, f"dim must be a scalar, but received tensor of shape: {shape}")
        axis = int(build.static(dimension))
        if not -x.type.rank <= axis < x.type.rank:
            raise invalid(
                build,
                f"Expected dimension in the range [{-x.type.rank}, {x.type.rank}), but got {axis}",
            )
        axis %= x.type.rank
        if x.type.shape[axis] == 0 and x.type.size == 0:
            raise invalid(
                build, f"Reduction axis {axis} is empty in shape {shape_rules.text(x.type.shape)}"
            )
        if x.type.dtype in FLOATS:  # what is no number is never chosen
            worst = p.full_like(build, x, -math.inf if kind == "max" else math.inf)
            x = p.select(build, p.eq(build, x, x), x, worst)
        return p.arg_reduce(build, x, dim=axis, kind=kind, dtype=output_type.short)

    return define(
        name,
        "(input: T, dimension: Tidx, output_type: type = int64, Tidx: type = int32)"
        " -> output: output_type",
        what,
        shape=_arg_shape,
        types_of={"T": (*REALS, "i1"), "Tidx": INDEX, "output_type": INDEX},
        lower=lower,
        grad=no_gradient,
    )


ArgMax = _define_arg("ArgMax", "max", "Where along one dimension the greatest element is.")
ArgMin = _define_arg("ArgMin", "min", "Where along one dimension the least element is.")


def _arg_function(op: str, axis: Any, dimension: Any, input: Any, type: Any, name: Any) -> Tensor:
    if dimension is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'axis' and 'dimension'")
        axis = dimension
    axis = 0 if axis is None else axis
    return apply(op, input, axis, output_type=dtypes.as_dtype(type), name=name)


def argmax(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """Where along `axis` (0 if None) the greatest element is; the first of equal ones."""
    return _arg_function("ArgMax", axis, dimension, input, output_type, name)


def arg_max(
    input: Any, dimension: Any, output_type: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """The op `ArgMax`: `argmax` with other parameters."""
    return apply("ArgMax", input, dimension, output_type=output_type, name=name)


def arg_min(
    input: Any, dimension: Any, output_type: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """The op `ArgMin`: `argmin` with other parameters."""
    return apply("ArgMin", input, dimension, output_type=output_type, name=name)


def argmin(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """Where along `axis` (0 if None) the least element is; the first of equal ones."""
    return _arg_function("ArgMin", axis, dimension, input, output_type, name)


# ---- running sums and products


def _scan(kind: str) -> Any:
    def lower(
        build: Any, x: Value, axis: Value, *, exclusive: bool, reverse: bool, **_: Any
    ) -> Value:
        if axis.type.rank:
            shape = shape_rules.text(axis.type.shape)
            raise invalid(build, f"ScanOp: axis must be a scalar, not {shape}")
        at = int(build.static(axis))
        if not -x.type.rank <= at < x.type.rank:
            raise invalid(
                build,
                f"ScanOp: Expected scan axis in the range [{-x.type.rank}, "
                f"{x.type.rank}), but got {at}",
            )
        dim = at % x.type.rank
        return p.cumulative(build, x, dim=dim, kind=kind, exclusive=exclusive, reverse=reverse)

    return lower


def _cumsum_grad(op: Any, dy: Any) -> list[Any]:
    exclusive, reverse = op.get_attr("exclusive"), op.get_attr("reverse")
    axis = op.inputs[1]
    return [apply("Cumsum", dy, axis, exclusive=exclusive, reverse=not reverse), None]


def _cumprod_grad(op: Any, dy: Any) -> list[Any]:
    x, axis = op.inputs
    exclusive, reverse = op.get_attr("exclusive"), op.get_attr("reverse")
    product = apply("Cumprod", x, axis, exclusive=exclusive, reverse=reverse)
    out = apply("Cumsum", product * dy, axis, exclusive=exclusive, reverse=not reverse)
    return [apply("DivNoNan", out, x), None]  # 0 where x is 0, as TensorFlow


_SCAN = (
    "(x: T, axis: Tidx, exclusive: bool = False, reverse: bool = False, Tidx: type = int32)"
    " -> out: T"
)
_SCAN_TYPES = {"T": NUMBERS, "Tidx": INDEX}
Cumsum = define(
    "Cumsum", _SCAN, "Sums of the elements up to each one along an axis.", shape=unchanged,
    types_of=_SCAN_TYPES, lower=_scan("add"), grad=_cumsum_grad,
)  # fmt: skip
Cumprod = define(
    "Cumprod", _SCAN, "Products of the elements up to each one along an axis.", shape=unchanged,
    types_of=_SCAN_TYPES, lower=_scan("mul"), grad=_cumprod_grad,
)  # fmt: skip


def cumsum(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running sums along `axis`: without the element itself if `exclusive`, from the end if
    `reverse`."""
    with name_scope(name, "Cumsum", [x]) as scope:
        tensor = convert_to_tensor(x, name="x")
        return apply("Cumsum", tensor, axis, exclusive=exclusive, reverse=reverse, name=scope)


def cumprod(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running products along `axis`: without the element itself if `exclusive`, from the end if
    `reverse`."""
    with name_scope(name, "Cumprod", [x]) as scope:
        tensor = convert_to_tensor(x, name="x")
        return apply("Cumprod", tensor, axis, exclusive=exclusive, reverse=reverse, name=scope)


# ---- sequences


def _range_size(start: Any, limit: Any, delta: Any) -> int:
    """How many elements a range has.

    Raises:
      ValueError: the step is 0 or leads away from the limit.
    """
    if not all(math.isfinite(v) for v in (start, limit, delta)):
        raise ValueError(f"Requires finite start, limit, delta: {start}, {limit}, {delta}")
    if delta == 0:
        raise ValueError(f"Requires delta != 0: {delta}")
    if delta > 0 and start > limit:
        raise ValueError(f"Requires start <= limit when delta > 0: {start}/{limit}")
    if delta < 0 and start < limit:
        raise ValueError(f"Requires start >= limit when delta < 0: {start}/{limit}")
    if isinstance(start, float):
        return math.ceil(abs((limit - start) / delta))
    return -(-abs(limit - start) // abs(delta))


class Range(
    OpDef,
    sig="Range(start: Tidx, limit: Tidx, delta: Tidx) -> output: Tidx",
    Tidx=("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", *FLOATS),
):
    """start, start + delta, ... up to but without limit. The operands must be known before the
    run, or another stage begins here."""

    def shape(
        start: TensorShape, limit: TensorShape, delta: TensorShape, *, op: Any, **_: Any
    ) -> list[TensorShape]:
        for which in (start, limit, delta):
            shape_rules.with_rank(which, 0)
        values = [shape_rules.static_input(op, i) for i in range(3)]
        if any(v is None for v in values):
            return [TensorShape([None])]
        return [TensorShape([_range_size(*(v.item() for v in values if v is not None))])]

    grad = no_gradient

    def lower(build: Any, start: Value, limit: Value, delta: Value) -> Value:
        arrays = [build.static(v) for v in (start, limit, delta)]
        first, last, step = (a.reshape(()).astype(_plain(a)).item() for a in arrays)
        try:
            size = _range_size(first, last, step)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        return _sequence(build, start.type.dtype, size, first, step)


def _plain(array: np.ndarray) -> Any:
    """A numpy dtype whose items are Python numbers, for the half types too."""
    return np.float64 if dtypes.as_dtype(array.dtype).is_floating else array.dtype


def _sequence(build: Any, dtype: str, size: int, first: Any, step: Any) -> Value:
    """first + i * step for i in [0, size)."""
    if (first, step) == (0, 1) and dtype in INTEGERS:
        return p.iota(build, dtype=dtype, shape=(size,), dim=0)  # known to be one wherever it goes
    wide = {"f16": "f32", "bf16": "f32"}.get(dtype, dtype)
    if wide not in FLOATS:
        wide = "i64" if dtype != "u64" else "u64"
    index = p.iota(build, dtype=wide, shape=(size,), dim=0)
    type = Type(wide, (size,))
    scaled = p.mul(build, index, p.splat(build, step, type))
    return to(build, p.add(build, scaled, p.splat(build, first, type)), dtype)


class LinSpace(
    OpDef,
    sig="LinSpace(start: T, stop: T, num: Tidx, Tidx: type = int32) -> output: T",
    T=FLOATS,
    Tidx=INDEX,
):
    """`num` numbers from start to stop, both included, in equal steps."""

    def shape(
        start: TensorShape, stop: TensorShape, num: TensorShape, *, op: Any, **_: Any
    ) -> list[TensorShape]:
        for which in (start, stop, num):
            shape_rules.with_rank(which, 0)
        count = shape_rules.static_ints(op, 2)
        if count is not None and count[0] <= 0:
            raise ValueError(f"Requires num > 0: {count[0]}")
        return [TensorShape(count if count is not None else [None])]

    grad = no_gradient

    def lower(build: Any, start: Value, stop: Value, num: Value) -> Value:
        count = int(build.static(num).ravel()[0])
        if count <= 0:
            raise invalid(build, f"Requires num > 0: {count}")
        start, stop = (p.reshape(build, v, shape=()) for v in (start, stop))
        if count == 1:
            return p.reshape(build, start, shape=(1,))
        dtype = start.type.dtype
        steps = p.splat(build, count - 1, Type(dtype, ()))
        step = p.div(build, p.sub(build, stop, start), steps)
        index = p.iota(build, dtype=dtype, shape=(count,), dim=0)
        spread = (p.broadcast_to(build, v, (count,)) for v in (start, step))
        first, slope = spread
        values = p.add(build, first, p.mul(build, index, slope))
        # The last one is `stop` itself, whatever the steps were rounded to.
        at_end = p.eq(build, index, p.splat(build, count - 1, index.type))
        return p.select(build, at_end, p.broadcast_to(build, stop, (count,)), values)


def range_(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range"
) -> Tensor:
    """The numbers from start (0 if only one is given) up to limit, without it, by delta."""
    if limit is None:
        start, limit = 0, start
    with name_scope(name, "Range", [start, limit, delta]) as scope:
        wanted = None if dtype is None else dtypes.as_dtype(dtype)
        begin = convert_to_tensor(start, dtype=wanted, name="start")
        end = convert_to_tensor(limit, dtype=wanted, name="limit")
        step = convert_to_tensor(delta, dtype=wanted, name="delta")
        if wanted is None:
            order = ("int32", "int64", "float32", "float64")
            kinds = [t.dtype.base_dtype.name for t in (begin, end, step)]
            if not set(kinds) <= set(order):  # what TensorFlow raises
                raise AssertionError(f"range takes int32, int64, float32, float64, not {kinds}")
            ranks = [order.index(kind) for kind in kinds]
            wanted = dtypes.as_dtype(order[max(ranks)])
            begin, end, step = (cast_ops.cast(t, wanted) for t in (begin, end, step))
        return apply("Range", begin, end, step, name=scope)


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Tensor:
    """`num` numbers from start to stop, both included, in equal steps."""
    return apply("LinSpace", start, stop, num, name=name)


lin_space = linspace
