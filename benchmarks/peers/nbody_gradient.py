"""The gradient of a simulation of bodies: of the spread at the end, by where they were at first."""

from __future__ import annotations

from nbody import SCALE, UNIT, jax_loop, per, tensorflow_loop

__all__ = ["ENTRIES", "SCALE", "SIZES", "TITLE", "TOLERANCE", "UNIT", "per"]

TITLE = "N-body, gradient"
SIZES = (
    {"bodies": 20, "steps": 10_000},
    {"bodies": 15, "steps": 1_001},
    {"bodies": 23, "steps": 997},
)
TOLERANCE = 1e-4


def with_tfc(bodies, steps):
    import tfc as tf

    return _gradients(tf, bodies, steps)


def with_tensorflow(bodies, steps):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _gradients(tf, bodies, steps)


def _gradients(tf, bodies, steps):
    graph = tf.Graph()
    with graph.as_default():
        fed, state, last = tensorflow_loop(tf, bodies, steps)
        spread = sum(tf.reduce_sum(a * a) for a in last[:3])
        wanted = tf.gradients(spread, fed[:3])
    sess = tf.Session(graph=graph)
    return lambda: sess.run(wanted, dict(zip(fed, state, strict=True)))


def with_jax(bodies, steps):
    import jax

    loop, state = jax_loop(bodies, steps)

    def spread(*now):
        return sum((a * a).sum() for a in loop(*now)[:3])

    compiled = jax.jit(jax.grad(spread, (0, 1, 2)))
    return lambda: [a.block_until_ready() for a in compiled(*state)]


ENTRIES = {"tfc": with_tfc, "jax": with_jax, "tensorflow": with_tensorflow}
