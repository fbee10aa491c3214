"""tf.contrib.grid_rnn. Numbers are those of TensorFlow 1.15."""

import numpy as np
import pytest

import tests.rnn_contrib_cases as c
import tfc as tf

rnn, grid = tf.contrib.rnn, tf.contrib.grid_rnn
Pair = rnn.LSTMStateTuple
# For each case the sizes of state and output.
SIZES = {
    "g1rnn": ((2,), (2,)), "g2rnn": ((2, 2), (2,)), "g2rnn_tied": ((2, 2), (2,)),
    "g2rnn_relu": ((2,), (2,)), "g1blstm": ((Pair(2, 2),), (2,)), "g2blstm": (8, 2),
    "g2blstm_relu": ((Pair(2, 2),), (2,)), "g1lstm": ((Pair(2, 2),), (2,)),
    "g2lstm": ((Pair(2, 2),) * 2, (2,)), "g2lstm_flat": (8, (2,)),
    "g3lstm": ((Pair(2, 2),) * 3, (2,)), "g3lstm_tied": ((Pair(2, 2),) * 3, 2),
    "g3lstm_relu": ((Pair(2, 2),) * 2, (2,)), "g2gru": ((2, 2), (2,)),
    "g": ((Pair(2, 2),) * 3, (2, 2)), "g_noin": ((2, 2), (2, 2)), "g_nr1": ((), (2,)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("name", SIZES)
def test_a_step(session, name):
    cell = c.check_step(name, session).cell
    assert (cell.state_size, cell.output_size) == SIZES[name]


@pytest.mark.parametrize("name", ["g2rnn_tied", "g2rnn_relu", "g2blstm", "g2lstm", "g3lstm_tied",
                                  "g3lstm_relu", "g2gru", "g", "g_noin"])  # fmt: skip
def test_a_loop(session, name):
    c.check_loop(name, session)


@pytest.mark.parametrize("name", ["g1lstm", "g2rnn_relu", "g3lstm", "g2gru", "g"])
def test_gradients_numerically(session, name):
    c.check_numerically(name, session)


@pytest.mark.parametrize(
    "make",
    [
        lambda: grid.Grid1BasicRNNCell(3, output_is_tuple=False),
        lambda: grid.Grid2LSTMCell(3, tied=True, output_is_tuple=False),
        lambda: grid.Grid2GRUCell(3, non_recurrent_fn=tf.tanh, output_is_tuple=False),
    ],
)
def test_training(session, make):
    c.check_training(make, session)


def test_the_layer_of_a_dimension_without_a_cell(session):
    """It starts as the scope says, else uniform around zero; its variables are model variables."""
    x = tf.ones([3, 2])
    for scope, start in (("plain", None), ("given", tf.constant_initializer(0.25))):
        with tf.variable_scope(scope, initializer=start, regularizer=tf.reduce_sum):
            cell = grid.Grid2BasicRNNCell(2, non_recurrent_fn=tf.nn.relu)
            cell(x, cell.zero_state(3, tf.float32))
    session.run(tf.global_variables_initializer())
    layer = "Grid2BasicRNNCell/non_recurrent/cell_0/fully_connected"
    found = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)
    assert [v.op.name for v in found] == [
        f"{scope}/{layer}/{name}" for scope in ("plain", "given") for name in ("weights", "biases")
    ]
    plain, zeros, given, _ = session.run(found)
    assert (given == 0.25).all() and not zeros.any()
    assert np.abs(plain).max() <= 1 and len(set(plain.ravel())) == plain.size


def test_sharing(session):
    """As in TensorFlow: a grid has no scope of its own, and a call makes the variables."""
    x = tf.ones([3, 2])
    cell = grid.Grid2GRUCell(2)
    state = cell.zero_state(3, tf.float32)
    first, _ = cell(x, state, scope="abc")
    assert all(v.op.name.startswith("abc/") for v in tf.global_variables())
    with pytest.raises(ValueError, match="abc/project_m_0 already exists"):
        cell(x, state, scope="abc")
    count = len(tf.global_variables())
    with tf.variable_scope("", reuse=True):
        second, _ = cell(x, state, scope="abc")
    assert len(tf.global_variables()) == count
    session.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(*session.run([first[0], second[0]]))


def test_without_inputs_or_outputs(session):
    """Inputs without columns are not projected; without output_dims there are no outputs."""
    cell = grid.Grid2BasicRNNCell(2)
    cell(tf.zeros([3, 0]), cell.zero_state(3, tf.float32))
    assert not any("project" in v.op.name for v in tf.global_variables())
    for as_tuple, wanted in ((True, ()), (False, 0)):
        cell = grid.GridRNNCell(2, 2, input_dims=0, output_is_tuple=as_tuple)
        assert cell.output_size == wanted
        with tf.variable_scope(f"as_{as_tuple}"):
            output, _ = cell(tf.ones([3, 2]), cell.zero_state(3, tf.float32))
        assert output == () if as_tuple else output.shape == [0, 0]


def test_priority(session):
    """The dimension that comes last sees the new output of the other, not the other way round."""
    cell = grid.GridRNNCell(2, 2, output_dims=[0, 1], priority_dims=0, cell_fn=rnn.BasicRNNCell)
    state = [tf.constant(c.pattern([1, 2], s, np.float32)) for s in (1, 2)]
    (first, second), _ = cell(tf.zeros([1, 0]), tuple(state))
    kernels = {v.op.name.split("/")[-3]: v for v in tf.trainable_variables() if "kernel" in v.name}
    session.run(tf.global_variables_initializer())
    w = {name: session.run(v) for name, v in kernels.items()}
    a, b = session.run(state)
    later = np.tanh(np.concatenate([a, b], 1) @ w["cell_1"])
    np.testing.assert_allclose(session.run(second), later, rtol=1e-5)
    wanted = np.tanh(np.concatenate([a, later], 1) @ w["cell_0"])
    np.testing.assert_allclose(session.run(first), wanted, rtol=1e-5)


def call(cell, x=(3, 2), state=None):
    inputs = x if x is None or isinstance(x[0], tf.Tensor) else tf.placeholder(tf.float32, x)
    return cell(inputs, cell.zero_state(3, tf.float32) if state is None else state)


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: grid.GridRNNCell(2, num_dims=0), ValueError, "dims must be >= 1: 0"),
        (lambda: grid.GridRNNCell(2, 2, input_dims=2), ValueError,
         r"Invalid dims: \[2\]\. Must be in \[0, 2\)"),
        (lambda: grid.GridRNNCell(2, 2, output_dims=[-1, 0]), ValueError, r"dims: \[-1, 0\]"),
        (lambda: grid.GridRNNCell(2, cell_fn=lambda n: 3), TypeError,
         "cell_fn must return an RNNCell instance, saw: <class 'int'>"),
        (lambda: call(grid.Grid2BasicRNNCell(2), state=(tf.zeros([3, 2]),)), ValueError,
         "Expected state as a tuple of 2 element"),
        (lambda: call(grid.Grid2BasicRNNCell(2), (3, None)), TypeError, "'>' not supported"),
        (lambda: call(grid.Grid2BasicRNNCell(2), None), AttributeError, "dtype"),
        (lambda: call(grid.Grid2BasicRNNCell(2), (tf.ones([3, 2]),) * 2), AttributeError, "dtype"),
        (lambda: call(grid.GridRNNCell(2, 2, input_dims=[0, 1]), (3, 3)), ValueError,
         "should evenly divide the split dimension"),
        (lambda: call(grid.Grid1BasicRNNCell(2), (None, 2),
                      (tf.placeholder(tf.float32, [None, 2]),)), TypeError, "None"),
        (lambda: call(grid.Grid2GRUCell(2, state_is_tuple=False)), TypeError, "iterating over"),
        (lambda: call(grid.Grid3LSTMCell(2, True, tf.nn.relu)), ValueError, "does not exist"),
    ],
)  # fmt: skip
def test_errors(make, error, match):
    with pytest.raises(error, match=match):
        make()
