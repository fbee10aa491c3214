"""Embedding lookups: norms, shards, half precision, and which rows a gradient names."""

import numpy as np
import pytest

import tfc as tf

TABLE = np.random.RandomState(0).randn(7, 3)
PLACES = np.array([[0, 0], [0, 2], [1, 1], [3, 0], [3, 1]])
IDS = np.array([1, 3, 0, 6, 3])
WEIGHTS = np.array([0.5, 2.0, 1.0, -1.0, 3.0])


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def within(rows, limit):
    norms = np.sqrt((rows**2).sum(-1, keepdims=True))
    return rows * np.minimum(1.0, limit / norms)


@pytest.mark.parametrize("ids", [np.array(4), np.array([1, 5]), np.array([[1, 2], [6, 0]])])
@pytest.mark.parametrize("known", [True, False])
def test_norms_of_rows_are_limited_at_any_rank(session, ids, known):
    table = tf.placeholder(tf.float64, [7, 3] if known else None)
    at = tf.placeholder(tf.int64, ids.shape if known else None)
    found = tf.nn.embedding_lookup(table, at, max_norm=0.9)
    got = session.run(found, {table: TABLE, at: ids})
    np.testing.assert_allclose(got, within(TABLE, 0.9)[ids], rtol=1e-12)


def test_norms_of_a_vector_of_numbers(session):
    found = tf.nn.embedding_lookup(tf.constant([-3.0, 0.5, 2.0]), [0, 1, 2], max_norm=1.0)
    np.testing.assert_allclose(session.run(found), [-1.0, 0.5, 1.0])


def test_gradient_through_the_norm(session):
    table = tf.placeholder(tf.float64, [7, 3])
    found = tf.nn.embedding_lookup(table, [1, 1, 5], max_norm=0.9)
    factors = np.arange(1.0, 10.0).reshape(3, 3)
    slope = tf.convert_to_tensor(tf.gradients(found * factors, table)[0])
    got = session.run(slope, {table: TABLE})
    for place in [(1, 0), (1, 2), (5, 1), (0, 0)]:
        moved = [TABLE.copy(), TABLE.copy()]
        moved[0][place] += 1e-6
        moved[1][place] -= 1e-6
        up, down = ((within(m, 0.9)[[1, 1, 5]] * factors).sum() for m in moved)
        np.testing.assert_allclose(got[place], (up - down) / 2e-6, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_sparse_lookup_has_each_row_once_in_its_gradient(session, weights):
    table = tf.placeholder(tf.float64, [7, 3])
    ids = tf.SparseTensor(PLACES, IDS, [4, 3])
    given = None if weights is None else tf.SparseTensor(PLACES, weights, [4, 3])
    found = tf.nn.embedding_lookup_sparse(table, ids, given, combiner="sum")
    slices = tf.gradients(found, table)[0]
    got = session.run(slices, {table: TABLE})
    assert got.indices.tolist() == [1, 3, 0, 6]
    factors = np.ones(5) if weights is None else weights
    want = np.array([factors[0], factors[1] + factors[4], factors[2], factors[3]])
    np.testing.assert_allclose(got.values, np.repeat(want[:, None], 3, axis=1), rtol=1e-12)


def test_half_precision_is_summed_in_single(session):
    table = np.array([[2048.0], [1.0], [1.0]], np.float16)
    ids = tf.SparseTensor([[0, 0], [0, 1], [0, 2]], [0, 1, 2], [1, 3])
    found = tf.nn.embedding_lookup_sparse(table, ids, None, combiner="sum")
    assert found.dtype == tf.float16
    assert session.run(found).tolist() == [[2050.0]]


@pytest.mark.parametrize("default_id", [None, 2])
@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
def test_safe_lookup_with_unknown_ranks(session, combiner, default_id):
    table = tf.placeholder(tf.float64)
    parts = tf.placeholder(tf.int64), tf.placeholder(tf.int64), tf.placeholder(tf.int64)
    weights = tf.placeholder(tf.float64)
    given = tf.SparseTensor(parts[0], weights, parts[2])
    found = tf.nn.safe_embedding_lookup_sparse(
        table, tf.SparseTensor(*parts), given, combiner, default_id
    )
    ids = np.array([1, -1, 0, 6, 3])
    feed = {table: TABLE, parts[0]: PLACES, parts[1]: ids, parts[2]: [5, 3], weights: WEIGHTS}
    got = session.run(found, feed)
    empty = np.zeros(3) if default_id is None else TABLE[default_id]
    want = []
    for row in range(5):
        kept = (PLACES[:, 0] == row) & (ids >= 0) & ((WEIGHTS > 0) | (combiner == "sum"))
        w = WEIGHTS[kept]
        below = {"sum": 1.0, "mean": w.sum(), "sqrtn": np.sqrt((w * w).sum())}[combiner]
        want.append((TABLE[ids[kept]] * w[:, None]).sum(0) / below if kept.any() else empty)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_safe_lookup_leaves_rows_alone_that_no_id_names(session):
    """An invalid id is no lookup of row 0: an optimizer with momentum must not touch that row."""
    table = tf.Variable(np.ones((3, 2)))
    ids = tf.SparseTensor([[0, 0], [0, 1]], np.array([2, -1]), [1, 2])
    slices = tf.gradients(tf.nn.safe_embedding_lookup_sparse(table, ids), table)[0]
    session.run(tf.global_variables_initializer())
    assert session.run(slices.indices).tolist() == [2]


def test_errors():
    ids = tf.SparseTensor(PLACES, IDS, [4, 3])
    with pytest.raises(ValueError, match="Shapes|Dimension|incompatible"):
        tf.nn.embedding_lookup([TABLE, TABLE[:, :2]], [1, 2])
    with pytest.raises(ValueError, match="float64"):
        weights = tf.SparseTensor(PLACES, WEIGHTS.astype("f"), [4, 3])
        tf.nn.safe_embedding_lookup_sparse(tf.constant(TABLE), ids, weights)
