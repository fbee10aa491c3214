"""Queues, coordinators and the threads that fill queues."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_fifo():
    q = tf.FIFOQueue(3, [tf.float32, tf.string], shapes=[[], [2]])
    add = q.enqueue_many([[1.0, 2.0], [["a", "b"], ["c", "d"]]])
    one, rows = q.dequeue(), q.dequeue_many(1)
    assert one[1].shape.as_list() == [2] and rows[1].shape.as_list() == [1, 2]
    with tf.Session() as session, tf.Session() as other:
        session.run(add)
        assert session.run(q.size()) == 2 and other.run(q.size()) == 0
        number, letters = session.run(one)
        assert number == 1 and letters.tolist() == [b"a", b"b"]
        assert session.run(rows)[1].tolist() == [[b"c", b"d"]]
        session.run(q.close())
        assert session.run(q.is_closed())
        with pytest.raises(tf.errors.OutOfRangeError, match="insufficient elements"):
            session.run(one)
        with pytest.raises(tf.errors.CancelledError, match="closed"):
            session.run(add)


def test_random_shuffle_gives_tensorflows_order():
    tf.set_random_seed(3)
    q = tf.RandomShuffleQueue(30, 2, [tf.int32], shapes=[[]], seed=5)
    with tf.Session() as session:
        session.run(q.enqueue_many([list(range(10))]))
        assert session.run(q.dequeue_many(6)).tolist() == [1, 9, 4, 2, 6, 0]
        session.run(q.close())
        assert session.run(q.dequeue_up_to(9)).tolist() == [8, 7, 5, 3]


def test_padding_and_priority():
    pads = tf.PaddingFIFOQueue(5, tf.int32, [[None]])
    value = tf.placeholder(tf.int32, [None])
    add = pads.enqueue(value)
    first = tf.queue.PriorityQueue(5, tf.string, [[]])
    with tf.Session() as session:
        session.run(add, {value: [1]})
        session.run(add, {value: [2, 3]})
        assert session.run(pads.dequeue_many(2)).tolist() == [[1, 0], [2, 3]]
        session.run(first.enqueue_many([[5, 1, 3], ["e", "a", "c"]]))
        assert session.run(first.dequeue_many(3)[1]).tolist() == [b"a", b"c", b"e"]
    with pytest.raises(ValueError, match="must have a defined rank"):
        tf.PaddingFIFOQueue(5, tf.int32, [tf.TensorShape(None)])


def test_names_and_mistakes():
    q = tf.FIFOQueue(5, [tf.int32, tf.int32], [[], []], names=["a", "b"], name="q")
    with tf.Session() as session:
        session.run(q.enqueue({"a": 1, "b": 2}))
        assert session.run(q.dequeue()) == {"a": 1, "b": 2}
    assert q.name == "q" and q.dtypes == [tf.int32] * 2
    with pytest.raises(ValueError, match="dictionary"):
        q.enqueue([1, 2])
    with pytest.raises(ValueError, match="names"):
        tf.FIFOQueue(5, tf.int32).enqueue({"a": 1})
    with pytest.raises(ValueError, match="same length"):
        tf.FIFOQueue(5, [tf.int32], [[], []])
    with pytest.raises(ValueError, match="not compatible|incompatible"):
        tf.FIFOQueue(5, tf.int32, [[2]]).enqueue([[1, 2, 3]])


def test_waits_end():
    q = tf.FIFOQueue(1, tf.int32, [[]])
    take = q.dequeue()
    with tf.Session() as session, pytest.raises(tf.errors.DeadlineExceededError):
        session.run(take, options=tf.RunOptions(timeout_in_ms=100))
    session, raised = tf.Session(), []

    def wait():
        try:
            session.run(take)
        except tf.errors.CancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    session.close()
    thread.join(10)
    assert not thread.is_alive() and (len(raised) == 1 or not raised)


def test_queue_runners():
    q = tf.FIFOQueue(4, tf.int64, [[]])
    count = tf.Variable(0, dtype=tf.int64)
    with tf.control_dependencies([tf.assert_less(count, tf.constant(10, tf.int64))]):
        number = tf.assign_add(count, 1)
    runner = tf.train.QueueRunner(q, [q.enqueue(number)])
    tf.train.add_queue_runner(runner)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coord)
        take = q.dequeue()
        assert [int(session.run(take)) for _ in range(5)] == [1, 2, 3, 4, 5]
        coord.request_stop()
        coord.join(threads)
    assert runner.name == q.name and coord.joined
    with pytest.raises(ValueError, match="No default session"):
        tf.train.start_queue_runners()


def test_coordinator_raises_what_a_thread_raised():
    coord = tf.train.Coordinator()

    def fail():
        with coord.stop_on_exception():
            raise KeyError("lost")

    thread = threading.Thread(target=fail)
    thread.start()
    with pytest.raises(KeyError, match="lost"):
        coord.join([thread])
    coord.clear_stop()
    assert not coord.should_stop()
    coord.request_stop(tf.errors.OutOfRangeError(None, None, "end"))
    coord.join([])
    calls = []
    again = tf.train.Coordinator()

    def call():
        calls.append(1)
        if len(calls) == 3:
            again.request_stop()

    looper = tf.train.LooperThread.loop(again, None, call)
    again.join([looper])
    assert len(calls) == 3


def test_one_shape_of_one_component():
    for shapes in ((), [], [[]], tf.TensorShape([])):
        assert tf.FIFOQueue(3, tf.float32, shapes).shapes == [tf.TensorShape([])]
    assert tf.FIFOQueue(3, tf.float32, (3, 2)).shapes == [tf.TensorShape([3, 2])]
    with pytest.raises(ValueError, match="same length as dtypes"):
        tf.FIFOQueue(3, [tf.float32, tf.int32], [2, 3])
    with pytest.raises(ValueError, match="must be fully defined"):
        tf.FIFOQueue(3, tf.float32, [[None]])
    with pytest.raises(ValueError, match="a list of shapes must be provided"):
        tf.PaddingFIFOQueue(3, tf.float32, (None, 3))
    with pytest.raises(TypeError, match="shapes must be a TensorShape or a list"):
        tf.FIFOQueue(3, tf.float32, 4)


def test_what_is_added_has_the_queues_shapes():
    queue = tf.FIFOQueue(9, [tf.int32, tf.float32], [[], [3]])
    value = tf.placeholder(tf.float32)
    one, many = queue.enqueue([1, value]), queue.enqueue_many([[1, 2], value])
    with pytest.raises(ValueError, match="not compatible"):
        queue.enqueue_many([[1, 2, 3], tf.zeros([2, 3])])
    pads = tf.PaddingFIFOQueue(9, tf.float32, [[None, 2]]).enqueue(value)
    with tf.Session() as session:
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"component 1. Expected \[3\], got \[4\]"
        ):
            session.run(one, {value: np.zeros(4)})
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected \[2,3\], got \[2,4\]"):
            session.run(many, {value: np.zeros((2, 4))})
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected \[\?,2\], got \[5,3\]"):
            session.run(pads, {value: np.zeros((5, 3))})
        session.run(one, {value: np.zeros(3)})
        assert session.run(queue.size()) == 1


def test_rows_need_shapes_and_lists_an_index_inside():
    queue = tf.FIFOQueue(9, tf.int32)
    with tf.Session() as session:
        session.run(queue.enqueue(3))
        with pytest.raises(tf.errors.InvalidArgumentError, match="specified shapes"):
            session.run(queue.dequeue_many(1))
    for index in (2, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 2\)"):
            tf.FIFOQueue.from_list(index, [queue, queue])


def test_queues_of_one_name_are_alike():
    first = tf.FIFOQueue(9, tf.int32, [[]], shared_name="q")
    other = tf.FIFOQueue(8, tf.int32, [[]], shared_name="q")
    wide = tf.FIFOQueue(9, tf.int32, [[2]], shared_name="q")
    floats = tf.FIFOQueue(9, tf.float32, [[]], shared_name="q")
    with tf.Session() as session:
        assert session.run(first.size()) == 0
        with pytest.raises(tf.errors.InvalidArgumentError, match="has capacity 9 but requested"):
            session.run(other.size())
        with pytest.raises(tf.errors.InvalidArgumentError, match="component shapes"):
            session.run(wide.size())
        with pytest.raises(tf.errors.InvalidArgumentError, match="component types"):
            session.run(floats.size())


@pytest.mark.parametrize("kind", ["fifo", "random"])
def test_more_elements_at_once_than_there_is_room_for(kind):
    if kind == "fifo":
        queue = tf.FIFOQueue(2, tf.int32, [[]])
    else:
        queue = tf.RandomShuffleQueue(2, 0, tf.int32, [[]])
    numbers = [1, 2, 3, 4, 5]
    value = tf.placeholder(queue.dtypes[0], [])
    add, take, left = queue.enqueue(value), queue.dequeue_many(4), queue.size()
    with tf.Session() as session:
        found = []
        taker = threading.Thread(target=lambda: found.append(session.run(take)))
        taker.start()
        for number in numbers:
            session.run(add, {value: number})
        taker.join(20)
        assert len(found[0]) == 4 and set(found[0]) < set(numbers) and session.run(left) == 1
        if kind == "fifo":
            assert found[0].tolist() == [1, 2, 3, 4]
        session.run(queue.close())
        with pytest.raises(tf.errors.OutOfRangeError, match="requested 4, current size 1"):
            session.run(take)
        assert session.run(left) == 1  # what was there stays


def test_queue_runners_say_what_they_run():
    with tf.Graph().as_default(), tf.Session() as session:
        q = tf.FIFOQueue(4, tf.float32, name="fill")
        put = q.enqueue(1.0, name="put")
        runner = tf.train.QueueRunner(q, [put])
        assert runner.name == "fill" and runner.enqueue_ops == [put]
        assert (runner.close_op.name, runner.cancel_op.name) == ("fill_Close", "fill_Close_1")
        assert runner.queue_closed_exception_types == (tf.errors.OutOfRangeError,)
        coord = tf.train.Coordinator()
        names = [t.name for t in runner.create_threads(session, coord)]
        found = [f"QueueRunnerThread-fill-{what}" for what in (put.name, "close_on_stop")]
        assert names == found
        ends = (tf.errors.AbortedError, tf.errors.OutOfRangeError)
        runner = tf.train.QueueRunner(q, [put], queue_closed_exception_types=ends)
        assert runner.queue_closed_exception_types == ends
        for wrong in ((), [tf.errors.AbortedError], (ValueError,)):
            with pytest.raises(TypeError, match="tuple of tf.error types"):
                tf.train.QueueRunner(q, [put], queue_closed_exception_types=wrong)
