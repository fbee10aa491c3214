"""Functions of datasets: what they are given and return, what they capture, when they fail."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements
from tfc.client.functions import OwnStates
from tfc.client.state import VariableStore

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_structures_of_arguments_and_results():
    pairs = Dataset.zip((Dataset.range(2), Dataset.range(5, 7)))
    assert elements(pairs.map(lambda x, y: x * y)) == [0, 6]
    named = pairs.map(lambda x, y: {"s": x + y, "t": (x, [y, y])})
    assert elements(named) == [
        {"s": 5, "t": (0, [5, 5])},
        {"s": 7, "t": (1, [6, 6])},
    ]
    assert elements(named.map(lambda d: d["s"])) == [5, 7]
    listed = Dataset.range(2).map(lambda x: [x, tf.stack([x, x])])
    assert listed.output_types == (tf.int64, tf.int64)
    assert elements(listed) == [(0, [0, 0]), (1, [1, 1])]
    assert elements(Dataset.range(2).map(lambda x: (3, "a"))) == [(3, b"a")] * 2
    assert elements(Dataset.range(2).map(functools.partial(tf.add, np.int64(10)))) == [10, 11]
    calls = Dataset.range(3).map(lambda x: x + 1, num_parallel_calls=2)
    assert elements(calls) == [1, 2, 3]
    older = Dataset.range(3).map_with_legacy_function(lambda x: x + 1)
    assert elements(older.filter_with_legacy_function(lambda x: x > 1)) == [2, 3]
    assert Dataset.range(3).map(lambda x: tf.zeros([2, 3])).output_shapes.as_list() == [2, 3]


def test_numbers_are_those_of_the_graph():
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3)
    found = elements(Dataset.from_tensor_slices(x).map(lambda row: tf.nn.softmax(row)))
    with tf.Session() as session:
        assert found == session.run(tf.nn.softmax(x)).tolist()


def test_control_flow_strings_and_python_inside():
    five = Dataset.range(5)
    chosen = five.map(lambda x: tf.cond(x > 2, lambda: x * 10, lambda: x))
    assert elements(chosen) == [0, 1, 2, 30, 40]

    def below(x):
        start = tf.constant(0, tf.int64)
        return tf.while_loop(lambda i, s: i < x, lambda i, s: (i + 1, s + i), [start, start])[1]

    assert elements(five.map(below)) == [0, 0, 1, 3, 6]
    python = five.map(lambda x: tf.py_func(lambda v: v + np.int64(1), [x], tf.int64))
    assert elements(python) == [1, 2, 3, 4, 5] and python.output_shapes.ndims is None
    texts = Dataset.from_tensor_slices(["a,b", "c,d"])
    split = texts.map(lambda s: tf.string_split([s], ",").values).batch(2)
    assert elements(split) == [[[b"a", b"b"], [b"c", b"d"]]]
    lengths = Dataset.range(4).map(lambda x: tf.range(x))
    assert elements(lengths) == [[], [0], [0, 1], [0, 1, 2]]


def test_captures():
    scale = tf.constant(3, tf.int64)
    fed = tf.placeholder(tf.int64, [])
    dataset = Dataset.range(3).map(lambda x: x * scale + fed)
    assert elements(dataset, feed={fed: 5}, passes=1) == [5, 8, 11]
    nested = Dataset.range(3).flat_map(lambda x: Dataset.range(x + 1).map(lambda y: 10 * y + x))
    assert elements(nested) == [0, 1, 11, 2, 12, 22]
    deep = Dataset.range(2).flat_map(
        lambda x: Dataset.range(2).flat_map(
            lambda y: Dataset.range(2).map(lambda z: 100 * x + 10 * y + z + scale)
        )
    )
    assert elements(deep) == [3, 4, 13, 14, 103, 104, 113, 114]


def test_variables():
    """What a function takes of a variable is what it held when the iterator was initialised; what
    it assigns is the variable of the Session."""
    variable = tf.Variable(2, dtype=tf.int64)
    assert elements(Dataset.range(3).map(lambda x: x * variable), passes=1) == [0, 2, 4]

    def counting(x):
        with tf.control_dependencies([tf.assign_add(variable, 1)]):
            return x * variable.read_value()

    assert elements(Dataset.range(3).map(counting), passes=1) == [0, 4, 10]


def test_what_a_function_does_is_done():
    """Ops that have effects run, though no result needs them."""
    seen = []

    def note(x):
        tf.py_func(lambda v: seen.append(int(v)), [x], [])
        return x

    assert elements(Dataset.range(3).map(note)) == [0, 1, 2] and seen == [0, 1, 2]

    def checked(x):
        tf.Assert(x < 2, [x])
        return x

    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        elements(Dataset.range(3).map(checked))


def test_random_numbers():
    """TensorFlow's: a function counts its ops by itself, and begins anew with each iterator."""
    tf.set_random_seed(3)
    outside = [tf.random_uniform([]), tf.random_uniform([])]
    dataset = Dataset.range(3).map(lambda x: tf.random_uniform([])).repeat(2)
    outside.append(tf.random_uniform([]))
    with tf.Session() as session:
        np.testing.assert_array_equal(
            session.run(outside), np.float32([0.12736404, 0.77806914, 0.8509835])
        )
    once = [
        0.12736403942108154, 0.858015775680542, 0.8898706436157227, 0.5135660171508789,
        0.565608024597168, 0.7503809928894043,
    ]  # fmt: skip
    assert elements(dataset, passes=2) == once * 2
    first, second = dataset.make_one_shot_iterator(), dataset.make_one_shot_iterator()
    pair = first.get_next(), second.get_next()
    with tf.Session() as session:
        for expected in once:
            assert session.run(pair) == (np.float32(expected), np.float32(expected))


