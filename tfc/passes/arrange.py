# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""arrange: an operand that products would copy again and again is laid out once.

A product whose second operand is turned, or whose rows lie far apart, copies it panel by panel
before it multiplies (prims/contract_plan.py). Where a loop does so in every turn with an operand
that never changes, or several products do so with the same one, it is laid out once: in panels
[columns / PANEL, depth, PANEL], or, where panels are not possible, with its columns neighbours.
Every product and every sum stays the same, in the same order. What a product in a loop keeps from
run to run anyway (`keep`), of a parameter that is said to be `lasting`, stays as it is.

The product of panels has two axes for its columns, [rows, columns / PANEL, PANEL]: what it writes
lies as before. It is split by rows, as are the loops around it: threads find in their caches what
they wrote. What rides on it takes both axes too, if that is ops with repeated values, such as a
bias; where anything else does, there are no panels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from tfc import prims as p
from tfc.ir.builder import Builder, make_op, with_operands
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.walk import has_effects, live_ops, made_by, users
from tfc.passes.hoist import carry_out
from tfc.passes.matching import ELEMENTWISE
from tfc.passes.options import PassOptions
from tfc.prims.contract_plan import split
from tfc.prims.contraction import free_axes
from tfc.prims.kernel_info import source_of_memory
from tfc.prims.loop_nest import dot_contraction

PANEL = 32  # columns of a panel: whole packets on every target
TURNED, PANELS = "turned", "panels"
_FROM_MEMORY = frozenset({"slice", "dynamic_slice", "dot", "reduce"})  # read a finished product


def arrange(fn: Function, options: PassOptions) -> Function:
    """`fn` with the operands that its products would copy more than once laid out once."""
    lasting = dict(fn.attrs).get("lasting", ()) if options.enabled("keep") else ()
    kept = {fn.params[k] for k in lasting}
    return _arranged(fn, None, kept)[0]


