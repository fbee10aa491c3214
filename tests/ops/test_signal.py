"""Fourier transforms against numpy's, and what is made of them against its definition.

Numbers written out are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

few = hypothesis_settings(max_examples=8)
seeds = st.integers(0, 1000)
extents = st.lists(st.integers(1, 5), min_size=3, max_size=4)


def run(build: Callable[..., Any], *arrays: Any, unknown: bool = False) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        given = [np.asarray(a) for a in arrays]
        xs = [tf.placeholder(a.dtype, None if unknown else a.shape) for a in given]
        return session.run(build(*xs), dict(zip(xs, given, strict=True)))


def values(seed: int, dtype: Any, *shape: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    x = random.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * random.uniform(-1, 1, shape)
    return x.astype(dtype)


def close(actual: Any, expected: Any) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    small = actual.dtype in (np.float32, np.complex64)
    np.testing.assert_allclose(actual, expected, rtol=1e-4 if small else 1e-9,
                               atol=1e-5 if small else 1e-10)  # fmt: skip


AXES = {1: (-1,), 2: (-2, -1), 3: (-3, -2, -1)}


@few
@given(extents, st.sampled_from(["c8", "c16"]), seeds)
def test_complex_transforms(shape: list[int], dtype: str, seed: int) -> None:
    x = values(seed, dtype, *shape)
    forward = (tf.fft, tf.fft2d, tf.fft3d)
    back = (tf.ifft, tf.ifft2d, tf.ifft3d)
    found = run(lambda x: [f(x) for f in (*forward, *back)], x)
    for k in range(3):
        assert found[k].dtype == found[k + 3].dtype == dtype
        close(found[k], np.fft.fftn(x, axes=AXES[k + 1]))
        close(found[k + 3], np.fft.ifftn(x, axes=AXES[k + 1]))


@few
@given(extents, st.sampled_from(["f4", "f8"]), seeds, st.booleans(), st.booleans(), st.data())
def test_real_transforms(
    shape: list[int], dtype: str, seed: int, given_length: bool, unknown: bool, data: Any
) -> None:
    x = values(seed, dtype, *shape)
    wide = "c8" if dtype == "f4" else "c16"
    for rank, forward, back in (
        (1, tf.spectral.rfft, tf.spectral.irfft), (2, tf.signal.rfft2d, tf.signal.irfft2d),
        (3, tf.spectral.rfft3d, tf.signal.irfft3d),
    ):  # fmt: skip
        length = [data.draw(st.integers(1, 6)) for _ in range(rank)] if given_length else None
        lengths = list(shape[-rank:]) if length is None else length
        found = run(lambda x, f=forward, n=length: f(x, n), x, unknown=unknown)
        assert found.dtype == wide
        close(found, np.fft.rfftn(x, s=lengths, axes=AXES[rank]))
        z = found.copy()
        again = run(lambda z, f=back, n=length: f(z, n), z, unknown=unknown)
        lengths = lengths if given_length else [*z.shape[-rank:-1], 2 * (z.shape[-1] - 1)]
        assert again.dtype == dtype
        if 0 in lengths:
            assert again.shape[-1] == 0
        else:
            close(again, np.fft.irfftn(z, s=lengths, axes=AXES[rank]))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("length", [None, 3, 5, 6])
def test_gradients(rank: int, length: int | None) -> None:
    """The transforms are linear, so gradients are their adjoints; second ones are the adjoint's."""
    forward = (tf.spectral.rfft, tf.spectral.rfft2d, tf.spectral.rfft3d)[rank - 1]
    back = (tf.spectral.irfft, tf.spectral.irfft2d, tf.spectral.irfft3d)[rank - 1]
    both = (tf.fft, tf.fft2d, tf.fft3d)[rank - 1], (tf.ifft, tf.ifft2d, tf.ifft3d)[rank - 1]
    lengths = None if length is None else [2] * (rank - 1) + [length]

    def spectrum(x: Any) -> Any:
        y = forward(x, lengths)
        z = both[1](y * y) + both[0](y) * tf.constant(0.25 + 1j, tf.complex128)
        return tf.real(z) + 2.0 * tf.imag(z)

    def inverse(x: Any) -> Any:
        return back(tf.complex(x, tf.reverse(x, [-1]) * 0.5), lengths)

    x = values(rank, "f8", *[2] * (rank - 1), 4)
    check_gradient(spectrum, x)
    check_gradient(inverse, x)


