"""Cells around cells: MultiRNNCell, DropoutWrapper, ResidualWrapper, DeviceWrapper."""

import hashlib

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import gru, lstm, pattern, set_pattern

cells = tf.nn.rnn_cell
X, H = pattern([3, 2], 2), pattern([3, 4])


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("is_tuple", [True, False])
def test_multi_rnn_cell(session, is_tuple):
    inner = [cells.GRUCell(4), cells.GRUCell(3)]
    cell = cells.MultiRNNCell(inner, state_is_tuple=is_tuple)
    assert cell.state_size == ((4, 3) if is_tuple else 7) and cell.output_size == 3
    output, state = cell(tf.constant(X), cell.zero_state(3, tf.float32))
    assert [v.op.name for v in cell.weights][::4] == [
        "multi_rnn_cell/cell_0/gru_cell/gates/kernel",
        "multi_rnn_cell/cell_1/gru_cell/gates/kernel",
    ]
    assert cell.trainable_weights == tf.trainable_variables() and len(cell.weights) == 8
    w = list(set_pattern(session).values())
    first = gru(X, np.zeros([3, 4]), *w[:4])
    second = gru(first, np.zeros([3, 3]), *w[4:])
    close(session.run(output), second)
    got = session.run(state)
    close(np.concatenate(got, 1) if is_tuple else got, np.concatenate([first, second], 1))
    cell.trainable = False
    assert cell.trainable_weights == [] and len(cell.non_trainable_weights) == 8


def test_multi_rnn_cell_names_in_networks():
    x = tf.placeholder(tf.float32, [2, 3, 2])

    def two():
        return cells.MultiRNNCell([cells.BasicLSTMCell(2) for _ in range(2)])

    tf.nn.dynamic_rnn(two(), x, dtype=tf.float32)
    tf.nn.static_rnn(two(), tf.unstack(x, axis=1), dtype=tf.float32, scope="own")
    assert [v.name for v in tf.trainable_variables()[::2]] == [
        "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel:0",
        "rnn/multi_rnn_cell/cell_1/basic_lstm_cell/kernel:0",
        "own/multi_rnn_cell/cell_0/basic_lstm_cell/kernel:0",
        "own/multi_rnn_cell/cell_1/basic_lstm_cell/kernel:0",
    ]


def test_multi_rnn_cell_mistakes():
    with pytest.raises(ValueError, match="at least one cell"):
        cells.MultiRNNCell([])
    with pytest.raises(TypeError, match="cells must be a list or tuple"):
        cells.MultiRNNCell(cells.GRUCell(2))
    with pytest.raises(ValueError, match="the flag state_is_tuple is not set"):
        cells.MultiRNNCell([cells.BasicLSTMCell(2)], state_is_tuple=False)
    cell = cells.MultiRNNCell([cells.GRUCell(2)])
    with pytest.raises(ValueError, match="Expected state to be a tuple of length 1"):
        cell(tf.constant(X), tf.ones([3, 2]))


def test_residual_wrapper(session):
    cell = cells.ResidualWrapper(cells.GRUCell(2))
    assert cell.wrapped_cell is cell.cell and (cell.state_size, cell.output_size) == (2, 2)
    output, _ = cell(tf.constant(X), cell.zero_state(3, tf.float32))
    other = cells.ResidualWrapper(cells.GRUCell(3), residual_fn=lambda i, o: o * 2.0)
    doubled, _ = other(tf.constant(X), other.zero_state(3, tf.float32))
    w = list(set_pattern(session).values())
    assert cell.weights == tf.trainable_variables()[:4]
    assert cell.weights[0].name == "gru_cell/gates/kernel:0"
    close(session.run(output), X + gru(X, np.zeros([3, 2]), *w[:4]))
    close(session.run(doubled), 2 * gru(X, np.zeros([3, 3]), *w[4:]))
    wrong = cells.ResidualWrapper(cells.GRUCell(3))
    with pytest.raises(ValueError, match=r"Shapes \(3, 2\) and \(3, 3\) are incompatible"):
        wrong(tf.constant(X), wrong.zero_state(3, tf.float32))
    with pytest.raises(TypeError, match="is not an RNNCell: 'output_size' property is missing"):
        cells.ResidualWrapper(tf.layers.Dense(2))


def test_device_wrapper(session):
    cell = cells.DeviceWrapper(cells.BasicRNNCell(2), "/cpu:0")
    state = cell.zero_state(3, tf.float32)
    output, _ = cell(tf.constant(X), state)
    assert output.op.device == state.op.device == "/device:CPU:0"
    w = set_pattern(session)
    wanted = np.tanh(X @ w["basic_rnn_cell/kernel"][:2] + w["basic_rnn_cell/bias"])
    close(session.run(output), wanted)


def seed_of(seed, salt):
    return int(hashlib.md5(f"{seed}{salt}".encode()).hexdigest()[:8], 16) & 0x7FFFFFFF


