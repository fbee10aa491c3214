"""What TensorFlow 1.15 says of variables, their messages, templates and what takes them."""

import numpy as np
import pytest

import tfc as tf
from tfc.io.meta_graph import variable_to_proto


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def run(fetches, feeds=None):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feeds)


def test_who_takes_a_reference_lives_with_the_variable() -> None:
    with tf.device("/job:ps"):
        v = tf.Variable([1.0, 2.0], name="v")
    with tf.device("/job:worker"):
        changes = [tf.assign(v, [3.0, 4.0]), tf.scatter_add(v, [0], [1.0])]
        read = tf.identity(v)
    for change in changes:
        assert change.op.colocation_groups() == [b"loc:@v"] and change.device == "/job:ps"
    assert read.op.colocation_groups() == [b"loc:@" + read.op.name.encode()]
    assert read.device == "/job:worker"


def test_container_of_stateful_ops() -> None:
    with tf.container("box"):
        v, queue = tf.Variable(1.0), tf.FIFOQueue(2, tf.float32)
    assert v.op.get_attr("container") == b"box"
    assert queue.queue_ref.op.get_attr("container") == b"box"
    assert tf.Variable(1.0).op.get_attr("container") == b""


def test_synchronized_when_read_is_not_trained() -> None:
    mode = tf.VariableSynchronization.ON_READ
    assert tf.Variable(1.0).trainable
    assert not tf.Variable(1.0, synchronization=mode).trainable
    assert tf.Variable(1.0, synchronization=mode, trainable=True).trainable


def test_initial_value_from_inside_a_loop() -> None:
    def body(i):
        tf.Variable(tf.zeros([2]) + 1.0)
        return i + 1

    with pytest.raises(ValueError, match="inside a control-flow construct"):
        tf.while_loop(lambda i: i < 2, body, [0])


def test_message_of_a_variable_keeps_modes_and_part() -> None:
    v = tf.Variable(
        [1.0],
        synchronization=tf.VariableSynchronization.NONE,
        aggregation=tf.VariableAggregation.SUM,
    )
    v._set_save_slice_info(tf.Variable.SaveSliceInfo("whole", [2], [1], [1]))
    proto = variable_to_proto(v)
    again = tf.Variable(variable_def=proto)
    assert again.synchronization == tf.VariableSynchronization.NONE
    assert again.aggregation == tf.VariableAggregation.SUM
    assert again._get_save_slice_info().spec == "2 1,1"
    assert variable_to_proto(again) == proto
    proto.ClearField("initial_value_name")
    old = tf.Variable(variable_def=proto)
    assert variable_to_proto(old) == proto
    with pytest.raises(ValueError):
        old.initialized_value()


def test_parts_must_say_what_they_are_part_of() -> None:
    from tfc.framework.partitioned import PartitionedVariable

    v = tf.Variable([0])
    with pytest.raises(ValueError, match="must have a save_slice_info"):
        PartitionedVariable("w", [1], tf.int32, [v], [1])
    v._set_save_slice_info(tf.Variable.SaveSliceInfo("w", [2], [0], [1]))
    with pytest.raises(ValueError, match="full shapes must match"):
        PartitionedVariable("w", [3], tf.int32, [v], [1])


def test_parts_of_a_tensor_have_its_dtype() -> None:
    whole = tf.constant([[1, 2, 3, 4], [5, 6, 7, 8]])
    parts = list(tf.create_partitioned_variables([2, 4], [1, 2], whole))
    assert [v.dtype.base_dtype for v in parts] == [tf.int32] * 2
    np.testing.assert_array_equal(run(tf.concat(parts, 1)), np.arange(1, 9).reshape(2, 4))


def test_a_variable_in_parts_is_an_input_like_another() -> None:
    with tf.variable_scope("s", partitioner=tf.fixed_size_partitioner(2)):
        v = tf.get_variable("v", [3], initializer=tf.ones_initializer())
    np.testing.assert_array_equal(run(tf.identity(v)), np.ones(3))
    np.testing.assert_array_equal(run(tf.identity_n([v])[0]), np.ones(3))


def test_given_dtype_is_that_of_the_initial_value() -> None:
    with pytest.raises(ValueError, match="Initializer type .* and explicit dtype .* don't match"):
        tf.get_variable("v", dtype=tf.float64, initializer=tf.constant(1))
    with pytest.raises(ValueError, match="don't match"):
        tf.get_variable("v", dtype=tf.float32, initializer=[1, 2])
    with tf.variable_scope("s", initializer=tf.constant(1)):  # the scope's gives way
        assert tf.get_variable("v", dtype=tf.float32).dtype.base_dtype == tf.int32
    with pytest.raises(ValueError, match="The initializer passed is not valid"):
        tf.get_variable("w", initializer=lambda shape: [2.0])


