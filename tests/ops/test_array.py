"""Array ops: values against numpy, static shapes, names, gradients, errors."""

import numpy as np
import pytest

import tfc as tf
from tests.ops.evaluate import evaluate
from tests.ops.gradcheck import check_gradient

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
R = np.random.RandomState(3)


pytestmark = pytest.mark.usefixtures("fresh_graph")


def same(tensor, expected, feeds=None):
    (value,) = evaluate([tensor], feeds)
    expected = np.asarray(expected)
    assert value.shape == expected.shape and value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected)
    if tensor.get_shape().is_fully_defined():
        assert tensor.get_shape().as_list() == list(value.shape)


SLICES = {
    "first": np.s_[0],
    "last": np.s_[-1],
    "range": np.s_[:, 1:3],
    "negative stride": np.s_[::-1, ::-2],
    "stride": np.s_[:, ::2, 1::2],
    "ellipsis": np.s_[..., 1],
    "ellipsis in the middle": np.s_[0, ..., 1:3],
    "new axes": np.s_[None, :, None, 1, ..., None],
    "empty": np.s_[:, 2:1],
    "beyond": np.s_[:, -100:100],
    "scalar": np.s_[1, 2, 3],
    "all": np.s_[...],
}


@pytest.mark.parametrize("index", SLICES.values(), ids=SLICES.keys())
@pytest.mark.parametrize("shape", [A.shape, (None, None, None), None], ids=str)
def test_getitem(index, shape):
    x = tf.placeholder(tf.float32, shape)
    same(x[index], A[index], {x: A})


@pytest.mark.parametrize("index", SLICES.values(), ids=SLICES.keys())
def test_getitem_gradient(index):
    check_gradient(lambda x: x[index], R.standard_normal(A.shape))


def test_getitem_by_tensors():
    x, i = tf.placeholder(tf.float32, A.shape), tf.placeholder(tf.int32, [])
    for at in (-3, 0, 2):
        same(x[:, i], A[:, at], {x: A, i: at})
        same(x[:, i, 1:3], A[:, at, 1:3], {x: A, i: at})
    same(x[:, i:], A[:, 1:], {x: A, i: 1})
    (grad,) = tf.gradients(x[:, i, 1:3], x)
    expected = np.zeros_like(A)
    expected[:, 2, 1:3] = 1
    same(grad, expected, {x: A, i: -1})


def test_computed_index_out_of_range_is_reported():
    x, i = tf.constant(A), tf.placeholder(tf.int32, [])
    y = x[:, i]
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {i: 2}), A[:, 2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="slice index 3 of dimension 1"):
            sess.run(y, {i: 3})


def test_getitem_names_and_errors():
    x = tf.placeholder(tf.float32, [4, 3], name="x")
    y = x[1:, 2]
    assert y.op.type == "StridedSlice"
    assert [t.name for t in y.op.inputs] == [
        "x:0",
        "strided_slice/stack:0",
        "strided_slice/stack_1:0",
        "strided_slice/stack_2:0",
    ]
    with pytest.raises(TypeError, match="valid indices, got 1.5"):
        x[1.5]
    with pytest.raises(ValueError, match="Index out of range using input dim 2"):
        x[0, 0, 0]
    with pytest.raises(ValueError, match="slice index 9 of dimension 0 out of bounds"):
        x[9]


def test_reshape():
    x = tf.placeholder(tf.float32)
    same(tf.reshape(x, [-1, 6]), A.reshape(-1, 6), {x: A})
    same(tf.reshape(tf.constant(A), [4, -1]), A.reshape(4, -1))
    same(tf.reshape(tf.constant([[1]]), []), np.int32(1))
    batch = tf.placeholder(tf.float32, [None, 3, 4])
    flat = tf.reshape(batch, [tf.shape(batch)[0], 12])
    assert flat.get_shape().as_list() == [None, 12]
    same(flat, A.reshape(2, 12), {batch: A})
    with pytest.raises(
        ValueError, match=r"Cannot reshape a tensor with 24 elements to shape \[5\]"
    ):
        tf.reshape(tf.constant(A), [5])
    with (
        tf.Session() as sess,
        pytest.raises(tf.errors.InvalidArgumentError, match="requires a multiple of 7"),
    ):
        sess.run(tf.reshape(x, [-1, 7]), {x: A})


