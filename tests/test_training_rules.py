"""What optimizers check and do besides their formulas: constraints, tensors in `var_list`, the
shapes of gradients; and what a Saver, the global step and variables say of themselves."""

import numpy as np
import pytest

import tfc as tf

OPTIMIZERS = [
    lambda: tf.train.GradientDescentOptimizer(0.1),
    lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    lambda: tf.train.AdamOptimizer(0.1),
    lambda: tf.train.RMSPropOptimizer(0.1, centered=True),
    lambda: tf.train.AdagradOptimizer(0.1),
    lambda: tf.train.AdadeltaOptimizer(0.1),
    lambda: tf.train.FtrlOptimizer(0.1),
]


def _run(*fetches, feed=None, before=()):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for op in before:
            session.run(op)
        return session.run(list(fetches), feed)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_constraint_is_applied_after_the_update(make):
    with tf.Graph().as_default():
        free = tf.Variable([1.0, -5.0], name="free")
        bound = tf.Variable(
            [1.0, -5.0], constraint=lambda x: tf.clip_by_value(x, -1.0, 0.5), name="bound"
        )
        step = make().minimize(tf.reduce_sum(free * free) + tf.reduce_sum(bound * bound))
        x, y = _run(free, bound, before=[step])
    np.testing.assert_array_equal(y, np.clip(x, -1.0, 0.5))


def test_constraint_of_a_variable_whose_rows_are_updated():
    with tf.Graph().as_default():
        v = tf.Variable([[1.0], [2.0]], constraint=lambda x: x)
        with pytest.raises(RuntimeError, match="Cannot use a constraint function on a sparse"):
            tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(tf.gather(v, [0])))


def test_gradients_of_tensors_in_var_list():
    with tf.Graph().as_default():
        x, v = tf.placeholder(tf.float32, [2]), tf.Variable([1.0, 2.0])
        optimizer = tf.train.GradientDescentOptimizer(0.1)
        pairs = optimizer.compute_gradients(tf.reduce_sum(x * x * v), [x, v])
        assert pairs[0][1] is x
        dx, dv = _run(*[g for g, _ in pairs], feed={x: [1.0, 2.0]})
        np.testing.assert_array_equal(dx, [2.0, 8.0])
        np.testing.assert_array_equal(dv, [1.0, 4.0])
        with pytest.raises(NotImplementedError, match="Trying to update a Tensor"):
            optimizer.apply_gradients(pairs)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_gradient_of_another_shape(make):
    with tf.Graph().as_default():
        v = tf.Variable([1.0, 2.0])
        with pytest.raises(ValueError, match="Dimension 0 in both shapes must be equal, but are 2"):
            make().apply_gradients([(tf.constant([1.0, 2.0, 3.0]), v)])
        rows = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([0, 1]), tf.constant([4, 2]))
        w = tf.Variable(np.zeros((4, 2), np.float32))
        with pytest.raises(ValueError, match="must be equal"):
            make().apply_gradients([(rows, w)])


def test_learning_rate_is_a_scalar():
    with tf.Graph().as_default():
        v = tf.Variable(1.0)
        with pytest.raises(ValueError, match="Shape must be rank 0 but is rank 1"):
            tf.train.GradientDescentOptimizer([0.1, 0.2]).minimize(v * v)


def test_one_variable_twice_in_a_saver():
    with tf.Graph().as_default():
        v = tf.Variable(1.0)
        with pytest.raises(ValueError, match="At least two variables have the same name: Variable"):
            tf.train.Saver([v, v])


def test_global_step_that_is_no_tensor():
    with tf.Graph().as_default():
        tf.add_to_collection(tf.GraphKeys.GLOBAL_STEP, 3)
        with pytest.raises(TypeError, match="must be a Variable or Tensor: 3"):
            tf.train.get_global_step()


def test_target_of_a_session():
    with pytest.raises(TypeError, match="target must be a string"):
        tf.Session(target=3)


# ---- variables


def test_modes_of_a_variable():
    with tf.Graph().as_default():
        v = tf.Variable(1.0)
        assert v.synchronization is tf.VariableSynchronization.AUTO
        assert v.aggregation is tf.VariableAggregation.NONE
        w = tf.get_variable(
            "w", [2], synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )  # fmt: skip
        assert w.aggregation is tf.VariableAggregation.SUM
        assert not w.trainable and tf.trainable_variables() == [v]
        for what in ("synchronization", "aggregation"):
            with pytest.raises(ValueError, match=f"Invalid variable {what} mode: x"):
                tf.get_variable("u", [2], **{what: "x"})


