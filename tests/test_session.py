"""Session.run: fetch structures, feeds, state, staging, errors."""

import collections
import threading

import numpy as np
import pytest

import tfc as tf
from tfc.base.options import options

pytestmark = pytest.mark.usefixtures("fresh_graph")


@pytest.fixture(autouse=True, params=["python", "native"])
def _dispatch(request, monkeypatch):
    """Each test in Sessions that Python runs, and in Sessions that native code runs if it can."""
    monkeypatch.setattr(options, "fast_run", 0 if request.param == "python" else 2)


def test_scalar_types_and_values():
    with tf.Session() as sess:
        value = sess.run(tf.constant(2.5) + 1.0)
    assert value.dtype == np.float32 and value.shape == () and value == 3.5


def test_fetch_structures():
    a, b = tf.constant(1), tf.constant([2, 3])
    Pair = collections.namedtuple("Pair", "x y")
    with tf.Session() as sess:
        got = sess.run({"k": [a, (b, a)], "n": Pair(a, {"b": b}), "op": a.op, "s": "Const:0"})
    assert got["op"] is None and got["s"] == 1
    assert isinstance(got["n"], Pair) and list(got["n"].y["b"]) == [2, 3]
    assert isinstance(got["k"][1], tuple) and list(got["k"][1][0]) == [2, 3]


def test_fetch_errors():
    a = tf.constant(1)
    with tf.Session() as sess:
        with pytest.raises(TypeError, match="Fetch argument None has invalid type"):
            sess.run(None)
        with pytest.raises(TypeError, match="must be a string or Tensor"):
            sess.run(3.0)
        with pytest.raises(ValueError, match="cannot be interpreted as a Tensor"):
            sess.run("nowhere:0")
        with tf.Graph().as_default():
            other = tf.constant(1)
        with pytest.raises(ValueError, match="is not an element of this graph"):
            sess.run(other)
        assert sess.run(a) == 1


def test_feeds_any_tensor():
    x = tf.placeholder(tf.float32, [None, 2])
    y = x * 2.0
    z = y + 1.0
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(z, {x: [[1, 2]]}), [[3, 5]])
        np.testing.assert_array_equal(
            sess.run(z, {x: np.ones((3, 2), np.float64)}), np.full((3, 2), 3)
        )
        np.testing.assert_array_equal(sess.run(z, {y: [[10, 20]]}), [[11, 21]])
        by_name = {"Placeholder:0": np.asfortranarray([[1, 2], [3, 4]])}
        np.testing.assert_array_equal(sess.run(z, by_name), [[3, 5], [7, 9]])


def test_feed_errors():
    x = tf.placeholder(tf.int32, [2], name="x")
    with tf.Session() as sess:
        with pytest.raises(ValueError, match=r"Cannot feed value of shape \(3,\) for Tensor 'x:0'"):
            sess.run(x, {x: [1, 2, 3]})
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
            sess.run(x, {"nope:0": 1})
        with pytest.raises(TypeError, match="The value of a feed cannot be a tf.Tensor"):
            sess.run(x, {x: x})
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'x'"
        ):
            sess.run(x + 1)


def test_fetched_feed_is_a_copy():
    x = tf.placeholder(tf.float32, [2])
    fed = np.array([1.0, 2.0], np.float32)
    with tf.Session() as sess:
        got = sess.run(x, {x: fed})
        got[0] = 9
    assert fed[0] == 1.0


def test_variables_per_session():
    v = tf.Variable(3.0)
    add = tf.assign_add(v, 1.0)
    s1, s2 = tf.Session(), tf.Session()
    s1.run(v.initializer)
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value Variable"):
        s2.run(v)
    s2.run(v.initializer)
    assert s1.run(add) == 4.0 and s1.run(add) == 5.0
    assert s2.run(v) == 3.0 and s1.run(v) == 5.0


def test_two_writes_in_one_run_both_count():
    v = tf.Variable(np.zeros(3, np.float32))
    one, two = tf.assign_add(v, [1, 1, 1]), tf.assign_add(v, [10, 10, 10])
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run([one.op, two.op])
        np.testing.assert_array_equal(sess.run(v), [11, 11, 11])


def test_swap_of_two_variables():
    a, b = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
    old_a, old_b = a.read_value(), b.read_value()
    swap = tf.group(tf.assign(a, old_b), tf.assign(b, old_a))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(swap)
        np.testing.assert_array_equal(sess.run(a), [3, 4])
        np.testing.assert_array_equal(sess.run(b), [1, 2])


