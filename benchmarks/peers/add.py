"""W1: what one run costs: the sum of two scalars that are fed."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "W1, Session.run(a + b)"
UNIT, SCALE = "us a run", 1e6
SIZES = ({"terms": 2}, {"terms": 3}, {"terms": 7})
TOLERANCE = 1e-6
RUNS = 200
BESIDE = ("numpy",)  # shown, but no peer: it knows no graph


def per(**_):
    """Runs of a call."""
    return RUNS


def data(terms):
    return [np.float32(k + 1) for k in range(terms)]


def repeated(once):
    def run():
        for _ in range(RUNS):
            result = once()
        return result

    return run


def sums(tf, terms):
    fed = [tf.placeholder(tf.float32, []) for _ in range(terms)]
    total = fed[0]
    for term in fed[1:]:
        total = total + term
    return fed, total


def with_graph(tf, new_session, terms):
    fed, total = sums(tf, terms)
    sess, feed = new_session(), dict(zip(fed, data(terms), strict=True))
    return repeated(lambda: sess.run(total, feed))


def with_callable(**size):
    """`Session.make_callable` of tfc."""
    tf, new_session = graphs.tfc()
    with tf.Graph().as_default():
        fed, total = sums(tf, **size)
        step, values = new_session().make_callable(total, fed), data(**size)
    return repeated(lambda: step(*values))


def added(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def with_numpy(terms):
    values = data(terms)
    return repeated(lambda: added(values))


def with_jax(terms):
    import jax

    values, step = data(terms), jax.jit(lambda *a: added(a))
    return repeated(lambda: np.asarray(step(*values)))


def with_torch(terms):
    import torch

    values = [torch.tensor(v) for v in data(terms)]
    return repeated(lambda: added(values))


def with_pytensor(terms):
    import pytensor
    import pytensor.tensor as pt

    fed = [pt.fscalar() for _ in range(terms)]
    step, values = pytensor.function(fed, added(fed)), data(terms)
    return repeated(lambda: step(*values))


ENTRIES = {
    **graphs.entries(with_graph),
    "tfc, make_callable": with_callable,
    "numpy": with_numpy,
    "jax": with_jax,
    "torch": with_torch,
    "pytensor": with_pytensor,
}