def test_second_derivatives() -> None:
    def slope(x: Any) -> Any:
        y = tf.spectral.rfft(x)
        z = tf.spectral.irfft(y * y)
        return tf.gradients(z * z, x)[0]

    x, e = values(0, "f8", 6), values(1, "f8", 6)
    second = run(lambda x: tf.gradients(slope(x), x, grad_ys=tf.constant(e))[0], x)
    step = 1e-6
    difference = (run(slope, x + step * e) - run(slope, x - step * e)) / (2 * step)
    np.testing.assert_allclose(second, difference, rtol=1e-6, atol=1e-6)


def test_gradients_are_those_of_tensorflow() -> None:
    def gradient(build: Any, x: np.ndarray) -> Any:
        def total(x: Any) -> Any:
            y = build(x)
            w = np.arange(1, 1 + int(np.prod(y.shape.as_list()))).reshape(y.shape.as_list())
            w = (w * (1 + 0.5j) if y.dtype.is_complex else w).astype(y.dtype.as_numpy_dtype)
            return tf.gradients(y, x, grad_ys=tf.constant(w))[0]

        return run(total, x)

    x, z = np.ones((2, 4), "f4"), np.ones((2, 3), "c8")
    close(gradient(tf.spectral.rfft, x), [[6, -3, 2, -1], [15, -4.5, 5, 0.5]])
    close(
        gradient(lambda x: tf.spectral.rfft(x, [6]), x),
        [[10, -5.665063858, 2.933012724, -2], [26, -9.129165649, 6.933012486, -2]],
    )
    close(gradient(tf.spectral.rfft2d, x), [[21, -7.5, 7, -0.5], [-9, 1.5, -3, -1.5]])
    close(gradient(tf.spectral.irfft, z), [[2.5, -1 + 1j, -0.5], [6.5, -1 + 1j, -0.5]])
    close(gradient(tf.spectral.irfft2d, z), [[4.5, -1 + 1j, -0.5], [-2, 0, 0]])
    close(
        gradient(tf.fft, z),
        [
            [6 + 3j, -1.066987276 - 1.616025567j, -1.933012724 + 0.116025388j],
            [15 + 7.5j, -1.066987276 - 1.616025567j, -1.933012724 + 0.116025388j],
        ],
    )
    close(gradient(tf.ifft2d, z), [
        [3.5 + 1.75j, -0.644337595 + 0.038675129j, -0.355662432 - 0.538675189j],
        [-1.5 - 0.75j, 0, 0]])  # fmt: skip


