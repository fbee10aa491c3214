"""Functions made of others: lbeta, polyval, running log-sum-exp, products that ignore NaN."""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base.dtypes import FLOATS, INDEX, INEXACT
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import const_ops, reduction_ops
from tfc.ops.common import broadcast_args, define_binary, sum_to, unchanged
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid

# ---- products and quotients that ignore NaN


def _mul_no_nan(build: Any, x: Value, y: Value) -> Value:
    zero = p.full_like(build, y, 0)
    return p.select(build, p.eq(build, y, zero), zero, p.mul(build, x, y))


def _mul_no_nan_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    by_x, by_y = apply("MulNoNan", dz, y), apply("MulNoNan", x, dz)
    return [sum_to(by_x, rx, sx), sum_to(by_y, ry, sy)]


def _xlog1py(build: Any, x: Value, y: Value) -> Value:
    zero = p.full_like(build, x, 0)
    product = p.mul(build, x, p.log1p(build, y))
    return p.select(build, p.eq(build, x, zero), zero, product)


def _xlog1py_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    some = apply("Cast", apply("NotEqual", x, 0.0), DstT=x.dtype.base_dtype)
    by_x, by_y = apply("Xlog1py", some, y), apply("Xdivy", x, y + 1.0)
    return [sum_to(by_x * dz, rx, sx), sum_to(by_y * dz, ry, sy)]


MulNoNan = define_binary(
    "MulNoNan", INEXACT, "x y, and 0 where y is 0, whatever x is.", _mul_no_nan, _mul_no_nan_grad
)
Xlog1py = define_binary(
    "Xlog1py", FLOATS, "x log(1 + y), and 0 where x is 0.", _xlog1py, _xlog1py_grad
)


def _next_after(build: Any, x: Value, y: Value) -> Value:
    """One step in the order of bit patterns, which are read as sign and size."""
    calc = Calc(build)
    integer = "i32" if x.type.dtype == "f32" else "i64"
    a, b = calc(x), calc(y)
    bits = a.bits(integer)
    away = (b > a).equals(a > 0)
    stepped = (bits + 1).where(away, bits - 1).bits(x.type.dtype)
    least = bits.of(1).bits(x.type.dtype)
    stepped = ((-least).where(b < 0, least)).where(a.equals(0), stepped)
    result = b.where(a.equals(b), stepped)
    return result.where(a.equals(a) & b.equals(b), float("nan")).value


def _next_after_grad(op: Any, dz: Any) -> list[Any]:
    sx, sy, rx, ry = broadcast_args(*op.inputs)
    return [sum_to(dz, rx, sx), sum_to(const_ops.zeros_like(dz), ry, sy)]


NextAfter = define_binary(
    "NextAfter", ("f32", "f64"), "The number next to x in the direction of y.", _next_after,
    _next_after_grad,
)  # fmt: skip


def multiply_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x y, and 0 where y is 0 even if x is NaN or infinite.

    Raises:
      ValueError: x and y are of different dtypes.
    """
    with name_scope(name, "multiply_no_nan", [x, y]) as scope:
        left = convert_to_tensor(x, name="x")
        right = convert_to_tensor(y, name="y", dtype=left.dtype.base_dtype)
        return apply("MulNoNan", left, right, name=scope)


def xlog1py(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x log(1 + y), and 0 where x is 0."""
    with name_scope(name, "xlog1py", [x]):
        return apply("Xlog1py", x, y)


def nextafter(x1: Any, x2: Any, name: str | None = None) -> Tensor:
    """The number next to x1 in the direction of x2; x2 itself where they are equal."""
    return apply("NextAfter", x1, x2, name=name)


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """1 / x, and 0 where x is 0."""
    with name_scope(name, "reciprocal_no_nan", [x]) as scope:
        tensor = convert_to_tensor(x, name="x")
        one = const_ops.constant(1.0, dtype=tensor.dtype.base_dtype, name="one")
        return apply("DivNoNan", one, tensor, name=scope)


# ---- running sums of exponentials


def _shifted(build: Any, x: Value, dim: int, by: int, fill: Value) -> Value:
    """x moved along `dim` by `by` places, toward the end if positive."""
    zeros = [0] * x.type.rank
    low, high = list(zeros), list(zeros)
    low[dim], high[dim] = by, -by
    moved: Value = p.pad(build, x, fill, low=low, high=high, interior=zeros)
    return moved


