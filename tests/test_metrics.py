"""tf.metrics against numpy, over two batches: values, update ops, variables, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf

BATCHES = 2


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def run(build, *batches, known=True):
    """[(update, value) after each batch]; `build` takes one placeholder for each array."""
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [
            tf.placeholder(tf.as_dtype(a.dtype), a.shape if known else None) for a in batches[0]
        ]
        value, update = build(*inputs)
        session.run(tf.local_variables_initializer())
        found = []
        for arrays in batches:
            feeds = dict(zip(inputs, arrays, strict=True))
            found.append((session.run(update, feeds), session.run(value)))
        return found


def close(found, expected, rtol=1e-5):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-6)


# ---- means

MEANS = {
    "mean_absolute_error": lambda y, p: np.abs(p - y),
    "mean_squared_error": lambda y, p: (p - y) ** 2,
    "accuracy": lambda y, p: (p == y).astype(np.float32),
}


@settings(max_examples=15)
@given(
    st.sampled_from(sorted(MEANS)),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(["none", "scalar", "rows", "full", "fewer"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_weighted_means(name, shape, kind, known, seed):
    draw = np.random.RandomState(seed)
    of_weights = {
        "none": (),
        "scalar": (),
        "rows": (shape[0],) + (1,) * (len(shape) - 1),
        "full": tuple(shape),
        "fewer": tuple(shape),
    }[kind]
    shape = [*shape, 1] if kind == "fewer" else shape  # the weights get the last axis
    batches = [
        [
            draw.randint(0, 3, shape).astype(np.float32),
            draw.randint(0, 3, shape).astype(np.float32),
            np.asarray(draw.randint(0, 3, of_weights), np.float32),
        ]
        for _ in range(BATCHES)
    ]
    metric = getattr(tf.metrics, name)
    found = run(lambda y, p, w: metric(y, p, None if kind == "none" else w), *batches, known=known)
    total = count = 0.0
    for (y, p, w), got in zip(batches, found, strict=True):
        if kind == "none":
            w = np.ones((), np.float32)
        w = np.broadcast_to(w[..., None] if kind == "fewer" else w, y.shape)
        total, count = total + (MEANS[name](y, p) * w).sum(), count + w.sum()
        close(got, [total / count if count else 0.0] * 2)


def test_means_made_of_means(session):
    draw = np.random.RandomState(0)
    y, p = draw.rand(2, 4, 3).astype(np.float32)
    p[0, 0] = 0.0
    squares = tf.metrics.root_mean_squared_error(y, p)
    relative = tf.metrics.mean_relative_error(y, p, p)
    cosine = tf.metrics.mean_cosine_distance(y, p, dim=1)
    below = tf.metrics.percentage_below(p, 0.5, weights=y)
    with np.errstate(divide="ignore"):
        shares = np.where(p == 0, 0, np.abs(y - p) / p)
    expected = [
        np.sqrt(((y - p) ** 2).mean()),
        shares.mean(),
        1 - (y * p).sum(1).mean(),
        ((p < 0.5) * y).sum() / y.sum(),
    ]
    session.run(tf.local_variables_initializer())
    metrics = [squares, relative, cosine, below]
    close(session.run([update for _, update in metrics]), expected)
    close(session.run([value for value, _ in metrics]), expected)
    names = [v.op.name for v in tf.local_variables()]
    assert names[:2] == ["root_mean_squared_error/total", "root_mean_squared_error/count"]
    assert names[-1] == "percentage_below_threshold/count"


def test_mean_tensor():
    draw = np.random.RandomState(1)
    batches = [[draw.rand(2, 3).astype(np.float32), draw.rand(2, 1).astype(np.float32)]
               for _ in range(2)]  # fmt: skip
    found = run(tf.metrics.mean_tensor, *batches)
    total = sum(v * w for v, w in batches)
    close(found[1], [total / sum(w for _, w in batches)] * 2)
    with pytest.raises(ValueError, match="partially known"):
        tf.metrics.mean_tensor(tf.placeholder(tf.float32, [None]))


# ---- counts

COUNTS = {
    "true_positives": (True, True),
    "false_positives": (False, True),
    "true_negatives": (False, False),
    "false_negatives": (True, False),
}


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_and_rates(weighted):
    draw = np.random.RandomState(2)
    batches = [
        [draw.rand(5) > 0.5, draw.rand(5) > 0.4, draw.rand(5).astype(np.float32)] for _ in range(2)
    ]
    names = [*COUNTS, "precision", "recall"]

    def build(y, p, w):
        found = [getattr(tf.metrics, n)(y, p, w if weighted else None) for n in names]
        return tf.stack([v for v, _ in found]), tf.stack([u for _, u in found])

    sums = dict.fromkeys(COUNTS, 0.0)
    for (y, p, w), got in zip(batches, run(build, *batches), strict=True):
        for name, (label, prediction) in COUNTS.items():
            hits = (y == label) & (p == prediction)
            sums[name] += (hits * (w if weighted else 1.0)).sum()
        tp, fp, fn = (sums[n] for n in ("true_positives", "false_positives", "false_negatives"))
        close(got, [[*sums.values(), tp / (tp + fp), tp / (tp + fn)]] * 2)


def test_nothing_is_counted(session):
    metrics = [m([False], [False])[1] for m in (tf.metrics.precision, tf.metrics.recall)]
    session.run(tf.local_variables_initializer())
    assert session.run(metrics) == [0.0, 0.0]


# ---- thresholds


def counted(y, p, w, limits):
    """tp, fn, tn, fp at each threshold."""
    above = p.ravel()[None] > np.asarray(limits, np.float32)[:, None]
    true, w = y.ravel()[None] > 0, np.broadcast_to(w, y.shape).ravel()[None]
    pairs = [(true, above), (true, ~above), (~true, ~above), (~true, above)]
    return [((a & b) * w).sum(1) for a, b in pairs]


def evenly(count, last=1 + 1e-7):
    return [-1e-7, *((i + 1) / (count - 1) for i in range(count - 2)), last]


@settings(max_examples=8)
@given(st.booleans(), st.booleans(), st.integers(0, 1000))
def test_at_thresholds(weighted, known, seed):
    draw = np.random.RandomState(seed)
    batches = [
        [draw.randint(0, 2, (3, 2)), draw.rand(3, 2).astype(np.float32),
         draw.rand(3, 1).astype(np.float32)] for _ in range(2)
    ]  # fmt: skip
    limits = [0.2, 0.5, 0.9]
    names = ["true_positives", "false_negatives", "true_negatives", "false_positives"]
    names = [*names, "precision", "recall"]

    def build(y, p, w):
        given = [
            getattr(tf.metrics, f"{n}_at_thresholds")(y, p, limits, w if weighted else None)
            for n in names
        ]
        return tf.stack([v for v, _ in given]), tf.stack([u for _, u in given])

    total = np.zeros((4, 3))
    for (y, p, w), got in zip(batches, run(build, *batches, known=known), strict=True):
        total += counted(y, p, w if weighted else 1.0, limits)
        tp, fn, _, fp = total
        close(got, [[*total, tp / (tp + fp + 1e-7), tp / (tp + fn + 1e-7)]] * 2)


def area(tp, fn, tn, fp, curve, method):
    if curve == "ROC":
        x, y = fp / (fp + tn + 1e-6), (tp + 1e-6) / (tp + fn + 1e-6)
    else:
        x, y = (tp + 1e-6) / (tp + fn + 1e-6), (tp + 1e-6) / (tp + fp + 1e-6)
    heights = {
        "trapezoidal": (y[:-1] + y[1:]) / 2,
        "minoring": np.minimum(y[:-1], y[1:]),
        "majoring": np.maximum(y[:-1], y[1:]),
    }[method]
    return ((x[:-1] - x[1:]) * heights).sum()


@pytest.mark.parametrize("curve", ["ROC", "PR"])
@pytest.mark.parametrize("method", ["trapezoidal", "minoring", "majoring"])
def test_areas(curve, method):
    draw = np.random.RandomState(3)
    batches = [[draw.rand(20) > 0.4, draw.rand(20).astype(np.float32)] for _ in range(2)]
    found = run(
        lambda y, p: tf.metrics.auc(y, p, None, 30, curve=curve, summation_method=method), *batches
    )
    total = np.zeros((4, 30))
    for (y, p), got in zip(batches, found, strict=True):
        total += counted(y, p, 1.0, evenly(30))
        close(got, [area(*total, curve, method)] * 2, rtol=1e-4)


def test_area_of_interpolated_counts():
    """Numbers of TensorFlow 2.21."""
    y = np.array([0, 0, 1, 1, 1, 0], bool)
    p = np.array([0.1, 0.4, 0.35, 0.8, 0.6, 0.7], np.float32)
    build = lambda y, p: tf.metrics.auc(  # noqa: E731
        y, p, curve="PR", summation_method="careful_interpolation", thresholds=[0.7, 0.3, 0.5]
    )
    (found,) = run(build, [y, p])
    close(found, [0.80079] * 2, rtol=1e-4)


def test_points_on_curves():
    draw = np.random.RandomState(4)
    batches = [[draw.rand(30) > 0.4, draw.rand(30).astype(np.float32)] for _ in range(2)]

    def build(y, p):
        one = tf.metrics.sensitivity_at_specificity(y, p, 0.6)
        other = tf.metrics.specificity_at_sensitivity(y, p, 0.7)
        return tf.stack([one[0], other[0]]), tf.stack([one[1], other[1]])

    found = run(build, *batches)
    first, second = np.zeros((4, 200)), np.zeros((4, 200))
    for (y, p), got in zip(batches, found, strict=True):
        first += counted(y, p, 1.0, evenly(200))
        second += counted(y, p, 1.0, evenly(200, last=1 - 1e-7))
        tp, fn, tn, fp = first
        at = np.argmin(np.abs(tn / (tn + fp + 1e-7) - 0.6))
        sensitivity = tp[at] / (tp[at] + fn[at] + 1e-7)
        tp, fn, tn, fp = second
        away = np.abs((tp / (tp + fn + 1e-7) - 0.7).astype(np.float32))
        at = np.flatnonzero(away == away.min())[-1]
        close(got, [[sensitivity, tn[at] / (tn[at] + fp[at] + 1e-7)]] * 2)


# ---- classes


@pytest.mark.parametrize("weighted", [False, True])
def test_classes(weighted):
    draw = np.random.RandomState(5)
    batches = [
        [draw.randint(0, 4, (2, 3)), draw.randint(0, 4, (2, 3)), draw.rand(2, 3)] for _ in range(2)
    ]
    total = np.zeros((5, 5))
    weights = lambda w: w if weighted else None  # noqa: E731
    union = run(lambda y, p, w: tf.metrics.mean_iou(y, p, 5, weights(w)), *batches)
    accuracy = run(
        lambda y, p, w: tf.metrics.mean_per_class_accuracy(y, p, 5, weights(w)), *batches
    )
    for (y, p, w), of_union, of_accuracy in zip(batches, union, accuracy, strict=True):
        np.add.at(total, (y, p), w if weighted else 1.0)
        both, rows, columns = np.diag(total), total.sum(0), total.sum(1)
        present = rows + columns - both > 0
        close(of_union[0], total)
        close(of_union[1], (both[present] / (rows + columns - both)[present]).mean())
        shares = np.divide(both, columns, out=np.zeros(5), where=columns > 0)
        close(of_accuracy[0], shares)
        close(of_accuracy[1], shares.mean())


# ---- the best k


def best(scores, k):
    return np.argsort(-scores, axis=-1, kind="stable")[..., :k]


def at_k(rows, labels, weights, class_id=None):
    """tp, fp, fn of sets of classes chosen and sets of labels, by row."""
    total = np.zeros(3)
    for chosen, right, weight in zip(rows, labels, weights, strict=True):
        chosen, right = set(chosen), set(right)
        if class_id is not None:
            chosen, right = chosen & {class_id}, right & {class_id}
        total += weight * np.array([len(chosen & right), len(chosen - right), len(right - chosen)])
    return total


@settings(max_examples=10)
@given(
    st.sampled_from([None, 1]), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 1000)
)
def test_precision_and_recall_at_k(class_id, weighted, sparse, known, seed):
    draw = np.random.RandomState(seed)
    batches = [
        [draw.randint(-1, 6, (4, 3)), draw.rand(4, 5).astype(np.float32),
         draw.rand(4).astype(np.float32)] for _ in range(2)
    ]  # fmt: skip
    places = np.argwhere(np.ones((4, 3)))

    def build(y, p, w):
        if sparse:
            y = tf.SparseTensor(places, tf.reshape(y, [-1]), [4, 3])
        w = w if weighted else None
        one = tf.metrics.precision_at_k(y, p, 2, class_id, w)
        other = tf.metrics.recall_at_k(y, p, 2, class_id, w)
        return tf.stack([one[0], other[0]]), tf.stack([one[1], other[1]])

    total = np.zeros(3)
    for (y, p, w), got in zip(batches, run(build, *batches, known=known), strict=True):
        total += at_k(best(p, 2), y, w if weighted else np.ones(4), class_id)
        tp, fp, fn = total
        with np.errstate(invalid="ignore"):
            close(got, [[tp / (tp + fp), tp / (tp + fn)]] * 2)


def test_chosen_classes_and_single_labels(session):
    labels = np.array([2, 0, 4], np.int64)
    chosen = np.array([[2, 2, 1], [1, 3, 3], [4, 0, 4]])
    precision = tf.metrics.precision_at_top_k(labels, chosen, name="own")
    recall = tf.metrics.recall_at_top_k(labels, chosen, k=3, class_id=4)
    session.run(tf.local_variables_initializer())
    close(session.run([precision[1], recall[1]]), [2 / 6, 1.0])
    assert [v.op.name for v in tf.local_variables()] == [
        "own/true_positive_at_k",
        "own/false_positive_at_k",
        "recall_at_3_class4/true_positive_at_3_class4",
        "recall_at_3_class4/false_negative_at_3_class4",
    ]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_average_precision_at_k(weighted, sparse):
    draw = np.random.RandomState(6)
    # Classes beyond the last are not there; of a SparseTensor they count as labels.
    batches = [
        [draw.randint(0, 5 if sparse else 7, (4, 2)), draw.rand(4, 5).astype(np.float32),
         draw.rand(4).astype(np.float32)] for _ in range(2)
    ]  # fmt: skip

    def build(y, p, w):
        if sparse:
            y = tf.SparseTensor(np.argwhere(np.ones((4, 2))), tf.reshape(y, [-1]), [4, 2])
        return tf.metrics.average_precision_at_k(y, p, 3, w if weighted else None)

    total = count = 0.0
    for (y, p, w), got in zip(batches, run(build, *batches), strict=True):
        w = w if weighted else np.ones(4)
        for row, right, weight in zip(best(p, 3), y, w, strict=True):
            hits = np.isin(row, right)
            relevant = len(set(right)) if sparse else (right < 5).sum()
            ranks = np.arange(1, 4)
            with np.errstate(invalid="ignore"):
                average = (hits.cumsum() / ranks * hits).sum() / min(relevant, 3)
            total, count = total + weight * average, count + weight
        close(got, [total / count] * 2)


# ---- what they share


def test_collections_and_variables(session):
    value, update = tf.metrics.mean(
        [1.0, 3.0], metrics_collections=["values"], updates_collections="updates", name="own"
    )
    assert tf.get_collection("values") == [value] and tf.get_collection("updates") == [update]
    names = ["own/total:0", "own/count:0"]
    assert [v.name for v in tf.local_variables()] == names
    assert [v.name for v in tf.get_collection(tf.GraphKeys.METRIC_VARIABLES)] == names
    assert tf.global_variables() == [] and (value.op.name, update.op.name) == (
        "own/value",
        "own/update_op",
    )
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value own/"):
        session.run(update)
    session.run(tf.local_variables_initializer())
    assert session.run(value) == 0.0
    assert session.run(update) == session.run(value) == 2.0


EVERY = sorted(
    n for n in dir(tf.metrics) if not n.startswith("_") and callable(getattr(tf.metrics, n))
)
MORE = {
    "average_precision_at_k": (2,),
    "mean_cosine_distance": (1,),
    "mean_iou": (3,),
    "mean_per_class_accuracy": (3,),
    "mean_relative_error": ([[0.5, 0.5, 0.5]],),
    "percentage_below": (),
    "precision_at_k": (2,),
    "recall_at_k": (2,),
    "sensitivity_at_specificity": (0.5,),
    "sparse_average_precision_at_k": (2,),
    "sparse_precision_at_k": (2,),
    "specificity_at_sensitivity": (0.5,),
}


def test_every_metric_publishes_its_tensors(session):
    assert len(EVERY) == 33
    for name in EVERY:
        labels = tf.constant([[0, 1, 1]], tf.int64 if "_k" in name else tf.float32)
        given = [labels, tf.constant([[0.0, 1.0, 1.0]]), *MORE.get(name, ())]
        if name.endswith("_at_thresholds"):
            given.append([0.5])
        if name in ("mean", "mean_tensor"):
            given = given[1:2]
        if name == "percentage_below":
            given = [given[1], 0.5]
        value, update = getattr(tf.metrics, name)(
            *given, metrics_collections=[name], updates_collections=[name + "!"]
        )
        assert tf.get_collection(name) == [value] and tf.get_collection(name + "!") == [update]
    variables = tf.local_variables()
    assert variables == tf.get_collection(tf.GraphKeys.METRIC_VARIABLES)
    session.run(tf.local_variables_initializer())
    assert all(not array.any() for array in session.run(variables))


ERRORS = [
    (lambda: tf.metrics.mean([1.0, 2.0], weights=[1.0, 2.0, 3.0]), ValueError, "Mismatch at dim 0"),
    (lambda: tf.metrics.accuracy([1, 2], [1, 2, 3]), ValueError, "incompatible"),
    (
        lambda: tf.metrics.recall_at_k(tf.constant([1, 2]), tf.zeros([2, 3]), 2),
        TypeError,
        "Types don't match",
    ),
    (
        lambda: tf.metrics.precision_at_k(tf.constant([1], tf.int64), tf.zeros([2, 1, 2, 3]), 2),
        ValueError,
        "Unexpected labels shape",
    ),
    (lambda: tf.metrics.average_precision_at_k([1], [1.0], 0), ValueError, "Invalid k=0"),
    (lambda: tf.metrics.sensitivity_at_specificity([1], [1.0], 2.0), ValueError, "specificity"),
    (lambda: tf.metrics.specificity_at_sensitivity([1], [1.0], -1.0), ValueError, "sensitivity"),
    (lambda: tf.metrics.auc([1], [1.0], curve="X"), ValueError, "Curve X is unknown"),
    (lambda: tf.metrics.auc([1], [1.0], summation_method="x"), ValueError, "summation_method: x"),
    (lambda: tf.metrics.mean_iou([1, 2], [1, 2, 3], 4), ValueError, "incompatible"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    make, kind, message = ERRORS[number]
    with pytest.raises(kind, match=message):
        make()


def test_errors_of_a_run(session):
    outside = tf.metrics.auc([True, False], tf.placeholder_with_default([1.5, 0.2], [2]))[1]
    unknown = tf.metrics.mean_iou([1, 7], [1, 2], 3)[1]
    labels = tf.placeholder(tf.int64)
    rows = tf.metrics.recall_at_k(labels, tf.placeholder_with_default(tf.ones([2, 3]), None), 1)[1]
    session.run(tf.local_variables_initializer())
    cases = [
        (outside, None, r"predictions must be in \[0, 1\]"),
        (unknown, None, "`labels` out of bound"),
        (rows, {labels: np.ones([1, 1])}, "other rows"),
    ]
    for fetch, feeds, message in cases:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            session.run(fetch, feeds)
    assert all(not array.any() for array in session.run(tf.local_variables()))
