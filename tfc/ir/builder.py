"""Builder and rebuild: the only ways to make ops.

A Builder infers result types, numbers equal pure ops once (so CSE happens while anything is
built), folds small constants through each definition's numpy meaning, and keeps order. A pass is
`rebuild(fn, rule)`: the live ops of a function go through a fresh Builder, and the rule may return
values to stand for an op's results. After `finish`, every op's operands precede it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import numpy_dtype
from tfc.ir.core import Function, Literal, Op, Type, Value, attrs_key, sorted_attrs
from tfc.ir.walk import has_effects, live_ops

# Folding in the Builder is for shape arithmetic and scalars; passes/fold.py takes larger constants.
FOLD_ELEMENTS = 64
_ROUNDED = (*dtypes.FLOATS, *dtypes.COMPLEX)

Rule = Callable[["Builder", Op], Sequence[Value] | None]

_SOURCES = frozenset({"const", "iota"})
_CONSTANTS = _SOURCES | {"broadcast"}  # what makes values that are known


class Builder:
    """Appends ops to a function under construction."""

    def __init__(self, name: str, params: Iterable[Value] = ()):
        self.name = name
        self.params: list[Value] = list(params)
        self.ops: list[Op] = []
        self.loc = ""
        self.fold_elements = FOLD_ELEMENTS
        self._known: dict[Any, Op] = {}

    def param(self, type: Type) -> Value:
        """A new parameter."""
        self.params.append(Value(type))
        return self.params[-1]

    def emit(
        self, defn: Any, *operands: Value, regions: tuple[Function, ...] = (), **attrs: Any
    ) -> tuple[Value, ...]:
        """The results of `defn` applied to `operands`."""
        return self.adopt(make_op(defn, operands, sorted_attrs(attrs.items()), regions, self.loc))

    def adopt(self, op: Op) -> tuple[Value, ...]:
        """Append `op`; or return the constants it folds to, or the results of an equal op."""
        if not has_effects(op):
            if folded := self._fold(op):
                return folded
            key = op_key(op)
            known = self._known.setdefault(key, op)
            if known is not op:
                return known.results
        self.ops.append(op)
        return op.results

    def finish(self, results: Iterable[Value], attrs: Iterable[tuple[str, Any]] = ()) -> Function:
        """The function built so far, returning `results`."""
        return Function(
            self.name, tuple(self.params), tuple(self.ops), tuple(results), sorted_attrs(attrs)
        )

    def _fold(self, op: Op) -> tuple[Value, ...] | None:
        """Constants for the results of a pure op over constants, all of them small, where numpy
        gives the bits that compiled code gives."""
        if not op.operands or not op.defn.folds or op.regions:
            return None
        for operand in op.operands:  # nearly all ops end here
            if operand.op is None or operand.op.defn.name not in _CONSTANTS:
                return None
        values = op.operands + op.results
        if any(v.type.size > self.fold_elements for v in values):
            return None
        if not op.defn.exact and any(v.type.dtype in _ROUNDED for v in values):
            return None
        arrays = []
        for operand in op.operands:
            array = constant_value(operand)
            if array is None:
                return None
            arrays.append(array)
        const = op.defn.const
        return tuple(self.emit(const, value=Literal(v))[0] for v in eval_op(op, arrays))


def make_op(
    defn: Any,
    operands: tuple[Value, ...],
    attrs: tuple[tuple[str, Any], ...],
    regions: tuple[Function, ...] = (),
    loc: str = "",
) -> Op:
    """An op with inferred result types. Only builders and the parser call this."""
    op = Op(defn, operands, attrs, regions, loc)
    return with_results(op, infer_types(op))


def infer_types(op: Op) -> tuple[Type, ...]:
    """The result types that the definition of `op` gives.

    Raises:
      ValueError: the definition does not take these operands and attributes.
    """
    kwargs = op.kwargs
    if op.regions:
        kwargs["regions"] = op.regions
    types: tuple[Type, ...] = op.defn.infer(*(v.type for v in op.operands), **kwargs)
    return types


def with_results(op: Op, types: Sequence[Type]) -> Op:
    """`op`, which has no results yet, with new ones of `types`. Only `make_op` and the parser,
    whose functions are verified, say what the types are."""
    results = tuple(Value(type, op, index) for index, type in enumerate(types))
    object.__setattr__(op, "results", results)
    return op


def op_key(op: Op) -> Any:
    """Two pure ops with equal keys compute the same values."""
    return (
        op.defn,
        op.operands,
        attrs_key(op.attrs),
        op.regions,
    )


def eval_op(op: Op, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The numpy meaning of `op` on `arrays`, in exactly the types it infers."""
    kwargs = op.kwargs
    if op.regions:
        kwargs["regions"] = op.regions
    with np.errstate(all="ignore"):
        values = op.defn.eval(*arrays, **kwargs)
    if len(op.results) == 1 and not isinstance(values, tuple):
        values = (values,)
    return tuple(
        np.asarray(v, dtype=numpy_dtype(r.type.dtype)).reshape(r.type.shape)
        for v, r in zip(values, op.results, strict=True)
    )


def constant_value(value: Value) -> np.ndarray | None:
    """The array that `value` is known to be: a constant, an `iota`, or a `broadcast` of one; or
    None.

    `broadcast` is never folded by itself: a splat stays `broadcast(const)`, so that no pass makes
    a dense literal out of a scalar.
    """
    chain: list[Op] = []
    while value.op is not None and value.op.defn.name == "broadcast":
        chain.append(value.op)
        value = value.op.operands[0]
    if value.op is None or value.op.defn.name not in _SOURCES:
        return None
    (array,) = eval_op(value.op, ())
    for op in reversed(chain):
        (array,) = eval_op(op, (array,))
    return array


def with_operands(op: Op, operands: tuple[Value, ...]) -> Op:
    """`op` itself if the operands are the same values, else a copy that takes the new ones."""
    if op.operands == operands:  # values are equal if they are the same
        return op
    return copied(op, operands)


def copied(op: Op, operands: tuple[Value, ...]) -> Op:
    """A copy of `op` on other operands."""
    if [v.type for v in op.operands] != [v.type for v in operands]:
        return make_op(op.defn, operands, op.attrs, op.regions, op.loc)
    copy = Op(op.defn, operands, op.attrs, op.regions, op.loc)
    return with_results(copy, [v.type for v in op.results])  # types follow from types


def rebuild(fn: Function, rule: Rule, builder: Builder | None = None) -> Function:
    """`fn` with its live ops passed through a Builder, and `rule` asked about each.

    The rule sees the op with its new operands and returns values of the same types, or None to
    keep the op. Regions are rebuilt first, by the same rule.
    """
    builder = builder or Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        op = with_operands(old, tuple([new.get(v, v) for v in old.operands]))
        if op.regions:
            op = _with_regions(op, tuple(rebuild(r, rule) for r in op.regions))
        builder.loc = old.loc
        replaced = rule(builder, op)
        results = builder.adopt(op) if replaced is None else replaced
        new.update(zip(old.results, results, strict=True))
    results = tuple(new.get(v, v) for v in fn.results)
    same = len(builder.ops) == len(fn.ops) and results == fn.results
    if same and all(a is b for a, b in zip(builder.ops, fn.ops, strict=True)):
        return fn
    return builder.finish(results, fn.attrs)


def _with_regions(op: Op, regions: tuple[Function, ...]) -> Op:
    if all(a is b for a, b in zip(op.regions, regions, strict=True)):
        return op
    return make_op(op.defn, op.operands, op.attrs, regions, op.loc)
