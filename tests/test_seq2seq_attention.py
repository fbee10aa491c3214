"""Attention mechanisms and AttentionWrapper: numbers, names, training, errors."""

import logging

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, pattern, set_pattern

seq2seq, cells = tf.contrib.seq2seq, tf.nn.rnn_cell
MEMORY = pattern([3, 4, 5], 2)  # batch, time, depth
LENGTHS = [2, 4, 1]
QUERY = pattern([3, 6], 3)


@pytest.fixture(autouse=True)
def session(caplog):
    caplog.set_level(logging.DEBUG, logger="tfc")
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=3e-5, atol=3e-6)


def masked(memory, lengths):
    if lengths is None:
        return memory
    return memory * (np.arange(4) < np.array(lengths)[:, None])[:, :, None]


def softmax(scores, lengths):
    if lengths is not None:
        scores = np.where(np.arange(4) < np.array(lengths)[:, None], scores, -np.inf)
    e = np.exp(scores - scores.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("scale", [False, True])
def test_luong(session, lengths, scale):
    mechanism = seq2seq.LuongAttention(6, tf.constant(MEMORY), lengths, scale=scale)
    assert (mechanism.batch_size, mechanism.alignments_size, mechanism.state_size) == (3, 4, 4)
    assert mechanism.memory_layer.name == "memory_layer" and mechanism.query_layer is None
    assert mechanism.initial_alignments(3, tf.float32).shape == [3, 4]
    aligned, state = mechanism(tf.constant(QUERY), mechanism.initial_state(3, tf.float32))
    assert aligned is state and aligned.shape == [3, 4]
    session.run(tf.global_variables_initializer())
    if scale:
        assert session.run(tf.trainable_variables()[1]) == 1.0
    w = set_pattern(session)
    assert list(w) == ["memory_layer/kernel", "luong_attention/attention_g"][: 1 + scale]
    keys = masked(MEMORY, lengths) @ w["memory_layer/kernel"]
    scores = np.einsum("btd,bd->bt", keys, QUERY) * (
        w["luong_attention/attention_g"] if scale else 1
    )
    close(session.run(aligned), softmax(scores, lengths))
    close(session.run(mechanism.values), masked(MEMORY, lengths))
    close(session.run(mechanism.keys), keys)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("normalize", [False, True])
def test_bahdanau(session, lengths, normalize):
    mechanism = seq2seq.BahdanauAttention(7, tf.constant(MEMORY), lengths, normalize=normalize)
    aligned, _ = mechanism(tf.constant(QUERY), mechanism.initial_state(3, tf.float32))
    session.run(tf.global_variables_initializer())
    if normalize:
        g = [v for v in tf.trainable_variables() if "attention_g" in v.name][0]
        close(session.run(g), np.sqrt(1 / 7))
    w = set_pattern(session)
    scope = "bahdanau_attention"
    names = [f"{scope}/query_layer/kernel", f"{scope}/attention_v"]
    names += [f"{scope}/attention_g", f"{scope}/attention_b"] * normalize
    assert list(w) == ["memory_layer/kernel", *names]
    keys = masked(MEMORY, lengths) @ w["memory_layer/kernel"]
    added = keys + (QUERY @ w[names[0]])[:, None]
    v = w[names[1]]
    if normalize:
        v, added = w[names[2]] * v / np.sqrt((v * v).sum()), added + w[names[3]]
    close(session.run(aligned), softmax((v * np.tanh(added)).sum(2), lengths))


def test_other_probabilities(session):
    mechanism = seq2seq.LuongAttention(
        6, tf.constant(MEMORY), LENGTHS, probability_fn=seq2seq.hardmax, score_mask_value=-5.0,
        custom_key_value_fn=lambda keys, values: (keys * 2.0, values + 1.0),
    )  # fmt: skip
    aligned, _ = mechanism(tf.constant(QUERY), None)
    w = set_pattern(session)
    keys = 2 * masked(MEMORY, LENGTHS) @ w["memory_layer/kernel"]
    scores = np.einsum("btd,bd->bt", keys, QUERY)
    scores = np.where(np.arange(4) < np.array(LENGTHS)[:, None], scores, -5)
    np.testing.assert_array_equal(session.run(aligned), np.eye(4)[scores.argmax(1)])
    close(session.run(mechanism.values), masked(MEMORY, LENGTHS) + 1)


def run_wrapper(w, steps, inputs, layer, lengths=None):
    """Outputs, alignments and last state of a Luong-attentive BasicRNNCell(6) in numpy."""
    values = masked(MEMORY, lengths)
    keys = values @ w["memory_layer/kernel"]
    kernel, bias = (w[k] for k in w if "basic_rnn_cell" in k)
    h, attention, rows, history = np.zeros([3, 6]), None, [], []
    attention = np.zeros([3, layer.shape[1] if layer is not None else 5])
    for t in range(steps):
        h = basic_rnn(np.concatenate([inputs[:, t], attention], 1), h, kernel, bias)
        aligned = softmax(np.einsum("btd,bd->bt", keys, h), lengths)
        attention = np.einsum("bt,btd->bd", aligned, values)
        if layer is not None:
            attention = np.concatenate([h, attention], 1) @ layer
        rows.append(attention)
        history.append(aligned)
    return np.stack(rows, 1), np.stack(history), h


@pytest.mark.parametrize("size", [None, 3])
def test_wrapper(session, caplog, size):
    mechanism = seq2seq.LuongAttention(6, tf.constant(MEMORY), LENGTHS)
    cell = seq2seq.AttentionWrapper(cells.BasicRNNCell(6), mechanism, attention_layer_size=size)
    assert cell.output_size == (size or 5) and cell.state_size.alignments == 4
    x = pattern([3, 5, 2])
    outputs, state = tf.nn.dynamic_rnn(cell, tf.constant(x), dtype=tf.float32)
    assert isinstance(state, seq2seq.AttentionWrapperState) and state.alignment_history == ()
    grads = tf.gradients(outputs, tf.trainable_variables())
    w = set_pattern(session)
    scope = "rnn/attention_wrapper"
    names = [f"{scope}/basic_rnn_cell/kernel", f"{scope}/basic_rnn_cell/bias"]
    names += [f"{scope}/attention_layer/kernel"] * (size is not None)
    assert list(w) == ["memory_layer/kernel", *names]
    layer = w[names[2]] if size else None
    wanted, history, h = run_wrapper(w, 5, x, layer, LENGTHS)
    got, last, found = session.run([outputs, state, grads])
    close(got, wanted)
    close(last.cell_state, h)
    close(last.attention, wanted[:, -1])
    close(last.alignments, history[-1])
    assert last.time == 5 and all(np.isfinite(g).all() and g.any() for g in found)
    assert not [r for r in caplog.records if "driven by Python" in r.getMessage()]


@pytest.mark.parametrize("fed", [False, True])
def test_training_with_a_history(session, caplog, fed):
    """With lengths that are fed, and with all that is; the loops are native."""
    x = tf.placeholder(tf.float32, [None, None, 2]) if fed else tf.constant(pattern([3, 5, 2]))
    lengths = tf.placeholder(tf.int32, [None])
    memory = tf.placeholder(tf.float32, [None, None, 5]) if fed else tf.constant(MEMORY)
    mechanism = seq2seq.LuongAttention(6, memory)
    cell = seq2seq.AttentionWrapper(
        cells.BasicRNNCell(6), mechanism, attention_layer_size=3, alignment_history=True
    )
    start = cell.zero_state(tf.shape(x)[0] if fed else 3, tf.float32)
    decoder = seq2seq.BasicDecoder(cell, seq2seq.TrainingHelper(x, lengths), start)
    outputs, state, found = seq2seq.dynamic_decode(decoder)
    history = state.alignment_history.stack()
    grads = tf.gradients(outputs.rnn_output, tf.trainable_variables())
    w = set_pattern(session)
    layer = w["decoder/attention_wrapper/attention_layer/kernel"]
    for n in ([5, 2, 3], [1, 4, 2], [4, 4, 4]):
        feed = {lengths: n}
        if fed:
            feed |= {x: pattern([3, 5, 2]), memory: MEMORY}
        out, aligned, count, last, slopes = session.run(
            [outputs.rnn_output, history, found, state.cell_state, grads], feed
        )
        wanted, all_aligned, h = run_wrapper(w, max(n), pattern([3, 5, 2]), layer)
        close(out, wanted)
        close(aligned, all_aligned)
        close(last, h)
        np.testing.assert_array_equal(count, n)
        assert all(np.isfinite(g).all() and g.any() for g in slopes)
    assert not [r for r in caplog.records if "driven by Python" in r.getMessage()]
    with pytest.raises(tf.errors.InvalidArgumentError, match="sequence_length is greater than"):
        session.run(outputs.rnn_output, feed | {lengths: [6, 1, 1]})


def test_several_mechanisms_and_options(session):
    def two():
        return [seq2seq.LuongAttention(6, tf.constant(MEMORY), name=n) for n in "ab"]

    start = tf.constant(pattern([3, 6]))
    cell = seq2seq.AttentionWrapper(
        cells.BasicRNNCell(6), two(), attention_layer=[tf.layers.Dense(2), tf.layers.Dense(3)],
        output_attention=False, cell_input_fn=lambda x, a: x + 0.0 * a[:, :2],
        initial_cell_state=start, alignment_history=True,
    )  # fmt: skip
    assert cell.output_size == 6 and cell.state_size.attention == 5
    state = cell.zero_state(3, tf.float32)
    assert len(state.alignments) == 2 == len(state.alignment_history)
    output, new = cell(tf.constant(pattern([3, 2])), state)
    w = set_pattern(session)
    kernel, bias = (w[k] for k in w if "basic_rnn_cell" in k)
    close(session.run(output), basic_rnn(pattern([3, 2]), pattern([3, 6]), kernel, bias))
    assert session.run(new.attention).shape == (3, 5)
    assert session.run(new.alignment_history[1].stack()).shape == (1, 3, 4)
    cloned = state.clone(cell_state=start * 2.0)
    close(session.run(cloned.cell_state), 2 * pattern([3, 6]))
    with pytest.raises(ValueError, match="not compatible|incompatible"):
        state.clone(cell_state=tf.zeros([3, 7]))


def test_mistakes():
    memory = tf.constant(MEMORY)
    luong = seq2seq.LuongAttention(6, memory)
    cell = cells.BasicRNNCell(6)
    with pytest.raises(ValueError, match="Incompatible or unknown inner dimensions"):
        luong(tf.ones([3, 5]), None)
    with pytest.raises(ValueError, match="to have fully defined inner dims"):
        seq2seq.LuongAttention(6, tf.placeholder(tf.float32, [3, 4, None]))
    with pytest.raises(TypeError, match="probability_fn must be callable"):
        memory_of(3)
    for options, error, message in (
        (dict(attention_mechanism=3), TypeError, "must be an AttentionMechanism or list"),
        (dict(attention_mechanism=[luong, 3]), TypeError, "must be an AttentionMechanism or list"),
        (dict(cell_input_fn=3), TypeError, "cell_input_fn must be callable"),
        (dict(attention_layer_size=2, attention_layer=tf.layers.Dense(2)), ValueError, "Only one"),
        (dict(attention_layer_size=[2, 3]), ValueError, "exactly one entry per .*2 vs 1"),
        (dict(initial_cell_state=tf.zeros([2, 6])), tf.errors.InvalidArgumentError,
         "Non-matching batch sizes"),
    ):  # fmt: skip
        options = {"attention_mechanism": luong, **options}
        with pytest.raises(error, match=message):
            seq2seq.AttentionWrapper(cell, **options)
    wrapper = seq2seq.AttentionWrapper(cell, luong)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Non-matching batch sizes"):
        wrapper.zero_state(2, tf.float32)
    with pytest.raises(TypeError, match="instance of AttentionWrapperState"):
        wrapper(tf.ones([3, 2]), tf.ones([3, 6]))


def memory_of(function):
    from tfc.seq2seq.attention import MemoryAttention

    return MemoryAttention(
        None, tf.constant(MEMORY), function, memory_layer=tf.layers.Dense(2, dtype=tf.float32)
    )


def test_lengths_must_be_positive(session):
    lengths = tf.placeholder(tf.int32, [3])
    mechanism = seq2seq.LuongAttention(6, tf.constant(MEMORY), lengths)
    aligned, _ = mechanism(tf.constant(QUERY), None)
    set_pattern(session)
    assert session.run(aligned, {lengths: LENGTHS}).shape == (3, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be greater than zero"):
        session.run(aligned, {lengths: [1, 0, 2]})
