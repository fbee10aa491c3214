"""Dataset.cache(filename): what is in the files, who reads them, and what fails."""

import os

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements

pytestmark = pytest.mark.usefixtures("fresh_graph")


def counting(calls, count=4):
    """Elements of all kinds, each call of the function kept."""

    def call(i):
        calls.append(int(i))
        return np.float32(i / 2)

    def element(i):
        half = tf.py_func(call, [i], tf.float32)
        half.set_shape([])
        return {"number": i, "half": half, "text": tf.as_string(i), "rows": tf.range(i)}

    return Dataset.range(count).map(element)


WANT = [
    {"number": i, "half": i / 2, "text": str(i).encode(), "rows": list(range(i))} for i in range(4)
]


def test_the_first_whole_pass_is_kept(tmp_path):
    name, calls = str(tmp_path / "kept"), []
    dataset = counting(calls).cache(name)
    assert elements(dataset.repeat(3)) == WANT * 3
    assert calls == [0, 1, 2, 3]
    assert sorted(os.listdir(tmp_path)) == ["kept.data-00000-of-00001", "kept.index"]
    with tf.Graph().as_default():  # as another process would
        assert elements(counting(calls).cache(tf.constant(name)).take(3)) == WANT[:3]
        assert elements(counting(calls, 9).cache(name)) == WANT  # whatever the dataset is then
    assert calls == [0, 1, 2, 3]


def test_elements_are_the_callers_own(tmp_path):
    dataset = Dataset.from_tensor_slices(np.zeros((2, 3))).cache(str(tmp_path / "kept")).repeat(2)
    element = tf.data.make_one_shot_iterator(dataset).get_next()
    with tf.Session() as session:
        for _ in range(4):
            value = session.run(element)
            assert not value.any()
            value += 1


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float16", "complex64", "int64"])
def test_types(dtype, tmp_path):
    values = np.arange(6).reshape(3, 2).astype(dtype)
    dataset = Dataset.from_tensor_slices(values).cache(str(tmp_path / "kept")).repeat(2)
    assert elements(dataset) == values.tolist() * 2
    empty = Dataset.from_tensors(np.zeros((0, 3), dtype)).cache(str(tmp_path / "empty")).repeat(2)
    assert elements(empty) == [[], []]


def test_a_pass_that_ends_early_leaves_nothing(tmp_path):
    name = str(tmp_path / "kept")
    dataset = Dataset.range(4).cache(name)
    iterator = tf.data.make_initializable_iterator(dataset)
    element = iterator.get_next()
    with tf.Session() as session:
        session.run(iterator.initializer)
        assert [session.run(element) for _ in range(2)] == [0, 1]
        assert sorted(os.listdir(tmp_path)) == ["kept_0.data", "kept_0.lockfile"]
        session.run(iterator.initializer)
        assert [session.run(element) for _ in range(4)] == [0, 1, 2, 3]
        assert "kept.index" not in os.listdir(tmp_path)
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(element)
        assert sorted(os.listdir(tmp_path)) == ["kept.data-00000-of-00001", "kept.index"]
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(element)


def test_two_passes_at_once(tmp_path):
    name = str(tmp_path / "kept")
    first = tf.data.make_one_shot_iterator(Dataset.range(4).cache(name)).get_next()
    second = tf.data.make_one_shot_iterator(Dataset.range(4).cache(name)).get_next()
    with tf.Session() as session:
        assert session.run(first) == 0
        with pytest.raises(tf.errors.AlreadyExistsError, match=r"kept_0\.lockfile"):
            session.run(second)
        assert session.run(first) == 1


def test_what_is_not_kept_and_not_read(tmp_path):
    name = str(tmp_path / "kept")
    assert elements(Dataset.range(3).cache(name)) == [0, 1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="of int64, not of float32"):
        elements(Dataset.from_tensors(1.0).cache(name))
    with pytest.raises(tf.errors.NotFoundError):
        elements(Dataset.range(3).cache(str(tmp_path / "none" / "kept")))
    sparse = Dataset.from_tensors(tf.SparseTensor([[0]], [1], [2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="cannot be kept"):
        elements(sparse.cache(str(tmp_path / "sparse")))
    data = tmp_path / "kept.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    with pytest.raises(tf.errors.DataLossError, match="truncated"):
        elements(Dataset.range(3).cache(name))
    data.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(tf.errors.DataLossError, match="missing"):
        elements(Dataset.range(3).cache(name))
    data.write_bytes(whole[:20] + b"?" + whole[21:])
    with pytest.raises(tf.errors.DataLossError, match="corrupted"):
        elements(Dataset.range(3).cache(name))
    (tmp_path / "kept.index").write_bytes(b"")
    with pytest.raises(tf.errors.DataLossError, match="no file of such elements"):
        elements(Dataset.range(3).cache(name))


def test_a_source_that_fails(tmp_path):
    name, failing = str(tmp_path / "kept"), [True]

    def call(i):
        if failing[0] and i == 2:
            raise ValueError("not now")
        return i

    dataset = Dataset.range(4).map(lambda i: tf.py_func(call, [i], tf.int64)).cache(name)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not now"):
        elements(dataset)
    assert os.listdir(tmp_path) == []
    failing[0] = False
    assert elements(dataset.repeat(2)) == [0, 1, 2, 3] * 2
