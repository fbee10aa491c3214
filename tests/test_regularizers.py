"""tf.contrib.layers: regularizers and initializers."""

import numpy as np
import pytest

import tfc as tf

W = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
L1, L2 = 6.5, (1 + 4 + 0.25 + 9) / 2


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def test_regularizers(session):
    layers, w = tf.contrib.layers, tf.constant(W)
    found = [
        layers.l1_regularizer(0.5)(w),
        layers.l2_regularizer(0.1)(w),
        layers.l1_l2_regularizer(0.5, 0.1)(w),
        layers.l1_l2_regularizer(0.0, 0.1)(w),
        layers.l1_l2_regularizer(0.5, 0.0, scope="own")(w),
        layers.sum_regularizer([None, layers.l1_regularizer(1.0), layers.l1_regularizer(0.0)])(w),
    ]
    expected = [L1 / 2, L2 / 10, L1 / 2 + L2 / 10, L2 / 10, L1 / 2, L1]
    np.testing.assert_allclose(session.run(found), expected, rtol=1e-6)
    names = ["l1_regularizer", "l2_regularizer", "l1_l2_regularizer"]
    assert [x.op.name for x in found[:3]] == names and found[4].op.name == "own"
    assert layers.l1_regularizer(0.0)(w) is layers.l2_regularizer(0.0)(w) is None
    assert layers.sum_regularizer([None]) is None
    assert layers.sum_regularizer([layers.l1_regularizer(0.0)])(w) is None
    double = layers.l2_regularizer(0.1)(tf.constant(W, tf.float64))
    assert double.dtype == tf.float64


def test_they_regularize_variables(session):
    regularizer = tf.contrib.layers.l2_regularizer(0.1)
    with tf.variable_scope("model", regularizer=regularizer):
        tf.get_variable("w", initializer=W)
        tf.layers.dense(W, 1, kernel_regularizer=tf.contrib.layers.l1_regularizer(1.0))
    names = [loss.op.name for loss in tf.losses.get_regularization_losses()]
    assert names[0] == "model/w/Regularizer/l2_regularizer"
    assert "model/dense/kernel/Regularizer/l1_regularizer" in names
    session.run(tf.global_variables_initializer())
    value = session.run(tf.losses.get_regularization_losses()[0])
    np.testing.assert_allclose(value, L2 / 10, rtol=1e-6)


def test_apply_regularization(session):
    layers = tf.contrib.layers
    total = layers.apply_regularization(layers.l1_regularizer(1.0), [tf.constant(W), tf.ones([2])])
    assert tf.losses.get_regularization_losses() == [total]
    assert total.op.name == "get_regularization_penalty" and session.run(total) == L1 + 2
    tf.add_to_collection(tf.GraphKeys.WEIGHTS, tf.ones([3]))
    assert session.run(layers.apply_regularization(layers.l1_regularizer(2.0))) == 6.0
    assert session.run(layers.apply_regularization(layers.l1_regularizer(0.0))) == 0.0


def test_errors():
    layers = tf.contrib.layers
    for make in (layers.l1_regularizer, layers.l2_regularizer, layers.l1_l2_regularizer):
        with pytest.raises(ValueError, match="cannot be an integer: 1"):
            make(1)
        with pytest.raises(ValueError, match="less than 0 on a regularizer: -0.5"):
            make(-0.5)
    with pytest.raises(ValueError, match="No weights to regularize"):
        layers.apply_regularization(layers.l1_regularizer(1.0))
    with pytest.raises(ValueError, match="with rank 1"):
        layers.apply_regularization(lambda w: w, [tf.ones([2])])
    with pytest.raises(TypeError, match="Unknown mode X"):
        layers.variance_scaling_initializer(mode="X")
    with pytest.raises(TypeError, match="non-floating"):
        layers.xavier_initializer(dtype=tf.int32)


def test_xavier_is_uniform_over_the_mean_of_inputs_and_outputs(session):
    layers = tf.contrib.layers
    value = layers.xavier_initializer(seed=3)([40, 60])
    same = tf.glorot_uniform_initializer(seed=3)([40, 60])
    a, b = session.run([value, same])
    np.testing.assert_array_equal(a, b)
    assert layers.xavier_initializer_conv2d is layers.xavier_initializer


@pytest.mark.parametrize(("mode", "n"), [("FAN_IN", 200.0), ("FAN_OUT", 400.0), ("FAN_AVG", 300.0)])
def test_variance_scaling(session, mode, n):
    make = tf.contrib.layers.variance_scaling_initializer
    normal, uniform = make(2.0, mode, seed=5), make(2.0, mode, uniform=True, seed=5)
    shape = [2, 2, 50, 100]
    same = tf.truncated_normal(shape, 0.0, np.sqrt(1.3 * 2.0 / n), seed=5)
    drawn, wanted, even = session.run([normal(shape), same, uniform(shape)])
    np.testing.assert_allclose(drawn, wanted, rtol=1e-6)
    assert abs(even).max() <= np.sqrt(6.0 / n) and abs(even.std() / np.sqrt(2.0 / n) - 1) < 0.02
    assert session.run(normal([])).shape == ()
