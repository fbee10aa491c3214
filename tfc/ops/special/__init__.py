"""Special functions: gamma and beta integrals, zeta, inverse error functions, Bessel functions."""
