"""Gradients of If and While: the same decision, and a loop that runs through the iterations
backwards.

Their regions take tensors of the forward regions as what was kept of them (`framework/regions.py`),
so the result is ordinary ops, differentiable again. A gradient may arrive at the tape as well: that
of what was kept, entry by entry. It joins in the iteration that the entry is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

import numpy as np

from tfc.base.shapes import TensorShape
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.gradients import gradients
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region, TapeGradient, made_in, make_region_op, tape_of
from tfc.ops.region_rows import CarriedRows, branch_rows, shape_of, stays_rows
from tfc.passes.live import Needs


def while_gradient(
    op: Operation, dys: Sequence[Tensor | None], tape: TapeGradient | None
) -> list[Tensor | IndexedSlices | None]:
    """Gradients of a While's inputs.

    The loop carries the gradients of the loop's variables, and the sums of those of the captures;
    only of those that go into an output whose gradient is given. Rows stay rows where
    `region_rows` says so. A capture has none where no op of the body passes one on to it.
    """
    graph, count = op.graph, len(op.outputs) - 1
    body = op.regions[1]
    kept = {} if tape is None else tape.entries
    reached, outside = _reached(op, [i for i in range(count) if dys[i] is not None], kept)
    inexact = [i for i in reached if _flows(op.inputs[i])]
    captured = [t for t in op.inputs[count:] if _flows(t) and t in outside]
    (counter,) = made_in(graph, op._region, "LoopCount", [tape_of(op)], {"_owner": op}).outputs
    first = [apply("Sub", counter, 1), *(_seed(op.outputs[i], dys[i]) for i in inexact)]
    # what flows in may be known by a shape that only the last turn gave its variable
    shapes = [t.get_shape() for t in (first[0], *(body.params[i] for i in inexact))]
    scope = graph.get_name_scope()
    back = Region(graph, f"{scope}/body")
    back.source, back.forward = body, op
    with back:
        index, *dxs = back.params = _parameters(first, shapes)
        back.index = index
        ys = [*(body.results[i] for i in inexact), *kept]
        seeds = [*dxs, *(apply("ResidualAt", dy, index) for dy in kept.values())]
        xs = [*(body.params[i] for i in inexact), *captured]
        found = gradients(ys, xs, grad_ys=seeds, stop_gradients=captured)
        nexts = [
            _zeros(dx, x) if g is None else convert_to_tensor(g)
            for g, dx, x in zip(found, dxs, xs, strict=False)
        ]
    pairs = zip(captured, found[len(dxs) :], strict=True)
    sums = [_carried(op, t, g) for t, g in pairs if g is not None]
    starts = [part.start(counter) for part in sums]
    with back:
        back.results = [apply("Sub", index, 1), *nexts]
        for part, start in zip(sums, starts, strict=True):
            params = _parameters(start, [t.get_shape() for t in start])
            back.params += params
            back.results += part.next(params, counter, index)
    first += [t for start in starts for t in start]
    go_on = Region(graph, f"{scope}/cond")
    with go_on:
        go_on.params = _parameters(first, [t.get_shape() for t in back.params])
        go_on.results = [apply("GreaterEqual", go_on.params[0], 0)]
    loop = make_region_op(graph, "While", "While", first, [go_on, back])
    given = dict(zip(inexact, loop.outputs[1:], strict=False))
    ends = iter(loop.outputs[1 + len(inexact) :])
    given_captures = {
        part.captured: part.result([next(ends) for _ in start])
        for part, start in zip(sums, starts, strict=True)
    }
    return [
        *(given.get(i) for i in range(count)),
        *(given_captures.get(t) for t in op.inputs[count:]),
    ]


class _Total:
    """The sum of a captured tensor's gradients, as a gradient loop carries it."""

    def __init__(self, captured: Tensor, gradient: Tensor | IndexedSlices):
        self.captured, self.gradient = captured, gradient

    def start(self, count: Tensor) -> list[Tensor]:
        return [apply("ZerosLike", self.captured)]

    def next(self, carried: Sequence[Tensor], count: Tensor, index: Tensor) -> list[Tensor]:
        return [_sum(carried[0], self.gradient)]

    def result(self, carried: Sequence[Tensor]) -> Tensor:
        return carried[0]


def _carried(op: Operation, captured: Tensor, gradient: Any) -> _Total | CarriedRows:
    rows = stays_rows(op, captured, gradient)
    return CarriedRows(captured, gradient) if rows else _Total(captured, gradient)


def if_gradient(
    op: Operation, dys: Sequence[Tensor | None], tape: TapeGradient | None
) -> list[Tensor | IndexedSlices | None]:
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
    places = [k for k, gs in enumerate(zip(*parts, strict=True)) if any(g is not None for g in gs)]
    if not places:
        return [None] * len(op.inputs)
    wanted = [(captured[k], [found[k] for found in parts]) for k in places]
    rows = [all(g is None or stays_rows(op, t, g) for g in gs) for t, gs in wanted]
    for number, region in enumerate(regions):
        with region:
            region.results = []
            for (t, gs), sparse in zip(wanted, rows, strict=True):
                if sparse:
                    region.results += branch_rows(t, gs, number)
                    continue
                g = gs[number]
                region.results.append(apply("ZerosLike", t) if g is None else convert_to_tensor(g))
    decided = make_region_op(graph, "If", "If", [op.inputs[0]], regions)
    outputs = iter(decided.outputs)
    given = {
        t: IndexedSlices(next(outputs), next(outputs), shape_of(t)) if sparse else next(outputs)
        for (t, _), sparse in zip(wanted, rows, strict=True)
    }
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
    return tensor.dtype.is_floating or tensor.dtype.is_complex


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
