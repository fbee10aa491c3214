"""Rows of variables: scatter methods, batch_scatter_update, sparse reads, gathers with batches."""

import numpy as np
import pytest

import tfc as tf

OLD = np.arange(1.0, 11.0).reshape(5, 2)
NEW = np.array([[2.0, -3.0], [0.5, 7.0], [4.0, 1.0]])
AT = np.array([3, 0, 3])
ONE = {"mul": np.multiply, "div": np.divide, "min": np.minimum, "max": np.maximum}


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("name", ["update", "add", "sub", *ONE])
@pytest.mark.parametrize("known", [True, False])
def test_scatter_methods(session, name, known):
    variable = tf.Variable(OLD)
    indices = tf.placeholder(tf.int32, [3] if known else None)
    updates = tf.placeholder(tf.float64, [3, 2] if known else None)
    changed = getattr(variable, f"scatter_{name}")(tf.IndexedSlices(updates, indices))
    session.run(tf.global_variables_initializer())
    got = session.run(changed, {indices: AT, updates: NEW})
    want = OLD.copy()
    for row, new in zip(AT, NEW, strict=True):
        combine = {"update": lambda old, new: new, "add": np.add, "sub": np.subtract} | ONE
        want[row] = combine[name](want[row], new)
    np.testing.assert_allclose(got, want, rtol=1e-15)
    np.testing.assert_allclose(session.run(variable), want, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "complex64", "bool"])
@pytest.mark.parametrize("method", [True, False])
def test_batch_scatter_update(session, dtype, method):
    old = np.arange(24).reshape(2, 3, 4).astype(dtype)
    new, at = (100 - np.arange(16).reshape(2, 2, 4)).astype(dtype), np.array([[2, 0], [1, 0]])
    variable = tf.Variable(old)
    if method:
        changed = variable.batch_scatter_update(tf.IndexedSlices(new, tf.constant(at)))
    else:
        changed = tf.batch_scatter_update(variable, at, new)
    session.run(tf.global_variables_initializer())
    want = old.copy()
    for batch in range(2):
        want[batch, at[batch]] = new[batch]
    np.testing.assert_array_equal(session.run(changed), want)


def test_batch_scatter_update_of_a_vector_is_scatter_update(session):
    variable = tf.Variable(OLD)
    changed = tf.batch_scatter_update(variable, np.array([4, 1], np.int32), NEW[:2])
    session.run(tf.global_variables_initializer())
    want = OLD.copy()
    want[[4, 1]] = NEW[:2]
    np.testing.assert_array_equal(session.run(changed), want)


def test_reads_of_places(session):
    variable = tf.Variable(OLD)
    session.run(tf.global_variables_initializer())
    rows, places = session.run([variable.sparse_read([4, 1]), variable.gather_nd([[4, 1], [0, 0]])])
    np.testing.assert_array_equal(rows, OLD[[4, 1]])
    np.testing.assert_array_equal(places, [10.0, 1.0])


@pytest.mark.parametrize("batch_dims", [0, 1, 2])
def test_gather_nd_with_batches(session, batch_dims):
    x = np.random.RandomState(0).randn(2, 3, 4)
    index = np.array([[[1], [0], [1]], [[1], [1], [0]]])
    indices = tf.placeholder(tf.int64, [None, None, None])
    got = session.run(tf.gather_nd(x, indices, batch_dims=batch_dims), {indices: index})
    rows = index[..., 0]
    b, r = np.ogrid[:2, :3]
    want = {0: x[rows], 1: x[b, rows], 2: x[b, r, rows]}[batch_dims]
    np.testing.assert_array_equal(got, want)


def test_errors(session):
    variable = tf.Variable(OLD)
    anything = tf.placeholder(tf.int32)
    with pytest.raises(TypeError, match="sparse_delta is not IndexedSlices"):
        variable.scatter_mul(tf.constant(1.0))
    with pytest.raises(TypeError, match="sparse_delta is not IndexedSlices"):
        variable.batch_scatter_update(tf.constant(1.0))
    with pytest.raises(ValueError, match="unknown shape"):
        tf.batch_scatter_update(variable, anything, NEW)
    with pytest.raises(ValueError, match="known rank"):
        tf.gather_nd(OLD, anything, batch_dims=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be at most axis"):
        session.run(tf.gather(np.zeros((1, 1, 1)), [[[0]]], axis=1, batch_dims=2))
    changed = tf.batch_scatter_update(variable, np.array([7], np.int32), NEW[:1])
    session.run(tf.global_variables_initializer())
    with pytest.raises(tf.errors.InvalidArgumentError, match="does not index into shape"):
        session.run(changed)
    np.testing.assert_array_equal(session.run(variable), OLD)
