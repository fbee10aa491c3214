"""`tf.spectral`: Fourier and cosine transforms. Re-exports, nothing else."""

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
