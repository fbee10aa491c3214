"""What the rows of W6 share: a formula over one array, in each framework."""

from __future__ import annotations

import graphs
import numpy as np


def data(elements):
    return np.random.RandomState(0).uniform(-3, 3, elements).astype(np.float32)


def summary(result):
    """Some of the elements, to be compared."""
    return np.asarray(result)[:: max(1, len(result) // 1000)]


def entries(formula):
    """ENTRIES for `formula(**functions)`, which gives a function of the array."""

    def with_graph(tf, new_session, elements):
        x = tf.placeholder(tf.float32, [elements])
        f = formula(tanh=tf.tanh, exp=tf.exp, sigmoid=tf.sigmoid, log1p=tf.log1p,
                    absolute=tf.abs, relu=tf.nn.relu)  # fmt: skip
        y, sess, feed = f(x), new_session(), {x: data(elements)}
        return lambda: sess.run(y, feed)

    def with_jax(elements):
        import jax
        import jax.numpy as jnp

        f = formula(tanh=jnp.tanh, exp=jnp.exp, sigmoid=jax.nn.sigmoid, log1p=jnp.log1p,
                    absolute=jnp.abs, relu=jax.nn.relu)  # fmt: skip
        f, x = jax.jit(f), jnp.asarray(data(elements))
        return lambda: f(x).block_until_ready()

    def with_torch(elements, compiled=False):
        import torch

        f = formula(tanh=torch.tanh, exp=torch.exp, sigmoid=torch.sigmoid, log1p=torch.log1p,
                    absolute=torch.abs, relu=torch.relu)  # fmt: skip
        f, x = torch.compile(f) if compiled else f, torch.from_numpy(data(elements))

        def run():
            torch.set_num_threads(2)
            return f(x)

        return run

    return {
        **graphs.entries(with_graph, xla=True),
        "jax": with_jax,
        "torch": with_torch,
        "torch, compiled": lambda elements: with_torch(elements, compiled=True),
    }
