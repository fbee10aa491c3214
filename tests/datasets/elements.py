"""What the tests of datasets share: all elements of a dataset as Python values."""

from __future__ import annotations

from typing import Any

import numpy as np

import tfc as tf

Dataset = tf.data.Dataset


def plain(value: Any) -> Any:
    """Arrays as lists and numbers, in the structure of `value`."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [plain(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def elements(
    dataset: tf.data.Dataset, most: int = 1000, feed: Any = None, passes: int = 0
) -> list[Any]:
    """The elements, at most so many. passes: initialise an iterator so often, and give the elements
    of each pass; 0: use a one-shot iterator."""
    iterator = (
        tf.data.make_initializable_iterator(dataset)
        if passes
        else tf.data.make_one_shot_iterator(dataset)
    )
    element = iterator.get_next()
    found: list[Any] = []
    with tf.Session() as session:
        if tf.global_variables():
            session.run(tf.global_variables_initializer())
        for _ in range(max(passes, 1)):
            if passes:
                session.run(iterator.initializer, feed)
            try:
                for _ in range(most):
                    found.append(plain(session.run(element)))
            except tf.errors.OutOfRangeError as error:
                assert "End of sequence" in str(error)
    return found
