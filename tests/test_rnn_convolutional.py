"""ConvLSTMCell and those for one, two and three axes. Numbers are those of TensorFlow 1.15."""

import numpy as np
import pytest

import tests.rnn_contrib_cases as c
import tfc as tf

rnn = tf.contrib.rnn


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("name", ["conv1", "conv2", "conv2skip", "conv3", "conv"])
def test_a_step(session, name):
    cell = c.check_step(name, session).cell
    places = {"conv1": [4], "conv3": [2, 2, 3]}.get(name, [3, 4])
    state = tf.TensorShape([*places, 2])
    assert cell.state_size == rnn.LSTMStateTuple(state, state)
    assert cell.output_size == [*places, 3 if name == "conv2skip" else 2]
    memory, hidden = cell.zero_state(tf.placeholder_with_default(5, []), tf.float32)
    assert memory.shape.as_list() == hidden.shape.as_list() == [None, *places, 2]


@pytest.mark.parametrize("name", ["conv1", "conv2", "conv3"])
def test_a_loop(session, name):
    c.check_loop(name, session)


@pytest.mark.parametrize("name", ["conv1", "conv2", "conv2skip", "conv3"])
def test_gradients_numerically(session, name):
    c.check_numerically(name, session)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_training(session, axes):
    cells = [rnn.Conv1DLSTMCell, rnn.Conv2DLSTMCell, rnn.Conv3DLSTMCell]
    shape = [3] * axes + [2]
    c.check_training(
        lambda: cells[axes - 1](input_shape=shape, output_channels=2, kernel_shape=[2] * axes),
        session,
        (2, *shape),
    )


def test_names(session):
    arguments = {"input_shape": [3, 2], "output_channels": 1, "kernel_shape": [2]}
    assert rnn.Conv1DLSTMCell(**arguments).name == "conv_1d_lstm_cell"
    assert rnn.Conv1DLSTMCell(name="mine", **arguments).name == "mine"
    assert rnn.ConvLSTMCell(1, [3, 2], 1, [2]).name == "conv_lstm_cell"
    cell = rnn.ConvLSTMCell(1, [3, 2], 1, [2], use_bias=False, name="bare")
    rnn.static_rnn(cell, [tf.ones([2, 3, 2])] * 2, dtype=tf.float32)
    assert [v.op.name for v in cell.weights] == ["rnn/bare/kernel"]
    other = rnn.ConvLSTMCell(1, [3, 2], 1, [2])
    other(tf.ones([2, 3, 2]), other.zero_state(2, tf.float32))
    session.run(tf.global_variables_initializer())
    assert not session.run(other.weights[1]).any()


def test_borders_are_zero(session):
    """A kernel of ones over a row of ones sees the padding at the border."""
    cell = rnn.ConvLSTMCell(1, [5, 1], 1, [3], use_bias=False, forget_bias=0.0)
    output, _ = cell(tf.ones([1, 5, 1]), cell.zero_state(1, tf.float32))
    kernel = cell.weights[0]
    kernel.load(np.full(kernel.shape.as_list(), 0.25), session)
    gate = np.array([2, 3, 3, 3, 2]) * 0.25
    wanted = np.tanh(np.tanh(gate) / (1 + np.exp(-gate))) / (1 + np.exp(-gate))
    np.testing.assert_allclose(session.run(output)[0, :, 0], wanted, rtol=1e-6)


def step(x, *state, channels=1):
    cell = rnn.ConvLSTMCell(2, [3, 4, 5], channels, [2, 2])
    return cell(x, tuple(tf.zeros(s) for s in state))


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: rnn.ConvLSTMCell(2, [3, 4], 1, [2, 2]), ValueError,
         r"Invalid input_shape \[3, 4\] for conv_ndims=2\."),
        (lambda: rnn.ConvLSTMCell(2, (3, 4, 5), 1, [2, 2]), TypeError, "only concatenate tuple"),
        (lambda: step(tf.zeros([3, 4]), [3, 4], [3, 4]), ValueError,
         "Conv Linear expects 3D, 4D or 5D arguments"),
        (lambda: step(tf.zeros([1, 3, 4, 5]), [3, 4], [3, 4]), ValueError,
         r"Conv Linear expects 3D, 4D or 5D arguments: \[\[1, 3, 4, 5\], \[3, 4\]\]"),
        (lambda: step(tf.zeros([1, 3, 4, 5]), [1, 3, 4], [1, 3, 4]), ValueError,
         "Conv Linear expects all args to be of same Dimension"),
        (lambda: step(tf.placeholder(tf.float32, [1, 3, 4, None]), *[[1, 3, 4, 1]] * 2), TypeError,
         "unsupported operand"),
        (lambda: rnn.Conv2DLSTMCell(), TypeError, "missing 3 required positional arguments"),
        (lambda: rnn.Conv2DLSTMCell(
            conv_ndims=2, input_shape=[1, 2, 3], output_channels=2, kernel_shape=[1, 1]), TypeError,
         "multiple values for keyword argument 'conv_ndims'"),
    ],
)  # fmt: skip
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_skip_connection_is_for_one_step():
    """The new state has the inputs, too, in TensorFlow as well."""
    cell = rnn.ConvLSTMCell(1, [3, 2], 1, [2], skip_connection=True)
    with pytest.raises(ValueError):
        rnn.static_rnn(cell, [tf.ones([2, 3, 2])] * 2, dtype=tf.float32)
    with pytest.raises(ValueError):
        tf.nn.dynamic_rnn(cell, tf.ones([2, 2, 3, 2]), dtype=tf.float32)
