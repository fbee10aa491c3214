"""What kernels and shape functions say, and the shapes of the empty and the half known."""

import numpy as np
import pytest

import tfc as tf

INVALID = tf.errors.InvalidArgumentError


def _run(fetches, feed=None):
    with tf.Session() as session:
        return session.run(fetches, feed)


@pytest.mark.parametrize(
    ("have", "wanted", "found"),
    [
        ((0, 6), [0, -1, 3], (0, 2, 3)),
        ((2, 0, 3), [-1, 0], (6, 0)),
        ((3, 0), [-1, 0, 3], (1, 0, 3)),
        ((5, 0), [0, 2, -1], (0, 2, 2)),
        ((3, 0), [2, -1], (2, 0)),
    ],
)
def test_an_empty_reshape_infers_from_the_extents_that_are_not_zero(have, wanted, found):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32)
        known = tf.reshape(tf.zeros(have), wanted)
        assert known.shape.is_compatible_with(found)
        both = _run([known, tf.reshape(x, wanted)], {x: np.zeros(have)})
    assert [v.shape for v in both] == [found, found]


def test_paddings_of_which_a_part_is_known():
    with tf.Graph().as_default():
        n, x = tf.placeholder(tf.int32), tf.zeros([4, 4])
        assert tf.pad(x, [[1, 2], n]).shape.as_list() == [7, None]
        assert tf.pad(x, [[n, 0], [tf.constant(1), 2]]).shape.as_list() == [None, 7]
        assert tf.pad(tf.placeholder(tf.float32, [None, 2]), [[1, 1], [0, 1]]).shape[1] == 3
        assert tf.pad(x, tf.stack([tf.constant([1, 1]), n])).shape.as_list() == [6, None]


def test_strings_are_mirrored():
    with tf.Graph().as_default():
        text = tf.constant([["a", "b"], ["c", "d"]])
        reflect = _run(tf.pad(text, [[1, 0], [0, 1]], "REFLECT"))
        symmetric = _run(tf.pad(text, [[0, 0], [0, 2]], "SYMMETRIC"))
    assert reflect.tolist() == [[b"c", b"d", b"c"], [b"a", b"b", b"a"], [b"c", b"d", b"c"]]
    assert symmetric.tolist() == [[b"a", b"b", b"b", b"a"], [b"c", b"d", b"d", b"c"]]


@pytest.mark.parametrize(
    ("axis", "shapes", "message"),
    [
        (4, [[2, 3, 5], [2, 7, 5]], "Concat dim is out of range: 4 vs. 3"),
        (1, [[2, 3, 5], [2, 7, 5, 10]], "input 1 should contain 3 elements, but got 4"),
        (1, [[[2, 3, 5]], [[2, 7, 5]]], "input 1 should be a vector"),
        (
            -2,
            [[2, 3, 5], [2, 7, 4]],
            r"All dimensions except 1 must match. Input 1 has shape \[2 7",
        ),
    ],
)
def test_offsets_of_what_cannot_be_joined(axis, shapes, message):
    with tf.Graph().as_default():
        offsets = tf.raw_ops.ConcatOffset(concat_dim=axis, shape=shapes)
        with pytest.raises(INVALID, match=message):
            _run(offsets)


def test_errors_that_the_graph_finds():
    with tf.Graph().as_default():
        some = tf.placeholder(tf.int32)
        with pytest.raises(ValueError, match="Can't concatenate scalars"):
            tf.concat([1, 2], some)
        with pytest.raises(ValueError, match="Cannot infer num from shape"):
            tf.split([1, 2, 3], tf.placeholder(tf.int32, [None]))
        with pytest.raises(ValueError, match="should evenly divide"):
            tf.split([1, 2, 3, 4], 3)
        with pytest.raises(ValueError, match="are incompatible"):
            tf.boolean_mask([1, 2], [True, False, True])
        with pytest.raises(ValueError, match="Cannot bitcast due to shape"):
            tf.bitcast(np.zeros([1, 1], np.int8), tf.int32)
        with pytest.raises(tf.errors.OperatorNotAllowedInGraphError, match="iterating over `tf"):
            iter(tf.zeros([2]))


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (r"\p{Ll}", ".B.Ä.1_"),
        (r"\pL", ".....1_"),
        (r"[\p{Lu}1]", "a.c.ö._"),
        (r"\PL", "aBcÄö.."),
        (r"[^\p{Ll}]", "a.c.ö.."),
        (r"\p{^Lu}", ".B.Ä..."),
        (r"\P{^Pc}", "aBcÄö1."),
    ],
)
def test_categories_of_characters_in_patterns(pattern, wanted):
    with tf.Graph().as_default():
        assert _run(tf.regex_replace("aBcÄö1_", pattern, ".")).decode() == wanted


