"""Gradients against central differences in float64, op by op, through compiled code.

Each row is an expression over `tf` and inputs a, b, c; the check projects the output on a fixed
random direction, so one scalar function is differentiated.
"""

import numpy as np
import pytest

import tfc as tf
from tests.ops.gradcheck import central_difference


def _values(shape, seed, low=-1.5, high=1.5):
    return np.random.RandomState(seed).uniform(low, high, shape)


M, V, S = (3, 4), (4,), ()
ANY = (-1.5, 1.5)
POSITIVE = (0.3, 2.0)
INSIDE = (-0.9, 0.9)
LARGE = (1.1, 3.0)

UNARY = {
    "negative": ANY, "abs": ANY, "square": ANY, "sqrt": POSITIVE, "rsqrt": POSITIVE, "exp": ANY,
    "expm1": ANY, "log": POSITIVE, "log1p": INSIDE, "sin": ANY, "cos": ANY, "tan": INSIDE,
    "asin": INSIDE, "acos": INSIDE, "atan": ANY, "sinh": ANY, "cosh": ANY, "tanh": ANY,
    "asinh": ANY, "acosh": LARGE, "atanh": INSIDE, "sigmoid": ANY, "erf": ANY, "erfc": ANY,
    "lgamma": POSITIVE, "reciprocal": POSITIVE, "identity": ANY, "nn.relu": ANY, "nn.relu6": ANY,
    "nn.elu": ANY, "nn.selu": ANY, "nn.softplus": ANY, "nn.softsign": ANY, "nn.leaky_relu": ANY,
    "nn.softmax": ANY, "nn.log_softmax": ANY, "nn.l2_loss": ANY, "reduce_sum": ANY,
    "reduce_mean": ANY, "reduce_prod": POSITIVE, "reduce_max": ANY, "reduce_min": ANY,
    "reduce_logsumexp": ANY, "transpose": ANY, "cumsum": ANY, "cumprod": POSITIVE,
}  # fmt: skip

BINARY = {
    "add": ANY, "subtract": ANY, "multiply": ANY, "divide": POSITIVE, "truediv": POSITIVE,
    "pow": POSITIVE, "maximum": ANY, "minimum": ANY, "squared_difference": ANY, "atan2": POSITIVE,
    "div_no_nan": POSITIVE, "floormod": POSITIVE,
}  # fmt: skip

# expression, shapes of its inputs, range
OTHERS = [
    ("tf.matmul(a, b)", [(3, 4), (4, 5)], ANY),
    ("tf.matmul(a, b, transpose_a=True)", [(4, 3), (4, 5)], ANY),
    ("tf.matmul(a, b, transpose_b=True)", [(3, 4), (5, 4)], ANY),
    ("tf.matmul(a, b, transpose_a=True, transpose_b=True)", [(4, 3), (5, 4)], ANY),
    ("tf.matmul(a, b)", [(2, 3, 4), (2, 4, 5)], ANY),
    ("tf.tensordot(a, b, [[1, 2], [0, 1]])", [(2, 3, 4), (3, 4, 2)], ANY),
    ("a[1:, ::-2]", [M], ANY),
    ("a[..., tf.newaxis, 1]", [M], ANY),
    ("tf.slice(a, [0, 1], [2, -1])", [M], ANY),
    ("tf.concat([a, b, a], 1)", [M, (3, 2)], ANY),
    ("tf.stack([a, b], axis=1)", [M, M], ANY),
    ("tf.unstack(a, axis=1)[2]", [M], ANY),
    ("tf.split(a, 2, axis=1)[1]", [M], ANY),
    ("tf.split(a, [1, 3], axis=1)[1]", [M], ANY),
    ("tf.reshape(a, [2, -1])", [M], ANY),
    ("tf.expand_dims(a, 1)", [M], ANY),
    ("tf.squeeze(a, [1])", [(3, 1, 2)], ANY),
    ("tf.tile(a, [2, 3])", [M], ANY),
    ("tf.pad(a, [[1, 0], [2, 1]])", [M], ANY),
    ("tf.pad(a, [[1, 2], [0, 3]], 'REFLECT')", [M], ANY),
    ("tf.pad(a, [[1, 2], [0, 3]], 'SYMMETRIC')", [M], ANY),
    ("tf.reverse(a, [1])", [M], ANY),
    ("tf.gather(a, [2, 0, 2])", [M], ANY),
    ("tf.gather(a, [[3, 0], [1, 3]], axis=1)", [M], ANY),
    ("tf.gather_nd(a, [[2, 1], [0, 3], [2, 1]])", [M], ANY),
    ("tf.scatter_nd([[4], [1], [4]], a, [6, 4])", [M], ANY),
    ("tf.where([[True, False, True, False]] * 3, a, b)", [M, M], ANY),
    ("tf.clip_by_value(a, -0.5, 0.5)", [M], ANY),
    ("tf.clip_by_norm(a, 0.7)", [M], ANY),
    ("tf.add_n([a, b, a])", [M, M], ANY),
    ("tf.reduce_sum(a, 1, keepdims=True)", [M], ANY),
    ("tf.reduce_mean(a, [0])", [M], ANY),
    ("tf.reduce_prod(a, 1)", [M], POSITIVE),
    ("tf.reduce_max(a, 0)", [M], ANY),
    ("tf.cumsum(a, 1, exclusive=True, reverse=True)", [M], ANY),
    ("tf.segment_sum(a, [0, 0, 1])", [M], ANY),
    ("tf.unsorted_segment_sum(a, [1, 0, 1], 3)", [M], ANY),
    ("tf.nn.bias_add(a, b)", [M, V], ANY),
    ("a + b", [M, V], ANY),
    ("a * b", [(3, 1), (1, 4)], ANY),
    ("a / b", [M, S], POSITIVE),
    ("tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(b), logits=a)", [M, M], ANY),
    ("tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 3, 0], logits=a)", [M], ANY),
    ("tf.nn.sigmoid_cross_entropy_with_logits(labels=b, logits=a)", [M, M], ANY),
    ("tf.nn.l2_normalize(a, 1)", [M], ANY),
    ("tf.nn.moments(a, [0])[1]", [M], ANY),
    ("tf.nn.conv2d(a, b, [1, 1, 1, 1], 'SAME')", [(2, 5, 4, 3), (3, 2, 3, 4)], ANY),
    ("tf.nn.conv2d(a, b, [1, 2, 2, 1], 'VALID')", [(2, 7, 6, 1), (3, 3, 1, 2)], ANY),
    ("tf.nn.conv2d(a, b, [1, 2, 1, 1], 'SAME')", [(1, 5, 5, 2), (2, 3, 2, 3)], ANY),
    ("tf.nn.max_pool(a, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')", [(2, 5, 4, 3)], ANY),
    ("tf.nn.max_pool(a, [1, 3, 2, 1], [1, 1, 1, 1], 'VALID')", [(1, 5, 4, 2)], ANY),
    ("tf.nn.avg_pool(a, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')", [(2, 5, 4, 3)], ANY),
    ("tf.nn.avg_pool(a, [1, 3, 2, 1], [1, 2, 1, 1], 'VALID')", [(1, 5, 4, 2)], ANY),
    ("tf.nn.embedding_lookup(a, [1, 1, 0])", [M], ANY),
    ("tf.nn.batch_normalization(a, b, c, None, None, 0.1)", [M, V, V], POSITIVE),
    ("tf.cast(tf.cast(a, tf.float64), tf.float64)", [M], ANY),
    ("tf.stop_gradient(a) * a * 0.0 + a", [M], ANY),
    ("tf.broadcast_to(a, [3, 4])", [V], ANY),
    ("tf.matrix_band_part(a, 1, 0)", [M], ANY),
    ("tf.diag(a)", [V], ANY),
]


