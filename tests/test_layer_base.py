"""tf.layers.Layer and Dense: scopes and names, building once, variables, losses, input specs."""

import copy

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


class Scale(tf.layers.Layer):
    """Inputs times a variable, plus one that is not trained."""

    def build(self, input_shape):
        self.w = self.add_weight("w", [input_shape[-1]], initializer=tf.ones_initializer())
        self.b = self.add_variable(
            "b", [], initializer=tf.zeros_initializer(), trainable=False, dtype=tf.float32
        )
        self.built = True

    def call(self, inputs, factor=1.0):
        return inputs * self.w * factor + self.b


def test_a_layer_is_built_once_and_shared(session):
    layer = Scale(name="scale")
    x = tf.placeholder(tf.float32, [None, 3])
    assert not layer.built and layer.dtype is None
    with pytest.raises(ValueError, match="No name available for layer scope"):
        _ = layer.scope_name
    y, z = layer(x), layer.apply(x, factor=2.0)
    assert layer.built and layer.dtype == "float32" and layer.scope_name == "scale"
    assert layer.name == "scale" and [v.name for v in layer.weights] == ["scale/w:0", "scale/b:0"]
    assert layer.trainable_variables == [layer.w] == layer.trainable_weights
    assert layer.non_trainable_variables == [layer.b] and layer.variables == layer.weights
    assert tf.trainable_variables() == [layer.w] and layer.count_params() == 4
    session.run(tf.global_variables_initializer())
    session.run(layer.w.assign([1.0, 2.0, 3.0]))
    values = session.run([y, z], {x: [[1.0, 1.0, 1.0]]})
    np.testing.assert_array_equal(values, [[[1, 2, 3]], [[2, 4, 6]]])
    assert (y.op.name, z.op.name) == ("scale/add", "scale/add_1")


def test_names_are_made_unique():
    x = tf.ones([2, 3])
    first, second, third = Scale(), Scale(), Scale(name="scale")
    assert (first.name, second.name, third.name) == ("scale_1", "scale_2", "scale")
    for layer in (second, first, third):
        layer(x)
    assert [v.name for v in tf.trainable_variables()] == ["scale/w:0", "scale_1/w:0", "scale_2/w:0"]
    with tf.variable_scope("outer"):
        Scale()(x)
        Scale(name="own")(x)
    names = [v.name for v in tf.trainable_variables()[3:]]
    assert names == ["outer/scale/w:0", "outer/own/w:0"]
    inner = Scale(name="given")
    with tf.variable_scope("place") as scope:
        pass
    inner(x, scope=scope)
    assert inner.w.name == "place/w:0"


def test_reuse():
    x = tf.ones([2, 3])
    first = Scale(name="s")
    first(x)
    again = Scale(name="s", _reuse=True)
    again(x)
    assert again.w is first.w and len(tf.trainable_variables()) == 1
    with tf.variable_scope("s") as scope:
        pass
    with pytest.raises(ValueError, match="Variable s/w already exists, disallowed"):
        Scale(_scope=scope)(x)
    assert Scale(_scope=scope, _reuse=True).apply(x).shape == [2, 3]
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE):
        Scale(name="t")(x)
    with tf.variable_scope("a", reuse=True):
        Scale(name="t", _reuse=True)(x)
    assert len(tf.trainable_variables()) == 2
    with pytest.raises(ValueError, match="does not exist"), tf.variable_scope("b", reuse=True):
        Scale(name="t", _reuse=True)(x)


def test_a_layer_that_is_not_trained():
    layer = Scale(trainable=False)
    layer(tf.ones([2, 3]))
    assert tf.trainable_variables() == [] == layer.trainable_weights
    assert layer.non_trainable_weights == [layer.w, layer.b]
    later = Scale()
    later(tf.ones([2, 3]))
    later.trainable = False
    assert later.trainable_weights == [] and later.non_trainable_weights == [later.w, later.b]


def test_losses_and_updates(session):
    def half(w):
        return 0.5 * tf.reduce_sum(w)

    class Counting(tf.layers.Layer):
        def build(self, input_shape):
            self.n = self.add_weight(
                "n", [2], regularizer=half, initializer=tf.ones_initializer(), trainable=True
            )

        def call(self, inputs):
            self.add_update(tf.assign_add(self.n, [1.0, 1.0]))
            self.add_loss(tf.reduce_sum(inputs), inputs=inputs)
            return inputs

    layer = Counting(activity_regularizer=lambda x: tf.reduce_sum(x * x))
    x, other = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant(1.0)
    layer(x)
    assert len(layer.losses) == 3 and layer.losses == tf.get_collection("regularization_losses")
    assert layer.updates == tf.get_collection(tf.GraphKeys.UPDATE_OPS) and len(layer.updates) == 1
    assert layer.get_losses_for(None) == layer.losses[:1]
    assert layer.get_losses_for(x) == layer.losses[1:]
    assert layer.get_losses_for(other) == [] == layer.get_updates_for(x)
    assert layer.get_updates_for(None) == layer.updates
    session.run(tf.global_variables_initializer())
    assert session.run(layer.losses) == [1.0, 10.0, 15.0]
    layer(x)
    assert len(layer.losses) == 5  # the regularizer's once, the others' once a call
    layer.trainable = False
    assert layer.updates == []


