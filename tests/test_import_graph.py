"""`tf.import_graph_def`: what graphs give back, and what hostile ones raise."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tfc.io.tensor_proto import array_of

pytestmark = pytest.mark.usefixtures("fresh_graph")


def graph_def(build):
    graph = tf.Graph()
    with graph.as_default():
        build()
    return graph.as_graph_def()


def small():
    x = tf.placeholder(tf.float32, [2], name="x")
    tf.identity(x * 3.0 + tf.constant([1.0, 2.0]), name="y")


def test_map_and_return():
    (y,) = tf.import_graph_def(
        graph_def(small), {"x:0": tf.constant([1.0, 2.0])}, ["y:0"], name="imp"
    )
    assert y.name == "imp/y:0" and y.shape.as_list() == [2]
    with tf.Session() as session:
        assert session.run(y).tolist() == [4, 8]
    assert tf.import_graph_def(graph_def(small)) is None
    assert tf.get_default_graph().get_operation_by_name("import/x").type == "Placeholder"
    tf.reset_default_graph()
    op, tensor = tf.import_graph_def(graph_def(small), return_elements=["y", "x:0"], name="")
    assert op.name == "y" and tensor.name == "x:0"
    with pytest.raises(ValueError, match="already exists"):
        tf.import_graph_def(graph_def(small), name="")


def test_a_model_with_variables_and_control_inputs():
    def build():
        w = tf.Variable(np.eye(2, dtype=np.float32), name="w")
        x = tf.placeholder(tf.float32, [None, 2], name="x")
        with tf.control_dependencies([tf.assign_add(w, tf.ones([2, 2]), name="add")]):
            tf.matmul(x, w.read_value(), name="y")

    y, init = tf.import_graph_def(graph_def(build), return_elements=["y:0", "w/Assign"], name="m")
    with tf.Session() as session:
        session.run(init)
        assert session.run(y, {"m/x:0": [[1.0, 2.0]]}).tolist() == [[4, 5]]


def test_arguments():
    proto = graph_def(small)
    for arguments, error, message in (
        ((b"", None), TypeError, "GraphDef"),
        ((proto, ["x"]), TypeError, "dictionary"),
        ((proto, {"z:0": tf.constant(1.0)}), ValueError, "not found in graph_def"),
        ((proto, None, "y"), TypeError, "list of strings"),
        ((proto, None, ["nothing"]), ValueError, "not found in graph_def"),
        ((proto, None, ["y:7"]), ValueError, "not found in graph_def"),
        ((proto, {"x:0": tf.constant([1, 2])}), ValueError, "int32"),
    ):
        with pytest.raises(error, match=message):
            tf.import_graph_def(*arguments)


def _duplicate(proto):
    proto.node.add().CopyFrom(proto.node[0])


def _change(index, **fields):
    def change(proto):
        for key, value in fields.items():
            if key == "input":
                proto.node[index].input[:] = value
            else:
                setattr(proto.node[index], key, value)

    return change


def _attr(index, key, **fields):
    def change(proto):
        attr = proto.node[index].attr[key]
        attr.Clear()
        for name, value in fields.items():
            setattr(attr, name, value)

    return change


def _function(proto):
    node = proto.node.add(name="call", op="PartitionedCall", input=["x"])
    node.attr["f"].func.name = "nowhere"


HOSTILE = [
    (_duplicate, "not unique"),
    (_change(0, name=""), "valid name"),
    (_change(0, name="../x\n"), "valid name"),
    (_change(2, input=["nothing", "x"]), "Unknown input node"),
    (_change(2, input=["x:99", "mul/y"]), "invalid output 99"),
    (_change(2, input=["x:-1", "mul/y"]), "none"),
    (_change(2, input=["x"]), "Node 'mul'"),
    (_change(2, input=["x", "mul/y", "^nothing"]), "Unknown input node"),
    (_change(2, input=["mul", "mul/y"]), "cycle"),
    (_change(2, input=["y", "mul/y"]), "cycle"),
    (_change(2, op="NoSuchOp"), "Op type not registered"),
    (_change(2, op="PyFunc"), "may not be imported"),
    (_change(2, op="ReadFile"), "may not be imported"),
    (_attr(0, "dtype", type=999), "no dtype"),
    (_attr(0, "dtype", s=b"text"), "Node 'x'"),
    (_attr(0, "dtype"), "no value"),
    (_attr(2, "T", type=3), "attribute T"),
    (_attr(2, "surprise", i=3), "mentions attr"),
    (_function, "no function 'nowhere'"),
]


@pytest.mark.parametrize(("change", "message"), HOSTILE, ids=[m for _, m in HOSTILE])
def test_hostile_graphs(change, message):
    proto = graph_def(small)
    assert proto.node[2].name == "mul"
    change(proto)
    before = len(tf.get_default_graph().get_operations())
    with pytest.raises(ValueError, match=message):
        tf.import_graph_def(proto)
    assert before == 0


def test_constants():
    proto = tf.GraphDef().node.add().attr["value"].tensor

    def check(values, **fields):
        proto.Clear()
        proto.dtype = fields.pop("dtype", 1)
        for extent in fields.pop("shape"):
            proto.tensor_shape.dim.add(size=extent)
        for key, value in fields.items():
            if key == "tensor_content":
                proto.tensor_content = value
            else:
                getattr(proto, key).extend(value)
        np.testing.assert_array_equal(array_of(proto), values)

    check([1.5, 2, 2], shape=[3], float_val=[1.5, 2])
    check([[7, 7]], shape=[1, 2], dtype=3, int_val=[7])
    check([0, 0], shape=[2])
    check([1 + 2j], shape=[1], dtype=8, scomplex_val=[1, 2])
    check([1.5], shape=[1], dtype=19, half_val=[0x3E00])
    check([b"a", b"a"], shape=[2], dtype=7, string_val=[b"a"])
    for message, fields in (
        ("bytes, not 8", dict(shape=[2], tensor_content=b"123")),
        ("has 2 values", dict(shape=[1], float_val=[1, 2])),
        ("cannot have the shape", dict(shape=[-5])),
        ("more than", dict(shape=[1 << 20, 1 << 20], float_val=[1])),
        ("more than", dict(shape=[1 << 62, 4], float_val=[1])),
        ("has only 1 values", dict(shape=[1 << 26], float_val=[1])),
        ("out of the range", dict(shape=[1], dtype=6, int_val=[300])),
        ("odd number", dict(shape=[1], dtype=8, scomplex_val=[1])),
        ("resource", dict(shape=[1], dtype=20)),
    ):
        with pytest.raises(ValueError, match=message):
            check(None, **fields)
