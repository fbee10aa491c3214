"""What programs print: nodes in the text form of protocol buffers."""

import numpy as np
import pytest
from google.protobuf import text_format

import tfc as tf
from tfc.io.graphdef import graph_to_proto
from tfc.io.protos import message


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def test_a_printed_op():
    with tf.device("/cpu:0"):
        op = tf.constant(7, name="seven").op
    assert str(op) == (
        'name: "seven"\nop: "Const"\ndevice: "/device:CPU:0"\n'
        'attr {\n  key: "dtype"\n  value {\n    type: DT_INT32\n  }\n}\n'
        'attr {\n  key: "value"\n  value {\n    tensor {\n      dtype: DT_INT32\n'
        "      tensor_shape {\n      }\n      int_val: 7\n    }\n  }\n}\n"
    )
    x = tf.placeholder(tf.float32, [None, 3], "x")
    assert "shape {\n      dim {\n        size: -1\n      }\n" in str(tf.square(x).op.inputs[0].op)


VALUES = [
    np.float32(0.1),
    np.float64(-2.5),
    np.float16(1.5),
    np.int64(2**40),
    np.uint8(200),
    np.uint32(2**32 - 1),
    np.bool_(True),
    np.complex64(1 - 2j),
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.zeros((0, 3)),
    'quo"te\\ \n\x00\xff\u00e9',
    [b"one", b"two"],
]
FIELDS = {
    "float_val": np.float32,
    "double_val": np.float64,
    "int_val": None,
    "int64_val": np.int64,
    "uint32_val": np.uint32,
    "bool_val": np.bool_,
}


def content(tensor, like):
    """The bytes of a TensorProto's elements, from whichever field holds them."""
    if tensor.tensor_content:
        return tensor.tensor_content
    if tensor.half_val:
        return np.array(tensor.half_val, np.uint16).tobytes()
    if tensor.scomplex_val:
        return np.array(tensor.scomplex_val, np.float32).tobytes()
    held = (np.array(getattr(tensor, f), t or like) for f, t in FIELDS.items())
    return b"".join(part.tobytes() for part in held)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_the_text_of_a_constant_parses(value):
    tensor = tf.constant(value)
    parsed = text_format.Parse(str(tensor.op), message("NodeDef")()).attr["value"].tensor
    (node,) = graph_to_proto(tensor.graph, add_shapes=False).node
    expected = node.attr["value"].tensor
    assert parsed.dtype == expected.dtype
    assert parsed.tensor_shape == expected.tensor_shape
    assert list(parsed.string_val) == list(expected.string_val)
    like = tensor.dtype.as_numpy_dtype
    assert content(parsed, like) == content(expected, like)


def test_the_text_of_every_node_parses():
    x = tf.placeholder(tf.float32, name="x")
    v = tf.Variable(tf.truncated_normal([3, 3, 1, 4], stddev=0.1))
    y = tf.nn.conv2d(tf.reshape(x, [-1, 8, 8, 1]), v, [1, 2, 2, 1], "SAME")
    tf.train.AdamOptimizer(0.1).minimize(tf.reduce_mean(tf.Print(y, [y, v], "at ")))
    graph = tf.get_default_graph()
    nodes = graph_to_proto(graph, add_shapes=False).node
    for op, node in zip(graph.get_operations(), nodes, strict=True):
        parsed = text_format.Parse(str(op), message("NodeDef")())
        for proto in (parsed, node):
            if op.type == "Const":
                del proto.attr["value"]
        assert parsed == node


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        ("float32", 0.1, "0.1"),
        ("float32", 1 / 3, "0.333333343"),
        ("float32", 8.0, "8"),
        ("float32", 1e10, "1e+10"),
        ("float32", 123456.789, "123456.789"),
        ("float64", 0.1, "0.1"),
        ("float64", 1 / 3, "0.33333333333333331"),
        ("float64", 1e10, "10000000000"),
        ("float16", 0.1, "0.0999755859"),
        ("float64", -0.0, "-0"),
        ("float32", np.nan, "nan"),
        ("float64", -np.inf, "-inf"),
        ("int8", -3, "-3"),
        ("bool", True, "1"),
        ("complex64", 1 + 2j, "?"),
    ],
)
def test_numbers_as_tensorflow_prints_them(dtype, value, text, capfd) -> None:
    """In Print, and in what a failed Assert says, native or by Python."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(dtype, [])
        array = np.array(value, dtype)
        sess.run(tf.Print(x, [x], "so: "), {x: array})
        assert capfd.readouterr().err.splitlines()[-1] == f"so: [{text}]"
        no = tf.placeholder(tf.bool, [])
        for message in (tf.constant("{0} is {wrong}"), tf.string_join(["{0} ", "is {wrong}"])):
            with pytest.raises(tf.errors.InvalidArgumentError) as caught:
                sess.run(tf.Assert(no, [message, tf.stack([[x], [x]])]), {x: array, no: False})
            expected = f"assertion failed: [{{0}} is {{wrong}}] [[{text}][{text}]]"
            assert str(caught.value).startswith(expected)


def test_what_case_says() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.int32, [])
        pairs = [(x < 0, lambda: tf.constant(1)), (x < 5, lambda: tf.constant(2))]
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"None of conditions .*\[0 0\]"):
            sess.run(tf.case(pairs), {x: 7})
        both = r"exclusive=True: more than 1 conditions \(Less:0, Less_1:0\) .*\[1 1\]"
        with pytest.raises(tf.errors.InvalidArgumentError, match=both):
            sess.run(tf.case(pairs, lambda: tf.constant(3), exclusive=True), {x: -7})