def test_dropout_of_inputs_and_outputs(session):
    """The choices are those of tf.nn.dropout with the seeds that the wrapper makes."""
    inner = cells.BasicRNNCell(4)
    cell = cells.DropoutWrapper(inner, input_keep_prob=0.6, output_keep_prob=0.5, seed=7)
    x, h = tf.constant(X), tf.constant(H)
    output, state = cell(x, h)
    plain = tf.nn.dropout(x, keep_prob=0.6, seed=seed_of(7, "input_0"))
    _, wanted_state = inner(plain, h)
    wanted = tf.nn.dropout(wanted_state, keep_prob=0.5, seed=seed_of(7, "output_0"))
    set_pattern(session)
    got = session.run([output, state, wanted, wanted_state])
    close(got[0], got[2])
    close(got[1], got[3])
    assert (got[0] == 0).any() and (got[0] != 0).any()


def test_dropout_leaves_the_memory_alone(session):
    x = tf.constant(X)
    cell = cells.DropoutWrapper(cells.BasicLSTMCell(4), state_keep_prob=0.5, seed=1)
    c, h = cell(x, cell.zero_state(3, tf.float32))[1]
    visited = []

    def visitor(state):
        visited.append(state)
        return cells.LSTMStateTuple(c=True, h=False) if isinstance(state, tuple) else True

    turned = cells.DropoutWrapper(
        cells.BasicLSTMCell(4), state_keep_prob=0.5, seed=1, dropout_state_filter_visitor=visitor
    )
    c2, h2 = turned(x, turned.zero_state(3, tf.float32))[1]
    never = cells.DropoutWrapper(
        cells.BasicLSTMCell(4), state_keep_prob=0.5, dropout_state_filter_visitor=lambda s: False
    )
    never_state = never(x, never.zero_state(3, tf.float32))[1]
    w = list(set_pattern(session).values())
    zero = np.zeros([3, 4])
    wanted_c, wanted_h = lstm(X, zero, zero, *w[:2])
    got = session.run([c, h, c2, h2, never_state])
    close(got[0], wanted_c)
    close(got[3], wanted_h)
    close(got[4], (wanted_c, wanted_h))
    for dropped, whole in ((got[1], wanted_h), (got[2], wanted_c)):
        assert (dropped == 0).any()
        close(dropped[dropped != 0], 2 * whole[dropped != 0])
    assert len(visited) == 2  # the pair, and the memory


def test_variational_dropout_chooses_once(session):
    cell = cells.DropoutWrapper(
        cells.BasicRNNCell(40), 0.5, 0.5, 0.5, variational_recurrent=True, input_size=2,
        dtype=tf.float32, seed=3,
    )  # fmt: skip
    x = tf.constant(np.ones([3, 4, 2], np.float32))
    outputs, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    session.run(tf.global_variables_initializer())
    cell.weights[1].load(np.full([40], 0.3), session)  # so that no output is zero by itself
    outs, last = session.run([outputs, state])
    dropped = outs == 0
    assert 5 < dropped[0, 0].sum() < 35
    assert (dropped == dropped[0, 0]).all()  # in all steps and all rows the same
    assert ((last == 0) != dropped[:, -1]).any()  # states and outputs have choices of their own
    again = session.run(outputs)
    assert ((again == 0) == (again == 0)[0, 0]).all() and (again != outs).any()


def test_keep_probabilities_may_be_tensors(session):
    p = tf.placeholder_with_default(1.0, [])
    cell = cells.DropoutWrapper(cells.BasicRNNCell(4), output_keep_prob=p)
    output, state = cell(tf.constant(X), tf.constant(H))
    set_pattern(session)
    whole, wanted = session.run([output, state])
    close(whole, wanted)
    some = session.run(output, {p: 0.5})
    assert (some == 0).any()
    close(some[some != 0], 2 * whole[some != 0])
    assert cells.DropoutWrapper(cells.BasicRNNCell(4), 1.0, 1.0).state_size == 4
    ones = cells.DropoutWrapper(cells.BasicRNNCell(4), output_keep_prob=1.0)
    assert ones(tf.constant(X), tf.constant(H))[0].op.type == "Tanh"  # nothing is dropped


def test_dropout_mistakes():
    cell = cells.BasicRNNCell(4)
    for name in ("input_keep_prob", "output_keep_prob", "state_keep_prob"):
        with pytest.raises(ValueError, match=f"Parameter {name} must be between 0 and 1"):
            cells.DropoutWrapper(cell, **{name: 1.5})
        with pytest.raises(ValueError, match=f"Parameter {name} must be between 0 and 1"):
            cells.DropoutWrapper(cell, **{name: tf.constant(-0.5)})
    with pytest.raises(ValueError, match="variational_recurrent=True, dtype must be provided"):
        cells.DropoutWrapper(cell, variational_recurrent=True)
    with pytest.raises(ValueError, match="input_size must be provided"):
        cells.DropoutWrapper(cell, 0.5, variational_recurrent=True, dtype=tf.float32)
    with pytest.raises(TypeError, match="dropout_state_filter_visitor must be callable"):
        cells.DropoutWrapper(cell, dropout_state_filter_visitor=3)
    with pytest.raises(TypeError, match="is not an RNNCell"):
        cells.DropoutWrapper(3)
    wrong = cells.DropoutWrapper(
        cell, state_keep_prob=0.5, dropout_state_filter_visitor=lambda s: "yes"
    )
    with pytest.raises(TypeError, match="not a bool"):
        wrong(tf.constant(X), tf.constant(H))
