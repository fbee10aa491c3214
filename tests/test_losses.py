"""tf.losses against numpy: every loss, reduction and shape of weights; collections and errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

BY_NONZERO = tf.losses.Reduction.SUM_BY_NONZERO_WEIGHTS


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def huber(labels, predictions):
    error = np.abs(predictions - labels)
    near = np.minimum(error, 1.0)
    return near * near / 2 + (error - near)


def xent(labels, logits):
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


# What is computed of labels in [0, 1] and predictions in (0, 1), before weights.
ELEMENTWISE = {
    "absolute_difference": lambda y, p: np.abs(p - y),
    "mean_squared_error": lambda y, p: (p - y) ** 2,
    "huber_loss": huber,
    "hinge_loss": lambda y, p: np.maximum(0, 1 - (2 * y - 1) * p),
    "log_loss": lambda y, p: -y * np.log(p + 1e-7) - (1 - y) * np.log(1 - p + 1e-7),
    "sigmoid_cross_entropy": xent,
}


def reduced(losses, weights, reduction):
    weighted = losses * weights
    if reduction == "none":
        return weighted
    total = weighted.sum()
    full = np.broadcast_to(weights, losses.shape)
    count = {
        "weighted_sum": 1.0,
        "weighted_mean": full.sum(),
        "weighted_sum_over_batch_size": losses.size,
        BY_NONZERO: (full != 0).sum(),
    }[reduction]
    return total / count if count else 0.0


@st.composite
def problems(draw):
    """(shape, shape of the weights, reduction, whether shapes are known, seed)."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    ones = draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    weights = (
        [] if draw(st.booleans()) else [1 if o else n for o, n in zip(ones, shape, strict=True)]
    )
    reduction = draw(st.sampled_from(tf.losses.Reduction.all()))
    return (
        shape,
        weights,
        reduction,
        draw(st.sampled_from(["full", "dims", "rank"])),
        draw(st.integers(0, 1000)),
    )


def hidden(shape, known):
    return {"full": shape, "dims": [None] * len(shape), "rank": None}[known]


@settings(max_examples=25)
@given(problems(), st.sampled_from(sorted(ELEMENTWISE)))
def test_losses_of_elements(problem, name):
    shape, of_weights, reduction, known, seed = problem
    draw = np.random.RandomState(seed)
    labels = (draw.rand(*shape) > 0.5).astype(np.float32)
    predictions = draw.uniform(0.05, 0.95, shape).astype(np.float32)
    weights = draw.randint(0, 3, of_weights or ()) * np.float32(0.5)
    with tf.Graph().as_default(), tf.Session() as session:
        y, p, w = (
            tf.placeholder(tf.float32, hidden(list(a.shape), known))
            for a in (labels, predictions, np.asarray(weights))
        )
        loss = getattr(tf.losses, name)(y, p, w, reduction=reduction)
        assert tf.losses.get_losses() == [loss]
        assert reduction == "none" or loss.get_shape().as_list() == []
        value = session.run(loss, {y: labels, p: predictions, w: weights})
    expected = reduced(ELEMENTWISE[name](labels, predictions), weights, reduction)
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6)


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(2, 5), st.booleans(), st.integers(0, 1000))
def test_softmax_losses(batch, classes, known, seed):
    draw = np.random.RandomState(seed)
    logits = draw.randn(batch, classes).astype(np.float32)
    classes_of = draw.randint(0, classes, batch)
    weights = draw.randint(0, 3, batch).astype(np.float32)
    losses = -log_softmax(logits)[np.arange(batch), classes_of]
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [batch, classes] if known else None)
        y = tf.placeholder(tf.int64, [batch, 1] if known else None)
        w = tf.placeholder(tf.float32, [batch, 1] if known else None)
        sparse = tf.losses.sparse_softmax_cross_entropy(y, x, w)
        dense = tf.losses.softmax_cross_entropy(np.eye(classes)[classes_of], x, weights)
        feeds = {x: logits, y: classes_of[:, None], w: weights[:, None]}
        found = session.run([sparse, dense], feeds)
    np.testing.assert_allclose(found, [reduced(losses, weights, BY_NONZERO)] * 2, rtol=1e-5)