def _arranged(
    fn: Function, fixed: Collection[Value] | None, kept: Collection[Value]
) -> tuple[Function, set[Value]]:
    """`fn`, and what is laid out in it. fixed: of the body of a loop, the parameters that never
    change. kept: the parameters of which panels are kept from run to run."""
    ops, found = live_ops(fn), set[Value]()
    forms = _forms(fn, ops, fixed, kept if fixed is not None else ())
    if not forms and not any(op.regions for op in ops):
        return fn, found
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    panels: dict[Value, Value] = {}  # what has two axes for its columns
    for old in ops:
        build.loc = old.loc
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        results: Sequence[Value]
        if op.regions:
            results = _with_regions(build, op, found, _given(old, kept))
        elif old in forms:
            laid = _laid_out(build, op, forms[old])
            found.add(laid)
            results = (_product(build, op, laid),)
        elif any(v in panels for v in old.operands) and old.defn.name in ELEMENTWISE:
            wide = [panels.get(v) or _repeated(build, new.get(v, v)) for v in old.operands]
            results = build.adopt(make_op(op.defn, tuple(wide), op.attrs, (), op.loc))
        else:
            results = build.adopt(op)
        if old.results and results[0].type.rank > old.results[0].type.rank:
            panels[old.result] = results[0]
            results = (p.reshape(build, results[0], shape=old.result.type.shape),)
        new.update(zip(old.results, results, strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs), found


def _given(op: Op, kept: Collection[Value]) -> list[set[Value]]:
    """Of each region of a loop or branch, the parameters that are given what is kept."""
    given = op.operands[1:] if op.defn.name == "cond" else op.operands
    return [
        {
            inner
            for inner, v in zip(region.params, given, strict=True)
            if source_of_memory(v) in kept
        }
        for region in op.regions
    ]


def _with_regions(
    build: Builder, op: Op, found: set[Value], kept: Sequence[set[Value]]
) -> tuple[Value, ...]:
    """The results of a loop or branch; what a loop lays out that never changes, it is given."""
    if op.defn.name != "while":
        pairs = zip(op.regions, kept, strict=True)
        regions = tuple(_arranged(region, None, inner)[0] for region, inner in pairs)
        return build.adopt(make_op(op.defn, op.operands, op.attrs, regions, op.loc))
    condition, body = op.regions
    fixed = {v for v, after in zip(body.params, body.results, strict=True) if v is after}
    body, laid = _arranged(body, fixed, fixed & kept[1])
    loop = make_op(op.defn, op.operands, op.attrs, (condition, body), op.loc)
    if not laid:
        return build.adopt(loop)
    results, outside = carry_out(build, loop, laid)
    found.update(outside.values())
    return results


# --- which ----------------------------------------------------------------------------------


def _forms(
    fn: Function, ops: Sequence[Op], fixed: Collection[Value] | None, kept: Collection[Value]
) -> dict[Op, str]:
    """The products whose second operand is to be laid out, each with the form it gets."""
    dots = [op for op in ops if op.defn.name == "dot" and _copies(op) and not _keeps(op, kept)]
    if not dots:
        return {}
    times = Counter(_key(op) for op in dots)
    never = _unchanging(ops, fixed)
    often = [op for op in dots if times[_key(op)] > 1 or op.operands[1] in never]
    if not often:
        return {}
    table = users(Function(fn.name, fn.params, tuple(ops), fn.results))
    forms = {op: _form(op, _parts_are_free(op, table, set(fn.results))) for op in often}
    return {op: form for op, form in forms.items() if form}


def _key(op: Op) -> tuple[Value, tuple[int, ...]]:
    return op.operands[1], op.attr("contract")[1]


def _unchanging(ops: Sequence[Op], fixed: Collection[Value] | None) -> set[Value]:
    """The values that are the same in every turn of the loop whose body this is."""
    if fixed is None:
        return set()
    found = set(fixed)
    for op in ops:
        if not has_effects(op) and all(v in found for v in op.operands):
            found.update(op.results)
    return found


def _copies(op: Op) -> bool:
    """Whether a product copies its second operand, and that operand is a matrix but for the number
    of axes that are contracted."""
    a, b = op.operands
    (_, batch), (_, contract) = op.attr("batch"), op.attr("contract")
    if batch or a.type.dtype not in ("f32", "f64") or a.type.size == 0 or b.type.size == 0:
        return False
    if len(free_axes(b.type.rank, batch, contract)) != 1:
        return False
    c = dot_contraction(a.type, b.type, **op.kwargs)
    return not c.swapped and split(c).pack


def _keeps(op: Op, kept: Collection[Value]) -> bool:
    """Whether a product that copies its second operand keeps the copy anyway (`keep`)."""
    a, b = op.operands
    if source_of_memory(b) not in kept:
        return False
    return split(dot_contraction(a.type, b.type, **op.kwargs), light=True, keeps=True).keeps


def _form(op: Op, parts_are_free: bool) -> str | None:
    """How the second operand of `op`, which copies it, is laid out; None: as it is."""
    a, b = op.operands
    contract = op.attr("contract")
    (free,) = free_axes(b.type.rank, (), contract[1])
    columns = b.type.shape[free]
    turned = Type(b.type.dtype, (*(b.type.shape[d] for d in contract[1]), columns))
    pairs = (contract[0], tuple(range(len(contract[1]))))
    if parts_are_free and columns % PANEL == 0 and columns > PANEL:
        return PANELS
    return TURNED if turned.shape != b.type.shape or contract[1] != pairs[1] else None


def _parts_are_free(op: Op, table: Mapping[Value, Sequence[Op]], kept: Collection[Value]) -> bool:
    """Whether all that would ride on a product can take its columns as two axes, and what comes
    then reads it from memory anyway."""
    value = op.result
    while True:
        readers = table[value]
        if all(reader.defn.name in _FROM_MEMORY for reader in readers):
            return True
        if value in kept:
            return False
        others = {v for reader in readers for v in reader.operands} - {value}
        rides = len(readers) == 1 and readers[0].defn.name in ELEMENTWISE
        if not rides or any(made_by(v, "broadcast") is None for v in others):
            return False
        value = readers[0].result


# --- how ------------------------------------------------------------------------------------


def _laid_out(build: Builder, op: Op, form: str) -> Value:
    """The second operand of `op` in that form."""
    b, contract = op.operands[1], op.attr("contract")[1]
    (free,) = free_axes(b.type.rank, (), contract)
    if form == TURNED:
        return p.transpose(build, b, perm=(*contract, free))
    shape = b.type.shape
    parts = (*shape[:free], shape[free] // PANEL, PANEL, *shape[free + 1 :])
    depth = [d + 1 if d > free else d for d in contract]
    return p.transpose(build, p.reshape(build, b, shape=parts), perm=(free, *depth, free + 1))


def _product(build: Builder, op: Op, laid: Value) -> Value:
    """`op` with its second operand laid out."""
    contract = op.attr("contract")[0]
    first = laid.type.rank - len(contract) - 1  # the axis of panels, if there is one
    inner = tuple(range(first, first + len(contract)))
    return p.dot(build, op.operands[0], laid, batch=((), ()), contract=(contract, inner))


def _repeated(build: Builder, value: Value) -> Value:
    """A broadcast with its last axis, the columns, as two."""
    op = made_by(value, "broadcast")
    assert op is not None
    (source,), dims, shape = op.operands, op.attr("dims"), value.type.shape
    last = len(shape) - 1
    if last in dims:
        at = dims.index(last)
        extents = source.type.shape
        parts = (*extents[:at], shape[last] // PANEL, PANEL, *extents[at + 1 :])
        source = p.reshape(build, source, shape=parts)
        dims = (*dims[: at + 1], last + 1, *dims[at + 1 :])
    return p.broadcast(build, source, dims=dims, shape=(*shape[:last], shape[last] // PANEL, PANEL))
