"""W9: layer norm, GELU and softmax over the last axis of a matrix."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "W9, layer norm, GELU, softmax"
UNIT, SCALE = "ms a run", 1e3
SIZES = (
    {"rows": 4096, "columns": 1024},
    {"rows": 1025, "columns": 513},
    {"rows": 4099, "columns": 1021},
)
TOLERANCE = 1e-5
EPSILON = 1e-5


def per(**_):
    return 1


def cost(rows, columns):
    return 0, 8 * rows * columns


def summary(result):
    return np.asarray(result).ravel()[::997]


def data(rows, columns):
    random = np.random.RandomState(0)
    x = random.standard_normal((rows, columns)).astype(np.float32)
    gain, offset = (random.uniform(0.5, 1.5, columns).astype(np.float32) for _ in range(2))
    return x, gain, offset


def with_graph(tf, new_session, **size):
    values = data(**size)
    x, gain, offset = (tf.placeholder(tf.float32, v.shape) for v in values)
    mean, variance = tf.nn.moments(x, [1], keep_dims=True)
    y = tf.nn.batch_normalization(x, mean, variance, offset, gain, EPSILON)
    y = tf.nn.softmax(0.5 * y * (1 + tf.erf(y * np.float32(np.sqrt(0.5)))))
    sess, feed = new_session(), dict(zip((x, gain, offset), values, strict=True))
    return lambda: sess.run(y, feed)


def with_jax(**size):
    import jax
    import jax.numpy as jnp

    values = [jnp.asarray(v) for v in data(**size)]

    @jax.jit
    def f(x, gain, offset):
        mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        y = (x - mean) * jax.lax.rsqrt(variance + EPSILON) * gain + offset
        return jax.nn.softmax(jax.nn.gelu(y, approximate=False))

    return lambda: f(*values).block_until_ready()


def with_torch(compiled=False, **size):
    import torch

    x, gain, offset = (torch.from_numpy(v) for v in data(**size))
    functional = torch.nn.functional

    def f(x, gain, offset):
        y = functional.layer_norm(x, x.shape[1:], gain, offset, EPSILON)
        return torch.softmax(functional.gelu(y), 1)

    f = torch.compile(f) if compiled else f

    def run():
        torch.set_num_threads(2)
        return f(x, gain, offset)

    return run


ENTRIES = {
    **graphs.entries(with_graph, xla=True),
    "jax": with_jax,
    "torch": with_torch,
    "torch, compiled": lambda **size: with_torch(compiled=True, **size),
}
