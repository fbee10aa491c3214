"""Training steps compiled as one loop (`Session.run_loop`), against the same through `Session.run`.

The MLP 784-128-32-10 with batches of 100, gathered from 55,000 resident images, and a linear
regression on 100 points. Every loss is collected.
"""

from __future__ import annotations

import argparse

import numpy as np
from timing import in_turns, ratio, report

import tfc as tf
from tfc.examples.tutorials.mnist import mnist

EXAMPLES, BATCH, EPOCH = 55_000, 100, 550
OPTIMIZERS = {
    "SGD": lambda: tf.train.GradientDescentOptimizer(0.01),
    "Adam": lambda: tf.train.AdamOptimizer(0.001),
}


def make_mlp(optimizer, images: np.ndarray, labels: np.ndarray):
    """Two functions that run an epoch: as one loop, and step by step."""
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        x = tf.placeholder(tf.float32, (BATCH, mnist.IMAGE_PIXELS))
        y = tf.placeholder(tf.int32, (BATCH,))
        loss = mnist.loss(mnist.inference(x, 128, 32), y)
        fetches = [optimizer().minimize(loss), loss]
        batches = tf.Batches({x: images, y: labels}, BATCH)
        init = tf.global_variables_initializer()
    sess = tf.Session(graph=graph)
    sess.run(init)

    def one_by_one() -> None:
        for _ in range(EPOCH):
            sess.run(fetches, next(batches))

    return lambda: sess.run_loop(fetches, EPOCH, data=batches), one_by_one


def make_regression(steps: int):
    """The same for a linear regression of `steps` steps, all on the same points."""
    points = np.random.RandomState(0).standard_normal(100).astype(np.float32)
    with tf.Graph().as_default() as graph:
        x, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
        slope, offset = tf.Variable(0.0), tf.Variable(0.0)
        loss = tf.reduce_mean(tf.squared_difference(x * slope + offset, y))
        fetches = [tf.train.GradientDescentOptimizer(0.01).minimize(loss), loss]
        init = tf.global_variables_initializer()
    sess = tf.Session(graph=graph)
    sess.run(init)
    feed = {x: points, y: 3 * points + 1}

    def one_by_one() -> None:
        for _ in range(steps):
            sess.run(fetches, feed)

    return lambda: sess.run_loop(fetches, steps, feed), one_by_one


def compare(name: str, functions, steps: int, rounds: int) -> None:
    columns = in_turns(functions, rounds, 0.05)
    loop, single = ([seconds / steps for seconds in column] for column in columns)
    report(f"{name}, a step in a loop", loop)
    report(f"{name}, a step by itself", single)
    print(f"{name}, loop against single steps: {ratio(single, loop)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()

    random = np.random.RandomState(0)
    images = random.random_sample((EXAMPLES, mnist.IMAGE_PIXELS)).astype(np.float32)
    labels = random.randint(0, 10, EXAMPLES).astype(np.int32)
    for name, optimizer in OPTIMIZERS.items():
        compare(f"MLP, {name}", make_mlp(optimizer, images, labels), EPOCH, args.rounds)
    compare("linear regression", make_regression(2000), 2000, args.rounds)


if __name__ == "__main__":
    main()
