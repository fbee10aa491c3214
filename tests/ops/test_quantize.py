"""tf.quantization.quantize_and_dequantize: levels, ends, halves, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(fetches, feed=None):
    with tf.Session() as session:
        return session.run(fetches, feed)


def there_and_back(x, low, high, first, last, clips=False):
    """By the definition: the side that needs the coarser levels decides, 0 is a level."""
    most = np.finfo(x.dtype).max
    scales = [first / low if first * low > 0 else most, last / high if last * high > 0 else most]
    scale = x.dtype.type(min(scales))
    inverse = low / first if scales[0] < scales[1] else high / last
    if clips:
        low, high = (low, last * inverse) if scales[0] < scales[1] else (first * inverse, high)
        x = np.clip(x, x.dtype.type(low), x.dtype.type(high))
    return np.rint(x * scale) * x.dtype.type(inverse)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("signed", "narrow"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("bits", [3, 8])
def test_levels(dtype, signed, narrow, bits):
    x = (np.random.RandomState(bits).randn(40) * 3).astype(dtype)
    x = x if signed else np.abs(x)
    steps = 2 ** (bits - signed)
    first, last = (-steps + narrow if signed else 0), steps - 1
    options = dict(signed_input=signed, num_bits=bits, narrow_range=narrow)
    quantize = tf.quantization.quantize_and_dequantize
    found = run([
        quantize(x, 0.0, 0.0, **options),
        quantize(x, -2.0 * signed, 1.5, range_given=True, **options),
        quantize(x.reshape(4, 10), np.zeros(4, dtype), np.zeros(4, dtype), axis=0, **options),
        quantize(x.reshape(10, 4), np.zeros(4, dtype), np.zeros(4, dtype), axis=-1, **options),
    ])  # fmt: skip
    low, high = min(x.min(), 0) if not signed else x.min(), x.max()
    close = dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[0], there_and_back(x, low, high, first, last), **close)
    wanted = there_and_back(x, dtype(-2.0 * signed), dtype(1.5), first, last, True)
    np.testing.assert_allclose(found[1], wanted, **close)
    for rows, part in ((x.reshape(4, 10), found[2]), (x.reshape(10, 4).T, found[3].T)):
        for row, got in zip(rows, part, strict=True):
            wanted = there_and_back(row, row.min(), row.max(), first, last)
            np.testing.assert_allclose(got, wanted, **close)


def test_halves_and_zeros():
    """Literal results of TensorFlow."""
    quantize = tf.quantization.quantize_and_dequantize
    x = tf.constant([0.5, 1.5, -0.5, 3.0, -4.0])
    even = quantize(x, -4.0, 3.0, num_bits=3, range_given=True)
    up = quantize(x, -4.0, 3.0, num_bits=3, range_given=True, round_mode="HALF_UP")
    zeros = quantize(tf.zeros([3]), 0.0, 0.0)
    nothing = quantize(tf.zeros([0, 2]), 0.0, 0.0)
    found = run([even, up, zeros, nothing])
    assert found[0].tolist() == [0, 2, 0, 3, -4] and found[1].tolist() == [1, 2, 0, 3, -4]
    assert found[2].tolist() == [0, 0, 0] and found[3].shape == (0, 2)


def test_gradient_shapes_and_errors():
    quantize = tf.quantization.quantize_and_dequantize
    x = tf.placeholder(tf.float32, [None, 3])
    low = tf.placeholder(tf.float32)
    y = quantize(x, low, 1.0, range_given=True)
    assert y.get_shape().as_list() == [None, 3]
    (dx,) = tf.gradients(y, x, grad_ys=tf.constant([[1.0, 2.0, 3.0]]))
    values = np.array([[-5.0, 0.2, 7.0]], np.float32)
    assert run(dx, {x: values, low: 0.0}).tolist() == [[1, 2, 3]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid range: input_min 2"):
        run(y, {x: values, low: 2.0})
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be a scalar"):
        run(y, {x: values, low: [0.0]})
    with pytest.raises(ValueError):
        quantize(x, [0.0], 1.0)
    with pytest.raises(ValueError, match="known rank"):
        quantize(tf.placeholder(tf.float32), 0.0, 1.0, axis=-1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_bits is out of range"):
        run(quantize([1.0], 0.0, 1.0, num_bits=70))
