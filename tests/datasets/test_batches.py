"""Several elements as one: batches, padded batches, windows; and the reverse."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements

pytestmark = pytest.mark.usefixtures("fresh_graph")


def ragged(dtype=tf.int32):
    """Vectors of 1, 3 and 2 elements."""
    rows = [[1], [1, 2, 3], [1, 2]]
    return Dataset.from_generator(lambda: iter(rows), dtype, [None])


def test_batch():
    assert elements(Dataset.range(7).batch(3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert elements(Dataset.range(7).batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
    assert elements(Dataset.range(3).repeat(2).batch(2)) == [[0, 1], [2, 0], [1, 2]]
    assert elements(Dataset.range(4).batch(2).batch(2)) == [[[0, 1], [2, 3]]]
    texts = Dataset.from_tensor_slices((["a", "b", "c"], [[1], [2], [3]]))
    assert elements(texts.batch(2)) == [([b"a", b"b"], [[1], [2]]), ([b"c"], [[3]])]
    size = tf.placeholder(tf.int64, [])
    fed = Dataset.range(3).batch(size)
    assert elements(fed, feed={size: 2}, passes=1) == [[0, 1], [2]]


def test_static_shapes_of_batches():
    def shape(dataset):
        return dataset.output_shapes.as_list()

    assert shape(Dataset.range(3).batch(2)) == [None]
    assert shape(Dataset.range(3).batch(2, True)) == [2]
    assert shape(Dataset.range(3).batch(2).batch(2, tf.constant(True))) == [2, None]
    assert shape(ragged().batch(2)) == [None, None]
    assert shape(Dataset.from_tensors([[1]]).padded_batch(2, [None, 3])) == [None, None, 3]
    assert shape(ragged().padded_batch(2, [4], drop_remainder=True)) == [2, 4]


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int16, tf.float16, tf.float64, tf.bool])
def test_dtypes(dtype):
    values = np.array([0, 1, 1, 0, 1], dtype.as_numpy_dtype)
    element = Dataset.from_tensor_slices(values).batch(2).make_one_shot_iterator().get_next()
    with tf.Session() as session:
        first = session.run(element)
    assert first.dtype == values.dtype and first.tolist() == values[:2].tolist()


def test_elements_that_do_not_fit():
    message = (
        r"Cannot batch tensors with different shapes in component 0. First element had shape \[1\] "
        r"and element 1 had shape \[3\]."
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        elements(ragged().batch(2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="greater than zero"):
        elements(Dataset.range(3).batch(0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="greater than zero"):
        elements(ragged().padded_batch(0, [None]))


def test_padded_batch():
    assert elements(ragged().padded_batch(2, [None])) == [[[1, 0, 0], [1, 2, 3]], [[1, 2]]]
    wide = ragged().padded_batch(2, [4], 9)
    assert elements(wide) == [[[1, 9, 9, 9], [1, 2, 3, 9]], [[1, 2, 9, 9]]]
    assert elements(ragged().padded_batch(2, drop_remainder=True)) == [[[1, 0, 0], [1, 2, 3]]]
    texts = Dataset.from_generator(lambda: iter([["a"], ["b", "c"]]), tf.string, [None])
    assert elements(texts.padded_batch(2, [-1])) == [[[b"a", b""], [b"b", b"c"]]]
    assert elements(texts.padded_batch(2, [None], "z")) == [[[b"a", b"z"], [b"b", b"c"]]]
    pairs = Dataset.from_generator(
        lambda: iter([([1], 2), ([3, 4], 5)]), (tf.int32, tf.int64), ([None], [])
    )
    filled = pairs.padded_batch(2, ([3], []), (7, np.int64(0)))
    assert elements(filled) == [([[1, 7, 7], [3, 4, 7]], [2, 5])]
    named = pairs.map(lambda a, b: {"a": a, "b": b})
    by_name = named.padded_batch(2, {"a": tf.constant([3], tf.int64), "b": []})
    assert by_name.output_shapes["a"].as_list() == [None, 3]
    assert elements(by_name) == [{"a": [[1, 0, 0], [3, 4, 0]], "b": [2, 5]}]


def test_padded_batches_that_do_not_fit():
    with pytest.raises(tf.errors.DataLossError, match="smaller size than the input element"):
        elements(ragged().padded_batch(2, [2]))
    with pytest.raises(ValueError, match=r"\(\?, \?\) is not compatible with the shape \(\?,\)"):
        ragged().padded_batch(2, [None, None])
    with pytest.raises(ValueError, match="is not compatible"):
        Dataset.from_tensors([1, 2, 3]).padded_batch(2, [2])
    with pytest.raises(TypeError, match="does not match"):
        ragged().padded_batch(2, [None], tf.constant(1.0))
    with pytest.raises(ValueError, match="scalars"):
        ragged().padded_batch(2, [None], [1, 2])
    with pytest.raises(TypeError, match="1-D"):
        ragged().padded_batch(2, tf.constant(3))
    unknown = Dataset.from_generator(lambda: iter([[1], [[2]]]), tf.int32)
    with pytest.raises(ValueError, match="known rank"):
        unknown.padded_batch(2, None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same rank"):
        elements(unknown.padded_batch(2, [None]))


@pytest.mark.parametrize(
    ("count", "size", "shift", "stride", "drop", "expected"),
    [
        (7, 3, 2, 1, False, [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6]]),
        (7, 3, 2, 2, True, [[0, 2, 4], [2, 4, 6]]),
        (12, 2, 5, 2, False, [[0, 2], [5, 7], [10]]),
        (5, 2, None, 1, False, [[0, 1], [2, 3], [4]]),
    ],
)
def test_window(count, size, shift, stride, drop, expected):
    windows = Dataset.range(count).window(size, shift, stride, drop)
    assert isinstance(windows.element_spec, tf.data.DatasetSpec)
    assert elements(windows.flat_map(lambda w: w.batch(size))) == expected


def test_windows_of_structures():
    pairs = Dataset.zip((Dataset.range(4), {"a": Dataset.range(10, 14)}))
    windows = pairs.window(2)
    assert windows.output_types == (tf.int64, {"a": tf.int64})
    both = windows.flat_map(lambda x, d: Dataset.zip((x.batch(2), d["a"].batch(2))))
    assert elements(both) == [([0, 1], [10, 11]), ([2, 3], [12, 13])]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Window shift"):
        elements(Dataset.range(3).window(2, 0).flat_map(lambda w: w))


def test_unbatch():
    rows = Dataset.from_tensors(([1, 2], [[3.0], [4.0]]))
    assert elements(rows.unbatch()) == [(1, [3.0]), (2, [4.0])]
    assert elements(rows.apply(tf.data.experimental.unbatch())) == [(1, [3.0]), (2, [4.0])]
    assert elements(Dataset.range(5).batch(2).unbatch()) == [0, 1, 2, 3, 4]
    assert rows.unbatch().output_shapes[1].as_list() == [1]
    with pytest.raises(ValueError, match="rank >= 1"):
        Dataset.range(3).unbatch()
    uneven = Dataset.from_generator(lambda: [([1], [1, 2])], (tf.int32, tf.int32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="same batch size"):
        elements(uneven.unbatch())
    scalar = Dataset.from_generator(lambda: [1], tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-scalar"):
        elements(scalar.unbatch())
