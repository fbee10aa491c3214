"""`as_graph_def` of loops, conditions and TensorArrays: nodes that TensorFlow has, and graphs that
give the same numbers when they are read back."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

OF_TFC = {"If", "While", "RegionParameter", "Residual", "ResidualAt", "ResidualAtGrad", "LoopCount"}
OF_TFC |= {"GradientRows"}
X = np.array([0.5, -1.0, 2.0])


def loop(x):
    return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.sin(a) * x), [0, x])[1]


def nested(x):
    def turn(i, a):
        inner = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b * x), [0, a])[1]
        return i + 1, tf.cond(tf.reduce_sum(inner) > 0, lambda: inner * 0.5, lambda: tf.cos(x))

    return tf.while_loop(lambda i, a: i < 4, turn, [0, x])[1]


def arrays(x):
    array = tf.TensorArray(tf.float64, 3).unstack(x)
    out = tf.TensorArray(tf.float64, 0, dynamic_size=True)

    def turn(i, out):
        return i + 1, out.write(i, tf.sin(array.read(2 - i)) * x)

    out = tf.while_loop(lambda i, _: i < 3, turn, [0, out])[1]
    return tf.reduce_sum(out.stack(), 0) + tf.reduce_sum(out.concat()) + out.gather([2, 2])[0]


def parts(x):
    array = tf.TensorArray(tf.float64, 2, infer_shape=False).split(x, [1, 2])
    return array.concat() * tf.cast(array.size(), tf.float64) + array.read(0)


def functional(x):
    mapped = tf.map_fn(lambda v: tf.cond(v > 0, lambda: v * v, lambda: v + 1), x)
    return tf.scan(lambda a, v: tf.tanh(a + v), mapped) * tf.foldl(lambda a, v: a + v, x)


def one_branch(x):
    def untouched():
        return x

    return tf.cond(tf.reduce_sum(x) > 10, lambda: x * 2, untouched) + tf.case(
        [(x[0] > 1, lambda: x), (x[0] > 0, lambda: -x)], default=lambda: x * x
    )


def rows(x):
    def turn(i, a):
        taken = tf.cond(i < 1, lambda: tf.gather(x, [0, i]), lambda: tf.gather(x, [2, 2]) * a)
        return i + 1, a + taken * tf.gather(x, [i, 1])

    found = tf.while_loop(lambda i, a: i < 3, turn, [0, x[:2]])[1]
    return found + tf.cond(x[0] > 0, lambda: tf.gather(x, [1, 1]), lambda: tf.gather(x, [0, 2]))


@pytest.mark.parametrize("build", [loop, nested, arrays, parts, functional, one_branch])
def test_read_back(build):
    x = tf.placeholder(tf.float64, [3], name="x")
    y = tf.identity(build(x), name="y")
    with tf.Session() as session:
        want = session.run(y, {x: X})
    proto = tf.get_default_graph().as_graph_def(add_shapes=True)
    kinds = {node.op for node in proto.node}
    assert not kinds & OF_TFC and kinds & {"Merge", "TensorListReserve"}
    names = [node.name for node in proto.node]
    assert len(set(names)) == len(names)
    tf.reset_default_graph()
    (y,) = tf.import_graph_def(proto, return_elements=["y:0"], name="")
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(y, {"x:0": X}), want, rtol=1e-12)
    again = tf.get_default_graph().as_graph_def()  # what was read can be written
    tf.reset_default_graph()
    (y,) = tf.import_graph_def(again, return_elements=["y:0"], name="")
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(y, {"x:0": X}), want, rtol=1e-12)


@pytest.mark.parametrize("build", [loop, arrays, functional, one_branch, rows])
def test_gradients_read_back(build):
    x = tf.placeholder(tf.float64, [3], name="x")
    dx = tf.identity(tf.convert_to_tensor(tf.gradients(build(x), x)[0]), name="dx")
    with tf.Session() as session:
        want = session.run(dx, {x: X})
    proto = tf.get_default_graph().as_graph_def()
    assert not {node.op for node in proto.node} & OF_TFC
    tf.reset_default_graph()
    (dx,) = tf.import_graph_def(proto, return_elements=["dx:0"], name="")
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(dx, {"x:0": X}), want, rtol=1e-12)


def test_gradient_of_a_slice():
    x = tf.placeholder(tf.float64, [3], name="x")
    at = tf.placeholder(tf.int32, [1], name="at")
    tf.identity(tf.gradients(tf.slice(x, at, [2]) * [1.0, 3.0], x)[0], name="dx")
    proto = tf.get_default_graph().as_graph_def()
    assert "SliceGrad" not in {node.op for node in proto.node}
    tf.reset_default_graph()
    (dx,) = tf.import_graph_def(proto, return_elements=["dx:0"], name="")
    with tf.Session() as session:
        assert session.run(dx, {"x:0": X, "at:0": [1]}).tolist() == [0, 1, 3]


def test_names_and_forms():
    """The nodes of a loop and of a condition, as TensorFlow connects them."""
    x = tf.placeholder(tf.float32, [], name="x")
    start = [tf.constant(0.0)]
    tf.while_loop(lambda i: i < x, lambda i: i + 1, start, name="while", parallel_iterations=4)
    tf.cond(x > 1, lambda: x * 2, lambda: x, name="cond")
    nodes = {n.name: n for n in tf.get_default_graph().as_graph_def().node}
    for name, op, inputs in (
        ("while/Merge", "Merge", ["while/Enter", "while/NextIteration"]),
        ("while/Less", "Less", ["while/Merge", "while/Enter_1"]),
        ("while/LoopCond", "LoopCond", ["while/Less"]),
        ("while/Switch", "Switch", ["while/Merge", "while/LoopCond"]),
        ("while/Identity", "Identity", ["while/Switch:1"]),
        ("while/add/y", "Const", ["^while/Identity"]),
        ("while/NextIteration", "NextIteration", ["while/add"]),
        ("while/Exit", "Exit", ["while/Switch"]),
        ("cond/Switch", "Switch", ["cond/pred_id", "cond/pred_id"]),
        ("cond/switch_t", "Identity", ["cond/Switch:1"]),
        ("cond/mul/y", "Const", ["^cond/switch_t"]),
        ("cond/Switch_1", "Switch", ["x", "cond/pred_id"]),
        ("cond/mul", "Mul", ["cond/Switch_1:1", "cond/mul/y"]),
        ("cond/Merge", "Merge", ["cond/Switch_2", "cond/mul"]),
    ):
        assert (nodes[name].op, list(nodes[name].input)) == (op, inputs)
    assert not nodes["while/Enter"].attr["is_constant"].b
    assert nodes["while/Enter_1"].attr["is_constant"].b
    frames = {nodes[n].attr["frame_name"].s for n in ("while/Enter", "while/Enter_1")}
    assert len(frames) == 1
    assert nodes["while/Enter"].attr["parallel_iterations"].i == 4


def test_variables_and_order_in_a_branch():
    v = tf.Variable(3.0, name="v")
    go = tf.placeholder(tf.bool, [], name="go")

    def step():
        with tf.control_dependencies([tf.assign_add(v, 1.0)]):
            return tf.identity(v.read_value())

    tf.identity(tf.cond(go, step, lambda: v.read_value()), name="y")
    proto = tf.get_default_graph().as_graph_def()
    assert "RefSwitch" in {node.op for node in proto.node}
    tf.reset_default_graph()
    y, start = tf.import_graph_def(proto, return_elements=["y:0", "v/Assign"], name="")
    with tf.Session() as session:
        session.run(start)
        found = [float(session.run(y, {"go:0": g})) for g in (True, False, True)]
    assert found == [4.0, 4.0, 5.0]


def test_meta_graph(tmp_path):
    x = tf.placeholder(tf.float32, [None, 2, 3], name="x")
    cell = tf.nn.rnn_cell.BasicLSTMCell(2)
    y, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    tf.identity(y, name="y")
    data = np.random.RandomState(0).randn(2, 2, 3)
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        want = session.run("y:0", {"x:0": data})
        saver.save(session, str(tmp_path / "m"))
    tf.reset_default_graph()
    with tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "m.meta"))
        saver.restore(session, str(tmp_path / "m"))
        np.testing.assert_allclose(session.run("y:0", {"x:0": data}), want, rtol=1e-6)
