"""Rules at the corners of nn, control flow and checks: ties, nothing, wrong spellings."""

import numpy as np
import pytest

import tfc as tf


def _run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def _ties_gradient(x, window, strides, same):
    """dx where each window's element 1 goes to all places of its maximum: [d, h, w]."""
    pads = []
    for size, k, s in zip(x.shape, window, strides, strict=True):
        count = -(-size // s) if same else (size - k) // s + 1
        total = max((count - 1) * s + k - size, 0) if same else 0
        pads.append((count, total // 2))
    dx = np.zeros_like(x)
    for at in np.ndindex(*[count for count, _ in pads]):
        start = [i * s - low for i, s, (_, low) in zip(at, strides, pads, strict=True)]
        box = tuple(
            slice(max(a, 0), min(a + k, d)) for a, k, d in zip(start, window, x.shape, strict=True)
        )
        dx[box] += x[box] == x[box].max()
    return dx


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("window", "strides"), [((2, 2, 2), (1, 1, 1)), ((1, 3, 2), (1, 2, 2))])
def test_max_pool3d_gradient_goes_to_all_that_are_equally_large(padding, window, strides):
    x = np.random.RandomState(0).randint(0, 3, (3, 4, 5)).astype(np.float32)
    with tf.Graph().as_default():
        given = tf.placeholder(tf.float32, [1, 3, 4, 5, 1])
        y = tf.nn.max_pool3d(given, [1, *window, 1], [1, *strides, 1], padding)
        dx = _run(tf.gradients(y, given)[0], {given: x[None, ..., None]})
    wanted = _ties_gradient(x, window, strides, padding == "SAME")
    np.testing.assert_array_equal(dx[0, ..., 0], wanted)


def test_statistics_of_a_batch_of_nothing():
    with tf.Graph().as_default():
        _, mean, variance = tf.nn.fused_batch_norm(
            tf.zeros([0, 2, 2, 3]), tf.ones([3]), tf.zeros([3])
        )
        assert np.isnan(_run([mean, variance])).all()


def test_bias_of_channels_first_needs_an_axis_after_them():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="at least rank 3 but is rank 2"):
        tf.nn.bias_add(tf.zeros([2, 4]), tf.zeros([4]), "NCHW")


def test_axis_beside_dim():
    with tf.Graph().as_default():
        x = tf.zeros([2, 3])
        with pytest.raises(ValueError, match="Cannot specify both"):
            tf.nn.softmax_cross_entropy_with_logits(labels=x, logits=x, axis=0)


def test_explicit_padding_is_a_list():
    with tf.Graph().as_default():
        x, f = tf.zeros([1, 4, 4, 1]), tf.zeros([2, 2, 1, 1])
        with pytest.raises(ValueError, match="'EXPLICIT' is not a valid value for `padding`"):
            tf.nn.conv2d(x, f, [1, 1, 1, 1], "EXPLICIT")


# ---- control flow


@pytest.mark.parametrize("first", [True, False])
def test_branches_that_return_sparse_tensors(first):
    with tf.Graph().as_default():
        pred = tf.placeholder(tf.bool, [])
        made = tf.cond(
            pred,
            lambda: (tf.SparseTensor([[0, 1]], [1.0], [2, 2]), tf.constant(1)),
            lambda: (tf.SparseTensor([[1, 1], [1, 0]], [2.0, 3.0], [2, 2]), tf.constant(2)),
        )
        assert isinstance(made[0], tf.SparseTensor)
        with tf.Session() as session:
            value, number = session.run(made, {pred: first})
    assert number == (1 if first else 2)
    np.testing.assert_array_equal(value.indices, [[0, 1]] if first else [[1, 1], [1, 0]])
    np.testing.assert_array_equal(value.values, [1.0] if first else [2.0, 3.0])


def test_branches_that_return_indexed_slices():
    with tf.Graph().as_default():
        v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        pred = tf.placeholder(tf.bool, [])
        made = tf.cond(
            pred,
            lambda: tf.gradients(tf.gather(v, [0]), v)[0],
            lambda: tf.gradients(tf.gather(v, [1, 1]), v)[0],
        )
        assert isinstance(made, tf.IndexedSlices)
        np.testing.assert_array_equal(_run(made.indices, {pred: False}), [1, 1])


def test_branches_of_which_one_is_sparse():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="must be TensorArrays, Sparse"):
        tf.cond(
            tf.constant(True),
            lambda: tf.SparseTensor([[0, 1]], [1.0], [2, 2]),
            lambda: tf.constant(1.0),
        )


