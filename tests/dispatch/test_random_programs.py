"""Random sequences of runs, in a Session with native dispatch and in one without: the same results,
errors and variables after each."""

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import assert_same, native_runs, outcome, slow_session

pytestmark = pytest.mark.usefixtures("fresh_graph")


class Program:
    """A graph with a little of everything, and random calls of it."""

    def __init__(self, random: np.random.RandomState):
        self.random = random
        tf.set_random_seed(7)
        self.x = x = tf.placeholder(tf.float32, [None, 3], name="x")
        self.k = k = tf.placeholder(tf.int32, [], name="k")
        self.s = s = tf.placeholder(tf.float32, None, name="s")
        v = tf.Variable([[1.0], [2.0], [3.0]], name="v")
        n = tf.Variable(0, dtype=tf.int64, name="n")
        product = tf.matmul(x, v)
        picked = tf.gather(tf.constant([1.0, 2.0, 3.0]), k)
        step = tf.assign_sub(v, tf.gradients(tf.reduce_sum(product * s), v)[0] * 0.01)
        with tf.control_dependencies([tf.Assert(k < 50, [k])]):
            count = tf.assign_add(n, tf.cast(k, tf.int64))
        noise = tf.random_uniform([2]) * picked
        self.initializer = tf.global_variables_initializer()
        self.leaves = [product, picked, step, count, noise, v, n, "x:0", product.op, step.op]
        self.leaves += [tf.shape(x), tf.assign(v, tf.ones([3, 1])), tf.zeros(tf.shape(x)[:1])]

    def fetches(self):
        pick = [self.leaves[i] for i in self.random.randint(len(self.leaves), size=3)]
        form = self.random.randint(6)
        return [
            pick[0],
            pick,
            tuple(pick[:2]),
            {"a": pick[0], "b": pick[1]},
            [pick[0], {"deep": pick[1:]}],
            pick[:1],
        ][form]

    def feeds(self):
        r = self.random
        x = r.standard_normal((r.randint(4), 3)).astype(np.float32)
        k = r.randint(-1, 4) if r.randint(9) else 99
        s = r.standard_normal()
        xs = [
            x,
            x,
            x,
            x.tolist() or x,
            x.astype(np.float64),
            np.asfortranarray(x),
            x[::-1],
            x[:, :2],
        ]
        ks = [k, k, np.int32(k), np.int64(k), np.array(k, np.int32), [k], float(k), 2**40]
        ss = [s, np.float32(s), np.float64(s), 3, np.full((1, 1), s, np.float32), True, 1e300]
        choose = lambda values: values[r.randint(len(values))]  # noqa: E731
        feeds = {self.x: choose(xs), self.k: choose(ks), self.s: choose(ss)}
        for key, name in ((self.x, "x:0"), (self.k, "k"), (self.s, "nowhere:0")):
            if not r.randint(12):
                del feeds[key]
            elif not r.randint(12):
                feeds[name] = feeds.pop(key)
        return feeds


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("seed", range(2))
def test_random_runs(seed):
    random = np.random.RandomState(seed)
    program = Program(random)
    known = [(program.fetches(), program.feeds()) for _ in range(6)]
    with tf.Session() as sess, slow_session() as slow:
        for number in range(120):
            if number == 10:
                sess.run(program.initializer), slow.run(program.initializer)
            if random.randint(10):
                fetches, feeds = known[random.randint(len(known))]
            else:
                fetches, feeds = program.fetches(), program.feeds()
            mine = outcome(lambda f=fetches, d=feeds: sess.run(f, d))
            other = outcome(lambda f=fetches, d=feeds: slow.run(f, d))
            assert_same(mine, other)
            if number == 70:
                program.s.set_shape([])
                program.leaves[0].op._add_control_input(program.initializer)
        assert native_runs(sess) > 20
