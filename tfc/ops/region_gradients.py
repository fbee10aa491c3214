"""Gradients of If and While: the same decision, and a loop that runs through the iterations
backwards.

Their regions take tensors of the forward regions as what was kept of them (`framework/regions.py`),
so the result is ordinary ops, differentiable again. A gradient may arrive at the tape as well: that
of what was kept, entry by entry. It joins in the iteration that the entry is of.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfc.base.shapes import TensorShape
from tfc.framework.convert import convert_to_tensor
from tfc.framework.gradients import gradients
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region, TapeGradient, made_in, make_region_op, tape_of


def while_gradient(
    op: Operation, dys: Sequence[Tensor | None], tape: TapeGradient | None
) -> list[Tensor | None]:
    """Gradients of a While's inputs.

    The loop carries the gradients of the loop's variables, and the sums of those of the captures.
    """
    graph, count = op.graph, len(op.outputs) - 1
    test, body = op.regions
    kept = {} if tape is None else tape.entries
    inexact = [i for i in range(count) if _flows(op.inputs[i])]
    captured = [t for t in op.inputs[count:] if _flows(t)]
    counter = made_in(graph, op._region, "LoopCount", [tape_of(op)], {"_owner": op})
    first = [apply("Sub", counter.outputs[0], 1)]
    first += [convert_to_tensor(dys[i]) for i in inexact]
    first += [apply("ZerosLike", t) for t in captured]
    # what flows in may be known by a shape that only the last turn gave its variable
    shapes = [t.get_shape() for t in (first[0], *(body.params[i] for i in inexact), *captured)]
    scope = graph.get_name_scope()
    go_on = Region(graph, f"{scope}/cond")
    with go_on:
        go_on.params = _parameters(first, shapes)
        go_on.results = [apply("GreaterEqual", go_on.params[0], 0)]
    back = Region(graph, f"{scope}/body")
    back.source, back.forward = body, op
    with back:
        index, *carried = back.params = _parameters(first, shapes)
        back.index = index
        dxs, sums = carried[: len(inexact)], carried[len(inexact) :]
        ys = [*(body.results[i] for i in inexact), *kept]
        seeds = [*dxs, *(apply("ResidualAt", dy, index) for dy in kept.values())]
        xs = [*(body.params[i] for i in inexact), *captured]
        found = gradients(ys, xs, grad_ys=seeds, stop_gradients=captured)
        nexts = [
            _zeros(dx, x) if g is None else convert_to_tensor(g)
            for g, dx, x in zip(found, dxs, xs, strict=False)
        ]
        totals = [_sum(s, g) for g, s in zip(found[len(dxs) :], sums, strict=True)]
        back.results = [apply("Sub", index, 1), *nexts, *totals]
    loop = make_region_op(graph, "While", "While", first, [go_on, back])
    given = dict(zip(inexact, loop.outputs[1:], strict=False))
    given_captures = dict(zip(captured, loop.outputs[1 + len(inexact) :], strict=False))
    return [
        *(given.get(i) for i in range(count)),
        *(given_captures.get(t) for t in op.inputs[count:]),
    ]


def if_gradient(
    op: Operation, dys: Sequence[Tensor | None], tape: TapeGradient | None
) -> list[Tensor | None]:
    """Gradients of an If's captures: the same decision, over the gradients of the branches."""
    graph = op.graph
    kept = {} if tape is None else tape.entries
    captured = [t for t in op.inputs[1:] if _flows(t)]
    inexact = [i for i, t in enumerate(op.outputs[:-1]) if _flows(t)]
    if not captured:
        return [None] * len(op.inputs)
    seeds = [convert_to_tensor(dys[i]) for i in inexact]
    regions = []
    for number, source in enumerate(op.regions):
        region = Region(graph, f"{graph.get_name_scope()}/branch_{number}")
        region.source, region.forward = source, op
        with region:
            ours = [t for t in kept if t.op._region is source]
            ys = [*(source.results[i] for i in inexact), *ours]
            dys_here = [*seeds, *(kept[t] for t in ours)]
            found = gradients(ys, captured, grad_ys=dys_here, stop_gradients=captured)
            region.results = [
                apply("ZerosLike", t) if g is None else convert_to_tensor(g)
                for g, t in zip(found, captured, strict=True)
            ]
        regions.append(region)
    decided = make_region_op(graph, "If", "If", [op.inputs[0]], regions)
    given = dict(zip(captured, decided.outputs, strict=False))
    return [None, *(given.get(t) for t in op.inputs[1:])]


def _flows(tensor: Tensor) -> bool:
    """Whether gradients flow to a captured tensor or a loop variable."""
    dtype = tensor.dtype
    return not dtype.is_ref_dtype and (dtype.is_floating or dtype.is_complex)


def _zeros(dx: Tensor, x: Tensor) -> Tensor:
    """The gradient of a variable `x` that its next value, whose gradient is `dx`, does not depend
    on. The two differ in shape only where an iteration may change it."""
    return apply("ZerosLike", dx if x.get_shape().is_fully_defined() else x)


def _sum(total: Tensor, gradient: Tensor | IndexedSlices | None) -> Tensor:
    """`total` with the gradient of one iteration. Of several parts each is added to the total by
    itself, so that one that is zero but for an entry costs that entry (`passes/accumulate.py`), as
    rows do."""
    if gradient is None:
        return total
    if isinstance(gradient, IndexedSlices):
        rows = apply("ExpandDims", gradient.indices, -1)
        added: Tensor = apply("TensorScatterAdd", total, rows, gradient.values)
        return added
    parts = list(gradient.op.inputs) if gradient.op.type == "AddN" else [gradient]
    for part in parts:
        total = apply("AddN", [total, part])
    return total


def _parameters(like: Sequence[Tensor], shapes: Sequence[TensorShape]) -> list[Tensor]:
    return [
        apply("RegionParameter", T=t.dtype.base_dtype, known_shape=shape, name="Identity")
        for t, shape in zip(like, shapes, strict=True)
    ]
