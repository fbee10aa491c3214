"""What training programs do around the training step: averages, checkpoints, records."""

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def test_averages_to_restore():
    v = tf.Variable([1.0, 2.0], name="v")
    step = tf.Variable(0, trainable=False, name="step")
    loss = tf.reduce_sum(v)
    average = tf.train.ExponentialMovingAverage(0.5)
    average.apply([v, loss])
    assert tf.moving_average_variables() == [v]
    assert average.variables_to_restore() == {
        "v/ExponentialMovingAverage": v,
        "step": step,
        "Sum/ExponentialMovingAverage": average.average(loss),
    }


def test_run_metadata_is_written(tmp_path):
    x = tf.constant(1.0)
    metadata = tf.RunMetadata()
    with tf.Session() as sess, tf.summary.FileWriter(str(tmp_path), sess.graph) as writer:
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        np.testing.assert_equal(sess.run(x, options=options, run_metadata=metadata), 1.0)
        writer.add_run_metadata(metadata, "step7", 7)
    (path,) = tmp_path.iterdir()
    assert b"step7" in path.read_bytes()


def test_initializers_that_take_nothing():
    v = tf.get_variable("v", initializer=lambda: tf.ones([2], tf.float64))
    assert v.shape.as_list() == [2] and v.dtype.base_dtype == tf.float64
    with pytest.raises(ValueError, match="initializer passed is not valid.*w has no shape"):
        tf.get_variable("w", initializer=lambda shape, dtype=None: tf.ones(shape))
