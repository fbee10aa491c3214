"""BeamSearchDecoder: at each step the likeliest continuations of several hypotheses a row."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.tensor_util import constant_value
from tfc.layers.base import Layer
from tfc.ops.array_ops import (
    concat,
    expand_dims,
    fill,
    gather,
    one_hot,
    ones_like,
    reshape,
    shape,
    size,
    stack,
    tile,
    zeros,
)  # fmt: skip
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, logical_not, logical_or, where
from tfc.ops.cond_functions import cond
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.nn_functions import log_softmax, top_k
from tfc.ops.reduction_ops import reduce_all, reduce_max, reduce_mean, reduce_sum
from tfc.ops.scan_ops import range_
from tfc.ops.sum_ops import floor_div, minimum, mod
from tfc.ops.tensor_array import TensorArray
from tfc.ops.unary_api import log
from tfc.rnn.cell import check_cell
from tfc.seq2seq.attention_wrapper import AttentionWrapperState
from tfc.seq2seq.decoder import Decoder
from tfc.seq2seq.gather_tree import gather_tree, gather_tree_from_array

_State = collections.namedtuple(
    "_State", ("cell_state", "log_probs", "finished", "lengths", "accumulated_attention_probs")
)
_Output = collections.namedtuple("_Output", ("scores", "predicted_ids", "parent_ids"))
_Final = collections.namedtuple("_Final", ("predicted_ids", "beam_search_decoder_output"))


class BeamSearchDecoderState(_State):
    """What a BeamSearchDecoder carries: of each beam the state of the cell, the log probability,
    whether it has ended, its length (int64), and what attention it paid, if that is penalized."""

    __slots__ = ()


class BeamSearchDecoderOutput(_Output):
    """What a step gives, each [batch, beams]: scores, the ids appended, and to which beams."""

    __slots__ = ()


class FinalBeamSearchDecoderOutput(_Final):
    """The whole sequences [batch, time, beams], the best beam first, and the outputs of the
    steps."""

    __slots__ = ()


class BeamSearchDecoder(Decoder):
    """`cell`, run for the `beam_width` likeliest hypotheses of each row of the batch.

    embedding: a table, or a function from ids to inputs. start_tokens: the first id of each row;
    end_token: the id that ends a sequence. initial_state: of the cell, for batch * beam_width rows
    (`tile_batch`). output_layer: applied to the outputs of the cell.
    length_penalty_weight: scores are log probabilities over ((5 + length) / 6) ** weight.
    coverage_penalty_weight: weight, in the scores of beams that have ended, of the sum over the
    memory of log(min(attention paid, 1)); it needs an AttentionWrapper.
    reorder_tensor_arrays: put TensorArrays of the last state, as the history of an attention, into
    the order of the beams that they lead to.

    Raises:
      TypeError: no cell, or no Layer. ValueError: start_tokens is no vector, end_token no scalar;
      a state whose first dimension is not batch * beam_width; coverage without attention.

    Source: tensorflow/contrib/seq2seq/python/ops/beam_search_decoder.py.
    """

    def __init__(
        self,
        cell: Any,
        embedding: Any,
        start_tokens: Any,
        end_token: Any,
        initial_state: Any,
        beam_width: int,
        output_layer: Any = None,
        length_penalty_weight: float = 0.0,
        coverage_penalty_weight: float = 0.0,
        reorder_tensor_arrays: bool = True,
    ):
        check_cell("cell", cell)
        if output_layer is not None and not isinstance(output_layer, Layer):
            raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")
        self._cell, self._output_layer = cell, output_layer
        self._reorders = reorder_tensor_arrays
        self._embedding_fn: Callable[[Any], Any] = (
            embedding if callable(embedding) else lambda ids: embedding_lookup(embedding, ids)
        )
        start = convert_to_tensor(start_tokens, dtype=dtypes.int32, name="start_tokens")
        if start.get_shape().ndims != 1:
            raise ValueError("start_tokens must be a vector")
        self._end_token = convert_to_tensor(end_token, dtype=dtypes.int32, name="end_token")
        if self._end_token.get_shape().ndims != 0:
            raise ValueError("end_token must be a scalar")
        self._beams = beam_width
        self._length_weight = length_penalty_weight
        self._coverage_weight = coverage_penalty_weight
        self._known_batch = start.get_shape().as_list()[0]
        self._batch_size = size(start)
        self._cell_state = nest.map_leaves(self._split, initial_state)
        self._start_inputs = self._embedding_fn(tile(expand_dims(start, 1), [1, beam_width]))

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def tracks_own_finished(self) -> bool:
        """Beams change places, so what `step` says of them is final."""
        return True

    @property
    def output_size(self) -> Any:
        return BeamSearchDecoderOutput(*[TensorShape([self._beams])] * 3)

    @property
    def output_dtype(self) -> Any:
        return BeamSearchDecoderOutput(self._dtype, dtypes.int32, dtypes.int32)

    @property
    def _dtype(self) -> Any:
        return nest.flatten(self._cell_state)[0].dtype

    def initialize(self, name: str | None = None) -> Any:
        first = zeros([self._batch_size], dtypes.int32)
        kind, wide = self._dtype, self._beams
        finished = one_hot(first, wide, on_value=False, off_value=True, dtype=dtypes.bool_)
        # all beams are one at first: only the first of them is there
        probs = one_hot(first, wide, on_value=0.0, off_value=-np.inf, dtype=kind)
        lengths = zeros([self._batch_size, self._beams], dtypes.int64)
        paid = self._attention(self._cell_state)
        paid = () if paid is None else paid
        state = BeamSearchDecoderState(self._cell_state, probs, finished, lengths, paid)
        return finished, self._start_inputs, state

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        lengths = final_state.lengths
        longest = cast(reduce_max(lengths, axis=1), dtypes.int32)
        ids = gather_tree(outputs.predicted_ids, outputs.parent_ids, longest, self._end_token)
        if self._reorders:

            def ordered(leaf: Any) -> Any:
                if not isinstance(leaf, TensorArray) or not self._sortable(leaf.element_shape):
                    return leaf
                entries = leaf.stack()
                beams = concat([shape(outputs.parent_ids), shape(entries)[2:]], 0)
                found = gather_tree_from_array(reshape(entries, beams), outputs.parent_ids, lengths)
                return reshape(found, shape(entries))

            cell_state = nest.map_leaves(ordered, final_state.cell_state)
            final_state = final_state._replace(cell_state=cell_state)
        return FinalBeamSearchDecoderOutput(ids, outputs), final_state

    def _sortable(self, known: TensorShape) -> bool:
        """Whether elements of this shape are put in order. TensorFlow 1.15 does so where the first
        extent is not known, or the second is not and the first is batch * beams, or the first two
        are both batch and beams."""
        if not known.ndims or self._known_batch is None or known.as_list()[0] is None:
            return bool(known.ndims)
        rows, *inner = known.as_list()
        if rows != self._known_batch * self._beams:
            return False
        return not inner or inner[0] is None or (rows, inner[0]) == (self._known_batch, self._beams)

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        with name_scope(name, "BeamSearchDecoderStep", [time]):
            inputs = nest.map_leaves(self._merged, inputs)
            cell_state = nest.map_leaves(self._merge, state.cell_state)
            outputs, next_cell_state = self._cell(inputs, cell_state)
            outputs = nest.map_leaves(self._split, outputs)
            next_cell_state = nest.map_leaves(self._split, next_cell_state)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            output, next_state = self._chosen(outputs, state, next_cell_state)
            next_inputs = cond(
                reduce_all(next_state.finished),
                lambda: self._start_inputs,
                lambda: self._embedding_fn(output.predicted_ids),
            )
        return output, next_state, next_inputs, next_state.finished

    # ---- [batch * beams, …] and [batch, beams, …]

    def _split(self, t: Any) -> Any:
        if isinstance(t, TensorArray):
            return t
        t = convert_to_tensor(t)
        known = t.get_shape()
        if known.ndims is None:
            raise ValueError(f"Expected tensor ({t}) to have known rank, but ndims == None.")
        if not known.ndims:
            return t
        batch, rows = self._known_batch, known.as_list()[0]
        if rows is not None and (rows % self._beams or batch and rows != batch * self._beams):
            raise ValueError(
                f"{t.name} has {rows} rows, not batch_size * beam_width: {batch} * {self._beams}. "
                "Perhaps you forgot to create a zero_state with "
                "batch_size=encoder_batch_size * beam_width?"
            )
        whole = concat([[self._batch_size, self._beams], shape(t)[1:]], 0)
        result = reshape(t, whole)
        result.set_shape(TensorShape([batch, self._beams]).concatenate(known[1:]))
        return result

    def _merge(self, t: Any) -> Any:
        return t if isinstance(t, TensorArray) or t.get_shape().ndims < 2 else self._merged(t)

    def _merged(self, t: Any) -> Tensor:
        rows = None if self._known_batch is None else self._known_batch * self._beams
        result = reshape(t, concat([[self._batch_size * self._beams], shape(t)[2:]], 0))
        result.set_shape(TensorShape([rows]).concatenate(t.get_shape()[2:]))
        return result

    def _taken(self, t: Any, beams: Tensor) -> Any:
        """Of a leaf [batch, beams, …] the entries of `beams` [batch, beams]."""
        if isinstance(t, TensorArray) or t.get_shape().ndims < 2:
            return t
        rows = expand_dims(range_(self._batch_size) * self._beams, 1)
        entries = gather(self._merged(t), reshape(beams + rows, [-1]))
        result = reshape(entries, shape(t))
        result.set_shape(t.get_shape())
        return result

    # ---- the choice

    def _chosen(self, logits: Tensor, state: Any, next_cell_state: Any) -> Any:
        """The likeliest continuations, and the state behind them."""
        known = logits.get_shape().with_rank(3).as_list()[2]
        words = shape(logits)[2] if known is None else known
        gone = state.finished
        probs = self._masked(log_softmax(logits), gone, words)
        totals = expand_dims(state.log_probs, 2) + probs
        added = one_hot(
            fill([self._batch_size, self._beams], self._end_token),
            depth=words, on_value=np.int64(0), off_value=np.int64(1), dtype=dtypes.int64,
        )  # fmt: skip
        growing = cast(logical_not(gone), dtypes.int64)
        lengths = added * expand_dims(growing, 2) + expand_dims(state.lengths, 2)
        paid = self._attention(next_cell_state)
        if paid is not None:
            more = expand_dims(cast(logical_not(gone), paid.dtype), 2)
            paid = state.accumulated_attention_probs + paid * more
        scores = self._scores(totals, lengths, gone, paid)
        flat = reshape(scores, [self._batch_size, -1])
        best, places = top_k(flat, k=self._beams)
        best.set_shape([self._known_batch, self._beams])
        places.set_shape([self._known_batch, self._beams])
        rows = expand_dims(range_(self._batch_size) * self._beams * words, 1)
        next_probs = gather(reshape(totals, [-1]), places + rows)
        ids = cast(mod(places, words), dtypes.int32)
        beams = cast(floor_div(places, words), dtypes.int32)
        before = self._taken(gone, beams)
        next_state = BeamSearchDecoderState(
            nest.map_leaves(lambda t: self._taken(t, beams), next_cell_state),
            next_probs,
            logical_or(before, equal(ids, self._end_token), name="next_beam_finished"),
            self._taken(state.lengths, beams) + cast(logical_not(before), dtypes.int64),
            () if paid is None else self._taken(paid, beams),
        )
        return BeamSearchDecoderOutput(best, ids, beams), next_state

    def _masked(self, probs: Tensor, gone: Tensor, words: Any) -> Tensor:
        """Beams that have ended go on with end_token only, at no cost."""
        low = probs.dtype.min
        row = one_hot(self._end_token, words, dtype=probs.dtype, on_value=0.0, off_value=low)
        rows = tile(reshape(row, [1, 1, -1]), [self._batch_size, self._beams, 1])
        return where(tile(expand_dims(gone, 2), [1, 1, words]), rows, probs)

    def _scores(self, totals: Tensor, lengths: Tensor, gone: Tensor, paid: Any) -> Tensor:
        weight = convert_to_tensor(self._length_weight, name="penalty_factor")
        weight.set_shape([])
        scores = totals
        if constant_value(weight) is None or constant_value(weight) != 0:
            penalty = (5.0 + cast(lengths, dtypes.float32)) ** weight / 6.0**weight
            scores = totals / cast(penalty, totals.dtype)
        if paid is None:
            return scores
        rate = convert_to_tensor(self._coverage_weight, dtype=totals.dtype, name="coverage")
        rate.set_shape([])
        untouched = equal(paid, 0.0)  # what lies behind the memory of a row
        spent = minimum(where(untouched, ones_like(paid), paid), 1.0)
        penalty = reduce_sum(log(spent), 2) * cast(gone, totals.dtype) * rate
        return scores + expand_dims(penalty, 2)

    def _attention(self, cell_state: Any) -> Any:
        """The attention that the beams pay, as far as it matters; None if it does not.

        Raises:
          ValueError: the state is not that of an AttentionWrapper.
        """
        weight = self._coverage_weight
        if not isinstance(weight, Tensor) and weight == 0:
            return None
        of_one = isinstance(cell_state, (AttentionWrapperState, Tensor))
        every = [cell_state] if of_one else cell_state
        found = [s.alignments for s in every if isinstance(s, AttentionWrapperState)]
        if not found:
            raise ValueError("coverage_penalty_weight must be 0.0 if no cell is attentional.")
        means = [reduce_mean(stack(nest.flatten(part), -1), -1) for part in found]
        return reduce_mean(stack(means, -1), -1)
