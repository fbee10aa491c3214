"""tf.contrib.legacy_seq2seq: losses and decoders over lists of tensors."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, pattern, set_pattern

legacy, cells = tf.contrib.legacy_seq2seq, tf.nn.rnn_cell
LOGITS = pattern([4, 3, 5], 3)  # time, batch, classes
TARGETS = np.arange(12).reshape(4, 3) % 5
WEIGHTS = np.array([[1, 1, 1], [1, 2, 0], [0, 1, 0], [0, 0.5, 0]], np.float32)
X = pattern([4, 3, 2], 2)


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-6)


def lists():
    return [[tf.constant(x) for x in a] for a in (LOGITS, TARGETS, WEIGHTS)]


def crossent():
    logs = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, TARGETS[..., None], -1)[..., 0] * WEIGHTS


def test_losses(session):
    by_example = legacy.sequence_loss_by_example(*lists())
    sums = legacy.sequence_loss_by_example(*lists(), average_across_timesteps=False)
    whole = legacy.sequence_loss(*lists())
    total = legacy.sequence_loss(
        *lists(), average_across_timesteps=False, average_across_batch=False
    )
    losses = crossent()
    means = losses.sum(0) / WEIGHTS.sum(0)
    close(session.run(by_example), means)
    close(session.run(sums), losses.sum(0))
    close(session.run(whole), means.mean())
    close(session.run(total), losses.sum())

    def other(labels, logits):
        return tf.cast(labels, tf.float32) + logits[:, 0]

    own = legacy.sequence_loss_by_example(
        *lists(), average_across_timesteps=False, softmax_loss_function=other
    )
    close(session.run(own), ((TARGETS + LOGITS[..., 0]) * WEIGHTS).sum(0))
    logits, targets, weights = lists()
    with pytest.raises(ValueError, match="Lengths of logits, weights, and targets"):
        legacy.sequence_loss_by_example(logits, targets[1:], weights)


def test_rnn_decoder(session):
    cell = cells.BasicRNNCell(2)
    start = tf.constant(pattern([3, 2]))
    outputs, state = legacy.rnn_decoder([tf.constant(x) for x in X], start, cell)
    calls = []

    def loop_function(output, number):
        calls.append(number)
        return output * 2.0

    with tf.variable_scope("fed"):
        fed, _ = legacy.rnn_decoder(
            [tf.constant(x) for x in X], start, cells.BasicRNNCell(2), loop_function
        )
    w = set_pattern(session)
    assert [*w][::2] == [
        "rnn_decoder/basic_rnn_cell/kernel",
        "fed/rnn_decoder/basic_rnn_cell/kernel",
    ]
    kernel, bias = [*w.values()][:2]
    h, g, wanted, wanted_fed = pattern([3, 2]), pattern([3, 2]), [], []
    for t, x in enumerate(X):
        h = basic_rnn(x, h, kernel, bias)
        g = basic_rnn(x if t == 0 else 2 * g, g, kernel, bias)
        wanted.append(h), wanted_fed.append(g)
    close(session.run(outputs), wanted)
    close(session.run(state), h)
    close(session.run(fed), wanted_fed)
    assert calls == [1, 2, 3]


def test_whole_networks(session):
    steps = [tf.constant(x) for x in X]
    basic, state = legacy.basic_rnn_seq2seq(steps, steps[:2], cells.BasicRNNCell(4))
    tied, _ = legacy.tied_rnn_seq2seq(steps, steps[:2], cells.BasicRNNCell(4))
    w = set_pattern(session)
    assert [*w][::2] == [
        "basic_rnn_seq2seq/rnn/basic_rnn_cell/kernel",
        "basic_rnn_seq2seq/rnn_decoder/basic_rnn_cell/kernel",
        "combined_tied_rnn_seq2seq/tied_rnn_seq2seq/basic_rnn_cell/kernel",
    ]
    kernel, bias = [*w.values()][:2]  # the pattern is the same for all three
    h, wanted = np.zeros([3, 4]), []
    for x in [*X, *X[:2]]:
        h = basic_rnn(x, h, kernel, bias)
        wanted.append(h)
    close(session.run(basic), wanted[4:])
    close(session.run(tied), wanted[4:])
    close(session.run(state), h)


@pytest.mark.parametrize("previous", [False, True])
def test_embedding_decoder(session, previous):
    ids = [[0, 1, 2], [3, 3, 3], [4, 0, 1]]
    weights, biases = tf.constant(pattern([4, 5], 3)), tf.constant(pattern([5]))
    outputs, _ = legacy.embedding_rnn_decoder(
        [tf.constant(i) for i in ids], tf.zeros([3, 4]), cells.BasicRNNCell(4), num_symbols=5,
        embedding_size=2, output_projection=(weights, biases), feed_previous=previous,
        update_embedding_for_previous=False,
    )  # fmt: skip
    w = set_pattern(session)
    scope = "embedding_rnn_decoder"
    table = w[f"{scope}/embedding"]
    kernel, bias = (w[f"{scope}/rnn_decoder/basic_rnn_cell/{n}"] for n in ("kernel", "bias"))
    h, wanted, given = np.zeros([3, 4]), [], ids[0]
    for t in range(3):
        h = basic_rnn(table[given], h, kernel, bias)
        wanted.append(h)
        best = (h @ pattern([4, 5], 3) + pattern([5])).argmax(1)
        given = best if previous else ids[min(t + 1, 2)]
    close(session.run(outputs), wanted)
    (grad,) = tf.gradients(outputs[-1], [tf.trainable_variables()[0]])
    touched = set(np.concatenate(ids[:1] if previous else ids))
    found = session.run(tf.convert_to_tensor(grad))
    assert {i for i in range(5) if found[i].any()} == touched
    with pytest.raises(ValueError, match="not compatible|incompatible"):
        legacy.embedding_rnn_decoder(
            [tf.constant(ids[0])], tf.zeros([3, 4]), cells.BasicRNNCell(4), 5, 2,
            output_projection=(tf.zeros([4, 6]), biases),
        )  # fmt: skip
