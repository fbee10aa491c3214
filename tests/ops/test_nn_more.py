"""Dilation, fractional and 1-D pools, CTC, sparse embedding lookups, Hessians, tf.test."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.ops.gradcheck import check_gradient

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(y, feed)


# ---- pools and dilation


def dilated(x: np.ndarray, k: np.ndarray, stride: int, rate: int) -> np.ndarray:
    """Dilation without padding, window by window."""
    reach = [(n - 1) * rate + 1 for n in k.shape[:2]]
    rows, columns = ((d - r) // stride + 1 for d, r in zip(x.shape[1:3], reach, strict=True))
    y = np.empty((x.shape[0], rows, columns, x.shape[3]))
    for i, j in np.ndindex(rows, columns):
        top, left = i * stride, j * stride
        window = x[:, top : top + reach[0] : rate, left : left + reach[1] : rate]
        y[:, i, j] = (window + k).max((1, 2))
    return y


@pytest.mark.parametrize(("stride", "rate"), [(1, 1), (2, 1), (1, 2)])
def test_dilation_and_erosion(stride: int, rate: int) -> None:
    rs = np.random.RandomState(0)
    x, k = rs.normal(size=(2, 6, 7, 2)), rs.normal(size=(3, 2, 2))
    attrs = [1, stride, stride, 1], [1, rate, rate, 1]
    y = tf.nn.dilation2d(x, k, *attrs, "VALID")
    expected = dilated(x, k, stride, rate)
    assert y.shape == expected.shape
    np.testing.assert_allclose(run(y), expected)
    eroded = tf.nn.erosion2d(x, k, *attrs, "VALID")
    assert eroded.op.inputs[0].op.name == eroded.op.name.rsplit("/", 1)[0]
    np.testing.assert_allclose(run(eroded), -dilated(-x, k[::-1, ::-1], stride, rate))


def test_dilation_gradients_and_errors() -> None:
    rs = np.random.RandomState(1)
    x, k = rs.normal(size=(1, 4, 4, 2)), rs.normal(size=(2, 3, 2))
    check_gradient(lambda a, b: tf.nn.dilation2d(a, b, [1, 2, 1, 1], [1, 1, 1, 1], "SAME"), x, k)
    with pytest.raises(ValueError, match="must be equal"):
        tf.nn.dilation2d(x, k[:, :, :1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
    with pytest.raises(tf.errors.UnimplementedError):
        run(tf.nn.dilation2d(x, k, [1, 1, 1, 2], [1, 1, 1, 1], "SAME"))


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_fractional_pools(kind: str, overlapping: bool) -> None:
    x = np.random.RandomState(0).normal(size=(2, 11, 13, 2))
    function = getattr(tf.nn, f"fractional_{kind}_pool")
    y, rows, columns = run(
        function(x, [1, 1.5, 1.4, 1], overlapping=overlapping, deterministic=True, seed=3, seed2=5)
    )
    assert rows.tolist() == [0, 1, 2, 4, 5, 7, 9, 11]
    assert columns.tolist() == [0, 1, 3, 4, 5, 7, 9, 11, 12, 13]
    extra = int(overlapping)
    for i, j in np.ndindex(7, 9):
        window = x[:, rows[i] : rows[i + 1] + extra, columns[j] : columns[j + 1] + extra]
        np.testing.assert_allclose(y[:, i, j], getattr(window, "max" if kind == "max" else "mean")(
            axis=(1, 2)))  # fmt: skip


def test_fractional_pools_differ_between_runs_and_have_gradients() -> None:
    x = np.random.RandomState(0).normal(size=(1, 7, 8, 1))
    options = {"pseudo_random": True, "deterministic": True, "seed": 3, "seed2": 5}
    for function in (tf.nn.fractional_max_pool, tf.nn.fractional_avg_pool):
        check_gradient(lambda v, f=function: f(v, [1, 1.7, 2.1, 1], **options)[0], x)
    _, rows, columns = tf.nn.fractional_max_pool(np.zeros((1, 11, 13, 1)), [1, 1.5, 1.4, 1],
                                                 **options)  # fmt: skip
    assert run(rows).tolist() == [0, 1, 3, 4, 6, 8, 9, 11]
    assert run(columns).tolist() == [0, 2, 3, 4, 6, 7, 9, 10, 12, 13]
    moving = tf.nn.fractional_max_pool(np.zeros((1, 31, 31, 1)), [1, 1.5, 1.5, 1], seed=1)[1]
    with tf.Session() as session:
        assert len({tuple(session.run(moving)) for _ in range(4)}) > 1


def test_pools_of_every_rank() -> None:
    x = np.arange(8.0).reshape(1, 8, 1)
    for value in (2, [2], [1, 2, 1]):
        assert run(tf.nn.max_pool1d(x, value, 2, "VALID"))[0, :, 0].tolist() == [1, 3, 5, 7]
    assert run(tf.nn.avg_pool1d(x, 4, 4, "VALID"))[0, :, 0].tolist() == [1.5, 5.5]
    flipped = run(tf.nn.max_pool1d(x.reshape(1, 1, 8), 2, 2, "VALID", data_format="NCW"))
    assert flipped[0, 0].tolist() == [1, 3, 5, 7]
    image = x.reshape(1, 2, 4, 1)
    assert run(tf.nn.max_pool2d(image, 2, 2, "VALID")).ravel().tolist() == [5, 7]
    assert run(tf.nn.max_pool_v2(image, [2], [1, 2], "VALID")).ravel().tolist() == [5, 7]
    assert run(tf.nn.avg_pool_v2(x, 8, 8, "VALID")).ravel().tolist() == [3.5]
    assert run(tf.nn.max_pool_v2(image[..., None], 2, 2, "SAME")).size == 2
    with pytest.raises(ValueError, match="rank"):
        tf.nn.max_pool_v2(np.zeros(3), 2, 2, "SAME")


# ---- CTC


def sparse(rows: list[list[int]], steps: int) -> Any:
    places = [(b, i) for b, row in enumerate(rows) for i in range(len(row))]
    labels = np.array([v for row in rows for v in row], np.int32)
    return tf.SparseTensor(np.array(places, np.int64), labels, [len(rows), steps])


def ctc_by_paths(logits: np.ndarray, labels: list[int], merge: bool) -> float:
    """-log of the summed probability of all paths that collapse to the labels."""
    steps, classes = logits.shape
    log_y = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        kept = [c for i, c in enumerate(path) if not (merge and i and path[i - 1] == c)]
        if [c for c in kept if c != classes - 1] == labels:
            total += np.exp(sum(log_y[t, c] for t, c in enumerate(path)))
    return float(-np.log(total)) if total else np.inf


@pytest.mark.parametrize("merge", [True, False])
def test_ctc_loss_is_a_sum_over_paths(merge: bool) -> None:
    x = np.random.RandomState(0).normal(size=(5, 3, 4)) * 2
    rows, lengths = [[0, 1], [2, 2], [1]], [5, 4, 3]
    expected = [
        ctc_by_paths(x[:n, b], row, merge)
        for b, (row, n) in enumerate(zip(rows, lengths, strict=True))
    ]
    loss = tf.nn.ctc_loss(sparse(rows, 5), x, lengths, ctc_merge_repeated=merge)
    np.testing.assert_allclose(run(loss), expected, rtol=1e-10)
    by_batch = tf.nn.ctc_loss(
        sparse(rows, 5), logits=x.transpose(1, 0, 2), sequence_length=lengths,
        ctc_merge_repeated=merge, time_major=False,
    )  # fmt: skip
    np.testing.assert_allclose(run(by_batch), expected, rtol=1e-10)


def test_ctc_gradients_and_labels() -> None:
    x = np.random.RandomState(1).normal(size=(4, 2, 3))
    check_gradient(lambda v: tf.nn.ctc_loss(sparse([[0, 1], [1]], 4), v, [4, 3]), x)
    repeated = run(tf.nn.ctc_loss(sparse([[0, 0, 1, 1], [0]], 4), x, [4, 4],
                                  preprocess_collapse_repeated=True))  # fmt: skip
    np.testing.assert_allclose(repeated, run(tf.nn.ctc_loss(sparse([[0, 1], [0]], 4), x, [4, 4])))
    long = tf.nn.ctc_loss(sparse([[0, 1, 0], [0]], 4), tf.constant(x), [2, 4],
                          ignore_longer_outputs_than_inputs=True)  # fmt: skip
    assert run(long)[0] == 0


@pytest.mark.parametrize(
    ("rows", "lengths", "message"),
    [
        ([[0, 1], [0]], [1, 4], "Not enough time"),
        ([[0, 1], [0]], [4, 5], "sequence_length"),
        ([[2, 1], [0]], [4, 4], "non-null label"),
        ([[-1, 1], [0]], [4, 4], "nonnegative"),
        ([[0, 1], []], [4, 4], "Labels length is zero"),
    ],
)
def test_ctc_errors(rows: Any, lengths: Any, message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        run(tf.nn.ctc_loss(sparse(rows, 4), np.zeros((4, 2, 3), np.float32), lengths))


def test_ctc_wants_sparse_labels() -> None:
    with pytest.raises(TypeError, match="SparseTensor"):
        tf.nn.ctc_loss(tf.constant([[0]]), np.zeros((4, 1, 3), np.float32), [4])


def test_ctc_decoders() -> None:
    best = [0, 0, 2, 0, 1, 1]
    x = np.full((6, 1, 3), -5.0)
    x[np.arange(6), 0, best] = 5.0
    (greedy,), score = tf.nn.ctc_greedy_decoder(x, [6])
    values = run([greedy.values, greedy.indices, greedy.dense_shape, score])
    assert values[0].tolist() == [0, 0, 1] and values[1].tolist() == [[0, 0], [0, 1], [0, 2]]
    assert values[2].tolist() == [1, 3] and values[3].tolist() == [[-30.0]]
    (plain,), _ = tf.nn.ctc_greedy_decoder(x, [6], merge_repeated=False)
    assert run(plain.values).tolist() == [0, 0, 0, 1, 1]
    logits = np.random.RandomState(2).normal(size=(4, 1, 3))
    paths, chances = tf.nn.ctc_beam_search_decoder(logits, [4], 100, 3, merge_repeated=False)
    found, log_p = run([[path.values for path in paths], chances])
    every = [list(c) for n in range(5) for c in itertools.product(range(2), repeat=n)]
    ranked = sorted(every, key=lambda labels: ctc_by_paths(logits[:, 0], labels, True))
    assert [f.tolist() for f in found] == ranked[:3]
    expected = [-ctc_by_paths(logits[:, 0], labels, True) for labels in ranked[:3]]
    np.testing.assert_allclose(log_p[0], expected, rtol=1e-9)
    with pytest.raises(tf.errors.InvalidArgumentError, match="more paths"):
        run(tf.nn.ctc_beam_search_decoder(logits, [4], 1, 2)[1])
    for widths in ({"beam_width": 0}, {"top_paths": 0}):
        with pytest.raises(
            ValueError, match="'CTCBeamSearchDecoder' Op passed 0 less than minimum"
        ):
            tf.nn.ctc_beam_search_decoder(logits, [4], **widths)
    (path,), _ = tf.nn.ctc_beam_search_decoder_v2(logits, [4])
    assert run(path.values).tolist() == ranked[0]


# ---- embeddings


def combined(rows: np.ndarray, weights: np.ndarray, how: str) -> np.ndarray:
    scale = {"sum": 1, "mean": weights.sum(), "sqrtn": np.sqrt((weights**2).sum())}[how]
    result: np.ndarray = (rows * weights[:, None]).sum(0) / scale
    return result


@pytest.mark.parametrize("how", ["sum", "mean", "sqrtn"])
@pytest.mark.parametrize("shards", [1, 2])
def test_sparse_embedding_lookups(how: str, shards: int) -> None:
    table = np.random.RandomState(0).normal(size=(6, 3))
    tables = [tf.constant(table[i::shards]) for i in range(shards)]
    places, ids = [[0, 0], [0, 1], [2, 0]], np.array([1, 3, 0])
    weights = np.array([1.0, 2.0, 0.5])
    shape = [4, 2]
    sp_ids = tf.SparseTensor(places, ids, shape)
    for given in (None, weights):
        w = np.ones(3) if given is None else given
        sp_w = None if given is None else tf.SparseTensor(places, given, shape)
        first, third = combined(table[[1, 3]], w[:2], how), combined(table[[0]], w[2:], how)
        found = run(tf.nn.embedding_lookup_sparse(tables, sp_ids, sp_w, combiner=how))
        np.testing.assert_allclose(found, [first, [0, 0, 0], third], rtol=1e-12)
        safe = tf.nn.safe_embedding_lookup_sparse(
            tables, sp_ids, sp_w, combiner=how, default_id=5, partition_strategy="mod"
        )
        assert safe.shape == (4, 3)
        np.testing.assert_allclose(run(safe), [first, table[5], third, table[5]], rtol=1e-12)


def test_safe_embedding_lookup_leaves_out_invalid_ids() -> None:
    table = np.arange(8.0).reshape(4, 2)
    ids = tf.SparseTensor([[0, 0, 0], [0, 0, 1], [1, 0, 0]], [1, -1, -2], [2, 1, 2])
    found = tf.nn.safe_embedding_lookup_sparse(tf.constant(table), ids)
    assert run(found).tolist() == [[[2.0, 3.0]], [[0.0, 0.0]]]
    with pytest.raises(ValueError, match="Missing embedding_weights"):
        tf.nn.safe_embedding_lookup_sparse(None, ids)
    with pytest.raises(ValueError, match="combiner"):
        tf.nn.embedding_lookup_sparse(table, ids, None, combiner="max")
    with pytest.raises(TypeError, match="SparseTensor"):
        tf.nn.embedding_lookup_sparse(table, [0], None)


# ---- derivatives


def test_hessians() -> None:
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]], tf.float64)
    (found,) = tf.hessians(tf.reduce_sum(x**3), x)
    assert found.shape == (2, 2, 2, 2)
    expected = np.diag([6.0, 12, 18, 24]).reshape(2, 2, 2, 2)
    np.testing.assert_allclose(run(found), expected)
    v = tf.placeholder(tf.float64, [None])
    (found,) = tf.hessians(tf.reduce_prod(v), v)
    np.testing.assert_allclose(run(found, {v: [2.0, 3, 5]}), [[0, 5, 3], [5, 0, 2], [3, 2, 0]])
    with pytest.raises(ValueError, match="do not depend"):
        tf.hessians(tf.constant(1.0), x)


def test_gradient_checker() -> None:
    x = tf.placeholder(tf.float64, [2, 2])
    y = tf.matmul(x, x)
    with tf.Session():
        theory, numbers = tf.test.compute_gradient(x, [2, 2], y, [2, 2])
        assert theory.shape == (4, 4)
        np.testing.assert_allclose(theory, numbers, atol=1e-8)
        wrong = tf.custom_gradient(lambda t: (t * t, lambda dy: dy))(x)
        assert tf.test.compute_gradient_error(x, [2, 2], wrong, [2, 2], np.ones((2, 2))) > 0.9
        both = tf.test.compute_gradient([x], [[2, 2]], y, [2, 2], [np.eye(2)])
        assert len(both) == 1
    with pytest.raises(ValueError, match="default Session"):
        tf.test.compute_gradient(x, [2, 2], y, [2, 2])


class Example(tf.test.TestCase):
    __test__ = False

    def runTest(self) -> None:
        with self.cached_session():
            self.assertAllClose(self.evaluate(tf.constant([1.0])), [1.0])
            self.assertAllEqual(tf.constant([1, 2]), [1, 2])
            self.assertAllClose({"a": [1.0, tf.constant(2.0)]}, {"a": [1.0, 2.0]})
        with self.session() as session:
            self.assertNear(session.run(tf.constant(1.0)), 1.05, 0.1)
            with self.assertRaisesOpError("nan"):
                session.run(tf.check_numerics([np.nan], "nan"))
        self.assertShapeEqual(np.zeros((2, 3)), tf.zeros([2, 3]))
        self.assertAllInRange([1, 2], 1, 2)
        self.assertNotAllClose([1.0], [2.0])
        self.assertAllCloseAccordingToType(np.float16([1]), np.float16([1.0005]))
        with self.assertRaises(AssertionError):
            self.assertAllEqual([1], [2])
        with self.assertRaises(AssertionError):
            self.assertAllClose([1.0], [1.1])
        self.assertEqual(tf.get_default_graph().seed, 87654321)


def test_test_case() -> None:
    result = Example().run()
    assert result is not None and result.wasSuccessful(), result.errors + result.failures
    assert tf.test.gpu_device_name() == "" and not tf.test.is_built_with_cuda()
    assert not tf.test.is_gpu_available()
