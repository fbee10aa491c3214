"""Ops that move elements, on strings: with literal results of TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

NAMES = ["x", "yy", "", "x"]


def run(*fetches):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return [np.asarray(v).tolist() for v in session.run(list(fetches))]


def test_scatter():
    found = run(
        tf.scatter_nd([[0], [3]], tf.constant(["p", "q"]), [5]),
        tf.scatter_nd([[0], [0]], tf.constant(["p", "q"]), [2]),
        tf.scatter_nd([[1], [1]], tf.constant([["p", "q"], ["r", "s"]]), [2, 2]),
        tf.scatter_nd(tf.zeros([0, 1], tf.int32), tf.zeros([0], tf.string), [2]),
        tf.tensor_scatter_update(tf.constant(NAMES), [[1]], ["Z"]),
        tf.gather_nd([["a", "b"], ["c", "d"]], [[0, 1], [1, 0]]),
    )
    assert found == [
        [b"p", b"", b"", b"q", b""],
        [b"pq", b""],
        [[b"", b""], [b"pr", b"qs"]],
        [b"", b""],
        [b"x", b"Z", b"", b"x"],
        [b"b", b"c"],
    ]


def test_shapes_and_checks():
    x = tf.constant(NAMES)
    found = run(
        *tf.shape_n([[["a"] * 3] * 2, x]), tf.ensure_shape(x, [4]), tf.ensure_shape(x, [None])
    )
    assert found == [[2, 3], [4], [b"x", b"yy", b"", b"x"], [b"x", b"yy", b"", b"x"]]
    given = tf.placeholder(tf.string, [None])
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError, match="compatible"):
        session.run(tf.ensure_shape(given, [3]), {given: NAMES})


def test_paddings_and_blocks():
    a = tf.constant([["a", "b", "c"], ["d", "e", "f"]])
    found = run(
        tf.pad(a, [[1, 0], [0, 1]]),
        tf.pad(a, [[1, 0], [0, 1]], "REFLECT"),
        tf.pad(a, [[0, 0], [1, 0]], "SYMMETRIC"),
        tf.space_to_depth(tf.reshape(NAMES, [1, 2, 2, 1]), 2),
        tf.depth_to_space(tf.reshape(NAMES, [1, 1, 1, 4]), 2),
        tf.parallel_stack([tf.constant("a"), tf.constant("b")]),
    )
    assert found == [
        [[b"", b"", b"", b""], [b"a", b"b", b"c", b""], [b"d", b"e", b"f", b""]],
        [[b"d", b"e", b"f", b"e"], [b"a", b"b", b"c", b"b"], [b"d", b"e", b"f", b"e"]],
        [[b"a", b"a", b"b", b"c"], [b"d", b"d", b"e", b"f"]],
        [[[[b"x", b"yy", b"", b"x"]]]],
        [[[[b"x"], [b"yy"]], [[b""], [b"x"]]]],
        [b"a", b"b"],
    ]


@pytest.mark.parametrize("resource", [False, True])
def test_updates_of_variables(resource):
    def changed(change):
        tf.reset_default_graph()
        v = tf.get_variable("v", initializer=tf.constant(["a", "b", "c"]), use_resource=resource)
        done = change(v)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(done)
            return session.run(v).tolist()

    assert changed(lambda v: tf.scatter_update(v, [0, 2], ["x", "y"])) == [b"x", b"b", b"y"]
    assert changed(lambda v: tf.scatter_update(v, [0, 1], "s")) == [b"s", b"s", b"c"]
    assert changed(lambda v: tf.scatter_nd_update(v, [[0], [2]], ["x", "y"])) == [b"x", b"b", b"y"]
    assert changed(lambda v: v[1:].assign(["q", "r"])) == [b"a", b"q", b"r"]
    assert changed(lambda v: v.initialized_value()) == [b"a", b"b", b"c"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 3 is not in \[0, 3\)"):
        changed(lambda v: tf.scatter_update(v, [3], ["x"]))


def test_a_variable_without_content():
    v = tf.get_variable("v", initializer=tf.constant(["a", "b"]))
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
            session.run(tf.scatter_update(v, [0], ["x"]))
        assert session.run(v.initialized_value()).tolist() == [b"a", b"b"]
        session.run(v.initializer)
        session.run(tf.scatter_update(v, [0], ["x"]))
        assert session.run(v.initialized_value()).tolist() == [b"x", b"b"]
