"""Decoder and dynamic_decode: a loop that ends when every row of the batch has."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes, nest
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.tensor_util import constant_value
from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import constant, fill, shape, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import logical_and, logical_not, logical_or, where
from tfc.ops.reduction_ops import reduce_all
from tfc.ops.sum_ops import maximum
from tfc.ops.tensor_array import TensorArray
from tfc.ops.while_functions import while_loop
from tfc.rnn.shapes import joined_static, swap_batch_and_time, zeros_of
from tfc.rnn.steps import copy_through


@dataclass(frozen=True)
class Steps:
    """How many steps a loop may take: `limit`, None if nothing tells. fixed: it takes as many even
    when all rows have finished before. exact: they do not."""

    limit: Any
    fixed: bool = False
    exact: bool = False


class Decoder:
    """What `dynamic_decode` runs.

    `initialize()` gives (finished, first inputs, first state); `step(time, inputs, state)` gives
    (outputs, next state, next inputs, finished); `finalize(outputs, final_state,
    sequence_lengths)`, which need not be there, gives the (outputs, final state) to return.
    Outputs of one step have the structure, the shapes [batch_size] + output_size and the dtypes
    output_dtype. tracks_own_finished: whether what `step` says of finished rows is final, as
    rows may change places.

    Source: tensorflow/contrib/seq2seq/python/ops/decoder.py.
    """

    @property
    def batch_size(self) -> Any:
        raise NotImplementedError

    @property
    def output_size(self) -> Any:
        raise NotImplementedError

    @property
    def output_dtype(self) -> Any:
        raise NotImplementedError

    def initialize(self, name: str | None = None) -> Any:
        raise NotImplementedError

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        raise NotImplementedError

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        raise NotImplementedError

    @property
    def tracks_own_finished(self) -> bool:
        return False

    def _steps(self, bound: Tensor | None) -> Steps:
        """How many steps there can be; `bound` is what the caller allows."""
        return Steps(bound)


def dynamic_decode(
    decoder: Any,
    output_time_major: bool = False,
    impute_finished: bool = False,
    maximum_iterations: Any = None,
    parallel_iterations: int = 32,
    swap_memory: bool = False,
    scope: Any = None,
) -> Any:
    """`decoder` step by step, until all rows have finished or maximum_iterations are done.

    impute_finished: whether outputs of rows that have finished are zero, and their state stays.
    output_time_major: whether outputs are [time, batch, …], not [batch, time, …].
    parallel_iterations and swap_memory are accepted: a native loop needs neither.

    Returns (outputs, final state, lengths of the sequences). Variables are in the scope "decoder",
    or `scope`.

    Raises:
      TypeError: `decoder` is no Decoder.
      ValueError: maximum_iterations is no scalar, or `step` changes structures.
    """
    if not isinstance(decoder, Decoder):
        raise TypeError(f"Expected decoder to be type Decoder, but saw: {type(decoder)}")
    with variable_scope(scope, "decoder"):
        bound = _bound(maximum_iterations)
        finished, inputs, state = decoder.initialize()
        inputs, state = (nest.map_leaves(_as_value, x) for x in (inputs, state))
        if bound is not None:
            finished = logical_or(finished, bound <= 0)
        loop = _Loop(decoder, decoder._steps(bound), impute_finished)
        outputs, final_state, lengths = loop.run(finished, inputs, state)
        if type(decoder).finalize is not Decoder.finalize:
            outputs, final_state = decoder.finalize(outputs, final_state, lengths)
        if not output_time_major:
            outputs = nest.map_leaves(swap_batch_and_time, outputs)
        return outputs, final_state, lengths


class _Loop:
    """The loop over the steps of a decoder.

    Where a limit of the steps is known, arrays have room for as many: only then is the loop native
    and has a gradient. What they hold more than there were steps is cut off behind the loop.
    """

    def __init__(self, decoder: Decoder, steps: Steps, impute: bool):
        self.decoder, self.steps, self.impute = decoder, steps, impute
        self.halts = steps.fixed and not steps.exact
        self.zero = nest.map_leaves(
            lambda size, dtype: zeros_of(size, decoder.batch_size, dtype),
            decoder.output_size,
            decoder.output_dtype,
        )

    def run(self, finished: Tensor, inputs: Any, state: Any) -> Any:
        """(outputs by time, last state, lengths)."""
        decoder = self.decoder
        arrays = nest.map_leaves(
            lambda size, dtype: self._array(dtype, _element(decoder.batch_size, size)),
            decoder.output_size,
            decoder.output_dtype,
        )
        lengths = zeros_like(finished, dtype=dtypes.int32)
        room = nest.map_leaves(self._with_room, state)
        _, count, arrays, last, _, _, lengths = while_loop(
            self._goes_on,
            self._body,
            (constant(0), constant(0), arrays, room, inputs, finished, lengths),
        )
        outputs = nest.map_leaves(lambda array: self._cut(array, count), arrays)
        last = nest.map_leaves(lambda old, new: self._as_it_was(old, new, count), state, last)
        return outputs, last, lengths

    def _array(self, dtype: Any, element: TensorShape | None) -> TensorArray:
        if self.steps.limit is None:
            return TensorArray(dtype, size=0, dynamic_size=True, element_shape=element)
        return TensorArray(dtype, size=self.steps.limit, element_shape=element)

    def _with_room(self, leaf: Any) -> Any:
        """A TensorArray of the state that grows, with the room that it needs."""
        if self._grows(leaf) and self.steps.limit is not None:
            return self._array(leaf.dtype, leaf.element_shape)
        return leaf

    @staticmethod
    def _grows(leaf: Any) -> bool:
        """Whether it is a TensorArray that grows, and nothing was written to."""
        return isinstance(leaf, TensorArray) and leaf.dynamic_size and leaf.flow is leaf.handle

    def _cut(self, array: TensorArray, count: Tensor) -> Tensor:
        if self.steps.limit is None or (self.steps.fixed and self.steps.exact):
            return array.stack()
        return array.stack()[:count]

    def _as_it_was(self, old: Any, new: Any, count: Tensor) -> Any:
        """The last value of a leaf of the state; an array has as many elements as steps."""
        if not self._grows(old) or self.steps.limit is None:
            return new
        elements = self._cut(new, count)
        kept = TensorArray(new.dtype, size=shape(elements)[0], element_shape=new.element_shape)
        return kept.unstack(elements)

    def _goes_on(self, time: Tensor, *values: Any) -> Tensor:
        if self.steps.fixed:
            return time < self.steps.limit
        going = logical_not(reduce_all(values[-2]))
        return going if self.steps.limit is None else logical_and(time < self.steps.limit, going)

    def _body(
        self,
        time: Tensor,
        count: Tensor,
        arrays: Any,
        state: Any,
        inputs: Any,
        finished: Tensor,
        lengths: Tensor,
    ) -> Any:
        decoder = self.decoder
        outputs, next_state, next_inputs, done = decoder.step(time, inputs, state)
        if not decoder.tracks_own_finished:
            done = logical_or(done, finished)
        counted = fill(shape(lengths), time + 1)
        lengths = where(logical_not(finished), counted, lengths)
        nest.check_same(state, next_state)
        nest.check_same(arrays, outputs)
        nest.check_same(inputs, next_inputs)
        if self.impute:
            outputs = copy_through(finished, self.zero, outputs)
            next_state = copy_through(finished, state, next_state)
        over: Any = False
        if self.halts:  # after the last step nothing changes any more
            over = reduce_all(finished)
            rows = fill(shape(finished), over)
            next_state = copy_through(rows, state, next_state)
        count = count + cast(logical_not(over), dtypes.int32)
        arrays = nest.map_leaves(lambda array, x: array.write(time, x), arrays, outputs)
        return time + 1, count, arrays, next_state, next_inputs, done, lengths


def _bound(given: Any) -> Tensor | None:
    if given is None:
        return None
    bound = convert_to_tensor(given, dtype=dtypes.int32, name="maximum_iterations")
    if bound.get_shape().ndims != 0:
        raise ValueError("maximum_iterations must be a scalar")
    return maximum(bound, 0)


def _as_value(leaf: Any) -> Any:
    return leaf if isinstance(leaf, TensorArray) else convert_to_tensor(leaf)


def _element(batch_size: Any, size: Any) -> TensorShape:
    """The shape of an output of one step, as far as it is known."""
    batch = constant_value(convert_to_tensor(batch_size, name="batch_size"))
    return joined_static(None if batch is None else int(batch), size)
