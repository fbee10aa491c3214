"""Mel scale: weights from linear frequencies to mel bands, and cepstral coefficients."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import constant
from tfc.ops.pad_ops import pad
from tfc.ops.scan_ops import linspace
from tfc.ops.shape_ops import expand_dims
from tfc.ops.signal.dct_ops import dct
from tfc.ops.signal.frame_ops import extent

# mel = 1127 log(1 + hertz / 700)
_BREAK_HERTZ, _HIGH_Q = 700.0, 1127.0


def _mel(hertz: Tensor) -> Tensor:
    return _HIGH_Q * apply("Log", 1.0 + hertz / _BREAK_HERTZ)


def _check(bins: int, rate: Any, lower: float, upper: float, dtype: Any) -> None:
    if bins <= 0:
        raise ValueError(f"num_mel_bins must be positive. Got: {bins}")
    if lower < 0.0:
        raise ValueError(f"lower_edge_hertz must be non-negative. Got: {lower}")
    if lower >= upper:
        raise ValueError(f"lower_edge_hertz {lower:.1f} >= upper_edge_hertz {upper:.1f}")
    if not isinstance(rate, Tensor):
        if rate <= 0.0:
            raise ValueError(f"sample_rate must be positive. Got: {rate}")
        if upper > rate / 2:
            raise ValueError(
                "upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). "
                f"Got {upper} for sample_rate: {rate}"
            )
    if not dtype.is_floating:
        raise ValueError(f"dtype must be a floating point type. Got: {dtype}")


def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20,
    num_spectrogram_bins: int = 129,
    sample_rate: Any = 8000,
    lower_edge_hertz: float = 125.0,
    upper_edge_hertz: float = 3800.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Weights [num_spectrogram_bins, num_mel_bins] of triangles that lie evenly on the mel scale:
    spectra times these are spectra by mel band.

    Raises:
      ValueError: a count or a rate is not positive, the edges are not in order or lie beyond half
        the sample rate, or `dtype` is no float.
    """
    with name_scope(name, "linear_to_mel_weight_matrix") as scope:
        dtype = dtypes.as_dtype(dtype)
        if isinstance(sample_rate, Tensor) and constant_value(sample_rate) is not None:
            sample_rate = constant_value(sample_rate).item()  # type: ignore[union-attr]
        _check(num_mel_bins, sample_rate, lower_edge_hertz, upper_edge_hertz, dtype)
        zero = constant(0.0, dtype=dtype)
        highest = cast(sample_rate, dtype) / 2.0
        # nothing of the constant part, bin 0, goes to any band
        frequencies = linspace(zero, highest, num_spectrogram_bins)[1:]
        mels = expand_dims(_mel(frequencies), 1)
        lower = _mel(constant(lower_edge_hertz, dtype=dtype))
        upper = _mel(constant(upper_edge_hertz, dtype=dtype))
        edges = expand_dims(linspace(lower, upper, num_mel_bins + 2), 0)
        left, centre, right = edges[:, :-2], edges[:, 1:-1], edges[:, 2:]
        rising = (mels - left) / (centre - left)
        falling = (right - mels) / (right - centre)
        weights = apply("Maximum", zero, apply("Minimum", rising, falling))
        return pad(weights, [[1, 0], [0, 0]], name=scope)


def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: str | None = None) -> Tensor:
    """Mel-frequency cepstral coefficients [..., bins] of logarithmic mel spectra [..., bins].

    Raises:
      ValueError: there are no bins.
    """
    with name_scope(name, "mfccs_from_log_mel_spectrograms", [log_mel_spectrograms]):
        x = convert_to_tensor(log_mel_spectrograms)
        bins = extent(x, -1)
        if not isinstance(bins, Tensor) and bins == 0:
            raise ValueError(f"num_mel_bins must be positive. Got: {x}")
        dtype = x.dtype.base_dtype
        return dct(x, type=2) * apply("Rsqrt", cast(bins, dtype) * 2.0)
