"""Native code keeps to its buffers: programs run in memory that ends, or begins, at pages that
nobody may touch (tests/guarded.py), each in a process of its own. They are some of the primitives'
samples, and what once went wrong; TFC_GUARD=end python -m pytest does it for all tests.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tfc as tf
from tests import guarded
from tests.codegen.run import Running, place
from tests.codegen.run import build as builder
from tests.codegen.test_samples import COMPILED, NARROW
from tests.samples import function
from tfc import prims as p
from tfc.codegen.target import host

ROOT = Path(__file__).resolve().parent.parent


# -- what runs in guarded memory -----------------------------------------------------------------
def samples() -> None:
    """Every 17th sample, on this machine and on older ones."""
    targets = [host(), *NARROW] if host().triple.startswith("x86_64") else [host()]
    for number, sample in enumerate(COMPILED[::17]):
        Running(place(function(sample)), targets[number % len(targets)])(*sample.arrays)


def borders() -> None:
    """Masks that two registers share, where the second half of the last packet does not exist; and
    windows that reach over the border, of which no place is read before that has been tested."""
    wide = ("add-c64-special", "eq-c128-special", "select_and_scatter-f16", "scatter_near-f16")
    for sample in COMPILED:
        if sample.name in wide and host().triple.startswith("x86_64"):
            for target in NARROW:
                Running(place(function(sample)), target)(*sample.arrays)
    build, (x, y) = builder("c128", "c128", shape=(3, 5))
    beside = build.finish([p.concat(build, x, y, x, dim=1)])
    array = np.ones((3, 5), np.complex128)
    for target in NARROW if host().triple.startswith("x86_64") else ():
        assert (Running(place(beside), target)(array, array)[0] == 1).all()


def entries_of_turns_that_are_none() -> None:
    """A loop's test bounds an index; where there is no turn, nothing is read."""
    x, k, n = (tf.placeholder(*of) for of in ((tf.float32, [5]), (tf.int32, []), (tf.int32, [])))

    def body(c, a):
        even = tf.equal(c % 2, 0)
        return c + 1, a + tf.cond(even, lambda: x[k] * tf.cast(c, tf.float32), lambda: a * 2.0)

    def test(c, a):
        return tf.logical_and(tf.logical_and(k >= 0, k < 5), c < n)

    looped = tf.while_loop(test, body, [0, 1.0])[1]
    with tf.Session() as session:
        for number, want in ((3, 27.0), (10**9, 1.0), (-(10**9), 1.0), (5, 1.0)):
            found = session.run(looped, {x: np.arange(5, dtype=np.float32), k: number, n: 4})
            assert found == want


def training() -> None:
    """Feeds, variables, kept panels, a convolution and its gradients, native dispatch, run_loop."""
    tf.set_random_seed(1)
    x, y = tf.placeholder(tf.float32, [None, 7, 5, 3]), tf.placeholder(tf.int32, [None])
    filters = tf.get_variable("filters", [3, 3, 3, 5])
    hidden = tf.nn.relu(tf.nn.conv2d(x, filters, [1, 2, 1, 1], "SAME"))
    pooled = tf.layers.flatten(tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 1, 1, 1], "SAME"))
    logits = tf.layers.dense(pooled, 11)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    step = tf.train.AdamOptimizer().minimize(loss)
    random = np.random.RandomState(1)
    feed = {x: random.rand(3, 7, 5, 3).astype(np.float32), y: [1, 10, 0]}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(4):
            session.run([step, loss], feed)
            session.run(logits, feed)
        session.run_loop([step, loss], 5, feed_dict=feed)


PROGRAMS: dict[str, Callable[[], None]] = {
    f.__name__: f for f in (samples, borders, entries_of_turns_that_are_none, training)
}


def beyond() -> None:
    """An array's end, or begin, is found out."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # leave no file behind
    array = np.ones(5, np.float32)
    assert guarded.guard is not None
    ctypes.string_at(array.ctypes.data + (-1 if guarded.guard.begin else array.nbytes), 1)


def main(words: str, name: str) -> None:
    guard = guarded.install(words)
    {**PROGRAMS, "beyond": beyond}[name]()
    assert guard.calls and (guard.doubled or not guard.twice)


pages = pytest.mark.skipif(
    not sys.platform.startswith("linux") or guarded.PAGE != 4096,
    reason="pages are made as Linux does, of 4096 bytes",
)


# -- tests ---------------------------------------------------------------------------------------
def guarded_run(words: str, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.test_guarded", words, name]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


@pages
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("words", ["end", "begin,twice"])
def test_nothing_is_touched_but_buffers(words: str, name: str) -> None:
    done = guarded_run(words, name)
    assert done.returncode == 0, done.stderr[-2000:]


@pages
@pytest.mark.parametrize("words", ["end", "begin"])
def test_the_guard_finds_what_is_beyond(words: str) -> None:
    assert guarded_run(words, "beyond").returncode < 0


if __name__ == "__main__":
    main(*sys.argv[1:])
