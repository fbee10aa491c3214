"""Kernels that follow each other chunk by chunk: the same bits as one after the other, on any
number of threads, with what stands between them and with loops around them."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tfc import compiler
from tfc.base.options import options
from tfc.ir.core import Function
from tfc.ir.walk import all_functions


def joined(records: list[compiler.CompilationRecord]) -> int:
    """Kernels of the last compilation that follow the one before."""
    fn: Function = records[-1].passes[-1].fn
    return sum("joined" in op.kwargs for f in all_functions(fn) for op in f.ops)


def recurrent(steps: int, rows: int, units: int, dynamic: bool) -> tuple[tf.Tensor, ...]:
    """A cell whose every step is a concat, a product and elementwise work, and its gradients."""
    random = np.random.RandomState(1)
    x = tf.constant(random.standard_normal((rows, steps, 28)).astype(np.float32))
    cell = tf.nn.rnn_cell.BasicLSTMCell(units)
    init = tf.random_uniform_initializer(-0.1, 0.1, seed=7)
    with tf.variable_scope("net", initializer=init):
        if dynamic:
            outputs, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
            out = outputs[:, -1]
        else:
            listed, state = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
            out = listed[-1]
    loss = tf.reduce_sum(out * state.c)
    return (loss, out, *tf.gradients(loss, cell.variables))


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("rows, units", [(128, 128), (100, 96), (61, 128)])
def test_recurrent_steps(dynamic: bool, rows: int, units: int) -> None:
    found: list[list[np.ndarray]] = []
    counts = []
    records: list[compiler.CompilationRecord] = []
    compiler.observers.append(records.append)
    before = options.passes, options.threads
    try:
        for passes, threads in (("-chain", 1), ("", 1), ("", 2), ("", 3)):
            options.passes, options.threads = passes, threads
            with tf.Graph().as_default():
                fetches = recurrent(4, rows, units, dynamic)
                with tf.Session() as sess:
                    sess.run(tf.global_variables_initializer())
                    found.append(sess.run(fetches))
            counts.append(joined(records))
    finally:
        options.passes, options.threads = before
        compiler.observers.remove(records.append)
    assert counts[0] == 0
    assert (min(counts[1:]) > 0) == (dynamic or units == 128)  # else products go by columns
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert np.array_equal(a, b)


def test_in_place_and_between() -> None:
    """Rows that are written over where they lie, with scalar work in between."""
    random = np.random.RandomState(2)
    a = random.standard_normal((256, 256)).astype(np.float32)
    w = (random.standard_normal((256, 256)) / 16).astype(np.float32)

    def body(i: tf.Tensor, y: tf.Tensor, z: tf.Tensor) -> list[tf.Tensor]:
        y = tf.tanh(tf.matmul(y, w)) + tf.cast(i, tf.float32)
        return [i + 1, y, z + tf.exp(-tf.abs(y))]

    results = []
    for passes in ("-chain", ""):
        options.passes, before = passes, options.passes
        try:
            with tf.Graph().as_default(), tf.Session() as sess:
                x = tf.placeholder(tf.float32, a.shape)
                start = [tf.constant(0), x, tf.zeros_like(x)]
                _, y, z = tf.while_loop(lambda i, *_: i < 5, body, start)
                results.append(sess.run([y, z], {x: a}))
        finally:
            options.passes = before
    y, z = a, np.zeros_like(a)
    for i in range(5):
        y = np.tanh(y @ w) + np.float32(i)
        z = z + np.exp(-np.abs(y))
    for plain, chained, expected in zip(*results, (y, z), strict=True):
        assert np.array_equal(plain, chained)
        assert np.allclose(chained, expected, rtol=2e-3, atol=2e-3)
