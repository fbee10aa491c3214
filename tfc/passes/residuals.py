"""Residuals: what a loop or a condition keeps of its body for the gradient.

A gradient region takes tensors of the region that it differentiates. For each, the op `Residual`
beside the owner stands for its values in all iterations; it names the tensor, so nothing is added
to the owner, which is lowered to keep just what the Residual ops of one function ask for: an array
with an entry an iteration. What never changes in the loop is kept once, as a `Kept` without an
axis for the iterations; who cannot take that gets the array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Type, Value
from tfc.passes.lower_errors import NeedsRoom, NotNative
from tfc.passes.regions import inline


@dataclass(frozen=True)
class Level:
    """A loop around a kept value: how many entries its array has (None: unknown), and whether the
    value has an axis for them (if not, it is the same in every iteration). owner: the While, for
    which room can be made if the entries are unknown."""

    entries: int | None
    stored: bool
    owner: Any = None


@dataclass(frozen=True)
class Kept:
    """A value that iterations of one or more loops kept, outermost first; at least one of the
    levels is not stored, else it is an ordinary value."""

    value: Value
    levels: tuple[Level, ...]

    @property
    def type(self) -> Type:
        """The type of the whole array."""
        shape = list(self.value.type.shape)
        for axis, level in enumerate(self.levels):
            if not level.stored:
                if level.entries is None:
                    raise NeedsRoom(level.owner)
                shape.insert(axis, level.entries)
        return Type(self.value.type.dtype, tuple(shape))


@dataclass(frozen=True)
class Numbers:
    """The numbers of the iterations, from 0 on."""

    entries: int
    dtype: str


@dataclass(frozen=True)
class Remade:
    """What is not kept but made again: a function of the entries of `args`, each an array, Numbers,
    a Kept or a Remade; its ops are cheap (`passes/rematerialize.py`)."""

    function: Function
    args: tuple[Any, ...]
    entries: int

    @property
    def type(self) -> Type:
        """The type of the whole array."""
        (made,) = self.function.results
        return Type(made.type.dtype, (self.entries, *made.type.shape))


class NotTaken:
    """What stands for a tensor of a branch that is never taken: nobody takes what is kept of it,
    and its type need not be known."""

    @property
    def type(self) -> Type:
        raise NotNative("a gradient needs what a branch kept that is never taken")


NOT_TAKEN = NotTaken()


def with_values(value: Any, change: Callable[[Value], Value]) -> Any:
    """`value`, which may be kept or remade, of other arrays."""
    if value is NOT_TAKEN or isinstance(value, Numbers):
        return value
    if isinstance(value, Kept):
        return Kept(change(value.value), value.levels)
    if isinstance(value, Remade):
        args = tuple(with_values(arg, change) for arg in value.args)
        return Remade(value.function, args, value.entries)
    return change(value)


def kept(value: Any, level: Level) -> Any:
    """`value`, itself perhaps kept by inner loops, as a loop around keeps it."""
    inner = value.levels if isinstance(value, Kept) else ()
    value = value.value if isinstance(value, Kept) else value
    levels = (level, *inner)
    if all(each.stored for each in levels):
        return value
    return Kept(value, levels)


def content(value: Any) -> Value:
    """What has to be stored of a value that may be kept."""
    found: Value = value.value if isinstance(value, Kept) else value
    return found


def dense(build: Any, value: Any) -> Any:
    """The whole array of a kept or remade value; anything else as it is."""
    if isinstance(value, Remade):
        return _all_entries(build, value)
    if isinstance(value, Numbers):
        return p.iota(build, shape=(value.entries,), dim=0, dtype=value.dtype)
    if not isinstance(value, Kept):
        return value
    type = value.type
    places = [axis for axis, level in enumerate(value.levels) if level.stored]
    places += range(len(value.levels), len(type.shape))
    return p.broadcast(build, value.value, shape=type.shape, dims=tuple(places))


def _all_entries(build: Any, remade: Remade) -> Value:
    """The function of a remade value, of all entries at once: each value has an axis more."""
    if any(op.defn.name in ("slice", "dynamic_slice") for op in remade.function.ops):
        return _entry_by_entry(build, remade)
    args = [dense(build, arg) for arg in remade.args]
    values: dict[Value, Value] = dict(zip(remade.function.params, args, strict=True))
    for op in remade.function.ops:
        shape = (remade.entries, *op.result.type.shape)
        if op.defn.name == "const":
            made, inner = p.const(build, value=op.attr("value")), tuple(range(1, len(shape)))
            values[op.result] = p.broadcast(build, made, shape=shape, dims=inner)
        elif op.defn.name == "broadcast":
            dims = (0, *(d + 1 for d in op.attr("dims")))
            values[op.result] = p.broadcast(build, values[op.operands[0]], shape=shape, dims=dims)
        elif op.defn.name == "reshape":
            values[op.result] = p.reshape(build, values[op.operands[0]], shape=shape)
        elif op.defn.name == "concat":
            parts = [values[v] for v in op.operands]
            values[op.result] = p.concat(build, *parts, dim=op.attr("dim") + 1)
        else:
            operands = tuple(values[v] for v in op.operands)
            (values[op.result],) = build.adopt(make_op(op.defn, operands, op.attrs))
    return values[remade.function.results[0]]


def _entry_by_entry(build: Any, remade: Remade) -> Value:
    """The same by a loop, for functions that read parts of arrays."""
    type, number = remade.type, Type("i32", ())
    arrays: dict[Value, Value] = {}  # by what is outside, what the body sees

    def inside(value: Value) -> Value:
        return arrays.setdefault(value, Value(value.type))

    inner = with_values(remade, inside)
    params = [Value(number), Value(type), *arrays.values()]
    body = Builder("body", params)
    at, filled = params[:2]
    zero, one = (p.constant(body, np.asarray(n, np.int32)) for n in (0, 1))
    made = p.reshape(body, entry(body, inner, at), shape=(1, *type.shape[1:]))
    filled = p.dynamic_update_slice(body, filled, made, at, *[zero] * (type.rank - 1))
    carried = [p.add(body, at, one), filled, *arrays.values()]
    test = Builder("cond", [Value(v.type) for v in params])
    last = p.constant(test, np.asarray(remade.entries, np.int32))
    regions = (test.finish([p.lt(test, test.params[0], last)]), body.finish(carried))
    start = [p.constant(build, np.zeros((), np.int32)), p.splat(build, 0, type), *arrays]
    result: Value = build.emit(p.while_, *start, regions=regions)[1]
    return result


def entry(build: Any, value: Any, index: Value) -> Any:
    """What was kept in iteration `index`."""
    if value is NOT_TAKEN:
        return value
    if isinstance(value, Remade):
        entries = [entry(build, arg, index) for arg in value.args]
        return inline(build, value.function, entries)[0]
    if isinstance(value, Numbers):
        return p.convert(build, index, dtype=value.dtype)
    if isinstance(value, Kept):
        first, *inner = value.levels
        if not first.stored:
            return Kept(value.value, tuple(inner)) if _some(inner) else value.value
        return Kept(entry(build, value.value, index), tuple(inner))
    shape = value.type.shape
    zero = p.constant(build, np.zeros((), np.int32))
    starts = [index, *[zero] * (len(shape) - 1)]
    one = p.dynamic_slice(build, value, *starts, sizes=(1, *shape[1:]))
    return p.reshape(build, one, shape=shape[1:])


def _some(levels: Sequence[Level]) -> bool:
    """Whether a value with these levels is less than its whole array."""
    return any(not level.stored for level in levels)


def residuals_among(ops: Iterable[Any]) -> dict[Any, list[Any]]:
    """By owner, the tensors of its regions that Residual ops among `ops` ask for."""
    found: dict[Any, list[Any]] = {}
    for op in ops:
        if op.type == "Residual":
            found.setdefault(op._attrs["_owner"], []).append(op._attrs["_tensor"])
    return found


def counted_among(ops: Iterable[Any]) -> set[Any]:
    """Owners of the LoopCount ops among `ops`."""
    return {op._attrs["_owner"] for op in ops if op.type == "LoopCount"}