def test_shapes_and_constants():
    x = tf.placeholder(tf.float32, [2, None])
    assert tf.shape(x).op.type == "Shape" and tf.rank(x).op.type == "Const"
    assert tf.shape(tf.constant(A)).op.type == "Const"
    assert tf.zeros(5).get_shape().as_list() == [5]
    assert tf.zeros([2, 3]).op.type == "Const" and tf.zeros([100, 100]).op.type == "Fill"
    same(tf.shape(x), np.int32([2, 7]), {x: np.ones((2, 7))})
    same(tf.size(x, out_type=tf.int64), np.int64(14), {x: np.ones((2, 7))})
    same(tf.fill([2, 2], 3.0), np.full((2, 2), 3, np.float32))
    same(tf.ones_like(x, dtype=tf.int32), np.ones((2, 1), np.int32), {x: [[1], [2]]})
    same(tf.constant([1, 2], shape=[2, 2]), np.int32([[1, 2], [2, 2]]))
    with pytest.raises(TypeError, match="Expected int32"):
        tf.constant(1.5, tf.int32)


def test_transpose_and_friends():
    x = tf.placeholder(tf.float32)
    same(tf.transpose(x), A.T, {x: A})
    same(tf.transpose(x, [1, 2, 0]), A.transpose(1, 2, 0), {x: A})
    same(tf.expand_dims(x, -1), A[..., None], {x: A})
    same(tf.squeeze(x, [1]), A[:, :1].squeeze(1), {x: A[:, :1]})
    same(tf.invert_permutation([2, 0, 1]), np.int32([1, 2, 0]))
    same(tf.broadcast_to(x, [5, 2, 3, 4]), np.broadcast_to(A, (5, 2, 3, 4)), {x: A})
    with tf.Session() as sess:
        p = tf.placeholder(tf.int32, [3])
        with pytest.raises(tf.errors.InvalidArgumentError, match="1 is duplicated"):
            sess.run(tf.invert_permutation(p), {p: [0, 1, 1]})


def test_join_and_part():
    x, y = tf.placeholder(tf.float32, [2, None, 4]), tf.constant(A)
    joined = tf.concat([x, y], 1)
    assert joined.get_shape().as_list() == [2, None, 4]
    same(joined, np.concatenate([A[:, :1], A], 1), {x: A[:, :1]})
    same(tf.stack([y, y + 1.0], axis=-1), np.stack([A, A + 1], -1))
    for got, want in zip(tf.unstack(y, axis=1), A.transpose(1, 0, 2), strict=True):
        same(got, want)
    for got, want in zip(tf.split(y, [1, -1], 2), np.split(A, [1], 2), strict=True):
        same(got, want)
    same(tf.tile(y, [2, 1, 3]), np.tile(A, (2, 1, 3)))
    with pytest.raises(ValueError, match="must be equal, but are 3 and 2"):
        tf.concat([y, tf.zeros([2, 2, 4])], 0)


@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "SYMMETRIC"])
def test_pad(mode):
    pads = [[1, 1], [0, 2], [3, 0]]
    numpy_mode = {"CONSTANT": "constant", "REFLECT": "reflect", "SYMMETRIC": "symmetric"}[mode]
    same(tf.pad(tf.constant(A), pads, mode), np.pad(A, pads, numpy_mode))
    check_gradient(lambda x: tf.pad(x, pads, mode), R.standard_normal(A.shape))


GRADIENTS = {
    "reshape": lambda x: tf.reshape(x, [-1, 2]),
    "transpose": lambda x: tf.transpose(x, [2, 0, 1]),
    "concat": lambda x: tf.concat([x, x * 2.0, x], 1),
    "stack": lambda x: tf.stack([x, x * x], 1),
    "unstack": lambda x: tf.unstack(x, axis=2)[1],
    "split": lambda x: tf.split(x, [1, 2], 1)[1],
    "tile": lambda x: tf.tile(x, [2, 1, 3]),
    "slice": lambda x: tf.slice(x, [0, 1, 2], [2, -1, 1]),
    "gather": lambda x: tf.gather(x, [1, 1, 0]),
    "gather axis": lambda x: tf.gather(x, [[0, 2], [2, 2]], axis=1),
    "gather batch": lambda x: tf.gather(x, [[0, 2], [2, 2]], axis=1, batch_dims=1),
    "gather_nd": lambda x: tf.gather_nd(x, [[0, 1], [1, 2], [0, 1]]),
    "scatter_nd": lambda x: tf.scatter_nd([[2], [2]], x, [3, 3, 4]),
    "boolean_mask": lambda x: tf.boolean_mask(x, [[True, False, True], [False, True, True]]),
    "broadcast_to": lambda x: tf.broadcast_to(x, [3, 2, 3, 4]),
    "reverse": lambda x: tf.reverse(x, [0, -1]),
    "reverse_sequence": lambda x: tf.reverse_sequence(x, [2, 3], 1),
    "roll": lambda x: tf.roll(x, [1, -2], [0, 2]),
    "matrix_diag": lambda x: tf.matrix_diag(x),
    "matrix_diag_part": lambda x: tf.matrix_diag_part(x),
    "matrix_band_part": lambda x: tf.matrix_band_part(x, 1, 0),
    "top_k": lambda x: tf.nn.top_k(x, 2)[0],
    "space_to_depth": lambda x: tf.space_to_depth(tf.reshape(x, [1, 2, 4, 3]), 2),
    "repeat": lambda x: tf.repeat(x, [1, 0, 2], axis=1),
}


