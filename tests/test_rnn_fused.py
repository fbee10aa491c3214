"""FusedRNNCell, its adaptors, LSTMBlockWrapper and CompiledWrapper. Literal numbers are those of
TensorFlow 1.15."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import pattern, set_pattern

rnn = tf.contrib.rnn
SEQUENCE = pattern([4, 3, 2], 2)  # time, batch, depth
LENGTHS = [2, 0, 4]


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted, tolerance=1e-4):
    np.testing.assert_allclose(np.ravel(actual), np.ravel(wanted), rtol=0, atol=tolerance)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_adaptor(session, loop, as_list, lengths):
    """It is `dynamic_rnn` or `static_rnn`, for lists and tensors."""
    fused = rnn.FusedRNNCellAdaptor(rnn.BasicLSTMCell(4), use_dynamic_rnn=loop)
    x = [tf.constant(s) for s in SEQUENCE] if as_list else tf.constant(SEQUENCE)
    outputs, state = fused(x, dtype=tf.float32, sequence_length=lengths)
    assert isinstance(outputs, list) == as_list and isinstance(state, rnn.LSTMStateTuple)
    with tf.variable_scope("rnn", reuse=True) as scope:
        wanted, last = tf.nn.dynamic_rnn(
            rnn.BasicLSTMCell(4), tf.constant(SEQUENCE), lengths, dtype=tf.float32,
            time_major=True, scope=scope,
        )  # fmt: skip
    assert list(set_pattern(session)) == [f"rnn/basic_lstm_cell/{n}" for n in ("kernel", "bias")]
    found = session.run([outputs, state])
    close(found[0], session.run(wanted), 1e-6)
    close(found[1], session.run(last), 1e-6)


def test_numbers_of_the_adaptor(session):
    fused = rnn.FusedRNNCellAdaptor(rnn.GRUCell(2), True)
    x = tf.constant(SEQUENCE)
    outputs, state = fused(x, dtype=tf.float32, sequence_length=LENGTHS, scope="mine")
    assert all(v.op.name.startswith("mine/gru_cell/") for v in tf.global_variables())
    loss = tf.reduce_sum(outputs**2 / 2 + outputs) + tf.reduce_sum(state**2 / 2 + state)
    slope = tf.gradients(loss, x)[0]
    set_pattern(session)
    rows = [-367, 987, 0, 0, -2757, -212, -4220, 1693, 0, 0, -2359, -1232]
    close(session.run(outputs)[:2], np.array(rows) * 1e-4)
    close(session.run(state), np.array([-4220, 1693, 0, 0, -2000, 1823]) * 1e-4)
    rows = [-128, 584, 0, 0, -111, 416, -148, 299, 0, 0, -267, 194]
    close(session.run(slope)[:2], np.array(rows) * 1e-3, 1e-3)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_reversed(session, lengths):
    """Each row starts at its own end; outputs are in the order of the inputs."""
    adapted = rnn.FusedRNNCellAdaptor(rnn.BasicRNNCell(4), use_dynamic_rnn=True)
    x = tf.constant(SEQUENCE)
    backwards, last = rnn.TimeReversedFusedRNN(adapted)(
        x, dtype=tf.float32, sequence_length=lengths
    )
    ends = [4] * 3 if lengths is None else lengths
    turned = SEQUENCE.copy()
    for row, end in enumerate(ends):
        turned[:end, row] = SEQUENCE[:end, row][::-1]
    with tf.variable_scope("rnn", reuse=True) as scope:
        wanted, state = adapted(tf.constant(turned), None, tf.float32, lengths, scope)
    set_pattern(session)
    found, plain = session.run([backwards, wanted])
    for row, end in enumerate(ends):
        close(found[:end, row], plain[:end, row][::-1], 1e-6)
        assert not found[end:, row].any()
    close(session.run(last), session.run(state), 1e-6)


def test_reversed_lists(session):
    """Lists are turned as a whole, whatever the lengths; an initial state is passed on."""
    adapted = rnn.FusedRNNCellAdaptor(rnn.BasicRNNCell(2))
    steps = [tf.constant(s) for s in SEQUENCE]
    start = tf.constant(pattern([3, 2]))
    backwards, last = rnn.TimeReversedFusedRNN(adapted)(steps, start, sequence_length=LENGTHS)
    with tf.variable_scope("rnn", reuse=True) as scope:
        wanted, state = adapted(steps[::-1], start, sequence_length=LENGTHS, scope=scope)
    set_pattern(session)
    close(session.run(backwards), session.run(wanted[::-1]), 1e-6)
    close(session.run(last), session.run(state), 1e-6)


def test_reversed_block_cell(session):
    fused = rnn.LSTMBlockFusedCell(2, use_peephole=True)
    assert isinstance(fused, rnn.LSTMBlockWrapper) and not isinstance(fused, rnn.FusedRNNCell)
    outputs, state = rnn.TimeReversedFusedRNN(fused)(
        tf.constant(SEQUENCE), dtype=tf.float32, sequence_length=LENGTHS
    )
    losses = [tf.reduce_sum(y * y / 2 + y) for y in (outputs, *state)]
    slopes = tf.gradients(tf.add_n(losses), fused.weights)
    set_pattern(session)
    rows = [-468, 934, 0, 0, -760, 2460, -680, 2077, 0, 0, -427, 953, 0, 0, 0, 0, -494, -858,
            0, 0, 0, 0, -102, -526]  # fmt: skip
    close(session.run(outputs), np.array(rows) * 1e-4)
    close(session.run(state.c), np.array([-855, 1778, 0, 0, -1372, 5187]) * 1e-4)
    close(session.run(state.h), np.array([-468, 934, 0, 0, -760, 2460]) * 1e-4)
    wanted = [[-346, 950, 4756, 5314, -105, 160, -151, 485], [12, -30], [9, 124], [16, 231]]
    for found, numbers in zip(session.run(slopes[1:]), wanted, strict=True):
        close(found, np.array(numbers) * 1e-3, 1e-3)


def test_all_memories_of_the_block_cell(session):
    """Rows go on to the end of the longest, as the kernel does."""
    fused = rnn.LSTMBlockFusedCell(2, use_peephole=True)
    fused.build(tf.TensorShape([4, 3, 2]))
    start = [tf.constant(pattern([3, 2], scale)) for scale in (1, 2)]
    both = fused._call_cell(tf.constant(SEQUENCE), *start, tf.float32, tf.constant([2, 0, 3]))
    free = fused._call_cell(tf.constant(SEQUENCE), *start, tf.float32, None)
    set_pattern(session)
    memories, outputs = session.run(both)
    close(memories[0], np.array([-3834, 1877, -2077, 1106, -290, 1400]) * 1e-4)
    close(memories[2], np.array([-4180, 8031, -2708, 4362, -886, 1509]) * 1e-4)
    close(outputs[2], np.array([-2560, 3564, -1984, 2135, -557, 812]) * 1e-4)
    assert not memories[3].any() and not outputs[3].any()
    for found, whole in zip((memories, outputs), session.run(free), strict=True):
        close(found[:3], whole[:3], 1e-6)
        assert whole[3].any()


class Summing(rnn.LSTMBlockWrapper):
    """Memories add up what a matrix makes of the inputs; outputs are its tanh and the first."""

    def __init__(self, units):
        super().__init__(name="mine")
        self.units = units

    @property
    def num_units(self):
        return self.units

    def build(self, input_shape):
        self.w = self.add_weight("w", [2, self.units])
        self.built = True

    def _call_cell(self, inputs, initial_cell_state, initial_output, dtype, sequence_length):
        y = tf.tensordot(inputs, self.w, 1)
        return tf.cumsum(y, 0) + initial_cell_state, tf.tanh(y) + initial_output


@pytest.mark.parametrize("as_list", [False, True])
def test_a_wrapper_of_ones_own(session, as_list):
    x = tf.constant(SEQUENCE)
    outputs, state = Summing(2)(
        tf.unstack(x) if as_list else x, dtype=tf.float32, sequence_length=LENGTHS
    )
    assert isinstance(outputs, list) == as_list and isinstance(state, rnn.LSTMStateTuple)
    assert list(set_pattern(session)) == ["mine/w"]
    rows = [3969, 0, 0, 0, 200, -2543, -3799, 1586, 0, 0, 2913, -4930, 0, 0, 0, 0, 1391, 2729,
            0, 0, 0, 0, 3969, 0]  # fmt: skip
    close(session.run(outputs), np.array(rows) * 1e-4)
    close(session.run(state.c), np.array([200, 1600, 0, 0, 8800, -5200]) * 1e-4)
    close(session.run(state.h), np.array([-3799, 1586, 0, 0, 3969, 0]) * 1e-4)


@pytest.mark.parametrize("lengths", [None, np.array(LENGTHS, np.int64)])
def test_a_wrapper_with_unknown_shapes_and_an_initial_state(session, lengths):
    x = tf.placeholder_with_default(SEQUENCE.astype(np.float64), [None, None, 2])
    start = (tf.constant(pattern([3, 2]).astype(np.float64)), tf.zeros([3, 2], tf.float64))
    cell = Summing(2)
    outputs, state = cell(x, start, sequence_length=lengths)
    assert outputs.dtype == tf.float64 and outputs.shape.as_list()[2] == 2
    w = next(iter(set_pattern(session).values())).astype(np.float64)
    y = SEQUENCE.astype(np.float64) @ w
    memories = np.concatenate([[session.run(start[0])], y]).cumsum(0)
    last = np.concatenate([np.zeros([1, 3, 2]), np.tanh(y)])
    ends = [4] * 3 if lengths is None else lengths
    close(session.run(state.c), memories[ends, range(3)], 1e-6)
    close(session.run(state.h), last[ends, range(3)], 1e-6)
    on = (np.arange(4)[:, None] < np.array(ends))[..., None]
    close(session.run(outputs), np.tanh(y) * on, 1e-6)


def test_errors():
    with pytest.raises(TypeError, match="abstract class FusedRNNCell"):
        rnn.FusedRNNCell()
    with pytest.raises(TypeError, match="abstract class LSTMBlockWrapper"):
        rnn.LSTMBlockWrapper()
    x = tf.zeros([4, 3, 2])
    with pytest.raises(ValueError, match="Either initial_state or dtype needs to be specified"):
        Summing(2)(x)
    with pytest.raises(ValueError, match="to be a tuple with length 2 or None"):
        Summing(2)(x, (tf.zeros([3, 2]),))
    with pytest.raises(ValueError, match="must have rank 3"):
        Summing(2)(tf.zeros([4, 2]), dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Expecting inputs_shape\[2\] to be set"):
        Summing(2)(tf.placeholder(tf.float32, [4, 3, None]), dtype=tf.float32)
    with pytest.raises(ValueError, match="expects 1 inputs, but it received 4 input tensors"):
        rnn.LSTMBlockFusedCell(2)(tf.unstack(x), dtype=tf.float32)
    unknown = tf.placeholder(tf.float32, [None, 3, 2])
    with pytest.raises(ValueError, match="Cannot infer num from shape"):
        rnn.FusedRNNCellAdaptor(rnn.BasicRNNCell(2))(unknown, dtype=tf.float32)
    with pytest.raises(ValueError, match="no initial_state, you must give a dtype"):
        rnn.FusedRNNCellAdaptor(rnn.BasicRNNCell(2), True)(x)
    with pytest.raises(ValueError, match="no initial_state is provided, dtype must be specified"):
        rnn.FusedRNNCellAdaptor(rnn.BasicRNNCell(2))(x)


def test_training(session):
    both = [
        rnn.LSTMBlockFusedCell(4),
        rnn.TimeReversedFusedRNN(rnn.LSTMBlockFusedCell(4, name="backwards")),
    ]
    x = tf.constant(SEQUENCE)
    tf.set_random_seed(1)
    outputs = tf.concat([net(x, dtype=tf.float32)[0] for net in both], 2)
    loss = tf.reduce_mean(tf.square(outputs - 0.3))
    train = tf.train.AdamOptimizer(0.02).minimize(loss)
    session.run(tf.global_variables_initializer())
    first = session.run(loss)
    for _ in range(15):
        session.run(train)
    assert session.run(loss) < 0.9 * first


@pytest.mark.parametrize("stateful", [False, True])
def test_compiled_wrapper(session, stateful):
    """It is the cell, under the cell's names."""
    cell = rnn.CompiledWrapper(rnn.BasicLSTMCell(4), compile_stateful=stateful)
    assert cell.state_size == (4, 4) and cell.output_size == 4
    zeros = cell.zero_state(3, tf.float32)
    assert [z.op.name.split("/")[0] for z in zeros] == ["CompiledWrapperZeroState"] * 2
    outputs, _ = tf.nn.dynamic_rnn(cell, tf.constant(SEQUENCE), dtype=tf.float32)
    with tf.variable_scope("rnn", reuse=True) as scope:
        wanted, _ = tf.nn.dynamic_rnn(
            rnn.BasicLSTMCell(4), tf.constant(SEQUENCE), dtype=tf.float32, scope=scope
        )
    names = [f"rnn/basic_lstm_cell/{n}" for n in ("kernel", "bias")]
    assert list(set_pattern(session)) == names
    np.testing.assert_array_equal(*session.run([outputs, wanted]))
