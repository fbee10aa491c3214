"""CoupledInputForgetGateLSTMCell, TimeFreqLSTMCell, GLSTMCell and PhasedLSTMCell. Numbers are those
of TensorFlow 1.15."""

import numpy as np
import pytest

import tests.rnn_contrib_cases as c
import tfc as tf

rnn = tf.contrib.rnn
Pair = rnn.LSTMStateTuple
SIZES = {
    "cifg": Pair(4, 4), "cifg_peep": 7, "cifg_shards": Pair(4, 4), "cifg_ln_32": Pair(4, 4),
    "tf": 4, "tf_peep": 4, "glstm": Pair(4, 4), "glstm_p": Pair(6, 4), "phased_32": Pair(4, 4),
    "phased_p_32": Pair(4, 4),
}  # fmt: skip


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("name", SIZES)
def test_a_step(session, name):
    cell = c.check_step(name, session).cell
    assert cell.state_size == SIZES[name] and type(cell.state_size) is type(SIZES[name])
    wide = {"cifg_peep": 3, "tf": 2, "tf_peep": 2}
    assert cell.output_size == wide.get(name, 4)


@pytest.mark.parametrize(
    "name", ["cifg", "cifg_peep", "cifg_ln_32", "glstm", "glstm_p", "phased_32", "phased_p_32"]
)
def test_a_loop(session, name):
    c.check_loop(name, session)


@pytest.mark.parametrize("name", ["cifg_peep", "cifg_shards", "tf", "tf_peep", "glstm_p"])
def test_gradients_numerically(session, name):
    c.check_numerically(name, session)


@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda: rnn.CoupledInputForgetGateLSTMCell(4, True, num_unit_shards=2), (3, 2)),
        (lambda: rnn.CoupledInputForgetGateLSTMCell(4, layer_norm=True), (3, 2)),
        (lambda: rnn.TimeFreqLSTMCell(4, True, feature_size=4), (3, 4)),
        (lambda: rnn.GLSTMCell(4, number_of_groups=2, num_proj=2), (3, 4)),
        (lambda: rnn.PhasedLSTMCell(4, ratio_on=0.6, period_init_max=10.0), [(3, 1), (3, 2)]),
    ],
)
def test_training(session, make, shape):
    c.check_training(make, session, shape)


def test_matrices_of_several_variables(session):
    """Rows are shared out, the first parts take one more; steps find the joined matrix again."""
    cell = rnn.CoupledInputForgetGateLSTMCell(4, num_unit_shards=4, num_proj=3, num_proj_shards=2)
    rnn.static_rnn(cell, [tf.ones([3, 2])] * 3, dtype=tf.float32)
    scope = "rnn/coupled_input_forget_gate_lstm_cell"
    rows = {v.op.name: v.shape.as_list() for v in cell.weights}
    assert rows == {
        f"{scope}/W_0": [2, 12], f"{scope}/W_1": [1, 12], f"{scope}/W_2": [1, 12],
        f"{scope}/W_3": [1, 12], f"{scope}/B": [12], f"{scope}/W_P_0": [2, 3],
        f"{scope}/W_P_1": [2, 3],
    }  # fmt: skip
    joined = tf.get_collection(tf.GraphKeys.CONCATENATED_VARIABLES)
    session.run(tf.global_variables_initializer())
    for matrix, name in zip(joined, ("W", "W_P"), strict=False):
        parts = [v for v in cell.weights if v.op.name.startswith(f"{scope}/{name}_")]
        parts = [v for v in parts if name == "W_P" or "W_P" not in v.op.name]
        np.testing.assert_array_equal(session.run(matrix), np.concatenate(session.run(parts)))


def test_windows_of_frequencies(session):
    """Each window sees the output of the one before; the state's columns are two a window."""
    cell = rnn.TimeFreqLSTMCell(2, feature_size=2, frequency_skip=3)
    x = tf.placeholder(tf.float32, [1, 8])
    output, state = cell(x, tf.zeros([1, 12]))
    assert output.shape == [1, 6] and state.shape == [1, 12]
    session.run(tf.global_variables_initializer())
    base = session.run(output, {x: np.zeros([1, 8])})
    changed = {}
    for column in range(8):
        got = session.run(output, {x: np.eye(1, 8, column)}) != base
        changed[column] = [bool(got[0, 2 * w : 2 * w + 2].any()) for w in range(3)]
    assert changed[0] == changed[1] == [True] * 3 and changed[3] == changed[4] == [
        False,
        True,
        True,
    ]
    assert changed[6] == changed[7] == [False, False, True]
    assert changed[2] == changed[5] == [False] * 3


