"""Neural network ops: values against numpy, gradients, names, errors."""

import numpy as np
import pytest

import tfc as tf
from tests.ops.evaluate import evaluate
from tests.ops.gradcheck import check_gradient

R = np.random.RandomState(5)


pytestmark = pytest.mark.usefixtures("fresh_graph")


def close(tensor, expected, feeds=None, tolerance=1e-12):
    (value,) = evaluate([tensor], feeds)
    assert value.shape == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


X = R.standard_normal((4, 5))
LABELS = softmax(R.standard_normal((4, 5)))
IMAGE = R.standard_normal((2, 5, 6, 3))

ACTIVATIONS = {
    "relu": (tf.nn.relu, lambda x: np.maximum(x, 0)),
    "relu6": (lambda x: tf.nn.relu6(4.0 * x), lambda x: np.clip(4 * x, 0, 6)),
    "elu": (tf.nn.elu, lambda x: np.where(x < 0, np.expm1(x), x)),
    "leaky_relu": (tf.nn.leaky_relu, lambda x: np.where(x > 0, x, float(np.float32(0.2)) * x)),
    "softplus": (tf.nn.softplus, lambda x: np.log1p(np.exp(x))),
    "softsign": (tf.nn.softsign, lambda x: x / (1 + abs(x))),
    "softmax": (tf.nn.softmax, softmax),
    "softmax axis 0": (lambda x: tf.nn.softmax(x, axis=0), lambda x: softmax(x.T).T),
    "log_softmax": (tf.nn.log_softmax, lambda x: np.log(softmax(x))),
    "crelu": (tf.nn.crelu, lambda x: np.maximum(np.concatenate([x, -x], -1), 0)),
    "l2_normalize": (
        lambda x: tf.nn.l2_normalize(x, 1),
        lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)),
    ),
    "l2_loss": (tf.nn.l2_loss, lambda x: (x * x).sum() / 2),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    function, meaning = ACTIVATIONS[name]
    close(function(tf.constant(X)), meaning(X))
    check_gradient(function, X.copy())


@pytest.mark.parametrize("name", ["elu", "selu", "softplus", "leaky_relu", "softmax"])
def test_second_derivative(name):
    function = getattr(tf.nn, name)

    def first(x):
        return tf.gradients(function(x) * x, x)[0]

    check_gradient(first, X.copy())


def test_relu_propagates_nan_and_has_no_slope_at_zero():
    x = tf.placeholder(tf.float32, [4])
    y = tf.nn.relu(x)
    (grad,) = tf.gradients(y, x)
    values = np.float32([np.nan, 0.0, -1.0, 2.0])
    got, slope = evaluate([y, grad], {x: values})
    np.testing.assert_array_equal(got, [np.nan, 0, 0, 2])
    np.testing.assert_array_equal(slope[1:], [0, 0, 1])


def test_cross_entropy():
    expected = -(LABELS * np.log(softmax(X))).sum(-1)
    for function in (
        tf.nn.softmax_cross_entropy_with_logits,
        tf.nn.softmax_cross_entropy_with_logits_v2,
    ):
        close(function(labels=tf.constant(LABELS), logits=tf.constant(X)), expected)
    v2 = tf.nn.softmax_cross_entropy_with_logits_v2
    check_gradient(lambda x, z: v2(labels=z, logits=x), X.copy(), LABELS.copy())
    columns = softmax(X.T).T  # the gradient takes it that labels sum to one
    check_gradient(lambda x, z: v2(labels=z, logits=x, dim=0), X.copy(), columns)

    def first(x):
        return tf.gradients(v2(labels=tf.constant(LABELS), logits=x) ** 2.0, x)[0]

    check_gradient(first, X.copy(), tolerance=1e-5)
    with pytest.raises(ValueError, match="named arguments"):
        tf.nn.softmax_cross_entropy_with_logits(LABELS, X)


def test_sparse_cross_entropy():
    classes = np.array([0, 4, 2, 2])
    expected = -np.log(softmax(X))[np.arange(4), classes]
    sparse = tf.nn.sparse_softmax_cross_entropy_with_logits
    for dtype in (tf.int32, tf.int64):
        labels = tf.placeholder(dtype, [None])
        close(sparse(labels=labels, logits=tf.constant(X)), expected, {labels: classes})
    check_gradient(lambda x: sparse(labels=tf.constant(classes), logits=x), X.copy())
    with (
        tf.Session() as sess,
        pytest.raises(
            tf.errors.InvalidArgumentError,
            match="label value of 5 which is outside the valid range",
        ),
    ):
        sess.run(sparse(labels=labels, logits=tf.constant(X)), {labels: [0, 1, 5, 2]})
    with pytest.raises(LookupError, match="second derivative"):
        x = tf.placeholder(tf.float64, [4, 5])
        (first,) = tf.gradients(sparse(labels=tf.constant(classes), logits=x), x)
        tf.gradients(first, x)
    with pytest.raises(ValueError, match="Rank mismatch"):
        sparse(labels=tf.zeros([4, 1], tf.int32), logits=tf.constant(X))