@pytest.mark.parametrize("build", GRADIENTS.values(), ids=GRADIENTS.keys())
def test_gradient(build):
    check_gradient(build, R.standard_normal(A.shape))


def test_gather_reports_the_index():
    ids = tf.placeholder(tf.int32)
    y = tf.gather(tf.constant(A[0]), ids)
    with tf.Session() as sess:
        same(y, A[0][[2, 0]], {ids: [2, 0]})
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"indices\[1,0\] = 3 is not in \[0, 3\)"
        ):
            sess.run(y, {ids: [[0, 1], [3, 2]]})


def test_gather_gradient_is_sparse():
    params = tf.placeholder(tf.float32, [5, 2])
    (grad,) = tf.gradients(tf.gather(params, [3, 3, 0]), params)
    assert isinstance(grad, tf.IndexedSlices)
    dense = np.zeros((5, 2), np.float32)
    dense[[3, 0]] = [[2, 2], [1, 1]]
    same(tf.convert_to_tensor(grad), dense)


def test_one_hot_and_masks():
    same(tf.one_hot([0, 2, -1], 3), np.float32([[1, 0, 0], [0, 0, 1], [0, 0, 0]]))
    same(tf.one_hot([1, 0], 2, 5, -1, axis=0), np.int32([[-1, 5], [5, -1]]))
    same(tf.sequence_mask([1, 3]), [[True, False, False], [True, True, True]])
    same(tf.eye(2, 3), np.eye(2, 3, dtype=np.float32))
    got = evaluate(tf.meshgrid([1, 2, 3], [4, 5]))
    for value, want in zip(got, np.meshgrid([1, 2, 3], [4, 5]), strict=True):
        np.testing.assert_array_equal(value, want)


def test_strings_take_the_host_path():
    x = tf.constant([["a", "bc"], ["", "d"]])
    same(tf.transpose(x), np.array([[b"a", b""], [b"bc", b"d"]], object))
    same(tf.reshape(tf.concat([x, x], 0), [-1])[3:5], np.array([b"d", b"a"], object))
    same(tf.string_join([x, "-"]), np.array([[b"a-", b"bc-"], [b"-", b"d-"]], object))
    same(tf.as_string([1.5, -2.0]), np.array([b"1.500000", b"-2.000000"], object))
    same(tf.string_to_number(["3", "-2.5"]), np.float32([3, -2.5]))


def test_py_func():
    x = tf.placeholder(tf.float32, [2])
    y = tf.py_func(lambda a: a * np.float32(3), [x], tf.float32)
    same(y + 1.0, np.float32([4, 7]), {x: [1, 2]})
    wrong = tf.py_func(lambda a: np.float64(1), [x], tf.float32)
    with (
        tf.Session() as sess,
        pytest.raises(tf.errors.InvalidArgumentError, match="is double, but expects float"),
    ):
        sess.run(wrong, {x: [1, 2]})


@pytest.mark.parametrize("begin", [[0, 0], [0, 2], [None, 1]])
def test_shape_of_a_slice_whose_sizes_are_known_in_part(begin):
    """Where it begins does not matter; a size that is not known may stand for the rest."""
    x, n = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int32, [])
    begin = [n if b is None else b for b in begin]
    assert tf.slice(x, begin, [n, 2]).shape.as_list() == [None, 2]
    assert tf.slice(x, begin, [tf.shape(x)[0], 2]).shape.as_list() == [None, 2]
    assert tf.slice(x, begin, [3, n]).shape.as_list() == [3, None]
    assert tf.slice(x, begin, [n, -1]).shape.as_list() == [None, None]
    free = tf.placeholder(tf.float32)
    assert tf.slice(free, begin, [n, 2]).shape.as_list() == [None, 2]
    sizes = tf.placeholder(tf.int32, [2])
    assert tf.slice(x, begin, sizes).shape.as_list() == [None, None]
    with tf.Session() as session:
        got = session.run(tf.slice(x, [1, 1], [n, 2]), {x: np.arange(12.0).reshape(3, 4), n: 2})
    np.testing.assert_array_equal(got, [[5, 6], [9, 10]])