def test_template_checks_what_later_calls_make() -> None:
    def body(make):
        w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
        tf.get_local_variable("seen", [], initializer=tf.zeros_initializer())
        return tf.Variable(1.0) if make else w

    layer = tf.make_template("layer", body)
    assert layer.variables == [] and layer.variable_scope_name is None
    layer(False)
    assert layer.variable_scope_name == "layer/" and layer.var_scope.name == "layer"
    assert [v.name for v in layer.variables] == ["layer/w:0", "layer/seen:0"]
    assert [v.name for v in layer.trainable_weights] == ["layer/w:0"]
    assert layer.non_trainable_variables == []
    with pytest.raises(
        ValueError, match="(?s)after the first time.*originally defined at"
    ) as error:
        layer(True)
    assert "test_variable_rules.py" in str(error.value)
    with pytest.raises(ValueError, match="name cannot be None"):
        tf.make_template(None, body)


def test_step_down_a_loss_that_is_a_function() -> None:
    v, other = tf.Variable([1.0, 2.0]), tf.Variable(5.0)
    optimizer = tf.train.GradientDescentOptimizer(0.5)
    step = optimizer.minimize(lambda: tf.reduce_sum(v * v))
    pairs = optimizer.compute_gradients(lambda: 3.0 * v, var_list=[v, other])
    assert pairs[1] == (None, other)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        np.testing.assert_array_equal(sess.run(v), [0.0, 0.0])
        np.testing.assert_array_equal(sess.run(pairs[0][0]), [3.0, 3.0])
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.minimize(lambda: tf.constant(1.0))


def test_nothing_flows_to_variables_that_are_passed_through() -> None:
    x, v = tf.constant(3.0), tf.Variable(4.0)
    y = tf.grad_pass_through(lambda a: a * a * v)(x)
    assert run([y, *tf.gradients(y, x)]) == [36.0, 1.0]
    assert tf.gradients(y, v) == [None]


def test_softmax_along_an_axis_of_the_run() -> None:
    x = np.random.RandomState(0).randn(2, 3, 4)
    axis = tf.placeholder(tf.int32, [])
    soft, log = tf.nn.softmax(tf.constant(x), axis=axis), tf.nn.log_softmax(tf.constant(x), axis)
    assert soft.shape == [2, 3, 4]
    for i in range(-3, 3):
        expected = np.exp(x) / np.exp(x).sum(i, keepdims=True)
        got = run([soft, log], {axis: i})
        np.testing.assert_allclose(got[0], expected, rtol=1e-12)
        np.testing.assert_allclose(got[1], np.log(expected), rtol=1e-12)
    for i in (3, -4, 100):
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(soft, {axis: i})


def test_normalisation_of_halves_with_statistics_of_floats() -> None:
    x = np.array([[1.0, 2.0], [3.0, 6.0]], np.float16)
    mean, variance = np.float32([2.0, 4.0]), np.float32([1.0, 4.0])
    for offset in (None, np.float32([0.5, 1.0])):
        y = tf.nn.batch_normalization(x, mean, variance, offset, np.float32([2.0, 1.0]), 0.0)
        assert y.dtype == tf.float16
        expected = np.array([[-2.0, -1.0], [2.0, 1.0]]) + (0 if offset is None else offset)
        np.testing.assert_allclose(run(y), expected, rtol=1e-2)


def test_functions_of_python_are_given_scalars() -> None:
    given = []
    inputs = [tf.constant(7), tf.constant("a"), tf.constant(2.5), tf.constant([1])]
    table = {7: 49}

    def function(key, text, number, row):
        given.extend(type(x) for x in (key, text, number, row))
        return np.int64(table[key])

    assert run(tf.py_func(function, inputs, tf.int64)) == 49
    assert given == [np.int32, bytes, np.float32, np.ndarray]


def test_messages_of_crossentropies() -> None:
    with pytest.raises(ValueError, match="broadcasted with rank 2, but is rank 3"):
        tf.raw_ops.SoftmaxCrossEntropyWithLogits(
            features=np.ones((2, 1, 4)), labels=np.ones((2, 1, 4))
        )
    labels = tf.placeholder(tf.int32)
    op = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=[[1.0]], labels=labels)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be 1-D"):
        run(op[0], {labels: 0})


def test_values_that_do_not_fit() -> None:
    assert run(tf.constant(1.0, shape=[0, 3])).shape == (0, 3)
    assert run(tf.constant([1.0, 2.0], shape=[3, 0])).shape == (3, 0)
    with pytest.raises(ValueError, match="Too many elements"):
        tf.constant([1.0, 2.0], shape=[1])
    with pytest.raises(ValueError):
        tf.clip_by_norm(tf.zeros([2, 3, 1]), tf.constant([1.0, 2.0]))
    with pytest.raises(ValueError):
        tf.random_normal_initializer(dtype=tf.string)
    with pytest.raises(ValueError):
        x = tf.placeholder(tf.float32, [2])
        tf.hessians(x, x)


def test_the_error_names_the_variable_as_it_was_asked_for():
    tf.Variable(2, name="scalar")
    second = tf.get_variable("scalar", initializer=3)
    assert second.op.name == "scalar_1"
    with pytest.raises(ValueError, match="Variable scalar already exists, disallowed"):
        tf.get_variable("scalar", initializer=3)
