"""UGRNNCell, IntersectionRNNCell, IndRNNCell, IndyGRUCell, IndyLSTMCell, SRUCell and the cells of
tf.contrib.cudnn_rnn. Numbers are those of TensorFlow 1.15."""

import numpy as np
import pytest

import tests.rnn_contrib_cases as c
import tfc as tf

rnn, cudnn = tf.contrib.rnn, tf.contrib.cudnn_rnn
NAMES = [
    "ugrnn", "ugrnn_init", "inter", "inter_proj", "ind", "ind_act", "indygru", "indygru_i",
    "indylstm", "indylstm_i", "sru", "sru_a", "cudnn_gru", "cudnn_gru_k", "cudnn_lstm_32",
]  # fmt: skip


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("name", NAMES)
def test_a_step(session, name):
    built = c.check_step(name, session)
    units = built.cell.output_size
    lstm = isinstance(built.cell, rnn.IndyLSTMCell | cudnn.CudnnCompatibleLSTMCell)
    assert built.cell.state_size == ((units, units) if lstm else units)
    assert isinstance(built.state, rnn.LSTMStateTuple) == lstm
    zeros = built.cell.zero_state(5, tf.float64)
    assert all(z.shape == [5, units] and z.dtype == tf.float64 for z in c.flat(zeros))


@pytest.mark.parametrize("name", ["ugrnn", "inter_proj", "ind", "indygru", "indylstm", "sru",
                                  "cudnn_gru", "cudnn_lstm_32"])  # fmt: skip
def test_a_loop(session, name):
    c.check_loop(name, session)


@pytest.mark.parametrize("name", ["ugrnn", "inter_proj", "ind", "indygru", "indylstm", "sru",
                                  "cudnn_gru"])  # fmt: skip
def test_gradients_numerically(session, name):
    c.check_numerically(name, session)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rnn.UGRNNCell(4), lambda: rnn.IntersectionRNNCell(4, num_in_proj=4),
        lambda: rnn.IndRNNCell(4), lambda: rnn.IndyGRUCell(4), lambda: rnn.IndyLSTMCell(4),
        lambda: rnn.SRUCell(4), lambda: cudnn.CudnnCompatibleGRUCell(4),
        lambda: cudnn.CudnnCompatibleLSTMCell(4),
    ],
)  # fmt: skip
def test_training(session, make):
    c.check_training(make, session)


def starts(session):
    session.run(tf.global_variables_initializer())
    return {v.op.name: session.run(v) for v in tf.global_variables()}


def test_where_variables_start(session):
    tf.set_random_seed(3)
    x, h = tf.ones([3, 2]), tf.zeros([3, 40])
    for cell in (
        rnn.IndRNNCell(40), rnn.IndyGRUCell(40), rnn.SRUCell(40), rnn.UGRNNCell(40),
        cudnn.CudnnCompatibleGRUCell(40),
    ):  # fmt: skip
        cell(x, h)
    rnn.IndyLSTMCell(40)(x, (h, h))
    found = starts(session)
    own = [v for name, v in found.items() if name.endswith("_u")]
    assert len(own) == 4
    for v in own:
        assert v.shape[0] == 1 and v.min() < -0.8 and v.max() > 0.8 and np.abs(v).max() <= 1
    biases = {name: set(v) for name, v in found.items() if name.endswith("bias")}
    assert biases.pop("indy_gru_cell/gates/bias") == {1.0}
    assert biases.pop("cudnn_compatible_gru_cell/gates/bias") == {1.0}
    assert len(biases) == 7 and all(values == {0.0} for values in biases.values())


