"""Whole networks of tf.contrib.legacy_seq2seq: from numbers of symbols to symbols."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.ops.array_ops import concat, reshape
from tfc.ops.cond_functions import cond
from tfc.ops.embedding_ops import embedding_lookup
from tfc.rnn.cell import RNNCell
from tfc.rnn.linear import EmbeddingWrapper, OutputProjectionWrapper
from tfc.rnn.static import static_rnn
from tfc.seq2seq.legacy import (
    embedded_argmax,
    embedding_rnn_decoder,
    sequence_loss,
    sequence_loss_by_example,
    tied_rnn_seq2seq,
)
from tfc.seq2seq.legacy_attention import embedding_attention_decoder

Decoder = Callable[[bool, bool], Any]  # (feed the previous outputs, let gradients go that way)


def _decided(feed_previous: Any, decode: Decoder) -> Any:
    """What `decode` gives, whether `feed_previous` is a bool or a tensor: then there are both
    networks, with one set of variables."""
    if isinstance(feed_previous, bool):
        return decode(feed_previous, True)
    forms: list[Any] = []

    def flat(previous: bool) -> list[Tensor]:
        with variable_scope(get_variable_scope(), reuse=None if previous else True):
            outputs, state = decode(previous, False)
        forms[:] = [len(outputs), state]
        return [*outputs, *nest.flatten(state)]

    found = cond(feed_previous, lambda: flat(True), lambda: flat(False))
    count, form = forms
    return found[:count], nest.pack(form, found[count:])


def embedding_rnn_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    output_projection: Any = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> Any:
    """`embedding_rnn_decoder` from the last state of `cell` over embedded encoder_inputs.

    Inputs are lists of int vectors [batch]. output_projection: (W, b) that make symbols of outputs;
    without it there is a layer that does, and outputs are [batch, num_decoder_symbols].
    feed_previous: a bool, or a scalar tensor: whether only the first of decoder_inputs counts.

    Returns (a list of the outputs, the last state).

    Source: tensorflow/contrib/legacy_seq2seq/python/ops/seq2seq.py.
    """
    with variable_scope(scope or "embedding_rnn_seq2seq") as opened:
        if dtype is not None:
            opened.set_dtype(dtype)
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        _, state = static_rnn(encoder, encoder_inputs, dtype=opened.dtype)
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)

        def decode(previous: bool, update: bool) -> Any:
            return embedding_rnn_decoder(
                decoder_inputs,
                state,
                cell,
                num_decoder_symbols,
                embedding_size,
                output_projection=output_projection,
                feed_previous=previous,
                update_embedding_for_previous=update,
            )

        return _decided(feed_previous, decode)


def embedding_tied_rnn_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    num_decoder_symbols: int | None = None,
    output_projection: Any = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> Any:
    """`tied_rnn_seq2seq` on rows of one table. The arguments are those of `embedding_rnn_seq2seq`;
    num_decoder_symbols: how many of the symbols outputs are about (all).

    Raises:
      ValueError: the projection's shapes are others.
    """
    with variable_scope(scope or "embedding_tied_rnn_seq2seq", dtype=dtype) as opened:
        dtype = opened.dtype
        if output_projection is not None:
            weights, biases = (convert_to_tensor(x, dtype=dtype) for x in output_projection)
            weights.get_shape().assert_is_compatible_with([None, num_symbols])
            biases.get_shape().assert_is_compatible_with([num_symbols])
        table = get_variable("embedding", [num_symbols, embedding_size], dtype=dtype)
        encoded = [embedding_lookup(table, x) for x in encoder_inputs]
        decoded = [embedding_lookup(table, x) for x in decoder_inputs]
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols or num_symbols)

        def decode(previous: bool, update: bool) -> Any:
            function = embedded_argmax(table, output_projection, update) if previous else None
            return tied_rnn_seq2seq(encoded, decoded, cell, loop_function=function, dtype=dtype)

        return _decided(feed_previous, decode)


def embedding_attention_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    num_heads: int = 1,
    output_projection: Any = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> Any:
    """`embedding_attention_decoder` that looks at the outputs of a copy of `cell` over embedded
    encoder_inputs, from its last state on. The other arguments are those of
    `embedding_rnn_seq2seq` and `attention_decoder`.

    Returns (a list of the outputs, the last state).
    """
    with variable_scope(scope or "embedding_attention_seq2seq", dtype=dtype) as opened:
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        seen, state = static_rnn(encoder, encoder_inputs, dtype=opened.dtype)
        states = concat([reshape(x, [-1, 1, cell.output_size]) for x in seen], 1)
        output_size = None
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)
            output_size = num_decoder_symbols

        def decode(previous: bool, update: bool) -> Any:
            return embedding_attention_decoder(
                decoder_inputs,
                state,
                states,
                cell,
                num_decoder_symbols,
                embedding_size,
                num_heads=num_heads,
                output_size=output_size,
                output_projection=output_projection,
                feed_previous=previous,
                update_embedding_for_previous=update,
                initial_state_attention=initial_state_attention,
            )

        return _decided(feed_previous, decode)


def one2many_rnn_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs_dict: Mapping[str, Sequence[Any]],
    enc_cell: Any,
    dec_cells_dict: Mapping[str, Any],
    num_encoder_symbols: int,
    num_decoder_symbols_dict: Mapping[str, int],
    embedding_size: int,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> Any:
    """Several `embedding_rnn_decoder`, each from the last state of `enc_cell` over embedded
    encoder_inputs (https://arxiv.org/abs/1511.06114).

    decoder_inputs_dict, dec_cells_dict, num_decoder_symbols_dict: by the decoders' names, their
    inputs, cells and numbers of symbols. feed_previous: as of `embedding_rnn_seq2seq`.

    Returns (the lists of outputs by name, the last states by name). Variables of a decoder are in
    `one2many_decoder_<name>`.

    Raises:
      TypeError: a cell is no RNNCell. ValueError: cells and inputs are of other decoders.

    Source: tensorflow/contrib/legacy_seq2seq/python/ops/seq2seq.py.
    """
    for what, cell in (("enc_cell", enc_cell), *(("dec_cell", c) for c in dec_cells_dict.values())):
        if not isinstance(cell, RNNCell):
            raise TypeError(f"{what} is not an RNNCell: {type(cell)}")
    if set(dec_cells_dict) != set(decoder_inputs_dict):
        raise ValueError("keys of dec_cells_dict != keys of decoder_inputs_dict")
    all_outputs, states = {}, {}
    with variable_scope(scope or "one2many_rnn_seq2seq", dtype=dtype) as opened:
        encoder = EmbeddingWrapper(enc_cell, num_encoder_symbols, embedding_size)
        _, first = static_rnn(encoder, encoder_inputs, dtype=opened.dtype)
        for name, inputs in decoder_inputs_dict.items():
            symbols = num_decoder_symbols_dict[name]
            with variable_scope(f"one2many_decoder_{name}"):
                cell = OutputProjectionWrapper(dec_cells_dict[name], symbols)

                def decode(
                    previous: bool, _: bool, given: Any = inputs, cell: Any = cell, n: int = symbols
                ) -> Any:
                    return embedding_rnn_decoder(
                        given, first, cell, n, embedding_size, feed_previous=previous
                    )

                all_outputs[name], states[name] = _decided(feed_previous, decode)
    return all_outputs, states


def model_with_buckets(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    targets: Sequence[Any],
    weights: Sequence[Any],
    buckets: Sequence[tuple[int, int]],
    seq2seq: Callable[[Any, Any], Any],
    softmax_loss_function: Callable[..., Any] | None = None,
    per_example_loss: bool = False,
    name: str | None = None,
) -> tuple[list[Any], list[Tensor]]:
    """Networks for sequences of several lengths, with one set of variables.

    buckets: (length of inputs, length of outputs) pairs, the longest last. seq2seq: makes (outputs,
    state) of lists of inputs of both. per_example_loss: whether losses are [batch].

    Returns (a list of outputs for each bucket, their losses).

    Raises:
      ValueError: a list is shorter than the last bucket.
    """
    lists = (
        ("encoder_inputs", encoder_inputs, 0),
        ("targets", targets, 1),
        ("weights", weights, 1),
    )
    for what, given, side in lists:
        if len(given) < buckets[-1][side]:
            raise ValueError(
                f"Length of {what} ({len(given)}) must be at least that of last bucket "
                f"({buckets[-1][side]})."
            )
    everything = [*encoder_inputs, *decoder_inputs, *targets, *weights]
    loss_of = sequence_loss_by_example if per_example_loss else sequence_loss
    outputs, losses = [], []
    with name_scope(name, "model_with_buckets", everything):
        for number, (before, after) in enumerate(buckets):
            with variable_scope(get_variable_scope(), reuse=True if number else None):
                found, _ = seq2seq(encoder_inputs[:before], decoder_inputs[:after])
                outputs.append(found)
                losses.append(
                    loss_of(
                        found,
                        targets[:after],
                        weights[:after],
                        softmax_loss_function=softmax_loss_function,
                    )
                )
    return outputs, losses