def test_sigmoid_cross_entropy():
    z = 1 / (1 + np.exp(-X))
    expected = -LABELS * np.log(z) - (1 - LABELS) * np.log(1 - z)
    sigmoid = tf.nn.sigmoid_cross_entropy_with_logits
    close(sigmoid(labels=tf.constant(LABELS), logits=tf.constant(X)), expected)
    check_gradient(lambda x, z: sigmoid(labels=z, logits=x), X.copy(), LABELS.copy())


def convolve(x, f, strides, padding, dilation=1):
    """The definition, written out."""
    n, *size, _ = x.shape
    window = [(k - 1) * dilation + 1 for k in f.shape[:2]]
    if padding == "SAME":
        out = [-(-s // t) for s, t in zip(size, strides, strict=True)]
        total = [
            max((o - 1) * t + k - s, 0)
            for o, t, k, s in zip(out, strides, window, size, strict=True)
        ]
        x = np.pad(x, [(0, 0)] + [(p // 2, p - p // 2) for p in total] + [(0, 0)])
    else:
        out = [(s - k) // t + 1 for s, t, k in zip(size, strides, window, strict=True)]
    y = np.zeros((n, *out, f.shape[-1]))
    for i, j in np.ndindex(*out):
        a, b = i * strides[0], j * strides[1]
        part = x[:, a : a + window[0] : dilation, b : b + window[1] : dilation]
        y[:, i, j] = np.tensordot(part, f, 3)
    return y


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (2, 3)], ids=str)
def test_conv2d(padding, strides):
    f = R.standard_normal((3, 2, 3, 4))
    expected = convolve(IMAGE, f, strides, padding)
    steps = [1, *strides, 1]
    close(tf.nn.conv2d(tf.constant(IMAGE), tf.constant(f), steps, padding), expected)
    first = tf.nn.conv2d(
        tf.constant(IMAGE.transpose(0, 3, 1, 2)),
        tf.constant(f),
        [1, 1, *strides],
        padding,
        data_format="NCHW",
    )
    close(first, expected.transpose(0, 3, 1, 2))
    small = IMAGE[:1, :4, :4].copy()
    check_gradient(lambda x, k: tf.nn.conv2d(x, k, steps, padding), small, f.copy())


def test_conv2d_dilated_grouped_and_transposed():
    f = R.standard_normal((2, 2, 3, 2))
    got = tf.nn.conv2d(
        tf.constant(IMAGE), tf.constant(f), [1, 1, 1, 1], "VALID", dilations=[1, 2, 2, 1]
    )
    close(got, convolve(IMAGE, f, (1, 1), "VALID", 2))
    small = IMAGE[:1, :3, :3].copy()
    check_gradient(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"), small, f.copy())
    back = R.standard_normal((2, 2, 2, 3))
    check_gradient(
        lambda x, k: tf.nn.conv2d_transpose(x, k, [1, 6, 6, 2], [1, 2, 2, 1], "SAME"),
        small,
        back,
    )


def pooled(x, size, stride, padding, how):
    n, h, w, c = x.shape
    if padding == "SAME":
        out = [-(-d // stride) for d in (h, w)]
        total = [max((o - 1) * stride + size - d, 0) for o, d in zip(out, (h, w), strict=True)]
        x = np.pad(
            x, [(0, 0)] + [(p // 2, p - p // 2) for p in total] + [(0, 0)], constant_values=np.nan
        )
    else:
        out = [(d - size) // stride + 1 for d in (h, w)]
    y = np.zeros((n, *out, c))
    for i, j in np.ndindex(*out):
        a, b = i * stride, j * stride
        y[:, i, j] = how(x[:, a : a + size, b : b + size], axis=(1, 2))
    return y


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size, stride", [(2, 2), (3, 1), (3, 2), (2, 3)])
def test_pooling(padding, size, stride):
    window, steps = [1, size, size, 1], [1, stride, stride, 1]
    for function, how in ((tf.nn.max_pool, np.nanmax), (tf.nn.avg_pool, np.nanmean)):
        expected = pooled(IMAGE, size, stride, padding, how)
        close(function(tf.constant(IMAGE), window, steps, padding), expected)
        first = function(
            tf.constant(IMAGE.transpose(0, 3, 1, 2)),
            [1, 1, size, size],
            [1, 1, stride, stride],
            padding,
            data_format="NCHW",
        )
        close(first, expected.transpose(0, 3, 1, 2))
        small = IMAGE[:1, :5, :4, :1].copy()
        check_gradient(lambda x: function(x, window, steps, padding), small)  # noqa: B023


def test_max_pool_gradient_goes_to_the_first_of_equals():
    x = tf.placeholder(tf.float32, [1, 2, 2, 1])
    y = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    (grad,) = tf.gradients(y, x)
    close(grad, np.float32([[[[0], [1]], [[0], [0]]]]), {x: [[[[0], [3]], [[3], [3]]]]})


def test_bias_moments_and_normalisation():
    bias = R.standard_normal(3)
    close(tf.nn.bias_add(tf.constant(IMAGE), bias), IMAGE + bias)
    first = tf.constant(IMAGE.transpose(0, 3, 1, 2))
    got = tf.nn.bias_add(first, bias, "NCHW")
    close(got, IMAGE.transpose(0, 3, 1, 2) + bias[:, None, None])
    check_gradient(lambda x, b: tf.nn.bias_add(x, b) ** 2.0, IMAGE[:1, :2, :2].copy(), bias)
    mean, variance = tf.nn.moments(tf.constant(IMAGE), [0, 1, 2])
    close(mean, IMAGE.mean((0, 1, 2)))
    close(variance, IMAGE.var((0, 1, 2)))
    check_gradient(lambda x: tf.stack(tf.nn.moments(x, [0])), X.copy())


def test_fused_batch_norm_is_moments_and_batch_normalization():
    x, scale, offset = (v.astype(np.float32) for v in (IMAGE, R.rand(3), R.rand(3)))
    a, s, o = tf.constant(x), tf.constant(scale), tf.constant(offset)
    fused, mean, _ = tf.nn.fused_batch_norm(a, s, o, epsilon=0.01)
    plain = tf.nn.batch_normalization(a, *tf.nn.moments(a, [0, 1, 2]), o, s, 0.01)
    weights = tf.constant(R.standard_normal(x.shape).astype(np.float32))
    both = [tf.gradients(y, [a, s, o], grad_ys=[weights]) for y in (fused, plain)]
    values = evaluate([fused, plain, *both[0], *both[1]])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4, atol=1e-5)
    for got, want in zip(values[2:5], values[5:], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
    close(mean, x.mean((0, 1, 2)), tolerance=1e-5)


def test_dropout_keeps_the_share_and_the_mean():
    x = tf.ones([200, 100])
    y = tf.nn.dropout(x, 0.25, seed=3)
    (value,) = evaluate([y])
    kept = value != 0
    np.testing.assert_allclose(value[kept], 4.0)
    assert abs(kept.mean() - 0.25) < 0.02
    assert tf.nn.dropout(x, 1.0) is x
    rows = tf.nn.dropout(x, 0.5, noise_shape=[200, 1], seed=1)
    (value,) = evaluate([rows])
    assert ((value == 0).all(1) | (value != 0).all(1)).all()
    with pytest.raises(ValueError, match=r"range \(0, 1\], got 1.5"):
        tf.nn.dropout(x, 1.5)


def test_dropout_names():
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    tf.nn.dropout(x, 0.5)
    names = [op.name for op in tf.get_default_graph().get_operations()]
    assert names[1:3] == ["dropout/keep_prob", "dropout/Shape"]
    assert "dropout/random_uniform/RandomUniform" in names
    assert names[-4:] == ["dropout/add", "dropout/div", "dropout/Floor", "dropout/mul"]


def test_in_top_k_and_embeddings():
    scores = np.float32([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1], [np.nan, 1, 2]])
    got = evaluate([tf.nn.in_top_k(scores, [2, 1, 2], k) for k in (1, 2)])
    np.testing.assert_array_equal(got, [[False, True, False], [True, True, False]])
    table = R.standard_normal((5, 2))
    ids = tf.constant([4, 0, 0, 3])
    close(tf.nn.embedding_lookup(tf.constant(table), ids), table[[4, 0, 0, 3]])
    shards = [tf.constant(table[0::2]), tf.constant(table[1::2])]
    close(tf.nn.embedding_lookup(shards, ids), table[[4, 0, 0, 3]])


def test_summaries():
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = tf.placeholder(tf.float32, [None])
    merged = tf.summary.merge([tf.summary.scalar("loss", 2.5), tf.summary.histogram("w", values)])
    (text,) = evaluate([merged], {values: [-3.0, 0.0, 0.0, 1.0]})
    loss, w = Summary.FromString(text[()]).value
    assert (loss.tag, loss.simple_value) == ("loss", 2.5)
    assert (w.histo.min, w.histo.max, w.histo.num, w.histo.sum) == (-3, 1, 4, -2)
    counts = dict(zip(w.histo.bucket_limit, w.histo.bucket, strict=True))
    assert counts[1e-12] == 2 and sum(counts.values()) == 4
    (limit,) = [k for k, v in counts.items() if v == 1 and k > 0]
    assert 1 < limit < 1.1 * 1.0001
    with (
        tf.Session() as sess,
        pytest.raises(tf.errors.InvalidArgumentError, match="Nan in summary histogram"),
    ):
        sess.run(merged, {values: [np.nan]})