def test_label_smoothing(session):
    logits = np.random.RandomState(0).randn(3, 4).astype(np.float32)
    onehot = np.eye(4, dtype=np.float32)[[2, 0, 1]]
    exclusive = tf.losses.softmax_cross_entropy(onehot, logits, label_smoothing=0.2)
    separate = tf.losses.sigmoid_cross_entropy(onehot, logits, label_smoothing=0.2)
    soft = onehot * 0.8 + 0.2 / 4
    expected = [
        -(soft * log_softmax(logits)).sum(1).mean(),
        xent(onehot * 0.8 + 0.1, logits).mean(),
    ]
    np.testing.assert_allclose(session.run([exclusive, separate]), expected, rtol=1e-5)


def test_no_gradient_flows_to_the_labels_of_a_softmax():
    y = tf.placeholder(tf.float32, [2, 3])
    loss = tf.losses.softmax_cross_entropy(y, tf.ones([2, 3]))
    assert tf.gradients(loss, y) == [None]


def test_cosine_distance(session):
    draw = np.random.RandomState(1)
    a, b = draw.randn(2, 3, 4).astype(np.float32), draw.randn(2, 3, 4).astype(np.float32)
    for axis in (0, 1, -1):
        loss = tf.losses.cosine_distance(a, b, axis=axis, reduction="none")
        named = tf.losses.cosine_distance(a, b, dim=axis, reduction="none")
        expected = 1 - (a * b).sum(axis, keepdims=True)
        for value in session.run([loss, named]):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_mean_pairwise_squared_error(session):
    draw = np.random.RandomState(2)
    labels, predictions = draw.randn(3, 2, 2), draw.randn(3, 2, 2)
    weights = np.array([1.0, 0.0, 2.0]).reshape(3, 1, 1)
    loss = tf.losses.mean_pairwise_squared_error(labels, predictions, weights)
    alone = tf.losses.mean_pairwise_squared_error(np.ones([2, 1]), np.zeros([2, 1]))
    total = 0.0
    for row in (0, 2):
        d = (predictions - labels)[row].ravel()
        pairs = [(d[i] - d[j]) ** 2 for i in range(4) for j in range(4) if i != j]
        total += weights[row, 0, 0] * np.mean(pairs)
    np.testing.assert_allclose(session.run([loss, alone]), [total, 0.0], rtol=1e-5)


def test_no_weight_at_all_gives_zero(session):
    loss = tf.losses.mean_squared_error([1.0, 2.0], [3.0, 5.0], weights=[0.0, 0.0])
    assert session.run(loss) == 0.0


def test_dtype_is_that_of_the_losses(session):
    for dtype in (tf.float16, tf.float64):
        loss = tf.losses.compute_weighted_loss(tf.constant([1.0, 3.0], dtype))
        assert loss.dtype == dtype and session.run(loss) == 2.0
    assert tf.losses.mean_squared_error([1, 2], [2, 4]).dtype == tf.float32


@pytest.mark.parametrize("name", ["mean_squared_error", "huber_loss", "log_loss"])
def test_gradients(name):
    draw = np.random.RandomState(3)
    labels, predictions = draw.uniform(0.2, 0.8, (2, 2, 3))
    weights = np.array([[0.5], [2.0]])

    def build(p, w):
        return tf.cast(getattr(tf.losses, name)(labels, p, w, reduction="weighted_sum"), tf.float64)

    # Numbers are float32 in between.
    check_gradient(build, predictions, weights, step=1e-2, tolerance=2e-4)


