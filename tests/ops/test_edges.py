"""Shapes, dtypes and arguments at the edge of what ops take; values are TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf


def run(fetch: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetch, feed)


def test_several_outputs_are_a_named_tuple() -> None:
    top = tf.nn.top_k([1.0, 3.0, 2.0], 2)
    assert type(top).__name__ == "TopKV2" and top._fields == ("values", "indices")
    assert run(top.values).tolist() == [3.0, 2.0] and run(top.indices).tolist() == [1, 2]
    assert tf.unique([1])._fields == ("y", "idx")
    assert tf.unique_with_counts([1])._fields == ("y", "idx", "count")
    assert tf.setdiff1d([1], [2])._fields == ("out", "idx")
    assert tf.linalg.lu(np.eye(2)).p.get_shape().as_list() == [2]
    fetched = run(top)
    assert fetched.values.tolist() == [3.0, 2.0]


def test_shifts_are_clamped() -> None:
    x = tf.constant([7, -7, 7, 1, 6], tf.int8)
    by = tf.constant([-3, -1, 2, 9, 100], tf.int8)
    assert run(tf.bitwise.left_shift(x, by)).tolist() == [7, -7, 28, -128, 0]
    assert run(tf.bitwise.right_shift(x, by)).tolist() == [7, -7, 1, 0, 0]
    wide = tf.bitwise.left_shift(np.array([1], np.uint64), np.array([70], np.uint64))
    assert run(wide).tolist() == [2**63]


def test_unsigned_numbers_and_infinities_in_order() -> None:
    falls = tf.constant([3, 2, 1], tf.uint8)
    assert not run(tf.is_non_decreasing(falls)) and not run(tf.is_strictly_increasing(falls))
    assert run(tf.is_non_decreasing([1.0, np.inf, np.inf]))
    assert not run(tf.is_non_decreasing([1.0, np.nan]))


def test_inferred_shapes_are_no_more_than_what_is_known() -> None:
    x = tf.placeholder(tf.float32)
    assert tf.transpose(x, [0]).get_shape().ndims is None
    assert tf.transpose(x, [1, 0]).get_shape().as_list() == [None, None]
    matrix, axis = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.int32, [])
    assert tf.expand_dims(matrix, axis).get_shape().ndims is None
    unknown = tf.placeholder(tf.float32, [None, None])
    rows = tf.where(tf.constant([True, False]), unknown, unknown)
    assert rows.get_shape().as_list() == [None, None]
    image = tf.placeholder(tf.float32, [1, None, 4, 1])
    half = tf.image.resize_bilinear(image, [tf.shape(image)[1], 5])
    assert half.get_shape().as_list() == [1, None, None, 1]
    taken = tf.batch_gather(unknown, [[0], [1]])
    assert taken.get_shape().as_list() == [2, 1]


def test_complex_numbers_normalized_in_double() -> None:
    z = np.array([3.0 + 4.0j, 0.0], np.complex128)
    np.testing.assert_allclose(run(tf.nn.l2_normalize(z, 0)), z / 5.0, rtol=1e-14)


def test_strings_are_shuffled_as_numbers_are() -> None:
    words = tf.constant([b"a", b"b", b"c", b"d", b"e"])
    order = run(tf.random_shuffle(tf.range(5), seed=7))
    assert run(tf.random_shuffle(words, seed=7)).tolist() == [b"abcde"[i : i + 1] for i in order]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([np.float64(1.5), 2.5], "float32"),
        ([np.int64(3)], "int32"),
        ([np.int64(2**40)], "int64"),
        ([np.float32(1), np.float64(2.5)], "float32"),
        ([np.int32(1), 2.5], "float32"),
        ([np.uint8(1), 2], "int32"),
        ([np.uint8(1)], "uint8"),
        ([np.float16(1)], "float16"),
        ([np.array(1.5), 2.5], "float32"),
        (np.float64(1.5), "float64"),
        (np.array([1.5]), "float64"),
        ([1, True], "int32"),
    ],
)
def test_lists_of_numpy_scalars_are_lists_of_numbers(value: Any, dtype: str) -> None:
    tensor = tf.constant(value)
    assert tensor.dtype.name == dtype
    np.testing.assert_array_equal(run(tensor), np.asarray(value))


def test_shape_size_and_rank_of_sparse_tensors() -> None:
    sparse = tf.SparseTensor([[0, 1]], [1.0], [3, 4])
    shape, size, rank = run([tf.shape(sparse), tf.size(sparse), tf.rank(sparse)])
    assert shape.tolist() == [3, 4] and shape.dtype == np.int32
    assert size == 12 and rank == 2
    assert tf.shape(sparse, out_type=tf.int64).dtype == tf.int64


def test_shapes_that_constant_strings_decide() -> None:
    pieces = tf.string_split(["a b c", "d"])
    dense = tf.sparse_tensor_to_dense(pieces, default_value="")
    assert dense.get_shape().as_list() == [2, 3]
    lengths = tf.sequence_mask(tf.strings.length(["a", "abc"]))
    assert lengths.get_shape().as_list() == [2, 3]


def test_channels_tell_no_shape() -> None:
    x = tf.placeholder(tf.float32, [None, None])
    rounded = tf.fake_quant_with_min_max_vars_per_channel(x, [-1.0] * 4, [1.0] * 4)
    assert rounded.get_shape().as_list() == [None, None]
    with pytest.raises(ValueError, match="must be equal, but are 3 and 4"):
        tf.fake_quant_with_min_max_vars_per_channel(tf.zeros([2, 3]), [-1.0] * 4, [1.0] * 4)


def test_names_of_parts() -> None:
    with tf.Graph().as_default() as graph:
        assert tf.scalar_mul(2.0, tf.zeros([2])).name == "Mul:0"
        parts = tf.split(tf.zeros([4]), [1, 3])
        assert parts[1].name == "split:1" and parts[0].op.inputs[1].name == "Const:0"
        tf.count_nonzero([1])
        assert graph.get_operation_by_name("count_nonzero/Cast").type == "Cast"


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: tf.concat([tf.constant(1), 2], 0), ValueError, "Can't concatenate scalars"),
        (lambda: tf.concat([[1], [2]], 1), ValueError, "at least rank 2 but is rank 1"),
        (lambda: tf.split(tf.zeros([4]), 2, 1), ValueError, r"input 1 must be in range \[-1, 1\)"),
        (
            lambda: tf.unsorted_segment_sum(tf.zeros([2]), [0, 1], -2),
            ValueError,
            "given by scalar input 2, must be non-negative but is -2",
        ),
        (lambda: tf.nn.top_k([1.0], -1), ValueError, "must be non-negative but is -1"),
        (lambda: tf.multinomial([[1.0]], -1), ValueError, "must be non-negative but is -1"),
        (lambda: tf.reduce_join(["a"], 3), ValueError, "Invalid reduction dimension 3 for input"),
        (lambda: tf.sort([1.0], direction="UP"), ValueError, "one of ASCENDING, DESCENDING"),
        (lambda: tf.expand_dims([1.0]), ValueError, "Must specify an axis argument"),
        (lambda: tf.constant(1, name=3), TypeError, "is a string"),
        (lambda: tf.floordiv(1, tf.constant(1.5)), TypeError, "'y' of 'FloorDiv' Op has type"),
        (lambda: tf.split([1, 2], tf.constant(2)), ValueError, "Rank-0 tensors are not supported"),
        (lambda: tf.matmul([[1]], [[1.0]]), TypeError, "'b' of 'MatMul' Op has type float32 that"),
        (lambda: tf.reduce_sum(tf.zeros([2]), [[0]]), ValueError, "at most rank 1 but is rank 2"),
        (lambda: tf.argmax(tf.zeros([2]), [0]), ValueError, "must be rank 0 but is rank 1"),
        (lambda: tf.split(tf.zeros([4]), [1, 3], num=3), ValueError, "Length of size_splits"),
        (lambda: tf.split(tf.zeros([4]), 1.5), ValueError, "Rank-0 tensors are not supported"),
        (lambda: tf.constant([None], tf.float32), TypeError, "Expected float32"),
        (lambda: tf.zeros([None]), TypeError, "Expected int32"),
        (lambda: tf.constant(tf.constant(1)), TypeError, "got a tensor instead"),
        (lambda: tf.constant(1, shape=[None]), TypeError, "known shape"),
        (lambda: tf.constant(1, name=""), ValueError, "not a valid node name"),
        (lambda: tf.Assert(False, "a"), TypeError, "Expected list for 'data'"),
        (lambda: tf.batch_gather(tf.zeros([2, 3]), [[0]]), ValueError, "must be equal"),
        (
            lambda: tf.random_uniform([2], 0, [1, 2], tf.int32),
            ValueError,
            "maxval must be a scalar",
        ),
    ],
)
def test_arguments_that_do_not_fit(build: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "fed", "error", "message"),
    [
        (
            lambda x: tf.setdiff1d(x, [1.0]),
            [[1.0]],
            "InvalidArgumentError",
            "x should be a 1D vector",
        ),
        (lambda x: tf.unique(x), [[1.0]], "InvalidArgumentError", "1D vector|rank 1|1-D"),
        (lambda x: tf.cross(x, x), [1.0, 2.0], "FailedPreconditionError", "3-element vectors"),
        (lambda x: tf.cumsum(x, tf.to_int32(x)), [0.0], "InvalidArgumentError", "be a scalar"),
        (
            lambda x: tf.split(tf.zeros([4]), tf.to_int32(x), num=2),
            [1.0, 2.0, 1.0],
            "InvalidArgumentError",
            "same elements as outputs got 1 -D and 3 elements",
        ),
    ],
)
def test_shapes_known_when_run(build: Any, fed: Any, error: str, message: str) -> None:
    x = tf.placeholder(tf.float32)
    with pytest.raises(getattr(tf.errors, error), match=message):
        run(build(x), {x: fed})


def test_more_arguments_known_when_run() -> None:
    x, ids = tf.placeholder(tf.float32), tf.placeholder(tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="concatenate scalars"):
        run(tf.concat([x, x], 0), {x: 1.0})
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_segments == -1 must not be neg"):
        run(tf.unsorted_segment_max(x, [0, 1], ids), {x: [1.0, 2.0], ids: -1})
    with pytest.raises(tf.errors.InvalidArgumentError, match="expects a 1D vector"):
        run(tf.invert_permutation(ids), {ids: [[0]]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be a scalar, but it has shape"):
        run(tf.Assert(x > 0, [x]), {x: [1.0, 2.0]})


def test_shapes_of_strings_known_when_run() -> None:
    x = tf.placeholder(tf.string)
    with pytest.raises(tf.errors.InvalidArgumentError, match="input must be a vector, got shape"):
        run(tf.string_split(x), {x: [["a b"]]})
    with pytest.raises(tf.errors.OutOfRangeError, match="Invalid reduction dimension 2"):
        run(tf.reduce_join(x, 2), {x: ["a"]})


def test_errors_of_functions_are_told_by_their_kind() -> None:
    def end(x: Any) -> Any:
        raise tf.errors.OutOfRangeError(None, None, "nothing left")

    with pytest.raises(tf.errors.UnknownError, match="OutOfRangeError.*nothing left"):
        run(tf.py_func(end, [1.0], tf.float32))


def test_what_is_not_fetchable() -> None:
    x = tf.constant(1.0, name="hidden")
    x.graph.prevent_fetching(x.op)
    with pytest.raises(ValueError, match="'hidden' has been marked as not fetchable"):
        run(x)


def test_what_is_fed_and_fetched_is_an_array() -> None:
    text, number = tf.placeholder(tf.string), tf.placeholder(tf.int32)
    feed = {text: "abc", number: 3}
    words, same, one, more = run([text, tf.identity(text), number, number + 1], feed)
    assert isinstance(words, np.ndarray) and words.shape == () and words.item() == "abc"
    assert same == b"abc"
    assert isinstance(one, np.ndarray) and isinstance(more, np.int32)


def test_imaginary_parts_of_real_things() -> None:
    assert run(tf.imag(tf.constant([True]))).tolist() == [False]


def test_extents_that_32_bits_do_not_hold() -> None:
    x = tf.placeholder(tf.float32, [None, None])
    feed = {x: np.empty((0, 2**31), np.float32)}
    assert run(tf.shape(x, out_type=tf.int64), feed).tolist() == [0, 2**31]
    with pytest.raises(tf.errors.InvalidArgumentError, match="32-bit  but dim 1 is 2147483648"):
        run(tf.shape(x), feed)
    with pytest.raises(tf.errors.InvalidArgumentError, match="shape 0 dim 1 is 2147483648"):
        run(tf.shape_n([x, x]), feed)
