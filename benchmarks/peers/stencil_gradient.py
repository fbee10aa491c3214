"""The gradient of the stencil: of the squares at the end, by the array at first."""

from __future__ import annotations

from stencil import SCALE, UNIT, jax_loop, per, start, tensorflow_loop

__all__ = ["ENTRIES", "SCALE", "SIZES", "TITLE", "TOLERANCE", "UNIT", "per"]

TITLE = "Stencil, gradient"
SIZES = (
    {"rows": 128, "columns": 128, "steps": 2_000},
    {"rows": 65, "columns": 33, "steps": 3_001},
    {"rows": 101, "columns": 127, "steps": 1_999},
)
TOLERANCE = 1e-3


def with_tfc(rows, columns, steps):
    import tfc as tf

    return _gradient(tf, rows, columns, steps)


def with_tensorflow(rows, columns, steps):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _gradient(tf, rows, columns, steps)


def _gradient(tf, rows, columns, steps):
    graph = tf.Graph()
    with graph.as_default():
        u, last = tensorflow_loop(tf, rows, columns, steps)
        (wanted,) = tf.gradients(tf.reduce_sum(last * last), u)
    sess, first = tf.Session(graph=graph), start(rows, columns)
    return lambda: sess.run(wanted, {u: first})


def with_jax(rows, columns, steps):
    import jax

    loop, first = jax_loop(steps), start(rows, columns)
    compiled = jax.jit(jax.grad(lambda u: (loop(u) ** 2).sum()))
    return lambda: compiled(first).block_until_ready()


ENTRIES = {"tfc": with_tfc, "jax": with_jax, "tensorflow": with_tensorflow}