@pytest.mark.parametrize("pattern", [r"\p{Xx}", r"\p{Lu", r"\p", r"[\p{}]"])
def test_categories_that_are_none(pattern):
    with tf.Graph().as_default(), pytest.raises(INVALID, match="invalid character class range"):
        _run(tf.regex_replace("a", pattern, "."))


def test_records_of_other_types_and_lengths():
    feature = tf.train.Feature
    floats = feature(float_list=tf.train.FloatList(value=[1, 2]))
    numbers = feature(int64_list=tf.train.Int64List(value=[0, 3]))
    example = tf.train.Example(
        features=tf.train.Features(feature={"a": floats, "n": numbers})
    ).SerializeToString()
    with tf.Graph().as_default():

        def fails(wanted, message):
            with pytest.raises(INVALID, match=message):
                _run(tf.parse_example([example], {"a": wanted}, example_names=["one"]))

        fails(
            tf.FixedLenFeature([3], tf.float32),
            r"Name: one, Key: a, Index: 0.  Number of float values != expected",
        )
        fails(
            tf.VarLenFeature(tf.int64),
            "Key: a, Index: 0.  Data types don't match. Data type: float but expected type: int64",
        )
        with pytest.raises(INVALID, match=r"Feature: c \(data type: float\) is required"):
            _run(tf.parse_example([example], {"c": tf.FixedLenFeature([1], tf.float32)}))
        joined = tf.SparseFeature("n", "a", tf.float32, 5)
        both = tf.parse_example([example], {"n": tf.VarLenFeature(tf.int64), "s": joined})
        assert sorted(both) == ["n", "s"]
        found = _run(both)
    assert found["n"].values.tolist() == [0, 3]
    assert found["s"].indices.tolist() == [[0, 0], [0, 3]]


def test_raw_bytes_and_messages_that_are_none():
    with tf.Graph().as_default():
        with pytest.raises(INVALID, match="but element 1 has size 1 != 2"):
            _run(tf.decode_raw(["a", "bc"], tf.uint8))
        with pytest.raises(INVALID, match="as TensorProto: 'bogus'"):
            _run(tf.parse_tensor("bogus", tf.float32))
        with pytest.raises(INVALID, match="not a valid float: x"):
            _run(tf.decode_csv("x", [[1.0]]))


def _fails(message, make, error=INVALID):
    with tf.Graph().as_default(), pytest.raises(error, match=message):
        _run(make())


def test_places_in_messages():
    _fails(r"partitions\[0,1\] = 17 is not in \[0, 7\)", lambda: tf.dynamic_partition(
        [[1.0, 2.0]], [[0, 17]], 7))  # fmt: skip
    _fails(r"partitions = 17 is not in \[0, 7\)", lambda: tf.dynamic_partition(1.0, 17, 7))
    _fails(r"segment_ids\[0,1\] = 2 is out of range \[0, 2\)", lambda: tf.unsorted_segment_sum(
        [[1.0, 2.0]], [[0, 2]], 2))  # fmt: skip
    _fails(r"indices\[1\] = \[1\] is repeated", lambda: tf.sparse_to_dense([1, 1], [5], 1.0))
    _fails(r"indices\[1\] = \[0, 3\] is out of order", lambda: tf.sparse_to_dense(
        [[2, 1], [0, 3]], [5, 5], 1.0))  # fmt: skip
    _fails("params is empty", lambda: tf.gather_nd(tf.zeros([0, 3]), [[0, 0]]))
    _fails(
        "input must be 1-D or higher", lambda: tf.roll(tf.placeholder_with_default(1, None), 1, 0)
    )


