"""Gradients of If and While: the same decision, and a loop that runs through the iterations
backwards.

Their regions take tensors of the forward regions as what was kept of them (`framework/regions.py`),
so the result is ordinary ops, differentiable again. A gradient may arrive at the tape as well: that
of what was kept, entry by entry. It joins in the iteration that the entry is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np

from tfc.base.shapes import TensorShape
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.gradients import gradients
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region, TapeGradient, made_in, make_region_op, tape_of
from tfc.passes.live import Needs


def while_gradient(
    op: Operation, dys: Sequence[Tensor | None], tape: TapeGradient | None
) -> list[Tensor | None]:
    """Gradients of a While's inputs.

    The loop carries the gradients of the loop's variables, and the sums of those of the captures;
    only of those that go into an output whose gradient is given.
    """
    graph, count = op.graph, len(op.outputs) - 1
    test, body = op.regions
    kept = {} if tape is None else tape.entries
    reached, outside = _reached(op, [i for i in range(count) if dys[i] is not None], kept)
    inexact = [i for i in reached if _flows(op.inputs[i])]
    captured = [t for t in op.inputs[count:] if _flows(t) and t in outside]
    counter = made_in(graph, op._region, "LoopCount", [tape_of(op)], {"_owner": op})
    first = [apply("Sub", counter.outputs[0], 1)]
    first += [_seed(op.outputs[i], dys[i]) for i in inexact]
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
    given_dys = {i: dys[i] for i, t in enumerate(op.outputs[:-1]) if _flows(t)}
    seeds = {i: convert_to_tensor(dy) for i, dy in given_dys.items() if dy is not None}
    if not captured or not (seeds or kept):
        return [None] * len(op.inputs)
    regions, parts = [], []
    for number, source in enumerate(op.regions):
        region = Region(graph, f"{graph.get_name_scope()}/branch_{number}")
        region.source, region.forward = source, op
        with region:
            ours = [t for t in kept if t.op._region is source]
            ys = [*(source.results[i] for i in seeds), *ours]
            dys_here = [*seeds.values(), *(kept[t] for t in ours)]
            parts.append(gradients(ys, captured, grad_ys=dys_here, stop_gradients=captured))
        regions.append(region)
    places = [
        k for k, found in enumerate(zip(*parts, strict=True)) if any(g is not None for g in found)
    ]
    captured = [captured[k] for k in places]
    for region, found in zip(regions, parts, strict=True):
        with region:
            region.results = [
                apply("ZerosLike", t) if (g := found[k]) is None else convert_to_tensor(g)
                for k, t in zip(places, captured, strict=True)
            ]
    if not captured:
        return [None] * len(op.inputs)
    decided = make_region_op(graph, "If", "If", [op.inputs[0]], regions)
    given = dict(zip(captured, decided.outputs, strict=False))
    return [None, *(given.get(t) for t in op.inputs[1:])]


def _reached(
    op: Operation, places: Sequence[int], kept: Iterable[Tensor]
) -> tuple[list[int], Set[Tensor]]:
    """The variables of a While that go into these of its results, and into tensors of its body
    that are kept; and what else does, from outside."""
    body = op.regions[1]
    at = {t: k for k, t in enumerate(body.params)}
    needs, found = Needs(lambda o: o._region is body, at.keys()), set(places)
    needs.take(kept)
    count = -1
    while count < len(found):
        count = len(found)
        needs.take(body.results[k] for k in sorted(found))
        found.update(at[t] for t in needs.stopped)
    return sorted(found), needs.outside.keys()


def _seed(output: Tensor, dy: Tensor | None) -> Tensor:
    """The gradient of a loop's result; zeros, which need no run of the loop if the shape is
    known, where there is none."""
    shape = output.get_shape()
    if dy is not None or not shape.is_fully_defined():
        return apply("ZerosLike", output) if dy is None else convert_to_tensor(dy)
    zero = constant_tensor(np.zeros((), output.dtype.as_numpy_dtype), "Const")
    dims = constant_tensor(np.array(shape.as_list(), np.int32), "Const")
    zeros: Tensor = apply("Fill", dims, zero)
    return zeros


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
