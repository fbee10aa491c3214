"""fused_batch_norm: layouts, averages of statistics, empty batches, second derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tests.ops.evaluate import evaluate

pytestmark = pytest.mark.usefixtures("fresh_graph")

R = np.random.RandomState(5)
SCALE, OFFSET = np.float32([1.5, -0.5]), np.float32([0.25, 2.0])
MEAN, VARIANCE = np.float32([0.5, -1.0]), np.float32([2.0, 0.75])
LAYOUTS = {
    "NHWC": (3, 2, 4, 2),
    "NCHW": (3, 2, 2, 4),
    "NDHWC": (2, 3, 2, 4, 2),
    "NCDHW": (2, 2, 3, 2, 4),
}


def _axes(layout):
    at = layout.index("C")
    return at, tuple(i for i in range(len(layout)) if i != at)


def _along(vector, layout):
    at, axes = _axes(layout)
    return np.expand_dims(vector, axes)


def _plain(layout, training, x, scale, offset):
    """The same normalisation of ops that have gradients of every order."""
    _, axes = _axes(layout)
    a, b = (tf.reshape(v, _along(MEAN, layout).shape) for v in (scale, offset))
    if training:
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean((x - mean) ** 2.0, axes, keepdims=True)
    else:
        mean, variance = (tf.constant(_along(v, layout), x.dtype) for v in (MEAN, VARIANCE))
    return (x - mean) * tf.rsqrt(variance + 0.01) * a + b


def _fused(layout, training, x, scale, offset):
    given = {} if training else {"mean": MEAN, "variance": VARIANCE}
    return tf.nn.fused_batch_norm(
        x, scale, offset, epsilon=0.01, data_format=layout, is_training=training, **given
    )[0]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_derivatives_are_those_of_the_plain_formula(layout, training):
    values = [R.standard_normal(LAYOUTS[layout]), SCALE, OFFSET]
    weights = [R.standard_normal(np.shape(v)) for v in [values[0], *values]]
    found = []
    for function, dtype in ((_fused, tf.float32), (_plain, tf.float64)):
        given = [tf.constant(v, dtype) for v in values]
        factors = [tf.constant(v, dtype) for v in weights]
        dy = factors[0]
        y = function(layout, training, *given)
        first = tf.gradients(y, given, dy)
        second = tf.gradients(first, [dy, *given[:2]], factors[1:])
        third = tf.gradients(second[1], [*given[:2], dy])
        third = [t for t in third if t is not None]
        assert len(third) == (3 if training else 1)
        found.append(evaluate([y, *first, *second, *third]))
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-3, atol=1e-4 * max(1, np.abs(want).max()))


@pytest.mark.parametrize("factor", [1.0, 0.3, 0.0])
def test_statistics_are_averaged_with_those_given(factor):
    x = R.standard_normal(LAYOUTS["NHWC"]).astype(np.float32)
    given = {"mean": MEAN, "variance": VARIANCE, "exponential_avg_factor": factor}
    y, mean, variance = tf.nn.fused_batch_norm(x, SCALE, OFFSET, **given)
    found = evaluate([y, mean, variance])
    axes = (0, 1, 2)
    normal = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 0.001)
    np.testing.assert_allclose(found[0], normal * SCALE + OFFSET, rtol=1e-4, atol=1e-5)
    for got, old, new in (
        (found[1], MEAN, x.mean(axes)),
        (found[2], VARIANCE, x.var(axes, ddof=1)),
    ):
        np.testing.assert_allclose(got, (1 - factor) * old + factor * new, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(0, 3, 4, 2), (2, 3, 0, 2), (0, 1, 2, 3, 2)])
def test_an_empty_batch_has_no_statistics(shape, training):
    x = tf.placeholder(tf.float32, [None] * len(shape))
    given = {} if training else {"mean": MEAN, "variance": VARIANCE}
    layout = "NHWC" if len(shape) == 4 else "NDHWC"
    y, mean, variance = tf.nn.fused_batch_norm(
        x, SCALE, OFFSET, is_training=training, data_format=layout, **given
    )
    gradients = tf.gradients(y, [x, *y.op.inputs[1:3]])
    with tf.Session() as session:
        found = session.run([y, mean, variance, *gradients], {x: np.zeros(shape, np.float32)})
    assert found[0].shape == found[3].shape == shape
    assert np.isnan(found[1]).all()
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(found[4:], np.zeros((2, 2)))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_halves_have_statistics_in_float32(dtype):
    x = R.standard_normal(LAYOUTS["NHWC"]).astype(np.float32)
    half = tf.cast(tf.constant(x), dtype)
    y, mean, variance = tf.nn.fused_batch_norm(half, SCALE, OFFSET)
    assert y.dtype == dtype
    assert mean.dtype == variance.dtype == tf.float32
    gradient = tf.gradients(y, half, tf.cast(tf.constant(x[::-1].copy()), dtype))[0]
    seconds = tf.gradients(gradient, [half, *y.op.inputs[1:2]])
    assert [t.dtype for t in (gradient, *seconds)] == [dtype, dtype, tf.float32]
    exact = evaluate([tf.cast(half, tf.float32)])[0]
    found = evaluate([tf.cast(y, tf.float32), mean, variance])
    axes = (0, 1, 2)
    normal = (exact - exact.mean(axes)) / np.sqrt(exact.var(axes) + 0.001)
    np.testing.assert_allclose(found[0], normal * SCALE + OFFSET, rtol=2e-2, atol=2e-2)
    np.testing.assert_allclose(found[1], exact.mean(axes), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[2], exact.var(axes, ddof=1), rtol=1e-5)


def test_names_and_shapes_are_those_of_the_third_version():
    x = tf.placeholder(tf.float32, [None, 3, 4, None])
    y, mean, _ = tf.nn.fused_batch_norm(x, tf.placeholder(tf.float32, [2]), OFFSET)
    assert y.name == "FusedBatchNormV3:0"
    assert y.shape.as_list() == [None, 3, 4, 2]
    assert mean.shape.as_list() == [2]
    assert len(y.op.outputs) == 6
    assert y.op.outputs[5].shape.ndims is None
    assert evaluate([y.op.outputs[5]], {x: np.zeros((1, 3, 4, 2)), y.op.inputs[1]: SCALE}) == [0.0]


def test_mistakes_are_found_when_the_op_is_made():
    x = tf.zeros([1, 2, 3, 2])
    with pytest.raises(ValueError, match="must be a 1D tensor"):
        tf.nn.fused_batch_norm(x, SCALE, OFFSET, is_training=False, mean=MEAN)
    with pytest.raises(ValueError, match="must be a 1D tensor"):
        tf.nn.fused_batch_norm(x, SCALE, OFFSET, exponential_avg_factor=0.5)
    three = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="Dimensions must be equal"):
        tf.nn.fused_batch_norm(x, SCALE, OFFSET, three, VARIANCE, is_training=False)
    with pytest.raises(ValueError, match="Dimensions must be equal"):
        tf.nn.fused_batch_norm(x, SCALE, three)
    with pytest.raises(ValueError, match="rank 5 but is rank 4"):
        tf.nn.fused_batch_norm(x, SCALE, OFFSET, data_format="NDHWC")
    scale = tf.placeholder(tf.float32)
    y = tf.nn.fused_batch_norm(x, scale, OFFSET)[0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="FusedBatchNormV3"):
        evaluate([y], {scale: three})
