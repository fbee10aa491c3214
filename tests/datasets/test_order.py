"""Elements of a dataset in another order, some of them, or again. Orders are TensorFlow's own."""

from __future__ import annotations

import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_take_skip_repeat_shard():
    five = Dataset.range(5)
    assert elements(five.take(2)) == [0, 1] and elements(five.take(-1)) == [0, 1, 2, 3, 4]
    assert elements(five.skip(3)) == [3, 4] and elements(five.skip(-1)) == []
    assert elements(five.skip(9)) == [] and elements(five.take(0)) == []
    assert elements(five.skip(3).repeat(2)) == [3, 4, 3, 4]
    assert elements(five.repeat(0)) == [] and elements(five.repeat(), 7) == [0, 1, 2, 3, 4, 0, 1]
    assert elements(Dataset.range(0).repeat()) == []
    assert elements(Dataset.range(10).shard(3, 1)) == [1, 4, 7]
    counts = tf.constant(3, tf.int64), tf.constant(1, tf.int64)
    assert elements(five.skip(counts[0]).take(counts[1])) == [3]
    assert elements(five.prefetch(2)) == [0, 1, 2, 3, 4]
    assert elements(five.take(2).prefetch(None).enumerate(7)) == [(7, 0), (8, 1)]


def test_concatenate_and_zip():
    both = Dataset.range(2).concatenate(Dataset.range(7, 9))
    assert elements(both) == [0, 1, 7, 8]
    widened = Dataset.from_tensors([1, 2]).concatenate(Dataset.from_tensors([3]))
    assert widened.output_shapes.as_list() == [None] and elements(widened) == [[1, 2], [3]]
    sides = Dataset.zip((Dataset.range(5), {"a": Dataset.range(7, 9)}))
    assert elements(sides) == [(0, {"a": 7}), (1, {"a": 8})]
    assert elements(sides.batch(3)) == [([0, 1], {"a": [7, 8]})]
    large = Dataset.zip(tuple(Dataset.range(2**40) for _ in range(2)))
    assert elements(large.take(2)) == [(0, 0), (1, 1)]
    with pytest.raises(TypeError, match="different types"):
        Dataset.range(3).concatenate(Dataset.from_tensors(1.0))
    with pytest.raises(TypeError, match="not lists"):
        Dataset.zip([Dataset.range(1), Dataset.range(2)])
    with pytest.raises(TypeError, match="structure of `Dataset`s"):
        Dataset.zip((Dataset.range(1), 3))


SEED_7 = [
    [2, 8, 6, 5, 9, 1, 0, 3, 7, 4], [9, 1, 3, 0, 6, 4, 7, 8, 2, 5], [1, 9, 4, 2, 8, 3, 5, 7, 6, 0]
]  # fmt: skip


@pytest.mark.parametrize(
    ("room", "more", "expected"),
    [
        (10, {}, SEED_7),
        (100, {}, SEED_7),
        (
            3,
            {},
            [
                [1, 2, 0, 3, 6, 4, 8, 5, 7, 9],
                [1, 0, 3, 2, 6, 7, 8, 4, 9, 5],
                [1, 3, 0, 2, 5, 4, 8, 7, 6, 9],
            ],
        ),
        (3, {"reshuffle_each_iteration": False}, [[0, 2, 3, 4, 5, 7, 6, 1, 8, 9]] * 3),
        (10, {"reshuffle_each_iteration": False}, [[7, 2, 0, 9, 8, 4, 5, 1, 6, 3]] * 3),
    ],
)
def test_shuffle_gives_tensorflows_order(room, more, expected):
    dataset = Dataset.range(10).shuffle(room, seed=7, **more).repeat(3)
    whole = [number for order in expected for number in order]
    assert elements(dataset) == whole
    # the same in batches, and through elements that are no rows of a table
    assert sum(elements(dataset.batch(7)), []) == whole
    mapped = Dataset.range(10).map(lambda x: x).shuffle(room, seed=7, **more).repeat(3)
    assert elements(mapped) == whole


