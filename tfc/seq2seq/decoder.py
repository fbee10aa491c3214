"""Decoder and dynamic_decode: a loop that ends when every row of the batch has."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.tensor_util import constant_value
from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import constant, fill, shape, zeros_like
from tfc.ops.compare_ops import logical_not, logical_or, where
from tfc.ops.reduction_ops import reduce_all
from tfc.ops.tensor_array import TensorArray
from tfc.ops.while_functions import while_loop
from tfc.rnn.shapes import joined_static, swap_batch_and_time, zeros_of
from tfc.rnn.steps import copy_through


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
        zero_outputs = nest.map_leaves(
            lambda size, dtype: zeros_of(size, decoder.batch_size, dtype),
            decoder.output_size,
            decoder.output_dtype,
        )
        if bound is not None:
            finished = logical_or(finished, bound <= 0)
        lengths = zeros_like(finished, dtype=dtypes.int32)
        arrays = nest.map_leaves(
            lambda size, dtype: TensorArray(
                dtype=dtype,
                size=0,
                dynamic_size=True,
                element_shape=_element(decoder.batch_size, size),
            ),
            decoder.output_size,
            decoder.output_dtype,
        )

        def body(
            time: Tensor, arrays: Any, state: Any, inputs: Any, finished: Tensor, lengths: Tensor
        ) -> Any:
            outputs, next_state, next_inputs, done = decoder.step(time, inputs, state)
            if not decoder.tracks_own_finished:
                done = logical_or(done, finished)
            counted = fill(shape(lengths), time + 1)
            lengths = where(logical_not(finished), counted, lengths)
            nest.check_same(state, next_state)
            nest.check_same(arrays, outputs)
            nest.check_same(inputs, next_inputs)
            if impute_finished:
                outputs = copy_through(finished, zero_outputs, outputs)
                next_state = copy_through(finished, state, next_state)
            arrays = nest.map_leaves(lambda kept, x: kept.write(time, x), arrays, outputs)
            return time + 1, arrays, next_state, next_inputs, done, lengths

        _, arrays, final_state, _, _, lengths = while_loop(
            lambda time, arrays, state, inputs, finished, lengths: logical_not(
                reduce_all(finished)
            ),
            body,
            (constant(0), arrays, state, inputs, finished, lengths),
            maximum_iterations=bound,
        )
        outputs = nest.map_leaves(lambda kept: kept.stack(), arrays)
        if type(decoder).finalize is not Decoder.finalize:
            outputs, final_state = decoder.finalize(outputs, final_state, lengths)
        if not output_time_major:
            outputs = nest.map_leaves(swap_batch_and_time, outputs)
        return outputs, final_state, lengths


def _bound(given: Any) -> Tensor | None:
    if given is None:
        return None
    bound = convert_to_tensor(given, dtype=dtypes.int32, name="maximum_iterations")
    if bound.get_shape().ndims != 0:
        raise ValueError("maximum_iterations must be a scalar")
    return bound


def _as_value(leaf: Any) -> Any:
    return leaf if isinstance(leaf, TensorArray) else convert_to_tensor(leaf)


def _element(batch_size: Any, size: Any) -> TensorShape:
    """The shape of an output of one step, as far as it is known."""
    batch = constant_value(convert_to_tensor(batch_size, name="batch_size"))
    return joined_static(None if batch is None else int(batch), size)
