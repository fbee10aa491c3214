"""tf.data.experimental. Orders and numbers are TensorFlow's own."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements
from tfc.data import experimental as x

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_shuffle_and_repeat():
    five = Dataset.range(5)
    twice = five.apply(x.shuffle_and_repeat(3, 2, seed=4))
    assert elements(twice, passes=2) == [1, 0, 4, 3, 2, 1, 0, 4, 2, 3] * 2
    thrice = five.apply(x.shuffle_and_repeat(7, 3, seed=4))
    assert elements(thrice) == [1, 2, 4, 3, 0, 3, 1, 4, 2, 0, 1, 4, 0, 2, 3]
    assert len(elements(five.apply(x.shuffle_and_repeat(7)), 50)) == 50
    assert elements(Dataset.range(0).apply(x.shuffle_and_repeat(7))) == []
    with pytest.raises(tf.errors.InvalidArgumentError, match="count"):
        elements(five.apply(x.shuffle_and_repeat(7, 0)))


def test_map_and_batch():
    dataset = Dataset.range(5).apply(x.map_and_batch(lambda n: n * n, 2, drop_remainder=True))
    assert elements(dataset) == [[0, 1], [4, 9]] and dataset.output_shapes.as_list() == [2]
    parallel = x.map_and_batch(lambda n: (n, n), 3, num_parallel_batches=2)
    assert elements(Dataset.range(4).apply(parallel)) == [([0, 1, 2], [0, 1, 2]), ([3], [3])]
    assert x.map_and_batch_with_legacy_function is x.map_and_batch
    with pytest.raises(ValueError, match="mutually exclusive"):
        x.map_and_batch(lambda n: n, 2, 1, False, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_parallel_calls"):
        elements(Dataset.range(5).apply(x.map_and_batch(lambda n: n, 2, num_parallel_calls=0)))


def test_scan_and_take_while():
    sums = Dataset.range(5).apply(x.scan(np.int64(0), lambda s, n: (s + n, s * n)))
    assert elements(sums, passes=2) == [0, 0, 2, 9, 24] * 2
    below = Dataset.range(9).apply(x.take_while(lambda n: n < 3))
    assert elements(below.batch(2)) == [[0, 1], [2]]
    growing = x.scan(np.zeros(0, np.int64), lambda s, n: (tf.concat([s, [n]], 0), tf.size(s)))
    assert elements(Dataset.range(3).apply(growing)) == [0, 1, 2]
    with pytest.raises(TypeError, match="a pair"):
        Dataset.range(5).apply(x.scan(np.int64(0), lambda s, n: s))
    with pytest.raises(TypeError, match="new state"):
        Dataset.range(5).apply(x.scan(0, lambda s, n: (n, n)))


def test_groups():
    ten = Dataset.range(10)
    windows = ten.apply(x.group_by_window(lambda n: n % 3, lambda key, w: w.batch(2), 2))
    assert elements(windows) == [[0, 3], [1, 4], [2, 5], [6, 9], [7], [8]]
    by_key = x.group_by_window(
        lambda n: n % 2,
        lambda key, w: Dataset.zip((Dataset.from_tensors(key), w.batch(9))),
        window_size_func=lambda key: key + 1,
    )
    assert elements(Dataset.range(5).apply(by_key)) == [
        (0, [0]), (0, [2]), (1, [1, 3]), (0, [4])
    ]  # fmt: skip
    reducer = x.Reducer(lambda key: np.int64(0), lambda s, n: s + n, lambda s: (s, -s))
    sums = ten.apply(x.group_by_reducer(lambda n: 2 - n % 3, reducer))
    assert elements(sums) == [(15, -15), (12, -12), (18, -18)]
    with pytest.raises(ValueError, match="not both"):
        x.group_by_window(lambda n: n, lambda key, w: w)
    with pytest.raises(ValueError, match="key_func"):
        ten.apply(x.group_by_window(lambda n: 1.0, lambda key, w: w, 2))
    with pytest.raises(TypeError, match="Dataset"):
        ten.apply(x.group_by_window(lambda n: n, lambda key, w: key, 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="but got 0"):
        elements(ten.apply(x.group_by_window(lambda n: n, lambda key, w: w, 0)))


def sequences():
    """Vectors of ones of 1, 5, 2, 6, 3, 7 and 1 elements."""
    lengths = (1, 5, 2, 6, 3, 7, 1)
    return Dataset.from_generator(lambda: ([1] * n for n in lengths), tf.int32, [None])


def test_buckets():
    bucket = x.bucket_by_sequence_length(tf.size, [3, 6], [2, 2, 2])
    expected = [[1, 2], [5, 3], [6, 7], [1]]  # lengths
    found = elements(sequences().apply(bucket))
    assert [[sum(row) for row in batch] for batch in found] == expected
    assert found[1] == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    bounded = x.bucket_by_sequence_length(
        tf.size, [3, 6, 8], [2, 2, 2, 1], pad_to_bucket_boundary=True, padding_values=9
    )
    assert [len(batch[0]) for batch in elements(sequences().apply(bounded))] == [2, 5, 7, 2]
    too_long = x.bucket_by_sequence_length(tf.size, [3], [2, 2], pad_to_bucket_boundary=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="last bucket boundary"):
        elements(sequences().apply(too_long))
    plain = x.bucket_by_sequence_length(tf.size, [3], [1, 1], no_padding=True)
    assert [len(batch[0]) for batch in elements(sequences().apply(plain))] == [1, 5, 2, 6, 3, 7, 1]
    with pytest.raises(ValueError, match="len"):
        x.bucket_by_sequence_length(tf.size, [3], [1])


def test_mixing():
    both = Dataset.range(5), Dataset.range(100, 105)
    chosen = x.choose_from_datasets(both, Dataset.range(2).repeat(3))
    assert elements(chosen) == [0, 100, 1, 101, 2, 102]
    alike = [100, 0, 101, 1, 102, 2, 3, 103, 104, 4]
    assert elements(x.sample_from_datasets(both, seed=2)) == alike
    more = Dataset.range(10).repeat(), Dataset.range(100, 110)
    weighted = x.sample_from_datasets(more, [0.4, 0.6], seed=2)
    expected = [100, 0, 101, 1, 102, 103, 2, 104, 105, 3, 4, 106, 5, 107, 6, 108, 109, 7, 8, 9]
    assert elements(weighted, 20) == expected
    weights = Dataset.from_tensors([0.4, 0.6]).repeat()
    assert elements(x.sample_from_datasets(more, weights, seed=2), 20) == expected
    one = both[0]
    assert x.sample_from_datasets([one]) is one
    short = x.choose_from_datasets(
        (Dataset.range(1), both[1]), Dataset.range(2).repeat(3), stop_on_empty_dataset=True
    )
    assert elements(short) == [0, 100]
    with pytest.raises(TypeError, match="int64"):
        x.choose_from_datasets(both, Dataset.from_tensors(1))
    with pytest.raises(TypeError, match="same types"):
        x.sample_from_datasets([one, Dataset.from_tensors(1.0)])
    with pytest.raises(ValueError, match="vector of length"):
        x.sample_from_datasets(both, [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="float32"):
        x.sample_from_datasets(both, [1, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of range"):
        elements(x.choose_from_datasets(both, Dataset.range(3)))


def test_random_numbers_and_counters():
    assert elements(x.RandomDataset(seed=4), 5) == [
        3128586565, 2023892699, 452966358, 4293674553, 1485036815
    ]  # fmt: skip
    assert elements(x.Counter(3, 2), 3) == [3, 5, 7]
    assert elements(x.Counter(dtype=tf.float32), 2) == [0.0, 1.0]


def test_unique_and_enumerate():
    assert elements(Dataset.from_tensor_slices([1, 2, 1, 3]).apply(x.unique())) == [1, 2, 3]
    texts = Dataset.from_tensor_slices([["a", "b"], ["b", "a"], ["a", "b"]])
    assert elements(texts.apply(x.unique())) == [[b"a", b"b"], [b"b", b"a"]]
    pairs = Dataset.from_tensor_slices([5, 6]).apply(x.enumerate_dataset(3))
    assert elements(pairs) == [(3, 5), (4, 6)]
    with pytest.raises(TypeError, match="single tensors"):
        pairs.apply(x.unique())


def test_ignore_errors():
    numbers = Dataset.from_tensor_slices([1.0, 2.0, 0.0, 4.0])
    checked = numbers.map(lambda n: tf.check_numerics(1.0 / n, "bad"))
    assert elements(checked.apply(x.ignore_errors())) == [1.0, 0.5, 0.25]


def test_single_elements():
    with tf.Session() as session:
        pair = x.get_single_element(Dataset.from_tensors((1, {"a": [2, 3]})))
        assert session.run(pair)[1]["a"].tolist() == [2, 3]
        for count, message in ((0, "was empty"), (2, "more than one")):
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                session.run(x.get_single_element(Dataset.range(count)))
    with pytest.raises(TypeError, match="tf.data.Dataset"):
        x.get_single_element(3)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda d: d.batch(2), 3),
        (lambda d: d.batch(2, True), 2),
        (lambda d: d.repeat(), -1),
        (lambda d: d.repeat().take(7).shuffle(2), 7),
        (lambda d: d.repeat(3).skip(1), 14),
        (lambda d: d.skip(-1).repeat(), 0),
        (lambda d: d.filter(lambda n: n > 0).map(lambda n: n), -2),
        (lambda d: d.take(-1).concatenate(d).prefetch(1), 10),
        (lambda d: d.repeat().concatenate(d), -1),
        (lambda d: Dataset.zip((d, d.repeat(), d.shard(2, 0))), 3),
        (lambda d: Dataset.zip((d, d.filter(lambda n: n > 0))), -2),
        (lambda d: d.cache().padded_batch(2, []), 3),
        (lambda d: d.apply(x.scan(0, lambda s, n: (s, s))), 5),
    ],
)
def test_cardinality(make, expected):
    assert (x.INFINITE_CARDINALITY, tf.data.UNKNOWN_CARDINALITY) == (-1, -2)
    with tf.Session() as session:
        assert session.run(x.cardinality(make(Dataset.range(5)))) == expected


def test_devices_and_structures():
    dataset = Dataset.range(3).apply(x.prefetch_to_device("/cpu:0", 1))
    assert elements(dataset.apply(x.copy_to_device("/gpu:0"))) == [0, 1, 2]
    assert x.get_structure(dataset) == tf.TensorSpec([], tf.int64)
    assert x.AUTOTUNE == tf.data.AUTOTUNE == -1
    assert elements(dataset.map(lambda n: n, x.AUTOTUNE).prefetch(x.AUTOTUNE)) == [0, 1, 2]


def test_under_their_older_names():
    old = tf.contrib.data
    assert old.TextLineDataset is tf.data.TextLineDataset and old.Dataset is tf.data.Dataset
    whole = Dataset.range(5).apply(old.batch_and_drop_remainder(2))
    assert elements(whole) == [[0, 1], [2, 3]] and whole.output_shapes.as_list() == [2]
    padded = sequences().apply(old.padded_batch_and_drop_remainder(2, [8]))
    assert [len(batch) for batch in elements(padded)] == [2, 2, 2]
    assert elements(Dataset.range(3).apply(old.map_and_batch(lambda n: n + 1, 3))) == [[1, 2, 3]]