def test_seeds_of_the_graph():
    tf.set_random_seed(5)
    first = Dataset.range(10).shuffle(4).repeat(2)
    assert elements(first)[:10] == [2, 0, 5, 4, 7, 1, 3, 6, 8, 9]
    second = Dataset.range(5).repeat(2).shuffle(4, seed=3).repeat(2)
    assert elements(second) == [0, 3, 4, 2, 0, 2, 4, 1, 3, 1, 2, 1, 4, 1, 0, 3, 3, 4, 0, 2]


def test_every_initialisation_begins_the_same_order():
    dataset = Dataset.range(5).shuffle(5, seed=3).repeat(2)
    once = [4, 3, 2, 1, 0, 3, 4, 1, 2, 0]
    assert elements(dataset, passes=2) == once * 2


def test_without_a_seed_the_order_is_another_one_each_time():
    orders = {tuple(elements(Dataset.range(30).shuffle(30))) for _ in range(4)}
    assert len(orders) == 4 and all(sorted(order) == list(range(30)) for order in orders)


def test_shuffle_after_shuffle():
    tf.set_random_seed(5)
    dataset = Dataset.range(10).shuffle(10, seed=3).shuffle(10, seed=4).repeat(2)
    assert elements(dataset) == [
        8, 9, 0, 7, 5, 3, 4, 2, 6, 1, 8, 5, 4, 6, 2, 0, 7, 9, 3, 1
    ]  # fmt: skip


def test_random_numbers_inside_flat_map():
    """An inner dataset is made anew for each element; the random ops of its functions go on."""
    shuffled = Dataset.range(2).flat_map(lambda x: Dataset.range(3).shuffle(3, seed=5))
    assert elements(shuffled.repeat(2)) == [1, 2, 0] * 4

    def numbers(x):
        return Dataset.range(3).map(lambda y: tf.random_uniform([], seed=1))

    assert elements(Dataset.range(2).flat_map(numbers)) == [
        0.2390373945236206, 0.22267115116119385, 0.3430497646331787,
        0.8514761924743652, 0.9784053564071655, 0.9337030649185181,
    ]  # fmt: skip


def test_cache():
    dataset = Dataset.range(3).map(lambda x: tf.random_uniform([], seed=1)).cache().repeat(2)
    first = [0.2390373945236206, 0.22267115116119385, 0.3430497646331787]
    assert elements(dataset) == first * 2
    partial = Dataset.range(4).shuffle(4, seed=1, reshuffle_each_iteration=True).cache()
    assert len(elements(partial.take(2).concatenate(partial.take(4)))) == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: d.shuffle(0), "greater than zero"),
        (lambda d: d.shard(3, 3), "between 0 and 2"),
        (lambda d: d.shard(0, 0), "greater than zero"),
        (lambda d: d.prefetch(-2), "buffer_size"),
        (lambda d: d.take(tf.constant([1], tf.int64)), "scalar"),
    ],
)
def test_mistakes_at_run_time(make, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        elements(make(Dataset.range(3)))


def test_a_seed_that_is_a_tensor():
    plain = elements(Dataset.range(8).shuffle(8, seed=7))
    seed = tf.constant(7, tf.int64)
    assert elements(Dataset.range(8).shuffle(8, seed=seed)) == plain
    assert elements(Dataset.range(8).shuffle(8, seed=seed + (2**31 - 1))) == plain
    assert plain != list(range(8))


@pytest.mark.parametrize(
    ("arguments", "count"),
    [((3,), 4), ((3, 1), 10), ((3, 1, 1, True), 8), ((3, 2, 2, True), 3), ((20, 1, 1, True), 0)],
)
def test_how_many_windows_there_are(arguments, count):
    windows = Dataset.range(10).window(*arguments)
    size = tf.data.experimental.cardinality(windows)
    with tf.Session() as session:
        assert session.run(size) == count
    assert len(elements(windows.flat_map(lambda window: window.take(1)))) == count
