"""Monotonic attention: numbers, names, modes, gradients, errors."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import pattern, set_pattern, sigmoid

seq2seq, cells = tf.contrib.seq2seq, tf.nn.rnn_cell
MEMORY = pattern([3, 4, 5], 2)  # batch, time, depth
LENGTHS = [2, 4, 1]
QUERY = pattern([3, 6], 3)


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=3e-5, atol=3e-6)


def attention(p, before):
    """Place after place."""
    found = np.zeros_like(p)
    for row in range(len(p)):
        reached = 0.0
        for place in range(p.shape[1]):
            passed = 1 - p[row, place - 1] if place else 1.0
            reached = passed * reached + before[row, place]
            found[row, place] = p[row, place] * reached
    return found


def test_cumulative_product(session):
    x = np.array([[0.5, 0.0, 1.0, 0.25], [1.0, 0.5, 0.5, 0.1]])
    made = seq2seq.safe_cumprod(tf.constant(x), axis=1, exclusive=True)
    wanted = np.cumprod(np.concatenate([np.ones([2, 1]), x[:, :-1]], 1), 1)
    np.testing.assert_allclose(session.run(made), wanted, atol=1e-300)
    v = tf.constant(x)
    (gradient,) = tf.gradients(seq2seq.safe_cumprod(v, axis=1), v)
    assert np.isfinite(session.run(gradient)).all()
    backwards = seq2seq.safe_cumprod(tf.constant(x[1:]), axis=1, reverse=True)
    np.testing.assert_allclose(session.run(backwards), np.cumprod(x[1:, ::-1], 1)[:, ::-1])


@pytest.mark.parametrize("mode", ["recursive", "parallel", "hard"])
@pytest.mark.parametrize("seed", range(3))
def test_modes(session, mode, seed):
    rng = np.random.RandomState(seed)
    batch, time = rng.randint(1, 5, 2)
    p = rng.uniform(0.1, 0.9, [batch, time])
    before = np.eye(time)[rng.randint(0, time, batch)]
    if mode == "hard":
        p = (p > 0.5) * 1.0
    given, last = (tf.placeholder_with_default(x, [None, None]) for x in (p, before))
    made = seq2seq.monotonic_attention(given, last, mode)
    np.testing.assert_allclose(session.run(made), attention(p, before), rtol=1e-9)
    weights = rng.standard_normal([batch, time])
    (analytic,) = session.run(tf.gradients(tf.reduce_sum(made * weights), given))
    if mode == "hard":
        return
    for row, place in np.ndindex(batch, time):
        ends = []
        for step in (1e-6, -1e-6):
            moved = p.copy()
            moved[row, place] += step
            ends.append((attention(moved, before) * weights).sum())
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(analytic[row, place], slope, rtol=1e-4, atol=1e-8)


def test_mode_that_there_is_not():
    with pytest.raises(ValueError, match="mode must be 'recursive', 'parallel', or 'hard'"):
        seq2seq.monotonic_attention([[0.5]], [[1.0]], "soft")


@pytest.mark.parametrize("mode", ["recursive", "parallel", "hard"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_luong(session, mode, lengths):
    mechanism = seq2seq.LuongMonotonicAttention(
        6, tf.constant(MEMORY), lengths, scale=True, mode=mode
    )
    first = mechanism.initial_state(3, tf.float32)
    aligned, state = mechanism(tf.constant(QUERY), first)
    assert aligned is state and aligned.shape == [3, 4]
    w = set_pattern(session)
    names = ["attention_g", "attention_score_bias"]
    assert list(w) == ["memory_layer/kernel", *[f"luong_monotonic_attention/{n}" for n in names]]
    on = np.arange(4) < np.array(lengths or [4] * 3)[:, None]
    scores = np.einsum("btd,bd->bt", MEMORY @ w["memory_layer/kernel"], QUERY)
    scores = scores * w[f"luong_monotonic_attention/{names[0]}"]
    scores = scores + w[f"luong_monotonic_attention/{names[1]}"]
    chosen = np.where(on, scores > 0 if mode == "hard" else sigmoid(scores), 0.0)
    start = np.eye(4)[[0, 0, 0]]
    np.testing.assert_array_equal(session.run(first), start)
    close(session.run(aligned), attention(chosen, start))


@pytest.mark.parametrize("normalize", [False, True])
def test_bahdanau(session, normalize):
    mechanism = seq2seq.BahdanauMonotonicAttention(
        4, tf.constant(MEMORY), LENGTHS, normalize=normalize, score_bias_init=-0.5
    )
    aligned, _ = mechanism(tf.constant(QUERY), tf.constant(np.eye(4, dtype=np.float32)[[1, 2, 0]]))
    session.run(tf.global_variables_initializer())
    assert session.run(tf.trainable_variables()[-1]) == -0.5
    w = set_pattern(session)
    scope = "bahdanau_monotonic_attention/"
    added = ["attention_g", "attention_b"] if normalize else []
    names = ["query_layer/kernel", "attention_v", *added, "attention_score_bias"]
    assert list(w) == ["memory_layer/kernel", *[scope + n for n in names]]
    v, hidden = w[scope + "attention_v"], MEMORY @ w["memory_layer/kernel"]
    hidden = hidden + (QUERY @ w[scope + "query_layer/kernel"])[:, None]
    if normalize:
        v = w[scope + "attention_g"] * v / np.sqrt((v * v).sum())
        hidden = hidden + w[scope + "attention_b"]
    on = np.arange(4) < np.array(LENGTHS)[:, None]
    hidden = np.where(on[..., None], hidden, 0)
    scores = (np.tanh(hidden) * v).sum(2) + w[scope + "attention_score_bias"]
    wanted = attention(np.where(on, sigmoid(scores), 0), np.eye(4)[[1, 2, 0]])
    close(session.run(aligned)[:2], wanted[:2])
    assert not session.run(aligned)[2, 1:].any()  # nothing to attend to but the first place


def test_noise_and_training(session):
    """Noise has a seed, hard attention has no gradient, and the mechanisms work in a decoder."""
    tf.set_random_seed(1)
    made = [
        seq2seq.LuongMonotonicAttention(
            6, tf.constant(MEMORY), sigmoid_noise=noise, sigmoid_noise_seed=3, name=name
        )
        for noise, name in ((0.0, "none"), (1.0, "noisy"), (1.0, "same"))
    ]
    first = made[0].initial_state(3, tf.float32)
    with tf.variable_scope("one", reuse=tf.AUTO_REUSE):
        aligned = [m(tf.constant(QUERY), first)[0] for m in made]
    cell = seq2seq.AttentionWrapper(cells.GRUCell(6), made[0], alignment_history=True)
    helper = seq2seq.TrainingHelper(tf.constant(pattern([3, 3, 2])), [3, 2, 1])
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32))
    outputs, state, _ = seq2seq.dynamic_decode(decoder)
    mine = ("decoder/", "memory_layer/")
    wanted = [v for v in tf.trainable_variables() if v.op.name.startswith(mine)]
    assert len(wanted) == 6
    grads = tf.gradients(tf.reduce_sum(outputs.rnn_output), wanted)
    session.run(tf.global_variables_initializer())
    for v in tf.trainable_variables()[:3]:
        v.load(pattern([5, 6]), session)
    none, noisy, same = session.run(aligned)
    np.testing.assert_array_equal(noisy, same)
    assert abs(none - noisy).max() > 1e-3
    history = session.run(state.alignment_history.stack())
    ends = np.cumsum(history, -1)
    assert history.shape == (3, 3, 4) and (np.diff(ends, axis=0) < 1e-6).all()  # never back
    assert all(np.abs(g).max() > 0 for g in session.run(grads))
