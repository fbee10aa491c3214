"""Variables updated in orders that a plain reading of buffers gets wrong."""

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("count", [2, 5, 90])
def test_contents_change_places(count):
    """Each variable takes the next one's content; the copies form cycles."""
    order = np.random.default_rng(count).permutation(count)
    vs = [tf.Variable(np.full(7, i, np.float32)) for i in range(count)]
    reads = [v.read_value() for v in vs]
    with tf.control_dependencies(reads):
        move = tf.group(*[tf.assign(v, reads[j]) for v, j in zip(vs, order, strict=True)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        expected = np.arange(count)
        for _ in range(3):
            sess.run(move)
            expected = expected[order]
            np.testing.assert_array_equal([v[6] for v in sess.run(vs)], expected)


def test_hundreds_of_variables_initialise_in_linear_time():
    """One native function with a copy for each; LLVM once took quadratic time over them."""
    vs = [tf.Variable(tf.ones([8, 8]) * 0.5) for _ in range(600)]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert all(v.sum() == 32.0 for v in sess.run(vs))
        assert sess.statistics.compile_seconds < 10


def test_parts_of_a_variable_are_written_where_others_are_read():
    v = tf.Variable(np.arange(6, dtype=np.float32))
    old = v.read_value()
    copy = old + 0.0
    with tf.control_dependencies([copy]):
        turned = tf.assign(v, tf.concat([old[3:], old[:3]], 0))
    with tf.control_dependencies([turned]):
        after = v.read_value() + 0.0
    summed = tf.assign(v, tf.cumsum(v) + tf.reverse(v, [0]))
    with tf.Session() as sess:
        sess.run(v.initializer)
        a, b, c, d = sess.run([copy, turned, after, old])
        assert a.tolist() == [0, 1, 2, 3, 4, 5]
        # what was read is the variable's memory, and fetched at the end: so it is in TensorFlow
        assert b.tolist() == c.tolist() == d.tolist() == [3, 4, 5, 0, 1, 2]
        assert sess.run(summed).tolist() == [5, 8, 12, 17, 17, 18]


def test_every_write_of_a_run_counts():
    v = tf.Variable(1.0)
    start = v.read_value() * 1.0
    first, second = tf.assign_add(v, 1.0), tf.assign_add(v, 10.0)
    with tf.control_dependencies([first]):
        between = v.read_value() * 1.0
    with tf.control_dependencies([second]):
        last = v.read_value() * 1.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([start, between, last, v.read_value()]) == [1.0, 2.0, 12.0, 12.0]
        assert sess.run(v) == 12.0


def test_rows_are_updated_from_the_rows_of_the_same_variable():
    v = tf.Variable(np.arange(6, dtype=np.float32))
    p = tf.placeholder(tf.int32, [None])
    update = tf.scatter_update(v, p, tf.gather(v, tf.reverse(p, [0])))
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(update, {p: [0, 5, 2]}).tolist() == [2, 1, 0, 3, 4, 5]
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(update, {p: [0, 6]})
        assert sess.run(v).tolist() == [2, 1, 0, 3, 4, 5]


def test_a_run_that_fails_changes_no_variable():
    a, b = (tf.Variable(np.zeros(4, np.float32)) for _ in range(2))
    p, i = tf.placeholder(tf.float32, []), tf.placeholder(tf.int32, [])
    first = tf.assign_add(a, tf.ones([4]))
    with tf.control_dependencies([first]):
        check = tf.Assert(p > 0, [p])
    with tf.control_dependencies([check]):
        second = tf.assign_add(b, tf.ones([4]) * a)
    row = tf.gather(a, i)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for fetch, feed in [
            (second, {p: -1.0}),
            ([first, row], {i: 9}),
            ([first, second, row], {i: 9, p: 1.0}),
        ]:
            with pytest.raises(tf.errors.InvalidArgumentError):
                sess.run(fetch, feed)
            assert sess.run([a, b])[0].tolist() == [0] * 4 == sess.run(b).tolist()
        sess.run(second, {p: 1.0})
        assert sess.run(a).tolist() == [1] * 4 == sess.run(b).tolist()


def test_an_optimizer_step_with_the_variable_before_and_after():
    v = tf.Variable([1.0, 2.0])
    loss = tf.reduce_sum(v * v)
    before = v.read_value() * 1.0
    with tf.control_dependencies([before]):
        step = tf.train.GradientDescentOptimizer(0.25).minimize(loss)
    with tf.control_dependencies([step]):
        after = v.read_value()
        loss_after = tf.reduce_sum(after * after)
    with tf.Session() as sess:
        sess.run(v.initializer)
        got = sess.run([before, after, loss, loss_after, v])
    assert [np.asarray(g).tolist() for g in got[:4]] == [[1.0, 2.0], [0.5, 1.0], 5.0, 1.25]


# What TensorFlow gives in the first two runs: a variable's own read shares its memory, so who takes
# it finds what the ops that the taker depends on have written.


def identity_after_add():
    v = tf.Variable(1.0)
    with tf.control_dependencies([v.assign_add(1.0)]):
        return tf.identity(v)


def product_after_assign():
    v = tf.Variable([1.0, 2.0])
    with tf.control_dependencies([v.assign(tf.constant([3.0, 4.0]))]):
        return v * 2.0


def average_after_step():
    v = tf.Variable(1.0)
    step, averages = v.assign_add(1.0), tf.train.ExponentialMovingAverage(0.5)
    with tf.control_dependencies([step]):
        update = averages.apply([v])
    with tf.control_dependencies([update]):
        return tf.identity(averages.average(v))


def loss_after_training():
    w = tf.Variable([1.0, 2.0])
    step = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(w * w))
    with tf.control_dependencies([step]):
        return tf.reduce_sum(w * w)


def before_and_after():
    v = tf.Variable(1.0)
    old = v * 10.0
    with tf.control_dependencies([old]):
        step = v.assign_add(1.0)
    with tf.control_dependencies([step]):
        return tf.stack([old, v * 10.0])


def condition_after():
    v = tf.Variable(1.0)
    with tf.control_dependencies([v.assign_add(1.0)]):
        return tf.cond(tf.constant(True), lambda: v * 2.0, lambda: v * 3.0)


def loop_after():
    v = tf.Variable(1.0)
    with tf.control_dependencies([v.assign_add(1.0)]):
        return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + v), [0, 0.0])[1]


