"""Programs that train from a dataset."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset
from tfc.data.digits import load_digits

pytestmark = pytest.mark.usefixtures("fresh_graph")


def network(images: tf.Tensor) -> tf.Tensor:
    hidden = tf.layers.dense(images, 32, tf.nn.relu, name="hidden", reuse=tf.AUTO_REUSE)
    return tf.layers.dense(hidden, 10, name="logits", reuse=tf.AUTO_REUSE)


def test_digits():
    """A network learns digits from shuffled batches, and is tested with the same iterator."""
    tf.set_random_seed(1)
    images, labels = load_digits()
    images = images[:, 2:26:3, 2:26:3].reshape(-1, 64).astype(np.float32) / 255
    train = (
        Dataset.from_tensor_slices((images[:1500], labels[:1500]))
        .shuffle(1500, seed=2)
        .batch(50)
        .map(lambda x, y: (x - 0.5, tf.cast(y, tf.int32)))
        .prefetch(1)
    )
    test = Dataset.from_tensors((images[1500:] - np.float32(0.5), labels[1500:].astype(np.int32)))
    iterator = tf.data.Iterator.from_structure(train.output_types, train.output_shapes)
    x, y = iterator.get_next()
    x.set_shape([None, images.shape[1]])
    logits = network(x)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    step = tf.train.AdamOptimizer(0.01).minimize(loss)
    right = tf.reduce_mean(
        tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y), tf.float32)
    )
    to_train, to_test = iterator.make_initializer(train), iterator.make_initializer(test)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        steps = 0
        for _ in range(4):
            session.run(to_train)
            try:
                while True:
                    session.run(step)
                    steps += 1
            except tf.errors.OutOfRangeError:
                pass
        session.run(to_test)
        assert steps == 4 * 30 and session.run(right) > 0.9


def test_the_step_is_as_with_feeds():
    """A batch from a dataset is to the step what the same batch fed is."""
    x = np.linspace(0, 1, 40, dtype=np.float32).reshape(20, 2)
    target = x @ np.float32([[2.0], [-1.0]])
    features, goal = (
        Dataset.from_tensor_slices((x, target))
        .repeat()
        .batch(5)
        .make_one_shot_iterator()
        .get_next()
    )
    weights = tf.get_variable("w", [2, 1], initializer=tf.zeros_initializer())
    fed = tf.get_variable("fed", [2, 1], initializer=tf.zeros_initializer())
    px, py = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32, [None, 1])
    optimizer = tf.train.GradientDescentOptimizer(0.5)
    from_dataset = optimizer.minimize(
        tf.losses.mean_squared_error(goal, features @ weights), var_list=[weights]
    )
    from_feed = optimizer.minimize(tf.losses.mean_squared_error(py, px @ fed), var_list=[fed])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for k in range(12):
            rows = slice(5 * (k % 4), 5 * (k % 4) + 5)
            session.run(from_dataset)
            session.run(from_feed, {px: x[rows], py: target[rows]})
        one, other = session.run([weights, fed])
    np.testing.assert_array_equal(one, other)
    assert np.abs(one).max() > 0.1
