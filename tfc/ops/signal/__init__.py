"""Fourier transforms, and what is made of them: cosine transforms, spectrograms, windows."""