def test_shapes_names_and_errors_of_transforms() -> None:
    with tf.Graph().as_default():
        z, x = tf.placeholder(tf.complex64, [None, 4]), tf.placeholder(tf.float32, [None, 5])
        lists = lambda *ts: [t.shape.as_list() for t in ts]  # noqa: E731
        assert lists(tf.fft(z), tf.spectral.rfft(x)) == [[None, 4], [None, 3]]
        assert tf.spectral.rfft(x).name == "rfft_1:0"
        assert lists(tf.signal.irfft(z), tf.signal.irfft(z, [5])) == [[None, 6], [None, 5]]
        assert lists(tf.signal.rfft(x, tf.placeholder(tf.int32, [1]))) == [[None, None]]
        assert lists(tf.signal.irfft2d(tf.placeholder(tf.complex64, [3, 3]))) == [[3, 4]]
        assert tf.signal.rfft(tf.placeholder(tf.float32), [6]).shape.ndims is None
        with pytest.raises(TypeError, match="float32 not in list of allowed values"):
            tf.fft(tf.ones([3]))
        with pytest.raises(ValueError, match="at least rank 2 but is rank 1"):
            tf.fft2d(tf.zeros([3], tf.complex64))
        with pytest.raises(ValueError, match="RFFT requires tf.float32 or tf.float64"):
            tf.signal.rfft(z)
        with pytest.raises(ValueError, match="IRFFT requires tf.complex64"):
            tf.signal.irfft(x)
        with pytest.raises(ValueError, match="must have rank at least 2"):
            tf.signal.rfft2d(tf.ones([4]))
        with pytest.raises(ValueError, match="Dimension must be 1 but is 2"):
            tf.signal.rfft(tf.ones([4]), [6, 1])
        with pytest.raises(ValueError, match="6"):
            tf.signal.rfft(tf.ones([4]), 6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank of at least 2"):
        run(tf.fft2d, np.ones(3, "c8"), unknown=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be >= 0"):
        run(lambda x, n: tf.signal.rfft(x, n), np.ones(3, "f4"), np.array([-1], "i4"))


def cosine_transform(x: np.ndarray, kind: int) -> np.ndarray:
    """The definition, as a product with the matrix of cosines."""
    n = x.shape[-1]
    i, k = np.arange(n)[:, None], np.arange(n)[None]
    if kind == 1:
        scale = np.where((i == 0) | (i == n - 1), 1, 2)
        matrix = scale * np.cos(np.pi * i * k / (n - 1))
    elif kind == 2:
        matrix = 2 * np.cos(np.pi * k * (2 * i + 1) / (2 * n))
    elif kind == 3:
        matrix = np.where(i == 0, 1, 2) * np.cos(np.pi * i * (2 * k + 1) / (2 * n))
    else:
        matrix = 2 * np.cos(np.pi * (2 * i + 1) * (2 * k + 1) / (4 * n))
    return x @ matrix


@few
@given(st.integers(2, 7), st.integers(1, 4), st.sampled_from(["f4", "f8"]), seeds, st.booleans())
def test_cosine_transforms(n: int, kind: int, dtype: str, seed: int, unknown: bool) -> None:
    x = values(seed, dtype, 2, n)
    found, back = run(
        lambda x: (tf.spectral.dct(x, kind), tf.signal.idct(tf.signal.dct(x, kind), kind)),
        x, unknown=unknown,
    )  # fmt: skip
    assert found.dtype == dtype
    close(found, cosine_transform(x, kind))
    close(back, x * 2 * (n - (kind == 1)))
    if kind > 1:

        def rotated(x: Any) -> Any:
            y = tf.signal.dct(x, kind, norm="ortho")
            return y, tf.spectral.idct(y, kind, norm="ortho")

        found, back = run(rotated, x, unknown=unknown)
        close((found * found).sum(-1), (x * x).sum(-1))
        close(back, x)


def test_cosine_transforms_of_another_length() -> None:
    x = np.array([1.0, 2.0, 3.0], "f4")
    close(run(lambda x: tf.signal.dct(x, n=2), x), [6.0, -1.41421354])
    close(run(lambda x: tf.signal.dct(x, n=5), x),
          [12, 4.253254414, -5.618033886, -2.628655434, 3.381966352])  # fmt: skip
    for n, first in ((2, 6.0), (5, 12.0)):
        found = run(lambda x, n=n: tf.signal.dct(x, n=n), x, unknown=True)
        assert found.shape == (n,)
        close(found[0], first)
    check_gradient(lambda x: tf.signal.dct(x, 4, n=5, norm="ortho"), values(0, "f8", 2, 3))


def test_errors_of_cosine_transforms() -> None:
    with tf.Graph().as_default():
        x = tf.ones([3])
        with pytest.raises(NotImplementedError, match="axis must be -1. Got: 0"):
            tf.signal.dct(x, axis=0)
        for arguments, message in (
            ({"type": 5}, "Types I, II, III and IV"), ({"n": 0}, "n should be a positive integer"),
            ({"norm": "x"}, "Unknown normalization"), ({"type": 1, "norm": "ortho"}, "Type-I"),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=message):
                tf.signal.dct(x, **arguments)
        with pytest.raises(ValueError, match="greater than one"):
            tf.signal.idct(tf.ones([1]), type=1)


@few
@given(extents, seeds)
def test_shifts(shape: list[int], seed: int) -> None:
    x = values(seed, "f4", *shape)
    for axes in (None, 1, -1, [0, -1]):
        found = run(lambda x, a=axes: (tf.signal.fftshift(x, a), tf.signal.ifftshift(x, a)), x)
        np.testing.assert_array_equal(found[0], np.fft.fftshift(x, axes))
        np.testing.assert_array_equal(found[1], np.fft.ifftshift(x, axes))
    np.testing.assert_array_equal(run(tf.signal.fftshift, x, unknown=True), np.fft.fftshift(x))


def test_windows() -> None:
    hann = [0, 0.18825510, 0.61126047, 0.95048440, 0.95048440, 0.61126029, 0.18825519, 0]
    close(run(lambda: tf.signal.hann_window(8, periodic=False)), np.array(hann, "f4"))
    close(run(lambda: tf.signal.hann_window(7)), np.array([0, 0.25, 0.75, 1, 0.75, 0.25, 0], "f4"))
    close(run(lambda: tf.signal.hamming_window(4, dtype=tf.float64)), [0.08, 0.54, 1.0, 0.54])
    close(run(lambda: tf.signal.vorbis_window(6)),
          [0.10502934, 0.70710677, 0.99446911, 0.99446911, 0.70710677, 0.10502925])  # fmt: skip
    close(run(lambda: tf.signal.hann_window(1)), [1.0])
    for n in (1, 6):
        length = np.array(n, "i4")
        close(run(tf.signal.hann_window, length), run(lambda n=n: tf.signal.hann_window(n)))
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="floating point type. Found"):
            tf.signal.hamming_window(4, dtype=tf.int32)
        with pytest.raises(ValueError, match="scalar"):
            tf.signal.hann_window([4])


def frames_of(x: np.ndarray, length: int, step: int, pad: bool) -> np.ndarray:
    n = x.shape[-1]
    count = -(-n // step) if pad else max(0, 1 + (n - length) // step)
    wide = np.concatenate([x, np.full((*x.shape[:-1], length + step), 9, x.dtype)], -1)
    rows = [wide[..., k * step : k * step + length] for k in range(count)]
    return np.stack(rows, -2) if rows else np.zeros((*x.shape[:-1], 0, length), x.dtype)


@few
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.booleans(), st.booleans())
def test_frames(n: int, length: int, step: int, pad: bool, unknown: bool) -> None:
    x = values(n, "f8", 2, n)
    found = run(lambda x: tf.signal.frame(x, length, step, pad, 9.0), x, unknown=unknown)
    expected = frames_of(x, length, step, pad)
    np.testing.assert_array_equal(found, expected)
    turned = run(lambda x: tf.signal.frame(x, length, step, pad, 9.0, axis=0), x.T, unknown=unknown)
    np.testing.assert_array_equal(turned, np.moveaxis(expected, 0, -1))
    if expected.shape[1]:
        total = (expected.shape[1] - 1) * step + length
        sums = np.zeros((2, total))
        for k in range(expected.shape[1]):
            sums[:, k * step : k * step + length] += expected[:, k]
        close(run(lambda x: tf.signal.overlap_and_add(x, step), expected, unknown=unknown), sums)


def test_frames_of_lengths_that_are_fed() -> None:
    x, sizes = values(0, "f8", 3, 8), (np.array(4, "i4"), np.array(2, "i4"))
    frames = run(tf.signal.frame, x, *sizes)
    np.testing.assert_array_equal(frames, frames_of(x, 4, 2, False))
    found = run(tf.signal.overlap_and_add, frames, sizes[1])
    close(found, run(lambda x: tf.signal.overlap_and_add(x, 2), frames))
    check_gradient(lambda x: tf.signal.frame(x, 3, 2, True), x[:, :6])
    check_gradient(lambda x: tf.signal.overlap_and_add(x, 3), frames[:, :2])


def test_shapes_and_errors_of_frames() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 10])
        lists = lambda *ts: [t.shape.as_list() for t in ts]  # noqa: E731
        assert lists(tf.signal.frame(x, 3, 2)) == [[None, 4, 3]]
        assert lists(tf.signal.frame(x, 3, 2, pad_end=True)) == [[None, 5, 3]]
        some = tf.placeholder(tf.float32, [None, None, None])
        assert lists(tf.signal.overlap_and_add(some, 3)) == [[None, None]]
        assert lists(tf.signal.overlap_and_add(tf.placeholder(tf.float32, [None, 3, 4]), 3)) == [
            [None, 10]
        ]
        assert lists(tf.signal.stft(x, 4, 2, fft_length=8, pad_end=True)) == [[None, 5, 5]]
        assert lists(tf.signal.stft(tf.placeholder(tf.float32, [None, None]), 4, 2)) == [
            [None, None, 3]
        ]
        assert lists(tf.signal.mdct(x, 4), tf.signal.dct(x, n=12)) == [[None, 4, 2], [None, 12]]
        with pytest.raises(ValueError, match="must have rank at least 2"):
            tf.signal.overlap_and_add(tf.ones([3]), 3)
        with pytest.raises(ValueError, match="frame_step must be an integer"):
            tf.signal.overlap_and_add(tf.ones([3, 4]), 2.0)
        with pytest.raises(ValueError, match="axis 3 is out of range"):
            tf.signal.frame(x, 3, 2, axis=3)


