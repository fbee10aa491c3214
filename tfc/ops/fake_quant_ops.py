"""Fake quantisation: rounding to the levels that `num_bits` bits between min and max have.

The range is moved so that 0 is a level: zero_point is what rounds nearest to -min / scale.
"""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base import errors
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules
from tfc.ops.common import unchanged
from tfc.ops.loops import Calc, Term
from tfc.ops.lowering import invalid

_BITS = "num_bits: int = 8, narrow_range: bool = False"
_RANGE = f"min: float = -6.0, max: float = 6.0, {_BITS}"


def _check_bits(num_bits: int, op: Any) -> None:
    if not 2 <= num_bits <= 16:
        raise errors.InvalidArgumentError(
            None, op, f"num_bits must be between 2 and 16, inclusive, but is {num_bits}"
        )


def _levels(low: Term, high: Term, num_bits: int, narrow: bool) -> tuple[Term, Term, Term]:
    """(the lowest level, the highest, the distance of two)."""
    first, last = float(narrow), float(2**num_bits - 1)
    scale = (high - low) / (last - first)
    zero = first - low / scale
    rounded = (zero + 0.5).floor()
    rounded = zero.of(first).where(zero < first, zero.of(last).where(zero > last, rounded))
    return (first - rounded) * scale, (last - rounded) * scale, scale


def _quantised(x: Term, low: Term, high: Term, scale: Term, inverse: bool = False) -> Term:
    """`inverse`: by the reciprocal of the scale, as TensorFlow does where the ends are attributes;
    the last bit decides where a number between two levels goes."""
    above = x.atmost(high).atleast(low) - low
    steps = above * (1.0 / scale) if inverse else above / scale
    return (steps + 0.5).floor() * scale + low


def _passes(x: Term, low: Term, high: Term) -> Term:
    return (x >= low) & (x <= high)


def _spread(build: Any, v: Value, shape: tuple[int, ...]) -> Term:
    return Calc(build)(p.broadcast_to(build, v, shape))


def _ends(build: Any, low: Value, high: Value, like: Value, attrs: dict[str, Any]) -> Any:
    """The levels' ends and distance in the shape of `like`; min and max are scalars or one for
    each of the last dimension."""
    _check_bits(attrs["num_bits"], build.op)
    shape = like.type.shape
    first, last = _spread(build, low, shape), _spread(build, high, shape)
    return _levels(first, last, attrs["num_bits"], attrs["narrow_range"])


def _fixed(build: Any, attrs: dict[str, Any], like: Value) -> Any:
    low, high = attrs["min"], attrs["max"]
    if not low < high:
        raise invalid(build, f"min has to be smaller than max, was: {low} >= {high}")
    ends = [p.constant(build, v, "f32") for v in (low, high)]
    return _ends(build, ends[0], ends[1], like, attrs)


class FakeQuantWithMinMaxArgs(
    OpDef, sig=f"FakeQuantWithMinMaxArgs(inputs: float32, {_RANGE}) -> outputs: float32"
):
    """`inputs` rounded to the levels between two numbers."""

    shape = unchanged

    def grad(op: Any, dy: Any) -> list[Any]:
        attrs = {n: op.get_attr(n) for n in ("min", "max", "num_bits", "narrow_range")}
        return [apply("FakeQuantWithMinMaxArgsGradient", dy, op.inputs[0], **attrs)]

    def lower(build: Any, inputs: Value, **attrs: Any) -> Value:
        levels = _fixed(build, attrs, inputs)
        return _quantised(Calc(build)(inputs), *levels, inverse=True).value


class FakeQuantWithMinMaxArgsGradient(
    OpDef,
    sig="FakeQuantWithMinMaxArgsGradient(gradients: float32, inputs: float32, "
    f"{_RANGE}) -> backprops: float32",
):
    """`gradients` where the input lies between the ends of the levels, 0 elsewhere."""

    shape = unchanged

    def lower(build: Any, gradients: Value, inputs: Value, **attrs: Any) -> Value:
        _one_shape(build, gradients, inputs)
        low, high, _ = _fixed(build, attrs, inputs)
        calc = Calc(build)
        return calc(gradients).where(_passes(calc(inputs), low, high), 0.0).value


def _one_shape(build: Any, gradients: Value, inputs: Value) -> None:
    if gradients.type.shape != inputs.type.shape:
        raise invalid(
            build, "gradient and input must be the same size: "
            f"{shape_text(gradients.type.shape)} vs. {shape_text(inputs.type.shape)}",
        )  # fmt: skip


def _check_ends(build: Any, inputs: Value, low: Value, high: Value, channels: bool) -> None:
    if not channels:
        for name, end in (("min", low), ("max", high)):
            if end.type.shape != ():
                shape = shape_text(end.type.shape)
                raise invalid(
                    build, f"`{name}` must be rank 0 but is rank {end.type.rank}: {shape}"
                )
        return
    depth = inputs.type.shape[-1:] or (-1,)
    for name, end in (("min", low), ("max", high)):
        if end.type.shape != depth:
            raise invalid(build, f"{name} has incorrect size, expected {depth[0]} was {end.type}")


