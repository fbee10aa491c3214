"""Loops whose gradients run in a later stage than they do, and what a stage is compiled for."""

import logging

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import pattern, set_pattern


@pytest.fixture(autouse=True)
def session(caplog):
    caplog.set_level(logging.DEBUG, logger="tfc")
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_a_mask_between_a_network_and_its_loss(session, caplog, keep):
    """boolean_mask ends a stage: the loop has run when its gradient is compiled. Dropout shows that
    it does not run again."""
    x = tf.constant(pattern([2, 4, 3], 2))
    lengths = tf.placeholder(tf.int32, [2])
    cell = tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.BasicLSTMCell(3), output_keep_prob=keep)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    mask = tf.sequence_mask(lengths, 4)
    cut = tf.reduce_sum(tf.square(tf.boolean_mask(outputs, mask)))
    plain = tf.reduce_sum(tf.square(outputs) * tf.cast(mask, tf.float32)[:, :, None])
    variables = tf.trainable_variables()
    fetches = [cut, plain, tf.gradients(cut, variables), tf.gradients(plain, variables)]
    set_pattern(session)
    for n in ([1, 2], [4, 3], [2, 1]):
        a, b, da, db = session.run(fetches, {lengths: n})
        np.testing.assert_allclose(a, b, rtol=1e-5)
        for one, other in zip(da, db, strict=True):
            assert one.any()
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert not [r for r in caplog.records if "driven by Python" in r.getMessage()]


def test_a_maximum_is_computed_before_it_decides_a_shape(session):
    """Other feeds with the same maximum run what is compiled already."""
    n = tf.placeholder(tf.int32, [3])
    x = tf.placeholder(tf.float32, [6])
    ones, head = tf.ones([tf.reduce_max(n)]), (x * 2.0)[: tf.reduce_max(n)]
    misses = []
    for lengths in ([1, 2, 3], [3, 1, 1], [3, 3, 2], [1, 4, 2], [2, 2, 3]):
        values = np.random.RandomState(sum(lengths)).randn(6).astype(np.float32)
        a, b = session.run([ones, head], {n: lengths, x: values})
        np.testing.assert_array_equal(a, np.ones(max(lengths)))
        np.testing.assert_array_equal(b, 2 * values[: max(lengths)])
        misses.append(session._runtime.statistics.misses)
    assert misses[0] == misses[1] == misses[2] < misses[3] == misses[4]