def _rows():
    for name, bounds in UNARY.items():
        yield f"tf.{name}(a)", [M], bounds
    for name, bounds in BINARY.items():
        yield f"tf.{name}(a, b)", [M, M], bounds
        yield f"tf.{name}(a, b)", [M, V], bounds
    yield from OTHERS


@pytest.mark.parametrize(("expression", "shapes", "bounds"), list(_rows()))
def test_gradient(expression, shapes, bounds):
    arrays = [_values(s, 7 + i, *bounds) for i, s in enumerate(shapes)]
    with tf.Graph().as_default(), tf.Session() as sess:
        inputs = [tf.placeholder(tf.float64, s) for s in shapes]
        y = eval(expression, {"tf": tf, **dict(zip("abc", inputs, strict=False))})
        # the result's shape may be known at run time only
        value = sess.run(y, dict(zip(inputs, arrays, strict=True)))
        direction = _values(value.shape, 99)
        loss = tf.reduce_sum(y * direction)
        gradients = tf.gradients(loss, inputs)
        assert all(g is not None for g in gradients), "an input is not connected"
        gradients = [tf.convert_to_tensor(g) for g in gradients]

        def f(*values):
            return sess.run(loss, dict(zip(inputs, values, strict=True)))

        got = sess.run(gradients, dict(zip(inputs, arrays, strict=True)))
        for k, gradient in enumerate(got):
            np.testing.assert_allclose(
                gradient, central_difference(f, arrays, k, 1e-6), rtol=2e-6, atol=2e-7
            )


SECOND_ORDER = [
    "tf.tanh(a) * a", "tf.exp(a * a)", "tf.sigmoid(a)", "tf.matmul(a, a, transpose_b=True) ** 2",
    "tf.nn.softmax(a)", "tf.log(a * a + 1.0)", "tf.reduce_prod(a, 1)", "tf.sqrt(a * a + 1.0)",
    "tf.nn.softplus(a)", "a[1:, :2] * a[:2, 1:3]", "tf.gather(a, [1, 0, 1]) ** 3",
]  # fmt: skip


@pytest.mark.parametrize("expression", SECOND_ORDER)
def test_second_order(expression):
    x = _values(M, 3)
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float64, M)
        y = tf.reduce_sum(eval(expression, {"tf": tf, "a": a}))
        (first,) = tf.gradients(y, a)
        direction = _values(M, 4)
        projected = tf.reduce_sum(tf.convert_to_tensor(first) * direction)
        second = tf.convert_to_tensor(tf.gradients(projected, a)[0])
        got = sess.run(second, {a: x})
        want = central_difference(lambda v: sess.run(projected, {a: v}), [x], 0, 1e-6)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
