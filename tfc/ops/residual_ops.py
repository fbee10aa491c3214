"""Ops that stand between a loop or condition and its gradient: what was kept, entry by entry.

Only gradients make them. They are ordinary ops of the graph, with gradients of their own, so that
derivatives of any order go through loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.operation import Operation
from tfc.framework.regions import TapeGradient
from tfc.ir.core import Type, Value
from tfc.ops.host_forms import by_entries
from tfc.passes.residuals import dense, entry


class _OfTape:
    """Ops that take the tape of an If or While: native unless the owner is driven."""

    @classmethod
    def is_host(cls, op: Operation) -> bool:
        return False


class Residual(_OfTape, OpDef, sig="Residual(tape: variant, T: type) -> values: T", T=ANY):
    """The values that a tensor of a region had: of a loop, one entry an iteration; of a
    condition, the value itself (zeros if its branch was not taken)."""

    def shape(tape: TensorShape, *, op: Any) -> list[TensorShape]:
        known = op._attrs["_tensor"].get_shape()
        if op._attrs["_owner"].type == "If":
            return [known]
        return [TensorShape([None]).concatenate(known)]

    def grad(op: Any, dy: Any) -> list[Any]:
        dtype = op.outputs[0].dtype
        flows = dtype.is_floating or dtype.is_complex
        return [TapeGradient({op._attrs["_tensor"]: dy}) if flows else None]

    def lower(build: Any, tape: Any, *, op: Any) -> Any:
        return build.kept[op._attrs["_tensor"]]

    def host(tape: Any, *, op: Any) -> Any:
        return tape[()].values_of(op._attrs["_tensor"])


class ResidualAt(OpDef, sig="ResidualAt(values: T, index: int32, T: type) -> entry: T", T=ANY):
    """Entry `index` of what a loop kept."""

    takes_kept = True

    def shape(values: TensorShape, index: TensorShape) -> list[TensorShape]:
        return [values[1:]]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("ResidualAtGrad", op.inputs[0], op.inputs[1], dy), None]

    def lower(build: Any, values: Any, index: Value) -> Any:
        return entry(build, values, index)

    def host(values: Any, index: Any) -> Any:
        if values.dtype == object and not values.shape:
            return values  # of a branch that is never taken
        entry = values[int(index)]
        return np.empty((), object) if entry is None else entry  # None: its branch was not taken


class ResidualAtGrad(
    OpDef, sig="ResidualAtGrad(values: T, index: int32, dy: T) -> output: T", T=ANY
):
    """An array like `values` that is zero but for entry `index`, which is `dy`."""

    takes_kept = True

    def shape(values: TensorShape, index: TensorShape, dy: TensorShape) -> list[TensorShape]:
        return [values]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [None, None, apply("ResidualAt", dy, op.inputs[1])]

    def lower(build: Any, values: Any, index: Value, dy: Any) -> Value:
        type, dy = values.type, dense(build, dy)
        zeros = p.splat(build, 0, Type(type.dtype, type.shape))
        one = p.reshape(build, dy, shape=(1, *dy.type.shape))
        zero = p.constant(build, np.zeros((), np.int32))
        starts = [index, *[zero] * (len(type.shape) - 1)]
        return p.dynamic_update_slice(build, zeros, one, *starts)

    def host(values: Any, index: Any, dy: Any) -> Any:
        if values.dtype == object and not values.shape:
            return values
        result = by_entries(np.zeros_like, values)
        result[int(index)] = dy
        return result


class LoopCount(_OfTape, OpDef, sig="LoopCount(tape: variant) -> count: int32"):
    """How often the loop ran."""

    def shape(tape: TensorShape) -> list[TensorShape]:
        return [TensorShape([])]

    def lower(build: Any, tape: Any, *, op: Any) -> Value:
        owner = op._attrs["_owner"]
        if owner in build.counts:
            return p.constant(build, np.asarray(build.counts[owner], np.int32))
        count: Value = build.values[owner]
        return count

    def host(tape: Any) -> Any:
        return np.asarray(tape[()].count, np.int32)
