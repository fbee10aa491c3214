"""What building and compiling graphs costs, by size: processor time and peak memory.

Graphs of about 10 to 100,000 ops: a chain of elementwise ops, the training step of a network of
equal dense layers, and of a recurrent network unrolled in time; the last two with gradients and
updates. Each in a fresh process, without the cache of machine code. Processor time, because that
does not depend on who else uses the machine; per op it should stay the same.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np


def chain(tf: Any, size: int) -> tuple[Any, Any]:
    x = y = tf.placeholder(tf.float32, [64])
    for number in range(size // 3):
        y = tf.tanh(y) if number % 2 else y * (1 + 1 / (number + 3))
        y = y + x
    return [y], {x: np.ones(64)}


def layers(tf: Any, size: int) -> tuple[Any, Any]:
    x = h = tf.placeholder(tf.float32, [32, 64])
    for number in range(max(1, size // 45)):
        w, b = tf.get_variable(f"w{number}", [64, 64]), tf.get_variable(f"b{number}", [64])
        h = tf.nn.relu(tf.matmul(h, w) + b)
    return trained(tf, h), {x: np.ones((32, 64))}


def recurrent(tf: Any, size: int) -> tuple[Any, Any]:
    steps = max(1, size // 36)
    x = tf.placeholder(tf.float32, [steps, 8, 16])
    w, u = tf.get_variable("w", [16, 32]), tf.get_variable("u", [32, 32])
    b, h = tf.get_variable("b", [32]), tf.zeros([8, 32])
    for row in tf.unstack(x):
        h = tf.tanh(tf.matmul(row, w) + tf.matmul(h, u) + b)
    return trained(tf, h), {x: np.ones((steps, 8, 16))}


def trained(tf: Any, h: Any) -> list[Any]:
    loss = tf.reduce_mean(tf.square(h))
    return [tf.train.GradientDescentOptimizer(0.01).minimize(loss), loss]


GRAPHS = {"chain": chain, "layers": layers, "recurrent": recurrent}
SIZES = (10, 100, 1_000, 10_000)


def one(kind: str, size: int) -> None:
    """Measure in this process; print ops, kernels, CPU ms of building, initialising and the first
    step, and peak MB."""
    import tfc as tf

    marks = [time.process_time()]
    fetches, feeds = GRAPHS[kind](tf, size)
    marks.append(time.process_time())
    ops = len(tf.get_default_graph().get_operations())
    with tf.Session() as session:
        if kind != "chain":
            session.run(tf.global_variables_initializer())
        marks.append(time.process_time())
        session.run(fetches, feeds)
        marks.append(time.process_time())
    build, init, step = (1e3 * (b - a) for a, b in zip(marks, marks[1:], strict=False))
    print(ops, build, init, step, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(kind: str, size: int, rounds: int) -> list[float]:
    command = [sys.executable, __file__, "--one", kind, str(size)]
    environment = {**os.environ, "TFC_CACHE": "off"}
    rows = []
    for _ in range(rounds):
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        rows.append([float(x) for x in done.stdout.split()])
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--kinds", nargs="+", choices=GRAPHS, default=list(GRAPHS))
    parser.add_argument("--one", nargs=2, metavar=("KIND", "SIZE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], int(args.one[1]))
        return
    print(
        f"{'CPU, ms':<10} {'ops':>7} {'build':>8} {'init':>8} {'step':>8} {'us an op':>9} {'MB':>6}"
    )
    for kind in args.kinds:
        for size in args.sizes:
            ops, build, init, step, peak = measured(kind, size, args.rounds)
            print(
                f"{kind:<10} {ops:>7.0f} {build:>8.1f} {init:>8.1f} {step:>8.1f} "
                f"{1e3 * step / ops:>9.0f} {peak:>6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
