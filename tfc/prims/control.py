"""Primitives with regions. `fusion` is a kernel: one native function computes its region. `while`
and `cond` are control flow: their regions are closed functions of what the op is given.

A carried value that the body returns untouched is *invariant*: it never changes, so whatever reads
it reads the operand. That is the only form in which a loop takes what it does not change. A loop
that *commits* is one whose turns stand for runs of their own: what earlier ones did is not undone.

An op of a body may say `next_turn`: nothing reads what it makes but the next turn, if there is one,
and the condition does not. It need not run in the last turn, and what such ops make there, what the
loop gives included, is then anything of its type.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.interp import run
from tfc.ir.walk import live_ops
from tfc.prims.prim import Prim, check

CONTROL = frozenset({"while", "cond"})
PREDICATE = Type("i1", ())


def _types(values: tuple[Value, ...]) -> tuple[Type, ...]:
    return tuple(v.type for v in values)


def _list(types: tuple[Type, ...]) -> str:
    return "(" + ", ".join(map(str, types)) + ")"


def _check_params(name: str, region: Function, operands: tuple[Type, ...]) -> None:
    params = _types(region.params)
    check(params == operands, f"{name} of {_list(operands)} has a region of {_list(params)}")


# --- fusion ---------------------------------------------------------------------------------


def _fusion_type(
    *operands: Type, hero: str, regions: tuple[Function, ...] = (), **_: Any
) -> tuple[Type, ...]:
    check(len(regions) == 1, "fusion has one region")
    _check_params("fusion", regions[0], operands)
    return _types(regions[0].results)


def _fusion_arrays(
    *operands: np.ndarray, hero: str, regions: tuple[Function, ...], **_: Any
) -> tuple[np.ndarray, ...]:
    return run(regions[0], operands)


fusion = Prim(
    "fusion",
    "one kernel: the results of its region; `hero` names the op that owns the loops, or 'loop'",
    _fusion_type,
    _fusion_arrays,
    folds=False,
)


# --- while ----------------------------------------------------------------------------------


def _while_type(*carried: Type, regions: tuple[Function, ...] = (), **_: Any) -> tuple[Type, ...]:
    check(len(regions) == 2, "while has two regions, condition and body")
    check(len(carried) > 0, "while carries at least one value")
    condition, body = regions
    for region in regions:
        _check_params("while", region, carried)
    tests = _types(condition.results)
    check(tests == (PREDICATE,), f"the condition of while gives one i1[], not {_list(tests)}")
    given = _types(body.results)
    check(given == carried, f"the body of while carries {_list(carried)}, not {_list(given)}")
    if any(map(serves_next_turn, body.ops)):
        tested = tuple(body.results[j] for j in read_by(condition))
        needed = live_ops(Function(body.name, body.params, body.ops, tested))
        wrong = any(map(serves_next_turn, needed))
        check(not wrong, "an op of the body of while that says next_turn is needed to end the turn")
    return carried


def _while_arrays(
    *carried: np.ndarray, regions: tuple[Function, ...], **_: Any
) -> tuple[np.ndarray, ...]:
    condition, body = regions
    while run(condition, carried)[0]:
        carried = run(body, carried)
    return carried


while_ = Prim(
    "while",
    "as long as the first region is true of the carried values, the second makes the next ones of "
    "them; the operands are the first, the results the last",
    _while_type,
    _while_arrays,
    folds=False,
)


def invariants(loop: Op) -> list[bool]:
    """For each value that a `while` carries, whether its body returns it untouched."""
    body = loop.regions[1]
    return [r is p for r, p in zip(body.results, body.params, strict=True)]


def commits(op: Op) -> bool:
    """Whether `op` is a loop each turn of which is whole by itself (attribute `commits`): if the
    run ends in it, by a failed `assert` or because it was told to, what it carries is left as it
    was after the last turn that ended, and not as before the run."""
    return op.defn.name == "while" and bool(op.kwargs.get("commits"))


def read_by(condition: Function) -> list[int]:
    """Which of the carried values the condition of a `while` reads."""
    read = {v for op in condition.ops for v in op.operands}.union(condition.results)
    return [j for j, param in enumerate(condition.params) if param in read]


def serves_next_turn(op: Op) -> bool:
    """Whether `op`, of the body of a loop, says `next_turn`."""
    return ("next_turn", True) in op.attrs


def looks_ahead(loop: Op) -> bool:
    """Whether ops of the body of `loop` serve the next turn only. Its condition is then read in the
    body, before these, as soon as what it reads of the body's results is there."""
    return any(map(serves_next_turn, loop.regions[1].ops))


def updates_of(loop: Op, j: int) -> list[Op] | None:
    """The `dynamic_update_slice` ops, in order, that make the next content of carried value `j`
    from this one; None if anything else does, or reads what lies between."""
    body = loop.regions[1]
    chain: list[Op] = []
    value = body.results[j]
    while value.op is not None and value.op.defn.name == "dynamic_update_slice":
        chain.append(value.op)
        value = value.op.operands[0]
    if not chain or value is not body.params[j]:
        return None
    made = {op.result for op in chain}
    reads = sum(v in made for op in body.ops for v in op.operands)
    reads += sum(v in made for v in body.results)
    return chain[::-1] if reads == len(chain) else None


# --- cond -----------------------------------------------------------------------------------


def _cond_type(
    pred: Type, *operands: Type, regions: tuple[Function, ...] = (), **_: Any
) -> tuple[Type, ...]:
    check(len(regions) == 2, "cond has two regions, for true and for false")
    check(pred == PREDICATE, f"cond decides by an i1[], not {pred}")
    for region in regions:
        _check_params("cond", region, operands)
    on_true, on_false = (_types(r.results) for r in regions)
    same = on_true == on_false
    check(same, f"the regions of cond give {_list(on_true)} and {_list(on_false)}")
    return on_true


def _cond_arrays(
    pred: np.ndarray, *operands: np.ndarray, regions: tuple[Function, ...], **_: Any
) -> tuple[np.ndarray, ...]:
    return run(regions[0] if pred else regions[1], operands)


cond = Prim(
    "cond",
    "the results of the first region if the predicate is true, else those of the second; both "
    "take all operands but the predicate",
    _cond_type,
    _cond_arrays,
    folds=False,
)