def test_given_initializers(session):
    for name in ("indygru_i", "indylstm_i", "cudnn_gru_k", "ugrnn_init", "inter_proj"):
        with tf.variable_scope(name):
            c.Built(name, session)
    found = {name: set(v.ravel()) for name, v in starts(session).items()}
    assert found["indygru_i/indy_gru_cell/gates/kernel_w"] == {0.1}
    assert found["indygru_i/indy_gru_cell/candidate/kernel"] == {0.1}
    assert found["indygru_i/indy_gru_cell/candidate/bias"] == {0.2}
    assert found["indylstm_i/indy_lstm_cell/kernel_w"] == {1.0}
    assert found["indylstm_i/indy_lstm_cell/bias"] == {0.2}
    gru = "cudnn_gru_k/cudnn_compatible_gru_cell/candidate/{}_projection/kernel"
    assert found[gru.format("input")] == found[gru.format("hidden")] == {0.1}
    assert found["ugrnn_init/ugrnn_cell/kernel"] == {0.3}
    assert found["ugrnn_init/ugrnn_cell/bias"] == {0.0}
    assert found["inter_proj/intersection_rnn_cell/in_projection/kernel"] == {0.3}


def test_sharing(session):
    """As in TensorFlow, where cells that make variables in `call` have no name of their own."""
    x, h = tf.ones([3, 4]), tf.zeros([3, 4])
    for make in (rnn.SRUCell, rnn.IndyGRUCell, cudnn.CudnnCompatibleGRUCell):
        first, second = make(4), make(4)
        first(x, h), second(x, h)
        assert not set(first.weights) & set(second.weights)
    rnn.UGRNNCell(4)(x, h)
    with pytest.raises(ValueError, match="ugrnn_cell/kernel already exists"):
        rnn.UGRNNCell(4)(x, h)
    shared = rnn.UGRNNCell(4, reuse=True)
    shared(x, h)
    assert [v.op.name for v in shared.weights] == ["ugrnn_cell/kernel", "ugrnn_cell/bias"]
    with pytest.raises(ValueError, match="nope/kernel does not exist"):
        rnn.SRUCell(4, name="nope", reuse=True)(x, h)
    outer = rnn.IntersectionRNNCell(4)
    outer(x, h, scope="abc")
    outer(x, h)
    assert [v.op.name for v in outer.weights] == ["abc/kernel", "abc/bias"]
    with tf.variable_scope("parts", partitioner=tf.fixed_size_partitioner(2)):
        rnn.UGRNNCell(4)(x, h)
    names = [v.op.name for v in tf.global_variables() if v.op.name.startswith("parts")]
    kernel = "parts/ugrnn_cell/kernel"
    assert names == [f"{kernel}/part_0", f"{kernel}/part_1", "parts/ugrnn_cell/bias"]


@pytest.mark.parametrize(
    "make, x, state, error, match",
    [
        (lambda: rnn.UGRNNCell(2), [3, None], 2, ValueError, "Could not infer input size"),
        (lambda: rnn.UGRNNCell(2), [3], 2, ValueError, r"Shape \(3,\) must have rank 2"),
        (lambda: rnn.UGRNNCell(4), [3, 2], 5, ValueError, "Dimensions must be equal, but are 4"),
        (lambda: rnn.IntersectionRNNCell(4), [3, 2], 4, ValueError,
         "Must have input size == output size for Intersection RNN"),
        (lambda: rnn.IndRNNCell(4), [3, None], 4, ValueError, r"shape\[-1\] to be known"),
        (lambda: rnn.IndyGRUCell(4), [3, 2], 3, ValueError, "Dimensions must be equal, but are 6"),
        (lambda: rnn.SRUCell(4), [3], 4, ValueError, "expected ndim=2, found ndim=1"),
        (lambda: rnn.SRUCell(4, dtype=tf.float64), [3, 2], 4, TypeError, "has type float64"),
        (lambda: rnn.IndRNNCell(4, activation="relu"), [3, 2], 4, TypeError, "not callable"),
        (lambda: cudnn.CudnnCompatibleGRUCell(4), [3, None], 4, ValueError,
         r"shape\[-1\] to be known"),
        (lambda: rnn.SRUCell(4, bad=3), [3, 2], 4, TypeError, "Keyword argument not understood"),
    ],
)  # fmt: skip
def test_errors(make, x, state, error, match):
    with pytest.raises(error, match=match):
        make()(tf.placeholder(tf.float32, x), tf.zeros([3, state]))
