"""What Variable objects need beyond the state ops: initialized values, assignment to slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.variables import Variable
from tfc.ir.core import Value
from tfc.ops import slice_ops, slice_plan
from tfc.ops.host_forms import of_content
from tfc.ops.index_ops import getitem
from tfc.ops.lowering import invalid

_MASKS = ", ".join(f"{m}: int = 0" for m in slice_ops.MASKS)


class InitializedValue(
    OpDef,
    sig="InitializedValue(ref: Ref(T), initial_value: T) -> output: T",
    T=ANY,
):
    """The content of the variable, or `initial_value` where it has none.

    Which of the two is decided when a run is lowered, since that knows which variables have
    content; so an initializer that reads other variables works in any order.
    """

    def shape(ref: TensorShape, initial_value: TensorShape) -> list[TensorShape]:
        return [ref]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy, None]

    def lower(build: Any, ref: Any, initial_value: Value) -> Value:
        if ref.type is None:
            return initial_value
        content: Value = build.read(ref)
        return content

    def with_content(op: Any, content: Any, initial_value: Any) -> tuple[Any, bool]:
        return (initial_value if content is None else content), False


class StridedSliceAssign(
    OpDef,
    sig="StridedSliceAssign(ref: Ref(T), begin: Index, end: Index, strides: Index, value: T, "
    f"{_MASKS}) -> output_ref: Ref(T)",
    T=ANY,
    Index=INDEX,
):
    """`variable[begin:end:strides] = value`, where `value` broadcasts to the slice."""

    def shape(ref: TensorShape, *others: TensorShape) -> list[TensorShape]:
        return [ref]

    def lower(
        build: Any, ref: Any, begin: Value, end: Value, strides: Value, value: Value, **masks: Any
    ) -> Any:
        old = build.read(ref)
        dims = old.type.shape
        kept = {m: int(masks[m]) for m in slice_ops.MASKS}
        taken = slice_plan.take(build, dims, (begin, end, strides), kept)
        if not _broadcasts(value.type.shape, taken.result):
            raise invalid(
                build,
                f"could not assign {shape_text(value.type.shape)} to a slice of shape "
                f"{shape_text(taken.result)}",
            )
        update = p.broadcast_to(build, value, taken.result)
        update = p.reshape(build, update, shape=taken.extents)
        if not taken.windows:
            return build.write(ref, _with_places(build, old, taken.ranges, update))
        starts = taken.starts(build)
        window = p.dynamic_slice(build, old, *starts, sizes=taken.sizes(dims))
        window = _with_places(build, window, taken.ranges, update)
        return build.write(ref, p.dynamic_update_slice(build, old, window, *starts))

    with_content = of_content(lower)


def _with_places(build: Any, old: Value, ranges: Sequence[range], update: Value) -> Value:
    """`old` with `update` at these places of each axis."""
    if all(r == range(n) for r, n in zip(ranges, old.type.shape, strict=True)):
        return update
    places = np.stack(np.meshgrid(*(np.array(r) for r in ranges), indexing="ij"), axis=-1)
    index = p.constant(build, places.astype(np.int64))
    new: Value = p.scatter(build, old, index, update, dims=tuple(range(len(ranges))), kind="set")
    return new


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether a value of `shape` can be repeated to fill `target`."""
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def variable_getitem(variable: Variable, spec: Any) -> Tensor:
    """`variable[spec]`, a tensor; its `assign(value)` makes an op that assigns to that slice."""
    sliced = getitem(variable.value(), spec)
    made = sliced.op
    if made.type == "StridedSlice":

        def assign(value: Any, name: str | None = None) -> Tensor:
            masks = {m: made.get_attr(m) for m in slice_ops.MASKS}
            result: Tensor = apply(
                "StridedSliceAssign", variable._ref(), *made.inputs[1:], value, name=name, **masks
            )
            return result

        sliced.assign = assign  # type: ignore[attr-defined]  # this one tensor has it
    return sliced
