"""Feeds in other shapes, across stages: read where they lie by native code, never by Python."""

import numpy as np

import tfc as tf

X = np.arange(24, dtype=np.float32).reshape(4, 6)


def _mask():
    x, mask = tf.placeholder(tf.float32, [4, 6]), tf.placeholder(tf.bool, [2, 2])
    return x, mask, tf.boolean_mask(tf.reshape(x, [2, 2, 6]), mask)


def test_what_is_a_feed_in_another_shape_is_no_result_of_a_stage():
    x, mask, taken = _mask()
    with tf.Session() as sess:
        for chosen in ([[True, False], [True, True]], [[False, True], [False, True]]):
            expected = X.reshape(2, 2, 6)[np.array(chosen)]
            np.testing.assert_array_equal(sess.run(taken, {x: X, mask: chosen}), expected)
        plans = [p for p in sess._plans.values() if p.tensors == [taken]]
        (stage,) = plans[0].root.stages._stages.values()
        assert len(stage.views) == 1
        assert [o.what for o in stage.outputs if o.shape == (4, 6)] == []


def test_a_fetched_feed_in_another_shape_is_the_callers_own():
    x, mask, taken = _mask()
    flat = tf.reshape(x, [24])
    rows = tf.gather(flat, tf.where(flat > 3))
    with tf.Session() as sess:
        got, _, _ = sess.run([flat, rows, taken], {x: X, mask: [[True] * 2] * 2})
        assert not np.shares_memory(got, X)
        np.testing.assert_array_equal(got, X.ravel())


def test_python_functions_do_not_write_to_feeds_in_other_shapes():
    x, mask, taken = _mask()
    given = X.copy()

    def change(a):
        a[...] = -1
        return a

    changed = tf.py_func(change, [tf.reshape(x, [24])], tf.float32)
    with tf.Session() as sess:
        feed = {x: given, mask: [[True] * 2] * 2}
        got, kept = sess.run([changed, taken], feed)
    np.testing.assert_array_equal(got, np.full(24, -1))
    np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(kept, X)


def test_loops():
    x = tf.placeholder(tf.float32, [None, 6])
    flat = tf.reshape(x, [-1])
    places = tf.where(flat > 2)
    total = tf.while_loop(
        lambda i, t: i < tf.shape(places)[0],
        lambda i, t: (i + 1, t + flat[tf.cast(places[i, 0], tf.int32)]),
        [0, 0.0],
    )[1]
    with tf.Session() as sess:
        assert sess.run(total, {x: X}) == X[X > 2].sum()
        assert sess.run(total, {x: X[:2]}) == X[:2][X[:2] > 2].sum()