@pytest.mark.parametrize(
    ("index", "functions", "message"),
    [
        (lambda: 3, [lambda: 1], "branch_index must be a Tensor"),
        (lambda: tf.constant(1.0), [lambda: 1], "branch_index must be an integer Tensor"),
        (lambda: tf.constant(1), 3, "branch_fns must be a list, tuple, or dict"),
        (lambda: tf.constant(1), {"a": lambda: 1}, "key must be a Python `int`"),
    ],
)
def test_arguments_of_switch_case(index, functions, message):
    with tf.Graph().as_default(), pytest.raises(TypeError, match=message):
        tf.switch_case(index(), functions)


# ---- checks


def test_checks_of_other_types():
    with tf.Graph().as_default():
        with pytest.raises(TypeError):
            tf.assert_equal("a", tf.constant([1, 2]))
        with pytest.raises(TypeError, match="must be of type tf.int32; got float32"):
            tf.assert_rank_in(tf.zeros([2]), [1.5, 2.5])
        with pytest.raises(ValueError, match="Rank must be a scalar"):
            tf.assert_rank_in(tf.zeros([2]), [[1]])


def test_assert_has_something_to_say():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="passed list of length 0"):
        tf.Assert(tf.constant(True), [])


def test_a_vector_that_chooses_rows_says_nothing_of_the_shape():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 5])
        assert tf.where([True, False], x, x).get_shape().as_list() == [None, 5]
        with pytest.raises(ValueError, match="must be equal"):
            tf.where([True, False], tf.zeros([3, 2]), tf.zeros([3, 2]))


def test_names_follow_the_order_of_evaluation():
    def names(build):
        with tf.Graph().as_default() as graph:
            build(tf.placeholder(tf.float32, [2, 3], name="x"))
            return [op.name.split("/")[-1] for op in graph.get_operations()[1:]]

    made = names(lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(labels=x, logits=x))
    assert made[:5] == [
        "Rank", "Shape", "Rank_1", "Shape_1", "y",
    ]  # fmt: skip
    made = names(lambda x: tf.clip_by_global_norm([x], 1.0, use_norm=tf.reduce_sum(x)))
    assert made.index("truediv") < made.index("truediv_1") < made.index("Minimum")


def test_zeros_of_a_known_shape_are_a_constant_in_logistic_loss():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2, 3])
        tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=x)
        assert graph.get_operation_by_name("logistic_loss/zeros_like").type == "Const"


