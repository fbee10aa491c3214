"""tf.nn.static_rnn, dynamic_rnn, bidirectional and raw networks: numbers, names, errors."""

import logging

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, gru, lstm, pattern, set_pattern
from tfc.data.digits import load_digits

cells = tf.nn.rnn_cell
LENGTHS = [2, 4, 0]
X = pattern([3, 4, 2], 2)  # batch, time, depth


@pytest.fixture(autouse=True)
def session(caplog):
    caplog.set_level(logging.DEBUG, logger="tfc")
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def native(caplog):
    """Whether nothing was left to Python: what is says so in the log."""
    messages = [r.getMessage() for r in caplog.records]
    return not [m for m in messages if "driven by Python" in m]


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-6)


def run_lstm(x, kernel, bias, lengths=None):
    """Outputs and last (c, h) over x[batch, time, depth]."""
    batch, time, _ = x.shape
    units = bias.shape[0] // 4
    c = h = np.zeros([batch, units])
    outputs = np.zeros([batch, time, units])
    for t in range(time):
        new_c, new_h = lstm(x[:, t], c, h, kernel, bias)
        on = np.ones([batch, 1], bool) if lengths is None else (t < np.array(lengths))[:, None]
        outputs[:, t] = np.where(on, new_h, 0)
        c, h = np.where(on, new_c, c), np.where(on, new_h, h)
    return outputs, (c, h)


