"""What a loop costs against its iterations, the ops of its body, and with its gradient: tables that
show that cost is linear. tfc alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

import tfc as tf

ITERATIONS = (10**3, 10**4, 10**5, 10**6, 10**7)
OPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
GRADIENTS = (10**3, 10**4, 10**5, 10**6)
FIXED = 100_000  # iterations of the loops whose bodies grow


def seconds(run: Callable[[], object], rounds: int) -> float:
    """The median of `rounds` calls after the first, which compiles."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def chain(ops: int, turns: int, gradient: bool = False) -> Callable[[], object]:
    """A loop whose body is a chain of multiplications and additions of scalars."""
    graph = tf.Graph()
    with graph.as_default():
        start = tf.placeholder(tf.float32, [])

        def body(i, x):
            for k in range(ops):
                x = x * np.float32(0.999) if k % 2 == 0 else x + np.float32(0.001)
            return i + 1, x

        _, last = tf.while_loop(lambda i, x: i < turns, body, [0, start])
        wanted = tf.gradients(last, start)[0] if gradient else last
    sess = tf.Session(graph=graph)
    return lambda: sess.run(wanted, {start: np.float32(0.3)})


def logistic(turns: int, gradient: bool = False) -> Callable[[], object]:
    """The map of W10."""
    graph = tf.Graph()
    with graph.as_default():
        start = tf.placeholder(tf.float32, [])
        _, last = tf.while_loop(
            lambda i, x: i < turns, lambda i, x: (i + 1, 3.7 * x * (1 - x)), [0, start]
        )
        wanted = tf.gradients(last, start)[0] if gradient else last
    sess = tf.Session(graph=graph)
    return lambda: sess.run(wanted, {start: np.float32(0.3)})


def _line(name: str, values: list[float]) -> str:
    return f"| {name} | " + " | ".join(f"{v:.3g}" for v in values) + " |"


def table(rounds: int = 7) -> list[str]:
    """Lines of markdown."""

    def head(what: str, columns: tuple[int, ...]) -> list[str]:
        return [
            "",
            f"| {what} | {' | '.join(map(str, columns))} |",
            "|---" * (len(columns) + 1) + "|",
        ]

    lines = ["", "## Cost is linear", "", "A run of the Session is part of every figure."]
    lines += head("iterations", ITERATIONS)
    turns = [seconds(logistic(n), rounds) / n * 1e9 for n in ITERATIONS]
    lines.append(_line("logistic map, ns an iteration", turns))
    both = [seconds(logistic(n, True), rounds) / n * 1e9 for n in GRADIENTS]
    lines.append(_line("with its gradient, ns an iteration", both).rstrip("|") + "| - |")
    lines += head(f"ops of the body, {FIXED} iterations", OPS)
    ops = [seconds(chain(n, FIXED), rounds) / FIXED / n * 1e9 for n in OPS]
    lines.append(_line("a chain, ns an op", ops))
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
