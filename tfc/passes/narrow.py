# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""narrow: a product of which only a part is read is computed in that part.

Where all that reads a `dot` are slices, and what they read together leaves rows or columns out,
those are cut off the operands: slice(dot(a, b)) = slice(dot(slice(a), b)). The products and sums
that are left stay as they were. So the gradient of a `concat` takes no more than the gradients that
somebody wants: of the input of a recurrent cell beside its state, say, the state's.

The part of an operand may have to be copied, which must cost less than the products that go.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tfc import prims as p
from tfc.ir.builder import Builder, make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import live_ops, made_by, users
from tfc.passes.matching import Ints
from tfc.passes.options import PassOptions
from tfc.prims.contraction import free_axes

Box = tuple[Ints, Ints]  # where a part starts and ends along each axis

# Multiply-adds that must go for each element of an operand's part: the copy of one takes 0.05 to
# 0.1 ns out of a cache, a multiply-add in a product 0.008 to 0.03 (vectors of 512 to 128 bits).
LEAST_SAVED = 8


def narrow(fn: Function, options: PassOptions) -> Function:
    """`fn` with its products cut to what is read of them, in regions too."""
    boxes = _boxes(fn)
    if not boxes and not any(op.regions for op in fn.ops):
        return fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        build.loc = old.loc
        if old.defn.name == "slice" and (source := old.operands[0]) in boxes:
            new[old.result] = _moved(build, old, new[source], boxes[source][0])
            continue
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        if op.regions:
            regions = tuple(narrow(region, options) for region in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
        if op.defn.name == "dot" and old.result in boxes:
            new[old.result] = _part_of_dot(build, op, boxes[old.result])
        else:
            new.update(zip(old.results, build.adopt(op), strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


def _boxes(fn: Function) -> dict[Value, Box]:
    """For each product to be cut, the part of it that is read."""
    ops = live_ops(fn)
    if not any(op.defn.name == "dot" for op in ops):
        return {}
    table, results = users(Function(fn.name, fn.params, tuple(ops), fn.results)), set(fn.results)
    found = {}
    for op in ops:
        if op.defn.name != "dot" or op.result in results or op.result.type.size == 0:
            continue
        box = _read(op, table[op.result])
        if box is not None and _pays(op, box):
            found[op.result] = box
    return found


def _read(op: Op, readers: Sequence[Op]) -> Box | None:
    """The smallest box of the product `op` that holds all that the readers take, if they are
    slices. Batch axes stay whole."""
    cuts = [cut for cut in readers if cut.defn.name == "slice" and cut.result.type.size]
    if len(cuts) < len(readers) or not cuts:
        return None
    start, end = list(op.result.type.shape), [0] * op.result.type.rank
    for cut in cuts:
        lasts = zip(cut.attr("start"), cut.result.type.shape, cut.attr("stride"), strict=True)
        for axis, (first, n, stride) in enumerate(lasts):
            start[axis] = min(start[axis], first)
            end[axis] = max(end[axis], first + (n - 1) * stride + 1)
    for axis in range(len(op.attr("batch")[0])):
        start[axis], end[axis] = 0, op.result.type.shape[axis]
    return tuple(start), tuple(end)


def _operand_boxes(op: Op, box: Box) -> list[Box]:
    """The part of each operand that a part of the product is made of."""
    batch, contract = op.attr("batch"), op.attr("contract")
    parts, first = [], len(batch[0])
    for side, operand in enumerate(op.operands):
        shape: Ints = operand.type.shape
        start, end = [0] * len(shape), list(shape)
        for d in free_axes(len(shape), batch[side], contract[side]):
            start[d], end[d] = box[0][first], box[1][first]
            first += 1
        parts.append((tuple(start), tuple(end)))
    return parts


def _pays(op: Op, box: Box) -> bool:
    """Whether the products that go are worth the copies of what is left of the operands."""
    depth = prod(op.operands[0].type.shape[d] for d in op.attr("contract")[0])
    gone = op.result.type.size - _size(box)
    sizes = zip(op.operands, _operand_boxes(op, box), strict=True)
    copied = sum(_size(part) for operand, part in sizes if _size(part) < operand.type.size)
    return gone > 0 and gone * depth >= LEAST_SAVED * copied


def _size(box: Box) -> int:
    return prod(high - low for low, high in zip(*box, strict=True))


def _part_of_dot(build: Builder, op: Op, box: Box) -> Value:
    parts = _operand_boxes(op, box)
    operands = [_part(build, v, *part) for v, part in zip(op.operands, parts, strict=True)]
    return p.dot(build, *operands, batch=op.attr("batch"), contract=op.attr("contract"))


def _part(build: Builder, value: Value, start: Ints, limit: Ints) -> Value:
    """slice(value), behind a transpose rather than before it: that is for `layout` to take in."""
    if not any(start) and limit == value.type.shape:
        return value
    if (inner := made_by(value, "transpose")) is not None:
        perm = inner.attr("perm")
        back = [perm.index(d) for d in range(len(perm))]
        source = _part(
            build, inner.operands[0], tuple(start[k] for k in back), tuple(limit[k] for k in back)
        )
        return p.transpose(build, source, perm=perm)
    return p.slice_(build, value, start=start, limit=limit, stride=(1,) * len(start))


def _moved(build: Builder, cut: Op, x: Value, origin: Ints) -> Value:
    """The slice `cut`, of x, which begins at `origin` of what it was of."""
    start, limit = cut.attr("start"), cut.attr("limit")
    start = tuple(a - b for a, b in zip(start, origin, strict=True))
    # a stride may step beyond the last element that is read
    limit = tuple(min(a - b, n) for a, b, n in zip(limit, origin, x.type.shape, strict=True))
    return p.slice_(build, x, start=start, limit=limit, stride=cut.attr("stride"))
