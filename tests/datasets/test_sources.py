"""Datasets of tensors, ranges, generators and sparse tensors; structures; static types."""

from __future__ import annotations

import collections

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements

pytestmark = pytest.mark.usefixtures("fresh_graph")
Pair = collections.namedtuple("Pair", "x y")


def test_tensors_and_slices():
    assert elements(Dataset.from_tensors([1, 2])) == [[1, 2]]
    slices = Dataset.from_tensor_slices(([1, 2], np.array([[1.5], [2.5]])))
    assert elements(slices) == [(1, [1.5]), (2, [2.5])]
    assert slices.output_types == (tf.int32, tf.float64)
    assert [s.as_list() for s in slices.output_shapes] == [[], [1]]
    assert slices.output_classes == (tf.Tensor, tf.Tensor)
    assert elements(Dataset.from_tensor_slices(np.zeros((0, 3)))) == []
    assert elements(Dataset.from_tensor_slices(["a", "bc"])) == [b"a", b"bc"]


def test_elements_are_the_callers_own():
    """What the caller does to an element changes neither the dataset nor other elements."""
    for source in (Dataset.from_tensors([1, 2]), Dataset.range(2).batch(2).cache()):
        element = source.repeat().make_one_shot_iterator().get_next()
        with tf.Session() as session:
            first = session.run(element)
            first += 10
            assert session.run(element).max() < 3


def test_fed_arrays_may_change_after_the_initializer():
    x = tf.placeholder(tf.float32, [None])
    iterator = Dataset.from_tensor_slices(x).batch(2).make_initializable_iterator()
    element, fed = iterator.get_next(), np.array([1.0, 2.0, 3.0], np.float32)
    with tf.Session() as session:
        session.run(iterator.initializer, {x: fed})
        fed[:] = 0
        assert session.run(element).tolist() == [1.0, 2.0]
        assert session.run(element).tolist() == [3.0]


def test_structures():
    dataset = Dataset.from_tensor_slices({"b": [1, 2], "a": Pair([3.0, 4.0], ([5, 6],))})
    assert elements(dataset)[1] == {"b": 2, "a": Pair(4.0, (6,))}
    assert dataset.output_types == {"b": tf.int32, "a": Pair(tf.float32, (tf.int32,))}
    assert list(dataset.output_types) == ["b", "a"]
    turned = Dataset.from_tensors(Pair(1, 2.0)).map(lambda p: Pair(p.y, p.x))
    assert turned.output_types == Pair(tf.float32, tf.int32)
    assert elements(turned) == [Pair(2.0, 1)]


def test_range():
    assert elements(Dataset.range(3)) == [0, 1, 2]
    assert elements(Dataset.range(10, 2, -3)) == [10, 7, 4]
    assert elements(Dataset.range(5, 0)) == []
    assert elements(Dataset.range(2**40, 2**40 + 3, 2).batch(5)) == [[2**40, 2**40 + 2]]
    assert Dataset.range(3).output_types == tf.int64
    with pytest.raises(ValueError, match="between 1 and 3 but was 0"):
        Dataset.range()
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-zero"):
        elements(Dataset.range(0, 3, 0))


def test_generators():
    def numbers(count):
        yield from (10 * k for k in range(count))

    found = Dataset.from_generator(numbers, tf.int32, [], args=(3,))
    assert elements(found.repeat(2)) == [0, 10, 20, 0, 10, 20]
    pairs = Dataset.from_generator(lambda: iter([(1, "a"), [2, "bc"]]), (tf.int64, tf.string))
    assert elements(pairs) == [(1, b"a"), (2, b"bc")]
    assert pairs.output_shapes[0].ndims is None
    shaped = Dataset.from_generator(lambda: [{"x": [1, 2]}], {"x": tf.uint8}, {"x": [None]})
    assert elements(shaped.batch(1)) == [{"x": [[1, 2]]}]
    assert shaped.batch(1).output_shapes["x"].as_list() == [None, None]
    with pytest.raises(TypeError, match="callable"):
        Dataset.from_generator([1, 2], tf.int32)


def _raising():
    yield 1
    raise NotImplementedError("boo")