def run_simple(step, x, units, lengths=None):
    batch, time, _ = x.shape
    h, outputs = np.zeros([batch, units]), np.zeros([batch, time, units])
    for t in range(time):
        new = step(x[:, t], h)
        on = np.ones([batch, 1], bool) if lengths is None else (t < np.array(lengths))[:, None]
        outputs[:, t], h = np.where(on, new, 0), np.where(on, new, h)
    return outputs, h


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("kind", ["static", "dynamic", "time_major"])
def test_lstm(session, caplog, kind, lengths):
    cell = cells.BasicLSTMCell(5)
    x = tf.placeholder(tf.float32, X.shape)
    if kind == "static":
        steps, state = tf.nn.static_rnn(
            cell, tf.unstack(x, axis=1), dtype=tf.float32, sequence_length=lengths
        )
        assert len(steps) == 4 and steps[0].shape == [3, 5]
        outputs = tf.stack(steps, axis=1)
    else:
        by_time = kind == "time_major"
        given = tf.transpose(x, [1, 0, 2]) if by_time else x
        outputs, state = tf.nn.dynamic_rnn(
            cell, given, lengths, dtype=tf.float32, time_major=by_time
        )
        outputs = tf.transpose(outputs, [1, 0, 2]) if by_time else outputs
    assert outputs.shape == [3, 4, 5] and state.c.shape == [3, 5]
    assert isinstance(state, cells.LSTMStateTuple)
    w = set_pattern(session)
    assert list(w) == ["rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias"]
    wanted, wanted_state = run_lstm(X, *w.values(), lengths)
    got, got_state = session.run([outputs, state], {x: X})
    close(got, wanted)
    close(got_state, wanted_state)
    assert native(caplog)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients_do_not_depend_on_how_it_is_unrolled(session, caplog, lengths):
    x = tf.placeholder(tf.float64, X.shape)
    start = tf.constant(pattern([3, 4], 0.5), tf.float64)
    weights = tf.constant(pattern([3, 4, 4]), tf.float64)
    cell = cells.GRUCell(4)
    with tf.variable_scope("net"):
        steps, state = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), start, None, lengths)
    with tf.variable_scope("net", reuse=True):
        outputs, last = tf.nn.dynamic_rnn(cell, x, lengths, start)
    params = [x, start, *tf.trainable_variables()]
    assert len(params) == 6
    losses = [
        tf.reduce_sum(tf.stack(steps, 1) * weights) + tf.reduce_sum(state * state),
        tf.reduce_sum(outputs * weights) + tf.reduce_sum(last * last),
    ]
    unrolled, looped = (tf.gradients(loss, params) for loss in losses)
    set_pattern(session)
    feed = {x: X}
    for a, b in zip(*session.run([unrolled, looped], feed), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    # and against differences, in the inputs
    at, step = (1, 2, 0), 1e-6
    ends = []
    for sign in (1, -1):
        moved = X.astype(np.float64)
        moved[at] += sign * step
        ends.append(session.run(losses[1], {x: moved}))
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(session.run(looped[0], feed)[at], slope, rtol=1e-6)
    assert native(caplog)


def test_unknown_shapes(session, caplog):
    x = tf.placeholder(tf.float32, [None, None, 2])
    n = tf.placeholder(tf.int32, [None])
    outputs, state = tf.nn.dynamic_rnn(cells.BasicLSTMCell(5), x, n, dtype=tf.float32)
    assert outputs.shape.as_list() == [None, None, 5] and state.h.shape.as_list() == [None, 5]
    grads = tf.gradients(outputs, tf.trainable_variables())
    w = set_pattern(session)
    for batch, time in ((3, 4), (2, 3), (1, 1)):
        part = X[:batch, :time]
        got, last, found = session.run([outputs, state, grads], {x: part, n: LENGTHS[:batch]})
        wanted, wanted_last = run_lstm(part, *w.values(), LENGTHS[:batch])
        close(got, wanted)
        close(last, wanted_last)
        assert found[0].shape == (7, 20) and np.isfinite(found[0]).all()
    assert native(caplog)
    got, last = session.run([outputs, state.h], {x: np.zeros([2, 0, 2]), n: [0, 0]})
    assert got.shape == (2, 0, 5) and last.shape == (2, 5) and not last.any()
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected shape for Tensor rnn/seq"):
        session.run(outputs, {x: X, n: [1, 2]})


def test_dropout_and_layers_in_a_loop(session, caplog):
    def stack():
        return cells.MultiRNNCell(
            [cells.DropoutWrapper(cells.BasicLSTMCell(4), output_keep_prob=p) for p in (1.0, 0.5)]
        )

    x = tf.constant(X)
    outputs, state = tf.nn.dynamic_rnn(stack(), x, dtype=tf.float32)
    grads = tf.gradients(tf.reduce_sum(outputs), tf.trainable_variables())
    w = list(set_pattern(session).values())
    first, _ = run_lstm(X, *w[:2])
    second, last = run_lstm(first, *w[2:])
    got, got_state, found = session.run([outputs, state, grads])
    close(got_state[1], last)
    assert (got == 0).any() and all(np.isfinite(g).all() and g.any() for g in found)
    close(got[got != 0], 2 * second[got != 0])
    assert native(caplog)


def test_structures_of_inputs_and_states(session):
    class Pair(cells.RNNCell):
        """Adds up two inputs."""

        state_size = (tf.TensorShape([2]), tf.TensorShape([2, 3]))
        output_size = (2, tf.TensorShape([2, 3]))

        def call(self, inputs, state):
            new = (state[0] + inputs["a"], state[1] + inputs["b"])
            return new, new

    a, b = pattern([3, 4, 2]), pattern([3, 4, 2, 3])
    (s, t), last = tf.nn.dynamic_rnn(
        Pair(), {"a": tf.constant(a), "b": tf.constant(b)}, LENGTHS, dtype=tf.float32
    )
    assert s.shape == [3, 4, 2] and t.shape == [3, 4, 2, 3] and last[1].shape == [3, 2, 3]
    got_s, got_t, got_last = session.run([s, t, last])
    on = (np.arange(4) < np.array(LENGTHS)[:, None])[:, :, None]
    close(got_s, np.cumsum(a, 1) * on)
    close(got_t, np.cumsum(b, 1) * on[..., None])
    close(got_last[0], (a * on).sum(1))
    steps = [{"a": tf.constant(a[:, i]), "b": tf.constant(b[:, i])} for i in range(4)]
    with pytest.raises(ValueError, match="dtype must be specified"):
        tf.nn.static_rnn(Pair(), steps)
    outputs, _ = tf.nn.static_rnn(Pair(), steps, dtype=tf.float32, sequence_length=LENGTHS)
    close(session.run(outputs[2][1]), (np.cumsum(b, 1) * on[..., None])[:, 2])


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_bidirectional(session, caplog, lengths):
    x = tf.constant(X)
    (fw, bw), states = tf.nn.bidirectional_dynamic_rnn(
        cells.BasicRNNCell(3), cells.GRUCell(2), x, lengths, dtype=tf.float32
    )
    steps, last_fw, last_bw = tf.nn.static_bidirectional_rnn(
        cells.BasicRNNCell(3), cells.GRUCell(2), tf.unstack(x, axis=1), dtype=tf.float32,
        sequence_length=lengths, scope="unrolled",
    )  # fmt: skip
    grads = tf.gradients([fw, bw], tf.trainable_variables()[:6])
    names = [v.name for v in tf.trainable_variables()]
    assert names[0] == "bidirectional_rnn/fw/basic_rnn_cell/kernel:0"
    assert names[2] == "bidirectional_rnn/bw/gru_cell/gates/kernel:0"
    assert names[6] == "unrolled/fw/basic_rnn_cell/kernel:0"
    w = list(set_pattern(session).values())
    out_fw, state_fw = run_simple(lambda x, h: basic_rnn(x, h, *w[:2]), X, 3, lengths)
    turned = turn(X, lengths)
    out_bw, state_bw = run_simple(lambda x, h: gru(x, h, *w[2:6]), turned, 2, lengths)
    got = session.run([fw, bw, *states, tf.stack(steps, 1), last_fw, last_bw, grads])
    close(got[0], out_fw)
    close(got[1], turn(out_bw, lengths))
    close(got[2], state_fw)
    close(got[3], state_bw)
    close(got[4], np.concatenate([out_fw, turn(out_bw, lengths)], 2))
    close(got[5], state_fw)
    close(got[6], state_bw)
    assert steps[0].shape == [3, 5] and all(g.any() for g in got[7])
    assert native(caplog)


def turn(x, lengths):
    result = x.copy()
    for row, n in enumerate([x.shape[1]] * len(x) if lengths is None else lengths):
        result[row, :n] = x[row, :n][::-1]
    return result


def test_bidirectional_time_major(session):
    x = tf.constant(X.transpose(1, 0, 2))
    (fw, bw), _ = tf.nn.bidirectional_dynamic_rnn(
        cells.BasicRNNCell(3), cells.BasicRNNCell(3), x, LENGTHS, dtype=tf.float32, time_major=True
    )
    w = list(set_pattern(session).values())
    out, _ = run_simple(lambda x, h: basic_rnn(x, h, *w[2:]), turn(X, LENGTHS), 3, LENGTHS)
    assert fw.shape == [4, 3, 3]
    close(session.run(bw), turn(out, LENGTHS).transpose(1, 0, 2))


def test_state_saving(session):
    class Saver:
        def __init__(self):
            self.kept = {n: tf.Variable(tf.zeros([3, 5]), trainable=False) for n in ("c", "h")}

        def state(self, name):
            return self.kept[name] + 0.0

        def save_state(self, name, value):
            return tf.assign(self.kept[name], value)

    saver = Saver()
    cell = cells.BasicLSTMCell(5)
    steps = tf.unstack(tf.constant(X), axis=1)
    outputs, state = tf.nn.static_state_saving_rnn(cell, steps[:2], saver, ("c", "h"))
    kernel, bias = cell.weights
    kernel.load(pattern([7, 20]), session), bias.load(pattern([20]), session)
    session.run([v.initializer for v in saver.kept.values()])
    _, (c, h) = run_lstm(X[:, :2], pattern([7, 20]), pattern([20]))
    close(session.run(outputs[-1]), h)
    close(session.run(list(saver.kept.values())), (c, h))
    _, twice = run_lstm(np.concatenate([X[:, :2]] * 2, 1), pattern([7, 20]), pattern([20]))
    close(session.run(state), twice)
    with pytest.raises(ValueError, match="state_name should be the same type as"):
        tf.nn.static_state_saving_rnn(cell, steps, saver, "c")
    with pytest.raises(ValueError, match=r"#elems\(state_name\) != #elems\(state_size\)"):
        tf.nn.static_state_saving_rnn(cell, steps, saver, ("c",))


def test_a_network_in_pieces_is_the_whole(session):
    x = tf.constant(X)
    cell = cells.BasicLSTMCell(5)
    whole, last = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    first, middle = tf.nn.dynamic_rnn(cell, x[:, :2], dtype=tf.float32)
    second, end = tf.nn.dynamic_rnn(cell, x[:, 2:], initial_state=middle)
    assert len(tf.trainable_variables()) == 2  # the cell has its variables already
    set_pattern(session)
    a, b, c, d, e = session.run([whole, first, second, last, end])
    np.testing.assert_array_equal(a, np.concatenate([b, c], 1))
    np.testing.assert_array_equal(d, e)


def test_scopes_and_reuse():
    x = tf.constant(X)

    def net(**options):
        return tf.nn.dynamic_rnn(cells.GRUCell(2), x, dtype=tf.float32, **options)

    net()
    with pytest.raises(ValueError, match="Variable rnn/gru_cell/gates/kernel already exists"):
        net()
    with tf.variable_scope("", reuse=True):
        net()
    net(scope="other")
    with tf.variable_scope("outer"):
        net()
    names = [v.op.name for v in tf.trainable_variables()[::4]]
    assert names == [f"{p}gru_cell/gates/kernel" for p in ("rnn/", "other/", "outer/rnn/")]


def test_raw_rnn(session, caplog):
    """The loop that dynamic_rnn makes, by hand; emits are zero after the end of a row."""
    cell, lengths = cells.BasicLSTMCell(5), tf.constant(LENGTHS)
    source = tf.TensorArray(tf.float32, 4, element_shape=[3, 2]).unstack(X.transpose(1, 0, 2))
    counts = []

    def loop_fn(time, output, state, loop_state):
        counts.append(loop_state)
        if output is None:
            state, steps = cell.zero_state(3, tf.float32), tf.constant(0)
        else:
            steps = loop_state + 1
        finished = time >= lengths
        inputs = tf.cond(
            tf.reduce_all(finished), lambda: tf.zeros([3, 2]), lambda: source.read(time)
        )
        return finished, inputs, state, output, steps

    emitted, state, steps = tf.nn.raw_rnn(cell, loop_fn)
    outputs = emitted.stack()
    w = set_pattern(session)
    assert list(w) == ["rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias"]
    wanted, wanted_state = run_lstm(X, *w.values(), LENGTHS)
    got, last, n = session.run([outputs, state, steps])
    close(got, wanted.transpose(1, 0, 2))
    close(last, wanted_state)
    assert n == 4 and counts[0] is None and len(counts) == 2


def test_raw_rnn_emits_what_it_likes(session):
    cell = cells.BasicRNNCell(2)

    def loop_fn(time, output, state, _):
        if output is None:
            emit, state = {"twice": tf.zeros([4]), "at": tf.constant(0)}, tf.zeros([3, 2])
        else:
            emit = {"twice": tf.concat([output, output], 1), "at": tf.fill([3], time)}
        return tf.fill([3], time >= 2), tf.constant(X[:, 0]), state, emit, None

    emitted, _, nothing = tf.nn.raw_rnn(cell, loop_fn)
    assert nothing is None
    twice, at = emitted["twice"].stack(), emitted["at"].stack()
    w = list(set_pattern(session).values())
    first = basic_rnn(X[:, 0], np.zeros([3, 2]), *w)
    second = basic_rnn(X[:, 0], first, *w)
    got, places = session.run([twice, at])
    close(got, np.concatenate([[first, second]] * 2, 2))
    np.testing.assert_array_equal(places, [[1, 1, 1], [2, 2, 2]])


def test_mistakes():
    cell, x = cells.BasicRNNCell(3), tf.placeholder(tf.float32, [2, 4, 3])
    with pytest.raises(ValueError, match="If there is no initial_state, you must give a dtype"):
        tf.nn.dynamic_rnn(cell, x)
    with pytest.raises(TypeError, match="The argument 'cell' .* is not an RNNCell"):
        tf.nn.dynamic_rnn(None, x, dtype=tf.float32)
    for inputs, message in (
        (tf.placeholder(tf.float32, [2, 4, None]), "Input size .depth of inputs. must be"),
        (tf.placeholder(tf.float32, [2, 4]), "must have rank at least 3|rank at least 3"),
        ((x, tf.ones([2, 5, 3])), "Time steps is not the same"),
        ((x, tf.ones([3, 4, 3])), "Batch_size is not the same"),
    ):
        with pytest.raises(ValueError, match=message):
            tf.nn.dynamic_rnn(cell, inputs, dtype=tf.float32)
    with pytest.raises(ValueError, match="sequence_length must be a vector"):
        tf.nn.dynamic_rnn(cell, x, sequence_length=[[1, 2]], dtype=tf.float32)
    with pytest.raises(TypeError, match="inputs must be a sequence"):
        tf.nn.static_rnn(cell, x, dtype=tf.float32)
    with pytest.raises(ValueError, match="inputs must not be empty"):
        tf.nn.static_rnn(cell, [], dtype=tf.float32)
    with pytest.raises(ValueError, match="Input size .dimension 0 of inputs. must be accessible"):
        tf.nn.static_rnn(cell, [tf.placeholder(tf.float32, [2, None])], dtype=tf.float32)
    with pytest.raises(ValueError, match="sequence_length must be a vector"):
        tf.nn.static_rnn(cell, [x[:, 0]], dtype=tf.float32, sequence_length=[[1]])
    lstm, pair = cells.BasicLSTMCell(2), (tf.zeros([2, 2]), tf.zeros([2, 2]))
    for state in (pair, list(pair)):
        with pytest.raises(TypeError, match="don't have the same sequence type"):
            tf.nn.dynamic_rnn(lstm, x, initial_state=state)
    with pytest.raises(TypeError, match="don't have the same sequence type"):
        tf.nn.static_rnn(lstm, [x[:, 0]], initial_state=pair, sequence_length=[1, 0])
    with pytest.raises(TypeError, match="'cell_bw'"):
        tf.nn.bidirectional_dynamic_rnn(cell, 3, x, dtype=tf.float32)
    with pytest.raises(TypeError, match="loop_fn must be a callable"):
        tf.nn.raw_rnn(cell, None)
    start = (tf.zeros([2, 3]), tf.zeros([2, 3], tf.float64))
    with pytest.raises(ValueError, match="different inferred_dtypes"):
        tf.nn.dynamic_rnn(cells.BasicLSTMCell(3), x, initial_state=start)


def test_an_lstm_learns_the_digits(session, caplog):
    images, labels = load_digits()
    rows = images[..., 0].astype(np.float32) / 255
    x, y = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int64, [None])
    tf.set_random_seed(1)
    _, state = tf.nn.dynamic_rnn(cells.BasicLSTMCell(32), x, dtype=tf.float32)
    logits = tf.layers.Dense(10)(state.h)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
    session.run(tf.global_variables_initializer())
    order = np.random.RandomState(0).permutation(len(images))
    kept, rest = order[:397], order[397:]
    for _ in range(24):  # enough for the accuracy not to hang on the last bit of a sum
        for part in np.split(rest, 28):
            session.run(train, {x: rows[part], y: labels[part]})
    accuracy = session.run(right, {x: rows[kept], y: labels[kept]})
    assert accuracy > 0.93
    assert native(caplog)


