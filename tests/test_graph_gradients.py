"""tf.gradients: which ops it adds, in which order, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_several_gradients_are_added_where_the_name_says() -> None:
    x = tf.constant(3.0, name="x")
    (g,) = tf.gradients(x * x + tf.exp(x), x)
    assert g.op.name == "gradients/AddN" and len(g.op.inputs) == 3
    (tree,) = tf.gradients(x * x, x, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)
    assert tree.op.name == "gradients_1/x_gradient_sum/AddN"
    with pytest.raises(ValueError, match="Invalid aggregation_method"):
        tf.gradients(x, x, aggregation_method=7)


def test_xs_are_variables_lists_or_what_nobody_uses() -> None:
    v, unused = tf.Variable(2.0), tf.Variable(1.0)
    found = tf.gradients(v * v, [v, unused, v])
    assert found[1] is None and found[0] is found[2]
    assert isinstance(tf.gradients(v * 1.0, v), list)
    zero = tf.gradients(v * v, [unused], unconnected_gradients="zero")[0]
    assert zero.op.type == "ZerosLike"
    assert tf.gradients(v.value(), v.value())[0].op.type == "Fill"


def test_ys_may_be_several_and_seeded() -> None:
    x = tf.constant([1.0, 2.0])
    seed = tf.constant([5.0, 6.0])
    (g,) = tf.gradients([x * 2.0, x], x, grad_ys=[seed, None])
    assert g.op.type == "AddN"
    assert tf.gradients(x, x, grad_ys=seed)[0] is seed
    with pytest.raises(ValueError, match="Passed 2 grad_ys for 1 ys"):
        tf.gradients([x], [x], grad_ys=[seed, None])
    with pytest.raises(TypeError, match="must be real or integer"):
        tf.gradients(x, x, grad_ys=tf.constant([True, False]))
    with pytest.raises(TypeError, match="Gradients of complex tensors must set grad_ys"):
        z = tf.constant(1j)
        tf.gradients(z, z)


def test_stop_gradient_and_stop_gradients() -> None:
    a = tf.constant(3.0)
    b = a * 2.0
    assert tf.gradients(tf.stop_gradient(b) * 1.0, a) == [None]
    assert tf.gradients(b * 1.0, a, stop_gradients=[b]) == [None]
    to_b, to_a = tf.gradients(b * a, [b, a], stop_gradients=b)
    assert to_b is not None and to_a.op.name.startswith("gradients_2/mul_3_grad")


def test_gradients_of_numbers_do_not_flow_through_integers() -> None:
    i = tf.constant([2])
    assert tf.gradients(i * i, i)[0].dtype == tf.int32
    assert tf.gradients(tf.cast(i, tf.float32) * 2.0, i) == [None]
    bits = tf.bitcast(tf.constant([1.5]), tf.int32)
    assert tf.gradients(tf.bitcast(bits, tf.float32), [bits, bits.op.inputs[0]]) == [None, None]
    x = tf.constant(1.5)
    assert tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32), x) == [None]


def test_gradients_know_the_shapes_of_what_they_are_of() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.Variable(tf.zeros([3, 2]))
    gx, gw = tf.gradients(tf.matmul(x, w), [x, w])
    assert gx.shape.as_list() == [None, 3] and gw.shape.as_list() == [3, 2]


def test_outputs_that_nobody_used_count_as_zero() -> None:
    x = tf.constant([1.0, 2.0, 3.0, 4.0])
    first, _ = tf.split(x, 2)
    tf.gradients(first, x)
    op = tf.get_default_graph().get_operation_by_name("gradients/zeros_like")
    assert op.type == "ZerosLike"


def test_gathers_give_slices_and_slices_are_joined() -> None:
    v = tf.Variable(tf.zeros([5, 2]))
    one = tf.gradients(tf.gather(v, [0, 3, 3]), v)[0]
    assert isinstance(one, tf.IndexedSlices)
    two = tf.gradients(tf.gather(v, [0]) + tf.gather(v, [1]), v)[0]
    assert isinstance(two, tf.IndexedSlices) and two.values.op.type == "ConcatV2"
    assert tf.convert_to_tensor(two).op.type == "UnsortedSegmentSum"
    mixed = tf.gradients(tf.reduce_sum(tf.gather(v, [0])) + tf.reduce_sum(v * v), v)[0]
    assert isinstance(mixed, tf.Tensor), "dense, since a part of it is"


def test_overridden_gradient() -> None:
    @tf.RegisterGradient("TestGraphTimesSeven")
    def seven(op, dy):
        assert op.type == "Relu"
        return dy * 7.0

    x = tf.constant([1.0])
    with tf.get_default_graph().gradient_override_map({"Relu": "TestGraphTimesSeven"}):
        y = tf.nn.relu(x)
    assert y.op.get_attr("_gradient_op_type") == b"TestGraphTimesSeven"
    assert tf.gradients(y, x)[0].op.type == "Mul"
    assert tf.gradients(tf.nn.relu(x), x)[0].op.type == "ReluGrad"
    with pytest.raises(KeyError, match="Registering two gradient with name 'TestGraphTimesSeven'"):
        tf.RegisterGradient("TestGraphTimesSeven")(seven)
    with pytest.raises(KeyError, match="Registering two gradient with name 'Relu'"):
        tf.RegisterGradient("Relu")(seven)
    with pytest.raises(TypeError), tf.get_default_graph().gradient_override_map({"a": 1}):
        pass


def test_gradient_functions_are_checked() -> None:
    tf.RegisterGradient("TestGraphWrongCount")(lambda op, dy: [dy, dy])
    tf.RegisterGradient("TestGraphWrongShape")(lambda op, dy: tf.zeros([3]))
    tf.RegisterGradient("TestGraphWrongType")(lambda op, dy: tf.constant([True, True]))
    tf.NotDifferentiable("TestGraphNothing")
    x = tf.constant([1.0, 2.0])

    def through(name: str):
        with tf.get_default_graph().gradient_override_map({"Exp": name}):
            return tf.gradients(tf.exp(x), x)

    with pytest.raises(ValueError, match="Num gradients 2 generated for op"):
        through("TestGraphWrongCount")
    with pytest.raises(ValueError, match="Incompatible shapes between op input and calculated"):
        through("TestGraphWrongShape")
    with pytest.raises(TypeError, match="must be real or integer"):
        through("TestGraphWrongType")
    with pytest.raises(LookupError, match=r"No gradient defined for operation 'Exp\w*' \(op type:"):
        through("TestGraphUnheardOf")
    assert through("TestGraphNothing") == [None]


def test_ops_made_by_gradients_know_what_they_are_of() -> None:
    x = tf.constant(2.0)
    y = tf.exp(x)
    (g,) = tf.gradients(y, x)
    assert g.op._original_op is y.op and y.op._original_op is None


def test_custom_gradient_frames_its_results() -> None:
    @tf.custom_gradient
    def clipped(x, y):
        return (x * y, x), lambda dxy, dx: (dxy * 2.0, dx * 3.0)

    a, b = tf.constant(2.0), tf.constant(3.0)
    product, same = clipped(a, b)
    assert product.op.type == "IdentityN" and product.op is same.op
    ga, gb = tf.gradients([product, same], [a, b])
    assert ga.op.type == "Mul" and gb.op.type == "Mul"


def test_what_a_loop_only_looks_at_has_no_gradient() -> None:
    """As outside of loops: no slots are made for it, and none gives an error where all are such."""
    with tf.Graph().as_default(), tf.Session() as session:
        v, w = (tf.get_variable(name, initializer=[1.0, 3.0, 2.0]) for name in "vw")
        for looked_at in (tf.stop_gradient, tf.round, lambda x: tf.one_hot(tf.argmax(x), 3)):

            def body(i, y, look=looked_at):
                return i + 1, y * w + look(v)

            def inner(i, y, step=body):
                return i + 1, tf.while_loop(lambda k, _: k < 2, step, (0, y))[1]

            for outer in (body, inner):
                _, y = tf.while_loop(lambda i, _: i < 3, outer, (0, tf.ones([3])))
                none, found = tf.gradients(y, [v, w])
                assert none is None and found is not None
        session.run(tf.global_variables_initializer())
        assert np.isfinite(session.run(found)).all()
        with pytest.raises(ValueError, match="No gradients provided for any variable"):
            tf.train.AdamOptimizer().minimize(
                tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.round(v)), (0, w))[1],
                var_list=[v],
            )
