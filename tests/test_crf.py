"""tf.contrib.crf against all sequences of tags, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf

crf = tf.contrib.crf


def scored(x, tags, length, transitions):
    """The score of the first `length` tags."""
    steps = sum(x[t, tags[t]] for t in range(length))
    return steps + sum(transitions[tags[t - 1], tags[t]] for t in range(1, length))


def every(x, length, transitions):
    """(sequences of tags, their scores) of a row."""
    found = list(itertools.product(range(x.shape[1]), repeat=length))
    return found, np.array([scored(x, tags, length, transitions) for tags in found])


def log_sum(scores):
    return np.log(np.exp(scores).sum())


def sample(seed, batch, time, tags):
    rng = np.random.RandomState(seed)
    lengths = rng.randint(0, time + 1, batch)
    lengths[0] = time
    return (
        rng.standard_normal([batch, time, tags]), rng.randint(0, tags, [batch, time]), lengths,
        rng.standard_normal([tags, tags]),
    )  # fmt: skip


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 99), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_against_every_sequence(seed, batch, time, tags, known):
    x, y, lengths, transitions = sample(seed, batch, time, tags)
    allowed = np.random.RandomState(seed).rand(batch, time, tags) > 0.4
    allowed[:, :, 0] = True
    with tf.Graph().as_default(), tf.Session() as session:

        def tensor(value, shape):
            return tf.constant(value) if known else tf.placeholder_with_default(value, shape)

        given_x = tensor(x, [None, None, tags])
        given_y = tensor(y.astype(np.int32 if seed % 2 else np.int64), [None, None])
        counts, p = tensor(lengths, [None]), tf.constant(transitions)
        likelihood, same = crf.crf_log_likelihood(given_x, given_y, counts, p)
        assert same is p
        score, norm, likelihood, some, path, best = session.run([
            crf.crf_sequence_score(given_x, given_y, counts, p),
            crf.crf_log_norm(given_x, counts, p), likelihood,
            crf.crf_multitag_sequence_score(given_x, tf.constant(allowed), counts, p),
            *crf.crf_decode(given_x, p, counts),
        ])  # fmt: skip
    assert path.dtype == np.int32 and path.shape == (batch, time)
    for row, length in enumerate(lengths):
        found, scores = every(x[row], length, transitions)
        own = scored(x[row], y[row], length, transitions)
        np.testing.assert_allclose(score[row], own, atol=1e-12)
        np.testing.assert_allclose(norm[row], log_sum(scores), atol=1e-12)
        np.testing.assert_allclose(likelihood[row], own - log_sum(scores), atol=1e-12)
        assert not path[row, max(length, 1) :].any()
        if not length:
            continue
        np.testing.assert_allclose(best[row], scores.max())
        assert tuple(path[row, :length]) == found[scores.argmax()]
        on = [all(allowed[row, t, i] for t, i in enumerate(tags)) for tags in found]
        np.testing.assert_allclose(some[row], log_sum(scores[on]), atol=1e-12)


def test_one_step_of_many_tags_counts_whatever_the_lengths_say():
    """As in TensorFlow 1.15, whether it is known that there is one step or not."""
    x = np.log(np.array([[[1.0, 2.0, 4.0]]]))
    for shape in ([1, 1, 3], [None, None, 3]):
        with tf.Graph().as_default(), tf.Session() as session:
            given_x = tf.placeholder_with_default(x, shape)
            made = crf.crf_multitag_sequence_score(
                given_x, [[[True, False, True]]], [0], np.zeros([3, 3])
            )
            np.testing.assert_allclose(np.exp(session.run(made)), [5.0])


@pytest.mark.parametrize("time", [1, 4])
def test_gradients(time):
    x, y, lengths, transitions = sample(3, 3, time, 3)
    with tf.Graph().as_default(), tf.Session() as session:
        given_x, p = tf.constant(x), tf.constant(transitions)
        likelihood, _ = crf.crf_log_likelihood(given_x, y, lengths, p)
        analytic = session.run(tf.gradients(likelihood, [given_x, p] if time > 1 else [given_x]))

    def total(x, p):
        rows = zip(x, y, lengths, strict=True)
        return sum(scored(a, b, n, p) - log_sum(every(a, n, p)[1]) for a, b, n in rows)

    for number, found in enumerate(analytic):
        for place in np.ndindex(found.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [x.copy(), transitions.copy()]
                moved[number][place] += step
                ends.append(total(*moved))
            np.testing.assert_allclose(found[place], (ends[0] - ends[1]) / 2e-6, atol=1e-8)


def test_parts_and_cells():
    x, y, lengths, transitions = sample(5, 2, 3, 4)
    with tf.Graph().as_default(), tf.Session() as session:
        unary = crf.crf_unary_score(y, lengths, x)
        binary = crf.crf_binary_score(y, lengths, transitions)
        likelihood, made = crf.crf_log_likelihood(x.astype(np.float32), y, lengths)
        assert made.op.name == "transitions" and made.shape == [4, 4]
        forward, decode = (
            crf.CrfForwardRnnCell(transitions),
            crf.CrfDecodeForwardRnnCell(transitions),
        )
        back = crf.CrfDecodeBackwardRnnCell(4)
        assert [c.state_size for c in (forward, decode, back)] == [4, 4, 1]
        assert [c.output_size for c in (forward, decode, back)] == [4, 4, 1]
        step = forward(tf.constant(x[:, 1]), tf.constant(x[:, 0]))
        pointers, scores = decode(tf.constant(x[:, 1]), tf.constant(x[:, 0]))
        before, _ = back(pointers, [[2], [0]])
        session.run(tf.global_variables_initializer())
        unary, binary, alphas, last, pointers, scores, before = session.run(
            [unary, binary, step[0], step[1], pointers, scores, before]
        )
        assert np.isfinite(session.run(likelihood)).all()
    for row, n in enumerate(lengths):
        np.testing.assert_allclose(unary[row], sum(x[row, t, y[row, t]] for t in range(n)))
        pairs = (transitions[y[row, t - 1], y[row, t]] for t in range(1, n))
        np.testing.assert_allclose(binary[row], sum(pairs), atol=1e-12)
    table = x[:, 0, :, None] + transitions
    np.testing.assert_allclose(alphas, x[:, 1] + np.log(np.exp(table).sum(1)))
    np.testing.assert_array_equal(alphas, last)
    np.testing.assert_array_equal(pointers, table.argmax(1))
    np.testing.assert_allclose(scores, x[:, 1] + table.max(1))
    np.testing.assert_array_equal(before[:, 0], [pointers[0, 2], pointers[1, 0]])


@pytest.mark.parametrize("time", [1, 4])
def test_viterbi_of_arrays(time):
    x, _, _, transitions = sample(7, 1, time, 3)
    path, score = crf.viterbi_decode(x[0], transitions)
    found, scores = every(x[0], time, transitions)
    assert tuple(path) == found[scores.argmax()]
    np.testing.assert_allclose(score, scores.max())


def test_mistakes():
    x, transitions = tf.ones([2, 3, 4]), tf.ones([4, 4])
    with pytest.raises(ValueError, match="Dimensions must be equal"):
        crf.crf_log_norm(x, [1, 2], tf.ones([3, 3]))
    with pytest.raises(ValueError, match="Dimension"):
        crf.crf_log_norm(x, [1, 2, 3], transitions)
    with pytest.raises(ValueError, match="Dimension"):
        crf.crf_sequence_score(x, tf.ones([2, 2], tf.int32), [1, 2], transitions)
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match="is not in"):
            session.run(crf.crf_sequence_score(x, tf.fill([2, 3], 99), [3, 2], transitions))
        with pytest.raises(tf.errors.InvalidArgumentError, match="seq_lens"):
            session.run(crf.crf_decode(x, transitions, [1, 9]))
