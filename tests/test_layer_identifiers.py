"""Activations and initializers that layers take by name."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
X = np.float32([[-3, -1, -0.5, 0, 0.25, 2]])
FORMULAS = {
    "elu": np.where(X > 0, X, np.expm1(X)),
    "exponential": np.exp(X),
    "hard_sigmoid": np.clip(0.2 * X + 0.5, 0, 1),
    "linear": X,
    "relu": np.maximum(X, 0),
    "selu": 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * np.expm1(X)),
    "sigmoid": 1 / (1 + np.exp(-X)),
    "softmax": np.exp(X) / np.exp(X).sum(),
    "softplus": np.log1p(np.exp(X)),
    "softsign": X / (1 + np.abs(X)),
    "tanh": np.tanh(X),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activations(name: str) -> None:
    eye = tf.initializers.identity()
    y = tf.layers.dense(X, 6, activation=name, kernel_initializer=eye)
    image = X.reshape(1, 1, 1, 6)
    z = tf.layers.conv2d(
        image, 6, 1, activation=name, kernel_initializer=lambda s, **_: tf.reshape(tf.eye(6), s)
    )
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        np.testing.assert_allclose(sess.run(y), FORMULAS[name], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(sess.run(z)[0, 0], FORMULAS[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name, spread, most",
    [
        ("zeros", 0, 0), ("ones", 0, 1), ("constant", 0, 0), ("normal", 0.05, 0.21),
        ("random_normal", 0.05, 0.21), ("truncated_normal", 0.044, 0.1), ("uniform", 0.0289, 0.05),
        ("random_uniform", 0.0289, 0.05), ("glorot_uniform", 0.1, 0.1733),
        ("glorot_normal", 0.1, 0.23), ("he_normal", 0.1414, 0.33), ("he_uniform", 0.1414, 0.245),
        ("lecun_normal", 0.1, 0.23), ("lecun_uniform", 0.1, 0.1733),
        ("variance_scaling", 0.1, 0.23), ("orthogonal", 0.1, 0.43), ("identity", 0.1, 1),
    ],
)  # fmt: skip
def test_initializers(name: str, spread: float, most: float) -> None:
    tf.set_random_seed(3)
    layer = tf.layers.Dense(100, kernel_initializer=name)
    layer(tf.zeros([1, 100]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        kernel = sess.run(layer.kernel)
    assert abs(kernel.std() - spread) < 0.03 * spread + 1e-7
    assert 0.9 * most <= np.abs(kernel).max() <= most


def test_what_is_no_name() -> None:
    with pytest.raises(ValueError, match="Unknown activation function:rely"):
        tf.layers.dense(X, 2, activation="rely")
    with pytest.raises(TypeError, match="Could not interpret activation function identifier: 3"):
        tf.layers.dense(X, 2, activation=3)
    with pytest.raises(ValueError, match="Unknown initializer: zeroes"):
        tf.layers.dense(X, 2, kernel_initializer="zeroes")
