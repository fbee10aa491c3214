"""Fourier transforms, and what is made of them: cosine transforms, spectrograms, windows."""

from tfc.ops.signal import dct_ops, fft_ops, frame_ops, mel_ops, spectral_ops, window_ops
