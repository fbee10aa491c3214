"""A population that grows and spreads (Fisher's equation) on a torus, float32: rolls."""

from __future__ import annotations

import numpy as np

TITLE = "Stencil with roll"
UNIT, SCALE = "us a step", 1e6
SIZES = (
    {"rows": 128, "columns": 128, "steps": 2_000},
    {"rows": 65, "columns": 33, "steps": 3_001},
    {"rows": 101, "columns": 127, "steps": 1_999},
)
TOLERANCE = 1e-4
SPREAD, GROWTH = np.float32(0.2), np.float32(0.01)


def per(rows: int, columns: int, steps: int) -> int:
    """Steps of a call."""
    return steps


def start(rows, columns):
    return np.random.RandomState(5).uniform(0, 0.2, (rows, columns)).astype(np.float32)


def stepped(u, roll):
    """One step of a whole array."""
    near = roll(u, 1, 0) + roll(u, -1, 0) + roll(u, 1, 1) + roll(u, -1, 1)
    return u + SPREAD * (near - 4 * u) + GROWTH * u * (1 - u)


def tensorflow_loop(tf, rows, columns, steps):
    """A placeholder of the array, and what it becomes."""
    u = tf.placeholder(tf.float32, [rows, columns])
    _, last = tf.while_loop(
        lambda i, now: i < steps, lambda i, now: (i + 1, stepped(now, tf.roll)), [0, u]
    )
    return u, last


def jax_loop(steps):
    """A function of the array."""
    import jax.numpy as jnp
    from jax import lax

    def body(now, _):
        return stepped(now, jnp.roll), None

    return lambda u: lax.scan(body, u, None, length=steps)[0]


def with_tfc(rows, columns, steps):
    import tfc as tf

    return _while_loop(tf, rows, columns, steps)


def with_tensorflow(rows, columns, steps):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _while_loop(tf, rows, columns, steps)


def _while_loop(tf, rows, columns, steps):
    graph = tf.Graph()
    with graph.as_default():
        u, last = tensorflow_loop(tf, rows, columns, steps)
    sess, first = tf.Session(graph=graph), start(rows, columns)
    return lambda: sess.run(last, {u: first})


def with_jax(rows, columns, steps):
    import jax

    compiled, first = jax.jit(jax_loop(steps)), start(rows, columns)
    return lambda: compiled(first).block_until_ready()


def with_numba(rows, columns, steps):
    """Two arrays that change places; the first and the last column by themselves, so that the loop
    between them is vector code."""
    import numba

    four, one = np.float32(4), np.float32(1)

    @numba.njit(inline="always")
    def at(u, near):
        return u + SPREAD * (near - four * u) + GROWTH * u * (one - u)

    @numba.njit
    def loop(u, new, steps):
        n, m = u.shape
        for _ in range(steps):
            for i in range(n):
                above, here, below = u[i - 1 if i else n - 1], u[i], u[i + 1 if i + 1 < n else 0]
                out = new[i]
                out[0] = at(here[0], above[0] + below[0] + here[m - 1] + here[1])
                for j in range(1, m - 1):
                    out[j] = at(here[j], above[j] + below[j] + here[j - 1] + here[j + 1])
                out[m - 1] = at(here[m - 1], above[m - 1] + below[m - 1] + here[m - 2] + here[0])
            u, new = new, u
        return u

    first = start(rows, columns)
    return lambda: loop(first.copy(), np.empty_like(first), steps)


ENTRIES = {
    "tfc": with_tfc,
    "jax": with_jax,
    "tensorflow": with_tensorflow,
    "numba": with_numba,
}
