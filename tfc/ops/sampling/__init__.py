"""Random ops whose samples take a varying number of random words, stateless ops, and candidates."""

from tfc.ops.sampling import candidates, gamma, losses, poisson, stateless

__all__ = ["candidates", "gamma", "losses", "poisson", "stateless"]