@pytest.mark.parametrize("unknown", [False, True])
def test_spectrograms(unknown: bool) -> None:
    x = values(0, "f4", 2, 17)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(6) / 6)).astype("f4")
    expected = np.fft.rfft(frames_of(x, 6, 3, False) * window, 8)
    close(run(lambda x: tf.signal.stft(x, 6, 3), x, unknown=unknown), expected)
    plain = run(lambda x: tf.signal.stft(x, 6, 3, window_fn=None, fft_length=6), x, unknown=unknown)
    close(plain, np.fft.rfft(frames_of(x, 6, 3, False)))

    def around(x: Any) -> Any:
        inverse = tf.signal.inverse_stft_window_fn(3)
        return tf.signal.inverse_stft(tf.signal.stft(x, 6, 3), 6, 3, window_fn=inverse)

    again = run(around, x, unknown=unknown)
    assert again.shape == (2, 15)
    close(again[:, 3:12], x[:, 3:12])
    lengths = np.array(6, "i4"), np.array(3, "i4")
    close(run(tf.signal.stft, x, *lengths), expected)


def test_spectrograms_are_those_of_tensorflow() -> None:
    close(run(lambda: tf.signal.stft(tf.ones([10]), 4, 2)), np.tile([2, -1, 0], (4, 1)))
    found = run(lambda: tf.signal.inverse_stft(tf.signal.stft(tf.ones([10]), 4, 2), 4, 2))
    close(found, [0, 0.25, 1, 0.5, 1, 0.5, 1, 0.5, 1, 0.25])
    inverse = run(lambda: tf.signal.inverse_stft_window_fn(2)(5, dtype=tf.float32))
    close(inverse, [0, 1, 1, 1, 0])
    close(
        run(lambda: tf.signal.mdct(tf.ones([16]), 8))[0],
        [-5.61517525, 0.47255194, -0.48809388, -0.09084824],
    )
    close(run(lambda: tf.signal.mdct(tf.ones([16]), 8, norm="ortho", pad_end=True))[0],
          [-1.98526418, 0.16707234, -0.17256725, -0.03211970])  # fmt: skip


