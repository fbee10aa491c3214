"""Names that programs use: namespaces beside `tf`, functions made of others, keywords."""

import inspect
import types

import numpy as np
import pytest

import tfc as tf
from tests.ops.evaluate import evaluate

SPACES = ("bitwise", "debugging", "dtypes", "linalg", "manip", "math", "random", "strings")
# What a namespace calls differently from `tf`.
RENAMED = {
    "band_part": "matrix_band_part",
    "divide_no_nan": "div_no_nan",
    "normal": "random_normal",
    "set_diag": "matrix_set_diag",
    "shuffle": "random_shuffle",
    "tensor_diag": "diag",
    "tensor_diag_part": "diag_part",
    "transpose": "matrix_transpose",
    "uniform": "random_uniform",
}
X = np.random.RandomState(3).standard_normal((4, 5))


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


@pytest.mark.parametrize("space", SPACES)
def test_namespaces_hold_what_tf_holds(space):
    found = vars(getattr(tf, space))
    names = [n for n in found if not n.startswith("_") and n not in ("annotations",)]
    assert len(names) >= 5
    for name in names:
        if space == "linalg" and name in ("diag", "diag_part"):
            assert found[name] is getattr(tf, f"matrix_{name}")
            continue
        if space == "strings" and name == "split":  # tf.split cuts tensors, this cuts strings
            continue
        other = getattr(tf, RENAMED.get(name, name), getattr(tf.nn, name, None))
        assert other is None or other is found[name], name


def test_names_of_functions():
    for function in (tf.add, tf.nn.relu, tf.nn.tanh, tf.reduce_sum, tf.is_nan, tf.matrix_band_part):
        assert isinstance(function, types.FunctionType)
        assert getattr(tf, function.__name__, None) in (function, None)
    assert [f.__name__ for f in (tf.tanh, tf.subtract, tf.segment_sum)] == [
        "tanh",
        "subtract",
        "segment_sum",
    ]


def test_keywords_and_positions():
    np.testing.assert_allclose(evaluate([tf.atan2(y=1.0, x=2.0)])[0], np.arctan2(1, 2), rtol=1e-6)
    a, b = np.array([1.0, 2, 3]), np.array([3.0, 1, 2])
    np.testing.assert_allclose(evaluate([tf.cross(b=b, a=a)])[0], np.cross(a, b))
    band = tf.matrix_band_part(X, 0, -1, "upper")
    assert band.op.name == "upper"
    np.testing.assert_array_equal(evaluate([band])[0], np.triu(X))
    assert list(inspect.signature(tf.diag).parameters) == ["diagonal", "name"]
    assert tf.slice(input_=X, begin=[0, 1], size=[1, 2]).shape.as_list() == [1, 2]


NORMS = [
    ("euclidean", None, np.sqrt((X**2).sum())),
    (1, None, abs(X).sum()),
    (np.inf, None, abs(X).max()),
    (3, 1, (abs(X) ** 3).sum(1) ** (1 / 3)),
    (2, 0, np.linalg.norm(X, axis=0)),
    ("fro", [0, 1], np.linalg.norm(X, "fro")),
    (1, (0, 1), np.linalg.norm(X, 1)),
    (np.inf, (-2, -1), np.linalg.norm(X, np.inf)),
]


@pytest.mark.parametrize(("order", "axis", "expected"), NORMS)
def test_norm(order, axis, expected):
    flat, kept = evaluate([tf.norm(X, order, axis), tf.norm(X, order, axis, keepdims=True)])
    np.testing.assert_allclose(flat, expected, rtol=1e-12)
    assert flat.shape == np.shape(expected) and kept.ndim == 2


def test_norm_errors():
    for arguments in ((X, "fro"), (X, -1, 0), (X, "nuc", (0, 1)), (X, 1, (1, 1)), (X, 1, 0.5)):
        with pytest.raises(ValueError, match="'ord' must be|'axis' must be"):
            tf.norm(*arguments)


def test_trace():
    stack = np.arange(18.0).reshape(2, 3, 3)
    trace = tf.trace(stack, name="t")
    assert trace.op.name == "t"
    np.testing.assert_array_equal(evaluate([trace])[0], [12, 39])


def test_random_crop():
    image = np.arange(6 * 7 * 3).reshape(6, 7, 3)
    crop = tf.random_crop(image, [3, 4, 3], seed=1)
    assert crop.shape.as_list() == [3, 4, 3] and crop.op.name == "random_crop"
    places = set()
    with tf.Session() as sess:
        for _ in range(40):
            piece = sess.run(crop)
            row, column, channel = np.unravel_index(piece[0, 0, 0], image.shape)
            np.testing.assert_array_equal(piece, image[row : row + 3, column : column + 4])
            places.add((row, column, channel))
        assert len(places) > 5
        size = tf.placeholder(tf.int32, [3])
        with pytest.raises(tf.errors.InvalidArgumentError, match="random_crop_1"):
            sess.run(tf.random_crop(image, size), {size: [3, 8, 3]})


def test_arg_max_and_arg_min():
    most, least = evaluate([tf.arg_max(X, 1), tf.arg_min(X, dimension=0)])
    np.testing.assert_array_equal(most, X.argmax(1))
    np.testing.assert_array_equal(least, X.argmin(0))


def test_first_lines_of_programs():
    tf.disable_v2_behavior()
    tf.disable_eager_execution()
    assert not tf.executing_eagerly()
    summary = tf.Summary(value=[tf.Summary.Value(tag="t", simple_value=2.0)])
    assert summary.value[0].simple_value == 2.0
    with pytest.raises(AttributeError, match="no attribute 'Sumary'"):
        tf.Sumary  # noqa: B018
