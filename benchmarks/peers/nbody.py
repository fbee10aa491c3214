"""Bodies that attract each other, float64: a loop that carries six vectors."""

from __future__ import annotations

import numpy as np

TITLE = "N-body simulation"
UNIT, SCALE = "us a step", 1e6
SIZES = (
    {"bodies": 20, "steps": 10_000},
    {"bodies": 15, "steps": 10_001},
    {"bodies": 23, "steps": 9_973},
)
TOLERANCE = 1e-6
STEP, SOFT = 1e-3, 0.1  # seconds of a step; the square of a length that softens close encounters


def per(bodies: int, steps: int) -> int:
    """Steps of a call."""
    return steps


def start(bodies):
    """Masses, and the six vectors: positions and velocities."""
    random = np.random.RandomState(7)
    masses = random.uniform(0.5, 1.5, bodies) / bodies
    positions = [random.uniform(-1, 1, bodies) for _ in range(3)]
    return masses, [*positions, *(random.uniform(-0.3, 0.3, bodies) for _ in range(3))]


def moved(state, masses, rsqrt, total):
    """One step of whole vectors: velocities first, positions with the new ones.

    rsqrt: of the array library; total: sums its array over the last axis."""
    x, y, z, u, v, w = state
    dx, dy, dz = (a[None, :] - a[:, None] for a in (x, y, z))
    inverse = rsqrt(dx * dx + dy * dy + dz * dz + SOFT)
    pull = masses * inverse * inverse * inverse
    u, v, w = (a + STEP * total(pull * d) for a, d in ((u, dx), (v, dy), (w, dz)))
    return x + STEP * u, y + STEP * v, z + STEP * w, u, v, w


def tensorflow_loop(tf, bodies, steps):
    """Placeholders of the state, and what it becomes."""
    masses, state = start(bodies)
    m = tf.constant(masses)
    fed = [tf.placeholder(tf.float64, [bodies]) for _ in state]

    def body(i, *now):
        return (i + 1, *moved(now, m, tf.rsqrt, lambda a: tf.reduce_sum(a, 1)))

    last = tf.while_loop(lambda i, *now: i < steps, body, [0, *fed])
    return fed, state, last[1:]


def jax_loop(bodies, steps):
    """A function of the state, and the state."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax import lax

    masses, state = start(bodies)

    def body(now, _):
        return moved(now, masses, lax.rsqrt, lambda a: a.sum(1)), None

    return lambda *now: lax.scan(body, now, None, length=steps)[0], state


def with_tfc(bodies, steps):
    import tfc as tf

    return _while_loop(tf, bodies, steps)


def with_tensorflow(bodies, steps):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _while_loop(tf, bodies, steps)


def _while_loop(tf, bodies, steps):
    graph = tf.Graph()
    with graph.as_default():
        fed, state, last = tensorflow_loop(tf, bodies, steps)
    sess = tf.Session(graph=graph)
    return lambda: sess.run(last, dict(zip(fed, state, strict=True)))


def with_jax(bodies, steps):
    import jax

    loop, state = jax_loop(bodies, steps)
    compiled = jax.jit(loop)
    return lambda: [a.block_until_ready() for a in compiled(*state)]


def with_numba(bodies, steps):
    """Each pair once, as one writes it with loops."""
    import numba

    @numba.njit
    def loop(m, x, y, z, u, v, w, steps):
        n = len(m)
        for _ in range(steps):
            for i in range(n):
                for j in range(i + 1, n):
                    dx, dy, dz = x[j] - x[i], y[j] - y[i], z[j] - z[i]
                    inverse = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz + SOFT)
                    cube = STEP * inverse * inverse * inverse
                    u[i] += m[j] * cube * dx
                    v[i] += m[j] * cube * dy
                    w[i] += m[j] * cube * dz
                    u[j] -= m[i] * cube * dx
                    v[j] -= m[i] * cube * dy
                    w[j] -= m[i] * cube * dz
            for i in range(n):
                x[i] += STEP * u[i]
                y[i] += STEP * v[i]
                z[i] += STEP * w[i]

    return _in_place(loop, bodies, steps)


def with_numba_vectors(bodies, steps):
    """All pairs, so that the inner loop becomes vector code: sums in any order (fastmath)."""
    import numba

    @numba.njit(fastmath=True)
    def loop(m, x, y, z, u, v, w, steps):
        n = len(m)
        for _ in range(steps):
            for i in range(n):
                xi, yi, zi = x[i], y[i], z[i]
                au = av = aw = 0.0
                for j in range(n):
                    dx, dy, dz = x[j] - xi, y[j] - yi, z[j] - zi
                    inverse = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz + SOFT)
                    pull = m[j] * inverse * inverse * inverse
                    au += pull * dx
                    av += pull * dy
                    aw += pull * dz
                u[i] += STEP * au
                v[i] += STEP * av
                w[i] += STEP * aw
            for i in range(n):
                x[i] += STEP * u[i]
                y[i] += STEP * v[i]
                z[i] += STEP * w[i]

    return _in_place(loop, bodies, steps)


def _in_place(loop, bodies, steps):
    masses, state = start(bodies)

    def run():
        now = [a.copy() for a in state]
        loop(masses, *now, steps)
        return now

    return run


ENTRIES = {
    "tfc": with_tfc,
    "jax": with_jax,
    "tensorflow": with_tensorflow,
    "numba": with_numba,
    "numba, fastmath": with_numba_vectors,
}
