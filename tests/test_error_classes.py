"""Small wrong programs: the class of the error that TensorFlow raises, while the graph is built or
when it runs."""

import numpy as np
import pytest

import tfc as tf

F = np.arange(6.0, dtype=np.float32).reshape(2, 3)
BUILD = {
    "a constant of a tensor": (TypeError, lambda: tf.constant(tf.constant(1))),
    "None in a shape": (TypeError, lambda: tf.zeros([2, None])),
    "None in a list of numbers": (TypeError, lambda: tf.random_normal([2], 0.0, [None])),
    "None alone": (ValueError, lambda: tf.constant(None)),
    "a constant's shape that is a number": (TypeError, lambda: tf.constant([1], tf.int32, 7)),
    "a constant without a name": (ValueError, lambda: tf.constant(1, name="")),
    "a name that is a number": (TypeError, lambda: tf.constant(1, name=5)),
    "a dtype that is a tensor": (TypeError, lambda: tf.ones([2], tf.constant(1.5))),
    "a product of other dtypes": (TypeError, lambda: tf.matmul(tf.constant(F), tf.constant([[1]]))),
    "a product of strings": (TypeError, lambda: tf.matmul([["a"]], tf.constant(F))),
    "strides that are a tensor": (
        TypeError,
        lambda: tf.nn.max_pool(np.ones((1, 4, 4, 1)), [1, 2, 2, 1], tf.constant(1), "SAME"),
    ),
    "a window of lists": (
        TypeError,
        lambda: tf.nn.max_pool(np.ones((1, 4, 4, 1)), [[1], [2, 3]], 1, "SAME"),
    ),
    "an axis that is a tensor": (TypeError, lambda: tf.squeeze(F[:1], tf.placeholder(tf.int32))),
    "contracted axes that are not there": (IndexError, lambda: tf.tensordot(F, F, [[2], [0]])),
    "contracted axes that are None": (ValueError, lambda: tf.tensordot(F, F, None)),
    "contracted axes that are a fraction": (TypeError, lambda: tf.tensordot(F, F, 1.5)),
    "contracted axes that are a word": (TypeError, lambda: tf.tensordot(F, F, "ab")),
    "three lists of contracted axes": (ValueError, lambda: tf.tensordot(F, F, [[0], [1], [0]])),
    "a dimension that is a dtype": (TypeError, lambda: tf.TensorShape(tf.float32)),
    "a list of axes of argmax": (ValueError, lambda: tf.argmax(F, [0, 1])),
    "a shape that is a number": (ValueError, lambda: tf.broadcast_to(F, -1)),
    "a sum of one tensor's rows": (TypeError, lambda: tf.add_n(tf.constant(F))),
    "a sum of nothing": (ValueError, lambda: tf.add_n([])),
    "parts that are a fraction": (ValueError, lambda: tf.split(F, 1.5, 1)),
    "parts that are a variable": (ValueError, lambda: tf.split(F, tf.Variable(1), 1)),
    "parts that are a dtype": (TypeError, lambda: tf.split(F, tf.float32, 1)),
    "a tuple of letters": (TypeError, lambda: tf.tuple("abc")),
    "equality of other dtypes": (TypeError, lambda: tf.assert_equal(tf.constant([1]), [1.5])),
    "a target that is a number": (TypeError, lambda: tf.Session(target=3)),
    "a target elsewhere": (tf.errors.NotFoundError, lambda: tf.Session(target="foo")),
    "a shape with a fraction": (ValueError, lambda: tf.TensorShape([1.5])),
}


@pytest.mark.parametrize("name", BUILD)
def test_while_the_graph_is_built(name):
    kind, make = BUILD[name]
    with tf.Graph().as_default(), pytest.raises(kind):
        make()


FEEDS = {
    "a number for a string": (tf.errors.InternalError, tf.string, [1, 2]),
    "an array of numbers for strings": (tf.errors.InternalError, tf.string, np.array([1.0, 2.0])),
    "None for a string": (tf.errors.InternalError, tf.string, np.array([None, "a"])),
    "a number for a truth value": (TypeError, tf.bool, 5),
    "too large a number": (TypeError, tf.int32, 1 << 40),
}


@pytest.mark.parametrize("name", FEEDS)
def test_feeds(name):
    kind, dtype, value = FEEDS[name]
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(dtype)
        with pytest.raises(kind):
            session.run(tf.identity(x), {x: value})


def test_a_sparse_feed_of_too_few_parts():
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.sparse_placeholder(tf.float32)
        with pytest.raises(ValueError, match="fed 3 arrays, but got 2"):
            session.run(x.values, {x: ([[0]], [1.0])})


def test_axes_that_are_tensors():
    x = np.arange(6.0).reshape(2, 3)
    with tf.Graph().as_default(), tf.Session() as session:
        one = tf.placeholder(tf.int32)
        got = session.run(tf.tensordot(x, x, [one, [0]]), {one: [0]})
        np.testing.assert_allclose(got, x.T @ x)
        np.testing.assert_allclose(session.run(tf.tensordot(x, x, [[0, 1], [0, 1]])), 55.0)


def test_the_norm_of_no_gradients():
    with tf.Graph().as_default(), tf.Session() as session:
        clipped, norm = tf.clip_by_global_norm([None], 1.0)
        assert clipped == [None]
        assert session.run(norm) == 0.0


def test_what_is_no_error():
    with tf.Graph().as_default(), tf.Session(target="") as session:
        assert tf.TensorShape([1.0]).as_list() == [1]
        assert tf.add(1, 2, name="").op.name == "Add"
        assert tf.train.AdamOptimizer().get_slot(5, "m") is None
        rows = tf.stack(tf.constant(F))
        assert session.run(rows).tolist() == F.tolist()
        assert session.run(tf.matmul(tf.constant(F), [[1], [2], [3]])).tolist() == [[8], [26]]
        assert session.run(tf.nn.max_pool(F[None, :, :, None], 1, np.array(1), "SAME")).size == 6
        x = tf.placeholder(tf.string)
        assert session.run(tf.identity(x), {x: ["a", b"b"]}).tolist() == [b"a", b"b"]