def two_optimizers():
    w = tf.Variable([1.0, 2.0])
    first = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(w * w))
    with tf.control_dependencies([first]):
        second = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(w**3))
    with tf.control_dependencies([second]):
        return tf.identity(w)


def rows_after_scatter():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.control_dependencies([tf.scatter_add(v, [0], [5.0])]):
        return tf.gather(v, [0, 1])


def after_a_condition_that_writes():
    v = tf.Variable(1.0)
    step = tf.cond(tf.constant(True), lambda: v.assign_add(1.0), lambda: v.assign_add(2.0))
    with tf.control_dependencies([step]):
        return v + 0.0


@pytest.mark.parametrize(
    "program, values",
    [
        (identity_after_add, [2.0, 3.0]),
        (product_after_assign, [[6.0, 8.0], [6.0, 8.0]]),
        (average_after_step, [1.5, 2.25]),
        (loss_after_training, [3.2, 2.048]),
        (before_and_after, [[10.0, 20.0], [20.0, 30.0]]),
        (condition_after, [4.0, 6.0]),
        (loop_after, [6.0, 9.0]),
        (two_optimizers, [[0.608, 0.832], [0.4154245, 0.53269297]]),
        (rows_after_scatter, [[6.0, 2.0], [11.0, 2.0]]),
        (after_a_condition_that_writes, [2.0, 3.0]),
    ],
)
def test_a_variable_after_a_write(program, values):
    fetch = program()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for value in values:
            np.testing.assert_allclose(sess.run(fetch), value, rtol=1e-6)


def test_a_variable_after_a_write_of_an_earlier_stage():
    v = tf.Variable([1.0, 2.0])
    step = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([step]):
        told = tf.py_func(lambda: np.float32(10.0), [], tf.float32)
    with tf.control_dependencies([told]):
        after = v * told
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([after, v * 1.0])[0].tolist() == [20.0, 30.0]
        assert sess.run(after).tolist() == [30.0, 40.0]
