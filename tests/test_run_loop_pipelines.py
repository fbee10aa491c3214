"""Session.run_loop over tf.data: the bits of the same steps through Session.run, where the data
ends, and where an iterator is afterwards."""

import time

import numpy as np
import pytest

import tfc as tf
from tfc.client import pipeline

pytestmark = pytest.mark.usefixtures("fresh_graph")

R = np.random.RandomState(0)
IMAGES = R.rand(23, 6).astype(np.float32)
LABELS = R.randint(0, 3, 23)


def batches(epochs=1, size=4):
    data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    data = data.shuffle(23, seed=5).repeat(epochs).batch(size)
    return data.map(lambda x, y: (x + tf.random_uniform(tf.shape(x), seed=2), y))


class Model:
    """A classifier of what it is given, with dropout."""

    def __init__(self, x, y):
        tf.set_random_seed(3)
        hidden = tf.nn.dropout(tf.layers.dense(x, 5, tf.nn.relu), keep_prob=0.7)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=y, logits=tf.layers.dense(hidden, 3)
        )
        self.loss = tf.reduce_mean(losses)
        self.train = tf.train.AdamOptimizer(0.01).minimize(self.loss)
        self.fetches = [self.train, self.loss]


def placeholders():
    return tf.placeholder(tf.float32, [None, 6]), tf.placeholder(tf.int64, [None])


