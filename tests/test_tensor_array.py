"""tf.TensorArray: values, shapes, names, errors, gradients; what is native and what is not."""

import logging

import numpy as np
import pytest

import tfc as tf

F, D = tf.float32, tf.float64


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def filled(body, array, count, start=0):
    """The array after `array = body(i, array)` for i from `start` to `count`."""
    return tf.while_loop(lambda i, a: i < count, lambda i, a: (i + 1, body(i, a)), [start, array])[
        1
    ]


# ---- construction, names, static shapes


def test_names_and_static_shapes():
    x = tf.placeholder(F, [2, 4])
    array = tf.TensorArray(F, 2)
    assert array.handle.op.name == "TensorArray"
    array = array.unstack(x)
    assert array.flow.name == "TensorArrayUnstack/TensorArrayScatter/TensorArrayScatterV3:0"
    tensors = [array.read(1), array.stack(), array.gather([0, 1, 0]), array.concat(), array.size()]
    assert [t.name for t in tensors] == [
        "TensorArrayReadV3:0",
        "TensorArrayStack/TensorArrayGatherV3:0",
        "TensorArrayGatherV3:0",
        "TensorArrayConcatV3:0",
        "TensorArraySizeV3:0",
    ]
    assert [t.shape.as_list() for t in tensors] == [[4], [2, 4], [3, 4], [8], []]
    written = tf.TensorArray(F, 3, name="mine").write(0, x)
    assert written.flow.op.name == "TensorArrayWrite/TensorArrayWriteV3"
    assert written.handle.op.name == "mine"
    split = tf.TensorArray(F, 2, infer_shape=False).split(tf.zeros([4]), [1, 3])
    assert split.flow.op.name == "TensorArraySplit/TensorArraySplitV3"
    assert split.read(0).shape.ndims is None


def test_element_shape_is_learned_and_shared():
    array = tf.TensorArray(F, 3)
    assert array.element_shape.ndims is None and array.dtype == F and not array.dynamic_size
    filled(lambda i, a: a.write(i, tf.zeros([2, 5])), array, 3)
    assert array.element_shape.as_list() == [2, 5]
    assert tf.TensorArray(F, 3, element_shape=[None, 2]).element_shape.as_list() == [None, 2]
    loose = tf.TensorArray(F, 3, infer_shape=False)
    loose.write(0, tf.zeros([2]))
    assert loose.element_shape.ndims is None


def test_handle_and_flow_name_an_array(session):
    array = tf.TensorArray(F, 2).unstack([1.0, 2.0])
    again = tf.TensorArray(F, handle=array.handle, flow=array.flow)
    np.testing.assert_array_equal(session.run(again.stack()), [1, 2])
    with pytest.raises(ValueError, match="neither the handle nor the flow"):
        tf.TensorArray(F, handle=tf.constant(1.0))
    with pytest.raises(ValueError, match="float32, not int32"):
        tf.TensorArray(tf.int32, handle=array.handle)


def test_construction_errors():
    handle = tf.TensorArray(F, 2).handle
    with pytest.raises(ValueError, match="Size must be provided"):
        tf.TensorArray(F)
    with pytest.raises(TypeError, match="Handle must be a Tensor"):
        tf.TensorArray(F, handle=3)
    for more in ({"size": 2}, {"dynamic_size": True}, {"tensor_array_name": "x"}):
        with pytest.raises(ValueError, match="Cannot provide both a handle and"):
            tf.TensorArray(F, handle=handle, **more)
    with pytest.raises(ValueError, match="must be rank 0 but is rank 1"):
        tf.TensorArray(F, [2])


# ---- values outside loops


