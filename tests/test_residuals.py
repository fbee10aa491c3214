"""What loops keep for their gradients: not what is invariant, not what is cheap to make again."""

import numpy as np
import pytest

import tfc as tf
from tfc import compiler

STEPS, WIDTH = 50, 7


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.fixture
def compiled():
    """The functions compiled meanwhile, as they were lowered."""
    found = []

    def observe(record):
        found.append(record.lowered)

    compiler.observers.append(observe)
    yield found
    compiler.observers.remove(observe)


def kept_arrays(functions):
    """Types of the arrays with an entry a step that any loop carries and writes to."""
    found = []
    for function in functions:
        for op in function.ops:
            if op.defn.name != "while":
                continue
            body = op.regions[1]
            for param, result in zip(body.params, body.results, strict=True):
                if param.type.shape[:1] == (STEPS,) and result is not param:
                    found.append(str(param.type))
    return found


def loop(body, first):
    return tf.while_loop(lambda i, v: i < STEPS, lambda i, v: (i + 1, body(v)), [0, first])[1]


BODIES = {
    # a body of (v, w); the arrays it should keep
    "cheap functions of one value": (lambda v, w: v + 0.01 * v * (1.0 - v), ["f64[50,7]"]),
    "invariants beside a value": (lambda v, w: v * tf.sin(w) + tf.cos(w) * w, ["f64[50,7]"]),
    "an invariant and a cheap one": (lambda v, w: v * (v + tf.exp(w)) * 0.1, ["f64[50,7]"]),
    "what costs": (lambda v, w: tf.sin(v) * tf.cos(w * v), ["f64[50,7]"] * 3),
    "an array made of a scalar": (
        lambda v, w: v * tf.fill([WIDTH], tf.tanh(tf.reduce_sum(v))), ["f64[50,7]", "f64[50]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_what_is_kept(session, compiled, name):
    body, most = BODIES[name]
    x, w = (tf.placeholder(tf.float64, [WIDTH]) for _ in range(2))
    y = tf.reduce_sum(loop(lambda v: body(v, w), x))
    dx, dw = tf.gradients(y, [x, w])
    dw = tf.zeros_like(w) if dw is None else dw
    random = np.random.RandomState(0)
    feed = {x: random.rand(WIDTH) * 0.3, w: random.rand(WIDTH) * 0.3}
    got = session.run([dx, dw], feed)
    kept = kept_arrays(compiled)
    assert sum(kept.count(t) > most.count(t) for t in set(kept)) == 0, kept
    for k, tensor in enumerate((x, w)):
        for i in range(WIDTH):
            sides = []
            for sign in (1, -1):
                moved = {t: a.copy() for t, a in feed.items()}
                moved[tensor][i] += sign * 1e-6
                sides.append(session.run(y, moved))
            np.testing.assert_allclose(
                got[k][i], (sides[0] - sides[1]) / 2e-6, rtol=1e-6, atol=1e-9
            )


def test_second_derivatives_of_what_is_made_again(session):
    x = tf.placeholder(tf.float64, [WIDTH])
    y = loop(lambda v: v + 0.01 * v * (1.0 - v), x)
    first = tf.gradients(y, x)[0]
    second = tf.gradients(first, x)[0]
    at = np.random.RandomState(1).rand(WIDTH)
    got, below = session.run([second, first], {x: at})
    sides = [session.run(first, {x: at + s * 1e-5}) for s in (1, -1)]
    np.testing.assert_allclose(got, (sides[0] - sides[1]) / 2e-5, rtol=1e-6)
    slope, v = np.ones(WIDTH), at
    for _ in range(STEPS):
        slope, v = slope * (1 + 0.01 * (1 - 2 * v)), v + 0.01 * v * (1 - v)
    np.testing.assert_allclose(below, slope, rtol=1e-12)


def test_the_whole_array_where_it_is_asked_for(session):
    """A gradient that runs in a later stage gets arrays, also of what would be made again."""
    x = tf.placeholder(tf.float64, [None])
    y = loop(lambda v: v + 0.01 * v * (2.0 - v), x)
    scale = tf.py_func(lambda a: a * 2.0, [y], tf.float64)
    gradient = tf.gradients(y, x, grad_ys=tf.reshape(scale, tf.shape(y)))[0]
    at = np.array([0.2, 0.5])
    slope, v = np.ones(2), at
    for _ in range(STEPS):
        slope, v = slope * (1 + 0.01 * (2 - 2 * v)), v + 0.01 * v * (2 - v)
    np.testing.assert_allclose(session.run(gradient, {x: at}), 2.0 * v * slope, rtol=1e-12)


TABLE = np.linspace(0.9, 1.1, 2 * STEPS + 3)


@pytest.mark.parametrize("name", ("a counter", "the place of a read"))
@pytest.mark.parametrize("dtype", (tf.int32, tf.int64, tf.uint8))
def test_counters_are_not_kept(session, compiled, name, dtype):
    if name == "a counter":

        def body(i, v):
            return v * (1.0 + 0.01 * tf.cast(i, tf.float64))

        factors = 1.0 + 0.01 * np.arange(3, 3 + 2 * STEPS, 2)
    else:

        def body(i, v):
            return v * tf.gather(tf.constant(TABLE), tf.cast(i, tf.int32))

        factors = TABLE[3 : 3 + 2 * STEPS : 2]
    x = tf.placeholder(tf.float64, [WIDTH])
    first = tf.constant(3, dtype)
    step = tf.constant(2, dtype)
    y = tf.while_loop(
        lambda n, i, v: n < STEPS, lambda n, i, v: (n + 1, i + step, body(i, v)), [0, first, x]
    )[2]
    gradient = tf.gradients(y, x)[0]
    got = session.run(gradient, {x: np.ones(WIDTH)})
    np.testing.assert_allclose(got, np.full(WIDTH, np.prod(factors)), rtol=1e-12)
    assert kept_arrays(compiled) == ([] if name == "a counter" else ["f64[50]"])


ROWS, INPUTS, UNITS = 64, 10, 24


def recurrence(x, w):
    """A cell that multiplies its input and its state, joined; x [STEPS, ROWS, INPUTS]."""

    def body(i, h):
        return i + 1, tf.tanh(tf.matmul(tf.concat([x[i], h], 1), w))

    return tf.while_loop(lambda i, h: i < STEPS, body, [0, tf.zeros([ROWS, UNITS], w.dtype)])[1]


def unrolled(x, w, upstream):
    """The last state, and the gradient for w, step by step."""
    states = [np.zeros((ROWS, UNITS))]
    for step in x:
        states.append(np.tanh(np.concatenate([step, states[-1]], 1) @ w))
    total, g = np.zeros_like(w), upstream
    for step, before, after in zip(x[::-1], states[-2::-1], states[:0:-1], strict=True):
        g = g * (1 - after**2)
        total += np.concatenate([step, before], 1).T @ g
        g = g @ w[INPUTS:].T
    return states[-1], total


def fed(*shapes):
    random = np.random.RandomState(2)
    return [random.standard_normal(shape) / 4 for shape in shapes]


def test_what_is_joined_for_a_product_is_not_kept(session, compiled):
    """Its parts are: the state; and the input is read where it is."""
    x, w = tf.placeholder(tf.float64, [STEPS, ROWS, INPUTS]), tf.placeholder(tf.float64, [34, 24])
    y = recurrence(x, w)
    arrays = fed((STEPS, ROWS, INPUTS), (INPUTS + UNITS, UNITS))
    got = session.run([y, tf.gradients(y, w)[0]], dict(zip((x, w), arrays, strict=True)))
    assert kept_arrays(compiled) == [f"f64[{STEPS},{ROWS},{UNITS}]"] * 2  # tanh, and the state
    for have, want in zip(got, unrolled(*arrays, np.ones((ROWS, UNITS))), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-10)


def test_what_is_joined_in_a_later_stage(session):
    """A gradient that runs in a later stage gets whole arrays of it, made entry by entry."""
    x, w = tf.placeholder(tf.float64, [STEPS, ROWS, INPUTS]), tf.placeholder(tf.float64, [34, 24])
    y = recurrence(x, w)
    twice = tf.py_func(lambda a: a * 2.0, [y], tf.float64)
    twice.set_shape(y.shape)
    gradient = tf.gradients(y, w, grad_ys=twice)[0]
    arrays = fed((STEPS, ROWS, INPUTS), (INPUTS + UNITS, UNITS))
    got = session.run(gradient, dict(zip((x, w), arrays, strict=True)))
    last, _ = unrolled(*arrays, np.ones((ROWS, UNITS)))
    np.testing.assert_allclose(got, unrolled(*arrays, 2 * last)[1], rtol=1e-10)


def test_second_derivatives_of_what_is_joined(session):
    x, w = tf.placeholder(tf.float64, [STEPS, ROWS, INPUTS]), tf.placeholder(tf.float64, [34, 24])
    first = tf.gradients(recurrence(x, w), w)[0]
    second = tf.gradients(tf.reduce_sum(first**2), w)[0]
    given, at = fed((STEPS, ROWS, INPUTS), (INPUTS + UNITS, UNITS))
    got = session.run(second, {x: given, w: at})
    for place in ((0, 0), (5, 3), (12, 20), (33, 1)):
        sides = []
        for sign in (1, -1):
            moved = at.copy()
            moved[place] += sign * 1e-5
            sides.append((unrolled(given, moved, np.ones((ROWS, UNITS)))[1] ** 2).sum())
        np.testing.assert_allclose(got[place], (sides[0] - sides[1]) / 2e-5, rtol=1e-4)