def _vars_shape(channels: bool) -> Any:
    def shape(inputs: TensorShape, low: TensorShape, high: TensorShape) -> list[TensorShape]:
        if not channels:
            for end in (low, high):
                shape_rules.with_rank(end, 0)
            return [inputs]
        dims = shape_rules.with_rank_at_least(inputs, 1)
        sizes = [shape_rules.with_rank(end, 1)[0] for end in (low, high)]
        size = shape_rules.merge_dim(sizes[0], sizes[1])
        if dims is not None:
            shape_rules.merge_dim(dims[-1], size)  # a check: TensorFlow infers no more
        return [inputs]

    return shape


def _define(channels: bool) -> None:
    name = "FakeQuantWithMinMaxVars" + ("PerChannel" if channels else "")
    ends = "min: float32, max: float32"

    class FakeQuant(OpDef, sig=f"{name}(inputs: float32, {ends}, {_BITS}) -> outputs: float32"):
        shape = _vars_shape(channels)

        def grad(op: Any, dy: Any) -> list[Any]:
            attrs = {n: op.get_attr(n) for n in ("num_bits", "narrow_range")}
            return list(apply(name + "Gradient", dy, *op.inputs, **attrs))

        def lower(build: Any, inputs: Value, low: Value, high: Value, **attrs: Any) -> Value:
            _check_ends(build, inputs, low, high, channels)
            x = Calc(build)(inputs)
            first, last, scale = _ends(build, low, high, inputs, attrs)
            # TensorFlow gives zeros where both ends are 0
            empty = _spread(build, low, inputs.type.shape).equals(0.0)
            empty = empty & _spread(build, high, inputs.type.shape).equals(0.0)
            return x.of(0.0).where(empty, _quantised(x, first, last, scale)).value

    class Gradient(
        OpDef,
        sig=f"{name}Gradient(gradients: float32, inputs: float32, {ends}, {_BITS}) -> "
        "backprops_wrt_input: float32, backprop_wrt_min: float32, backprop_wrt_max: float32",
    ):
        def shape(
            dy: TensorShape, inputs: TensorShape, low: TensorShape, high: TensorShape
        ) -> list[TensorShape]:
            return [*_vars_shape(channels)(inputs, low, high), low, high]

        def lower(
            build: Any, dy: Value, inputs: Value, low: Value, high: Value, **attrs: Any
        ) -> tuple[Value, ...]:
            _one_shape(build, dy, inputs)
            _check_ends(build, inputs, low, high, channels)
            calc = Calc(build)
            x, given = calc(inputs), calc(dy)
            first, last, _ = _ends(build, low, high, inputs, attrs)
            empty = _spread(build, low, inputs.type.shape).equals(0.0)
            empty = empty & _spread(build, high, inputs.type.shape).equals(0.0)
            kept = given.where(_passes(x, first, last) | empty, 0.0)
            dims = tuple(range(inputs.type.rank - (1 if channels else 0)))
            sides = [given.where(side & ~empty, 0.0) for side in (x < first, x > last)]
            sums = [p.reduce(build, t.value, dims=dims, kind="add") for t in sides]
            return (kept.value, *sums)

    where = "for each channel" if channels else "between two scalars"
    FakeQuant.__doc__ = f"`inputs` rounded to levels {where}."
    Gradient.__doc__ = f"The gradients of {name} with respect to its input and both ends."


_define(channels=False)
_define(channels=True)


def fake_quant_with_min_max_args(
    inputs: Any,
    min: float = -6,
    max: float = 6,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """`inputs` rounded to the 2^num_bits (one less if `narrow_range`) levels from min to max."""
    return apply(
        "FakeQuantWithMinMaxArgs", inputs, min=min, max=max, num_bits=num_bits,
        narrow_range=narrow_range, name=name,
    )  # fmt: skip


def fake_quant_with_min_max_args_gradient(
    gradients: Any,
    inputs: Any,
    min: float = -6,
    max: float = 6,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """The gradient of `fake_quant_with_min_max_args`."""
    return apply(
        "FakeQuantWithMinMaxArgsGradient", gradients, inputs, min=min, max=max, num_bits=num_bits,
        narrow_range=narrow_range, name=name,
    )  # fmt: skip


def _vars(op: str, args: tuple[Any, ...], num_bits: int, narrow: bool, name: Any) -> Any:
    return apply(op, *args, num_bits=num_bits, narrow_range=narrow, name=name)


def fake_quant_with_min_max_vars(
    inputs: Any,
    min: Any,
    max: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """`inputs` rounded to levels between two scalars, which have gradients too."""
    args = inputs, min, max
    return _vars("FakeQuantWithMinMaxVars", args, num_bits, narrow_range, name)


def fake_quant_with_min_max_vars_gradient(
    gradients: Any,
    inputs: Any,
    min: Any,
    max: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Any:
    """The three gradients of `fake_quant_with_min_max_vars`."""
    args = gradients, inputs, min, max
    return _vars("FakeQuantWithMinMaxVarsGradient", args, num_bits, narrow_range, name)


def fake_quant_with_min_max_vars_per_channel(
    inputs: Any,
    min: Any,
    max: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """`inputs` rounded to levels; each of the last dimension has its own min and max."""
    args = inputs, min, max
    return _vars("FakeQuantWithMinMaxVarsPerChannel", args, num_bits, narrow_range, name)


def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: Any,
    inputs: Any,
    min: Any,
    max: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Any:
    """The three gradients of `fake_quant_with_min_max_vars_per_channel`."""
    args = gradients, inputs, min, max
    return _vars("FakeQuantWithMinMaxVarsPerChannelGradient", args, num_bits, narrow_range, name)
