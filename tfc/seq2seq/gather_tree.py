"""gather_tree: the sequences that the steps of a beam search chose, from their ends."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.ops.array_ops import concat, expand_dims, fill, gather, reshape, shape, tile, transpose
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, where
from tfc.ops.reduction_ops import reduce_max
from tfc.ops.reverse_ops import batch_gather, sequence_mask
from tfc.ops.scan_ops import cumsum, range_
from tfc.ops.sum_ops import minimum
from tfc.ops.tensor_array import TensorArray
from tfc.ops.while_functions import while_loop


def gather_tree(
    step_ids: Any,
    parent_ids: Any,
    max_sequence_lengths: Any,
    end_token: Any,
    name: str | None = None,
) -> Tensor:
    """The whole sequences of beams, as int32 [time, batch, beams].

    step_ids: what was appended to each beam at each step; parent_ids: which beam of the step before
    that continues. max_sequence_lengths: of each row of the batch. What comes behind that, or
    behind a first end_token, is end_token.

    Raises:
      ValueError: shapes that are none of these.
      InvalidArgumentError: when it runs, if a parent is no beam.

    Source: tensorflow/contrib/seq2seq/kernels/beam_search_ops.cc.
    """
    with name_scope(name, "GatherTree", [step_ids, parent_ids, max_sequence_lengths, end_token]):
        ids = convert_to_tensor(step_ids, dtype=dtypes.int32, name="step_ids")
        parents = convert_to_tensor(parent_ids, dtype=dtypes.int32, name="parent_ids")
        ends = convert_to_tensor(max_sequence_lengths, dtype=dtypes.int32, name="lengths")
        last = convert_to_tensor(end_token, dtype=dtypes.int32, name="end_token")
        known = ids.get_shape().with_rank(3).merge_with(parents.get_shape())
        ends.get_shape().with_rank(1).merge_with(known[1:2])
        last.get_shape().assert_has_rank(0)
        whole = shape(ids)
        steps, batch, beams = whole[0], whole[1], whole[2]
        ends = expand_dims(minimum(ends, steps), 1)
        stop = fill([batch, beams], last)

        def level(time: Tensor, at: Tensor, found: TensorArray) -> Any:
            taken = tile(time < ends, [1, beams])
            found = found.write(time, where(taken, batch_gather(ids[time], at), stop))
            # A row's walk begins at its own end; the parents of step 0 lead nowhere.
            up = where(taken, batch_gather(parents[time], at), at)
            return time - 1, where(fill([batch, beams], time > 0), up, at), found

        start = tile(expand_dims(range_(beams), 0), [batch, 1])
        room = TensorArray(dtypes.int32, size=steps, element_shape=known[1:])
        _, _, found = while_loop(lambda time, *_: time >= 0, level, (steps - 1, start, room))
        result = reshape(found.stack(), whole)
        over = cumsum(cast(equal(result, last), dtypes.int32), 0, exclusive=True) > 0
        result = where(over, fill(whole, last), result)
        result.set_shape(known)
        return result


def gather_tree_from_array(t: Any, parent_ids: Any, sequence_length: Any) -> Tensor:
    """`t` [time, batch, beams, …] with the entries of each step in the order of the beams that they
    lead to in the end. parent_ids [time, batch, beams] as for `gather_tree`; sequence_length
    [batch, beams]: behind it the order stays.

    Source: tensorflow/contrib/seq2seq/python/ops/beam_search_decoder.py.
    """
    t = convert_to_tensor(t)
    parents = convert_to_tensor(parent_ids, dtype=dtypes.int32)
    whole = shape(parents)
    steps, batch, beams = whole[0], whole[1], whole[2]
    own = tile(reshape(range_(beams), [1, 1, -1]), [steps, batch, 1])
    ends = cast(reduce_max(sequence_length, axis=1), dtypes.int32)
    order = gather_tree(own, parents, ends, beams + 1)
    inside = transpose(sequence_mask(sequence_length, maxlen=steps), [2, 0, 1])
    order = where(inside, order, own)
    rows = range_(steps * batch) * beams
    flat = reshape(order + reshape(rows, [steps, batch, 1]), [-1])
    entries = reshape(t, concat([[steps * batch * beams], shape(t)[3:]], 0))
    result = reshape(gather(entries, flat), shape(t))
    result.set_shape(t.get_shape())
    return result
