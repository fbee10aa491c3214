"""Special functions: gamma and beta integrals, zeta, inverse error functions, Bessel functions."""

from tfc.ops.special import bessel, beta_integral, functions, gamma_integral, inverse_normal, zeta

__all__ = ["bessel", "beta_integral", "functions", "gamma_integral", "inverse_normal", "zeta"]
