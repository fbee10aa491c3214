"""Cells of tf.nn.rnn_cell: numbers, names of variables, shapes, states, errors, reuse."""

import logging

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, gru, lstm, pattern, set_pattern

cells = tf.nn.rnn_cell


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-6)


X, H, C = pattern([3, 2], 2), pattern([3, 4]), pattern([3, 4], -3)


@pytest.mark.parametrize("activation", [None, tf.nn.relu, "sigmoid"])
def test_basic_rnn_cell(session, activation):
    cell = cells.BasicRNNCell(4, activation=activation)
    assert (cell.state_size, cell.output_size) == (4, 4)
    output, state = cell(tf.constant(X), tf.constant(H))
    assert output is state and output.shape == [3, 4]
    w = set_pattern(session)
    assert list(w) == ["basic_rnn_cell/kernel", "basic_rnn_cell/bias"]
    assert w["basic_rnn_cell/kernel"].shape == (6, 4)
    functions = {None: np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}
    f = functions.get(activation, lambda z: np.maximum(z, 0))
    close(session.run(output), basic_rnn(X, H, *w.values(), f))


def test_gru_cell(session):
    cell = cells.GRUCell(4)
    output, state = cell(tf.constant(X), tf.constant(H))
    assert output is state and (cell.state_size, cell.output_size) == (4, 4)
    session.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(session.run(cell.weights[1]), np.ones(8))
    np.testing.assert_array_equal(session.run(cell.weights[3]), np.zeros(4))
    w = set_pattern(session)
    assert list(w) == [
        "gru_cell/gates/kernel", "gru_cell/gates/bias",
        "gru_cell/candidate/kernel", "gru_cell/candidate/bias",
    ]  # fmt: skip
    close(session.run(output), gru(X, H, *w.values()))


def test_gru_cell_takes_initializers(session):
    cell = cells.GRUCell(2, kernel_initializer="ones", bias_initializer=tf.constant_initializer(3))
    cell(tf.constant(X), tf.zeros([3, 2]))
    session.run(tf.global_variables_initializer())
    values = [set(v.ravel()) for v in session.run(cell.weights)]
    assert values == [{1.0}, {3.0}, {1.0}, {3.0}]


@pytest.mark.parametrize("forget_bias", [1.0, 0.0])
def test_basic_lstm_cell(session, forget_bias):
    cell = cells.BasicLSTMCell(4, forget_bias=forget_bias)
    assert cell.state_size == cells.LSTMStateTuple(4, 4) and cell.output_size == 4
    output, state = cell(tf.constant(X), cells.LSTMStateTuple(tf.constant(C), tf.constant(H)))
    assert isinstance(state, cells.LSTMStateTuple) and state.h is output
    assert state.dtype == tf.float32
    w = set_pattern(session)
    assert list(w) == ["basic_lstm_cell/kernel", "basic_lstm_cell/bias"]
    assert w["basic_lstm_cell/kernel"].shape == (6, 16)
    close(session.run(state), lstm(X, C, H, *w.values(), forget_bias=forget_bias))


def test_lstm_states_side_by_side(session):
    x, state = tf.constant(X), tf.constant(np.concatenate([C, H], 1))
    basic = cells.BasicLSTMCell(4, state_is_tuple=False)
    full = cells.LSTMCell(4, state_is_tuple=False)
    projected = cells.LSTMCell(4, num_proj=2, state_is_tuple=False)
    assert (basic.state_size, full.state_size, projected.state_size) == (8, 8, 6)
    results = [basic(x, state)[1], full(x, state)[1], projected(x, state[:, :6])[1]]
    w = set_pattern(session)
    wanted = lstm(X, C, H, w["basic_lstm_cell/kernel"], w["basic_lstm_cell/bias"])
    a, b, c = session.run(results)
    close(a, np.concatenate(wanted, 1))
    close(b, np.concatenate(wanted, 1))
    names = ("kernel", "bias", "projection/kernel")
    kernel, bias, proj = (w[f"lstm_cell_1/{n}"] for n in names)
    close(c, np.concatenate(lstm(X, C, H[:, :2], kernel, bias, proj=proj), 1))
    assert basic.zero_state(3, tf.float32).shape == [3, 8]