def ready():
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def assert_same_bits(got, want):
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("bytes", (1, 500, 1 << 22))
@pytest.mark.parametrize("epochs", (1, 9))
def test_same_bits_as_session_run(bytes, epochs, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_BYTES", bytes)
    x, y = placeholders()
    model, data = Model(x, y), batches(epochs)
    iterator = data.make_initializable_iterator()
    element = iterator.get_next()
    with ready() as session:
        loop = session.run_loop(model.fetches, 1000, data={(x, y): data})
        after = session.run(tf.trainable_variables())
        again = session.run_loop(model.loss, 3, data={(x, y): data})
    steps = -(-23 * epochs // 4)
    assert (loop.steps, loop.stopped, loop.values[0]) == (steps, "data", None)
    assert (again.steps, again.stopped) == (3, None)
    with ready() as session:
        session.run(iterator.initializer)
        runs = []
        while True:
            try:
                images, labels = session.run(element)
            except tf.errors.OutOfRangeError:
                break
            runs.append(session.run(model.fetches, {x: images, y: labels})[1])
        assert_same_bits(loop.values[1], runs)
        for got, want in zip(after, session.run(tf.trainable_variables()), strict=True):
            assert_same_bits(got, want)


def test_an_iterator_that_the_step_takes_from(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_BYTES", 300)
    iterator = batches(3).make_initializable_iterator()
    model = Model(*iterator.get_next())
    with ready() as session:
        session.run(iterator.initializer)
        runs = [session.run(model.fetches)[1] for _ in range(17)]
        wants = session.run(tf.trainable_variables())
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run([session.run(model.fetches)[1] for _ in range(2)])
    with ready() as session:
        session.run(iterator.initializer)
        first = session.run_loop(model.fetches, 7, data=iterator)
        one = session.run(model.fetches)[1]  # goes on where the loop was
        rest = session.run_loop(model.fetches, 9, data=iterator)
        assert_same_bits([*first.values[1], one, *rest.values[1]], runs)
        for got, want in zip(session.run(tf.trainable_variables()), wants, strict=True):
            assert_same_bits(got, want)
        last = session.run_loop(model.fetches, 9, data=iterator)
        assert (last.steps, last.stopped, last.values[1].shape) == (1, "data", (1,))
        none = session.run_loop(model.fetches, 9, data=iterator)
        assert (none.steps, none.stopped, none.values) == (0, "data", [None, None])


def numbers(count=40):
    return tf.data.Dataset.range(count)


def test_what_no_step_took_goes_back():
    iterator = numbers().make_one_shot_iterator()
    element = iterator.get_next()
    total = tf.Variable(0, dtype=tf.int64)
    add = total.assign_add(element)
    with ready() as session:
        until = session.run_loop([add, element], 30, data=iterator, until=element >= 5)
        assert (until.steps, until.stopped) == (6, "until")
        assert until.values[0].tolist() == [0, 1, 3, 6, 10, 15]
        assert session.run(element) == 6
        called = session.run_loop(
            element, 30, data=iterator, callback=lambda step, value: step == 4, callback_every=2
        )
        assert called.stopped == "callback" and called.values.tolist() == [7, 8, 9, 10]
        assert session.run_loop(element, 30, data=iterator, every=3, until=element >= 13).steps == 3
        assert session.run([element, total]) == [14, 15]
        session.run_loop(element, 1, data=iterator)
        assert session.run(element) == 16


def test_a_failing_step_takes_its_element():
    iterator = numbers().make_one_shot_iterator()
    element = iterator.get_next()
    total = tf.Variable(0, dtype=tf.int64)
    with tf.control_dependencies([tf.assert_none_equal(element, tf.constant(9, tf.int64))]):
        add = total.assign_add(element)
    with ready() as session:
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            session.run_loop(add, 30, data=iterator)
        assert caught.value.result.steps == 9
        assert session.run([element, total]) == [10, 36]


def test_a_pipeline_that_fails():
    data = numbers().map(lambda i: tf.check_numerics(1.0 / tf.cast(6 - i, tf.float32), "bad"))
    iterator = data.make_one_shot_iterator()
    element = iterator.get_next()
    with tf.Session() as session:
        stopped = session.run_loop(element, 30, data=iterator, until=element > 0.4)
        assert stopped.steps == 5
        with pytest.raises(tf.errors.InvalidArgumentError, match="bad") as caught:
            session.run_loop(element, 30, data=iterator)
        assert caught.value.result.steps == 1 and caught.value.result.stopped == "error"
        assert session.run(element) == -1.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="bad") as caught:
            session.run_loop(element, 30, data={element: data})
        assert caught.value.result.steps == 6


def test_interruption_gives_back():
    iterator = numbers().make_one_shot_iterator()
    element = iterator.get_next()

    def interrupt(step, value):
        raise KeyboardInterrupt

    with tf.Session() as session:
        with pytest.raises(KeyboardInterrupt):
            session.run_loop(element, 30, data=iterator, callback=interrupt, callback_every=4)
        assert session.run(element) == 4


def test_elements_of_other_shapes_and_entries_a_step():
    shapes = [1, 1, 2, 2, 2, 5, 1]
    data = tf.data.Dataset.from_generator(
        lambda: (np.arange(n, dtype=np.float64) for n in shapes), tf.float64, [None]
    )
    x, scale = tf.placeholder(tf.float64, [None]), tf.placeholder(tf.float64, [])
    y = tf.reduce_sum(x) * scale
    scales = np.arange(1.0, 21.0)
    with tf.Session() as session:
        loop = session.run_loop(y, 20, data={x: data}, per_step={scale: scales})
    expected = [sum(range(n)) * k for n, k in zip(shapes, scales, strict=False)]
    assert loop.values.tolist() == expected and loop.stopped == "data"


def test_exactly_as_many_elements_as_steps():
    x = tf.placeholder(tf.int64, [])
    with tf.Session() as session:
        loop = session.run_loop(x * 2, 5, data={x: numbers(5)})
        assert (loop.stopped, loop.values.tolist()) == (None, [0, 2, 4, 6, 8])
        assert session.run_loop(x * 2, 1, data={x: numbers(5)}).values.tolist() == [0]
        none = session.run_loop(x * 2, 5, data={x: numbers(0)})
        assert (none.steps, none.stopped, none.values) == (0, "data", None)


def test_structures():
    x, y, z = (tf.placeholder(tf.int64, []) for _ in range(3))
    data = tf.data.Dataset.zip((numbers(), (numbers().skip(1), numbers().skip(2))))
    with tf.Session() as session:
        loop = session.run_loop([x, y + z], 2, data={(x, (y, z)): data})
        assert [v.tolist() for v in loop.values] == [[0, 1], [3, 5]]
        iterator = data.make_one_shot_iterator()
        loop = session.run_loop([x, y + z], 2, data={(x, (y, z)): iterator})
        loop = session.run_loop([x, y + z], 2, data={(x, (y, z)): iterator})
        assert [v.tolist() for v in loop.values] == [[2, 3], [7, 9]]


def test_refused():
    x, y = tf.placeholder(tf.int64, []), tf.placeholder(tf.int64, [2])
    text = tf.placeholder(tf.string, [])
    other = tf.placeholder(tf.float32, [])
    iterator = numbers().make_one_shot_iterator()
    first, second = iterator.get_next(), iterator.get_next()
    late = numbers().make_initializable_iterator()
    with tf.Session() as session:

        def loop(data, error, message, fetches=x, **more):
            with pytest.raises(error, match=message):
                session.run_loop(fetches, 3, data=data, **more)

        loop(3, TypeError, "must be a tf.Batches")
        loop(numbers(), TypeError, "where a dataset goes")
        loop({x: numbers(), y: numbers()}, ValueError, "one structure")
        loop({"nothing": numbers()}, TypeError, "as Tensor")
        loop({(x, y): numbers()}, ValueError, "1 components, for 2 tensors")
        loop({y: numbers()}, ValueError, "has shape")
        loop({other: numbers()}, TypeError, "is float32, its component is int64")
        loop({text: numbers().map(tf.as_string)}, tf.errors.UnimplementedError, "string")
        loop({x: numbers()}, ValueError, "more than one way", feed_dict={x: 1})
        loop({x: numbers()}, ValueError, "more than one way", per_step={x: [1, 2, 3]})
        loop(iterator, ValueError, "depends on 0")
        loop(iterator, ValueError, "depends on 2", first + second)
        loop(late, tf.errors.FailedPreconditionError, "not been initialized", late.get_next())
        with tf.Graph().as_default():
            loop({x: numbers()}, ValueError, "another graph")
        with pytest.raises(tf.errors.UnimplementedError, match="the value of"):
            session.run_loop(tf.zeros(tf.reshape(x, [1])), 3, data={x: numbers()})
        session.run_loop(first, 1, data=iterator)
        assert session.run(second) == 1


def test_elements_that_depend_on_the_step_before():
    v = tf.Variable(1, dtype=tf.int64)
    data = numbers(30).map(lambda i: i + v.read_value())
    x = tf.placeholder(tf.int64, [])
    iterator = data.make_initializable_iterator()
    with ready() as session:
        loop = session.run_loop(v.assign((3 * v + x) % 97), 25, data={x: data})
        session.run([v.initializer, iterator.initializer])
        element, step, found = iterator.get_next(), v.assign((3 * v + x) % 97), []
        for _ in range(25):
            found.append(session.run(step, {x: session.run(element)}))
    assert loop.values.tolist() == found and len(set(found)) > 10


def test_a_pipeline_that_takes_too_long():
    def slow(i):
        time.sleep(0.3 if i == 2 else 0)
        return i

    x = tf.placeholder(tf.int64, [])
    data = numbers().map(lambda i: tf.py_func(slow, [i], tf.int64))
    config = tf.ConfigProto(operation_timeout_in_ms=150)
    error = pytest.raises(tf.errors.DeadlineExceededError)
    with tf.Session(config=config) as session, error as caught:
        session.run_loop(x, 5, data={x: data})
    assert caught.value.result.values.tolist() == [0, 1]