def test_random_numbers_without_a_seed_go_on():
    dataset = Dataset.range(5).map(lambda x: tf.random_uniform([]))
    assert len(set(elements(dataset, passes=3))) == 15


def test_filter():
    even = Dataset.range(6).filter(lambda x: tf.equal(x % 2, 0))
    assert elements(even) == [0, 2, 4]
    pairs = Dataset.from_tensor_slices(([1, 2, 3], ["a", "b", "c"]))
    assert elements(pairs.filter(lambda n, s: n > 1).batch(2)) == [([2, 3], [b"b", b"c"])]
    shuffled = Dataset.range(20).shuffle(5, seed=9).filter(lambda x: tf.equal(x % 2, 0))
    assert elements(shuffled.batch(4)) == [[4, 2, 8, 10], [14, 12, 6, 16], [18, 0]]
    for wrong in (lambda x: x, lambda x: (x > 1, x), lambda x: tf.stack([x > 1])):
        with pytest.raises(ValueError, match="scalar boolean"):
            Dataset.range(3).filter(wrong)
    unknown = Dataset.range(3).filter(
        lambda x: tf.py_func(lambda v: np.array([True]), [x], tf.bool)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="scalar"):
        elements(unknown)


@pytest.mark.parametrize(
    ("stop", "cycle", "block", "expected"),
    [
        (5, 2, 2, [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]),
        (6, 3, 1, [1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 4, 5, 5, 5]),
        (4, 9, 9, [1, 2, 2, 3, 3, 3]),
    ],
)
def test_interleave(stop, cycle, block, expected):
    def repeated(x):
        return Dataset.from_tensors(x).repeat(x)

    numbers = Dataset.range(1, stop)
    assert elements(numbers.interleave(repeated, cycle, block)) == expected
    parallel = numbers.interleave(repeated, cycle, block, num_parallel_calls=2)
    assert elements(parallel) == expected
    older = tf.data.experimental.parallel_interleave(repeated, cycle, block)
    assert elements(numbers.apply(older)) == expected
    by_default = numbers.interleave(repeated)
    assert sorted(elements(by_default)) == sorted(expected)


def test_flat_map_and_interleave_take_datasets():
    for method in ("flat_map", "interleave"):
        with pytest.raises(TypeError, match="must return a `Dataset`"):
            getattr(Dataset.range(3), method)(lambda x: x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="cycle_length"):
        elements(Dataset.range(3).interleave(lambda x: Dataset.range(x), cycle_length=0))


def test_reduce():
    with tf.Session() as session:
        total = Dataset.range(5).reduce(np.int64(0), lambda s, x: s + x)
        assert session.run(total) == 10 and total.shape.as_list() == []
        pairs = Dataset.from_tensor_slices((np.arange(3.0), np.arange(3.0)))
        state = pairs.reduce(
            {"n": 0, "s": np.float64(1)}, lambda s, e: {"n": s["n"] + 1, "s": s["s"] + e[0] * e[1]}
        )
        assert session.run(state) == {"n": 3, "s": 6.0}
        longer = Dataset.range(3).reduce(np.zeros(0, np.int64), lambda s, x: tf.concat([s, [x]], 0))
        assert longer.shape.as_list() == [None] and session.run(longer).tolist() == [0, 1, 2]
        scale = tf.placeholder(tf.int64, [])
        scaled = Dataset.range(4).reduce(np.int64(1), lambda s, x: s * scale)
        assert session.run(scaled, {scale: 3}) == 81
    with pytest.raises(TypeError, match="new state"):
        Dataset.range(5).reduce(0, lambda s, x: x)
    with pytest.raises(TypeError, match="type int64"):
        Dataset.range(5).reduce(0, lambda s, x: s + x)