def test_input_specs():
    spec = tf.layers.InputSpec
    layer = Scale(name="s")
    layer.input_spec = spec(ndim=2, axes={-1: 3})
    with pytest.raises(ValueError, match="Input 0 of layer s is incompatible .*expected ndim=2, f"):
        layer(tf.ones([3]))
    with pytest.raises(ValueError, match="axis -1 of input shape to have value 3 but received"):
        layer(tf.ones([2, 4]))
    with pytest.raises(ValueError, match="its rank is undefined"):
        layer(tf.placeholder(tf.float32))
    with pytest.raises(ValueError, match="expects 1 inputs, but it received 2"):
        layer([tf.ones([2, 3]), tf.ones([2, 3])])
    for wrong, message in (
        (spec(min_ndim=3), "min_ndim=3, found ndim=2"),
        (spec(max_ndim=1), "max_ndim=1, found ndim=2"),
        (spec(dtype=tf.int32), "expected dtype=int32, found dtype=float32"),
        (spec(shape=[2, 4]), r"expected shape=\(2, 4\), found shape=\[2, 3\]"),
    ):
        layer.input_spec = wrong
        with pytest.raises(ValueError, match=message):
            layer(tf.ones([2, 3]))
    layer.input_spec = spec(shape=[None, 3])
    assert layer(tf.ones([2, 3])).shape == [2, 3]
    assert repr(spec(ndim=2, dtype="float32")) == "InputSpec(dtype=float32, ndim=2)"
    with pytest.raises(ValueError, match="Axis 2 is greater"):
        spec(ndim=2, axes={2: 1})


def test_mistakes():
    with pytest.raises(TypeError, match="Keyword argument not understood"):
        Scale(width=3)

    class Forgets(tf.layers.Layer):
        def call(self, inputs):
            return None

    with pytest.raises(ValueError, match="should return a Tensor .* not None .layer: forgets_1"):
        Forgets()(tf.ones([1]))
    with pytest.raises(ValueError, match="ON_READ only for non-trainable"):
        Scale().add_weight(
            "w", [], trainable=True, synchronization=tf.VariableSynchronization.ON_READ
        )
    with pytest.raises(ValueError, match="`count_params` .* isn't built"):
        Scale().count_params()
    assert tf.layers.Layer(name="id")(np.ones([2], np.float32)).shape == [2]
    with pytest.raises(NotImplementedError, match="does not say what shape"):
        Scale().compute_output_shape([2, 3])


def test_layers_inside_layers_and_copies():
    class Two(tf.layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [Scale(name="one"), Scale(name="two")]

        def call(self, inputs):
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    layer = Two()
    layer(tf.ones([2, 3]))
    names = [v.name for v in layer.trainable_weights]
    assert names == ["two/one/w:0", "two/two/w:0"]
    assert [v.name for v in layer.non_trainable_weights] == ["two/one/b:0", "two/two/b:0"]
    fresh = Scale(name="f")
    other = copy.deepcopy(fresh)
    fresh(tf.ones([2, 3])), other(tf.ones([2, 3]))
    assert (fresh.w.name, other.w.name) == ("f/w:0", "f_1/w:0")
    shared = copy.deepcopy(fresh)
    shared(tf.ones([2, 3]))
    assert shared.w is fresh.w


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3), (2, 2, 2, 3)])
def test_dense(session, shape):
    layer = tf.layers.Dense(5, activation=tf.nn.relu)
    x = np.random.RandomState(1).randn(*shape).astype(np.float32)
    given = tf.placeholder(tf.float32, [None, *shape[1:]])
    y = layer(given)
    assert [v.name for v in layer.weights] == ["dense/kernel:0", "dense/bias:0"]
    assert y.shape.as_list() == [None, *shape[1:-1], 5]
    assert layer.compute_output_shape([None, *shape[1:]]).as_list() == [None, *shape[1:-1], 5]
    session.run(tf.global_variables_initializer())
    session.run(layer.bias.assign([0.1, -0.2, 0.3, 0.0, 1.0]))
    kernel, bias, value = session.run([layer.kernel, layer.bias, y], {given: x})
    np.testing.assert_allclose(value, np.maximum(x @ kernel + bias, 0), rtol=1e-5, atol=1e-6)


def test_dense_mistakes():
    with pytest.raises(ValueError, match="last dimension of the inputs to `Dense`"):
        tf.layers.Dense(2)(tf.placeholder(tf.float32, [3, None]))
    with pytest.raises(TypeError, match="Unable to build `Dense` layer with non-floating"):
        tf.layers.Dense(2)(tf.ones([2, 3], tf.int32))
    with pytest.raises(ValueError, match="min_ndim=2, found ndim=1"):
        tf.layers.Dense(2)(tf.ones([2]))
    with pytest.raises(ValueError, match="innermost dimension"):
        tf.layers.Dense(2).compute_output_shape([2, None])
    assert len(tf.layers.Dense(2, use_bias=False).apply(tf.ones([2, 3])).op.inputs) == 2
