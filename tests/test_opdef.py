"""Signatures of ops, and what becomes of arguments that do not fit them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tfc as tf
from tfc.framework import opdef, signature
from tfc.framework.literals import as_array
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Literal

pytestmark = pytest.mark.usefixtures("fresh_graph")


class Probe(
    OpDef,
    sig="TestProbe(x: T, parts: N * T, mixed: [Ts], flag: bool, k: int = 3, "
    "mode: str = 'a', scale: float = 0.5, sizes: list(int) = [1, 2], to: type = float32, "
    "dims: shape = None) -> (y): T".replace("(y)", "y"),
    T=("f32", "i32"),
    mode=("a", "b,c"),
):
    """Every kind of argument at once."""

    def shape(x, *others, k, op):
        assert op.type == "TestProbe" and k == op.get_attr("k")
        return [x]

    def lower(build, x, *others, **attrs):
        raise AssertionError("not run here")


def probe(**given):
    defaults = dict(x=1.0, parts=[2.0, 3.0], mixed=[1, True], flag=True)
    return apply("TestProbe", **(defaults | given))


def test_signature_is_read_once_and_whole() -> None:
    sig = Probe.signature()
    assert sig is Probe.signature() and sig.name == "TestProbe"
    assert [a.name for a in sig.inputs] == ["x", "parts", "mixed", "flag"]
    assert sig.by_name["parts"].number_attr == "N" and sig.by_name["mixed"].list_attr == "Ts"
    assert sig.attrs["mode"].allowed == ("a", "b,c") and sig.attrs["k"].default == 3
    ref = signature.parse("R(v: Ref(T), n: N * int32) -> a: Ref(T), b: [O]", {"T": ("f32",)})
    assert ref.inputs[0].is_ref and ref.inputs[1].dtype == tf.int32
    assert [o.list_attr for o in ref.outputs] == [None, "O"]
    for wrong in ("R", "R(x) -> y: T", "R(x: list(zig) = 3) -> ()", "R(x: <) -> ()"):
        with pytest.raises(ValueError):
            signature.parse(wrong, {})
    with pytest.raises(ValueError, match="defined twice"):
        type("Again", (OpDef,), {}, sig="TestProbe() -> ()")
    with pytest.raises(ValueError, match="Op type not registered 'Nope'"):
        apply("Nope")


def test_attributes_are_normalised_and_inferred() -> None:
    y = probe(k=np.int64(4), mode=b"b,c", sizes=np.array([4]), to="int8", dims=[None, 2])
    get = y.op.get_attr
    assert (get("T"), get("N"), get("Ts")) == (tf.float32, 2, [tf.int32, tf.bool])
    assert (get("k"), get("mode"), get("scale"), get("sizes")) == (4, b"b,c", 0.5, [4])
    assert get("to") == tf.int8 and get("dims").as_list() == [None, 2]
    plain = dict(y.op.attrs)
    assert plain["to"] == "i8" and plain["dims"] == (None, 2) and plain["mode"] == "b,c"
    assert plain["Ts"] == ("i32", "i1")
    assert [t.op.name for t in y.op.inputs] == [
        "TestProbe/x", "TestProbe/parts_0", "TestProbe/parts_1", "TestProbe/mixed_0",
        "TestProbe/mixed_1", "TestProbe/flag",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (dict(x=1.5, parts=[1]), TypeError, None),
        (
            dict(x=True),
            TypeError,
            "has DataType bool not in list of allowed values: float32, int32",
        ),
        (dict(parts=3.0), TypeError, "Expected list for 'parts' argument to 'TestProbe' Op"),
        (dict(parts=[2.0, "a"]), TypeError, "Tensors in list passed to 'parts' of 'TestProbe' Op"),
        (
            dict(flag=1),
            TypeError,
            "Expected bool passed to parameter 'flag' of op 'TestProbe', got",
        ),
        (dict(k="a"), TypeError, "Expected int for argument 'k' not 'a'"),
        (dict(scale="a"), TypeError, "Expected float for argument 'scale' not 'a'"),
        (dict(mode=1), TypeError, "Expected string for argument 'mode' not 1"),
        (
            dict(mode="z"),
            ValueError,
            "Attr 'mode' of 'TestProbe' Op passed string 'z' not in: ",
        ),
        (dict(to="zig"), TypeError, "Expected DataType for argument 'to' not 'zig'"),
        (dict(dims="a"), TypeError, "to a TensorShape"),
        (dict(sizes=3), TypeError, "Expected list for attr sizes"),
        (dict(zig=3), TypeError, "unexpected keyword argument 'zig'"),
        (dict(x=None), ValueError, "None values not supported"),
    ],
)
def test_arguments_that_do_not_fit(given, error, words) -> None:
    if words is None:  # integers become floats where the others are
        assert probe(**given).op.inputs[1].dtype == tf.float32
        return
    with pytest.raises(error, match=words) as caught:
        probe(**given)
    assert "test_opdef.py:" in str(caught.value), "the user's line"


def test_positional_arguments() -> None:
    y = apply("TestProbe", 1.0, [2.0], [3], False, 7, name="n")
    assert y.op.name == "n" and y.op.get_attr("k") == 7
    with pytest.raises(TypeError, match="missing required argument: 'flag'"):
        apply("TestProbe", 1.0, [2.0], [3])
    with pytest.raises(TypeError, match="positional arguments"):
        apply("TestProbe", *range(20))
    function = opdef.make_function("TestProbe", "What it does.")
    assert function.__name__ == "test_probe" and function.__doc__ == "What it does."
    assert list(inspect.signature(function).parameters)[-1] == "name"
    assert function(1.0, [2.0], [3], False).op.type == "TestProbe"


def test_a_number_takes_the_type_of_the_operand_before_it() -> None:
    x = tf.constant([1.0], tf.float64)
    assert tf.add(x, 2).dtype == tf.float64
    assert (2 + x).dtype == tf.float64
    message = "Input 'y' of 'Add' Op has type float64 that does not match type int32 of argument"
    with pytest.raises(TypeError, match=message):
        tf.add(2, x)
    for function in (tf.maximum, tf.pow, tf.less, tf.equal, tf.squared_difference, tf.floordiv):
        with pytest.raises(TypeError, match="int32"):
            function(2, x)
    with pytest.raises(ValueError, match="Tensor conversion requested dtype int32"):
        tf.div(2, x)
    assert tf.divide(2, x).dtype == tf.float64


def test_references() -> None:
    v = tf.Variable(1.0)
    op = v.initializer
    assert op.defn.ref_inputs(op) == (True, False) and op.outputs[0].dtype.is_ref_dtype
    with pytest.raises(TypeError, match="requires that input 'ref' be a mutable tensor"):
        apply("Assign", tf.constant(1.0), 2.0)


def test_host_ops_are_known_by_rule_and_dtype() -> None:
    number, text = tf.identity(tf.constant(1.0)).op, tf.identity(tf.constant("a")).op
    assert not number.defn.is_host(number) and text.defn.is_host(text)


def test_create_op_checks_what_it_is_given() -> None:
    g, a, i = tf.get_default_graph(), tf.constant(1.0), tf.constant(1)
    assert g.create_op("Add", [a, a], name="sum/").name == "sum"
    with pytest.raises(TypeError, match="Input 'y' of 'Add' Op has type int32"):
        g.create_op("Add", [a, i])
    with pytest.raises(ValueError, match="takes 2 inputs|more inputs"):
        g.create_op("Add", [a])
    with pytest.raises(TypeError, match="Input #0 is not a tensor"):
        g.create_op("Add", [1.0, a])
    with pytest.raises(ValueError, match="that name is already used"):
        g.create_op("Add", [a, a], name="sum/")


def test_python_values_as_arrays() -> None:
    for value, dtype in (
        (1, "int32"), (2**40, "int64"), (2**63, "uint64"), (1.5, "float32"), (True, "bool"),
        ([1, 2.5], "float32"), (1j, "complex128"), ([], "float32"), (np.float64(1), "float64"),
        ([np.int64(1), 2], "int32"), ([[True], [False]], "bool"), (range(3), "int32"),
        (np.arange(2, dtype=np.uint8), "uint8"), (tf.Dimension(3), "int32"),
    ):  # fmt: skip
        assert as_array(value).dtype == dtype, value
    assert as_array(["a", b"b"]).tolist() == [b"a", b"b"]
    assert as_array([1, 2], tf.float32, [4]).tolist() == [1, 2, 2, 2]
    assert as_array(np.array([1.7]), tf.int32).tolist() == [1]
    assert as_array([[], []]).shape == (2, 0)
    for value, dtype, error in (
        (1.5, tf.int32, TypeError), (1, tf.bool, TypeError), (1, tf.string, TypeError),
        ([None], None, TypeError), (object(), None, TypeError), (300, tf.uint8, ValueError),
        ([[1], 2], None, ValueError), ([1, [2]], None, ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            as_array(value, dtype)
    with pytest.raises(TypeError, match="Expected Tensor's shape"):
        as_array([1, 2], shape=[3], verify_shape=True)


def test_lists_with_tensors_are_packed() -> None:
    a = tf.constant(1.0, name="a")
    packed = tf.convert_to_tensor([[a, 2.0], [3.0, a]])
    assert packed.op.type == "Pack" and packed.shape == [2, 2]
    cast = tf.convert_to_tensor([a, 2], dtype=tf.int32)
    assert cast.dtype == tf.int32 and cast.op.inputs[0].op.type == "Cast"
    with pytest.raises(TypeError, match="Cannot convert a list containing a tensor of dtype"):
        tf.convert_to_tensor([a, tf.constant(1.0, tf.float64)])
    with pytest.raises(ValueError, match="Cannot convert a partially known TensorShape"):
        tf.convert_to_tensor(tf.TensorShape([None]))
    assert tf.convert_to_tensor(tf.TensorShape([2, 3])).dtype == tf.int32


def test_conversions_can_be_registered() -> None:
    class Meters:
        def __init__(self, value):
            self.value = value

    def convert(value, dtype=None, name=None, as_ref=False):
        return tf.constant(value.value, dtype=dtype, name=name or "meters")

    tf.register_tensor_conversion_function(Meters, convert)
    assert tf.add(tf.constant(1.0), Meters(2.0)).op.inputs[1].op.name == "Add/y"
    with pytest.raises(TypeError):
        tf.register_tensor_conversion_function(3, convert)


def test_static_values() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    assert tf.get_static_value(tf.shape(x)).tolist() == [2, 3]
    assert tf.get_static_value(tf.range(3)).tolist() == [0, 1, 2]
    assert tf.get_static_value(x) is None
    constant = tf.get_static_value(tf.constant([1, 2]))
    with pytest.raises(ValueError, match="read-only"):
        constant[0] = 5
    assert Literal(constant).type.shape == (2,)