def test_functions_that_return_no_tensors():
    with pytest.raises(ValueError, match="nothing"):
        Dataset.range(3).map(lambda x: None)
    for wrong in (lambda x: object(), lambda x: (x, None), lambda x: {"a": object()}):
        with pytest.raises(TypeError, match="Unsupported return value"):
            Dataset.range(3).map(wrong)
    with pytest.raises(TypeError, match="no function"):
        Dataset.range(3).map(3)
    with pytest.raises(TypeError, match="must return a Dataset"):
        Dataset.range(3).apply(lambda d: 3)
    assert elements(Dataset.range(3).apply(lambda d: d.take(1))) == [0]


def test_an_error_in_a_function_spoils_one_element():
    numbers = Dataset.from_tensor_slices([1.0, 0.0, 4.0])
    checked = numbers.map(lambda x: tf.check_numerics(1.0 / x, "bad"))
    element = checked.make_one_shot_iterator().get_next()
    with tf.Session() as session:
        assert session.run(element) == 1.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="bad"):
            session.run(element)
        assert session.run(element) == 0.25
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(element)


def test_out_of_range_in_a_function_ends_the_dataset():
    def first_three(value):
        if value < 3:
            return value
        raise StopIteration

    dataset = Dataset.range(6).map(lambda x: tf.py_func(first_three, [x], tf.int64))
    assert elements(dataset) == [0, 1, 2]


def test_functions_are_compiled():
    """A function is compiled once for each signature, and no op of it runs in Python."""
    element = Dataset.range(6).map(lambda x: x * x + 1).make_one_shot_iterator().get_next()
    with tf.Session() as session:
        session.run(element)
        misses, stages = session.statistics.misses, session.statistics.host_stages
        for _ in range(4):
            session.run(element)
        assert session.statistics.misses == misses
        # the iterator's handle and its next element
        assert session.statistics.host_stages == stages + 4 * 2


def test_states_of_an_iterator():
    """What an iterator has for itself stays apart from what the Session has."""
    tf.set_random_seed(1)
    seeded, free = tf.random_uniform([], seed=2), tf.Variable(1.0)
    base = VariableStore()
    own = OwnStates(base, tf.get_default_graph())
    key, state = f"{seeded.op.name}/RandomUniform/counter", np.zeros(2, np.uint64)
    own.put_missing({key: state})
    assert base.get(key) is None and own[key].array.tolist() == [0, 0]
    own.put(key, np.ones(2, np.uint64))
    own.put(free.op.name, np.ones(3, np.float32))
    assert base.get(key) is None and own[key].array.tolist() == [1, 1]
    assert base[free.op.name].array.tolist() == own[free.op.name].array.tolist() == [1, 1, 1]
    other = OwnStates(base, tf.get_default_graph())
    assert other.get(key) is None and other.generation != own.generation
    assert other.types([free.op.name]) == own.types([free.op.name])


def _branch(x):
    return x if x > 2 else -x


def _loop(x):
    while x < 3:
        x = x + 1
    return x


def _rows(x):
    return sum(row for row in tf.fill([2], x))


def _range(x):
    return sum(x for _ in range(x))


@pytest.mark.parametrize(
    "function", [_branch, _loop, _rows, _range, lambda x: x > 1 and x < 3, lambda x: 1 < x < 3]
)
def test_python_statements_are_refused_with_what_to_write(function):
    for method in ("map", "filter", "flat_map", "interleave"):
        with pytest.raises(TypeError, match=rf"Dataset\.{method}\(\) is called once") as caught:
            getattr(Dataset.range(4), method)(function)
        assert "tf.cond(c, lambda: a, lambda: b)" in str(caught.value)
        assert "tf.while_loop" in str(caught.value)
    is_flow = isinstance(caught.value, tf.errors.OperatorNotAllowedInGraphError)
    assert is_flow == (function is not _range)


def test_other_errors_of_functions_are_their_own():
    with pytest.raises(TypeError) as caught:
        Dataset.range(4).map(lambda x, y: x)
    assert "called once" not in str(caught.value)


def test_too_many_parallel_calls():
    dataset = Dataset.range(3).interleave(
        lambda x: Dataset.range(x), cycle_length=2, num_parallel_calls=3
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="less than or equal to cycle_length"):
        elements(dataset)
