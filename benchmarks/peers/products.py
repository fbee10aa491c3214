"""W7: a chain of matrix products in one run."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "W7, matrix product"
UNIT, SCALE = "us a product", 1e6
SQUARES = ((16, 32, 64, 128, 256, 512, 1024, 2048), (17, 33, 65, 129, 257, 513, 1025),
           (13, 31, 61, 127, 251, 509, 1021))  # fmt: skip
GROUPS = tuple([{"rows": n, "inner": n, "columns": n} for n in group] for group in SQUARES)
GROUPS[0].append({"rows": 100, "inner": 784, "columns": 128})
GROUPS[1].append({"rows": 99, "inner": 785, "columns": 129})
GROUPS[2].append({"rows": 97, "inner": 787, "columns": 127})
SIZES = GROUPS
TOLERANCE = 1e-3
OPERATIONS = 2e8  # of a run, about: the chain is long enough for the run itself not to count


def links(rows, inner, columns):
    """Products of a chain; a chain of matrices that are not square goes there and back."""
    wanted = int(OPERATIONS / (2 * rows * inner * columns))
    return 1 if rows != inner else min(100, max(1, wanted))


def per(**size):
    return links(**size)


def cost(rows, inner, columns):
    return 2 * rows * inner * columns, 0


def summary(result):
    return np.asarray(result).ravel()[:: max(1, result.shape[0] * result.shape[1] // 1000)]


def data(rows, inner, columns):
    """The first factor, and a second that keeps the size of what it is multiplied with."""
    random = np.random.RandomState(0)
    first = random.standard_normal((rows, inner)).astype(np.float32)
    return first, (random.standard_normal((inner, columns)) / np.sqrt(inner)).astype(np.float32)


def with_graph(tf, new_session, **size):
    first, second = data(**size)
    a, b = tf.placeholder(tf.float32, first.shape), tf.placeholder(tf.float32, second.shape)
    product = a
    for _ in range(links(**size)):
        product = tf.matmul(product, b)
    sess, feed = new_session(), {a: first, b: second}
    return lambda: sess.run(product, feed)


def with_jax(**size):
    import jax
    import jax.numpy as jnp

    a, b = (jnp.asarray(x) for x in data(**size))

    @jax.jit
    def chain(a, b):
        for _ in range(links(**size)):
            a = a @ b
        return a

    return lambda: chain(a, b).block_until_ready()


def with_torch(threads=2, **size):
    import torch

    a, b = (torch.from_numpy(x) for x in data(**size))
    count = links(**size)

    def run():
        torch.set_num_threads(threads)
        product = a
        for _ in range(count):
            product = product @ b
        return product

    return run


def with_numpy(**size):
    a, b = data(**size)
    count = links(**size)

    def run():
        product = a
        for _ in range(count):
            product = product @ b
        return product

    return run


ENTRIES = {
    **graphs.entries(with_graph, xla=True),
    "jax": with_jax,
    "torch": with_torch,
    "torch, 1 thread": lambda **size: with_torch(threads=1, **size),
    "numpy": with_numpy,
}
