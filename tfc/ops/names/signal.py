"""`tf.signal`: Fourier transforms, spectrograms, windows. Re-exports, nothing else."""

from tfc.ops.signal.dct_ops import dct, idct
from tfc.ops.signal.fft_ops import (
    fft,
    fft2d,
    fft3d,
    ifft,
    ifft2d,
    ifft3d,
    irfft,
    irfft2d,
    irfft3d,
    rfft,
    rfft2d,
    rfft3d,
)
from tfc.ops.signal.frame_ops import frame, overlap_and_add
from tfc.ops.signal.mel_ops import linear_to_mel_weight_matrix, mfccs_from_log_mel_spectrograms
from tfc.ops.signal.shift_ops import fftshift, ifftshift
from tfc.ops.signal.spectral_ops import (
    inverse_mdct,
    inverse_stft,
    inverse_stft_window_fn,
    mdct,
    stft,
)
from tfc.ops.signal.window_ops import (
    hamming_window,
    hann_window,
    kaiser_bessel_derived_window,
    kaiser_window,
    vorbis_window,
)
