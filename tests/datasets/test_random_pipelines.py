"""Random pipelines against plain Python lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.datasets.elements import Dataset, elements

MOST = 40  # elements that are looked at


def batches(items: list[Any], size: int, drop: bool) -> list[Any]:
    found = [items[k : k + size] for k in range(0, len(items), size)]
    return found[:-1] if drop and found and len(found[-1]) < size else found


def windows(items: list[Any], size: int, shift: int, stride: int, drop: bool) -> list[Any]:
    found = []
    for start in range(0, len(items), shift):
        window = items[start : start + (size - 1) * stride + 1 : stride]
        if not drop or start + (size - 1) * stride < len(items):
            found.append(window)
    return found


Step = tuple[Callable[[Any], Any], Callable[[list[int]], list[int]]]
small = st.integers(0, 7)
positive = st.integers(1, 5)


@st.composite
def steps(draw: Any) -> Step:
    """A transformation of a dataset of numbers, and the same of a list."""
    n, m, flag = draw(small), draw(positive), draw(st.booleans())
    other = draw(st.integers(0, 6))
    mapped = lambda x: 3 * x - 1  # noqa: E731
    choices: list[Step] = [
        (lambda d: d.take(n), lambda v: v[:n]),
        (lambda d: d.skip(n), lambda v: v[n:]),
        (lambda d: d.repeat(n), lambda v: v * n),
        (lambda d: d.repeat().take(MOST), lambda v: (v * MOST)[:MOST]),
        (lambda d: d.shard(m, n % m), lambda v: v[n % m :: m]),
        (lambda d: d.map(mapped), lambda v: [mapped(x) for x in v]),
        (lambda d: d.filter(lambda x: tf.equal(x % m, 0)), lambda v: [x for x in v if x % m == 0]),
        (lambda d: d.concatenate(Dataset.range(other)), lambda v: v + list(range(other))),
        (lambda d: d.cache().prefetch(n), lambda v: v),
        (lambda d: d.shuffle(m, seed=n).take(0).concatenate(d), lambda v: v),
        (
            lambda d: Dataset.zip((d, Dataset.range(other))).map(lambda x, y: x + y),
            lambda v: [x + y for x, y in zip(v, range(other), strict=False)],
        ),
        (
            lambda d: d.batch(m, flag).unbatch(),
            lambda v: sum(batches(v, m, flag), []),
        ),
        (
            lambda d: d.batch(m, flag).map(tf.reduce_sum),
            lambda v: [sum(b) for b in batches(v, m, flag)],
        ),
        (
            lambda d: d.window(m, n + 1, m, flag).flat_map(lambda w: w.batch(m)).unbatch(),
            lambda v: sum(windows(v, m, n + 1, m, flag), []),
        ),
        (
            lambda d: d.flat_map(lambda x: Dataset.range(tf.abs(x) % 4)),
            lambda v: [y for x in v for y in range(abs(x) % 4)],
        ),
    ]
    return draw(st.sampled_from(choices))


@settings(max_examples=30)
@given(st.integers(0, 12), st.lists(steps(), max_size=4), positive)
def test_like_lists(count: int, chain: list[Step], size: int) -> None:
    tf.reset_default_graph()
    dataset, expected = Dataset.range(count), list(range(count))
    for of_dataset, of_list in chain:
        dataset, expected = of_dataset(dataset), of_list(expected)
    expected = expected[:MOST]
    if size == 1:
        assert elements(dataset.take(MOST)) == expected
    else:
        assert elements(dataset.take(MOST).batch(size)) == batches(expected, size, False)


@settings(max_examples=15)
@given(st.integers(0, 30), st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
def test_batches_of_rows_are_those_of_elements(count: int, room: int, size: int, seed: int) -> None:
    """Rows gathered from memory are the elements that are made one by one."""
    tf.reset_default_graph()

    def pipeline(source: tf.data.Dataset) -> tf.data.Dataset:
        shuffled = source.shuffle(room, seed=seed).repeat(2)
        return Dataset.zip((shuffled, source.skip(1))).shard(2, 0).batch(size)

    rows = Dataset.range(count).map(lambda x: tf.stack([x, x * x]))
    made = elements(rows) or [[0, 0]]
    table = Dataset.from_tensor_slices(made).take(count)
    assert elements(pipeline(table)) == elements(pipeline(table.map(lambda x: x)))


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), max_size=6), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_interleave_like_lists(lengths: list[int], cycle: int, block: int, parallel: bool) -> None:
    tf.reset_default_graph()
    source = Dataset.from_tensor_slices(lengths or [0]).take(len(lengths))
    found = source.interleave(
        lambda n: Dataset.range(tf.cast(n, tf.int64)).map(lambda x: 10 * tf.cast(n, tf.int64) + x),
        cycle,
        block,
        num_parallel_calls=min(2, cycle) if parallel else None,
    )
    assert elements(found) == interleaved(
        [[10 * n + k for k in range(n)] for n in lengths], cycle, block
    )


def interleaved(lists: list[list[int]], cycle: int, block: int) -> list[int]:
    waiting = [list(items) for items in lists]
    slots: list[list[int] | None] = [None] * cycle
    found: list[int] = []
    at = 0
    while waiting or any(slot is not None for slot in slots):
        if slots[at] is None and waiting:
            slots[at] = waiting.pop(0)
        slot = slots[at]
        if slot is not None:
            found += slot[:block]
            if len(slot) < block:
                slots[at] = None
            else:
                slots[at] = slot[block:]
        at = (at + 1) % cycle
    return found