def test_custom_gradient_of_a_variable_that_it_reads():
    with tf.Graph().as_default():
        v = tf.get_variable("v", initializer=2.0, use_resource=True)

        @tf.custom_gradient
        def f(x):
            return x * v, lambda dy, variables: (dy * 5.0, [dy * 7.0 for _ in variables])

        x = tf.constant(3.0)
        y = f(x)
        assert _run([y, *tf.gradients(y, [x, v])]) == [6.0, 5.0, 7.0]


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        (lambda x: tf.nn.top_k(x), ("values", "indices")),
        (lambda x: tf.unique([1, 1]), ("y", "idx")),
        (lambda x: tf.unique_with_counts([1, 1]), ("y", "idx", "count")),
        (lambda x: tf.setdiff1d([1], [2]), ("out", "idx")),
        (lambda x: tf.qr(x), ("q", "r")),
        (lambda x: tf.linalg.slogdet(x), ("sign", "log_abs_determinant")),
        (
            lambda x: tf.nn.max_pool_with_argmax(
                tf.ones([1, 2, 2, 1]), [1, 2, 2, 1], [1, 1, 1, 1], "SAME"
            ),
            ("output", "argmax"),
        ),
    ],
)
def test_several_outputs_have_names(call, fields):
    with tf.Graph().as_default():
        result = call(tf.constant([[2.0, 1.0], [0.0, 3.0]]))
        assert result._fields == fields and isinstance(result, tuple)
        values = _run(result)
        assert values._fields == fields
        for name, value in zip(fields, values, strict=True):
            np.testing.assert_array_equal(_run(getattr(result, name)), value)


@pytest.mark.parametrize("shape", [[3, 2], None])
def test_embeddings_of_a_bounded_norm(shape):
    table = np.array([[3.0, 4.0], [0.0, 0.0], [0.3, 0.4]], np.float32)
    with tf.Graph().as_default():
        params = tf.placeholder(tf.float32, shape)
        rows = tf.nn.embedding_lookup(params, [0, 1, 2], max_norm=1.0)
        feed = {params: table}
        got, slope = _run([rows, tf.convert_to_tensor(tf.gradients(rows, params)[0])], feed)
    np.testing.assert_allclose(got, [[0.6, 0.8], [0, 0], [0.3, 0.4]], rtol=1e-6)
    assert np.isfinite(slope).all()  # also where the norm is zero


def test_a_sparse_tensor_shows_its_parts():
    with tf.Graph().as_default():
        shown = repr(tf.SparseTensor([[0]], [1.0], [2]))
    assert shown.startswith('SparseTensor(indices=Tensor("SparseTensor/indices:0"')


def test_nan_in_orders_and_extrema():
    """NaN stays in extrema, and counts as the greatest and as the least in orders. Where
    TensorFlow's result does not depend on packets or on how its sort goes about it, it is this."""
    nan = np.float32(np.nan)
    x = np.array([1, nan, 2, nan, 0], np.float32)
    columns = np.stack([x, np.arange(5, dtype=np.float32)], 1)
    volume = np.array([[0, 1], [nan, 3], [4, 5], [6, 7]], np.float32).reshape(1, 2, 2, 2, 1)
    fetches = [
        tf.segment_max(x, [0, 0, 1, 1, 2]), tf.segment_min(columns, [0, 0, 1, 1, 2]),
        tf.unsorted_segment_max(x, [0, 0, 1, 1, 2], 3),
        tf.reduce_max(columns, 0), tf.reduce_min(columns, 0),
        tf.nn.max_pool3d(volume, 2, 2, "VALID"), *tf.nn.top_k(x, 3),
        tf.sort(x), tf.sort(x, direction="DESCENDING"), tf.argsort(x),
    ]  # fmt: skip
    with tf.Session() as session:
        found = session.run(fetches)
    np.testing.assert_array_equal(found[0], [nan, nan, 0])
    np.testing.assert_array_equal(found[1], [[nan, 0], [nan, 2], [0, 4]])
    np.testing.assert_array_equal(found[2], [nan, nan, 0])
    np.testing.assert_array_equal(found[3], [nan, 4])
    np.testing.assert_array_equal(found[4], [nan, 0])
    assert found[5].ravel().tolist() == [7]  # of volumes, TensorFlow's kernel passes over NaN
    np.testing.assert_array_equal(found[6], [nan, nan, 2])
    assert found[7].tolist() == [1, 3, 2]
    np.testing.assert_array_equal(found[8], [nan, nan, 0, 1, 2])
    np.testing.assert_array_equal(found[9], [nan, nan, 2, 1, 0])
    assert found[10].tolist() == [1, 3, 4, 0, 2]