def test_places_of_a_variable_in_messages():
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable([[1.0] * 6])
        session.run(v.initializer)
        with pytest.raises(INVALID, match=r"indices\[1\] = \[0, -1\] does not index into shape"):
            session.run(tf.scatter_nd_update(v, [[0, 0], [0, -1]], [1.0, 1.0]))
        with pytest.raises(INVALID, match=r"indices\[0,1\] = 4 is not in \[0, 1\)"):
            session.run(tf.scatter_update(v, [[0, 4]], [[[1.0] * 6] * 2]))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([-1, 0, 0], r"Segment id -1 out of range \[0, 1\), possibly because"),
        ([0, 1, 2, 0], r"Segment id 1 out of range \[0, 1\), possibly because"),
        ([0, 1, 0], "segment ids are not increasing"),
        ([2, 1, 5], "segment ids are not increasing"),
        ([0, 0, -1], "segment ids must be >= 0"),
    ],
)
def test_segments_that_are_none(ids, message):
    _fails(message, lambda: tf.segment_sum([1.0] * len(ids), ids))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([-1, 0, 0], r"Segment id -1 out of range \[0, 1\), possibly because"),
        ([0, 1, 0], "segment ids are not increasing"),
        ([0, 0, -1], "segment ids must be >= 0"),
    ],
)
def test_fed_segments_that_are_none(ids, message):
    _fails(message, lambda: tf.segment_sum([1.0] * 3, tf.placeholder_with_default(ids, [3])))


def test_what_assertions_say_of_constants():
    _fails("x < 0 did not hold element-wise", lambda: tf.assert_negative([0]))
    _fails("x <= 0 did not hold", lambda: tf.assert_non_positive([0, 2]))
    _fails(r"(?s)odd.*x == y did not hold.*\[3\]", lambda: tf.assert_equal([3], [2], message="odd"))


def test_shared_axes_of_gather_nd():
    with tf.Graph().as_default():
        x = tf.constant([[1, 2, 3], [4, 5, 6]])
        assert _run(tf.gather_nd(x, [[2], [0]], batch_dims=tf.constant(1))).tolist() == [3, 4]
        for wrong in (-1, 2):
            with pytest.raises(ValueError, match="batch_dims"):
                tf.gather_nd(x, [[2], [0]], batch_dims=wrong)
        with pytest.raises(TypeError, match="batch_dims"):
            tf.gather_nd(x, [[2], [0]], batch_dims=tf.constant([0, 1]))


def test_negative_paddings_of_batches():
    for pad in (lambda p: tf.space_to_batch_nd(tf.zeros([1, 2, 2]), [2], p),
                lambda p: tf.batch_to_space_nd(tf.zeros([2, 2, 2]), [2], p)):  # fmt: skip
        with tf.Graph().as_default():
            with pytest.raises(ValueError, match="cannot be negative"):
                pad([[-1, 1]])
            later = tf.placeholder(tf.int32, [1, 2])
            with pytest.raises(INVALID, match="non-negative"):
                _run(pad(later), {later: [[-1, 1]]})


def test_the_gradient_of_a_slice_of_a_sparse_tensor_beyond_its_end():
    places = np.array([[0, 2], [0, 4], [1, 3], [1, 5], [2, 0]], np.int64)
    with tf.Graph().as_default():
        values = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0])
        part = tf.sparse_slice(tf.SparseTensor(places, values, [3, 6]), [0, 4], [5, 3])
        weights = tf.constant([10.0, 20.0])
        found = _run([part.indices, *tf.gradients(part.values * weights, values)])
    assert found[0].tolist() == [[0, 0], [1, 1]]
    assert found[1].tolist() == [0.0, 10.0, 0.0, 20.0, 0.0]


