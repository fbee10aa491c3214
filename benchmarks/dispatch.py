"""What one Session.run costs: `a + b` of two fed scalars, and a linear regression step; natively
dispatched, through `make_callable`, and through the Python method. And a result of 40 MB."""

from __future__ import annotations

import argparse

import numpy as np
from timing import in_turns, ratio, report

import tfc as tf
from tfc.base.options import options
from tfc.codegen import array_pool


def session(native: bool) -> tf.Session:
    options.fast_run = int(native)
    return tf.Session()


def make_add(how: str):
    a, b = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    total = a + b
    sess = session(how != "python")
    x, y = np.float32(1), np.float32(2)
    if how == "callable":
        call = sess.make_callable(total, [a, b])
        return lambda: call(x, y)
    return lambda: sess.run(total, {a: x, b: y})


def make_large(kept: bool):
    """10 million elements; the memory of the last result is used again if it is `kept`."""
    x = tf.placeholder(tf.float32, [None])
    y = tf.nn.relu((2.0 * x + 1.0) * x - 3.0)
    sess, value = session(True), np.ones(10_000_000, np.float32)

    def run() -> None:
        pool = array_pool.the_pool()
        if pool is not None and not kept:
            pool.trim()
        sess.run(y, {x: value})

    return run


def make_regression(x: np.ndarray, y: np.ndarray, native: bool = True):
    features = tf.placeholder(tf.float32, [None])
    targets = tf.placeholder(tf.float32, [None])
    slope, intercept = tf.Variable(0.0), tf.Variable(0.0)
    loss = tf.reduce_mean(tf.squared_difference(features * slope + intercept, targets))
    train_op = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    sess = session(native)
    sess.run(tf.global_variables_initializer())
    fetches = [train_op, loss]
    return lambda: sess.run(fetches, {features: x, targets: y})


def make_numpy_regression(x: np.ndarray, y: np.ndarray):
    rate, parameters = np.float32(0.01), np.zeros(2, np.float32)

    def step() -> float:
        difference = x * parameters[0] + parameters[1] - y
        parameters[0] -= rate * 2 * (difference * x).mean()
        parameters[1] -= rate * 2 * difference.mean()
        return float((difference * difference).mean())

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()

    random = np.random.RandomState(0)
    x = random.standard_normal(100).astype(np.float32)
    y = (3 * x + 1).astype(np.float32)
    a, b = np.float32(1), np.float32(2)
    functions = {
        "Session.run(a + b)": make_add("native"),
        "make_callable of a + b": make_add("callable"),
        "Session.run(a + b), in Python": make_add("python"),
        "np.add(a, b)": lambda: np.add(a, b),
        "linear regression step, 100 points": make_regression(x, y),
        "linear regression step, in Python": make_regression(x, y, native=False),
        "linear regression step in numpy": make_numpy_regression(x, y),
        "relu((2x+1)x-3) of 10 million": make_large(kept=True),
        "the same into fresh memory": make_large(kept=False),
    }
    times = dict(zip(functions, in_turns(list(functions.values()), args.rounds, 0.02), strict=True))
    for name, column in times.items():
        report(name, column)
    add, _, python_add, bare, step, python_step, numpy_step, kept, fresh = times.values()
    print(f"a + b against np.add: {ratio(bare, add)}")
    print(f"a + b against the Python method: {ratio(python_add, add)}")
    print(f"regression against numpy: {ratio(numpy_step, step)}")
    print(f"regression against the Python method: {ratio(python_step, step)}")
    print(f"memory used again against fresh memory: {ratio(fresh, kept)}")


if __name__ == "__main__":
    main()
