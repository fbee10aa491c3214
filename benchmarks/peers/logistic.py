"""W10: the logistic map, x = 3.7 x (1 - x), in a while loop: a chain of dependent operations."""

from __future__ import annotations

import numpy as np

TITLE = "W10, logistic map"
UNIT, SCALE = "ns an iteration", 1e9
SIZES = ({"n": 1_000_000}, {"n": 100_001}, {"n": 10_007})
# The map is chaotic, and not all peers round after each operation (some contract to fused
# multiply-adds): few iterations can be compared.
CHECKED = 40
TOLERANCE = 1e-2
START, RATE = np.float32(0.3), np.float32(3.7)


def per(n: int) -> int:
    """Iterations of a call."""
    return n


def _both(run, n):
    """What a call of `n` iterations gives is beyond comparison; the first call is a short one."""
    calls = iter([CHECKED])
    return lambda: run(next(calls, n))


def with_tfc(n):
    import tfc as tf

    return _while_loop(tf, n)


def with_tensorflow(n):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _while_loop(tf, n)


def _while_loop(tf, n):
    graph = tf.Graph()
    with graph.as_default():
        count, start = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [])
        _, last = tf.while_loop(
            lambda i, x: i < count, lambda i, x: (i + 1, RATE * x * (1 - x)), [0, start]
        )
    sess = tf.Session(graph=graph)
    return _both(lambda times: sess.run(last, {count: times, start: START}), n)


def with_jax(n):
    import jax
    from jax import lax

    @jax.jit
    def loop(x, times):
        return lax.fori_loop(0, times, lambda i, x: RATE * x * (1 - x), x)

    return _both(lambda times: loop(START, times).block_until_ready(), n)


def with_numba(n):
    import numba

    @numba.njit
    def loop(x, times):
        one = np.float32(1)
        for _ in range(times):
            x = RATE * x * (one - x)
        return x

    return _both(lambda times: loop(START, times), n)


ENTRIES = {
    "tfc": with_tfc,
    "jax": with_jax,
    "tensorflow": with_tensorflow,
    "numba": with_numba,
}