def test_groups_do_not_see_each_other(session):
    cell = rnn.GLSTMCell(4, number_of_groups=2)
    x, h = tf.ones([1, 4]), tf.zeros([1, 4])
    output, _ = cell(x, (h, h))
    by_input = [tf.gradients(output[:, k], x)[0] for k in range(4)]
    session.run(tf.global_variables_initializer())
    for k, slope in enumerate(session.run(by_input)):
        assert ((slope[0] != 0) == ([1, 1, 0, 0] if k < 2 else [0, 0, 1, 1])).all()


def test_phases(session):
    """A unit that is closed, but for the leak, keeps its state; time may be float64."""
    tf.set_random_seed(4)
    cell = rnn.PhasedLSTMCell(30, leak=0.0, ratio_on=0.25, period_init_min=2.0, period_init_max=8.0)
    time = tf.placeholder(tf.float64, [1, 1])
    start = Pair(tf.fill([1, 30], 0.5), tf.fill([1, 30], -0.25))
    _, new = cell((time, tf.ones([1, 2])), start)
    session.run(tf.global_variables_initializer())
    weights = {v.op.name.split("/")[-1]: session.run(v) for v in cell.weights}
    period, phase = weights["period"], weights["phase"]
    assert ((period >= 2) & (period <= 8)).all() and ((phase >= 0) & (phase < period)).all()
    assert set(weights["ratio_on"]) == {0.25}
    for at in (0.0, 1234.5):
        place = np.mod(at - phase.astype(np.float64), period) / period
        moved = session.run(new.c, {time: [[at]]})[0] != 0.5
        sure = np.abs(place - 0.25) > 1e-3
        assert (moved == (place < 0.25))[sure].all() and moved.any() and not moved.all()


def zeros(*shape):
    return tf.zeros(shape)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: rnn.CoupledInputForgetGateLSTMCell(4, num_unit_shards=20)(
            zeros(3, 4), (zeros(3, 4),) * 2), ValueError, r"Too many shards: shape=\[8, 12\]"),
        (lambda: rnn.CoupledInputForgetGateLSTMCell(4)(
            tf.placeholder(tf.float32, [3, None]), (zeros(3, 4),) * 2), ValueError,
         "Could not infer input size"),
        (lambda: rnn.CoupledInputForgetGateLSTMCell(4, layer_norm=True)(
            tf.zeros([3, 4], tf.float64), (tf.zeros([3, 4], tf.float64),) * 2), ValueError,
         "transform/beta, but specified dtype float64"),
        (lambda: rnn.TimeFreqLSTMCell(2, feature_size=2)(
            tf.placeholder(tf.float32, [None, 4]), zeros(3, 12)), TypeError, "batch size has"),
        (lambda: rnn.TimeFreqLSTMCell(2, feature_size=2)(
            tf.placeholder(tf.float32, [3, None]), zeros(3, 12)), ValueError,
         "Cannot infer input_size from static shape inference"),
        (lambda: rnn.TimeFreqLSTMCell(2)(zeros(3, 4), zeros(3, 12)), TypeError, "unsupported"),
        (lambda: rnn.GLSTMCell(5, number_of_groups=2), ValueError, "num_units must be divisible"),
        (lambda: rnn.GLSTMCell(4, num_proj=3, number_of_groups=2), ValueError,
         "num_proj must be divisible"),
        (lambda: rnn.GLSTMCell(4)(tf.placeholder(tf.float32, [3, None]), (zeros(3, 4),) * 2),
         ValueError, "input size must be statically known"),
        (lambda: rnn.GLSTMCell(4, number_of_groups=4)(zeros(3, 5), (zeros(3, 4),) * 2), ValueError,
         r"input size \(5\) must be divisible by number_of_groups \(4\)"),
        (lambda: rnn.PhasedLSTMCell(4)(
            (zeros(3, 1), tf.zeros([3, 2], tf.float64)), (tf.zeros([3, 4], tf.float64),) * 2),
         TypeError, "does not match type float32"),
        (lambda: rnn.PhasedLSTMCell(4)((zeros(3), zeros(3, 2)), (zeros(3, 4),) * 2), ValueError,
         "Dimensions must be equal, but are 3 and 4"),
    ],
)  # fmt: skip
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()