def _log_add(build: Any, a: Value, b: Value) -> Value:
    """log(exp(a) + exp(b)); a where both are -inf."""
    calc = Calc(build)
    ta, tb = calc(a), calc(b)
    high, low = ta.atleast(tb), ta.atmost(tb)
    total = high + (low - high).exp().log1p()
    return high.where(low.equals(high) & high.equals(-float("inf")), total).value


class CumulativeLogsumexp(
    OpDef,
    sig="CumulativeLogsumexp(x: T, axis: Tidx, exclusive: bool = False, reverse: bool = False,"
    " Tidx: type = int32)"
    " -> out: T",
    T=FLOATS,
    Tidx=INDEX,
):
    """The logarithm of the sum of the exponentials up to each element along an axis. An
    exclusive sum starts with -inf.

    Spans of 1, 2, 4 ... elements are combined, so every sum is taken relative to its own maximum.
    """

    shape = unchanged

    def grad(op: Any, dy: Any) -> list[Any]:
        x, axis = op.inputs
        y, exclusive = op.outputs[0], op.get_attr("exclusive")
        attrs = {"exclusive": exclusive, "reverse": not op.get_attr("reverse")}
        lowest = const_ops.zeros_like(dy) + dy.dtype.min

        def part(chosen: Any, of: Any) -> Any:
            log = apply("Select", chosen, apply("Log", of), lowest)
            return apply("Exp", apply("CumulativeLogsumexp", log - y, axis, **attrs) + x)

        positive, negative = apply("Greater", dy, 0), apply("Less", dy, 0)
        return [part(positive, dy) - part(negative, -dy), None]

    def lower(
        build: Any, x: Value, axis: Value, *, exclusive: bool, reverse: bool, **_: Any
    ) -> Value:
        at, rank = int(build.static(axis).ravel()[0]), x.type.rank
        if not -rank <= at < rank:
            raise invalid(
                build, f"ScanOp: Expected scan axis in the range [{-rank}, {rank}), but got {at}"
            )
        dim = at % rank
        half = x.type.dtype in ("f16", "bf16")
        total = p.convert(build, x, dtype="f32") if half else x
        nothing = p.constant(build, -float("inf"), total.type.dtype)
        sign, step = (-1 if reverse else 1), 1
        while step < x.type.shape[dim]:
            before = _shifted(build, total, dim, sign * step, nothing)
            total = _log_add(build, total, before)
            step *= 2
        total = p.convert(build, total, dtype=x.type.dtype) if half else total
        if exclusive:
            nothing = p.constant(build, -float("inf"), x.type.dtype)
            total = _shifted(build, total, dim, sign, nothing)
        return total


def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """log(sum(exp)) of the elements up to each one along `axis`: without the element itself if
    `exclusive`, from the end if `reverse`."""
    with name_scope(name, "CumulativeLogsumexp", [x]) as scope:
        tensor = convert_to_tensor(x, name="x")
        return apply(
            "CumulativeLogsumexp", tensor, axis, exclusive=exclusive, reverse=reverse, name=scope
        )


# ---- compositions


def lbeta(x: Any, name: str | None = None) -> Tensor:
    """log |beta(x)| along the last axis: the sum of lgamma(x) less lgamma of the sum."""
    with name_scope(name, "lbeta", [x]):
        tensor = convert_to_tensor(x, name="x")
        product = reduction_ops.reduce_sum(apply("Lgamma", tensor), axis=[-1])
        total = apply("Lgamma", reduction_ops.reduce_sum(tensor, axis=[-1]))
        return product - total


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """The polynomial with the coefficients of the list `coeffs`, highest power first, at x.

    Raises:
      ValueError: `coeffs` is no list.
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type. Received type {type(coeffs)}.")
    with name_scope(name, "polyval", [*coeffs, x]):
        x = convert_to_tensor(x, name="x")
        if not coeffs:
            return const_ops.zeros_like(x, name=name)
        terms = [convert_to_tensor(c, name=f"coeff{i}") for i, c in enumerate(coeffs)]
        total = terms[0]
        for term in terms[1:]:
            total = term + total * x
        return total
