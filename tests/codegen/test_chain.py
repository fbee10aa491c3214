"""Kernels that follow each other chunk by chunk: the same bits as one after the other, on any
number of threads, with what stands between them and with loops around them."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tests.codegen.run import Running, place, with_attrs
from tfc import compiler
from tfc import prims as p
from tfc.base.options import options
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type
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
    # where products go by columns, the gradient of the bias still goes beside that of the weights
    assert min(counts[1:]) >= (2 if dynamic or units == 128 else 1)
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


@pytest.mark.parametrize("chunks", [2, 3, 5, 8])
def test_shares_of_a_kernel_that_goes_beside(chunks: int) -> None:
    """Every chunk of it is done, whoever does those that it goes with."""
    b = Builder("f")
    x, y = (b.param(Type("f32", shape)) for shape in ((64, 300), (90, 40)))
    whole = place(b.finish([p.neg(b, x), p.neg(b, y)]))
    head, beside = whole.ops
    head = with_attrs(head, head.operands, head.kwargs | {"chunks": 8})
    joined_too = {"chunks": chunks, "joined": True}
    beside = with_attrs(beside, beside.operands, beside.kwargs | joined_too)
    results = (head.result, beside.result)
    running = Running(Function("f", whole.params, (head, beside), results, whole.attrs))
    assert ("udiv" in running.code.llvm.partition("chain0")[2]) == (chunks < 8)
    random = np.random.RandomState(3)
    arrays = [random.standard_normal(v.type.shape).astype(np.float32) for v in whole.params]
    for got, given in zip(running(*arrays), arrays, strict=True):
        np.testing.assert_array_equal(got, -given)