def test_write_read_stack_gather(session):
    x = tf.placeholder(F, [2])
    array = tf.TensorArray(F, 3)
    for i in range(3):
        array = array.write(i, x * float(i + 1))
    got = session.run([array.stack(), array.read(2), array.gather([2, 0])], {x: [1, 10]})
    np.testing.assert_array_equal(got[0], [[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(got[1], [3, 30])
    np.testing.assert_array_equal(got[2], [[3, 30], [1, 10]])


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "complex64", "float16"])
def test_dtypes(session, dtype):
    values = np.array([[1, 0], [0, 1]]).astype(dtype)
    array = tf.TensorArray(dtype, 2).unstack(values)
    np.testing.assert_array_equal(session.run(array.gather([1, 0])), values[::-1])


def test_indices_known_only_when_it_runs(session):
    i = tf.placeholder(tf.int32, [])
    where = tf.placeholder(tf.int32, [None])
    array = tf.TensorArray(F, 4, clear_after_read=False).write(i, 5.0)
    array = array.scatter(where, [1.0, 2.0])
    feed = {i: 3, where: [2, 0]}
    np.testing.assert_array_equal(session.run(array.stack(), feed), [2, 0, 1, 5])
    np.testing.assert_array_equal(session.run(array.gather(where), feed), [1, 2])
    assert session.run(array.read(i), feed) == 5
    for wrong in ({i: 2, where: [2, 0]}, {i: 3, where: [1, 1]}):
        with pytest.raises(tf.errors.InvalidArgumentError, match="already been written to"):
            session.run(array.stack(), wrong)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Tried to write to index 4"):
        session.run(array.stack(), {i: 4, where: [2, 0]})


def test_concat_and_split(session):
    x = tf.placeholder(F, [None, 2])
    parts = tf.TensorArray(F, 2, infer_shape=False).split(x, [1, 2])
    feed = {x: [[1, 2], [3, 4], [5, 6]]}
    got = session.run([parts.read(0), parts.read(1), parts.concat()], feed)
    np.testing.assert_array_equal(got[0], [[1, 2]])
    np.testing.assert_array_equal(got[1], [[3, 4], [5, 6]])
    np.testing.assert_array_equal(got[2], feed[x])
    even = tf.TensorArray(F, 3).split(tf.range(6.0), [2, 2, 2])
    assert even.read(1).shape.as_list() == [2]
    np.testing.assert_array_equal(session.run(even.stack()), [[0, 1], [2, 3], [4, 5]])
    none = tf.TensorArray(F, 0, element_shape=[None, 3]).concat()
    assert session.run(none).shape == (0, 3)


def test_elements_of_several_shapes_are_native_at_known_places(session, caplog):
    x = tf.placeholder(F, [2, 2])
    array = tf.TensorArray(F, 2, infer_shape=False).write(0, x).write(1, x[:1])
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run([array.concat(), array.read(1)], {x: [[1, 2], [3, 4]]})
    np.testing.assert_array_equal(got[0], [[1, 2], [3, 4], [1, 2]])
    np.testing.assert_array_equal(got[1], [[1, 2]])
    assert session.statistics.host_stages == 0


def test_growing(session):
    array = tf.TensorArray(F, 1, dynamic_size=True).write(0, 1.0).write(3, 2.0)
    assert session.run(array.size()) == 4
    np.testing.assert_array_equal(session.run(array.stack()), [1, 0, 0, 2])
    i = tf.placeholder(tf.int32, [])
    later = tf.TensorArray(F, 0, dynamic_size=True).write(i, 3.0).write(i + 1, 4.0)
    np.testing.assert_array_equal(session.run(later.stack(), {i: 1}), [0, 3, 4])
    assert session.run(later.size(), {i: 5}) == 7


def test_what_was_not_written_is_zero_if_its_shape_is_known(session):
    np.testing.assert_array_equal(
        session.run(tf.TensorArray(F, 3).write(0, [1.0, 2.0]).stack()), [[1, 2], [0, 0], [0, 0]]
    )
    known = tf.TensorArray(F, 2, infer_shape=False, element_shape=[2])
    np.testing.assert_array_equal(session.run(known.stack()), np.zeros((2, 2)))


def test_identity_close_and_grad(session):
    array = tf.TensorArray(F, 2).unstack([1.0, 2.0])
    np.testing.assert_array_equal(session.run(array.identity().stack()), [1, 2])
    assert session.run(array.close()) is None
    sums = array.grad("g").write(0, 1.0).write(0, 2.0).write(1, 3.0)
    np.testing.assert_array_equal(session.run(sums.stack()), [3, 3])


# ---- errors

UNWRITTEN = r"Could not read from TensorArray index 1\.  Furthermore, the element shape is not "
RUN_ERRORS = {
    "unwritten_read": (
        lambda: tf.TensorArray(F, 3, infer_shape=False).write(0, 1.0).read(1),
        UNWRITTEN,
    ),
    "unwritten_stack": (
        lambda: tf.TensorArray(F, 2, infer_shape=False).write(0, 1.0).stack(),
        UNWRITTEN,
    ),
    "unwritten_concat": (
        lambda: tf.TensorArray(F, 2, infer_shape=False).write(0, [1.0]).concat(),
        UNWRITTEN,
    ),
    "never_written": (lambda: tf.TensorArray(F, 3).read(1), UNWRITTEN),
    "unwritten_after_a_loop": (
        lambda: filled(lambda i, a: a.write(2 * i, 1.0), tf.TensorArray(F, 3, infer_shape=False), 2)
        .read(1),
        UNWRITTEN,
    ),
    "read_outside": (
        lambda: tf.TensorArray(F, 3).unstack([1.0, 2.0, 3.0]).read(5),
        "Tried to read from index 5 but array size is: 3",
    ),
    "gather_outside": (
        lambda: tf.TensorArray(F, 3).unstack([1.0, 2.0, 3.0]).gather([0, -5]),
        "Tried to read from index -5 but array size is: 3",
    ),
    "write_outside": (
        lambda: tf.TensorArray(F, 3).write(3, 1.0).stack(),
        "Tried to write to index 3 but array is not resizeable and size is: 3",
    ),
    "write_below": (
        lambda: tf.TensorArray(F, 3, dynamic_size=True).write(-1, 1.0).stack(),
        "Tried to write to index -1",
    ),
    "write_twice": (
        lambda: tf.TensorArray(F, 3).write(0, 1.0).write(0, 2.0).stack(),
        "Could not write to TensorArray index 0 because it has already been written to.",
    ),
    "write_twice_in_a_loop": (
        lambda: filled(lambda i, a: a.write(i // 2, 1.0), tf.TensorArray(F, 3), 3).stack(),
        "Could not write to TensorArray index 0 because it has already been written to.",
    ),
    "write_outside_in_a_loop": (
        lambda: filled(lambda i, a: a.write(i, 1.0), tf.TensorArray(F, 3), 5).stack(),
        "Tried to write to index 3 but array is not resizeable and size is: 3",
    ),
    "unstack_twice": (
        lambda: tf.TensorArray(F, 1).unstack([1.0]).unstack([2.0]).stack(),
        "index 0 because it has already been written to.",
    ),
    "unstack_too_much": (
        lambda: tf.TensorArray(F, 1).unstack([1.0, 2.0]).stack(),
        r"Max scatter index must be < array size \(1 vs. 1\)",
    ),
    "scatter_twice": (
        lambda: tf.TensorArray(F, 3).scatter([1, 1], [1.0, 2.0]).stack(),
        "index 1 because it has already been written to.",
    ),
    "other_shape": (
        lambda: tf.TensorArray(F, 3).write(0, [1.0])
        .write(1, tf.placeholder_with_default(np.ones(2, np.float32), None)).stack(),
        r"the value shape is \[2\] which is incompatible with the TensorArray's inferred element "
        r"shape: \[1\] \(consider setting infer_shape=False\)",
    ),
    "stack_of_several_shapes": (
        lambda: tf.TensorArray(F, 2, infer_shape=False).write(0, [1.0]).write(1, [1.0, 2.0])
        .stack(),
        r"inconsistent shapes.  Index 0 has shape: \[1\] but index 1 has shape: \[2\]",
    ),
    "concat_of_several_ranks": (
        lambda: tf.TensorArray(F, 2, infer_shape=False).write(0, [1.0]).write(1, [[1.0]]).concat(),
        r"\(excepting dimension 0\) shape: \[\] but index 1",
    ),
    "split_sum": (
        lambda: tf.TensorArray(F, 2, infer_shape=False).split([1.0, 2.0, 3.0], [1, 1]).concat(),
        "Expected sum of lengths to be equal to values.shape",
    ),
    "split_size": (
        lambda: tf.TensorArray(F, 3, infer_shape=False).split([1.0, 2.0, 3.0], [1, 2]).concat(),
        r"not equal to the size of lengths \(3 vs. 2\)",
    ),
    "size_of_rank_1": (
        lambda: tf.TensorArray(F, tf.placeholder_with_default([3], None)).flow,
        r"TensorArray size must be scalar, but had shape: \[1\]",
    ),
    "index_of_rank_1": (
        lambda: tf.TensorArray(F, 3).write(tf.placeholder_with_default([1], None), 5.0).flow,
        r"TensorArray index must be scalar, but had shape: \[1\]",
    ),
    "negative_size": (lambda: tf.TensorArray(F, -2).flow, "Size should be >= 0."),
}  # fmt: skip


@pytest.mark.parametrize("name", RUN_ERRORS)
def test_errors_of_a_run(session, name):
    make, message = RUN_ERRORS[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        session.run(make())


def test_errors_of_building(session):
    with pytest.raises(ValueError, match=r"Inconsistent shapes: saw \(2,\) but expected \(1,\)"):
        tf.TensorArray(F, 3).write(0, [1.0]).write(1, [1.0, 2.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="trying to write dtype int32"):
        tf.TensorArray(F, 3).write(0, tf.constant(1))
    with pytest.raises(ValueError, match="Dimensions must be equal, but are 2 and 3"):
        tf.TensorArray(F, 3).scatter([0, 1, 2], [1.0, 2.0])
    with pytest.raises(TypeError, match="a TensorArray must stay what it is"):
        filled(lambda i, a: i, tf.TensorArray(F, 3), 3)
    with pytest.raises(ValueError, match="TensorArrays.* at the same places"):
        tf.cond(tf.constant(True), lambda: tf.TensorArray(F, 2), lambda: tf.constant(1.0))
    with pytest.raises(tf.errors.UnimplementedError, match="TensorArray has size zero"):
        session.run(tf.TensorArray(F, 0).stack())


# ---- in loops and conditions


def test_loop_variables(session, caplog):
    x = tf.placeholder(F, [2])
    i, array = tf.while_loop(
        lambda i, a: i < 4,
        lambda i, a: (i + 1, a.write(i, x * tf.cast(i, F))),
        [0, tf.TensorArray(F, 4)],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape(None)],
    )
    assert (i.name, array.flow.name) == ("while/Exit:0", "while/Exit_1:0")
    assert array.stack().shape.as_list() == [4, 2]
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run(array.stack(), {x: [1, 10]})
    np.testing.assert_array_equal(got, [[0, 0], [1, 10], [2, 20], [3, 30]])
    assert caplog.messages == []


def test_reading_what_the_loop_wrote(session):
    n = 30
    array = tf.TensorArray(D, n, clear_after_read=False).write(0, 1.0).write(1, 1.0)
    array = filled(lambda i, a: a.write(i, a.read(i - 1) + a.read(i - 2)), array, n, 2)
    assert session.run(array.read(n - 1)) == 832040


def test_an_empty_loop_and_an_array_that_stays_empty(session):
    none = filled(lambda i, a: a.write(i, [3.0, 1.0]), tf.TensorArray(F, 2), 0)
    assert session.run(none.stack()).shape == (2, 2)
    same = filled(lambda i, a: a.identity(), tf.TensorArray(F, 2), 3).write(1, 5.0)
    np.testing.assert_array_equal(session.run(same.stack()), [0, 5])


@pytest.mark.parametrize("taken", [True, False])
def test_results_of_a_condition(session, taken):
    p, x = tf.placeholder(tf.bool), tf.placeholder(F, [2])
    first = tf.TensorArray(F, 2)
    array = tf.cond(p, lambda: first, lambda: first.write(1, x * 3.0)).write(0, x)
    assert array.flow.op.type == "TensorArrayWriteV3"
    got, dx = session.run([array.stack(), tf.gradients(array.stack(), x)[0]], {p: taken, x: [1, 2]})
    np.testing.assert_array_equal(got, [[1, 2], [0, 0] if taken else [3, 6]])
    np.testing.assert_array_equal(dx, [1, 1] if taken else [4, 4])


def test_sizes_that_depend_on_data(session):
    x = tf.placeholder(F, [None])
    n = tf.cast(tf.reduce_max(x), tf.int32)
    y = filled(lambda i, a: a.write(i, tf.cast(i, F) * x[0]), tf.TensorArray(F, n), n).stack()
    for feed in ([3.0, 4.0], [2.0, 1.0]):
        count = int(max(feed))
        got, dx = session.run([y, tf.gradients(y, x)[0]], {x: feed})
        np.testing.assert_array_equal(got, np.arange(count) * feed[0])
        np.testing.assert_array_equal(dx, [count * (count - 1) / 2, 0])


GROWING = {
    "counter": (lambda a: filled(lambda i, a: a.write(i, tf.cast(i, F)), a, 4), [0, 1, 2, 3]),
    "two_a_turn": (
        lambda a: tf.while_loop(
            lambda i, a: i < 4, lambda i, a: (i + 2, a.write(i, 1.0).write(i + 1, 2.0)), [0, a]
        )[1],
        [1, 2, 1, 2],
    ),
    "downwards": (
        lambda a: tf.while_loop(
            lambda i, a: i >= 0, lambda i, a: (i - 1, a.write(i, tf.cast(i, F))), [3, a]
        )[1],
        [0, 1, 2, 3],
    ),
    "bounded": (
        lambda a: tf.while_loop(
            lambda i, a: True, lambda i, a: (i + 1, a.write(i, 1.0)), [0, a], maximum_iterations=3
        )[1],
        [1, 1, 1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GROWING)
def test_arrays_that_a_loop_makes_larger_are_native(session, name, caplog):
    make, wanted = GROWING[name]
    y = make(tf.TensorArray(F, 0, dynamic_size=True)).stack()
    with caplog.at_level(logging.INFO, "tfc"):
        np.testing.assert_array_equal(session.run(y), wanted)
    assert caplog.messages == []


def test_growth_that_the_data_decides(session, caplog):
    x = tf.placeholder(F, [])
    y = tf.while_loop(
        lambda i, v, a: v < 50.0,
        lambda i, v, a: (i + 1, v * 2.0, a.write(i, v)),
        [0, x, tf.TensorArray(F, 0, dynamic_size=True)],
    )[2].stack()
    with caplog.at_level(logging.INFO, "tfc"):
        np.testing.assert_array_equal(session.run(y, {x: 10.0}), [10, 20, 40])
        assert session.run(tf.gradients(y, x)[0], {x: 3.0}) == 31
    assert caplog.messages == []


DRIVEN = {
    "other_places": (
        lambda n: filled(
            lambda i, a: a.write(2 * i, 1.0), tf.TensorArray(F, 0, dynamic_size=True), n(3)
        ).stack(),
        [1, 0, 1, 0, 1],
    ),
    "size_in_the_loop": (
        lambda n: filled(
            lambda i, a: a.write(a.size(), 1.0), tf.TensorArray(F, 0, dynamic_size=True), n(3)
        ).stack(),
        [1, 1, 1],
    ),
    "several_shapes": (
        lambda n: filled(
            lambda i, a: a.write(i, tf.fill([i + 1], tf.cast(i, F))),
            tf.TensorArray(F, 3, infer_shape=False),
            n(3),
        ).concat(),
        [0, 1, 1, 2, 2, 2],
    ),
    "reading_several_shapes": (
        lambda n: filled(
            lambda i, a: a.write(
                i,
                tf.reduce_sum(
                    tf.TensorArray(F, 2, infer_shape=False).split([1.0, 2.0, 3.0], [1, 2]).read(i)
                ),
            ),
            tf.TensorArray(F, 2),
            n(2),
        ).stack(),
        [1, 5],
    ),
    "a_python_function": (
        lambda n: filled(
            lambda i, a: a.write(i, tf.py_func(lambda k: np.float32(k * k), [i], F)),
            tf.TensorArray(F, 3),
            n(3),
        ).stack(),
        [0, 1, 4],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRIVEN)
def test_driven_loops(session, name, caplog):
    """The number of turns is not known; where it is, turns stand one after the other."""
    make, wanted = DRIVEN[name]
    with caplog.at_level(logging.INFO, "tfc"):
        count = tf.placeholder(tf.int32, [])
        got = session.run(make(lambda n: count), {count: 2 if "reading" in name else 3})
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, wanted)
    assert "driven by Python" in caplog.messages[0]
    caplog.clear()
    with caplog.at_level(logging.INFO, "tfc"):
        np.testing.assert_array_equal(session.run(make(lambda n: n)), wanted)
    assert len(caplog.messages) == (name == "a_python_function")


def test_reading_beyond_what_a_growing_array_has(session):
    array = tf.TensorArray(F, 1, dynamic_size=True, clear_after_read=False).write(0, 1.0)
    y = filled(lambda i, a: a.write(i, a.read(i + 1)), array, 4, 1).stack()
    with pytest.raises(tf.errors.InvalidArgumentError, match="Tried to read from index 2"):
        session.run(y)


def test_arrays_cross_stages(session):
    value = tf.py_func(lambda: np.float32([5]), [], F)
    value.set_shape([1])
    dense = tf.TensorArray(F, 3).write(0, [1.0]).write(1, value)
    dense = filled(lambda i, a: a.write(i, [7.0]), dense, 3, 2)
    np.testing.assert_array_equal(session.run(dense.stack()), [[1], [5], [7]])
    empty = tf.TensorArray(F, 2).write(1, value)
    np.testing.assert_array_equal(session.run(empty.stack()), [[0], [5]])
    loose = tf.TensorArray(F, 3, infer_shape=False).write(0, [1.0, 2.0]).write(2, [3.0])
    np.testing.assert_array_equal(session.run(loose.write(1, value).concat()), [1, 2, 5, 3])


def test_strings(session):
    words = tf.TensorArray(tf.string, 3)
    y = filled(lambda i, a: a.write(i, tf.as_string(i)), words, 3)
    assert session.run(y.stack()).tolist() == [b"0", b"1", b"2"]
    parts = tf.TensorArray(tf.string, 2, infer_shape=False).split(["a", "b", "c"], [1, 2])
    assert session.run([parts.concat(), parts.read(1)])[1].tolist() == [b"b", b"c"]
    grid = tf.TensorArray(tf.string, 2).unstack([["a", "b"], ["c", "d"]])
    assert session.run(grid.gather([1, 0])).tolist() == [[b"c", b"d"], [b"a", b"b"]]
    assert session.run(grid.size()) == 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="already been written to"):
        session.run(grid.write(0, ["x", "y"]).stack())


# ---- gradients, of first and second order, against central differences


def _unknown_trips(x):
    return tf.while_loop(
        lambda i, v, a: tf.reduce_sum(v) < 50.0,
        lambda i, v, a: (i + 1, v * 2.0, a.write(i, v * v)),
        [0, x, tf.TensorArray(D, 0, dynamic_size=True)],
    )[2].stack()


def _ragged_reads(x):
    parts = tf.TensorArray(D, 2, infer_shape=False).split(x * x, [1, 2])
    return tf.while_loop(
        lambda i, s: i < 2, lambda i, s: (i + 1, s + tf.reduce_sum(parts.read(i)) * s), [0, x[0]]
    )[1]


def _condition_in_a_loop(x):
    source = tf.TensorArray(D, 3, clear_after_read=False).unstack(x)
    return filled(
        lambda i, a: tf.cond(
            tf.equal(i % 2, 0),
            lambda: a.write(i, source.read(i) * 2.0),
            lambda: a.write(i, source.read(i) * source.read(0)),
        ),
        tf.TensorArray(D, 3),
        3,
    ).stack()


def _recurrence(x):
    array = tf.TensorArray(D, 5, clear_after_read=False).write(0, x).write(1, x * 2.0)
    return filled(lambda i, a: a.write(i, a.read(i - 1) * a.read(i - 2)), array, 5, 2).stack()


def _split_evenly(x):
    array = tf.TensorArray(D, 3, clear_after_read=False).split(x * x, [1, 1, 1])
    return array.read(0) * array.read(1) * array.concat()[:1]


def _static_parts(x):
    array = tf.TensorArray(D, 2, infer_shape=False).split(x, [1, 2])
    return array.read(0) * 2.0 + array.read(1)[:1] * array.read(1)[1:]


DIFFERENTIABLE = {
    "unknown_trips": _unknown_trips,
    "ragged_reads": _ragged_reads,
    "condition_in_a_loop": _condition_in_a_loop,
    "recurrence": _recurrence,
    "split_evenly": _split_evenly,
    "static_parts": _static_parts,
    "concat": lambda x: tf.TensorArray(D, 2, infer_shape=False)
    .write(0, x).write(1, x[:1] * x[1:2]).concat(),
    "scatter_gather": lambda x: tf.TensorArray(D, 4).scatter([2, 0, 1], x * x).gather([0, 2]),
    "places_at_run_time": lambda x: tf.TensorArray(D, 4)
    .scatter(tf.placeholder_with_default([2, 0, 1], [3]), x * x)
    .gather(tf.placeholder_with_default([2, 1], [2])),
    "driven": lambda x: filled(
        lambda i, a: a.write(2 * i, x * x[i]), tf.TensorArray(D, 0, dynamic_size=True), 3
    ).gather([0, 2, 4]),
    "driven_ragged": lambda x: filled(
        lambda i, a: a.write(i, x[: i + 1] * x[i]), tf.TensorArray(D, 3, infer_shape=False), 3
    ).concat(),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(session, name):
    x = tf.placeholder(D, [3])
    y = DIFFERENTIABLE[name](x)
    loss = tf.reduce_sum(tf.sin(y) * y)
    first = tf.gradients(loss, x)[0]
    second = tf.gradients(tf.reduce_sum(first * first), x)[0]
    at = np.array([0.3, 0.5, 0.7])
    for gradient, of in ((first, loss), (second, tf.reduce_sum(first * first))):
        wanted = np.zeros(3)
        for k in range(3):
            step = np.eye(3)[k] * 1e-6
            up, down = (session.run(of, {x: at + s * step}) for s in (1, -1))
            wanted[k] = (up - down) / 2e-6
        np.testing.assert_allclose(session.run(gradient, {x: at}), wanted, rtol=1e-4, atol=1e-7)
