"""Ops with regions: If and While, and the parameters of regions.

Their inputs are what the regions are given and everything they capture. The graph holds their
outputs under TensorFlow's names: `cond/Merge`, `while/Exit`.
"""

from __future__ import annotations

from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.opdef import ANY, OpDef
from tfc.framework.operation import Operation
from tfc.ir.core import Value
from tfc.ops.region_gradients import if_gradient, while_gradient
from tfc.passes.lower_regions import lower_if, lower_while

TAPE = object()  # the value of a tape in native code: who takes it looks up what was kept


class _RegionOp:
    """What If and While share: captured references stay references, and the last output is the
    *tape*, which stands for what was kept for gradients."""

    takes_kept = True

    takes_arrays = True

    @classmethod
    def ref_inputs(cls, op: Operation) -> tuple[bool, ...]:
        return tuple(t.dtype.is_ref_dtype for t in op.inputs)

    @classmethod
    def is_host(cls, op: Operation) -> bool:
        return False


class RegionParameter(OpDef, sig="RegionParameter(T: type, known_shape: shape) -> output: T"):
    """What a region is given. It has a value only while the owner of the region runs."""

    def shape(*, known_shape: TensorShape) -> list[TensorShape]:
        return [known_shape]


class If(
    _RegionOp,
    OpDef,
    sig="If(cond: bool, input: [Tin], Tout: list(type)) -> output: [Tout], tape: variant",
):
    """The results of the first region if `cond` is true, else those of the second."""

    stateful = True

    def shape(*_: TensorShape, op: Any) -> list[TensorShape]:
        then, other = op.regions
        pairs = zip(then.results, other.results, strict=True)
        shapes = [common_shape(a.get_shape(), b.get_shape()) for a, b in pairs]
        return [*shapes, TensorShape([])]

    def grad(op: Any, *dys: Any) -> list[Any]:
        return if_gradient(op, dys[:-1], dys[-1])

    def lower(build: Any, *operands: Any, op: Any) -> tuple[Any, ...]:
        return (*lower_if(build, op, operands), TAPE)


class While(
    _RegionOp, OpDef, sig="While(input: [Tin], Tout: list(type)) -> output: [Tout], tape: variant"
):
    """The first region tests, the second makes the next values of the loop's variables, which are
    the first inputs."""

    stateful = True

    def shape(*_: TensorShape, op: Any) -> list[TensorShape]:
        return [*(t.get_shape() for t in op.regions[1].params), TensorShape([])]

    def grad(op: Any, *dys: Any) -> list[Any]:
        return while_gradient(op, dys[:-1], dys[-1])

    def lower(build: Any, *operands: Any, op: Any) -> tuple[Any, ...]:
        return (*lower_while(build, op, operands), TAPE)


class Merge(OpDef, sig="Merge(input: T) -> output: T", T=ANY):
    """A result of a condition, under TensorFlow's name for it."""

    takes_arrays = True

    def shape(x: TensorShape) -> list[TensorShape]:
        return [x]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy]

    def lower(build: Any, x: Value) -> Value:
        return x

    def host(x: Any) -> Any:
        return x


class Exit(OpDef, sig="Exit(data: T) -> output: T", T=ANY):
    """A result of a loop, under TensorFlow's name for it."""

    takes_arrays = True

    def shape(x: TensorShape) -> list[TensorShape]:
        return [x]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy if op._attrs.get("_back_prop", True) else None]

    def lower(build: Any, x: Value) -> Value:
        return x

    def host(x: Any) -> Any:
        return x


def common_shape(a: TensorShape, b: TensorShape) -> TensorShape:
    """What is true of both shapes."""
    if a.ndims is None or b.ndims is None or a.ndims != b.ndims:
        return TensorShape(None)
    pairs = zip(a.as_list(), b.as_list(), strict=True)
    return TensorShape([x if x == y else None for x, y in pairs])