@pytest.mark.parametrize(
    ("generator", "types", "error", "message"),
    [
        (lambda: [["a"]], tf.int32, "InvalidArgumentError", "could not be converted"),
        (lambda: [[[1]]], tf.int32, "InvalidArgumentError", r"of shape \[1,1\] where"),
        (lambda: [1], (tf.int32, tf.int32), "InvalidArgumentError", "expected structure"),
        (_raising, tf.int32, "UnimplementedError", "boo"),
        (lambda: 3, tf.int32, "InvalidArgumentError", "not iterable"),
    ],
)
def test_generators_that_fail(generator, types, error, message):
    shapes = [None] if types is tf.int32 and generator is not _raising else None
    dataset = Dataset.from_generator(generator, types, shapes)
    with pytest.raises(getattr(tf.errors, error), match=message):
        elements(dataset)


def test_each_pass_has_a_generator_of_its_own():
    made = []

    def count():
        made.append(0)
        yield len(made)

    assert elements(Dataset.from_generator(count, tf.int32), passes=3) == [1, 2, 3]


def test_sparse_tensors():
    sparse = tf.SparseTensor([[0, 0], [1, 2], [2, 1]], [1, 2, 3], [3, 4])
    slices = Dataset.from_tensor_slices(sparse)
    assert slices.output_classes is tf.SparseTensor
    first, last = elements(slices.batch(2))
    assert first == tf.SparseTensorValue([[0, 0], [1, 2]], [1, 2], [2, 4])
    assert last == tf.SparseTensorValue([[0, 1]], [3], [1, 4])
    dense = slices.map(tf.sparse_tensor_to_dense)
    assert elements(dense) == [[1, 0, 0, 0], [0, 0, 2, 0], [0, 3, 0, 0]]
    rows = elements(Dataset.from_sparse_tensor_slices(sparse))
    assert rows[1] == ([[2]], [2], [4])
    with pytest.raises(TypeError, match="tf.SparseTensor"):
        Dataset.from_sparse_tensor_slices([1])
    with pytest.raises(TypeError, match="sparse"):
        slices.padded_batch(2, [4])


