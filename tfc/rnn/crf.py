"""tf.contrib.crf: linear-chain conditional random fields."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.variable_scope import get_variable
from tfc.ops.array_ops import concat, expand_dims, fill, gather, reshape, shape, squeeze, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, less_equal, where
from tfc.ops.cond_functions import cond
from tfc.ops.reduction_ops import reduce_logsumexp, reduce_max, reduce_sum
from tfc.ops.reverse_ops import batch_gather, reverse_sequence, sequence_mask
from tfc.ops.scan_ops import argmax, range_
from tfc.ops.sum_ops import maximum
from tfc.rnn.cell import RNNCell
from tfc.rnn.dynamic import dynamic_rnn


def _lengths(given: Any) -> Tensor:
    return convert_to_tensor(given, name="sequence_lengths")


def crf_sequence_score(
    inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any
) -> Tensor:
    """The scores of sequences of tags: `crf_unary_score` and `crf_binary_score` added up.

    inputs: the potentials, [batch, time, tags]; tag_indices: [batch, time], int32 or int64;
    sequence_lengths: [batch]; transition_params: [tags, tags], from the row's tag to the column's.

    Returns [batch]; 0 where there is no step.

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    inputs = convert_to_tensor(inputs, name="inputs")
    unary = crf_unary_score(tag_indices, sequence_lengths, inputs)
    if inputs.get_shape().as_list()[1] == 1:
        return unary
    return unary + crf_binary_score(tag_indices, sequence_lengths, transition_params)


def crf_multitag_sequence_score(
    inputs: Any, tag_bitmap: Any, sequence_lengths: Any, transition_params: Any
) -> Tensor:
    """The logarithm of the sum of the exponentials of the scores of all sequences that `tag_bitmap`
    (bool, [batch, time, tags]) allows. The other arguments are those of `crf_sequence_score`.

    Returns [batch]. Where there is one step of time, it counts whatever the lengths say.

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    inputs = convert_to_tensor(inputs, name="inputs")
    never = fill(shape(inputs), convert_to_tensor(-np.inf, dtype=inputs.dtype))
    allowed = where(tag_bitmap, inputs, never)

    def single() -> Tensor:
        return reduce_logsumexp(allowed, axis=[1, 2])

    def several() -> Tensor:
        return crf_log_norm(allowed, sequence_lengths, transition_params)

    steps = inputs.get_shape().as_list()[1]
    if steps is not None:
        return single() if steps == 1 else several()
    norm = several()
    return cond(equal(shape(inputs)[1], 1), single, lambda: norm)


def crf_log_norm(inputs: Any, sequence_lengths: Any, transition_params: Any) -> Tensor:
    """The logarithm of the sum of the exponentials of the scores of all sequences of tags. The
    arguments are those of `crf_sequence_score`.

    Returns [batch]; 0 where there is no step.

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    inputs, lengths = convert_to_tensor(inputs, name="inputs"), _lengths(sequence_lengths)
    alphas = inputs[:, 0]
    if inputs.get_shape().as_list()[1] != 1:
        _, alphas = dynamic_rnn(
            CrfForwardRnnCell(transition_params),
            inputs[:, 1:],
            sequence_length=maximum(lengths - 1, 0),
            initial_state=alphas,
            dtype=inputs.dtype,
        )
    norm = reduce_logsumexp(alphas, [1])
    return where(less_equal(lengths, 0), zeros_like(norm), norm)


def crf_log_likelihood(
    inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any = None
) -> tuple[Tensor, Any]:
    """`crf_sequence_score` less `crf_log_norm`: the logarithm of the probability of sequences of
    tags. The arguments are those of the former; without transition_params there is a variable
    `transitions` of them.

    Returns (the logarithms [batch], transition_params).

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    inputs = convert_to_tensor(inputs, name="inputs")
    tags = inputs.get_shape().as_list()[2]
    if transition_params is None:
        transition_params = get_variable("transitions", [tags, tags])
    score = crf_sequence_score(inputs, tag_indices, sequence_lengths, transition_params)
    return score - crf_log_norm(inputs, sequence_lengths, transition_params), transition_params


def crf_unary_score(tag_indices: Any, sequence_lengths: Any, inputs: Any) -> Tensor:
    """The sums of the potentials of the tags. The arguments are those of `crf_sequence_score`.

    Returns [batch].

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    inputs = convert_to_tensor(inputs, name="inputs")
    tags = convert_to_tensor(tag_indices, name="tag_indices")
    whole = shape(inputs, out_type=tags.dtype)
    batch, steps, count = whole[0], whole[1], whole[2]
    rows = expand_dims(range_(batch), 1) * steps + expand_dims(range_(steps), 0)
    places = reshape(rows * count + tags, [-1])
    found = reshape(gather(reshape(inputs, [-1]), places), shape(inputs)[:2])
    mask = sequence_mask(_lengths(sequence_lengths), maxlen=shape(tags)[1], dtype=inputs.dtype)
    return reduce_sum(found * mask, 1)


