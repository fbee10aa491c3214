"""tf.contrib.legacy_seq2seq: sequences as lists of tensors, unrolled in time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.ops.array_ops import reshape, shape, stop_gradient
from tfc.ops.cast_ops import cast
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.nn_functions import xw_plus_b
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.scan_ops import argmax
from tfc.ops.sum_ops import add_n
from tfc.ops.xent_ops import sparse_softmax_cross_entropy_with_logits
from tfc.rnn.static import static_rnn


def sequence_loss_by_example(
    logits: Sequence[Any],
    targets: Sequence[Any],
    weights: Sequence[Any],
    average_across_timesteps: bool = True,
    softmax_loss_function: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Tensor:
    """The weighted cross-entropy of sequences, one number for each row of the batch.

    logits, targets, weights: lists with a tensor for each step: [batch, classes], [batch] and
    [batch]. average_across_timesteps: whether sums are divided by the sums of the weights.

    Raises:
      ValueError: the lists are not of one length.

    Source: tensorflow/contrib/legacy_seq2seq/python/ops/seq2seq.py.
    """
    if len(targets) != len(logits) or len(weights) != len(logits):
        raise ValueError(
            "Lengths of logits, weights, and targets must be the same "
            f"{len(logits)}, {len(weights)}, {len(targets)}."
        )
    with name_scope(name, "sequence_loss_by_example", [*logits, *targets, *weights]):
        losses = []
        for logit, target, weight in zip(logits, targets, weights, strict=True):
            if softmax_loss_function is None:
                flat = reshape(target, [-1])
                loss = sparse_softmax_cross_entropy_with_logits(labels=flat, logits=logit)
            else:
                loss = softmax_loss_function(labels=target, logits=logit)
            losses.append(loss * weight)
        total = add_n(losses)
        if average_across_timesteps:
            total = total / (add_n(list(weights)) + 1e-12)  # all weights may be zero
        return total


def sequence_loss(
    logits: Sequence[Any],
    targets: Sequence[Any],
    weights: Sequence[Any],
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Tensor:
    """The sum of `sequence_loss_by_example`, or its mean if `average_across_batch`."""
    with name_scope(name, "sequence_loss", [*logits, *targets, *weights]):
        cost = reduce_sum(
            sequence_loss_by_example(
                logits,
                targets,
                weights,
                average_across_timesteps=average_across_timesteps,
                softmax_loss_function=softmax_loss_function,
            )
        )
        if average_across_batch:
            return cost / cast(shape(targets[0])[0], cost.dtype)
        return cost


def rnn_decoder(
    decoder_inputs: Any,
    initial_state: Any,
    cell: Any,
    loop_function: Callable[[Any, int], Any] | None = None,
    scope: Any = None,
) -> Any:
    """`cell` applied to each of `decoder_inputs`, from `initial_state` on.

    loop_function: from (last output, number of the step) to the next input, which then takes the
    place of the one given.

    Returns (a list of the outputs, the last state). Variables are in the scope "rnn_decoder".
    """
    with variable_scope(scope or "rnn_decoder"):
        state, outputs, previous = initial_state, [], None
        for number, given in enumerate(decoder_inputs):
            if loop_function is not None and previous is not None:
                with variable_scope("loop_function", reuse=True):
                    given = loop_function(previous, number)
            if number > 0:
                get_variable_scope().reuse_variables()
            output, state = cell(given, state)
            outputs.append(output)
            if loop_function is not None:
                previous = output
    return outputs, state


def basic_rnn_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    cell: Any,
    dtype: Any = dtypes.float32,
    scope: Any = None,
) -> Any:
    """`rnn_decoder` from the last state of a `static_rnn` over encoder_inputs. Both have variables
    of their own."""
    with variable_scope(scope or "basic_rnn_seq2seq"):
        _, state = static_rnn(copy.deepcopy(cell), encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, state, cell)


def tied_rnn_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    cell: Any,
    loop_function: Callable[[Any, int], Any] | None = None,
    dtype: Any = dtypes.float32,
    scope: Any = None,
) -> Any:
    """`rnn_decoder` from the last state of a `static_rnn` over encoder_inputs, with the same
    variables."""
    with variable_scope("combined_tied_rnn_seq2seq"):
        scope = scope or "tied_rnn_seq2seq"
        _, state = static_rnn(cell, encoder_inputs, dtype=dtype, scope=scope)
        get_variable_scope().reuse_variables()
        return rnn_decoder(decoder_inputs, state, cell, loop_function, scope)


def embedding_rnn_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    output_projection: Any = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    scope: Any = None,
) -> Any:
    """`rnn_decoder` on rows of a table, the variable `embedding`; decoder_inputs are their numbers.

    feed_previous: whether only the first of decoder_inputs counts, and each next input is the row
    of the greatest last output; update_embedding_for_previous: whether gradients reach the table
    through these. output_projection: (W, b) that make symbols of outputs.

    Raises:
      ValueError: the projection's shapes are others.
    """
    with variable_scope(scope or "embedding_rnn_decoder") as opened:
        if output_projection is not None:
            weights, biases = (convert_to_tensor(x, dtype=opened.dtype) for x in output_projection)
            weights.get_shape().assert_is_compatible_with([None, num_symbols])
            biases.get_shape().assert_is_compatible_with([num_symbols])
        table = get_variable("embedding", [num_symbols, embedding_size])
        loop_function = None
        if feed_previous:
            loop_function = embedded_argmax(table, output_projection, update_embedding_for_previous)
        embedded = (embedding_lookup(table, ids) for ids in decoder_inputs)
        return rnn_decoder(embedded, initial_state, cell, loop_function)


def embedded_argmax(table: Any, projection: Any, update: bool) -> Callable[[Any, int], Tensor]:
    """From an output to the row of its greatest element."""

    def function(output: Any, _: int) -> Tensor:
        if projection is not None:
            output = xw_plus_b(output, projection[0], projection[1])
        row = embedding_lookup(table, argmax(output, 1))
        return row if update else stop_gradient(row)

    return function