def test_mistakes():
    with pytest.raises(ValueError, match="rank >= 1"):
        Dataset.from_tensor_slices(1)
    with pytest.raises(ValueError, match="Dimensions 1 and 2 are not compatible"):
        Dataset.from_tensor_slices(([1], [1, 2]))
    x = tf.placeholder(tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same size"):
        elements(Dataset.from_tensor_slices(([1, 2], x)), feed={x: [1]}, passes=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="1-dimensional"):
        elements(Dataset.from_tensor_slices(x), feed={x: 1}, passes=1)
    with pytest.raises(TypeError, match="from_tensor_slices"):
        Dataset()
    with pytest.raises(RuntimeError, match="__iter__"):
        list(Dataset.range(3))


def test_what_is_seen_of_them():
    """Names and types of ops, and texts, are TensorFlow's."""
    slices = Dataset.from_tensor_slices(np.arange(7, dtype=np.float32))
    dataset = slices.map(lambda x: x * 2).batch(3)
    iterator = tf.data.make_one_shot_iterator(dataset)
    element = iterator.get_next()
    assert str(element) == 'Tensor("IteratorGetNext:0", shape=(?,), dtype=float32)'
    ops = [(op.name, op.type) for op in tf.get_default_graph().get_operations()]
    assert ops == [
        ("normalize_element/component_0", "Const"),
        ("TensorSliceDataset", "TensorSliceDataset"),
        ("MapDataset", "MapDataset"),
        ("batch_size", "Const"),
        ("drop_remainder", "Const"),
        ("BatchDatasetV2", "BatchDatasetV2"),
        ("OneShotIterator", "OneShotIterator"),
        ("IteratorToStringHandle", "IteratorToStringHandle"),
        ("IteratorGetNext", "IteratorGetNext"),
    ]
    assert repr(dataset) == "<DatasetV1Adapter shapes: (?,), types: <dtype: 'float32'>>"
    both = Dataset.zip((dataset, {"a": slices}))
    assert repr(both) == (
        "<DatasetV1Adapter shapes: ((?,), {a: ()}), types: (tf.float32, {'a': tf.float32})>"
    )
    assert tf.add(1, 2).name == "Add:0"  # what the function made took no name
    names = [node.name for node in tf.get_default_graph().as_graph_def().node]
    assert "MapDataset" in names and not any("mul" in name for name in names)


def test_types_shapes_and_classes_of_both():
    dataset = Dataset.from_tensors(([1], "a"))
    for thing in (dataset, dataset.make_one_shot_iterator()):
        assert tf.data.get_output_types(thing) == (tf.int32, tf.string)
        assert [s.as_list() for s in tf.data.get_output_shapes(thing)] == [[1], []]
        assert tf.data.get_output_classes(thing) == (tf.Tensor, tf.Tensor)
    assert dataset.element_spec == (tf.TensorSpec([1], tf.int32), tf.TensorSpec([], tf.string))


def test_options():
    options = tf.data.Options()
    options.experimental_deterministic = False
    options.experimental_optimization.map_fusion = True
    dataset = Dataset.range(3).with_options(options).map(lambda x: x + 1)
    assert elements(dataset) == [1, 2, 3]
    assert dataset.options().experimental_deterministic is False
    assert dataset.options().experimental_optimization.map_fusion is True
    assert dataset.options().experimental_slack is None
    other = tf.data.Options()
    other.experimental_threading.private_threadpool_size = 2
    joined = options.merge(other)
    assert joined.experimental_threading.private_threadpool_size == 2
    assert joined == other.merge(options) and joined != options
    other.experimental_deterministic = True
    with pytest.raises(ValueError, match="incompatible values"):
        options.merge(other)
    with pytest.raises(TypeError, match="experimental_slack"):
        options.experimental_slack = 3
    with pytest.raises(AttributeError, match="nothing"):
        options.nothing = 3


def test_specs():
    spec = tf.TensorSpec([None, 3], tf.float32, "x")
    assert repr(spec) == "TensorSpec(shape=(?, 3), dtype=tf.float32, name='x')"
    tensor = tf.placeholder(tf.float32, [2, 3], name="y")
    assert spec.is_compatible_with(tensor) and not spec.is_compatible_with(tf.constant(1))
    assert tf.TensorSpec.from_tensor(tensor) == tf.TensorSpec([2, 3], tf.float32, "y")
    assert tf.TensorSpec.from_spec(spec, "z").name == "z"
    wide = tf.TensorSpec([2, 3]).most_specific_compatible_type(tf.TensorSpec([4, 3]))
    assert wide == tf.TensorSpec([None, 3])
    with pytest.raises(ValueError, match="tf.Tensor"):
        tf.TensorSpec.from_tensor(3)
    with pytest.raises(ValueError, match="compatible"):
        wide.most_specific_compatible_type(tf.TensorSpec([], tf.int32))
    sparse = tf.SparseTensor([[0, 0]], [1.0], [2, 3])
    of_sparse = tf.SparseTensorSpec.from_value(sparse)
    assert of_sparse == tf.SparseTensorSpec([2, 3]) != tf.SparseTensorSpec([2, 4])
    assert tf.SparseTensorSpec([None, 3]).is_compatible_with(sparse)
    both = of_sparse.most_specific_compatible_type(tf.SparseTensorSpec([4, 3]))
    assert both.shape.as_list() == [None, 3] and both.value_type is tf.SparseTensor
    assert tf.data.experimental.TensorStructure(tf.int32, [2]) == tf.TensorSpec([2], tf.int32)
    assert tf.data.experimental.SparseTensorStructure(tf.float32, [2, 3]) == of_sparse
    with pytest.raises(ValueError, match="compatible"):
        of_sparse.most_specific_compatible_type(spec)
    assert len({spec, wide, of_sparse, tf.TensorSpec([None, 3])}) == 3


def test_specs_of_datasets():
    inner = Dataset.from_tensors([1, 2])
    spec = tf.data.DatasetSpec.from_value(inner)
    assert spec == tf.data.experimental.DatasetStructure(tf.TensorSpec([2], tf.int32))
    assert repr(spec) == (
        "DatasetSpec(TensorSpec(shape=(2,), dtype=tf.int32, name=None), TensorShape([]))"
    )
    assert spec.is_compatible_with(Dataset.from_tensors([3, 4]))
    assert not spec.is_compatible_with(Dataset.from_tensors((1, 2)))
    other = tf.data.DatasetSpec.from_value(Dataset.from_tensors([1]))
    both = spec.most_specific_compatible_type(other)
    assert both.element_spec.shape.as_list() == [None]
    assert spec.value_type is tf.data.Dataset and spec.dtype == tf.variant
    assert len({spec, other, tf.data.DatasetSpec(inner.element_spec)}) == 2
    # datasets as elements of one another
    nested = Dataset.from_tensors(inner).concatenate(Dataset.from_tensors(inner))
    assert elements(nested.flat_map(lambda d: d)) == [[1, 2], [1, 2]]
    windows = Dataset.range(4).window(2).batch(1)
    assert windows.element_spec.shape.as_list() == [None]
