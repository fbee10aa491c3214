"""Monotonic attention: what was passed by is never attended to again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.ops.array_ops import concat, one_hot, ones, reshape, shape, transpose, zeros
from tfc.ops.cast_ops import cast
from tfc.ops.clip_ops import clip_by_value
from tfc.ops.functional_ops import scan
from tfc.ops.random_ops import random_normal
from tfc.ops.scan_ops import cumprod, cumsum
from tfc.ops.unary_api import exp, log, sigmoid
from tfc.seq2seq.attention import BahdanauAttention, LuongAttention, MemoryAttention, dense_layer

MODES = ("recursive", "parallel", "hard")


def safe_cumprod(x: Any, *args: Any, **kwargs: Any) -> Tensor:
    """`tf.cumprod` of numbers between 0 and 1, as the exponential of a sum of logarithms: finite,
    and so is its gradient, where factors are 0. args, kwargs: those of `tf.cumsum`."""
    with name_scope(None, "SafeCumprod", [x]):
        x = convert_to_tensor(x, name="x")
        tiny = np.finfo(x.dtype.as_numpy_dtype).tiny
        return exp(cumsum(log(clip_by_value(x, tiny, 1)), *args, **kwargs))


def monotonic_attention(p_choose_i: Any, previous_attention: Any, mode: str) -> Tensor:
    """How much each place of a memory is attended to (https://arxiv.org/abs/1704.00784), when the
    places are looked at from the one attended to last, one after the other, and each is chosen
    with a probability.

    p_choose_i: these probabilities, [batch, time]. previous_attention: the last result; before the
    first step 1 at the first place, 0 elsewhere. mode: "recursive" (place after place, exact),
    "parallel" (cumulative sums and products; inexact where probabilities are near 0 or 1) or "hard"
    (the probabilities are 0 or 1).

    Returns [batch, time].

    Raises:
      ValueError: there is no such mode.

    Source: tensorflow/contrib/seq2seq/python/ops/attention_wrapper.py.
    """
    chosen = convert_to_tensor(p_choose_i, name="p_choose_i")
    before = convert_to_tensor(previous_attention, name="previous_attention")
    if mode == "recursive":
        return chosen * _reached(chosen, before)
    if mode == "parallel":
        left = safe_cumprod(1 - chosen, axis=1, exclusive=True)
        return chosen * left * cumsum(before / clip_by_value(left, 1e-10, 1.0), axis=1)
    if mode == "hard":
        ahead = chosen * cumsum(before, axis=1)
        return ahead * cumprod(1 - ahead, axis=1, exclusive=True)
    raise ValueError("mode must be 'recursive', 'parallel', or 'hard'.")


def _reached(chosen: Tensor, before: Tensor) -> Tensor:
    """How likely each place is looked at: it was attended to last, or the one before it was looked
    at and not chosen."""
    rows = chosen.get_shape().as_list()[0]
    batch: Any = shape(chosen)[0] if rows is None else rows
    first = ones([batch, 1], dtype=chosen.dtype)
    passed = concat([first, 1 - chosen[:, :-1]], 1)

    def place(reached: Tensor, given: Any) -> Tensor:
        return reshape(given[0] * reached + given[1], [batch])

    columns = [transpose(passed), transpose(before)]
    return transpose(scan(place, columns, zeros([batch], dtype=chosen.dtype)))


def _probabilities(
    sigmoid_noise: float, mode: str, seed: int | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """From scores and the last alignments to the next."""

    def function(score: Tensor, before: Tensor) -> Tensor:
        if sigmoid_noise > 0:
            noise = random_normal(shape(score), dtype=score.dtype, seed=seed)
            score = score + sigmoid_noise * noise
        hard = mode == "hard"
        return monotonic_attention(
            cast(score > 0, score.dtype) if hard else sigmoid(score), before, mode
        )

    return function


class _Monotonic(MemoryAttention):
    """A mechanism that starts at the first place of the memory."""

    _scope: str
    _score: Callable[[Any], Tensor]
    _score_bias_init: Any

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Tensor:
        """1 at the first place of each row, 0 elsewhere."""
        return one_hot(zeros([batch_size], dtype="int32"), self._alignments_size, dtype=dtype)

    def __call__(self, query: Any, state: Any) -> Any:
        with variable_scope(None, self._scope, [query]):
            score = self._score(query)
            bias = get_variable(
                "attention_score_bias", dtype=query.dtype, initializer=self._score_bias_init
            )
            score = score + bias
        alignments = self._probabilities(score, state)
        return alignments, alignments


class BahdanauMonotonicAttention(_Monotonic, BahdanauAttention):
    """BahdanauAttention whose scores, with a variable `attention_score_bias` added, say how likely
    places are chosen by `monotonic_attention`.

    sigmoid_noise: the deviation of noise added to the scores, which makes the network take sides;
    none at inference. sigmoid_noise_seed: its seed. score_bias_init: where the bias starts; mode:
    of `monotonic_attention`; "hard" chooses where scores are positive. The other arguments are
    those of BahdanauAttention.

    Source: tensorflow/contrib/seq2seq/python/ops/attention_wrapper.py.
    """

    _scope = "bahdanau_monotonic_attention"

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        normalize: bool = False,
        score_mask_value: Any = None,
        sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None,
        score_bias_init: float = 0.0,
        mode: str = "parallel",
        dtype: Any = None,
        name: str = "BahdanauMonotonicAttention",
    ):
        MemoryAttention.__init__(
            self,
            query_layer=dense_layer(num_units, "query_layer", dtype),
            memory_layer=dense_layer(num_units, "memory_layer", dtype),
            memory=memory,
            probability_fn=_probabilities(sigmoid_noise, mode, sigmoid_noise_seed),
            memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value,
            name=name,
        )
        self._num_units, self._normalize = num_units, normalize
        self._score_bias_init = score_bias_init


class LuongMonotonicAttention(_Monotonic, LuongAttention):
    """LuongAttention whose scores, with a variable `attention_score_bias` added, say how likely
    places are chosen by `monotonic_attention`.

    sigmoid_noise, sigmoid_noise_seed, score_bias_init, mode: as of BahdanauMonotonicAttention. The
    other arguments are those of LuongAttention.

    Source: tensorflow/contrib/seq2seq/python/ops/attention_wrapper.py.
    """

    _scope = "luong_monotonic_attention"

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        scale: bool = False,
        score_mask_value: Any = None,
        sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None,
        score_bias_init: float = 0.0,
        mode: str = "parallel",
        dtype: Any = None,
        name: str = "LuongMonotonicAttention",
    ):
        MemoryAttention.__init__(
            self,
            query_layer=None,
            memory_layer=dense_layer(num_units, "memory_layer", dtype),
            memory=memory,
            probability_fn=_probabilities(sigmoid_noise, mode, sigmoid_noise_seed),
            memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value,
            name=name,
        )
        self._scale, self._score_bias_init = scale, score_bias_init
