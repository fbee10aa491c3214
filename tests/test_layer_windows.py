"""tf.layers of convolutions and pooling against numpy: paddings, strides, layouts, names."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def padded(x, window, strides, gaps, padding, fill=0.0):
    """`x` [batch, …, channels] with what padding puts around it."""
    rank = len(window)
    around = [(0, 0)]
    for at in range(rank):
        reach = (window[at] - 1) * gaps[at]
        if padding == "same":
            count = -(-x.shape[at + 1] // strides[at])
            more = max((count - 1) * strides[at] + reach + 1 - x.shape[at + 1], 0)
            around.append((more // 2, more - more // 2))
        else:
            around.append((reach if padding == "causal" else 0, 0))
    return np.pad(x, [*around, (0, 0)], constant_values=fill)


def windows(x, window, strides, gaps, padding, fill=0.0):
    """(place, elements [batch, window …, channels]) for each place of the result, and its shape."""
    x = padded(x, window, strides, gaps, padding, fill)
    counts = [
        (n - (w - 1) * g - 1) // s + 1
        for n, w, s, g in zip(x.shape[1:-1], window, strides, gaps, strict=True)
    ]
    for place in itertools.product(*map(range, counts)):
        cut = tuple(
            slice(p * s, p * s + (w - 1) * g + 1, g)
            for p, s, w, g in zip(place, strides, window, gaps, strict=True)
        )
        yield place, counts, x[(slice(None), *cut)]


def convolved(x, kernel, strides, gaps, padding):
    rank = kernel.ndim - 2
    result = None
    for place, counts, part in windows(x, kernel.shape[:rank], strides, gaps, padding):
        if result is None:
            result = np.zeros([x.shape[0], *counts, kernel.shape[-1]])
        axes = list(range(rank + 1))
        result[(slice(None), *place)] = np.tensordot(part, kernel, ([a + 1 for a in axes], axes))
    return result


def pooled(x, size, strides, padding, kind):
    fill = -np.inf if kind == "max" else np.nan
    result = None
    for place, counts, part in windows(x, size, strides, [1] * len(size), padding, fill):
        if result is None:
            result = np.zeros([x.shape[0], *counts, x.shape[-1]])
        axes = tuple(range(1, part.ndim - 1))
        result[(slice(None), *place)] = part.max(axes) if kind == "max" else np.nanmean(part, axes)
    return result


@st.composite
def layers(draw):
    """(rank, extents, window, strides, gaps, padding, channels first?, extents known?, seed)."""
    rank = draw(st.integers(1, 3))
    numbers = lambda low, high: [draw(st.integers(low, high)) for _ in range(rank)]  # noqa: E731
    window = numbers(1, 3)
    if draw(st.booleans()):
        strides, gaps = numbers(1, 2), [1] * rank
    else:
        strides, gaps = [1] * rank, numbers(1, 2) if rank < 3 else [1] * rank
    padding = draw(st.sampled_from(["valid", "same", "causal"] if rank == 1 else ["valid", "SAME"]))
    extents = [draw(st.integers((w - 1) * g + 1, 6)) for w, g in zip(window, gaps, strict=True)]
    first, known = draw(st.booleans()), draw(st.booleans())
    return rank, extents, window, strides, gaps, padding, first, known, draw(st.integers(0, 1000))


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def placed(x, first, known):
    """(what is fed, the placeholder) for an array [batch, …, channels]."""
    x = channels_first(x) if first else x
    shape = list(x.shape)
    if not known:
        shape = [None] * x.ndim
        shape[1 if first else -1] = x.shape[1 if first else -1]
    return x, tf.placeholder(tf.float32, shape)


@settings(max_examples=14)
@given(layers())
def test_convolutions(case):
    rank, extents, window, strides, gaps, padding, first, known, seed = case
    draw = np.random.RandomState(seed)
    x = draw.randn(2, *extents, 2).astype(np.float32)
    kernel, bias = draw.randn(*window, 2, 3).astype(np.float32), draw.randn(3).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        fed, inputs = placed(x, first, known)
        layer = (tf.layers.Conv1D, tf.layers.Conv2D, tf.layers.Conv3D)[rank - 1](
            3,
            window,
            strides,
            padding,
            "channels_first" if first else "channels_last",
            gaps,
            activation=tf.nn.relu,
            kernel_initializer=tf.constant_initializer(kernel),
            bias_initializer=tf.constant_initializer(bias),
        )
        outputs = layer(inputs)
        session.run(tf.global_variables_initializer())
        found = session.run(outputs, {inputs: fed})
        shape = layer.compute_output_shape(fed.shape).as_list()
    expected = np.maximum(convolved(x, kernel, strides, gaps, padding.lower()) + bias, 0)
    expected = channels_first(expected) if first else expected
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert shape == list(found.shape)
    if known:
        assert outputs.get_shape().as_list() == shape


@settings(max_examples=10)
@given(layers(), st.integers(1, 2))
def test_separable_convolutions(case, multiplier):
    rank, extents, window, strides, gaps, padding, first, _, seed = case
    if rank == 3:
        return
    if rank == 2:
        strides = [strides[0]] * 2
    draw = np.random.RandomState(seed)
    x = draw.randn(2, *extents, 2).astype(np.float32)
    depthwise = draw.randn(*window, 2, multiplier).astype(np.float32)
    pointwise = draw.randn(*[1] * rank, 2 * multiplier, 3).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        fed, inputs = placed(x, first, True)
        function = (tf.layers.separable_conv1d, tf.layers.separable_conv2d)[rank - 1]
        outputs = function(
            inputs,
            3,
            window,
            strides,
            padding,
            "channels_first" if first else "channels_last",
            gaps,
            multiplier,
            activation=tf.nn.relu,
            depthwise_initializer=tf.constant_initializer(depthwise),
            pointwise_initializer=tf.constant_initializer(pointwise),
            bias_initializer=tf.constant_initializer(0.5),
        )
        session.run(tf.global_variables_initializer())
        found = session.run(outputs, {inputs: fed})
    parts = [
        convolved(x[..., c : c + 1], depthwise[..., c : c + 1, :], strides, gaps, padding.lower())
        for c in range(2)
    ]
    expected = np.concatenate(parts, -1) @ pointwise.reshape(2 * multiplier, 3) + 0.5
    expected = np.maximum(expected, 0)
    expected = channels_first(expected) if first else expected
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=12)
@given(layers(), st.sampled_from(["max", "average"]))
def test_pooling(case, kind):
    rank, extents, window, strides, _, padding, first, known, seed = case
    padding = "same" if padding == "causal" else padding
    x = np.random.RandomState(seed).randn(2, *extents, 2).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        fed, inputs = placed(x, first, known)
        layout = "channels_first" if first else "channels_last"
        function = getattr(tf.layers, f"{kind}_pooling{rank}d")
        outputs = function(inputs, window, strides, padding, layout)
        found = session.run(outputs, {inputs: fed})
        layer = getattr(tf.layers, f"{'Max' if kind == 'max' else 'Average'}Pooling{rank}D")
        shape = layer(window, strides, padding, layout).compute_output_shape(fed.shape)
    expected = pooled(x, window, strides, padding.lower(), kind)
    expected = channels_first(expected) if first else expected
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert shape.as_list() == list(found.shape)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("first", [False, True])
def test_transposed_convolutions(session, rank, padding, first):
    draw = np.random.RandomState(rank)
    x = draw.randn(2, *[3, 2, 2][:rank], 2).astype(np.float32)
    kernel = draw.randn(*[3, 1, 2][:rank], 3, 2).astype(np.float32)
    fed, inputs = placed(x, first, padding == "valid")
    kind = (tf.layers.Conv2DTranspose, tf.layers.Conv3DTranspose)[rank - 2]
    layer = kind(
        3,
        kernel.shape[:rank],
        2,
        padding,
        "channels_first" if first else "channels_last",
        kernel_initializer=tf.constant_initializer(kernel),
        bias_initializer=tf.constant_initializer(1.0),
    )
    outputs = layer(inputs)
    session.run(tf.global_variables_initializer())
    found = session.run(outputs, {inputs: fed})
    assert layer.compute_output_shape(fed.shape).as_list() == list(found.shape)
    # The transpose of the convolution: the sum of products with a convolution of anything.
    last = np.moveaxis(found, 1, -1) if first else found
    other = draw.randn(*last.shape)
    forward = convolved(other, kernel, [2] * rank, [1] * rank, padding)
    np.testing.assert_allclose(((last - 1) * other).sum(), (x * forward).sum(), rtol=1e-4)


def test_functions_name_and_share_their_variables(session):
    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    y = tf.layers.conv2d(x, 4, 3, activation=tf.nn.relu)
    y = tf.layers.max_pooling2d(y, 2, 2)
    z = tf.layers.conv2d(y, 4, 1, name="again", use_bias=False)
    z = tf.layers.conv2d(z, 4, 1, name="again", use_bias=False, reuse=True)
    tf.layers.separable_conv2d(z, 2, 1)
    tf.layers.conv2d_transpose(z, 2, 1)
    tf.layers.conv3d_transpose(tf.zeros([1, 2, 2, 2, 1]), 1, 1)
    tf.layers.conv1d(tf.zeros([1, 2, 1]), 1, 1)
    tf.layers.conv3d(tf.zeros([1, 2, 2, 2, 1]), 1, 1)
    assert y.op.name == "max_pooling2d/MaxPool" and y.get_shape().as_list() == [None, 3, 3, 4]
    assert [v.op.name for v in tf.trainable_variables()] == [
        "conv2d/kernel",
        "conv2d/bias",
        "again/kernel",
        "separable_conv2d/depthwise_kernel",
        "separable_conv2d/pointwise_kernel",
        "separable_conv2d/bias",
        "conv2d_transpose/kernel",
        "conv2d_transpose/bias",
        "conv3d_transpose/kernel",
        "conv3d_transpose/bias",
        "conv1d/kernel",
        "conv1d/bias",
        "conv3d/kernel",
        "conv3d/bias",
    ]
    names = [op.name for op in tf.get_default_graph().get_operations()]
    for name in ("conv2d/Conv2D", "conv2d/BiasAdd", "conv2d/Relu", "again_1/Conv2D"):
        assert name in names


def test_the_default_kernel_is_the_one_of_tensorflow(session):
    """The values that TensorFlow 2.21 draws for this graph seed."""
    tf.set_random_seed(7)
    tf.layers.conv2d(tf.zeros([1, 5, 5, 3]), 4, 3)
    session.run(tf.global_variables_initializer())
    kernel, bias = session.run(tf.trainable_variables())
    np.testing.assert_allclose(kernel.ravel()[:4], [0.1566, -0.2605, -0.025424, 0.22024], 1e-4)
    np.testing.assert_array_equal(bias, np.zeros(4))


def test_gradients_reach_the_variables(session):
    x = np.random.RandomState(1).randn(1, 4, 4, 2)
    layer = tf.layers.Conv2D(2, 3, padding="same", kernel_initializer=tf.ones_initializer())
    loss = tf.reduce_sum(tf.square(layer(x)))
    d_kernel, d_bias = tf.gradients(loss, layer.trainable_variables)
    session.run(tf.global_variables_initializer())
    found = session.run([d_kernel, d_bias])
    outputs = convolved(x, np.ones((3, 3, 2, 2)), [1, 1], [1, 1], "same")
    np.testing.assert_allclose(found[1], 2 * outputs.sum((0, 1, 2)), rtol=1e-8)
    expected = np.zeros((3, 3, 2, 2))
    for place, _, part in windows(x, [3, 3], [1, 1], [1, 1], "same"):
        expected += 2 * part[0][..., None] * outputs[(0, *place)]
    np.testing.assert_allclose(found[0], expected, rtol=1e-8)


def test_regularizers_and_constraints(session):
    total = lambda w: tf.reduce_sum(tf.abs(w))  # noqa: E731
    ones = tf.ones_initializer()
    y = tf.layers.conv2d(
        tf.ones([1, 2, 2, 1]),
        2,
        1,
        kernel_initializer=ones,
        bias_initializer=ones,
        kernel_regularizer=total,
        bias_regularizer=total,
        activity_regularizer=total,
        kernel_constraint=tf.nn.relu,
    )
    assert tf.trainable_variables()[0].constraint is tf.nn.relu
    tf.layers.separable_conv2d(
        y,
        1,
        1,
        depthwise_initializer=ones,
        pointwise_initializer=ones,
        depthwise_regularizer=total,
        pointwise_regularizer=total,
    )
    losses = tf.losses.get_regularization_losses()
    session.run(tf.global_variables_initializer())
    assert session.run(losses) == [2.0, 2.0, 16.0, 2.0, 2.0]
    names = [loss.op.name for loss in losses]
    assert names[0] == "conv2d/kernel/Regularizer/Sum" and "ActivityRegularizer" in names[2]


ERRORS = [
    (lambda x: tf.layers.conv2d(x, 3, 3, padding="full"), "`padding` argument"),
    (lambda x: tf.layers.conv2d(x, 3, 3, padding="causal"), "Causal padding"),
    (lambda x: tf.layers.conv2d(x, 3, 3, data_format="NHWC"), "`data_format` argument"),
    (lambda x: tf.layers.conv2d(x, 3, (3, 3, 3)), "`kernel_size` argument must be a tuple of 2"),
    (lambda x: tf.layers.conv2d(x, 3, "ab"), "`kernel_size` argument must be a tuple of 2"),
    (lambda x: tf.layers.conv2d(x, 3, 3, strides=0), "must be > 0"),
    (lambda x: tf.layers.conv2d(x, 3, 3, strides=2, dilation_rate=2), "not supported in conj"),
    (lambda x: tf.layers.conv2d(tf.placeholder(tf.float32, [1, 5, 5, None]), 3, 3), "channel dim"),
    (lambda x: tf.layers.conv2d(x, 3, 9), "Negative dimension size"),
    (lambda x: tf.layers.conv1d(x, 3, 1), "expected ndim=3, found ndim=4"),
    (lambda x: tf.layers.max_pooling1d(x, 2, 2), "expected ndim=3, found ndim=4"),
    (lambda x: tf.layers.average_pooling2d(x, (1, 2, 3), 2), "`pool_size` argument"),
    (lambda x: tf.layers.conv2d(x, 3, 1, name="absent", reuse=True), "does not exist"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    make, message = ERRORS[number]
    with pytest.raises(ValueError, match=message):
        make(tf.zeros([1, 5, 5, 2]))


def test_arguments_are_those_of_the_layer():
    with pytest.raises(TypeError, match="conv2d\\(\\) missing a required argument: 'kernel_size'"):
        tf.layers.conv2d(tf.zeros([1, 5, 5, 2]), 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'reuse'"):
        tf.layers.max_pooling2d(tf.zeros([1, 5, 5, 2]), 2, 2, reuse=True)
