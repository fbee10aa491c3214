"""tf.cond, tf.case and tf.while_loop: values, effects, gradients, and what is driven by Python."""

import collections
import logging

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def test_cond_names_and_values(session):
    x = tf.placeholder(tf.float32, [])
    y = tf.cond(x < 3.0, lambda: x * 2.0, lambda: x - 10.0)
    assert y.name == "cond/Merge:0" and y.shape == ()
    assert [session.run(y, {x: v}) for v in (1.0, 5.0)] == [2.0, -5.0]


def test_cond_runs_one_branch_only(session):
    v = tf.Variable(0.0)
    p = tf.placeholder(tf.bool)
    y = tf.cond(p, lambda: tf.assign_add(v, 1.0), lambda: tf.assign_sub(v, 10.0))
    session.run(v.initializer)
    assert [session.run(y, {p: b}) for b in (True, True, False)] == [1.0, 2.0, -8.0]
    assert session.run(v) == -8.0


def test_cond_structures_and_operations(session):
    p = tf.placeholder(tf.bool)
    v = tf.Variable(1.0)
    session.run(v.initializer)
    pair = tf.cond(p, lambda: (tf.constant(1), tf.constant(2.0)), lambda: (tf.constant(3), v * 4.0))
    assert session.run(pair, {p: False}) == (3, 4.0)
    done = tf.cond(p, lambda: v.assign(7.0).op, lambda: tf.no_op())
    session.run(done, {p: True})
    assert session.run(v) == 7.0
    assert isinstance(tf.cond(p, lambda: [v + 1.0], lambda: [v + 2.0]), tf.Tensor)
    assert isinstance(tf.cond(p, lambda: [v + 1.0], lambda: [v + 2.0], strict=True), list)


def test_cond_errors():
    p = tf.placeholder(tf.bool)
    with pytest.raises(TypeError, match="must not be a Python bool"):
        tf.cond(True, lambda: 1, lambda: 2)
    with pytest.raises(TypeError, match="true_fn must be callable"):
        tf.cond(p, tf.constant(1), lambda: 2)
    with pytest.raises(ValueError, match="must have the same type"):
        tf.cond(p, lambda: tf.constant(1), lambda: tf.constant(1.0))
    with pytest.raises(ValueError, match="same structure"):
        tf.cond(p, lambda: (tf.constant(1), tf.constant(1)), lambda: tf.constant(1))
    inside = []
    tf.cond(p, lambda: inside.append(tf.constant(1.0)) or inside[0], lambda: tf.constant(2.0))
    with pytest.raises(ValueError, match="Cannot use 'cond_2/Const' as input"):
        inside[0] + 1.0


def test_case_and_switch_case(session):
    x = tf.placeholder(tf.float32, [])
    y = tf.case([(x < 0.0, lambda: -x), (x < 3.0, lambda: x * 10.0)], default=lambda: x * x)
    assert [session.run(y, {x: v}) for v in (-2.0, 1.0, 4.0)] == [2.0, 10.0, 16.0]
    i = tf.placeholder(tf.int32, [])
    z = tf.switch_case(i, [lambda: tf.constant(10), lambda: tf.constant(20)])
    assert [session.run(z, {i: k}) for k in (0, 1, 5)] == [10, 20, 20]


def test_case_without_a_true_predicate_fails(session):
    x = tf.placeholder(tf.float32, [])
    y = tf.case([(x < 0.0, lambda: -x), (x > 3.0, lambda: x)])
    assert session.run(y, {x: 5.0}) == 5.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="None of conditions"):
        session.run(y, {x: 1.0})


def test_while_names_and_values(session):
    i, x = tf.while_loop(lambda i, x: i < 10, lambda i, x: (i + 1, x * 2.0), [0, 1.0])
    assert (i.name, x.name) == ("while/Exit:0", "while/Exit_1:0")
    assert session.run([i, x]) == [10, 1024.0]
    n = tf.while_loop(lambda n: n < 5, lambda n: n + 2, [tf.constant(0)])
    assert session.run(n) == 6


def test_while_structures(session):
    Point = collections.namedtuple("Point", "x y")
    loop = tf.while_loop(
        lambda i, p, d: i < 3,
        lambda i, p, d: (i + 1, Point(p.x + p.y, p.y * 2), {"a": d["a"] + 1}),
        (tf.constant(0), Point(tf.constant(1), tf.constant(1)), {"a": tf.constant(5)}),
    )
    i, point, d = session.run(loop)
    assert (i, point.x, point.y, d) == (3, 8, 8, {"a": 8})