def test_collections_and_names(session):
    assert session.run(tf.losses.get_regularization_loss()) == 0.0
    first = tf.losses.mean_squared_error([1.0], [3.0])
    second = tf.losses.absolute_difference([1.0], [3.0], scope="own")
    tf.losses.hinge_loss([1.0], [3.0], loss_collection=None)
    third = tf.constant(5.0, name="more")
    tf.losses.add_loss(third)
    tf.losses.add_loss(third, loss_collection="other")
    tf.losses.add_loss(third, loss_collection=None)
    assert tf.losses.get_losses() == [first, second, third]
    assert tf.losses.get_losses("own") == [second]
    assert tf.losses.get_losses(loss_collection="other") == [third]
    names = [first.op.name, second.op.name]
    assert names == ["mean_squared_error/value", "own/value"]
    variable = tf.get_variable("v", initializer=[2.0, 3.0], regularizer=tf.reduce_sum)
    assert [x.op.name for x in tf.losses.get_regularization_losses()] == ["v/Regularizer/Sum"]
    assert tf.losses.get_regularization_losses("other") == []
    total, without = tf.losses.get_total_loss(), tf.losses.get_total_loss(False, name="bare")
    regularization = tf.losses.get_regularization_loss()
    assert [t.op.name for t in (total, without, regularization)] == [
        "total_loss",
        "bare",
        "total_regularization_loss",
    ]
    session.run(variable.initializer)
    assert session.run([total, without, regularization]) == [16.0, 11.0, 5.0]
    assert session.run(tf.losses.get_total_loss(scope="own")) == 2.0


def test_a_scope_regularizes_its_variables(session):
    with tf.variable_scope("foo", regularizer=lambda w: tf.reduce_sum(w * w)):
        tf.get_variable("v", [2], initializer=tf.constant_initializer(3.0))
        tf.get_variable("w", [2], regularizer=tf.no_regularizer)
    session.run(tf.global_variables_initializer())
    assert session.run(tf.losses.get_regularization_losses()) == [18.0]


ERRORS = [
    (lambda: tf.losses.mean_squared_error(None, [1.0]), "`labels` must not be None"),
    (lambda: tf.losses.hinge_loss([1.0], None), "`logits` must not be None"),
    (lambda: tf.losses.mean_squared_error([1.0], [1.0, 2.0]), "incompatible"),
    (
        lambda: tf.losses.mean_squared_error([1.0, 2.0], [1.0, 2.0], [1.0, 2.0, 3.0]),
        r"Mismatch at dim 0. values.shape=\[2\], weights.shape=\[3\]",
    ),
    (
        lambda: tf.losses.mean_squared_error([1.0, 2.0], [1.0, 2.0], [[1.0, 2.0]]),
        "values.rank=1. weights.rank=2",
    ),
    (lambda: tf.losses.mean_squared_error([1.0], [1.0], weights=None), "None"),
    (lambda: tf.losses.compute_weighted_loss([1.0], reduction="x"), "Invalid Reduction Key x"),
    (lambda: tf.losses.Reduction.validate("y"), "Invalid Reduction Key y"),
    (lambda: tf.losses.cosine_distance([1.0], [1.0]), "You must specify argument `axis`"),
    (lambda: tf.losses.cosine_distance([1.0], [1.0], axis=0, dim=0), "Cannot specify both"),
    (lambda: tf.losses.get_total_loss(), "at least one Tensor"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    make, message = ERRORS[number]
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_that_only_a_run_shows_not_to_fit(session):
    x, w = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    loss = tf.losses.mean_squared_error(x, x, w)
    for shape in ((2,), (3, 1), (1, 1, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(loss, {x: np.ones([2, 3]), w: np.ones(shape)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="can not be broadcast to values"):
        session.run(loss, {x: np.ones([2, 3]), w: np.ones([1, 1, 1])})
    assert session.run(loss, {x: np.ones([2, 3]), w: np.ones([2, 1])}) == 0.0


def test_confusion_matrix(session):
    plain = tf.confusion_matrix([0, 1, 2, 1], [0, 2, 2, 1])
    weighted = tf.math.confusion_matrix(
        [0, 1, 1], [1, 1, 0], num_classes=3, dtype=tf.float64, weights=[0.5, 1.0, 2.0]
    )
    assert plain.dtype == tf.int32 and plain.op.name == "confusion_matrix/ScatterNd"
    assert weighted.get_shape().as_list() == [3, 3]
    values = session.run([plain, weighted])
    np.testing.assert_array_equal(values[0], [[1, 0, 0], [0, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(values[1], [[0, 0.5, 0], [2, 1, 0], [0, 0, 0]])
    for labels, message in (([-1], "negative"), ([3], "out of bound")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            session.run(tf.confusion_matrix(tf.placeholder_with_default(labels, [1]), [0], 3))
