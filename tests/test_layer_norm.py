"""tf.layers: batch normalization, dropout, flatten, dense as functions, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def normalized(x, mean, variance, gamma=1.0, beta=0.0, epsilon=1e-3):
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def updates():
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


@settings(max_examples=10)
@given(
    st.lists(st.integers(2, 4), min_size=2, max_size=5),
    st.data(),
    st.sampled_from(["yes", "no", "fed"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_batch_normalization(shape, data, training, fused, seed):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    draw = np.random.RandomState(seed)
    x = draw.randn(*shape).astype(np.float32)
    gamma, beta, mean, variance = draw.rand(4, shape[axis]).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        known = [None] * len(shape)
        known[axis] = shape[axis]
        inputs, flag = tf.placeholder(tf.float32, known), tf.placeholder(tf.bool, [])
        outputs = tf.layers.batch_normalization(
            inputs,
            axis,
            0.75,
            gamma_initializer=tf.constant_initializer(gamma),
            beta_initializer=tf.constant_initializer(beta),
            moving_mean_initializer=tf.constant_initializer(mean),
            moving_variance_initializer=tf.constant_initializer(variance),
            training={"yes": True, "no": False, "fed": flag}[training],
            fused=fused or None,
        )
        assert len(updates()) == (0 if training == "no" else 2)
        assert outputs.get_shape().as_list() == known
        session.run(tf.global_variables_initializer())
        results = []
        for value in (True, False):
            feeds = {inputs: x, flag: value}
            results.append(session.run(outputs, feeds))
            session.run(updates(), feeds)
            results.append(session.run(tf.global_variables()[2:]))
    along = [1] * len(shape)
    along[axis] = -1
    g, b, m, v = (a.reshape(along) for a in (gamma, beta, mean, variance))
    axes = tuple(i for i in range(len(shape)) if i != axis % len(shape))
    of_batch = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    still = normalized(x, m, v, g, b)
    live = normalized(x, *of_batch, g, b)
    np.testing.assert_allclose(results[0], still if training == "no" else live, atol=2e-4)
    if training != "no":
        count = x.size / shape[axis]
        by_op = len(shape) == 4 and axis % 4 in (1, 3)
        unbiased = of_batch[1] * (count / (count - 1) if by_op else 1.0)
        m, v = m * 0.75 + of_batch[0] * 0.25, v * 0.75 + unbiased * 0.25
    for found, expected in zip(results[1], (m, v), strict=True):
        np.testing.assert_allclose(found, expected.ravel(), rtol=1e-4, atol=1e-5)
    if training == "fed":
        np.testing.assert_allclose(results[2], normalized(x, m, v, g, b), atol=5e-4)
        for found, before in zip(results[3], results[1], strict=True):
            np.testing.assert_array_equal(found, before)


def test_updates_are_ops_of_each_call(session):
    layer = tf.layers.BatchNormalization(name="bn")
    x = tf.placeholder(tf.float32, [2, 3])
    layer(x, training=np.bool_(True))
    layer(tf.ones([2, 3]), training=1)
    layer(x, training=None)
    assert [op.name for op in updates()] == [
        "bn/AssignMovingAvg",
        "bn/AssignMovingAvg_1",
        "bn/AssignMovingAvg_2",
        "bn/AssignMovingAvg_3",
    ]
    assert layer.updates == updates() and len(layer.get_updates_for(x)) == 2
    assert len(tf.global_variables()) == 4


def test_several_axes_and_no_scale(session):
    x = np.random.RandomState(0).randn(2, 3, 4, 2).astype(np.float32)
    y = tf.layers.batch_normalization(x, [1, 3], scale=False, center=False, training=True)
    session.run(tf.global_variables_initializer())
    mean, variance = x.mean((0, 2), keepdims=True), x.var((0, 2), keepdims=True)
    np.testing.assert_allclose(session.run(y), normalized(x, mean, variance), atol=1e-5)
    names = ["batch_normalization/moving_mean", "batch_normalization/moving_variance"]
    assert [v.op.name for v in tf.global_variables()] == names
    assert tf.global_variables()[0].get_shape().as_list() == [1, 3, 1, 2]
    assert tf.trainable_variables() == []


def test_virtual_batches(session):
    x = np.random.RandomState(1).randn(6, 3).astype(np.float32)
    inputs = tf.placeholder(tf.float32, [None, 3])
    y = tf.layers.batch_normalization(inputs, training=True, virtual_batch_size=2, momentum=0.5)
    session.run(tf.global_variables_initializer())
    parts = x.reshape(2, 3, 3)  # places in a virtual batch, virtual batches, channels
    mean, variance = parts.mean(0, keepdims=True), parts.var(0, keepdims=True)
    expected = normalized(parts, mean, variance).reshape(6, 3)
    found, *_ = session.run([y, *updates()], {inputs: x})
    np.testing.assert_allclose(found, expected, atol=1e-4)
    moving = session.run(tf.global_variables()[2])
    np.testing.assert_allclose(moving.ravel(), 0.5 * mean.mean(1).ravel(), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_renormalization(session, training):
    x = np.random.RandomState(2).randn(8, 3).astype(np.float32) * 2 + 1
    flag = tf.placeholder(tf.bool, [])
    bounds = {"rmax": 1.5, "rmin": 0.7, "dmax": 0.4}
    y = tf.layers.batch_normalization(
        x, training=flag, momentum=0.9, renorm=True, renorm_clipping=bounds, renorm_momentum=0.5
    )
    session.run(tf.global_variables_initializer())
    feeds = {flag: training}
    found = session.run(y, feeds)
    before = session.run(tf.global_variables())
    session.run(updates(), feeds)
    after = dict(
        zip([v.op.name for v in tf.global_variables()], session.run(tf.global_variables()),
            strict=True)
    )  # fmt: skip
    mean, variance = x.mean(0), x.var(0)
    if not training:
        np.testing.assert_allclose(found, normalized(x, 0, 1), atol=1e-5)
        for a, b in zip(before, after.values(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
        return
    stddev = np.sqrt(variance + 1e-3)
    r, d = np.clip(stddev, 0.7, 1.5), np.clip(mean, -0.4, 0.4)
    np.testing.assert_allclose(found, normalized(x, mean, variance) * r + d, atol=1e-4)
    name = "batch_normalization/"
    moving = 0.9 + 0.1 * stddev
    np.testing.assert_allclose(after[name + "moving_stddev"], moving, rtol=1e-5)
    np.testing.assert_allclose(after[name + "moving_variance"], moving**2 - 1e-3, rtol=1e-5)
    np.testing.assert_allclose(after[name + "renorm_mean"], mean * 0.5, rtol=1e-4, atol=1e-6)


def test_adjustment(session):
    x = np.random.RandomState(3).randn(4, 3).astype(np.float32)

    def adjustment(shape):
        return tf.fill([shape[0], 1], 2.0), tf.fill([shape[0], 1], 0.5)

    live = tf.layers.batch_normalization(x, training=True, adjustment=adjustment)
    still = tf.layers.batch_normalization(x, adjustment=adjustment)
    session.run(tf.global_variables_initializer())
    found = session.run([live, still])
    np.testing.assert_allclose(found[0], normalized(x, x.mean(0), x.var(0)) * 2 + 0.5, atol=1e-5)
    np.testing.assert_allclose(found[1], normalized(x, 0, 1), atol=1e-5)


@pytest.mark.parametrize("shape", [[4, 3], [2, 2, 2, 3]])
def test_half_precision_keeps_single_precision_variables(session, shape):
    x = np.random.RandomState(4).randn(*shape).astype(np.float16)
    y = tf.layers.batch_normalization(x, training=True)
    session.run(tf.global_variables_initializer())
    assert y.dtype == tf.float16 and {v.dtype.base_dtype for v in tf.global_variables()} == {
        tf.float32
    }
    axes = tuple(range(len(shape) - 1))
    wide = x.astype(np.float32)
    expected = normalized(wide, wide.mean(axes), wide.var(axes))
    np.testing.assert_allclose(session.run(y), expected, atol=1e-2)


@pytest.mark.parametrize("fused", [True, False])
def test_gradients(session, fused):
    draw = np.random.RandomState(5)
    x, w = draw.randn(2, 3, 2, 3).astype(np.float32), draw.randn(2, 3, 2, 3).astype(np.float32)
    inputs = tf.placeholder(tf.float32, x.shape)
    y = tf.layers.batch_normalization(inputs, training=True, fused=fused)
    loss = tf.reduce_sum(y * w)
    grads = tf.gradients(loss, [inputs, *tf.trainable_variables()])
    session.run(tf.global_variables_initializer())
    d_x, d_gamma, d_beta = session.run(grads, {inputs: x})
    axes = (0, 1, 2)
    plain = normalized(x, x.mean(axes), x.var(axes))
    np.testing.assert_allclose(d_gamma, (plain * w).sum(axes), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(d_beta, w.sum(axes), rtol=1e-4, atol=1e-5)
    wide, numeric = x.astype(np.float64), np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        sides = []
        for step in (1e-4, -1e-4):
            moved = wide.copy()
            moved[place] += step
            sides.append((normalized(moved, moved.mean(axes), moved.var(axes)) * w).sum())
        numeric[place] = (sides[0] - sides[1]) / 2e-4
    np.testing.assert_allclose(d_x, numeric, atol=2e-3)


def test_a_layer_that_is_not_trained_updates_nothing(session):
    layer = tf.layers.BatchNormalization(trainable=False, name="bn")
    layer(tf.zeros([2, 3]), training=True)
    assert updates() == layer.updates == tf.trainable_variables() == []
    assert [v.op.name for v in layer.weights] == [
        "bn/gamma",
        "bn/beta",
        "bn/moving_mean",
        "bn/moving_variance",
    ]


BN_ERRORS = [
    (lambda: tf.layers.batch_normalization(tf.zeros([2, 3]), 5), ValueError, "Invalid axis: 5"),
    (lambda: tf.layers.batch_normalization(tf.zeros([2, 3]), [1, 1]), ValueError, "Duplicate axis"),
    (lambda: tf.layers.batch_normalization(tf.zeros([2, 3]), "a"), TypeError, "axis must be int"),
    (
        lambda: tf.layers.batch_normalization(tf.placeholder(tf.float32)),
        ValueError,
        "undefined rank",
    ),
    (
        lambda: tf.layers.batch_normalization(tf.placeholder(tf.float32, [2, None])),
        ValueError,
        "undefined `axis` dimension",
    ),
    (
        lambda: tf.layers.BatchNormalization(renorm=True, renorm_clipping={"a": 1}),
        ValueError,
        "renorm_clipping",
    ),
    (
        lambda: tf.layers.batch_normalization(tf.zeros([2, 3]), virtual_batch_size=0),
        ValueError,
        "virtual_batch_size",
    ),
    (
        lambda: tf.layers.batch_normalization(tf.zeros([2, 3]), 0, virtual_batch_size=2),
        ValueError,
        "axis cannot include 0",
    ),
    (
        lambda: tf.layers.batch_normalization(
            tf.zeros([2, 3]), virtual_batch_size=2, adjustment=lambda s: s
        ),
        ValueError,
        "adjustment cannot be specified",
    ),
    (
        lambda: tf.layers.batch_normalization(tf.zeros([2, 3]), training="yes"),
        TypeError,
        "`pred` must be a Tensor",
    ),
]


@pytest.mark.parametrize("number", range(len(BN_ERRORS)))
def test_errors_of_batch_normalization(number):
    make, kind, message = BN_ERRORS[number]
    with pytest.raises(kind, match=message):
        make()


def test_dropout(session):
    x = np.ones([40, 50], np.float32)
    flag = tf.placeholder(tf.bool, [])
    live = tf.layers.dropout(x, 0.25, seed=1, training=True)
    fed = tf.layers.Dropout(0.5, noise_shape=[None, 1], seed=2)(tf.constant(x), training=flag)
    still = tf.layers.dropout(x)
    found = session.run([live, fed, still], {flag: True})
    values, counts = np.unique(found[0], return_counts=True)
    np.testing.assert_allclose(values, [0, 4 / 3], rtol=1e-6)
    assert abs(counts[0] / x.size - 0.25) < 0.03
    assert set(np.unique(found[1])) == {0.0, 2.0} and (found[1] == found[1][:, :1]).all()
    np.testing.assert_array_equal(found[2], x)
    np.testing.assert_array_equal(session.run(fed, {flag: False}), x)
    assert tf.layers.Dropout().compute_output_shape([2, 3]) == [2, 3]


@pytest.mark.parametrize(
    ("shape", "known", "wanted"),
    [
        ((2, 3, 4), [None, 3, 4], [None, 12]),
        ((2, 3, 4), [2, None, 4], [2, None]),
        ((2, 3, 4), [None, None, 4], [None, None]),
        ((3,), [None], [None, 1]),
        ((2, 3), [None, 3], [None, 3]),
    ],
)
def test_flatten(session, shape, known, wanted):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    inputs = tf.placeholder(tf.float32, known)
    y = tf.layers.flatten(inputs)
    assert y.get_shape().as_list() == wanted
    assert tf.layers.Flatten().compute_output_shape(known).as_list() == wanted
    np.testing.assert_array_equal(session.run(y, {inputs: x}), x.reshape(shape[0], -1))


def test_flatten_puts_channels_last(session):
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    y = tf.layers.flatten(x, data_format="channels_first")
    np.testing.assert_array_equal(session.run(y), x.transpose(0, 2, 3, 1).reshape(2, -1))
    with pytest.raises(ValueError, match="rank is undefined"):
        tf.layers.flatten(tf.placeholder(tf.float32))
    with pytest.raises(ValueError, match="min_ndim=1"):
        tf.layers.flatten(1.0)


def test_dense_as_a_function(session):
    x = np.random.RandomState(6).randn(4, 3).astype(np.float32)
    y = tf.layers.dense(x, 2, tf.nn.relu, kernel_initializer=tf.ones_initializer(), name="a")
    again = tf.layers.dense(x, 2, name="a", reuse=True)
    other = tf.layers.dense(x, 2, use_bias=False)
    names = [v.op.name for v in tf.trainable_variables()]
    assert names == ["a/kernel", "a/bias", "dense/kernel"]
    assert (y.op.name, again.op.name, other.op.name) == ("a/Relu", "a_1/BiasAdd", "dense/MatMul")
    session.run(tf.global_variables_initializer())
    total = np.repeat(x.sum(1, keepdims=True), 2, 1)
    found = session.run([y, again])
    np.testing.assert_allclose(found[0], np.maximum(total, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], total, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="already exists"):
        tf.layers.dense(x, 2, name="a")


def test_training_moves_the_averages(session):
    """The usual program: the step depends on the updates."""
    draw = np.random.RandomState(7)
    x = tf.placeholder(tf.float32, [None, 3])
    h = tf.layers.batch_normalization(tf.layers.dense(x, 4), training=True, momentum=0.5)
    loss = tf.losses.mean_squared_error(tf.ones([8, 1]), tf.layers.dense(h, 1))
    with tf.control_dependencies(updates()):
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    session.run(tf.global_variables_initializer())
    data = draw.randn(8, 3)
    losses = [session.run([step, loss], {x: data})[1] for _ in range(30)]
    assert losses[-1] < losses[0] / 5
    moving = next(v for v in tf.global_variables() if v.op.name.endswith("moving_mean"))
    kernel, bias = session.run(tf.trainable_variables()[:2])
    np.testing.assert_allclose(session.run(moving), data.mean(0) @ kernel + bias, atol=0.05)