def test_lstm_cell_with_everything(session):
    cell = cells.LSTMCell(
        4, use_peepholes=True, cell_clip=0.4, num_proj=2, proj_clip=0.1, forget_bias=0.5,
        initializer=tf.constant_initializer(0.5),
    )  # fmt: skip
    assert cell.state_size == (4, 2) and cell.output_size == 2
    output, state = cell(tf.constant(X), (tf.constant(C), tf.constant(H[:, :2])))
    session.run(tf.global_variables_initializer())
    first = {v.op.name: session.run(v) for v in cell.weights}
    assert [v.shape for v in first.values()] == [(4, 16), (16,), (4,), (4,), (4,), (4, 2)]
    assert all((v == (0.0 if "bias" in name else 0.5)).all() for name, v in first.items())
    w = set_pattern(session)
    names = ["kernel", "bias", "w_f_diag", "w_i_diag", "w_o_diag", "projection/kernel"]
    assert list(w) == [f"lstm_cell/{n}" for n in names]
    kernel, bias, wf, wi, wo, proj = w.values()
    wanted = lstm(X, C, H[:, :2], kernel, bias, 0.5, (wf, wi, wo), 0.4, proj, 0.1)
    for part, expected in zip(session.run(state), wanted, strict=True):
        close(part, expected)
    assert np.abs(wanted[0]).max() == np.float32(0.4) and np.abs(wanted[1]).max() == np.float32(0.1)
    close(session.run(output), wanted[1])


# Outputs of TensorFlow 2.21's tf.compat.v1.nn for the pattern as inputs and weights.
RECORDED = {
    "BasicRNNCell": [
        [[0.1292726, 0.1973753], [-0.3868774, 0.6590986], [-0.2402584, -0.0738023]],
        [[-0.8004990, 0.4136444], [0.0054078, 0.5717707], [0.0, 0.0]],
    ],
    "GRUCell": [
        [[0.0537528, 0.1109598], [-0.1266529, 0.3676351], [-0.2723185, 0.1936024]],
        [[-0.4869108, 0.1033035], [-0.3382692, 0.2680855], [0.0, 0.0]],
    ],
    "BasicLSTMCell": [
        [[0.0105450, -0.1310887], [-0.0442221, -0.2125981], [-0.0646882, 0.0646962]],
        [[-0.0727586, 0.2258806], [-0.0470034, -0.0083628], [0.0, 0.0]],
    ],
    "LSTMCell": [
        [[0.0469007, -0.0700183], [0.0152162, -0.0835485], [-0.0624536, 0.0360387]],
        [[-0.0803705, 0.0719541], [-0.0302467, -0.0040927], [0.0, 0.0]],
    ],
}


