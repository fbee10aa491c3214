"""The memory of large fetched arrays: used again, bounded, and the arrays' own."""

import gc
import threading

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import known, slow_session
from tfc.codegen import array_pool

try:
    from numpy._core.multiarray import get_handler_name
except ImportError:  # numpy 1
    from numpy.core.multiarray import get_handler_name

pytestmark = pytest.mark.usefixtures("fresh_graph")
MIB = 1 << 20
SIZE = array_pool.LEAST // 4 + 1000  # floats


@pytest.fixture
def pool():
    found = array_pool.the_pool()
    found.trim()
    yield found
    found.set_limit(256)
    found.trim()


def test_large_results_come_from_the_pool_and_small_ones_do_not(pool):
    x = tf.placeholder(tf.float32, [None])
    y = x + 1.0
    with tf.Session() as sess, slow_session() as slow:
        for s in (sess, slow):
            for size, name in ((SIZE, "tfc"), (1000, "default_allocator")):
                value = np.arange(size, dtype=np.float32)
                for _ in range(4):
                    got = s.run(y, {x: value})
                    assert get_handler_name(got) == name and got.flags.owndata
                np.testing.assert_array_equal(got, value + 1)
        known(sess, lambda: sess.run(y, {x: np.zeros(SIZE, np.float32)}))
    assert get_handler_name(np.empty(SIZE)) == "default_allocator"


def test_memory_is_used_again(pool):
    x = tf.placeholder(tf.float32, [SIZE])
    y = x + 1.0
    value = np.zeros(SIZE, np.float32)
    with tf.Session() as sess:
        first = known(sess, lambda: sess.run(y, {x: value}))
        address = first.ctypes.data
        second = sess.run(y, {x: value})
        assert second.ctypes.data != address
        del first
        gc.collect()
        third = sess.run(y, {x: value})
        assert third.ctypes.data == address
        assert not np.shares_memory(second, third)
        del second, third
        assert pool.kept_bytes() > 0
    assert pool.kept_bytes() == 0  # closed
    with pool.current():
        arrays = [np.empty(SIZE, np.float32) for _ in range(4)]
    assert len({a.ctypes.data for a in arrays}) == 4
    assert all(a.ctypes.data % 64 == 0 for a in arrays)


def test_a_block_is_not_given_to_much_smaller_requests(pool):
    with pool.current():
        big = np.empty(32 * MIB, np.uint8)
        address = big.ctypes.data
        del big
        small = np.empty(16 * MIB, np.uint8)
        assert small.ctypes.data != address
        fits = np.empty(30 * MIB, np.uint8)
        assert fits.ctypes.data == address


def test_what_is_kept_is_bounded(pool):
    pool.set_limit(40)
    with pool.current():
        arrays = [np.empty(12 * MIB, np.uint8) for _ in range(10)]
    arrays.clear()
    assert 24 * MIB < pool.kept_bytes() <= 40 * MIB
    pool.set_limit(0)
    assert pool.kept_bytes() == 0
    with pool.current():
        array = np.empty(12 * MIB, np.uint8)
    del array
    assert pool.kept_bytes() == 0


def test_arrays_may_grow_shrink_be_zero_and_be_too_large(pool):
    with pool.current():
        array = np.arange(3 * MIB, dtype=np.int32)
        array.resize(5 * MIB, refcheck=False)
        assert array[3 * MIB - 1] == 3 * MIB - 1 and not array[3 * MIB :].any()
        array.resize(1000, refcheck=False)
        np.testing.assert_array_equal(array, np.arange(1000))
        dirty = np.full(12 * MIB, 7, np.uint8)
        address = dirty.ctypes.data
        del dirty
        clean = np.zeros(12 * MIB, np.uint8)
        assert clean.ctypes.data == address and not clean.any()
        for size in (1 << 45, 2**62, 2**63 - 100):
            with pytest.raises(MemoryError):
                np.empty(size, np.uint8)
    assert get_handler_name(np.empty(3)) == "default_allocator"


def test_no_memory_for_a_result_is_an_error_of_the_run():
    n = tf.placeholder(tf.float32, [1, None])
    huge = tf.tile(n, [1 << 24, 1 << 20])
    with tf.Session() as sess:
        for _ in range(4):
            with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM when allocating"):
                sess.run(huge, {n: np.zeros((1, 5), np.float32)})


def test_arrays_may_die_in_any_thread(pool):
    x = tf.placeholder(tf.float32, [SIZE])
    y = x * 2.0
    errors = []
    with tf.Session() as sess:

        def work(k):
            value = np.full(SIZE, k, np.float32)
            for _ in range(15):
                got = sess.run(y, {x: value})
                if got[0] != 2 * k or got[-1] != 2 * k:
                    errors.append(k)

        threads = [threading.Thread(target=work, args=[k]) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not errors
