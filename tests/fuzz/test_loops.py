"""Random steps through run_loop and Session.run: the same values, variables and failures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf

STEPS = 12
SHAPES: tuple[list[int], ...] = ([], [3], [40], [8, 8])


class Step:
    """A few variables, each assigned something made of their contents, in some order."""

    def __init__(self, seed: int):
        self.random = random = np.random.default_rng(seed)
        tf.set_random_seed(seed)
        shape = SHAPES[random.integers(len(SHAPES))]
        self.row = tf.placeholder(tf.int32, [], name="row")
        self.x = tf.placeholder(tf.float32, [None], name="x")
        self.variables = [
            tf.Variable(random.standard_normal(shape).astype(np.float32))
            for _ in range(random.integers(1, 5))
        ]
        values = [v.read_value() for v in self.variables]
        for _ in range(random.integers(2, 9)):
            values.append(self._value(shape, values))
        writes: list[Any] = []
        for v in self.variables:
            if random.random() < 0.8:
                depends = writes[-1:] if random.random() < 0.3 else []
                with tf.control_dependencies([*values[: len(self.variables)], *depends]):
                    assign = (v.assign, v.assign_add)[random.integers(2)]
                    writes.append(assign(values[random.integers(len(values))] * 0.5))
        with tf.control_dependencies(writes):
            done = tf.no_op()
        self.fetches = [done, *(values[i] for i in random.integers(0, len(values), 3))]

    def _value(self, shape: list[int], values: list[Any]) -> Any:
        random = self.random
        a, b = (values[i] for i in random.integers(0, len(values), 2))
        match random.integers(8):
            case 0:
                return tf.tanh(a + b)
            case 1:
                return a * 0.9 + tf.reduce_mean(b)
            case 2:
                return a - tf.random_uniform(shape)
            case 3:
                return tf.cond(tf.reduce_sum(a) > 0.0, lambda: a * b, lambda: b - a)
            case 4:
                return a + tf.reduce_mean(self.x) * tf.cast(self.row, tf.float32)
            case 5:
                return tf.while_loop(
                    lambda i, z: i < 3, lambda i, z: (i + 1, tf.sin(z + b)), [0, a]
                )[1]
            case 6 if len(shape) == 2:
                return tf.matmul(a, b) * 0.1
            case _:
                return a + tf.gather(tf.constant([1.0, -1.0, 0.5]), self.row)


def _bits(values: Any) -> list[Any]:
    return [None if v is None else (v.dtype.str, v.shape, v.tobytes()) for v in map(_array, values)]


def _array(value: Any) -> Any:
    return None if value is None else np.asarray(value)


@pytest.mark.parametrize("seed", range(40))
def test_a_random_step(seed: int) -> None:
    with tf.Graph().as_default():
        step = Step(seed)
        rows = step.random.integers(0, 3, STEPS)
        if seed % 3 == 0:
            rows[step.random.integers(2, STEPS)] = 7  # out of range, where it is used
        data = step.random.standard_normal(57).astype(np.float32)
        every = int(step.random.integers(1, 4))

        def batches() -> tf.Batches:
            return tf.Batches({step.x: data}, 10)

        results, fails = [], [False, False]
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            feeds, runs = batches(), []
            try:
                for row in rows:
                    runs.append(sess.run(step.fetches, {**next(feeds), step.row: row}))
            except tf.errors.InvalidArgumentError:
                fails[0] = True
            kept = runs[every - 1 :: every]
            results.append(_bits([*(np.array(c) for c in list(zip(*kept, strict=True))[1:])]))
            results.append(_bits(sess.run(step.variables)))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            try:
                loop = sess.run_loop(
                    step.fetches, STEPS, data=batches(), per_step={step.row: rows}, every=every
                )
            except tf.errors.InvalidArgumentError as error:
                fails[1] = True
                loop = error.result
            assert fails[0] == fails[1] and loop.steps == len(runs)
            if kept:
                assert _bits(loop.values[1:]) == results[0]
            assert _bits(sess.run(step.variables)) == results[1]