@pytest.mark.parametrize("kind", RECORDED)
def test_numbers_of_tensorflow(session, kind):
    cell = {
        "BasicRNNCell": lambda: cells.BasicRNNCell(2),
        "GRUCell": lambda: cells.GRUCell(2),
        "BasicLSTMCell": lambda: cells.BasicLSTMCell(2, forget_bias=0.5),
        "LSTMCell": lambda: cells.LSTMCell(
            3, use_peepholes=True, num_proj=2, cell_clip=0.4, proj_clip=0.3
        ),
    }[kind]()
    x = tf.constant(pattern([2, 3, 2]) * 3)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, sequence_length=[3, 2])
    set_pattern(session)
    np.testing.assert_allclose(session.run(outputs), RECORDED[kind], rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize("dtype", [tf.float16, tf.float64])
def test_dtypes(session, dtype):
    cell = cells.BasicLSTMCell(4)
    x = tf.constant(X, dtype)
    output, _ = cell(x, cell.zero_state(3, dtype))
    assert output.dtype == dtype and cell.dtype == dtype.name
    assert [v.dtype.base_dtype for v in cell.weights] == [dtype, dtype]
    for v in cell.weights:
        v.load(pattern(v.shape.as_list()).astype(dtype.as_numpy_dtype), session)
    zero = np.zeros([3, 4])
    wanted = lstm(X.astype(np.float64), zero, zero, *(pattern(v.shape) for v in cell.weights))
    tolerance = 1e-2 if dtype == tf.float16 else 1e-6
    np.testing.assert_allclose(session.run(output), wanted[1], rtol=tolerance, atol=tolerance)
    assert cells.GRUCell(2, dtype=tf.float64).dtype == "float64"


def test_zero_states(session):
    cell = cells.MultiRNNCell([cells.BasicLSTMCell(2), cells.GRUCell(3)])
    n = tf.placeholder(tf.int32, [])
    known, unknown = cell.zero_state(5, tf.float32), cell.zero_state(n, tf.float64)
    assert known[0].c.shape == [5, 2] and known[1].shape == [5, 3]
    assert unknown[0].h.shape.as_list() == [None, 2]
    (c, h), s = session.run(unknown, {n: 2})
    assert c.shape == h.shape == (2, 2) and s.shape == (2, 3) and s.dtype == np.float64
    assert not c.any() and not s.any()
    gru_cell = cells.GRUCell(4)
    assert gru_cell.zero_state(2, tf.float32).op.name == "GRUCellZeroState/zeros"
    assert gru_cell.get_initial_state(tf.ones([7, 2])).shape == [7, 4]
    assert gru_cell.get_initial_state(batch_size=3, dtype=tf.float32).shape == [3, 4]
    for arguments, message in (
        ({}, "batch_size and dtype cannot be None"),
        ({"inputs": tf.ones([7, 2]), "batch_size": 3}, "batch size from input tensor is different"),
        ({"inputs": tf.ones([7, 2]), "dtype": tf.float64}, "dtype from input tensor is different"),
    ):
        with pytest.raises(ValueError, match=message):
            gru_cell.get_initial_state(**arguments)


def test_a_cell_of_ones_own(session):
    class Sum(cells.RNNCell):
        """Makes its variable while it is called."""

        state_size = output_size = 2

        def call(self, inputs, state):
            w = tf.get_variable("w", [2], initializer=tf.ones_initializer())
            fixed = tf.get_variable("f", [2], trainable=False)
            return inputs * w, state + inputs + 0.0 * fixed

    cell = Sum()
    x = tf.constant(X)
    outputs, state = tf.nn.static_rnn(cell, [x, x], dtype=tf.float32)
    assert [v.name for v in cell.weights] == ["rnn/sum/w:0", "rnn/sum/f:0"]
    assert [v.name for v in cell.trainable_weights] == ["rnn/sum/w:0"]
    session.run(tf.global_variables_initializer())
    close(session.run(state), 2 * X)
    close(session.run(outputs[1]), X)
    other = Sum()
    other(x, x, scope="given")
    assert [v.name for v in other.trainable_variables] == ["given/w:0"]
    with pytest.raises(NotImplementedError, match="Abstract"):
        _ = cells.RNNCell().state_size
    with pytest.raises(NotImplementedError, match="Abstract"):
        _ = cells.RNNCell().output_size


def test_names_and_reuse():
    x, h = tf.constant(X), tf.constant(H)
    first = cells.BasicRNNCell(4)
    first(x, h)
    first(x, h)
    cells.BasicRNNCell(4)(x, h)
    cells.BasicRNNCell(4, name="own")(x, h)
    names = [v.op.name for v in tf.trainable_variables()[::2]]
    assert names == ["basic_rnn_cell/kernel", "basic_rnn_cell_1/kernel", "own/kernel"]
    with pytest.raises(ValueError, match="Variable own/kernel already exists"):
        with tf.variable_scope("own") as scope:
            pass
        cells.BasicRNNCell(4)(x, h, scope)
    shared = cells.BasicRNNCell(4, name="own", reuse=True)
    shared(x, h)
    assert shared.weights == tf.trainable_variables()[4:]
    with tf.variable_scope("", reuse=True):
        again = cells.BasicRNNCell(4, name="own", reuse=True)
        again(x, h)
    assert again.weights == shared.weights and len(tf.trainable_variables()) == 6


def test_mistakes():
    x, h = tf.constant(X), tf.constant(H)
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        cells.BasicRNNCell(4)(tf.ones([2, 3, 4]), h)
    with pytest.raises(ValueError, match=r"Expected inputs.shape\[-1\] to be known"):
        cells.GRUCell(4)(tf.placeholder(tf.float32, [3, None]), h)
    with pytest.raises(ValueError, match="only supports floating point inputs, but saw dtype"):
        cells.BasicRNNCell(4)(tf.ones([3, 2], tf.int32), h)
    with pytest.raises(ValueError, match="only supports floating point"):
        cells.LSTMCell(4, dtype=tf.int32)
    with pytest.raises(ValueError, match="concat"):
        cells.BasicRNNCell(4)(x, tf.ones([2, 4]))
    with pytest.raises(ValueError, match=r"MatMul"):
        cells.BasicRNNCell(4)(x, tf.ones([3, 5]))
    with pytest.raises(ValueError, match="Unknown activation function:steep"):
        cells.BasicRNNCell(4, activation="steep")
    with pytest.raises(TypeError, match="Could not interpret activation function"):
        cells.GRUCell(4, activation=3)
    with pytest.raises(ValueError, match="Unknown initializer"):
        cells.LSTMCell(4, initializer="best")
    with pytest.raises(TypeError, match="Keyword argument not understood"):
        cells.BasicLSTMCell(4, units=3)
    with pytest.raises(TypeError, match="Inconsistent internal state"):
        _ = cells.LSTMStateTuple(x, tf.ones([1], tf.float64)).dtype


def test_gradients_of_cells(session, caplog):
    """Analytic gradients against differences, in float64."""
    x = tf.constant(X, tf.float64)
    for cell in (
        cells.BasicRNNCell(2, dtype=tf.float64),
        cells.GRUCell(2),
        cells.LSTMCell(2, use_peepholes=True, num_proj=2, cell_clip=0.3),
    ):
        size = cell.zero_state(3, tf.float64)
        state = (
            tf.nn.rnn_cell.LSTMStateTuple(*(s + 0.3 for s in size))
            if len(np.shape(cell.state_size))
            else size + 0.3
        )
        output, _ = cell(x, state)
        loss = tf.reduce_sum(output * output)
        variables = cell.trainable_weights
        grads = tf.gradients(loss, variables)
        values = [pattern(v.shape.as_list(), 0.9).astype(np.float64) for v in variables]
        for v, value in zip(variables, values, strict=True):
            v.load(value, session)
        analytic = session.run(grads)
        for v, value, grad in zip(variables, values, analytic, strict=True):
            at = np.unravel_index(value.size // 2, value.shape)
            ends = []
            for step in (1e-6, -1e-6):
                moved = value.copy()
                moved[at] += step
                v.load(moved, session)
                ends.append(session.run(loss))
            v.load(value, session)
            np.testing.assert_allclose(grad[at], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-8)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_lstm_in_shards(session):
    """Kernels in parts: TensorFlow's names, and numbers that do not depend on it."""
    x = tf.constant(np.random.RandomState(0).randn(2, 3), tf.float64)
    cell = cells.LSTMCell(4, num_proj=2, num_unit_shards=2, num_proj_shards=3)
    whole = cells.LSTMCell(4, num_proj=2, name="whole")
    state = cell.zero_state(2, tf.float64)
    y, other = cell(x, state)[0], whole(x, state)[0]
    names = [v.name for v in tf.global_variables()]
    assert names == [
        *(f"lstm_cell/kernel/part_{k}:0" for k in range(2)),
        "lstm_cell/bias:0",
        *(f"lstm_cell/projection/kernel/part_{k}:0" for k in range(3)),
        *(f"whole/{n}:0" for n in ("kernel", "bias", "projection/kernel")),
    ]
    session.run(tf.global_variables_initializer())
    # the scale of the whole kernel, [5, 16], and not that of a part
    parts = np.concatenate(session.run(tf.global_variables()[:2]))
    assert parts.shape == (5, 16) and 0.5 < np.abs(parts).max() <= np.sqrt(6 / 21)
    projection = np.concatenate(session.run(tf.global_variables()[3:6]))
    kernel, _, small = tf.global_variables()[6:]
    session.run([tf.assign(kernel, parts), tf.assign(small, projection)])
    np.testing.assert_allclose(*session.run([y, other]), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("random_normal", 0.05), ("uniform", 0.05 / 3**0.5), ("orthogonal", 128**-0.5)],
)
def test_initializers_by_name_are_those_of_layers(name: str, deviation: float) -> None:
    tf.set_random_seed(1)
    cell = cells.GRUCell(64, kernel_initializer=name)
    cell(tf.zeros([2, 64]), tf.zeros([2, 64]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        kernel = session.run(cell.weights[0])
    assert kernel.shape == (128, 128)
    np.testing.assert_allclose(np.std(kernel), deviation, rtol=0.05)
