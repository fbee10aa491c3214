"""Variable, get_variable, variable_scope: collections, sharing, refusals; no run is needed."""

from __future__ import annotations

import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
KEYS = tf.GraphKeys


def test_collections_of_variables() -> None:
    a = tf.Variable(1.0, name="a")
    b = tf.Variable(1.0, trainable=False, name="b")
    c = tf.Variable(1.0, collections=[KEYS.LOCAL_VARIABLES], name="c")
    d = tf.get_local_variable("d", [])
    assert tf.global_variables() == [a, b] and tf.all_variables() == [a, b]
    assert tf.trainable_variables() == [a, c] and tf.local_variables() == [c, d]
    assert tf.trainable_variables("a") == [a] and tf.trainable_variables("x") == []
    with pytest.raises(ValueError, match="must be a list, tuple, or set"):
        tf.Variable(1.0, collections="a")


def test_dtype_and_shape() -> None:
    assert tf.Variable(1).dtype == tf.int32._as_ref
    assert tf.Variable(1, dtype=tf.float64).initial_value.dtype == tf.float64
    v = tf.Variable(tf.placeholder(tf.float32), validate_shape=False)
    assert v.shape.ndims is None and v.get_shape() is v.shape
    with pytest.raises(ValueError, match="initial_value must have a shape specified"):
        tf.Variable(tf.placeholder(tf.float32))
    with pytest.raises(ValueError, match="initial_value must be specified"):
        tf.Variable()
    with pytest.raises(ValueError):
        tf.Variable([1.0], expected_shape=[2])


def test_variables_stand_where_tensors_do() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    for y, op in ((v + 1, "Add"), (2 * v, "Mul"), (-v, "Neg"), (v[0], "StridedSlice")):
        assert y.op.type == op and "v/read:0" in [t.name for t in y.op.inputs]
    assert tf.convert_to_tensor(v) is v.value()
    assert tf.identity(v).op.inputs[0] is v.value()
    assert v.assign([3.0, 4.0]).dtype.is_ref_dtype and v.assign(v).op.inputs[0].name == "v:0"
    assert v.assign_add(v, read_value=False).type == "AssignAdd"
    assert v.read_value().op.inputs[0].name == "v:0"
    assert v[1:].assign([9.0]).op.type == "StridedSliceAssign"
    with pytest.raises(ValueError, match="Incompatible type conversion"):
        tf.convert_to_tensor(v, dtype=tf.int32)
    with pytest.raises(AttributeError):
        tf.assign(tf.constant(1.0), 2.0)
    with pytest.raises(ValueError, match="Dimension 0 in both shapes must be equal, but are 2"):
        v.assign([1.0, 2.0, 3.0])


def test_initializers_ignore_control_dependencies() -> None:
    with tf.control_dependencies([tf.constant(1.0)]):
        v = tf.Variable(2.0)
    assert v.initializer.control_inputs == [] and v.op.control_inputs == []


def test_initial_values_that_read_variables_are_guarded() -> None:
    a = tf.Variable(2.0, name="a")
    b = tf.Variable(a * 3.0, name="b")
    value = b.initializer.inputs[1]
    assert value is not b.initial_value and value.op.type == "Mul"
    kinds, stack = set(), [value.op]
    while stack:
        op = stack.pop()
        kinds.add(op.type)
        stack.extend(t.op for t in op.inputs)
    assert "InitializedValue" in kinds
    c = tf.Variable(tf.zeros([2]) + 1.0)
    assert c.initializer.inputs[1] is c.initial_value


def test_sharing() -> None:
    with tf.variable_scope("foo") as scope:
        v = tf.get_variable("v", [1])
        with pytest.raises(ValueError, match="Variable foo/v already exists, disallowed"):
            tf.get_variable("v", [1])
        scope.reuse_variables()
        assert tf.get_variable("v", [1]) is v and scope.reuse is True
    with tf.variable_scope("foo", reuse=True):
        assert tf.get_variable("v") is v
        with pytest.raises(ValueError, match=r"but specified shape \(2,\) and found shape \(1,\)"):
            tf.get_variable("v", [2])
        with pytest.raises(ValueError, match="but specified dtype int32 and found dtype float32"):
            tf.get_variable("v", [1], tf.int32)
        with pytest.raises(ValueError, match="foo/w does not exist, or was not created with tf.g"):
            tf.get_variable("w", [1])
        with tf.variable_scope("inner"):
            assert tf.get_variable_scope().reuse is True
    with tf.variable_scope("foo", reuse=tf.AUTO_REUSE):
        assert tf.get_variable("v", [1]) is v
        assert tf.get_variable("new", [1]) is tf.get_variable("new", [1])


