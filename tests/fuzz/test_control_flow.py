"""Random programs of loops, branches, slices and scans against Python's own evaluation of them.

A program is a tree of steps. `_Native` runs the tree with tfc's ops, `_Python` with numpy and
Python's own `if` and `while`; gradients are compared to central differences of the latter. What
decides is the data, at places far from where a decision turns, or only the counters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfc as tf

WIDTH = 3  # of every value; the number of rows is the placeholder's, and differs between runs


class _Python:
    """The meaning of the steps, on arrays."""

    sin, tanh, cumsum = np.sin, np.tanh, staticmethod(lambda a: np.cumsum(a, 0))
    total, both = staticmethod(np.sum), staticmethod(np.logical_and)

    def reverse(self, a: Any) -> Any:
        return a[::-1]

    def rolled(self, a: Any, k: Any) -> Any:
        k = k % len(a)
        return np.concatenate([a[k:], a[:k]], 0)

    def row(self, a: Any, k: Any) -> Any:
        return a[k % len(a)] + 0.0 * a

    def choose(self, test: Any, yes: Any, no: Any) -> Any:
        return yes() if test else no()

    def repeat(self, test: Any, body: Any, *start: Any) -> Any:
        index, values = 0, start
        while test(index, *values):
            index, values = index + 1, body(index, *values)
        return values

    def scan(self, body: Any, a: Any, first: Any) -> Any:
        rows = []
        for row in a:
            first = body(first, row)
            rows.append(first)
        return np.stack(rows)

    def collect(self, body: Any, a: Any) -> Any:
        return np.stack([body(a[i], i) for i in range(len(a))])


class _Native:
    """The same in tfc."""

    sin, tanh = staticmethod(tf.sin), staticmethod(tf.tanh)
    cumsum, total = staticmethod(lambda a: tf.cumsum(a, 0)), staticmethod(tf.reduce_sum)
    both = staticmethod(tf.logical_and)

    def reverse(self, a: Any) -> Any:
        return a[::-1]

    def rolled(self, a: Any, k: Any) -> Any:
        k = tf.floormod(k, tf.shape(a)[0])
        return tf.concat([a[k:], a[:k]], 0)

    def row(self, a: Any, k: Any) -> Any:
        return a[tf.floormod(k, tf.shape(a)[0])] + 0.0 * a

    def choose(self, test: Any, yes: Any, no: Any) -> Any:
        return tf.cond(test, yes, no)

    def repeat(self, test: Any, body: Any, *start: Any) -> Any:
        def turn(index: Any, *values: Any) -> Any:
            return (index + 1, *body(index, *values))

        shapes = [tf.TensorShape([]), *(tf.TensorShape([None, WIDTH]) for _ in start)]
        return tf.while_loop(test, turn, [0, *start], shape_invariants=shapes)[1:]

    def scan(self, body: Any, a: Any, first: Any) -> Any:
        return tf.scan(body, a, initializer=first)

    def collect(self, body: Any, a: Any) -> Any:
        rows = tf.shape(a)[0]
        array = tf.TensorArray(tf.float64, rows)
        loop = tf.while_loop(
            lambda i, t: i < rows, lambda i, t: (i + 1, t.write(i, body(a[i], i))), [0, array]
        )
        return loop[1].stack()


def _apply(m: Any, step: Any, a: Any, b: Any, count: Any) -> Any:
    """What `step` makes of two values and an integer, by the meaning `m`."""
    kind, first, second, number = step
    inside = lambda x, y, n: _apply(m, second, _apply(m, first, x, y, n), x, n)  # noqa: E731
    match kind:
        case "sin":
            return m.sin(a) * 0.9 + b * 0.2
        case "mul":
            return m.tanh(a * b) - 0.3 * a
        case "reverse":
            return m.reverse(a) + b
        case "rolled":
            return m.rolled(a, count + number) * 0.8
        case "row":
            return m.row(a, count + number) + b
        case "cumsum":
            return m.tanh(m.cumsum(a))
        case "if even":
            return m.choose((count + number) % 2 < 1, lambda: inside(a, b, count), lambda: b * 0.5)
        case "if":
            test = m.sin(m.total(a) * 0.1) > 0.05 * number
            return m.choose(
                test, lambda: inside(a, b, count), lambda: _apply(m, first, b, a, count)
            )
        case "times":
            body = lambda i, x, y: (m.sin(inside(x, y, i)), x)  # noqa: E731
            return m.repeat(lambda i, x, y: i < number, body, a, b)[0]
        case "while":
            test = lambda i, x, y: m.both(i < count + 1, m.total(x * x) > 0.2 * number)  # noqa: E731
            body = lambda i, x, y: (0.7 * m.tanh(inside(x, y, count)), y * 0.9)  # noqa: E731
            x, y = m.repeat(test, body, a, b)
            return x + y
        case "scan":
            return m.scan(lambda s, r: m.tanh(s * 0.5 + r), inside(a, b, count), a[0])
        case _:
            return m.collect(lambda r, i: m.sin(r) * b[i] + r, inside(a, b, count))


PLAIN = ("sin", "mul", "reverse", "rolled", "row", "cumsum")
LEAF = st.tuples(st.sampled_from(PLAIN), st.none(), st.none(), st.integers(0, 3))
KINDS = st.sampled_from(("if even", "if", "times", "while", "scan", "collect"))
STEPS = st.recursive(
    LEAF, lambda inner: st.tuples(KINDS, inner, inner, st.integers(0, 3)), max_leaves=4
)


def _numeric(step: Any, x: np.ndarray, w: np.ndarray, count: int) -> tuple[Any, Any, bool]:
    """The value, its sum's derivative by `w` along all ones, and whether no decision turns near."""
    around = [
        _apply(_Python(), step, x, w + d, count).sum() for d in (-2e-4, -1e-4, 0.0, 1e-4, 2e-4)
    ]
    near, far = (around[3] - around[1]) / 2e-4, (around[4] - around[0]) / 4e-4
    smooth = abs(near - far) < 1e-4 * (1 + abs(near))
    return _apply(_Python(), step, x, w, count), near, smooth


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(step=st.tuples(KINDS, STEPS, STEPS, st.integers(0, 3)), seed=st.integers(0, 999))
def test_a_random_program(step: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, w = (tf.placeholder(tf.float64, [None, WIDTH]) for _ in range(2))
        count = tf.placeholder(tf.int32, [])
        y = _apply(_Native(), step, x, w, count)
        (slope,) = tf.gradients(tf.reduce_sum(y), [w])
        slope = tf.zeros_like(w) if slope is None else slope
        for rows in (2, 4):
            a, b = random.uniform(-1, 1, (2, rows, WIDTH))
            n = int(random.integers(0, 4))
            value, change, smooth = _numeric(step, a, b, n)
            feeds = {x: a, w: b, count: n}
            got, gradient = sess.run([y, slope], feeds)
            np.testing.assert_array_equal(got, sess.run(y, feeds))
            if smooth:
                np.testing.assert_allclose(got, value, rtol=1e-9, atol=1e-11)
                np.testing.assert_allclose(gradient.sum(), change, rtol=1e-3, atol=1e-4)
