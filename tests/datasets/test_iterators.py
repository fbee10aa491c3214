"""Iterators of all kinds, what ends their waits, and what they are given wrong."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_one_shot():
    element = Dataset.range(2).make_one_shot_iterator().get_next()
    with tf.Session() as session, tf.Session() as other:
        assert session.run(element) == 0 and session.run(element) == 1
        for _ in range(2):  # the end stays the end
            with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
                session.run(element)
        assert other.run(element) == 0  # each Session has its own


def test_one_shot_takes_nothing_that_changes():
    with pytest.raises(ValueError, match=r"placeholder \(name:x, type:Placeholder\)"):
        Dataset.from_tensors(tf.placeholder(tf.float32, name="x")).make_one_shot_iterator()
    variable = tf.Variable(1.0)
    for dataset in (
        Dataset.range(3).map(lambda x: variable + 1),
        Dataset.range(3).map(lambda x: tf.assign(variable, 2.0)),
        Dataset.from_tensors(tf.random_uniform([])),
    ):
        with pytest.raises(ValueError, match="Cannot capture a stateful node"):
            dataset.make_one_shot_iterator()
    chosen = tf.cond(tf.constant(True), lambda: tf.constant(1), lambda: tf.constant(2))
    assert elements(Dataset.from_tensors(chosen)) == [1]


def test_initializable():
    x = tf.placeholder(tf.float32, [None, 2])
    iterator = Dataset.from_tensor_slices(x).repeat(2).batch(2).make_initializable_iterator()
    element = iterator.get_next()
    assert element.shape.as_list() == [None, 2]
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError, match="has not been initialized"):
            session.run(element)
        session.run(iterator.initializer, {x: [[1, 2], [3, 4], [5, 6]]})
        assert session.run(element).tolist() == [[1, 2], [3, 4]]
        assert session.run(element).tolist() == [[5, 6], [1, 2]]
        session.run(iterator.initializer, {x: [[7, 8]]})
        assert session.run(element).tolist() == [[7, 8], [7, 8]]
    with pytest.raises(ValueError, match="does not have an initializer"):
        _ = Dataset.range(3).make_one_shot_iterator().initializer


def test_iterators_of_one_name_are_one():
    first = Dataset.range(9).make_initializable_iterator(shared_name="mine")
    second = Dataset.range(9).make_initializable_iterator(shared_name="mine")
    with tf.Session() as session:
        session.run(first.initializer)
        assert session.run(first.get_next()) == 0 and session.run(second.get_next()) == 1


def test_reinitializable():
    train, test = Dataset.range(3), Dataset.range(10, 12)
    iterator = tf.data.Iterator.from_structure(train.output_types, train.output_shapes)
    element = iterator.get_next()
    to_train, to_test = iterator.make_initializer(train), iterator.make_initializer(test)
    assert (to_train.name, to_test.name) == ("make_initializer", "make_initializer_1")
    assert iterator.make_initializer(test, name="mine").name == "mine"
    with tf.Session() as session:
        for start, expected in ((to_train, [0, 1]), (to_test, [10, 11]), (to_train, [0, 1, 2])):
            session.run(start)
            assert [session.run(element) for _ in expected] == expected


def test_reinitializable_takes_what_fits():
    iterator = tf.data.Iterator.from_structure(tf.int64, [2])
    assert iterator.output_types == tf.int64 and iterator.output_classes is tf.Tensor
    with pytest.raises(TypeError, match="Expected output types tf.int64"):
        iterator.make_initializer(Dataset.from_tensors([1.0, 2.0]))
    with pytest.raises(TypeError, match="Expected output shapes compatible"):
        iterator.make_initializer(Dataset.range(3))
    with pytest.raises((TypeError, ValueError)):
        iterator.make_initializer(Dataset.zip((Dataset.range(3), Dataset.range(3))))
    with pytest.raises(ValueError):
        tf.data.Iterator.from_structure((tf.int32, tf.int64), ([],))
    sparse = tf.data.Iterator.from_structure(tf.int64, [4], output_classes=tf.SparseTensor)
    with pytest.raises(TypeError, match="Expected output classes"):
        sparse.make_initializer(Dataset.from_tensors(np.arange(4)))
    unknown = tf.data.Iterator.from_structure((tf.int64, {"a": tf.string}))
    assert unknown.get_next()[1]["a"].shape.ndims is None


def test_feedable():
    first = Dataset.range(3).make_one_shot_iterator()
    second = Dataset.range(10, 13).make_initializable_iterator()
    handle = tf.placeholder(tf.string, [])
    iterator = tf.data.Iterator.from_string_handle(handle, tf.int64, [])
    element = iterator.get_next()
    assert str(element) == 'Tensor("IteratorGetNext:0", shape=(), dtype=int64)'
    with tf.Session() as session:
        one, two = session.run([first.string_handle(), second.string_handle("mine")])
        with pytest.raises(tf.errors.FailedPreconditionError):
            session.run(element, {handle: two})
        session.run(second.initializer)
        found = [session.run(element, {handle: h}) for h in (one, two, one, two)]
        assert found == [0, 10, 1, 11]
        with pytest.raises(tf.errors.InvalidArgumentError, match="string_handle"):
            session.run(element, {handle: "nothing"})
        with pytest.raises(tf.errors.NotFoundError):
            session.run(element, {handle: "iterator/of another Session"})
        other = tf.data.Iterator.from_string_handle(handle, tf.float32)
        with pytest.raises(tf.errors.InvalidArgumentError, match="components do not match"):
            session.run(other.get_next(), {handle: one})
        narrow = tf.data.Iterator.from_string_handle(handle, tf.int64, [3])
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
            session.run(narrow.get_next(), {handle: one})


def test_get_next():
    iterator = Dataset.range(9).make_one_shot_iterator()
    first, second = iterator.get_next(), iterator.get_next("mine")
    assert second.name == "mine:0"
    with tf.Session() as session:
        assert sorted(session.run([first, second])) == [0, 1]
        assert session.run([first, first]) == [2, 2]
    with pytest.warns(UserWarning, match="get_next"):
        for _ in range(40):
            iterator.get_next()
    assert tf.get_collection("iterators") == [iterator._iterator_resource]


def test_get_next_in_a_loop():
    iterator = Dataset.range(10).make_one_shot_iterator()
    start = [0, tf.constant(0, tf.int64)]
    _, total = tf.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, s + iterator.get_next()), start
    )
    with tf.Session() as session:
        assert session.run(total) == 0 + 1 + 2 and session.run(total) == 3 + 4 + 5


def test_made_by_hand():
    made = Dataset.range(2).make_initializable_iterator()
    again = tf.data.Iterator(made._iterator_resource, made.initializer, tf.int64, [], tf.Tensor)
    assert again.element_spec == tf.TensorSpec([], tf.int64)
    with tf.Session() as session:
        session.run(again.initializer)
        assert session.run(again.get_next()) == 0


def endless() -> tf.data.Dataset:
    """A dataset whose first element never comes."""
    return Dataset.range(10**6).repeat().filter(lambda x: x < 0)


def test_a_deadline_ends_the_search_for_an_element():
    element = endless().make_one_shot_iterator().get_next()
    begin = time.monotonic()
    with tf.Session() as session, pytest.raises(tf.errors.DeadlineExceededError):
        session.run(element, options=tf.RunOptions(timeout_in_ms=100))
    assert time.monotonic() - begin < 20


def test_closing_the_session_ends_the_search_for_an_element():
    element = endless().make_one_shot_iterator().get_next()
    session, ended = tf.Session(), []

    def search():
        try:
            session.run(element)
        except tf.errors.CancelledError as error:
            ended.append(error)

    thread = threading.Thread(target=search)
    thread.start()
    time.sleep(0.1)
    session.close()
    thread.join(20)
    assert len(ended) == 1


def test_a_deadline_ends_the_wait_for_another_run():
    resume = threading.Event()

    def waiting():
        yield 1
        resume.wait(20)
        yield 2

    element = Dataset.from_generator(waiting, tf.int32).make_one_shot_iterator().get_next()
    with tf.Session() as session:
        assert session.run(element) == 1
        thread = threading.Thread(target=session.run, args=(element,))
        thread.start()
        time.sleep(0.1)
        with pytest.raises(tf.errors.DeadlineExceededError, match="iterator"):
            session.run(element, options=tf.RunOptions(timeout_in_ms=100))
        resume.set()
        thread.join(20)


def test_threads_share_an_iterator():
    element = Dataset.range(200).map(lambda x: 2 * x).make_one_shot_iterator().get_next()
    session, found = tf.Session(), []

    def work():
        try:
            while True:
                found.append(int(session.run(element)))
        except tf.errors.OutOfRangeError:
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(0, 400, 2))


def test_an_imported_graph_lacks_the_functions():
    iterator = Dataset.range(3).map(lambda x: x + 1).make_initializable_iterator()
    iterator.get_next()
    whole = tf.get_default_graph().as_graph_def()
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(whole, name="")
        session.run(graph.get_operation_by_name("MakeIterator"))
        with pytest.raises(tf.errors.UnimplementedError, match="imported"):
            session.run("IteratorGetNext:0")


def test_an_initializer_of_another_structure():
    pair = tf.data.Iterator.from_structure((tf.int64, tf.int64))
    with pytest.raises(ValueError, match="same number of elements"):
        pair.make_initializer(Dataset.range(3))
    named = tf.data.Iterator.from_structure({"a": tf.int64})
    with pytest.raises(TypeError):
        named.make_initializer(Dataset.range(3))
