"""The CTC loss and its gradient, in log space and as native loops over time.

The states of a row are its labels with a blank before, between and after them: l'[u] for
u < 2 * labels + 1. alpha[t, u] is the log probability of all paths that are in state u at time t,
what is emitted at t included; beta[t, u] that of all ways from there to the end, without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc import prims as p
from tfc.base import errors
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules
from tfc.ops.loops import Calc, Term, while_loop
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import expand_dims, transpose
from tfc.passes.padded import stand_for_something

_ZERO = -float("inf")  # log 0


class CTCLoss(
    OpDef,
    sig="CTCLoss(inputs: T, labels_indices: int64, labels_values: int32, sequence_length: int32,"
    " preprocess_collapse_repeated: bool = False, ctc_merge_repeated: bool = True,"
    " ignore_longer_outputs_than_inputs: bool = False,"
    " T: type = float32) -> loss: T, gradient: T",
    T=("f32", "f64"),
):
    """The negative log probability of each row's labels under logits [time, batch, classes], of
    which the last is the blank; and its gradient."""

    pads = (1, 2)

    def shape(
        inputs: TensorShape, indices: TensorShape, values: TensorShape, lengths: TensorShape
    ) -> list[TensorShape]:
        dims = shape_rules.with_rank(inputs, 3)
        rows = shape_rules.with_rank(indices, 2)[0]
        shape_rules.merge_dim(rows, shape_rules.with_rank(values, 1)[0])
        batch = shape_rules.merge_dim(dims[1], shape_rules.with_rank(lengths, 1)[0])
        full = [dims[0], batch, dims[2]]
        return [shape_rules.shape_of([batch]), shape_rules.shape_of(full)]

    def grad(op: Any, dloss: Any, _: Any) -> list[Any]:
        gradient = apply(
            "PreventGradient", op.outputs[1],
            message="Currently there is no way to take the second derivative of ctc_loss due to "
            "the fused implementation's interaction with tf.gradients()",
        )  # fmt: skip
        return [expand_dims(dloss, -1) * gradient, None, None, None]

    def lower(
        build: Any, inputs: Value, indices: Value, values: Value, lengths: Value, **attrs: Any
    ) -> tuple[Value, Value]:
        _check_operands(build, inputs, indices, values, lengths)
        rows = _rows(build, inputs, indices, values, attrs["preprocess_collapse_repeated"])
        skipped = _check_lengths(build, inputs, rows, lengths, attrs)
        merge = attrs["ctc_merge_repeated"]
        return loss_and_gradient(build, inputs, rows, lengths, skipped, merge)


def _check_operands(
    build: Any, inputs: Value, indices: Value, values: Value, lengths: Value
) -> None:
    if inputs.type.rank != 3:
        raise invalid(build, "inputs is not a 3-Tensor")
    if inputs.type.size == 0:
        raise invalid(build, f"inputs must not be empty: {shape_text(inputs.type.shape)}")
    if indices.type.rank != 2 or indices.type.shape[1] != 2:
        raise invalid(build, "labels_indices is not a matrix")
    if values.type.shape != indices.type.shape[:1]:
        raise invalid(
            build, "labels_indices and labels_values must contain the same number of rows, but "
            f"saw shapes: {shape_text(indices.type.shape)} vs. {shape_text(values.type.shape)}",
        )  # fmt: skip
    if lengths.type.shape != inputs.type.shape[1:2]:
        batch = inputs.type.shape[1]
        raise errors.FailedPreconditionError(
            None, build.op, "len(sequence_length) != batch_size.  len(sequence_length):  "
            f"{shape_text(lengths.type.shape)} batch_size: {batch}",
        )  # fmt: skip
    if not values.type.size:
        raise invalid(build, "Labels length is zero in batch 0")


@dataclass
class Rows:
    """The labels of each row: i32[batch, most], how many there are, how many were given."""

    labels: Value
    count: Value
    given: Value


def _rows(build: Any, inputs: Value, indices: Value, values: Value, collapse: bool) -> Rows:
    """Labels by row, without nulls (the last class) and, if `collapse`, without repetitions."""
    steps, batch, classes = inputs.type.shape
    size = values.type.size
    calc = Calc(build)
    column = p.slice_(build, indices, start=(0, 0), limit=(size, 1), stride=(1, 1))
    row = p.reshape(build, column, shape=(size,))
    inside = (calc(row) >= 0) & (calc(row) < batch)
    there = stand_for_something(build, indices, 1)
    if there is not None:
        inside = inside | ~calc(there)
    message = f"labels_indices[{{i}}] is in row {{0}}, and there are {batch}"
    build.assert_(inside.value, (row,), "InvalidArgumentError", message)
    value = calc(values)
    message = "All labels must be nonnegative integers, but labels_values[{i}] is {0}"
    build.assert_((value >= 0).value, (values,), "InvalidArgumentError", message)
    null = value >= classes - 1
    fresh = null | ~null
    if collapse:
        before = calc(_shifted(build, values, 0, 1, -1))
        same_row = calc(row).equals(calc(_shifted(build, row, 0, 1, -1)))
        fresh = ~(same_row & before.equals(value))
    kept = fresh & ~null
    if there is not None:
        kept = kept & calc(there)
    ended = _before_in_row(build, row, (fresh & null).to("i32").value, batch)
    message = "Saw a non-null label (index >= num_classes - 1) following a null label"
    build.assert_((~kept | (ended <= 0)).value, (), "InvalidArgumentError", message)
    place = _before_in_row(build, row, kept.to("i32").value, batch)
    most = min(size, steps)
    fits = kept & (place < most)
    at = [calc(row).to("i32").where(fits, -1).value, place.where(fits, -1).value]
    at = [p.reshape(build, v, shape=(size, 1)) for v in at]
    start = p.splat(build, classes - 1, Type("i32", (batch, most)))
    index = p.concat(build, *at, dim=1)
    labels = p.scatter(build, start, index, values, dims=(0, 1), kind="set")
    ones = p.splat(build, 1, Type("i32", (size,)))
    return Rows(
        labels,
        _per_row(build, row, kept.to("i32").value, batch),
        _per_row(build, row, ones, batch),
    )


def _per_row(build: Any, row: Value, amounts: Value, batch: int) -> Value:
    start = p.splat(build, 0, Type("i32", (batch,)))
    at = p.reshape(build, row, shape=(row.type.size, 1))
    total: Value = p.scatter(build, start, at, amounts, dims=(0,), kind="add")
    return total


def _before_in_row(build: Any, row: Value, amounts: Value, batch: int) -> Term:
    """The sum of the amounts of earlier entries of the same row; rows are in order."""
    calc = Calc(build)
    options = {"kind": "add", "exclusive": True, "reverse": False}
    running = p.cumulative(build, amounts, dim=0, **options)
    totals = p.cumulative(build, _per_row(build, row, amounts, batch), dim=0, **options)
    at = p.reshape(build, row, shape=(row.type.size, 1))
    return calc(running) - calc(p.gather(build, totals, at, dims=(0,)))


def _shifted(build: Any, x: Value, dim: int, by: int, fill: Any) -> Value:
    """x moved along `dim` by `by` places."""
    low, high = [0] * x.type.rank, [0] * x.type.rank
    low[dim], high[dim] = by, -by
    value = p.constant(build, fill, x.type.dtype)
    moved: Value = p.pad(build, x, value, low=low, high=high, interior=[0] * x.type.rank)
    return moved


def _check_lengths(
    build: Any, inputs: Value, rows: Rows, lengths: Value, attrs: dict[str, Any]
) -> Term:
    """Fail where lengths do not fit; i1[batch]: rows without a loss."""
    steps = inputs.type.shape[0]
    calc = Calc(build)
    length, given = calc(lengths), calc(rows.given)
    message = f"sequence_length({{i}}) <= {steps}"
    build.assert_((length <= steps).value, (), "InvalidArgumentError", message)
    build.assert_((length >= 0).value, (), "InvalidArgumentError", "seq_len({i}) < 0")
    message = "Labels length is zero in batch {i}"
    build.assert_((given > 0).value, (), "InvalidArgumentError", message)
    too_long = given > length
    if not attrs["ignore_longer_outputs_than_inputs"]:
        message = (
            "Not enough time for target transition sequence (required: {0}, available: {1}){i}"
            "You can turn this error into a warning by using the flag "
            "ignore_longer_outputs_than_inputs"
        )
        build.assert_((~too_long).value, (rows.given, lengths), "InvalidArgumentError", message)
    return length.equals(0) | too_long


def _log_sum(first: Term, *others: Term) -> Term:
    """log of the sum of exponentials, -inf where all are."""
    high = first
    for other in others:
        high = high.atleast(other)
    safe = high.where(high > _ZERO, 0.0)
    total = (first - safe).exp()
    for other in others:
        total = total + (other - safe).exp()
    return total.log() + safe


@dataclass
class _States:
    """What the recursions need of each state u of each row: all [batch, states]."""

    stays: Value  # whether a path may stay in it
    skips: Value  # whether a path may come to it from the state before the last
    valid: Value  # whether the row has it
    ends: Value  # whether a path may end in it


def _states(build: Any, rows: Rows, classes: int, merge: bool) -> tuple[Value, _States]:
    """(l', what its states allow)."""
    batch, most = rows.labels.type.shape
    blank = classes - 1
    calc = Calc(build)
    zero = p.constant(build, blank, "i32")
    labels = p.pad(build, rows.labels, zero, low=(0, 1), high=(0, 1), interior=(0, 1))
    lead = calc(labels)
    is_blank = lead.equals(blank)
    stays = is_blank | ~is_blank if merge else is_blank
    skips = ~is_blank
    if merge:
        skips = skips & lead.differs(calc(_shifted(build, labels, 1, 2, blank)))
    shape = (batch, 2 * most + 1)
    place = calc(p.iota(build, dtype="i32", shape=shape, dim=1))
    last = calc(p.broadcast(build, rows.count, dims=(0,), shape=shape)) * 2
    ends = place.equals(last) | (place.equals(last - 1))
    parts = (stays, skips, place <= last, ends)
    return labels, _States(*(t.value for t in parts))


def loss_and_gradient(
    build: Any, inputs: Value, rows: Rows, lengths: Value, skipped: Term, merge: bool
) -> tuple[Value, Value]:
    """(loss [batch], its gradient by `inputs`): 0 for the rows that are `skipped`."""
    steps, batch, classes = inputs.type.shape
    calc = Calc(build)
    labels, states = _states(build, rows, classes, merge)
    log_y = _log_softmax(build, inputs)
    count = labels.type.shape[1]
    shape = (steps, batch, count)
    axes = [p.iota(build, dtype="i32", shape=(*shape, 1), dim=i) for i in (0, 1)]
    spread = p.broadcast(build, labels, dims=(1, 2), shape=(*shape, 1))
    index = p.concat(build, *axes, spread, dim=3)
    emitted = p.gather(build, log_y, index, dims=(0, 1, 2))
    alpha = _forward(build, emitted, states)
    beta = _backward(build, emitted, states, lengths)
    joint = calc(alpha) + calc(beta)
    first = p.slice_(build, joint.value, start=(0, 0, 0), limit=(1, batch, count), stride=(1,) * 3)
    total = _log_sum_over(build, p.reshape(build, first, shape=(batch, count)))
    loss = (-total).where(~skipped, 0.0)
    wide = p.broadcast(build, total.value, dims=(1,), shape=shape)
    share = (joint - calc(wide).where(calc(wide) > _ZERO, 0.0)).exp()
    share = share.where(calc(wide) > _ZERO, 0.0)
    nothing = p.splat(build, 0, inputs.type)
    taken = p.scatter(build, nothing, index, share.value, dims=(0, 1, 2), kind="add")
    slope = calc(log_y).exp() - calc(taken)
    time = calc(p.iota(build, dtype="i32", shape=inputs.type.shape, dim=0))
    length = calc(p.broadcast(build, lengths, dims=(1,), shape=inputs.type.shape))
    off = calc(p.broadcast(build, skipped.value, dims=(1,), shape=inputs.type.shape))
    return loss.value, slope.where((time < length) & ~off, 0.0).value


def _log_softmax(build: Any, x: Value) -> Value:
    calc = Calc(build)
    dims = tuple(range(x.type.rank - 1))
    best = p.reduce(build, x, dims=(x.type.rank - 1,), kind="max")
    off = calc(x) - calc(p.broadcast(build, best, dims=dims, shape=x.type.shape))
    total = p.reduce(build, off.exp().value, dims=(x.type.rank - 1,), kind="add")
    return (off - calc(p.broadcast(build, total, dims=dims, shape=x.type.shape)).log()).value


def _log_sum_over(build: Any, x: Value) -> Term:
    """log of the sum of exponentials of each row of a matrix."""
    calc = Calc(build)
    best = calc(p.reduce(build, x, dims=(1,), kind="max"))
    safe = best.where(best > _ZERO, 0.0)
    off = calc(x) - calc(p.broadcast(build, safe.value, dims=(0,), shape=x.type.shape))
    return calc(p.reduce(build, off.exp().value, dims=(1,), kind="add")).log() + safe


def _at(region: Any, x: Value, t: Value) -> Value:
    """x[t] of an array by time."""
    zero = p.constant(region, 0, "i32")
    sizes = (1, *x.type.shape[1:])
    entry = p.dynamic_slice(region, x, t, *[zero] * (x.type.rank - 1), sizes=sizes)
    value: Value = p.reshape(region, entry, shape=x.type.shape[1:])
    return value


def _put(region: Any, x: Value, t: Value, entry: Value) -> Value:
    """x with x[t] = entry."""
    zero = p.constant(region, 0, "i32")
    row = p.reshape(region, entry, shape=(1, *entry.type.shape))
    result: Value = p.dynamic_update_slice(region, x, row, t, *[zero] * (x.type.rank - 1))
    return result


def _forward(build: Any, emitted: Value, states: _States) -> Value:
    """alpha [time, batch, states]."""
    steps, batch, count = emitted.type.shape
    calc = Calc(build)
    first = calc(_at(build, emitted, p.constant(build, 0, "i32")))
    place = calc(p.iota(build, dtype="i32", shape=(batch, count), dim=1))
    first = first.where((place <= 1) & calc(states.valid), _ZERO)
    alphas = p.splat(build, _ZERO, emitted.type)
    alphas = _put(build, alphas, p.constant(build, 0, "i32"), first.value)
    start = [p.constant(build, 1, "i32"), first.value, alphas]

    def test(region: Any, t: Value, *_: Value) -> Value:
        return p.lt(region, t, p.full_like(region, t, steps))

    def body(
        region: Any, t: Value, before: Value, alphas: Value, emitted: Value, *rest: Value
    ) -> Sequence[Value]:
        inner = Calc(region)
        stays, skips, valid = map(inner, rest)
        stay = inner(before).where(stays, _ZERO)
        step = inner(_shifted(region, before, 1, 1, _ZERO))
        skip = inner(_shifted(region, before, 1, 2, _ZERO)).where(skips, _ZERO)
        now = _log_sum(stay, step, skip) + inner(_at(region, emitted, t))
        now = now.where(valid, _ZERO)
        following = p.add(region, t, p.full_like(region, t, 1))
        return [following, now.value, _put(region, alphas, t, now.value)]

    fixed = [emitted, states.stays, states.skips, states.valid]
    return while_loop(build, test, body, start, fixed)[2]


def _backward(build: Any, emitted: Value, states: _States, lengths: Value) -> Value:
    """beta [time, batch, states]."""
    steps, batch, count = emitted.type.shape
    nothing = p.splat(build, _ZERO, Type(emitted.type.dtype, (batch, count)))
    start = [p.constant(build, steps - 1, "i32"), nothing, p.splat(build, _ZERO, emitted.type)]
    last = p.broadcast(build, lengths, dims=(0,), shape=(batch, count))

    def test(region: Any, t: Value, *_: Value) -> Value:
        return p.ge(region, t, p.full_like(region, t, 0))

    def body(
        region: Any, t: Value, after: Value, betas: Value, emitted: Value, *rest: Value
    ) -> Sequence[Value]:
        inner = Calc(region)
        stays, skips, ends, length = map(inner, rest)
        stay = inner(after).where(stays, _ZERO)
        step = inner(_shifted(region, after, 1, -1, _ZERO))
        skip = inner(_shifted(region, inner(after).where(skips, _ZERO).value, 1, -2, _ZERO))
        at_end = length.equals(inner(p.broadcast_to(region, t, (batch, count))) + 1)
        now = stay.of(0.0).where(ends, _ZERO).where(at_end, _log_sum(stay, step, skip))
        following = p.sub(region, t, p.full_like(region, t, 1))
        # What the next turn takes: from the state at t, what is emitted there included.
        carried = now + inner(_at(region, emitted, t))
        return [following, carried.value, _put(region, betas, t, now.value)]

    fixed = [emitted, states.stays, states.skips, states.ends, last]
    return while_loop(build, test, body, start, fixed)[2]


def ctc_loss(
    labels: Any,
    inputs: Any = None,
    sequence_length: Any = None,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
    time_major: bool = True,
    logits: Any = None,
) -> Tensor:
    """The CTC loss of each row: [batch].

    labels: an int32 SparseTensor [batch, time]. inputs (or logits): [time, batch, classes], batch
    first unless `time_major`; the last class is the blank.

    Raises:
      TypeError: labels are not sparse. ValueError: both inputs and logits are given.
    """
    if not isinstance(labels, SparseTensor):
        raise TypeError("Expected labels (first argument) to be a SparseTensor")
    if inputs is not None and logits is not None:
        raise ValueError("Cannot specify both 'logits' and 'inputs'")
    scores = convert_to_tensor(inputs if logits is None else logits)
    if not time_major:
        scores = transpose(scores, [1, 0, 2])
    loss, _ = apply(
        "CTCLoss", scores, labels.indices, labels.values, sequence_length,
        preprocess_collapse_repeated=preprocess_collapse_repeated,
        ctc_merge_repeated=ctc_merge_repeated,
        ignore_longer_outputs_than_inputs=ignore_longer_outputs_than_inputs,
    )  # fmt: skip
    return loss