def test_while_errors():
    with pytest.raises(TypeError, match="cond must be callable"):
        tf.while_loop(1, lambda i: i, [0])
    with pytest.raises(ValueError, match="No loop variables"):
        tf.while_loop(lambda: True, list, [])
    with pytest.raises(ValueError, match="shape_invariants"):
        tf.while_loop(lambda x: True, lambda x: tf.concat([x, x], 0), [tf.zeros([2])])
    with pytest.raises(TypeError, match="after one iteration"):
        tf.while_loop(lambda x: True, lambda x: tf.cast(x, tf.int32), [tf.constant(1.0)])
    with pytest.raises(ValueError, match="same nested structure"):
        tf.while_loop(lambda i, x: True, lambda i, x: [i], [0, 1.0])


def test_maximum_iterations_and_zero_trips(session):
    x = tf.while_loop(lambda x: x < 100.0, lambda x: x + 1.0, [0.0], maximum_iterations=5)
    never = tf.while_loop(lambda x: x < 0.0, lambda x: x + 1.0, [3.0])
    assert session.run([x, never]) == [5.0, 3.0]


def test_variables_in_a_loop(session):
    v = tf.Variable(0.0)
    session.run(v.initializer)

    def body(i):
        with tf.control_dependencies([tf.assign_add(v, tf.cast(i, tf.float32))]):
            return i + 1

    loop = tf.while_loop(lambda i: i < 5, body, [tf.constant(0)])
    assert session.run(loop) == 5
    assert session.run(v) == 10.0


def test_random_numbers_differ_between_iterations(session):
    tf.set_random_seed(1)
    draws = tf.while_loop(
        lambda i, a, b: i < 2, lambda i, a, b: (i + 1, b, tf.random_uniform([])), [0, 0.0, 0.0]
    )
    _, first, second = session.run(draws)
    assert 0 < first < 1 and 0 < second < 1 and first != second


def test_a_loop_in_a_condition_in_a_loop(session):
    def collatz(n, steps):
        half = tf.cond(tf.equal(n % 2, 0), lambda: n // 2, lambda: 3 * n + 1)
        return half, steps + 1

    n = tf.placeholder(tf.int32, [])
    steps = tf.while_loop(lambda n, k: n > 1, collatz, [n, 0])[1]
    assert [session.run(steps, {n: k}) for k in (1, 6, 27)] == [0, 8, 111]


def test_index_errors_inside_a_loop_change_nothing(session):
    v = tf.Variable(tf.zeros([3]))
    session.run(v.initializer)
    n = tf.placeholder(tf.int32, [])
    table = tf.constant([1.0, 2.0, 3.0])
    total = tf.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s + table[i]), [0, 0.0])[1]
    step = tf.assign_add(v, tf.fill([3], total))
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(step, {n: 5})
    np.testing.assert_array_equal(session.run(v), np.zeros(3))
    np.testing.assert_array_equal(session.run(step, {n: 3}), np.full(3, 6.0))