def test_names_and_shapes_of_dynamic_rnn(session):
    """The results have TensorFlow's names, after the counter of `maximum_iterations`; lengths say
    nothing of the static shape of a batch."""
    x = tf.placeholder(tf.float32, [None, None, 3])
    y, state = tf.nn.dynamic_rnn(
        cells.BasicLSTMCell(4), x, sequence_length=tf.constant([2, 4, 1]), dtype=tf.float32
    )
    assert [t.name for t in (y, *state)] == [
        "rnn/transpose_1:0", "rnn/while/Exit_3:0", "rnn/while/Exit_4:0",
    ]  # fmt: skip
    assert y.shape.as_list() == [None, None, 4] and state.c.shape.as_list() == [None, 4]
    known = tf.placeholder(tf.float32, [None, 5, 3])
    y, _ = tf.nn.dynamic_rnn(cells.GRUCell(4), known, dtype=tf.float32)
    assert y.shape.as_list() == [None, 5, 4]
    rows = tf.where(tf.constant([True] * 3), y[:, 0], y[:, 1])
    assert rows.shape.as_list() == [None, 4]


@pytest.mark.parametrize(("lengths", "steps"), [([1, 3, 2], 3), ([5, 1, 0], 5), ([0, 0, 0], 1)])
def test_steps_beyond_all_lengths_are_not_run(lengths, steps):
    """As in TensorFlow, so that what counts steps (here a variable) stands where it does there."""
    counter = tf.get_variable("counter", initializer=0, trainable=False)

    class Counting(tf.nn.rnn_cell.BasicRNNCell):
        def __call__(self, inputs, state, scope=None):
            with tf.control_dependencies([tf.assign_add(counter, 1)]):
                return super().__call__(tf.identity(inputs), state, scope)

    x = tf.placeholder(tf.float32, [None, 5, 2])
    n = tf.placeholder(tf.int32, [None])
    outputs, state = tf.nn.dynamic_rnn(Counting(4), x, n, dtype=tf.float32)
    noise = np.random.RandomState(0).randn(3, 5, 2).astype(np.float32)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found, last = session.run([outputs, state], {x: noise, n: lengths})
        assert session.run(counter) == steps
    assert found.shape == (3, 5, 4)
    for row, length in enumerate(lengths):
        assert not found[row, length:].any()
        want = found[row, length - 1] if length else np.zeros(4)
        np.testing.assert_array_equal(last[row], want)


@pytest.mark.parametrize("lengths", [None, np.zeros([0], np.int32)])
def test_a_batch_of_none(session, lengths):
    outputs, state = tf.nn.dynamic_rnn(
        cells.GRUCell(3), tf.zeros([0, 4, 2]), lengths, dtype=tf.float32
    )
    grads = tf.gradients(tf.reduce_sum(outputs), tf.trainable_variables())
    session.run(tf.global_variables_initializer())
    outputs, state, grads = session.run([outputs, state, grads])
    assert outputs.shape == (0, 4, 3) and state.shape == (0, 3)
    assert [g.shape for g in grads] == [(5, 6), (6,), (5, 3), (3,)]
    assert not any(g.any() for g in grads)
