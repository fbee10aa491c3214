"""tf.contrib.seq2seq: losses, helpers, dynamic_decode."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, pattern, set_pattern

seq2seq, cells = tf.contrib.seq2seq, tf.nn.rnn_cell
X = pattern([3, 4, 2], 2)  # batch, time, depth
LENGTHS = [2, 4, 1]


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-6)


def crossent(logits, targets):
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None], -1)[..., 0]


LOGITS = pattern([3, 4, 5], 3)
TARGETS = np.arange(12).reshape(3, 4) % 5
WEIGHTS = np.array([[1, 1, 0, 0], [1, 2, 1, 0.5], [1, 0, 0, 0]], np.float32)


@pytest.mark.parametrize(
    "options, reduce",
    [
        ({}, lambda x, w: x.sum() / w.sum()),
        (dict(average_across_batch=False), lambda x, w: x.sum(1) / w.sum(1)),
        (
            dict(average_across_timesteps=False),
            lambda x, w: np.divide(x.sum(0), w.sum(0), out=np.zeros(4), where=w.sum(0) != 0),
        ),
        (dict(average_across_timesteps=False, average_across_batch=False), lambda x, w: x),
        (
            dict(
                average_across_timesteps=False, average_across_batch=False,
                sum_over_timesteps=True, sum_over_batch=True,
            ),
            lambda x, w: x.sum() / (w != 0).sum(),
        ),
        (
            dict(
                average_across_timesteps=False, average_across_batch=False, sum_over_timesteps=True
            ),
            lambda x, w: x.sum(1) / (w != 0).sum(1),
        ),
        (
            dict(average_across_timesteps=False, average_across_batch=False, sum_over_batch=True),
            lambda x, w: x.sum(0) / np.maximum((w != 0).sum(0), 1),
        ),
    ],
)  # fmt: skip
def test_sequence_loss(session, options, reduce):
    logits = tf.constant(LOGITS)
    loss = seq2seq.sequence_loss(logits, tf.constant(TARGETS), tf.constant(WEIGHTS), **options)
    wanted = reduce(crossent(LOGITS, TARGETS) * WEIGHTS, WEIGHTS)
    close(session.run(loss), wanted)
    assert loss.shape == np.shape(wanted)
    (grad,) = tf.gradients(loss, logits)
    found = session.run(grad)
    assert not found[WEIGHTS == 0].any() and found[WEIGHTS > 0].any()


def test_sequence_loss_of_another_kind_and_mistakes(session):
    def squares(labels, logits):
        return tf.reduce_sum(logits * logits, 1) + tf.cast(labels, tf.float32)

    args = (tf.constant(LOGITS), tf.constant(TARGETS), tf.constant(WEIGHTS))
    loss = seq2seq.sequence_loss(*args, softmax_loss_function=squares)
    losses = ((LOGITS**2).sum(2) + TARGETS) * WEIGHTS
    close(session.run(loss), losses.sum() / WEIGHTS.sum())
    for at, message in enumerate(("Logits must be a", "Targets must be a", "Weights must be a")):
        wrong = [*args[:at], args[at][0], *args[at + 1 :]]
        with pytest.raises(ValueError, match=message):
            seq2seq.sequence_loss(*wrong)
    for axis in ("timesteps", "batch"):
        with pytest.raises(ValueError, match=f"average_across_{axis} and sum_over_{axis} cannot"):
            seq2seq.sequence_loss(*args, **{f"sum_over_{axis}": True})


def decoded(kernel, bias, projection, lengths, impute):
    """What BasicDecoder gives for a BasicRNNCell and the inputs X."""
    time = max(lengths)
    h, outputs = np.zeros([3, 4]), []
    last = h
    for t in range(time):
        new = basic_rnn(X[:, t] * (t < 4), h, kernel, bias)
        on = (t < np.array(lengths))[:, None]
        h = np.where(on, new, h) if impute else new
        out = new @ projection
        outputs.append(np.where(on, out, 0) if impute else out)
        last = h
    return np.stack(outputs, 1), last


@pytest.mark.parametrize("time_major", [False, True])
def test_training(session, time_major):
    """Imputed, so that what is beyond the lengths is zero and the state stays."""
    lengths = tf.placeholder(tf.int32, [3])
    given = X.transpose(1, 0, 2) if time_major else X
    helper = seq2seq.TrainingHelper(tf.constant(given), lengths, time_major=time_major)
    cell = cells.BasicRNNCell(4)
    decoder = seq2seq.BasicDecoder(
        cell, helper, cell.zero_state(3, tf.float32), tf.layers.Dense(5, use_bias=False)
    )
    assert decoder.output_size.rnn_output == tf.TensorShape([5])
    outputs, state, found = seq2seq.dynamic_decode(
        decoder, output_time_major=time_major, impute_finished=True
    )
    assert isinstance(outputs, seq2seq.BasicDecoderOutput) and outputs.sample_id.dtype == tf.int32
    loss = tf.reduce_sum(outputs.rnn_output * outputs.rnn_output)
    grads = tf.gradients(loss, tf.trainable_variables())
    w = set_pattern(session)
    names = ["basic_rnn_cell/kernel", "basic_rnn_cell/bias", "dense/kernel"]
    assert list(w) == [f"decoder/{n}" for n in names]
    for n in (LENGTHS, [1, 0, 3]):
        feed = {lengths: n}
        out, ids, last, counts = session.run([*outputs, state, found], feed)
        wanted, wanted_last = decoded(*w.values(), n, True)
        if time_major:
            out, ids = out.transpose(1, 0, 2), ids.T
        close(out, wanted)
        close(last, wanted_last)
        on = np.arange(max(n)) < np.array(n)[:, None]
        np.testing.assert_array_equal(ids[on], wanted.argmax(2)[on])
        np.testing.assert_array_equal(counts, n)
    kernel = tf.trainable_variables()[0]
    analytic, ends = session.run(grads, {lengths: LENGTHS})[0][2, 1], []
    for step in (1e-2, -1e-2):
        moved = w["decoder/basic_rnn_cell/kernel"].copy()
        moved[2, 1] += step
        kernel.load(moved, session)
        ends.append(session.run(loss, {lengths: LENGTHS}))
    np.testing.assert_allclose(analytic, (ends[0] - ends[1]) / 2e-2, rtol=2e-3)


def test_training_without_imputing_and_a_bound(session):
    helper = seq2seq.TrainingHelper(tf.constant(X), LENGTHS)
    cell = cells.BasicRNNCell(4)
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32))
    outputs, state, found = seq2seq.dynamic_decode(decoder, maximum_iterations=2, scope="own")
    w = set_pattern(session)
    assert list(w) == ["own/basic_rnn_cell/kernel", "own/basic_rnn_cell/bias"]
    wanted, last = decoded(*w.values(), np.eye(4), [2, 2, 2], False)
    out, final, counts = session.run([outputs.rnn_output, state, found])
    close(out, wanted)
    close(final, last)
    np.testing.assert_array_equal(counts, [2, 2, 1])
    assert outputs.rnn_output.shape.as_list() == [3, None, 4]


@pytest.mark.parametrize("bounded", [False, True])
def test_what_is_decoded_is_not_compiled_for(session, caplog, bounded):
    """The number of steps decides shapes; neither outputs nor lengths do."""
    x, lengths = tf.placeholder(tf.float32, [None, None, 2]), tf.placeholder(tf.int32, [None])
    helper = seq2seq.TrainingHelper(x, lengths)
    cell = cells.BasicRNNCell(4)
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32))
    bound = tf.placeholder_with_default(3, []) if bounded else None
    outputs, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=bound)
    logits, steps = outputs.rnn_output, tf.shape(outputs.rnn_output)[1]
    mask = tf.sequence_mask(lengths, steps, dtype=tf.float32)
    loss = seq2seq.sequence_loss(logits, tf.ones([3, 6], tf.int32)[:, :steps], mask)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    session.run(tf.global_variables_initializer())
    rng, losses = np.random.RandomState(0), []
    for _ in range(20):
        given = rng.randint(1, 5, 3)
        given[0] = 4
        feed = {x: rng.standard_normal([3, 6, 2]), lengths: given}
        losses.append(session.run([loss, steps, train], feed)[:2])
    assert {int(n) for _, n in losses} == {3 if bounded else 4}
    assert len({float(value) for value, _ in losses}) == 20
    assert not [r for r in caplog.records if "were each compiled for" in r.getMessage()]


TABLE = pattern([5, 2], 3)


def greedy(kernel, bias, projection, start, end, steps, choose=None):
    h, ids = np.zeros([len(start), 4]), np.array(start)
    done, found, outputs = np.zeros(len(start), bool), [], []
    for _ in range(steps):
        h = basic_rnn(TABLE[ids], h, kernel, bias)
        outputs.append(h @ projection)
        ids = outputs[-1].argmax(1)
        found.append(ids)
        done |= ids == end
        if done.all():
            break
    return np.stack(outputs, 1), np.stack(found, 1)


@pytest.mark.parametrize("embedding", ["table", "function"])
def test_greedy_decoding(session, embedding):
    cell = cells.BasicRNNCell(4)
    table = tf.constant(TABLE)
    source = table if embedding == "table" else (lambda ids: tf.nn.embedding_lookup(table, ids))
    end = tf.placeholder(tf.int32, [])
    helper = seq2seq.GreedyEmbeddingHelper(source, [0, 1, 2], end)
    decoder = seq2seq.BasicDecoder(
        cell, helper, cell.zero_state(3, tf.float32), tf.layers.Dense(5, use_bias=False)
    )
    outputs, _, lengths = seq2seq.dynamic_decode(decoder, maximum_iterations=6)
    w = list(set_pattern(session).values())
    for stop in range(5):
        out, ids, counts = session.run([*outputs, lengths], {end: stop})
        wanted, wanted_ids = greedy(*w, [0, 1, 2], stop, 6)
        close(out, wanted)
        np.testing.assert_array_equal(ids, wanted_ids)
        ends = [list(row).index(stop) + 1 if stop in row else len(row) for row in wanted_ids]
        np.testing.assert_array_equal(counts, ends)


def test_sampling(session):
    cell = cells.BasicRNNCell(4)
    initial = cell.zero_state(400, tf.float32)

    def decode(**options):
        helper = seq2seq.SampleEmbeddingHelper(tf.constant(TABLE), [0] * 400, 9, seed=3, **options)
        layer = tf.layers.Dense(5, use_bias=False, name="layer", _reuse=tf.AUTO_REUSE)
        decoder = seq2seq.BasicDecoder(cell, helper, initial, layer)
        outputs, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=2)
        return outputs

    warm, cold = decode(), decode(softmax_temperature=1e-3)
    set_pattern(session)
    got, frozen = session.run([warm, cold])
    assert got.sample_id.dtype == np.int32 and got.sample_id.shape == (400, 2)
    p = np.exp(got.rnn_output[0, 0]) / np.exp(got.rnn_output[0, 0]).sum()
    counts = np.bincount(got.sample_id[:, 0], minlength=5) / 400
    np.testing.assert_allclose(counts, p, atol=0.08)
    np.testing.assert_array_equal(frozen.sample_id, frozen.rnn_output.argmax(2))


def test_helpers_of_functions(session):
    """Both helpers count: the input is the number of the step, of as many steps as the row says."""
    cell = cells.BasicRNNCell(1, activation=lambda x: x)
    limits = tf.constant([1, 3])

    def next_inputs(time, outputs, state, sample_ids):
        return time + 1 >= limits, tf.fill([2, 1], tf.cast(time + 1, tf.float32)), state

    helper = seq2seq.CustomHelper(
        lambda: (tf.equal(limits, 0), tf.zeros([2, 1])),
        lambda time, outputs, state: tf.cast(outputs, tf.int32) + time,
        next_inputs,
        sample_ids_shape=[1],
    )
    with pytest.raises(ValueError, match="batch_size accessed before initialize"):
        _ = helper.batch_size
    decoder = seq2seq.BasicDecoder(cell, helper, tf.zeros([2, 1]))
    outputs, _, lengths = seq2seq.dynamic_decode(decoder)
    inference = seq2seq.InferenceHelper(
        lambda outputs: outputs + 1.0, [1], tf.float32, tf.ones([2, 1]),
        lambda sample: tf.reshape(sample > 4.0, [-1]), lambda sample: sample * 0.5,
    )  # fmt: skip
    other = seq2seq.BasicDecoder(cell, inference, tf.zeros([2, 1]))
    more, _, _ = seq2seq.dynamic_decode(other, scope="other")
    kernel, bias = cell.weights
    kernel.load([[1.0], [1.0]], session), bias.load([0.0], session)
    out, ids, counts = session.run([*outputs, lengths])
    np.testing.assert_array_equal(out[:, :, 0], [[0, 1, 3]] * 2)
    np.testing.assert_array_equal(ids[:, :, 0], [[0, 2, 5]] * 2)
    np.testing.assert_array_equal(counts, [1, 3])
    got = session.run(more)
    h, given, wanted = 0.0, 1.0, []
    while not wanted or wanted[-1] + 1 <= 4:
        h += given
        wanted.append(h)
        given = (h + 1) * 0.5
    close(got.rnn_output[0, :, 0], wanted)
    close(got.sample_id, got.rnn_output + 1)


def test_decoder_mistakes():
    cell = cells.BasicRNNCell(2)
    helper = seq2seq.TrainingHelper(tf.constant(X), LENGTHS)
    state = cell.zero_state(3, tf.float32)
    for arguments, message in (
        ((None, helper, state), "The argument 'cell'"),
        ((cell, 3, state), "helper must be a Helper"),
        ((cell, helper, state, 3), "output_layer must be a Layer"),
    ):
        with pytest.raises(TypeError, match=message):
            seq2seq.BasicDecoder(*arguments)
    with pytest.raises(TypeError, match="Expected decoder to be type Decoder"):
        seq2seq.dynamic_decode(cell)
    decoder = seq2seq.BasicDecoder(cell, helper, state)
    with pytest.raises(ValueError, match="maximum_iterations must be a scalar"):
        seq2seq.dynamic_decode(decoder, maximum_iterations=[2])
    with pytest.raises(ValueError, match="Expected sequence_length to be a vector"):
        seq2seq.TrainingHelper(tf.constant(X), 3)
    with pytest.raises(ValueError, match="start_tokens must be a vector"):
        seq2seq.GreedyEmbeddingHelper(tf.constant(TABLE), 0, 1)
    with pytest.raises(ValueError, match="end_token must be a scalar"):
        seq2seq.GreedyEmbeddingHelper(tf.constant(TABLE), [0], [1])
    with pytest.raises(TypeError, match="Expected outputs to be a single Tensor"):
        seq2seq.GreedyEmbeddingHelper(tf.constant(TABLE), [0], 1).sample(0, (1, 2), None)
    with pytest.raises(NotImplementedError):
        _ = seq2seq.Helper().batch_size
    with pytest.raises(NotImplementedError):
        seq2seq.Decoder().initialize()


def test_tile_batch(session):
    x = tf.placeholder(tf.float32, [None, 2])
    tiled, pair = seq2seq.tile_batch(x, 3), seq2seq.tile_batch((tf.constant([1, 2]), x), 2)
    assert tiled.shape.as_list() == [None, 2] and pair[0].shape == [4]
    got, (ids, _) = session.run([tiled, pair], {x: [[1, 2], [3, 4]]})
    np.testing.assert_array_equal(got, np.repeat([[1, 2], [3, 4]], 3, 0))
    np.testing.assert_array_equal(ids, [1, 1, 2, 2])
    with pytest.raises(ValueError, match="statically known rank"):
        seq2seq.tile_batch(tf.constant(1), 2)