@pytest.mark.parametrize("norm", [None, "ortho"])
@pytest.mark.parametrize("window", [None, tf.signal.vorbis_window])
def test_modified_cosine_transforms(norm: str | None, window: Any) -> None:
    x = values(1, "f8", 2, 24)

    def around(x: Any) -> Any:
        return tf.signal.inverse_mdct(tf.signal.mdct(x, 8, window, norm=norm), window, norm)

    for unknown in (False, True):
        close(run(around, x, unknown=unknown)[:, 4:20], x[:, 4:20])
    check_gradient(lambda x: tf.signal.mdct(x, 8, window, norm=norm), x[:, :12])
    with tf.Graph().as_default(), pytest.raises(ValueError, match="multiple of 4"):
        tf.signal.mdct(tf.ones([16]), 6)


def test_mel() -> None:
    weights = run(lambda: tf.signal.linear_to_mel_weight_matrix(4, 6))
    close(
        weights[:5],
        [
            [0, 0, 0, 0],
            [0.23797572, 0.76202428, 0, 0],
            [0, 0, 0.97815579, 0.02184422],
            [0, 0, 0.09839761, 0.90160239],
            [0, 0, 0, 0.42176580],
        ],
    )
    wide = run(
        lambda: tf.signal.linear_to_mel_weight_matrix(
            4, 6, dtype=tf.float64, lower_edge_hertz=0.0, upper_edge_hertz=4000.0
        )
    )
    close(wide[1], [0, 0.9988313668960295, 0.001168633103970563, 0])
    rated = run(lambda r: tf.signal.linear_to_mel_weight_matrix(4, 6, r), np.array(8000, "i4"))
    np.testing.assert_array_equal(rated, weights)
    close(
        run(lambda x: tf.signal.mfccs_from_log_mel_spectrograms(x), np.arange(1, 5, dtype="f4")),
        [7.07106781, -2.23044252, 0, -0.15851244],
    )
    close(run(tf.signal.mfccs_from_log_mel_spectrograms, np.arange(1, 5, dtype="f4"), unknown=True),
          [7.07106781, -2.23044252, 0, -0.15851244])  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_mel_bins": 0}, "num_mel_bins must be positive. Got: 0"),
        ({"sample_rate": -1}, "sample_rate must be positive. Got: -1"),
        ({"lower_edge_hertz": -1}, "lower_edge_hertz must be non-negative. Got: -1"),
        ({"upper_edge_hertz": 5.0}, "lower_edge_hertz 125.0 >= upper_edge_hertz 5.0"),
        ({"upper_edge_hertz": 5000.0}, "Nyquist frequency"),
        ({"dtype": tf.int32}, "dtype must be a floating point type"),
    ],
)
def test_mel_errors(arguments: dict[str, Any], message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        tf.signal.linear_to_mel_weight_matrix(**arguments)


def test_cepstra_need_bins() -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match="num_mel_bins must be positive"):
        tf.signal.mfccs_from_log_mel_spectrograms(tf.zeros([2, 0]))