def test_parts_of_variables_and_shapes_of_sparse_values():
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable([1, 2, 3])
        session.run(v.initializer)
        assert session.run(tf.assign(v[:2], [5, 6])).tolist() == [5, 6, 3]
        value = tf.SparseTensorValue([[0, 1], [1, 0]], [42, 24], [2, 3])
        found = session.run([tf.shape(value), tf.size(value), tf.rank(value)])
        assert [np.array(x).tolist() for x in found] == [[2, 3], 6, 2]
    assert tf.int32 not in [int] and tf.int32 == np.int32


def test_numbers_become_what_an_op_prefers():
    with tf.Graph().as_default():
        assert tf.signal.fft([1.0, 2.0]).dtype == tf.complex64
        packed = tf.convert_to_tensor([[0.0, 1.0], tf.constant([2.0, 3.0], tf.float64)], tf.float32)
        spaced = tf.space_to_batch_nd(np.ones([1, 2]), np.array([]), np.zeros([0, 2]))
        sums = tf.reduce_sum(np.ones([2, 3]), np.array([1.0]))
        seeded = [
            tf.random.stateless_uniform([3], np.array([7, 17], dtype))
            for dtype in (np.uint64, np.int32)
        ]
        none = tf.random_uniform([0], 4, 4, tf.int32)
        found = _run([packed, spaced, sums, none, *seeded])
        with pytest.raises(TypeError, match="dtype"):
            tf.convert_to_tensor([tf.constant(1.0), tf.constant(1.0, tf.float64)])
    assert packed.dtype == tf.float32 and found[0].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert found[1].tolist() == [[1.0, 1.0]] and found[2].tolist() == [3.0, 3.0]
    assert found[3].size == 0 and found[4].tolist() == found[5].tolist()


def test_shapes_that_a_sparse_tensor_cannot_have():
    with tf.Graph().as_default():
        x = tf.SparseTensor([[0, 1]], [1.0], [2, 3])
        with pytest.raises(ValueError, match="At most one dimension can be inferred"):
            tf.sparse_reshape(x, [-1, -1])


ROWS = np.arange(12.0).reshape(1, 2, 2, 3)


@pytest.mark.parametrize(
    "make, at, want",
    [
        (lambda: tf.nn.lrn(ROWS), 0, "float32"),
        (lambda: tf.nn.leaky_relu(ROWS), 0, "float64"),
        (lambda: tf.image.rgb_to_hsv([[[0, 1, 1]]]), 0, "float32"),
        (lambda: tf.image.rgb_to_hsv(ROWS / 12), 0, "float64"),
        (lambda: tf.image.hsv_to_rgb((ROWS / 12).astype(np.float16)), 0, "float16"),
        (lambda: tf.signal.fft(np.ones(4, np.complex128)), 0, "complex128"),
        (lambda: tf.signal.fft(np.ones(4)), 0, "complex64"),
        (lambda: tf.one_hot(np.array([0.0, 2.0]), 3), 0, "int64"),
        (lambda: tf.nn.in_top_k(np.array([[1.0, 2.0]]), np.array([1.0]), 1), 1, "int32"),
        (lambda: tf.reverse_sequence([[1, 2]], np.array([2.0]), 1, batch_axis=0), 1, "int64"),
        (lambda: tf.cumsum([1, 2], np.int64(0)), 1, "int32"),
        (lambda: tf.math.cumulative_logsumexp([1.0, 2.0], np.int64(0)), 1, "int32"),
        (lambda: tf.argmax(ROWS, np.int64(1)), 1, "int32"),
        (lambda: tf.nn.in_top_k([[1.0, 2.0]], np.array([1 << 32]), 1), 1, "int64"),
        (lambda: tf.unsorted_segment_sum([1.0, 2.0], [0, 1], np.int64(2)), 2, "int32"),
        (lambda: tf.sparse_segment_mean([1.0, 2.0], np.array([0.0, 1]), [0, 0]), 1, "int32"),
    ],
)
def test_arrays_take_the_dtype_that_an_op_has_by_default(make, at, want):
    """Numbers that an op only reads become of its default; what it computes with keeps its dtype
    where the op takes that."""
    with tf.Graph().as_default():
        y = make()
        assert y.op.inputs[at].dtype.base_dtype.name == want
        assert np.isfinite(_run([y])[0]).all()