def test_scope_names_and_reentry() -> None:
    assert tf.get_variable_scope().name == "" and not tf.get_variable_scope().reuse
    with tf.variable_scope("a") as a:
        with tf.variable_scope("b"):
            assert tf.get_variable_scope().name == "a/b"
            assert tf.get_variable("v", [1]).name == "a/b/v:0"
        assert a.original_name_scope == "a/"
    with tf.variable_scope("other"), tf.variable_scope(a) as again:
        assert again.name == "a" and tf.get_variable("w", [1]).name == "a/w:0"
        assert tf.constant(1.0).op.name == "other/a/Const"
    with tf.variable_scope("a") as second:
        assert second.original_name_scope == "a_1/" and second.name == "a"
    with tf.variable_scope("a", auxiliary_name_scope=False):
        assert tf.constant(1.0).op.name == "Const"
    assert tf.get_variable_scope().name == ""


def test_default_names_are_unique() -> None:
    found = []
    for _ in range(3):
        with tf.variable_scope(None, "layer") as scope:
            found.append((scope.name, scope.original_name_scope))
    assert found == [("layer", "layer/"), ("layer_1", "layer_1/"), ("layer_2", "layer_2/")]
    for wrong, error in (
        (lambda: tf.variable_scope(None), TypeError),
        (lambda: tf.variable_scope(None, "d", reuse=True), ValueError),
        (lambda: tf.variable_scope("a", reuse=3), ValueError),
        (lambda: tf.variable_scope(3).__enter__(), TypeError),
    ):
        with pytest.raises(error):
            wrong()


def test_initializers_are_inherited() -> None:
    def kind(v):
        return v.initial_value.op.type, v.initial_value.op.name.rsplit("/", 1)[-1]

    with tf.variable_scope("foo", initializer=tf.constant_initializer(0.4)):
        with tf.variable_scope("bar"):
            assert kind(tf.get_variable("w", [2])) == ("Const", "Const")
        own = tf.get_variable("own", [2], initializer=tf.random_uniform_initializer())
        assert kind(own) == ("Add", "random_uniform")
    assert kind(tf.get_variable("default", [2, 3])) == ("Add", "random_uniform")
    assert kind(tf.get_variable("ints", [2], tf.int32)) == ("Const", "zeros")
    assert tf.get_variable("value", initializer=[1.0, 2.0]).shape == [2]
    assert tf.get_variable("cls", [2], initializer=tf.zeros_initializer).shape == [2]
    with pytest.raises(ValueError, match="If initializer is a constant, do not specify shape"):
        tf.get_variable("both", [2], initializer=tf.zeros([2]))
    with pytest.raises(ValueError, match=r"Shape of a new variable \(no\) must be fully defined"):
        tf.get_variable("no")
    with pytest.raises(ValueError, match=r"Shape of a new variable \(part\) must be fully defined"):
        tf.get_variable("part", [None])


def test_regularizers_make_losses() -> None:
    with tf.variable_scope("foo", regularizer=tf.nn.l2_loss):
        tf.get_variable("v", [2])
        tf.get_variable("free", [2], regularizer=tf.no_regularizer)
    (loss,) = tf.get_collection(KEYS.REGULARIZATION_LOSSES)
    assert loss.op.name == "foo/v/Regularizer/L2Loss"


def test_custom_getters_nest() -> None:
    def suffix(text):
        return lambda getter, name, *args, **kwargs: getter(name + text, *args, **kwargs)

    with tf.variable_scope("s", custom_getter=suffix("_x")):
        assert tf.get_variable("v", [1]).name == "s/v_x:0"
        with tf.variable_scope("t", custom_getter=suffix("_y")):
            assert tf.get_variable("v", [1]).name == "s/t/v_y_x:0"
    with pytest.raises(ValueError, match="not callable"):
        tf.get_variable("v", [1], custom_getter=3)


def test_templates_share() -> None:
    layer = tf.make_template("layer", lambda x: x * tf.get_variable("w", []))
    layer(tf.constant(1.0))
    layer(tf.constant(2.0))
    assert (
        [v.name for v in tf.global_variables()]
        == ["layer/w:0"]
        == [v.name for v in layer.variables]
    )
    other = tf.make_template("layer", lambda x: x * tf.get_variable("w", []))
    other(tf.constant(1.0))
    assert other.variable_scope_name == "layer_1/"


def test_seeds() -> None:
    assert tf.get_seed(None) == (None, None) and tf.get_seed(5) == (87654321, 5)
    tf.set_random_seed(1)
    assert tf.get_seed(None) == (1, 0) and tf.get_seed(None) == (1, 1)
    assert tf.get_seed(7) == (1, 7) and tf.get_seed(None) == (1, 2)
    tf.set_random_seed(0)
    assert tf.get_seed(0) == (0, 2**31 - 1)
