"""Optimizers: the graph that the seed shows, and steps against the formulas written in numpy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf

Array = np.ndarray


pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_the_graph_of_two_optimizers_is_the_one_of_the_seed(shared: Path) -> None:
    (seed,) = (shared / "seeds").glob("001_*.txt")
    listing = seed.read_text().split("Out[62]:")[1].split("In [63]")[0]
    want = re.findall(r"<tf.Operation '([^']*)' type=(\w+)>", listing)
    x = tf.Variable(5.0)
    loss = x * x
    tf.train.GradientDescentOptimizer(learning_rate=0.1).minimize(loss)
    tf.train.AdamOptimizer(learning_rate=0.1).minimize(loss)
    got = [(op.name, op.type) for op in tf.get_default_graph().get_operations()]
    assert got == want


START = np.array([1.0, -2.0, 3.0])
PULL = np.array([0.5, 1.0, 0.25])
# Hyper-parameters become float32 constants before they are cast, as in TensorFlow.
LR, B1, B2, RHO = (float(np.float32(x)) for x in (0.1, 0.9, 0.999, 0.95))


def gradient(x: Array) -> Array:
    return x * PULL


def descent(x: Array, slots: dict[str, Any]) -> Array:
    return x - LR * gradient(x)


def momentum(nesterov: bool) -> Callable[[Array, dict[str, Any]], Array]:
    def step(x: Array, slots: dict[str, Any]) -> Array:
        g = gradient(x)
        slots["a"] = a = slots.get("a", 0) * B1 + g
        return x - LR * (g + B1 * a if nesterov else a)

    return step


def adagrad(x: Array, slots: dict[str, Any]) -> Array:
    g = gradient(x)
    slots["a"] = a = slots.get("a", LR) + g * g
    return x - LR * g / np.sqrt(a)


def adam(x: Array, slots: dict[str, Any]) -> Array:
    g = gradient(x)
    # The powers of the decay rates are float32 variables.
    p1, p2 = slots.get("p1", np.float32(B1)), slots.get("p2", np.float32(B2))
    slots["p1"], slots["p2"] = p1 * np.float32(B1), p2 * np.float32(B2)
    slots["m"] = m = B1 * slots.get("m", 0) + (1 - B1) * g
    slots["v"] = v = B2 * slots.get("v", 0) + (1 - B2) * g * g
    rate = LR * np.sqrt(1 - float(p2)) / (1 - float(p1))
    return x - rate * m / (np.sqrt(v) + 1e-8)


def rms_prop(centered: bool) -> Callable[[Array, dict[str, Any]], Array]:
    def step(x: Array, slots: dict[str, Any]) -> Array:
        g = gradient(x)
        slots["s"] = s = B1 * slots.get("s", 1.0) + (1 - B1) * g * g
        slots["g"] = mean = B1 * slots.get("g", 0.0) + (1 - B1) * g
        below = s - mean * mean if centered else s
        slots["m"] = m = 0.5 * slots.get("m", 0.0) + LR * g / np.sqrt(below + 1e-10)
        return x - m

    return step


def adadelta(x: Array, slots: dict[str, Any]) -> Array:
    g = gradient(x)
    slots["a"] = a = RHO * slots.get("a", 0) + (1 - RHO) * g * g
    update = np.sqrt(slots.get("u", 0) + 1e-8) / np.sqrt(a + 1e-8) * g
    slots["u"] = RHO * slots.get("u", 0) + (1 - RHO) * update * update
    return x - LR * update


t = tf.train
CASES: list[tuple[str, Callable[[], Any], Callable[[Array, dict[str, Any]], Array]]] = [
    ("descent", lambda: t.GradientDescentOptimizer(0.1), descent),
    ("momentum", lambda: t.MomentumOptimizer(0.1, 0.9), momentum(False)),
    ("nesterov", lambda: t.MomentumOptimizer(0.1, 0.9, use_nesterov=True), momentum(True)),
    ("adagrad", lambda: t.AdagradOptimizer(0.1), adagrad),
    ("adam", lambda: t.AdamOptimizer(0.1), adam),
    ("rmsprop", lambda: t.RMSPropOptimizer(0.1, momentum=0.5), rms_prop(False)),
    ("centered", lambda: t.RMSPropOptimizer(0.1, momentum=0.5, centered=True), rms_prop(True)),
    ("adadelta", lambda: t.AdadeltaOptimizer(0.1), adadelta),
]


@pytest.mark.parametrize(("_name", "make", "step"), CASES, ids=[name for name, _, _ in CASES])
def test_ten_steps_equal_the_formula(_name: str, make: Any, step: Any) -> None:
    v = tf.Variable(START)
    loss = 0.5 * tf.reduce_sum(tf.constant(PULL) * v * v)
    steps = tf.Variable(0, trainable=False)
    train = make().minimize(loss, global_step=steps)
    x, slots = START.copy(), {}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(10):
            sess.run(train)
            x = step(x, slots)
            np.testing.assert_allclose(sess.run(v), x, rtol=1e-8)
        assert sess.run(steps) == 10


@pytest.mark.parametrize(("_name", "make", "step"), CASES, ids=[name for name, _, _ in CASES])
def test_rows_with_summed_gradients_move_as_dense_ones_do(_name: str, make: Any, step: Any) -> None:
    """Every row is used, one of them twice: the sparse update equals the dense one."""
    table = np.arange(6.0).reshape(3, 2)
    results = []
    for sparse in (True, False):
        tf.reset_default_graph()
        v = tf.Variable(table)
        rows = tf.gather(v, [0, 1, 2, 1])
        dense = tf.matmul(tf.one_hot([0, 1, 2, 1], 3, dtype=tf.float64), v)
        train = make().minimize(tf.reduce_sum(tf.square((rows if sparse else dense) - 1.0)))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(3):
                sess.run(train)
            results.append(sess.run(v))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9)


@pytest.mark.parametrize("strength", [0.0, 0.5])
@pytest.mark.parametrize("sparse", [False, True])
def test_dual_averaging(strength: float, sparse: bool) -> None:
    step = tf.train.get_or_create_global_step()
    v = tf.Variable(START, name="v")
    pull = np.array([0.5, 1.0, 0.25]) if not sparse else np.array([1.0, 0.0, 2.0])
    moved = tf.gather(v, [0, 2, 2]) if sparse else v * pull
    optimizer = tf.train.AdagradDAOptimizer(0.25, step, 0.5, strength, 0.125)
    train = optimizer.minimize(tf.reduce_sum(moved), step)
    total, squares, x = np.zeros(3), np.full(3, 0.5), START.copy()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for n in range(1, 5):
            sess.run(train)
            total, squares = total + pull, squares + pull * pull
            reach = np.maximum(np.abs(total) - strength * n, 0) if strength else np.abs(total)
            new = -0.25 * np.sign(total) * reach / (0.125 * n * 0.25 + np.sqrt(squares))
            x = np.where(pull != 0, new, x)  # rows without a gradient stay
            np.testing.assert_allclose(sess.run(v), x, rtol=1e-12)
    names = ["gradient_accumulator", "gradient_squared_accumulator"]
    assert optimizer.get_slot_names() == names
    slot = optimizer.get_slot(v, names[1])
    assert slot is not None and slot.name == "v/AdagradDA_1:0"
    with pytest.raises(ValueError, match="must be positive"):
        tf.train.AdagradDAOptimizer(0.1, step, 0.0)


def test_slots_are_named_after_their_variable_and_listed() -> None:
    with tf.name_scope("outer"):
        w = tf.Variable([1.0], name="w")
        optimizer = tf.train.AdamOptimizer()
        optimizer.minimize(tf.reduce_sum(w * w))
    assert optimizer.get_slot_names() == ["m", "v"]
    assert optimizer.get_slot(w, "m").op.name == "outer/w/Adam"
    assert optimizer.get_slot(w, "v").op.name == "outer/w/Adam_1"
    assert optimizer.get_slot(w, "x") is None
    assert len(optimizer.variables()) == 4


def test_what_cannot_be_optimized_is_said() -> None:
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    with pytest.raises(ValueError, match="No variables to optimize"):
        optimizer.minimize(tf.constant(1.0))
    v = tf.Variable(1.0)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.minimize(tf.constant(1.0), var_list=[v])
    with pytest.raises(ValueError, match="Invalid type"):
        optimizer.minimize(tf.constant(1), var_list=[v])
    with pytest.raises(TypeError, match=r"not a tf\.Variable"):
        optimizer.minimize(v * v, var_list=[3])


def test_gradients_may_be_changed_on_the_way() -> None:
    v = tf.Variable([3.0, 4.0])
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients(tf.reduce_sum(v * v) / 2.0)
    clipped, norm = tf.clip_by_global_norm([g for g, _ in pairs], 1.0)
    train = optimizer.apply_gradients(zip(clipped, [v for _, v in pairs], strict=True))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(norm) == pytest.approx(5.0)
        sess.run(train)
        np.testing.assert_allclose(sess.run(v), [3 - 0.6, 4 - 0.8], rtol=1e-6)


def test_learning_rates_follow_the_step() -> None:
    step = tf.Variable(0, trainable=False)
    rates = [
        tf.train.exponential_decay(0.1, step, 3, 0.5, staircase=True),
        tf.train.piecewise_constant(step, [2, 5], [1.0, 0.5, 0.1]),
        tf.train.polynomial_decay(0.1, step, 4, 0.02),
        tf.train.cosine_decay(0.1, step, 4),
        tf.train.inverse_time_decay(0.1, step, 1, 0.5),
        tf.train.natural_exp_decay(0.1, step, 2, 0.5),
        tf.train.linear_cosine_decay(0.1, step, 4, num_periods=1.0, alpha=0.1, beta=0.01),
        tf.train.noisy_linear_cosine_decay(0.1, step, 4, initial_variance=0.0),
    ]
    count = tf.assign_add(step, 1)
    with tf.Session() as sess:
        sess.run(step.initializer)
        for n in range(7):
            part = min(n, 4) / 4
            want = [
                0.1 * 0.5 ** (n // 3),
                1.0 if n <= 2 else 0.5 if n <= 5 else 0.1,
                (0.1 - 0.02) * (1 - part) + 0.02,
                0.1 * 0.5 * (1 + np.cos(np.pi * part)),
                0.1 / (1 + 0.5 * n),
                0.1 * np.exp(-0.5 * n / 2),
                0.1 * ((1.1 - part) * 0.5 * (1 + np.cos(2 * np.pi * part)) + 0.01),
                0.1 * ((1 - part) * 0.5 * (1 + np.cos(np.pi * part)) + 0.001),
            ]
            np.testing.assert_allclose(sess.run(rates), want, rtol=1e-5, atol=1e-8)
            sess.run(count)


def test_the_global_step_is_one() -> None:
    assert tf.train.get_global_step() is None
    step = tf.train.get_or_create_global_step()
    assert tf.train.get_or_create_global_step() is step
    assert (step.op.name, step.dtype.base_dtype) == ("global_step", tf.int64)
    assert step not in tf.trainable_variables()
    with pytest.raises(ValueError, match="already exists"):
        tf.train.create_global_step()
    with tf.Session() as sess:
        sess.run(step.initializer)
        assert tf.train.global_step(sess, step) == 0


def test_variables_may_come_as_a_view_of_a_dict() -> None:
    weights = {"a": tf.Variable(1.0), "b": tf.Variable(2.0)}
    other = tf.Variable(3.0)
    loss = weights["a"] * weights["b"] * other
    step = tf.train.GradientDescentOptimizer(1.0).minimize(loss, var_list=weights.values())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step)
        assert session.run([*weights.values(), other]) == [-5.0, -1.0, 3.0]