def crf_binary_score(tag_indices: Any, sequence_lengths: Any, transition_params: Any) -> Tensor:
    """The sums of the transitions between neighbouring tags. The arguments are those of
    `crf_sequence_score`.

    Returns [batch].

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    tags = convert_to_tensor(tag_indices, name="tag_indices")
    transitions = convert_to_tensor(transition_params, name="transition_params")
    count = transitions.get_shape().as_list()[0]
    places = tags[:, :-1] * count + tags[:, 1:]
    found = gather(reshape(transitions, [-1]), places)
    mask = sequence_mask(_lengths(sequence_lengths), maxlen=shape(tags)[1], dtype=found.dtype)
    return reduce_sum(found * mask[:, 1:], 1)


class _ChainCell(RNNCell):
    """A cell whose state has a number for each tag."""

    def __init__(self, transition_params: Any):
        super().__init__()
        transitions = convert_to_tensor(transition_params, name="transition_params")
        self._transitions = expand_dims(transitions, 0)
        self._num_tags = transitions.get_shape().as_list()[0]

    @property
    def state_size(self) -> Any:
        return self._num_tags

    @property
    def output_size(self) -> Any:
        return self._num_tags

    def _before(self, state: Any) -> Tensor:
        """The scores of all pairs of tags: [batch, last tag, this one]."""
        return expand_dims(state, 2) + self._transitions


class CrfForwardRnnCell(_ChainCell):
    """A step of the forward algorithm: from the logarithms of the sums over all sequences that end
    in a tag to those of one step more, which are state and output. transition_params: [tags, tags].

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        alphas = inputs + reduce_logsumexp(self._before(state), [1])
        return alphas, alphas


class CrfDecodeForwardRnnCell(_ChainCell):
    """A step of the search for the best sequence: the state is the best score of all sequences that
    end in a tag, the output the tag before it (int32). transition_params: [tags, tags].

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        scores = self._before(state)
        return cast(argmax(scores, 1), dtypes.int32), inputs + reduce_max(scores, [1])


class CrfDecodeBackwardRnnCell(RNNCell):
    """A step back along the best sequence: the inputs are the tags before each tag, state and
    output the tag that it goes through, [batch, 1]. num_tags: how many there are.

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """

    def __init__(self, num_tags: int):
        super().__init__()
        self._num_tags = num_tags

    @property
    def state_size(self) -> Any:
        return 1

    @property
    def output_size(self) -> Any:
        return 1

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        tags = batch_gather(inputs, state)
        return tags, tags


def crf_decode(
    potentials: Any, transition_params: Any, sequence_length: Any
) -> tuple[Tensor, Tensor]:
    """The best sequences of tags. The arguments are those of `crf_sequence_score`.

    Returns (tags, int32 [batch, time], 0 behind the lengths but for the first; their scores
    [batch]).

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    potentials, lengths = convert_to_tensor(potentials, name="inputs"), _lengths(sequence_length)
    before = maximum(lengths - 1, 0)
    tags = potentials.get_shape().as_list()[2]
    pointers, scores = dynamic_rnn(
        CrfDecodeForwardRnnCell(transition_params),
        potentials[:, 1:],
        sequence_length=before,
        initial_state=potentials[:, 0],
        dtype=dtypes.int32,
    )
    last = expand_dims(cast(argmax(scores, axis=1), dtypes.int32), -1)
    found, _ = dynamic_rnn(
        CrfDecodeBackwardRnnCell(tags),
        reverse_sequence(pointers, before, seq_axis=1),
        sequence_length=before,
        initial_state=last,
        dtype=dtypes.int32,
    )
    path = concat([last, squeeze(found, axis=[2])], axis=1)
    return reverse_sequence(path, lengths, seq_axis=1), reduce_max(scores, axis=1)


def viterbi_decode(score: Any, transition_params: Any) -> tuple[list[Any], Any]:
    """The best sequence of tags of one array of potentials, [time, tags], and its score. This is a
    function of arrays, not of tensors.

    Source: tensorflow/contrib/crf/python/ops/crf.py.
    """
    best, pointers = score[0], []
    for potentials in score[1:]:
        scores = np.expand_dims(best, 1) + transition_params
        pointers.append(np.argmax(scores, 0))
        best = potentials + np.max(scores, 0)
    path = [np.argmax(best)]
    for pointer in reversed(pointers):
        path.append(pointer[path[-1]])
    return path[::-1], np.max(best)
