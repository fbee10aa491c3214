"""Gradients of recurrent networks and loops, whose last turn has less to do: the same bits as when
it does all, and as steps of `run_loop`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc import compiler
from tfc.base.options import options
from tfc.ir.core import Op
from tfc.ir.walk import all_functions
from tfc.prims.control import serves_next_turn

CELLS = {
    "lstm": tf.nn.rnn_cell.BasicLSTMCell,
    "peepholes": lambda n: tf.nn.rnn_cell.LSTMCell(n, use_peepholes=True),
    "gru": tf.nn.rnn_cell.GRUCell,
    "basic": tf.nn.rnn_cell.BasicRNNCell,
}


class Run:
    """What `build()` gives, fetched on each of `feeds` with and without the pass. `left_out`: the
    ops of compiled loops that the last turn does not run."""

    def __init__(self, build: Any, feeds: list[list[Any]]):
        self.left_out: list[Op] = []
        records: list[compiler.CompilationRecord] = []
        before = options.passes
        compiler.observers.append(records.append)
        try:
            self.got, self.all = (self._values(build, feeds, p) for p in ("", "-last_turn"))
        finally:
            options.passes = before
            compiler.observers.remove(records.append)
        for record in records:
            if record.passes:
                for fn in all_functions(record.passes[-1].fn):
                    self.left_out += [op for op in fn.ops if serves_next_turn(op)]

    @staticmethod
    def _values(build: Any, feeds: list[list[Any]], passes: str) -> list[list[np.ndarray]]:
        options.passes = passes
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(4)
            keys, fetches = build()
            sess.run(tf.global_variables_initializer())
            return [sess.run(fetches, dict(zip(keys, feed, strict=True))) for feed in feeds]

    def check(self) -> list[list[np.ndarray]]:
        """What was fetched."""
        for got, wanted in zip(self.got, self.all, strict=True):
            for a, b in zip(got, wanted, strict=True):
                assert a.tobytes() == b.tobytes()
        assert self.left_out
        return self.got


def inputs(rows: int, steps: int) -> np.ndarray:
    return np.random.RandomState(1).standard_normal((rows, steps, 9)).astype(np.float32)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_recurrent_networks(cell: str, steps: int) -> None:
    def build() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        x = tf.placeholder(tf.float32, [40, steps, 9])
        outputs, _ = tf.nn.dynamic_rnn(CELLS[cell](64), x, dtype=tf.float32)
        loss = tf.reduce_sum(tf.square(outputs))
        return [x], [loss, *tf.gradients(loss, tf.trainable_variables())]

    values = Run(build, [[inputs(40, steps)]]).check()
    assert all(np.isfinite(v).all() for v in values[0]) and values[0][1].any()


def test_any_number_of_turns() -> None:
    """One compiled function for lengths that are fed; 0 is no turn but the one that TensorFlow
    makes, whose rows all stay as they are."""

    def build() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        x, lengths = tf.placeholder(tf.float32, [17, 5, 9]), tf.placeholder(tf.int32, [17])
        cell = tf.nn.rnn_cell.BasicLSTMCell(65)
        outputs, state = tf.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
        loss = tf.reduce_sum(tf.square(outputs)) + tf.reduce_sum(state.c)
        return [x, lengths], [loss, *tf.gradients(loss, tf.trainable_variables())]

    feeds = [[inputs(17, 5), np.full(17, n, np.int32)] for n in (0, 1, 1, 2, 5, 1, 3)]
    feeds.append([inputs(17, 5), np.arange(17, dtype=np.int32) % 6])
    Run(build, feeds).check()


def test_no_steps_at_all() -> None:
    def build() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        n = tf.placeholder(tf.int32, [])
        w = tf.get_variable("w", [64, 64])

        def body(i: tf.Tensor, h: tf.Tensor) -> list[tf.Tensor]:
            return [i + 1, tf.tanh(tf.matmul(h, w)) + tf.cast(i, tf.float32) / 9]

        _, h = tf.while_loop(lambda i, _: i < n, body, [0, tf.ones([40, 64])])
        loss = tf.reduce_sum(h * h)
        return [n], [loss, *tf.gradients(loss, [w])]

    values = Run(build, [[n] for n in (0, 1, 2, 5, 0)]).check()
    assert not values[0][1].any() and values[1][1].any()


def test_second_derivatives() -> None:
    def build() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        n = tf.placeholder(tf.int32, [])
        w = tf.get_variable("w", [48, 48], tf.float64)

        def body(i: tf.Tensor, h: tf.Tensor, total: tf.Tensor) -> list[tf.Tensor]:
            h = tf.tanh(tf.matmul(h, w))
            return [i + 1, h, total + h]

        start = [0, tf.ones([48, 48], tf.float64) / 3, tf.zeros([48, 48], tf.float64)]
        _, _, total = tf.while_loop(lambda i, h, t: i < n, body, start, maximum_iterations=4)
        (first,) = tf.gradients(total, [w])
        (second,) = tf.gradients(tf.reduce_sum(first * first), [w])
        return [n], [total, first, second]

    Run(build, [[n] for n in (0, 1, 2, 4, 9)]).check()


def test_loops_in_loops() -> None:
    """The last turn of the outer loop runs none of the inner one."""

    def build() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        n = tf.placeholder(tf.int32, [])
        w = tf.get_variable("w", [48, 48])

        def inner(j: tf.Tensor, h: tf.Tensor) -> list[tf.Tensor]:
            return [j + 1, tf.tanh(tf.matmul(h, w))]

        def outer(i: tf.Tensor, h: tf.Tensor, total: tf.Tensor) -> list[tf.Tensor]:
            total += h
            return [i + 1, tf.while_loop(lambda j, _: j < i, inner, [0, h])[1], total]

        start = [0, tf.ones([48, 48]) / 3, tf.zeros([48, 48])]
        _, _, total = tf.while_loop(lambda i, h, t: i < n, outer, start)
        return [n], [total]

    run = Run(build, [[n] for n in (0, 1, 2, 5)])
    run.check()
    assert any(op.defn.name == "while" for op in run.left_out)


def test_steps_of_run_loop() -> None:
    def trained(run: Any) -> list[np.ndarray]:
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(2)
            x = tf.placeholder(tf.float32, [17, 4, 9])
            outputs, _ = tf.nn.dynamic_rnn(CELLS["lstm"](40), x, dtype=tf.float32)
            loss = tf.reduce_mean(tf.square(outputs - 0.3))
            train = tf.train.AdamOptimizer(0.01).minimize(loss)
            sess.run(tf.global_variables_initializer())
            run(sess, train, {x: inputs(17, 4)})
            values: list[np.ndarray] = sess.run(tf.global_variables())
            return values

    def steps(sess: tf.Session, train: Any, feed: Any) -> None:
        for _ in range(6):
            sess.run(train, feed)

    looped = trained(lambda sess, train, feed: sess.run_loop(train, 6, feed_dict=feed))
    for a, b in zip(looped, trained(steps), strict=True):
        assert a.tobytes() == b.tobytes()