def test_read_after_control_dependency():
    v = tf.Variable(1.0)
    assign = tf.assign(v, 5.0)
    before = v.read_value() + 0.0  # a fetch of the read itself shows what its memory becomes
    with tf.control_dependencies([assign]):
        after = v.read_value()
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([before, after]) == [1.0, 5.0]


def test_failed_run_changes_nothing():
    v = tf.Variable(tf.zeros([4]))
    index = tf.placeholder(tf.int32, [])
    read = tf.gather(tf.constant([1.0, 2.0]), index)
    step = tf.assign_add(v, tf.fill([4], read))
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match="7 is not in"):
            sess.run(step, {index: 7})
        np.testing.assert_array_equal(sess.run(v), np.zeros(4))
        np.testing.assert_array_equal(sess.run(step, {index: 1}), np.full(4, 2))


def test_shape_from_fed_value():
    n = tf.placeholder(tf.int32, [])
    x = tf.zeros(tf.stack([n, 2])) + 1.0
    with tf.Session() as sess:
        for k in (3, 0, 5, 3):
            assert sess.run(x, {n: k}).shape == (k, 2)
        assert sess.statistics.misses == 3


def test_shape_from_data_is_another_stage():
    x = tf.placeholder(tf.float32, [None])
    kept = tf.boolean_mask(x, x > 0)
    total = tf.reduce_sum(kept * 2.0)
    with tf.Session() as sess:
        got, s = sess.run([kept, total], {x: [1, -2, 3]})
        np.testing.assert_array_equal(got, [1, 3])
        assert s == 8.0
        assert sess.run(total, {x: [-1]}) == 0.0


def test_strings():
    s = tf.constant("Hello World")
    with tf.Session() as sess:
        assert sess.run(s) == b"Hello World"
        p = tf.placeholder(tf.string, [None])
        assert list(sess.run(tf.identity(p), {p: ["a", "b"]})) == [b"a", b"b"]


def test_py_func_between_stages():
    x = tf.placeholder(tf.float32, [3])
    y = tf.py_func(lambda a: a[::-1] * 2, [x + 1.0], tf.float32)
    z = y + x
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(z, {x: [1, 2, 3]}), [9, 8, 7])
        assert sess.statistics.host_stages == 1


def test_make_callable_and_close():
    x = tf.placeholder(tf.float32)
    sess = tf.Session()
    double = sess.make_callable(x * 2.0, [x])
    assert double(4.0) == 8.0
    sess.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        double(1.0)
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.run(x, {x: 1.0})


def test_cache_statistics():
    x = tf.placeholder(tf.float32)
    y = x + 1.0
    with tf.Session() as sess:
        for value in (1.0, 2.0, [1.0], [2.0], 3.0):
            sess.run(y, {x: value})
        assert (sess.statistics.misses, sess.statistics.hits) == (2, 3)


def test_interactive_session_and_eval():
    v = tf.Variable([1.0, 2.0])
    sess = tf.InteractiveSession()
    try:
        v.initializer.run()
        np.testing.assert_array_equal(v.eval(), [1, 2])
        np.testing.assert_array_equal((v * 2.0).eval(), [2, 4])
    finally:
        sess.close()
    with pytest.raises(ValueError, match="No default session"):
        v.eval()


def test_threads_share_a_session():
    v = tf.Variable(0)
    add = tf.assign_add(v, 1)
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run(add.op)

        def work():
            for _ in range(200):
                sess.run(add.op)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sess.run(v) == 801


def test_same_bits_with_one_and_two_threads():
    x = tf.placeholder(tf.float32, [300, 257])
    w = tf.Variable(tf.random_normal([257, 131], seed=3))
    y = tf.nn.softmax(tf.matmul(x, w))
    loss = tf.reduce_sum(tf.tanh(y) * y)
    fetches = [y, loss, *tf.gradients(loss, [w])]
    data = np.random.RandomState(0).randn(300, 257).astype(np.float32)
    results = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            sess.run(w.initializer)
            results.append(sess.run(fetches, {x: data}))
    for one, two in zip(*results, strict=True):
        assert one.tobytes() == two.tobytes()


def test_a_fed_placeholder_is_no_op_to_wait_for():
    with tf.Graph().as_default(), tf.Session() as session:
        fed = tf.placeholder(tf.float32, [], name="fed")
        with tf.control_dependencies([fed]):
            after = tf.identity(tf.constant(2.0))
        assert session.run(after, {fed: 1.0}) == 2.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="must feed a value"):
            session.run(after)
