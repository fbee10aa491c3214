"""Which `Unique` ops only make the rows of an update distinct, and need no list of their own size.

How many different elements a vector has is data, and would end a stage, and join the signature of
the next one. Optimizers ask for them only to add up the rows of a sparse gradient that go to one
row of a variable. That can be done in place: an element stands for all that are like it where it
comes first, and where it comes again there is no row (`ops/distinct_values.py`). All shapes are
those of the input then, and rows that stand for nothing are dropped by the op that updates. Where
the variable has fewer rows than there are indices, each of its rows stands for itself.

The argument that nothing else changes: what is made of such a `Unique` goes to no fetch, and only
to ops that keep rows apart, up to updates by these very indices. So the rows that are kept are
those that TensorFlow computes, with rows between them that nothing takes; their order is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from tfc.passes.versions import variable_of

# What a tensor is to its `Unique`: the different elements, the places of all among them, the shape
# of the different ones, their number, or something that has one row for each of them.
INDICES, PLACES, SHAPE, COUNT, ROWS = "indices", "places", "shape", "count", "rows"
UPDATE = "update"  # an op that puts such rows where they belong

_INTEGERS = ("i32", "i64")
_UPDATED = ("ScatterAdd", "ScatterDiv", "ScatterMax", "ScatterMin", "ScatterMul", "ScatterSub")
_UPDATES = frozenset((*_UPDATED, "ScatterUpdate"))
_NEW = frozenset(("grad", "delta", "updates"))  # what updates call the operand with the rows
# Element by element, for any elements: rows that stand for nothing must not raise an error either.
_ROW_BY_ROW = frozenset(
    (
        *("Abs", "Add", "AddV2", "Cast", "Identity", "Maximum", "Minimum", "Mul", "Neg"),
        *("RealDiv", "Rsqrt", "Sign", "Sqrt", "Square", "Sub"),
    )
)

Role = tuple[str, Any]  # and the Unique


def distinct_among(
    ops: Sequence[Any], fetches: Iterable[Any], fed: Set[Any]
) -> dict[Any, tuple[str, ...]]:
    """The `Unique` ops among `ops`, which are in order, that serve updates of rows alone, with the
    variables whose rows these are; no variables if their shapes may change on the way."""
    candidates = {op for op in ops if op.type == "Unique" and _may_stay(op, fed)}
    if not candidates:
        return {}
    roles: dict[Any, Role] = {}
    updated: dict[Any, list[str]] = {op: [] for op in candidates}
    for op in ops:
        taken = [roles.get(t) for t in op.inputs]
        if any(taken):
            kind = _result(op, taken)
            if kind is None or not fed.isdisjoint(op.outputs):
                candidates.difference_update(role[1] for role in taken if role)
            else:
                unique = next(role[1] for role in taken if role)
                if kind == UPDATE:
                    updated[unique].append(variable_of(op.inputs[0]).name)
                else:
                    roles[op.outputs[0]] = kind, unique
        if op in candidates:
            roles.update(zip(op.outputs, ((INDICES, op), (PLACES, op)), strict=True))
    candidates.difference_update(roles[t][1] for t in fetches if t in roles)
    if any(op.type == "Assign" and not op.attr("validate_shape") for op in ops):
        return dict.fromkeys(candidates, ())
    return {op: tuple(updated[op]) for op in ops if op in candidates}


def _may_stay(op: Any, fed: Set[Any]) -> bool:
    return op.inputs[0].dtype.base_dtype.short in _INTEGERS and fed.isdisjoint(op.outputs)


def _result(op: Any, taken: Sequence[Role | None]) -> str | None:
    """What `op`, whose inputs have the roles `taken`, makes: a role, or UPDATE.
    None: what it does with them is not known to be harmless."""
    kinds = [role[0] if role else "" for role in taken]
    if len({role[1] for role in taken if role}) != 1:
        return None
    if op.type == "UnsortedSegmentSum":
        return ROWS if kinds == ["", PLACES, COUNT] else None
    if op.type == "Shape":
        return SHAPE if kinds == [INDICES] else None
    if op.type == "Size":
        return COUNT if kinds == [INDICES] else None
    if op.type == "StridedSlice":  # a scalar out of one number is that number
        return COUNT if kinds[0] == SHAPE and not any(kinds[1:]) and _rank(op) == 0 else None
    if op.type in ("Gather", "GatherV2"):
        return ROWS if kinds[:2] == ["", INDICES] and _along_rows(op) else None
    if op.type in _ROW_BY_ROW:
        return ROWS if _keeps_rows(op, kinds) else None
    if op.type in _UPDATES or op.type.startswith("SparseApply"):
        return UPDATE if _updates(op, kinds) else None
    return None


def _updates(op: Any, kinds: Sequence[str]) -> bool:
    """Whether rows, or one number for all of them, go to the variable by their own indices."""
    names = [arg.name for arg in op.defn.signature().inputs]
    for name, kind, tensor in zip(names, kinds, op.inputs, strict=True):
        if name == "indices":
            fits = kind == INDICES
        elif name in _NEW:
            fits = kind == ROWS or not kind and tensor.get_shape().ndims == 0
        else:
            fits = not kind
        if not fits:
            return False
    return True


def _along_rows(op: Any) -> bool:
    """Whether a gather takes rows, which are along the first axis."""
    if op.type == "Gather":
        return True
    axis = op.inputs[2].op
    return axis.type == "Const" and not axis.attr("value").array.any() and not op.attr("batch_dims")


def _keeps_rows(op: Any, kinds: Sequence[str]) -> bool:
    """Whether all operands are rows, or numbers that are the same for all rows."""
    ranks = [tensor.get_shape().ndims for tensor in op.inputs]
    if any(
        kind not in ("", ROWS) or not kind and r != 0 for kind, r in zip(kinds, ranks, strict=True)
    ):
        return False
    of_rows = [r for kind, r in zip(kinds, ranks, strict=True) if kind]
    return len(of_rows) == 1 or None not in of_rows and len(set(of_rows)) == 1


def _rank(op: Any) -> int | None:
    rank: int | None = op.outputs[0].get_shape().ndims
    return rank
