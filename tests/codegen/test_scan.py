"""Rows that are scanned together come out as each of them alone, for any number of threads."""

import numpy as np
import pytest

import tfc as tf


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("shape", [(67, 1009), (9, 16), (5, 131), (3, 7, 40), (1000, 33)])
@pytest.mark.parametrize("reverse", [False, True])
def test_rows_together_and_alone(shape, dtype, reverse):
    state = np.random.RandomState(0)
    x = state.normal(0, 3, shape).astype(dtype)
    if dtype != np.int32:
        x.flat[::97] = state.choice([np.inf, -np.inf, np.nan, -0.0], x.flat[::97].shape)
    results = []
    for threads in (1, 2):
        given = tf.placeholder(dtype, shape)
        # what goes in and what comes out is computed in the same kernel
        y = -tf.cumsum(given * 2, -1, reverse=reverse, exclusive=shape[0] % 2 == 0)
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        results.append(tf.Session(config=config).run(y, {given: x}))
    row = tf.placeholder(dtype, shape[-1:])
    alone = -tf.cumsum(row * 2, 0, reverse=reverse, exclusive=shape[0] % 2 == 0)
    one = tf.Session().make_callable(alone, [row])
    rows = x.reshape(-1, shape[-1])
    expected = np.stack([one(r) for r in rows[:: max(1, len(rows) // 40)]])
    first, second = (v.reshape(rows.shape) for v in results)
    np.testing.assert_array_equal(first[:: max(1, len(rows) // 40)], expected)
    np.testing.assert_array_equal(first, second)
