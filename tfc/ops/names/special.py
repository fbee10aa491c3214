"""`tf.math.special`: modified Bessel functions. Re-exports, nothing else."""

from tfc.ops.special.bessel import bessel_i0, bessel_i0e, bessel_i1, bessel_i1e
