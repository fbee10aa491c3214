"""Loops whose sums of products are made strip by strip (pass strip_mine): numbers against numpy and
against unrolled programs, in float64, where another order of terms is 1e-12 at most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc import compiler
from tfc.ir.core import Function


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as graph:
        yield graph


def compiled(fetches: Any, feed: dict[Any, Any] | None = None) -> tuple[Any, Function]:
    """What a run gives, and the function that the last pass made of it."""
    records: list[compiler.CompilationRecord] = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        compiler.observers.append(records.append)
        try:
            found = sess.run(fetches, feed)
        finally:
            compiler.observers.remove(records.append)
    return found, records[-1].passes[-1].fn


def depths(fn: Function) -> list[tuple[int, int]]:
    """Of each weights' gradient: in how many loops it stands, and over how many rows it goes."""
    found = []

    def walk(fn: Function, loops: int) -> None:
        for op in fn.ops:
            for region in op.regions:
                walk(region, loops + (op.defn.name == "while"))
            if op.defn.name == "dot" and op.attr("contract") == ((0,), (0,)):
                found.append((loops, int(op.operands[0].type.shape[0])))

    walk(fn, 0)
    return found


def gradients(cell: Callable[[], Any], rnn: Callable[..., Any], turns: int, batch: int) -> Any:
    """Gradients of the variables of a recurrent network in float64."""
    random = np.random.RandomState(5)
    rows = random.randn(batch, turns, 7)
    x = tf.placeholder(tf.float64, rows.shape)
    initializer = tf.random_uniform_initializer(-0.3, 0.3, seed=3, dtype=tf.float64)
    with tf.variable_scope("net", initializer=initializer):
        outputs = rnn(cell(), x)
    weights = tf.constant(random.randn(batch, turns, outputs.shape[2].value))
    found = tf.gradients(tf.reduce_sum(outputs * weights), tf.trainable_variables())
    return compiled(found, {x: rows})


def dynamic(cell: Any, x: Any) -> Any:
    return tf.nn.dynamic_rnn(cell, x, dtype=tf.float64)[0]


def unrolled(cell: Any, x: Any) -> Any:
    outputs, _ = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float64)
    return tf.stack(outputs, axis=1)


@pytest.mark.parametrize(
    ("turns", "batch", "expected"), [(6, 3, (0, 18)), (20, 60, (1, 600)), (7, 64, (1, 64))]
)
@pytest.mark.parametrize("kind", ["BasicLSTMCell", "GRUCell"])
def test_gradients_of_recurrent_networks(
    kind: str, turns: int, batch: int, expected: tuple[int, int]
) -> None:
    units = {"BasicLSTMCell": 40, "GRUCell": 72}[kind]

    def cell() -> Any:
        return getattr(tf.nn.rnn_cell, kind)(units)

    found, fn = gradients(cell, dynamic, turns, batch)
    assert expected in depths(fn)
    with tf.Graph().as_default():
        straight, _ = gradients(cell, unrolled, turns, batch)
    for one, other in zip(found, straight, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_steps_are_those_of_run_loop() -> None:
    random = np.random.RandomState(1)
    rows = random.randn(5, 4, 6, 9).astype(np.float32)
    results = []
    for way in ("run", "run_loop"):
        with tf.Graph().as_default(), tf.Session() as sess:
            x = tf.placeholder(tf.float32, [4, 6, 9])
            initializer = tf.random_uniform_initializer(-0.3, 0.3, seed=3)
            with tf.variable_scope("net", initializer=initializer):
                outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(64), x, dtype=tf.float32)
            loss = tf.reduce_mean(tf.square(outputs - 0.1))
            step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
            sess.run(tf.global_variables_initializer())
            if way == "run":
                for batch in rows:
                    sess.run(step, {x: batch})
            else:
                sess.run_loop(step, 5, per_step={x: rows})
            results.append(sess.run(tf.trainable_variables()))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def looped(turns: int, step: Callable[[Any], Any], start: Any) -> Any:
    """start, plus what `step` gives for each turn."""

    def body(i: Any, total: Any) -> Any:
        return i + 1, total + step(i)

    return tf.while_loop(lambda i, _: i < turns, body, [tf.constant(0), start])[1]


def products(fn: Function, loops: int = 0) -> list[int]:
    """Of each product: in how many loops it stands."""
    found: list[int] = []
    for op in fn.ops:
        found += [loops] * (op.defn.name == "dot")
        for region in op.regions:
            found += products(region, loops + (op.defn.name == "while"))
    return found


@pytest.mark.parametrize("way", ["rows", "columns", "both", "turned", "state"])
def test_sums_of_a_loop(way: str) -> None:
    random = np.random.RandomState(7)
    a, b = random.randn(9, 5, 64), random.randn(9, 5, 80)
    start = random.randn(64, 80)
    x, y, z = (tf.placeholder(tf.float64, v.shape) for v in (a, b, start))

    def term(i: Any) -> Any:
        if way == "rows":
            return tf.matmul(x[i], y[i], transpose_a=True)
        if way == "columns":  # the axis summed over is the second of both
            return tf.matmul(tf.transpose(x[i]) * 2.0, tf.sin(tf.transpose(y[i])), transpose_b=True)
        if way == "both":
            first = tf.matmul(x[i], y[8 - i], transpose_a=True)
            return first + tf.matmul(tf.cos(x[i]), y[i], transpose_a=True)
        if way == "turned":
            return tf.transpose(tf.matmul(y[i], x[i], transpose_a=True))
        return tf.matmul(x[i], y[i] * tf.cast(i, tf.float64), transpose_a=True)

    found, fn = compiled(looped(9, term, z), {x: a, y: b, z: start})
    expected = start.copy()
    for i in range(9):
        if way == "columns":
            expected += a[i].T @ np.sin(b[i]) * 2.0
        elif way == "both":
            expected += a[i].T @ b[8 - i] + np.cos(a[i]).T @ b[i]
        else:
            expected += a[i].T @ b[i] * (i if way == "state" else 1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    # Terms that a turn adds up before the total takes them are no terms of the total.
    assert products(fn) == ([1, 1] if way == "both" else [0])


def test_a_failed_check_in_a_strip_names_its_turn() -> None:
    x = tf.placeholder(tf.float64, [8, 4, 64])
    limit = tf.placeholder(tf.float64, [])

    def term(i: Any) -> Any:
        check = tf.Assert(tf.reduce_max(x[i]) < limit, [i])
        with tf.control_dependencies([check]):
            return tf.matmul(x[i], tf.sin(x[i]), transpose_a=True)

    total = looped(8, term, tf.zeros([64, 64], tf.float64))
    rows = np.random.RandomState(2).rand(8, 4, 64)
    rows[5, 1, 3] = 3.0
    with tf.Session() as sess:
        expected = sum(r.T @ np.sin(r) for r in rows)
        np.testing.assert_allclose(sess.run(total, {x: rows, limit: 4.0}), expected, rtol=1e-12)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[5\]"):
            sess.run(total, {x: rows, limit: 2.0})