NATIVE = {
    "two_branches": (lambda a, b: tf.cond(a < 1.0, lambda: a * a * b, lambda: tf.exp(-a) * b)),
    "captured_in_one": (lambda a, b: tf.cond(a < 1.0, lambda: a * 3.0, lambda: b * b)),
    "nested_cond": (
        lambda a, b: tf.cond(
            a < 1.0, lambda: tf.cond(b < 1.0, lambda: a * b, lambda: a + b), lambda: a - b
        )
    ),
    "loop": (
        lambda a, b: tf.while_loop(
            lambda i, x: i < 3, lambda i, x: (i + 1, x * x * b + tf.sin(x)), [0, a]
        )[1]
    ),
    "two_variables": (
        lambda a, b: tf.while_loop(
            lambda i, x, y: i < 4, lambda i, x, y: (i + 1, x * y, y + x), [0, a, b]
        )[1]
    ),
    "unknown_trips": (
        lambda a, b: tf.while_loop(lambda x: x < 50.0, lambda x: x * 1.7 + b, [a])
    ),
    "no_trips": (
        lambda a, b: tf.while_loop(lambda i, x: i < 0, lambda i, x: (i + 1, x * b), [0, a * b])[1]
    ),
    "nested_loops": (
        lambda a, b: tf.while_loop(
            lambda i, x: i < 3,
            lambda i, x: (
                i + 1,
                tf.while_loop(
                    lambda j, y: j < 2, lambda j, y: (j + 1, y * y * 0.9 + a), [0, x * b]
                )[1],
            ),
            [0, tf.constant(0.3, tf.float64)],
        )[1]
    ),
    "cond_in_a_loop": (
        lambda a, b: tf.while_loop(
            lambda i, x: i < 4,
            lambda i, x: (
                i + 1,
                tf.cond(tf.equal(i % 2, 0), lambda: x * b, lambda: tf.tanh(x) + a),
            ),
            [0, a],
        )[1]
    ),
    "loop_in_a_cond": (
        lambda a, b: tf.cond(
            b > 0.0,
            lambda: tf.while_loop(
                lambda i, x: i < 3, lambda i, x: (i + 1, x * a), [0, b]
            )[1],
            lambda: a,
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("point", [(0.6, 0.8), (1.3, 1.4)])
def test_gradients(session, name, point, caplog):
    a, b = (tf.placeholder(tf.float64, []) for _ in range(2))
    y = NATIVE[name](a, b)
    gradients = [tf.zeros([], tf.float64) if g is None else g for g in tf.gradients(y, [a, b])]
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run(gradients, {a: point[0], b: point[1]})
    assert caplog.messages == [], "driven by Python"
    h = 1e-6
    for k, g in enumerate(got):
        up, down = (
            session.run(y, {a: point[0] + s * h * (k == 0), b: point[1] + s * h * (k == 1)})
            for s in (1, -1)
        )
        np.testing.assert_allclose(g, (up - down) / (2 * h), rtol=1e-6, atol=1e-8)


def test_gradient_of_a_loop_over_matrices(session):
    x0 = tf.placeholder(tf.float64, [4, 3])
    w = tf.placeholder(tf.float64, [3, 3])
    y = tf.while_loop(lambda i, x: i < 5, lambda i, x: (i + 1, tf.tanh(tf.matmul(x, w))), [0, x0])[
        1
    ]
    loss = tf.reduce_sum(y * y)
    gradient = tf.gradients(loss, w)[0]
    random = np.random.RandomState(0)
    feed = {x0: random.randn(4, 3), w: random.randn(3, 3) * 0.5}
    got = session.run(gradient, feed)
    for i, j in np.ndindex(3, 3):
        sides = []
        for sign in (1, -1):
            moved = feed[w].copy()
            moved[i, j] += sign * 1e-6
            sides.append(session.run(loss, {**feed, w: moved}))
        np.testing.assert_allclose(got[i, j], (sides[0] - sides[1]) / 2e-6, rtol=1e-5)


def test_gradient_through_100_000_iterations(session):
    x = tf.placeholder(tf.float64, [])
    y = tf.while_loop(lambda i, v: i < 100_000, lambda i, v: (i + 1, v * 1.00001), [0, x])[1]
    got = session.run(tf.gradients(y, x)[0], {x: 2.0})
    np.testing.assert_allclose(got, 1.00001**100_000, rtol=1e-9)


def central(session, y, xs, point, h=1e-5):
    """Central differences of the scalar y."""
    feeds = [dict(zip(xs, point, strict=True)) for _ in range(2)]
    found = []
    for x in xs:
        sides = []
        for sign in (1, -1):
            moved = dict(feeds[0])
            moved[x] = moved[x] + sign * h
            sides.append(session.run(y, moved))
        found.append((sides[0] - sides[1]) / (2 * h))
    return found


def total_gradient(y, xs):
    """A scalar that depends on all the gradients of y, and those gradients."""
    found = [tf.zeros([], tf.float64) if g is None else g for g in tf.gradients(y, xs)]
    return tf.add_n([g * (k + 0.5) for k, g in enumerate(found)]), found


@pytest.mark.parametrize("name", NATIVE)
def test_second_and_third_derivatives(session, name, caplog):
    xs = [tf.placeholder(tf.float64, []) for _ in range(2)]
    first, _ = total_gradient(NATIVE[name](*xs), xs)
    second, found_second = total_gradient(first, xs)
    _, found_third = total_gradient(second, xs)
    for point in [(0.6, 0.8), (1.3, 1.4)]:
        feed = dict(zip(xs, point, strict=True))
        with caplog.at_level(logging.INFO, "tfc"):
            got = session.run([found_second, found_third], feed)
        assert caplog.messages == [], "driven by Python"
        for derivative, below in zip(got, (first, second), strict=True):
            want = central(session, below, xs, point)
            np.testing.assert_allclose(derivative, want, rtol=1e-4, atol=1e-6)


def test_second_derivative_through_a_long_loop(session, caplog):
    x = tf.placeholder(tf.float64, [])
    y = tf.while_loop(lambda i, v: i < 10_000, lambda i, v: (i + 1, v + v * v * 1e-4), [0, x])[1]
    first, _ = total_gradient(y, [x])
    (second,) = tf.gradients(first, x)
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run(second, {x: 0.3})
    assert caplog.messages == []
    np.testing.assert_allclose(got, central(session, first, [x], [0.3])[0], rtol=1e-5)


def test_gradients_where_the_inner_trip_count_varies(session, caplog):
    a = tf.placeholder(tf.float64, [])

    def outer(i, v):
        inner = tf.while_loop(lambda j, w: j < i, lambda j, w: (j + 1, tf.sin(w) * a), [0, v])
        return i + 1, inner[1]

    z = tf.while_loop(lambda i, v: i < 4, outer, [0, a])[1]
    first, _ = total_gradient(z, [a])
    second, _ = total_gradient(first, [a])
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run([first, second], {a: 1.2})
    assert caplog.messages == []
    want = [central(session, y, [a], [1.2])[0] * 0.5 for y in (z, first)]
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_constants_stay_constants_in_later_stages(session):
    names = tf.constant([b"a", b"b"])
    x = tf.placeholder(tf.float32, [2])
    n = tf.size(tf.string_split(names).values) + tf.constant(1)
    y = tf.reshape(tf.tile(x, [n]), tf.stack([tf.constant(2), n]))
    np.testing.assert_array_equal(session.run(y, {x: [1, 2]}), [[1, 2, 1], [2, 1, 2]])


def test_a_growing_loop_is_driven(session, caplog):
    x = tf.placeholder(tf.float32, [None])
    count = tf.placeholder(tf.int32, [])
    y = tf.while_loop(
        lambda i, v: i < count,
        lambda i, v: (i + 1, tf.concat([v, v], 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]
    with caplog.at_level(logging.INFO, "tfc"):
        np.testing.assert_array_equal(session.run(y, {x: [1, 2], count: 3}), [1, 2] * 8)
    (message,) = caplog.messages
    assert "driven by Python" in message and "after an iteration" in message
    dx = session.run(tf.gradients(y, x)[0], {x: [1, 2], count: 3})
    np.testing.assert_array_equal(dx, [8, 8])


def test_derivatives_of_a_growing_loop(session):
    x = tf.placeholder(tf.float64, [None])
    y = tf.while_loop(
        lambda i, v: i < 3,
        lambda i, v: (i + 1, tf.concat([v * v, v], 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]
    powers = np.array([8, 4, 4, 2, 4, 2, 2, 1])  # y holds x to these
    at = np.array([1.0, 2.0])
    first = tf.gradients(y, x)[0]
    second = tf.gradients(first, x)[0]
    want = [sum(k * at ** (k - 1) for k in powers)]
    want.append(sum(k * (k - 1) * at ** (k - 2.0) for k in powers))
    np.testing.assert_allclose(session.run([first, second], {x: at}), want)


def test_derivatives_of_a_driven_condition(session):
    x = tf.placeholder(tf.float64, [None])
    y = tf.cond(x[0] > 0.0, lambda: x[:1] * x[:1] * x[:1], lambda: tf.tile(x * x, [2]))
    first = tf.gradients(y, x)[0]
    second = tf.gradients(first, x)[0]
    got = session.run([y, first, second], {x: [2.0, 3.0]})
    for value, want in zip(got, ([8.0], [12.0, 0.0], [12.0, 0.0]), strict=True):
        np.testing.assert_allclose(value, want)
    got = session.run([first, second], {x: [-2.0, 3.0]})
    np.testing.assert_allclose(got, [[-8.0, 12.0], [4.0, 4.0]])


def test_py_func_in_a_loop_is_driven(session):
    seen = []
    y = tf.while_loop(
        lambda i, v: i < 3,
        lambda i, v: (i + 1, tf.py_func(lambda a: seen.append(int(a)) or a + 1, [v], tf.int32)),
        [0, tf.constant(10)],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape(None)],
    )[1]
    assert session.run(y) == 13 and seen == [10, 11, 12]


READS = {
    "getitem": lambda x, i: x[i] * x[i],
    "slice": lambda x, i: tf.reduce_sum(tf.slice(x, [i], [1]) ** 2) * 3.0,
    "gather": lambda x, i: tf.gather(x, i) * x[0],
    "rows": lambda x, i: tf.reduce_sum(tf.gather(x, [i, 0, i]) ** 2),
}


@pytest.mark.parametrize("name", READS)
def test_gradients_of_reads_are_added_in_their_place(session, name, caplog):
    x = tf.placeholder(tf.float64, [6])
    y = tf.while_loop(lambda i, a: i < 6, lambda i, a: (i + 1, a * 0.5 + READS[name](x, i)), [
        0, tf.zeros([], tf.float64),
    ])[1]  # fmt: skip
    first = tf.convert_to_tensor(tf.gradients(y, x)[0])  # rows stay rows
    at = np.random.RandomState(3).randn(6)
    weights = np.arange(6.0)
    second = tf.convert_to_tensor(tf.gradients(tf.reduce_sum(first * weights), x)[0])
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run([first, second], {x: at})
    assert caplog.messages == []
    for k, step in enumerate(np.eye(6) * 1e-6):
        values = [session.run([y, first], {x: at + s * step}) for s in (1, -1)]
        np.testing.assert_allclose(got[0][k], (values[0][0] - values[1][0]) / 2e-6, rtol=1e-6)
        by_hand = weights @ (values[0][1] - values[1][1]) / 2e-6
        np.testing.assert_allclose(got[1][k], by_hand, rtol=1e-5, atol=1e-8)


def test_an_uninitialized_variable_matters_in_the_branch_that_runs(session):
    v = tf.Variable(tf.fill([2], 3.0))
    p = tf.placeholder(tf.bool, [])
    either = tf.cond(p, lambda: v.read_value() * 2.0, lambda: tf.zeros([2]))
    np.testing.assert_array_equal(session.run(either, {p: False}), [0, 0])
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
        session.run(either, {p: True})
    np.testing.assert_array_equal(session.run(v.initialized_value()), [3, 3])
    never = tf.while_loop(lambda i: i < 0, lambda i: i + tf.cast(v.read_value()[0], tf.int32), [0])
    assert session.run(never) == 0
    session.run(v.initializer)
    np.testing.assert_array_equal(session.run(either, {p: True}), [6, 6])


def test_a_branch_may_initialize_a_variable(session):
    v = tf.Variable(1.0)
    p = tf.placeholder(tf.bool, [])
    done = tf.cond(p, lambda: tf.group(v.assign(5.0)), lambda: tf.no_op())
    session.run(done, {p: False})
    with pytest.raises(tf.errors.FailedPreconditionError):
        session.run(v)
    session.run(done, {p: True})
    assert session.run(v) == 5.0
    step = tf.cond(tf.is_variable_initialized(v), lambda: v.assign_add(1.0), lambda: v.assign(0.0))
    assert [session.run(step) for _ in range(2)] == [6.0, 7.0]
    other = tf.Session()
    assert [other.run(step) for _ in range(2)] == [0.0, 1.0]


@pytest.mark.parametrize("count", [1_000_000, 4_000_000_000])
def test_a_gradient_that_keeps_more_than_there_is_says_so(session, count):
    x = tf.placeholder(tf.float64, [1 << 20])
    zero = tf.constant(0, tf.int64)
    y = tf.while_loop(lambda i, v: i < count, lambda i, v: (i + 1, tf.sin(v)), [zero, x])[1]
    with pytest.raises(tf.errors.ResourceExhaustedError):
        session.run(tf.gradients(y, x)[0], {x: np.zeros(1 << 20)})
    assert session.run(tf.reduce_sum(x), {x: np.zeros(1 << 20)}) == 0.0


def test_a_region_takes_what_a_write_returned(session):
    v = tf.Variable(0.0)
    session.run(v.initializer)
    up = v.assign_add(1.0)
    y = tf.cond(up > 2.0, lambda: up * 10.0, lambda: tf.identity(up))
    z = tf.while_loop(lambda i, x: i < 2, lambda i, x: (i + 1, x + up), [0, 0.0])[1]
    assert [session.run([y, z]) for _ in range(3)] == [[1.0, 2.0], [2.0, 4.0], [30.0, 6.0]]
    both = tf.cond(up > 0.0, lambda: tf.assign_add(up, 5.0), lambda: up)
    assert session.run(both) == 9.0 and session.run(v) == 9.0


def test_asserts_in_loops_are_native(session, caplog):
    n = tf.placeholder(tf.int32, [])

    def body(i, s):
        with tf.control_dependencies([tf.Assert(i < 5, ["too far:", i])]):
            return i + 1, s + tf.cast(i, tf.float32)

    loop = tf.while_loop(lambda i, s: i < n, body, [0, 0.0])[1]
    with caplog.at_level(logging.INFO, "tfc"):
        assert session.run(loop, {n: 5}) == 10.0
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[too far:\] \[5\]"):
            session.run(loop, {n: 7})
    assert caplog.messages == []


def test_a_condition_that_shapes_decide_is_one_branch(session, caplog):
    x = tf.placeholder(tf.float32)
    flat = tf.cond(tf.equal(tf.rank(x), 2), lambda: tf.squeeze(x, [1]), lambda: x)
    y = tf.cond(tf.shape(x)[0] > 2, lambda: tf.reshape(flat, [3]) * 2.0, lambda: flat)
    dx = tf.gradients(y, x)[0]
    with caplog.at_level(logging.INFO, "tfc"):
        for value in ([1.0, 2.0], [[1.0], [2.0], [3.0]], [[4.0]]):
            got, gradient = session.run([y, dx], {x: value})
            scale = 2.0 if len(value) > 2 else 1.0
            np.testing.assert_array_equal(got, np.ravel(value) * scale)
            np.testing.assert_array_equal(gradient, np.full(np.shape(value), scale))
    assert caplog.messages == []


def test_writes_in_a_branch_that_is_always_taken(session):
    v, w = tf.Variable(1.0), tf.Variable(10.0)
    session.run([v.initializer, w.initializer])
    x = tf.placeholder(tf.float32, [None])
    first = v.assign_add(1.0)
    with tf.control_dependencies([first]):
        y = tf.cond(
            tf.size(x) > 1,
            lambda: tf.group(w.assign(v * 100.0 + first), v.assign_add(tf.reduce_sum(x))),
            lambda: tf.group(w.assign_sub(1.0)),
        )
    with tf.control_dependencies([y]):
        after = v.read_value()
    assert session.run(after, {x: [1.0, 2.0]}) == 5.0
    assert session.run([v, w]) == [5.0, 202.0]
    assert session.run(after, {x: [1.0]}) == 6.0
    assert session.run([v, w]) == [6.0, 201.0]


def test_what_never_runs_may_be_wrong(session):
    """Shapes that only the run knows, and that a branch or a body could not take."""
    x, k = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [])
    places = tf.where(x > 0)
    count = tf.shape(places)[0]
    _, total = tf.while_loop(
        lambda i, s: i < count,
        lambda i, s: (i + 1, s + places[i, 0]),
        [0, tf.constant(0, tf.int64)],
    )
    first = tf.cond(count > 0, lambda: places[0, 0], lambda: tf.constant(-1, tf.int64))
    square = tf.cond(k > 0, lambda: tf.reshape(x, [2, 2]), lambda: tf.zeros([2, 2]))
    assert session.run([total, first], {x: [-1, 1, 2]}) == [3, 1]
    assert session.run([total, first], {x: [-1, -1]}) == [0, -1]
    np.testing.assert_array_equal(session.run(square, {x: [1, 2, 3], k: 0}), np.zeros([2, 2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="3 values, but the requested shape"):
        session.run(square, {x: [1, 2, 3], k: 1})
    last = tf.cond(count < 1, lambda: places[0, 0], lambda: tf.constant(-1, tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match="slice index 0 of dimension 0"):
        session.run(last, {x: [-1]})
