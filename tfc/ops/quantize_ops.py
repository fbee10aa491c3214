"""Quantisation there and back: rounding to the levels that integers of `num_bits` bits have, with 0
among them, scaled to the range of the values or to a given one."""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import FLOATS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.loops import Calc, Term
from tfc.ops.lowering import invalid


class QuantizeAndDequantizeV2(
    OpDef,
    sig="QuantizeAndDequantizeV2(input: T, input_min: T, input_max: T, signed_input: bool = True, "
    "num_bits: int = 8, range_given: bool = False, "
    "round_mode: {'HALF_TO_EVEN', 'HALF_UP'} = 'HALF_TO_EVEN', narrow_range: bool = False, "
    "axis: int = -1) -> output: T",
    T=FLOATS,
):
    """`input` rounded to levels between two ends, of all of it or of each slice along `axis`."""

    def shape(
        input: TensorShape, low: TensorShape, high: TensorShape, *, axis: int
    ) -> list[TensorShape]:
        if axis < -1:
            raise ValueError(f"axis should be at least -1, got {axis}")
        dims = s.with_rank_at_least(input, axis + 1)
        for end in (low, high):
            if axis == -1:
                s.with_rank(end, 0)
            elif dims is not None:
                s.merge_dim(s.with_rank(end, 1)[0], dims[axis])
        return [input]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy, None, None]

    def lower(
        build: Any,
        input: Value,
        low: Value,
        high: Value,
        *,
        signed_input: bool,
        num_bits: int,
        range_given: bool,
        round_mode: Any,
        narrow_range: bool,
        axis: int,
    ) -> Value:
        limit = 62 if signed_input else 63
        if not 0 < num_bits < limit:
            raise invalid(build, f"num_bits is out of range: {num_bits} with signed_input_ {limit}")
        kept = () if axis == -1 else (axis,)
        if range_given:
            for name, end in (("input_min", low), ("input_max", high)):
                if end.type.shape:
                    found = shape_text(end.type.shape)
                    raise invalid(build, f"{name} must be a scalar, but has shape {found}.")
            message = "Invalid range: input_min {0} > input_max {1}"
            build.assert_(p.le(build, low, high), (low, high), message=message)
        else:
            others = tuple(d for d in range(input.type.rank) if d not in kept)
            low = p.reduce(build, input, dims=others, kind="min")
            high = p.reduce(build, input, dims=others, kind="max")
        steps = 1 << (num_bits - signed_input)
        first = -steps + narrow_range if signed_input else 0
        calc = Calc(build)
        ends = _ends(calc(low), calc(high), float(first), float(steps - 1))
        dims = () if range_given else kept
        bottom, top, scale, inverse = (_along(build, t, input, dims) for t in ends)
        x = calc(input)
        if range_given:
            x = x.atmost(top).atleast(bottom)
        x = x * scale
        rounded = calc(p.round_(build, x.value))
        if round_mode in ("HALF_UP", b"HALF_UP"):
            rounded = (x + 0.5).floor()
        return (rounded * inverse).value


def _ends(low: Term, high: Term, first: float, last: float) -> tuple[Term, Term, Term, Term]:
    """The ends moved so that 0 is a level, the levels a unit, and its reciprocal. The side that
    needs the coarser levels decides."""
    most = low.of(dtypes.by_short(low.value.type.dtype).max)
    by_low = (low.of(first) / low).where(low * first > 0.0, most)
    by_high = (high.of(last) / high).where(high * last > 0.0, most)
    lower = by_low < by_high
    # Of unsigned values no end is below 0, and the upper one decides.
    inverse = (low / first).where(lower, high / last) if first else high / last
    scale = by_low.where(lower, by_high)
    bottom = low.where(lower, inverse * first)
    return bottom, (inverse * last).where(lower, high), scale, inverse


def _along(build: Any, term: Term, like: Value, kept: tuple[int, ...]) -> Term:
    return term.calc(p.broadcast(build, term.value, dims=kept, shape=like.type.shape))


def quantize_and_dequantize(
    input: Any,
    input_min: Any,
    input_max: Any,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Tensor:
    """`input` rounded to the levels of integers of `num_bits` bits, as floats.

    The levels reach to the least and the greatest value; with `range_given` to input_min and
    input_max, and values beyond are clipped. With `axis` each slice along it has ends of its own,
    which are not given, as TensorFlow's kernel takes scalars only.
    narrow_range: signed levels are as many below 0 as above. round_mode: where halves go. The
    gradient passes as if there were no rounding.

    Raises:
      ValueError: ends that are no scalars, or not one for each slice.
      InvalidArgumentError: num_bits is out of range; when it runs, input_min > input_max, or ends
      that are given and no scalars.
    """
    x = convert_to_tensor(input, name="input")
    if axis is None:
        axis = -1
    elif axis < 0:
        rank = x.get_shape().ndims
        if rank is None:
            raise ValueError("input should have known rank to use negative axis.")
        axis %= rank
    return apply(
        "QuantizeAndDequantizeV2", x, input_min, input_max, signed_input=signed_input,
        num_bits=num_bits, range_given=range_given, round_mode=round_mode,
        narrow_range=narrow_range, axis=axis, name=name,
    )  # fmt: skip
