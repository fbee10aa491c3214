"""Losses over some of the classes: noise-contrastive estimation and sampled softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import const_ops, reduction_ops
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import ones, ones_like, stop_gradient, zeros_like
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.join_ops import concat, stack
from tfc.ops.matmul_ops import matmul
from tfc.ops.sampling.candidates import log_uniform_candidate_sampler
from tfc.ops.shape_ops import expand_dims, reshape, shape
from tfc.ops.slice_ops import slice_
from tfc.ops.xent_ops import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
)


def _sum_rows(x: Tensor) -> Tensor:
    """The sums of the rows of a matrix, as a product with ones."""
    columns = shape(x)[1]
    return reshape(matmul(x, ones(stack([columns, 1]), x.dtype)), [-1])


def _without_hits(logits: Tensor, labels: Tensor, sampled: Tensor) -> Tensor:
    """Logits from which the candidates are removed that are true classes of the row.

    Of equal candidates only the last one is, as in TensorFlow.
    """
    same = apply("Equal", expand_dims(sampled, 0), expand_dims(sampled, 1))
    count = apply("Size", sampled)
    places = apply("Range", 0, count, 1)
    after = apply("Less", expand_dims(places, 1), expand_dims(places, 0))
    repeated = reduction_ops.reduce_any(apply("LogicalAnd", same, after), axis=1)
    hit = reduction_ops.reduce_any(
        apply("Equal", expand_dims(labels, 2), expand_dims(expand_dims(sampled, 0), 0)), axis=1
    )
    removed = apply("LogicalAnd", hit, expand_dims(apply("LogicalNot", repeated), 0))
    lowest = const_ops.constant(-np.finfo(np.float32).max, dtype=logits.dtype)
    return logits + cast(removed, logits.dtype) * lowest


def _sampled_logits(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int,
    sampled_values: Any,
    subtract_log_q: bool,
    remove_accidental_hits: bool,
    partition_strategy: str,
    name: str | None,
    seed: int | None,
) -> tuple[Tensor, Tensor]:
    """(logits, labels) [batch, num_true + num_sampled] of the true classes and the candidates."""
    tables = list(weights) if isinstance(weights, list | tuple) else [weights]
    with name_scope(name, "compute_sampled_logits", [*tables, biases, inputs, labels]):
        labels = cast(convert_to_tensor(labels), dtypes.int64)
        inputs = convert_to_tensor(inputs)
        flat = reshape(labels, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(
                labels, num_true, num_sampled, True, num_classes, seed=seed
            )
        sampled, of_true, of_sampled = (stop_gradient(convert_to_tensor(s)) for s in sampled_values)
        sampled = cast(sampled, dtypes.int64)
        every = concat([flat, sampled], 0)
        rows = embedding_lookup(tables, every, partition_strategy=partition_strategy)
        offsets = embedding_lookup(biases, every, partition_strategy=partition_strategy)
        count = shape(flat)[0]
        true_rows = slice_(rows, [0, 0], stack([count, -1]))
        sampled_rows = slice_(rows, stack([count, 0]), [-1, -1])
        true_offsets = slice_(offsets, [0], shape(flat))
        sampled_offsets = slice_(offsets, shape(flat), [-1])
        sampled_logits = matmul(inputs, sampled_rows, transpose_b=True)
        width = shape(true_rows)[1:2]
        by_row = reshape(true_rows, concat([[-1, num_true], width], 0))
        products = reshape(expand_dims(inputs, 1) * by_row, concat([[-1], width], 0))
        true_logits = reshape(_sum_rows(products), [-1, num_true])
        true_logits += reshape(true_offsets, [-1, num_true])
        sampled_logits += sampled_offsets
        if remove_accidental_hits:
            sampled_logits = _without_hits(sampled_logits, labels, sampled)
        if subtract_log_q:
            true_logits -= apply("Log", of_true)
            sampled_logits -= apply("Log", of_sampled)
        out_labels = [ones_like(true_logits) / num_true, zeros_like(sampled_logits)]
        return concat([true_logits, sampled_logits], 1), concat(out_labels, 1)


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    partition_strategy: str = "mod",
    name: str = "nce_loss",
) -> Tensor:
    """The noise-contrastive estimation loss of each row of inputs [batch, dim]: [batch].

    weights: [num_classes, dim], or shards of it. labels: [batch, num_true]. sampled_values: what a
    candidate sampler gives; None draws from the log-uniform one.
    """
    logits, targets = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, True,
        remove_accidental_hits, partition_strategy, name, None,
    )  # fmt: skip
    losses = sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name="sampled_losses")
    return _sum_rows(losses)


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss",
    seed: int | None = None,
) -> Tensor:
    """The softmax cross entropy over the true classes and some candidates: [batch].

    The arguments are those of `nce_loss`.
    """
    logits, targets = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, True,
        remove_accidental_hits, partition_strategy, name, seed,
    )  # fmt: skip
    targets = stop_gradient(targets, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(labels=targets, logits=logits)