def test_custom_getter_is_told_of_the_modes():
    seen = {}

    def getter(getter, name, *args, **kwargs):
        seen.update(kwargs)
        return getter(name, *args, **kwargs)

    with tf.Graph().as_default(), tf.variable_scope("s", custom_getter=getter):
        tf.get_variable("v", [1])
    assert {"synchronization", "aggregation", "constraint", "use_resource"} <= set(seen)


def test_declared_shape_where_shapes_are_not_validated():
    with tf.Graph().as_default():
        v = tf.get_variable("v", [2], initializer=tf.ones_initializer(), validate_shape=False)
        assert v.get_shape().as_list() == [2]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("scatter_mul", [4.0, 2.0, 15.0]),
        ("scatter_div", [0.25, 2.0, 0.6]),
        ("scatter_max", [4.0, 2.0, 5.0]),
        ("scatter_min", [1.0, 2.0, 3.0]),
    ],
)
def test_scatter_methods(method, expected):
    with tf.Graph().as_default():
        v = tf.Variable([1.0, 2.0, 3.0])
        delta = tf.IndexedSlices(tf.constant([4.0, 5.0]), tf.constant([0, 2]))
        result, after = _run(getattr(v, method)(delta), v)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_a_resource_variable_is_read_where_it_is_used():
    with tf.Graph().as_default():
        v = tf.Variable([1.0, 2.0], use_resource=True)
        with tf.control_dependencies([v.assign([5.0, 6.0])]):
            after = tf.identity(v) + v
        (result,) = _run(after)
    np.testing.assert_array_equal(result, [10.0, 12.0])


def test_assigning_to_what_is_no_variable():
    with tf.Graph().as_default():
        for update in (tf.assign, tf.assign_add, tf.assign_sub):
            with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'assign'"):
                update(tf.constant(1.0), 2.0)


def test_count_up_to_takes_a_scalar():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="must be rank 0 but is rank 1"):
        tf.count_up_to(tf.Variable([1]), 3)


@pytest.mark.parametrize(
    ("initializer", "config"),
    [
        (lambda: tf.constant_initializer(2), {"value": 2, "dtype": "float32"}),
        (lambda: tf.glorot_uniform_initializer(seed=1), {"seed": 1, "dtype": "float32"}),
        (lambda: tf.glorot_normal_initializer(seed=1), {"seed": 1, "dtype": "float32"}),
    ],
)
def test_configurations_of_initializers(initializer, config):
    one = initializer()
    assert one.get_config() == config
    with tf.Graph().as_default(), tf.Session() as session:
        other = type(one).from_config(config)
        a, b = session.run([one([2, 3]), other([2, 3])])
    np.testing.assert_array_equal(a, b)


def test_distribution_is_kept_as_it_was_named():
    made = tf.variance_scaling_initializer(2.0, "fan_out", "normal", seed=1)
    assert made.get_config()["distribution"] == "normal"
    same = tf.variance_scaling_initializer(2.0, "fan_out", "truncated_normal", seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = session.run([made([3, 3]), same([3, 3])])
    np.testing.assert_array_equal(a, b)


def test_slots_are_named_under_the_variable_scope():
    with tf.Graph().as_default():
        with tf.variable_scope("net"):
            w = tf.get_variable("w", [2], initializer=tf.ones_initializer())
        with tf.variable_scope("opt"):
            optimizer = tf.train.AdamOptimizer(0.1)
            optimizer.minimize(tf.reduce_sum(w * w))
            averages = tf.train.ExponentialMovingAverage(0.9)
            averages.apply([w])
        with tf.name_scope("ns"):
            tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(w * w))
        names = [v.op.name for v in tf.global_variables()]
        assert names == [
            "net/w", "opt/beta1_power", "opt/beta2_power", "opt/net/w/Adam", "opt/net/w/Adam_1",
            "opt/net/w/ExponentialMovingAverage", "net/w/Momentum",
        ]  # fmt: skip
        assert averages.average_name(w) == "opt/net/w/ExponentialMovingAverage"
        assert optimizer.get_slot(w, "v").op.name == "opt/net/w/Adam_1"


def test_slots_in_a_scope_that_only_reuses():
    with tf.Graph().as_default():
        v = tf.Variable([1.0, 2.0], name="v")
        reusing = tf.variable_scope(tf.get_variable_scope(), reuse=True)
        with reusing, pytest.raises(ValueError, match="Variable v/Adam/ does not exist"):
            tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(v * v))
        with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
            step = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(v * v))
        (after,) = _run(v, before=[step])
    np.testing.assert_allclose(after, [0.9, 1.9], rtol=1e-5)
