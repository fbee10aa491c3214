"""CTC, edit distance and sets against what they mean, spelled out in Python."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

CHECK = settings(max_examples=12)


def sparse(rows: list[list[int]], dtype=np.int32) -> tf.SparseTensorValue:
    """The rows of a ragged list."""
    places = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    values = [v for row in rows for v in row]
    width = max((len(row) for row in rows), default=0)
    return tf.SparseTensorValue(
        np.array(places, np.int64).reshape(-1, 2), np.array(values, dtype), (len(rows), width)
    )


def run(build):
    with tf.Graph().as_default(), tf.Session() as sess:
        return sess.run(build())


def collapsed(path, blank):
    """A path without repetitions, then without blanks."""
    return [k for k, _ in itertools.groupby(path) if k != blank]


@CHECK
@given(
    times=st.integers(1, 4),
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=2),
    seed=st.integers(0, 10**6),
)
def test_ctc_loss_sums_over_all_paths(times, labels, seed):
    classes, blank = 3, 2
    logits = np.random.RandomState(seed).uniform(-2, 2, (times, 1, classes)).astype(np.float32)
    odds = np.exp(logits[:, 0]) / np.exp(logits[:, 0]).sum(1, keepdims=True)
    total = sum(
        np.prod([odds[t, k] for t, k in enumerate(path)])
        for path in itertools.product(range(classes), repeat=times)
        if collapsed(path, blank) == labels
    )
    repeats = sum(a == b for a, b in itertools.pairwise(labels))
    if len(labels) + repeats > times:
        assert total == 0  # no path: the op refuses it unless told otherwise
        return
    found = run(lambda: tf.nn.ctc_loss(tf.SparseTensor(*sparse([labels])), logits, [times]))
    np.testing.assert_allclose(found, [-np.log(total)], rtol=1e-4, atol=1e-5)


@settings(max_examples=40)
@given(
    dims=st.tuples(st.integers(1, 7), st.integers(1, 5), st.integers(1, 4)),
    dtype=st.sampled_from([np.float32, np.float64]),
    merge=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_greedy_decoding(dims, dtype, merge, seed):
    state = np.random.RandomState(seed)
    (times, batch, classes), blank = dims, state.randint(-dims[2], dims[2])
    logits = np.round(state.normal(0, 2, dims)).astype(dtype)  # there are equal ones
    lengths = state.randint(0, times + 1, batch).astype(np.int32)
    rows, scores = [], []
    for row, length in enumerate(lengths):
        path = [int(np.argmax(logits[t, row])) for t in range(length)]
        if merge:
            path = [k for k, _ in itertools.groupby(path)]
        rows.append([k for k in path if k != blank % classes])
        scores.append([-sum(float(logits[t, row].max()) for t in range(length))])
    (found,), score = run(
        lambda: tf.nn.ctc_greedy_decoder(logits, lengths, merge_repeated=merge, blank_index=blank)
    )
    expected = sparse(rows, np.int64)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.dense_shape.tolist() == list(expected.dense_shape)
    assert score.dtype == dtype and score.tolist() == scores


def test_gradient_of_ctc_loss():
    labels = sparse([[0, 1], [1]])
    # the op is of float32: differences are taken of what it gives
    logits = np.random.RandomState(0).uniform(-1, 1, (4, 2, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, logits.shape)
        loss = tf.reduce_sum(tf.nn.ctc_loss(tf.SparseTensor(*labels), x, [4, 3]))
        (dx,) = tf.gradients(loss, x)
        found = sess.run(dx, {x: logits})
        step = np.float32(1 / 64)
        for at in itertools.product(*map(range, logits.shape)):
            moved = [logits.copy(), logits.copy()]
            moved[0][at] += step
            moved[1][at] -= step
            high, low = (sess.run(loss, {x: m}) for m in moved)
            assert abs((high - low) / (2 * step) - found[at]) < 2e-3


def distance(a, b):
    line = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, line[0] = line[0], i
        for j, y in enumerate(b, 1):
            before, line[j] = line[j], min(line[j] + 1, line[j - 1] + 1, before + (x != y))
    return line[-1]


@CHECK
@given(
    pairs=st.lists(
        st.tuples(
            st.lists(st.integers(0, 3), max_size=5),
            st.lists(st.integers(0, 3), min_size=1, max_size=5),
        ),
        min_size=1,
        max_size=3,
    ),
    normalize=st.booleans(),
)
def test_edit_distance(pairs, normalize):
    guesses, truths = [a for a, _ in pairs], [b for _, b in pairs]
    expected = [distance(a, b) / (len(b) if normalize else 1) for a, b in pairs]
    found = run(
        lambda: tf.edit_distance(
            tf.SparseTensor(*sparse(guesses, np.int64)),
            tf.SparseTensor(*sparse(truths, np.int64)),
            normalize=normalize,
        )
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_edit_distance_of_long_sequences(kind):
    """Longer than a word of the machine has bits; NaN equals nothing."""
    rng = np.random.default_rng(0)
    lengths = [(150, 131), (64, 65), (1, 100), (99, 3)]
    guesses, truths = (
        [rng.integers(0, 4, n).astype(kind) for n in k] for k in zip(*lengths, strict=True)
    )
    if kind is np.float64:
        for line in (*guesses, *truths):
            line[line == 3] = np.nan
    found = run(
        lambda: tf.edit_distance(
            tf.SparseTensor(*sparse(guesses, kind)), tf.SparseTensor(*sparse(truths, kind)), False
        )
    )
    expected = [distance(a, b) for a, b in zip(guesses, truths, strict=True)]
    np.testing.assert_array_equal(found, expected)


@CHECK
@given(
    rows=st.lists(
        st.tuples(*[st.lists(st.integers(0, 6), min_size=3, max_size=3)] * 2),
        min_size=1,
        max_size=3,
    )
)
def test_sets(rows):
    a, b = (np.array([row[k] for row in rows], np.int32) for k in (0, 1))

    def as_lists(found):
        lists = [[] for _ in rows]
        for (row, _), value in zip(found.indices, found.values, strict=True):
            lists[row].append(value)
        return lists

    meaning = {
        tf.sets.intersection: set.__and__,
        tf.sets.union: set.__or__,
        tf.sets.difference: set.__sub__,
    }
    for op, means in meaning.items():
        expected = [sorted(means(set(x), set(y))) for x, y in zip(a, b, strict=True)]
        assert as_lists(run(lambda op=op: op(a, b))) == expected
    union = [len(set(x) | set(y)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(run(lambda: tf.sets.size(tf.sets.union(a, b))), union)


def test_gradient_of_clipping_by_norms():
    x = np.random.RandomState(1).uniform(-2, 2, (3, 4))
    check_gradient(lambda t: tf.clip_by_norm(t, 1.5), x)
    check_gradient(lambda t: tf.clip_by_global_norm([t, 2 * t], 1.5)[0][1], x)
    check_gradient(lambda t: tf.nn.l2_normalize(t, axis=1), x)
