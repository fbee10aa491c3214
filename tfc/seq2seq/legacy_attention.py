"""Decoders of tf.contrib.legacy_seq2seq that look at the outputs of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.ops.array_ops import concat, reshape, shape, stack, zeros
from tfc.ops.conv_functions import conv2d
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.nn_functions import softmax
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.unary_api import tanh
from tfc.rnn.linear import Linear
from tfc.seq2seq.legacy import embedded_argmax


def attention_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    attention_states: Any,
    cell: Any,
    output_size: int | None = None,
    num_heads: int = 1,
    loop_function: Callable[[Any, int], Any] | None = None,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> Any:
    """`cell` applied to each of `decoder_inputs`, with what it attends to.

    attention_states: [batch, length, size]. Each of `num_heads` weighs the rows by the softmax of
    `sum(v * tanh(W row + U state))`; a linear map of the input and the weighted sums goes into the
    cell, one of the cell's output and the new sums, `output_size` wide, is the output.
    loop_function: from (last output, number of the step) to the next input, which then takes the
    place of the one given. initial_state_attention: whether the first step attends by the initial
    state; else its sums are zeros.

    Returns (a list of the outputs, the last state). Variables are in "attention_decoder".

    Raises:
      ValueError: no inputs, no heads, or a size that is not known.

    Source: tensorflow/contrib/legacy_seq2seq/python/ops/seq2seq.py.
    """
    if not decoder_inputs:
        raise ValueError("Must provide at least 1 input to attention decoder.")
    if num_heads < 1:
        raise ValueError("With less than 1 heads, use a non-attention decoder.")
    known = attention_states.get_shape()
    if known.with_rank(3).as_list()[2] is None:
        raise ValueError(f"Shape[2] of attention_states must be known: {known}")
    output_size = cell.output_size if output_size is None else output_size
    with variable_scope(scope or "attention_decoder", dtype=dtype) as opened:
        heads = _Heads(attention_states, num_heads)
        state, previous, outputs = initial_state, None, []
        if initial_state_attention:
            sums = heads(initial_state)
        else:
            sums = heads.nothing(shape(decoder_inputs[0])[0], opened.dtype)
        for number, given in enumerate(decoder_inputs):
            if number > 0:
                get_variable_scope().reuse_variables()
            if loop_function is not None and previous is not None:
                with variable_scope("loop_function", reuse=True):
                    given = loop_function(previous, number)
            width = given.get_shape().with_rank(2).as_list()[1]
            if width is None:
                raise ValueError(f"Could not infer input size from input: {given.name}")
            output, state = cell(_linear([given, *sums], width), state)
            again = True if number == 0 and initial_state_attention else None
            with variable_scope(get_variable_scope(), reuse=again):
                sums = heads(state)
            with variable_scope("AttnOutputProjection"):
                output = _linear([output, *sums], output_size)
            if loop_function is not None:
                previous = output
            outputs.append(output)
    return outputs, state


class _Heads:
    """What each head sees in the states, [batch, length, size], for a query."""

    def __init__(self, states: Any, count: int):
        dims = states.get_shape().as_list()
        self._length = shape(states)[1] if dims[1] is None else dims[1]
        self._size = dims[2]
        self._states = reshape(states, [-1, self._length, 1, self._size])
        self._features, self._vectors = [], []
        for head in range(count):
            kernel = get_variable(f"AttnW_{head}", [1, 1, self._size, self._size])
            self._features.append(conv2d(self._states, kernel, [1, 1, 1, 1], "SAME"))
            self._vectors.append(get_variable(f"AttnV_{head}", [self._size]))

    def nothing(self, batch: Any, dtype: Any) -> list[Tensor]:
        """What heads see that do not look."""
        made = [zeros(stack([batch, self._size]), dtype=dtype) for _ in self._vectors]
        for tensor in made:
            tensor.set_shape([None, self._size])
        return made

    def __call__(self, query: Any) -> list[Tensor]:
        parts = nest.flatten(query)
        for part in parts:
            part.get_shape().assert_has_rank(2)
        flat = concat(parts, 1) if nest.is_sequence(query) else query
        found = []
        for head, (features, vector) in enumerate(zip(self._features, self._vectors, strict=True)):
            with variable_scope(f"Attention_{head}"):
                y = reshape(_linear(flat, self._size), [-1, 1, 1, self._size])
                weights = softmax(reduce_sum(vector * tanh(features + y), [2, 3]))
                spread = reshape(weights, [-1, self._length, 1, 1])
                seen = reduce_sum(spread * self._states, [1, 2])
                found.append(reshape(seen, [-1, self._size]))
        return found


def _linear(args: Any, size: int) -> Tensor:
    return Linear(args, size, True)(args)


def embedding_attention_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    attention_states: Any,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    num_heads: int = 1,
    output_size: int | None = None,
    output_projection: Any = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> Any:
    """`attention_decoder` on rows of a table, the variable `embedding`; decoder_inputs are their
    numbers. The other arguments are those of `embedding_rnn_decoder`.

    Raises:
      ValueError: the projection's shapes are others.
    """
    output_size = cell.output_size if output_size is None else output_size
    if output_projection is not None:
        biases = convert_to_tensor(output_projection[1], dtype=dtype)
        biases.get_shape().assert_is_compatible_with([num_symbols])
    with variable_scope(scope or "embedding_attention_decoder", dtype=dtype):
        table = get_variable("embedding", [num_symbols, embedding_size])
        loop_function = None
        if feed_previous:
            loop_function = embedded_argmax(table, output_projection, update_embedding_for_previous)
        return attention_decoder(
            [embedding_lookup(table, ids) for ids in decoder_inputs],
            initial_state,
            attention_states,
            cell,
            output_size=output_size,
            num_heads=num_heads,
            loop_function=loop_function,
            initial_state_attention=initial_state_attention,
        )
