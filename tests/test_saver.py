"""`tf.train.Saver`, the file `checkpoint`, and reading checkpoints without a graph."""

from __future__ import annotations

import os
import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import tfc as tf
from tfc.train.checkpoint_state import CheckpointState
from tfc.train.tensor_file import TensorFile, write_tensors

pytestmark = pytest.mark.usefixtures("fresh_graph")

ARRAYS = {
    "floats/w": np.array([[1.5, -0.0], [np.inf, np.nan]], np.float32),
    "double": np.array(np.pi),
    "half": np.array([1, 2, 65504], np.float16),
    "brain": np.array([1.0, -3.5], ml_dtypes.bfloat16),
    "flags": np.array([True, False, True]),
    "bytes": np.array([0, 255], np.uint8),
    "wide": np.array([[2**63 - 1], [-(2**63)]], np.int64),
    "empty": np.zeros((0, 5), np.int16),
    "complex": np.array([1 + 2j, -0.5j], np.complex64),
    "complex2": np.array([[1 + 2j], [3 - 4j]], np.complex128),
    "complex2_scalar": np.array(1 - 1j, np.complex128),
}


def assert_same_bits(got: np.ndarray, want: np.ndarray) -> None:
    assert got.dtype == want.dtype and got.shape == want.shape
    assert got.tobytes() == want.tobytes()


# ---- the file of tensors


def test_tensor_file_round_trip_is_exact(tmp_path):
    path = str(tmp_path / "x.safetensors")
    write_tensors(path, ARRAYS)
    with TensorFile(path) as file:
        assert set(file.types) == set(ARRAYS)
        for name, array in ARRAYS.items():
            dtype, shape = file.types[name]
            assert dtype.as_numpy_dtype == array.dtype.type and shape == array.shape
            assert_same_bits(file.read(name), array)
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_views_and_foreign_byte_order_are_stored_by_value(tmp_path):
    path = str(tmp_path / "x.safetensors")
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_tensors(path, {"t": base.T[::2], "big": np.array([1, 2], ">i4")})
    with TensorFile(path) as file:
        np.testing.assert_array_equal(file.read("t"), base.T[::2])
        assert file.read("big").tolist() == [1, 2]


def test_strings_cannot_be_saved(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot save 's': strings"):
        write_tensors(str(path), {"s": np.array([b"a"], object)})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(str(path), {"a": np.ones(3)})
    before = path.read_bytes()
    with pytest.raises(tf.errors.InvalidArgumentError):
        write_tensors(str(path), {"a": np.zeros(3), "s": np.array(["x"])})
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut header", "cut data", "huge header", "not json", "pairs"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "x.safetensors"
    write_tensors(str(path), {"a": np.ones(3)})
    content = path.read_bytes()
    content = {
        "cut header": content[:20],
        "cut data": content[:-1],
        "huge header": b"\xff" * 8 + content[8:],
        "not json": content[:8] + b"[" + content[9:],
        "pairs": None,
    }[damage]
    if content is None:
        from safetensors.numpy import save_file

        save_file({"a": np.ones(3)}, path, {"tfc.complex128": '["a"]'})
    else:
        path.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError, match=re.escape(str(path))):
        TensorFile(path)


# ---- the file `checkpoint`


def test_checkpoint_state_text_round_trip():
    state = CheckpointState("/a/model-2", ["/a/model-1", '/a/q"\\\n\u00e9'], [1.5, 2.0], 3.25)
    text = state.to_text()
    assert text.splitlines()[0] == 'model_checkpoint_path: "/a/model-2"'
    assert text.isascii() and CheckpointState.from_text(text) == state


def test_what_tensorflow_writes_is_read(tmp_path):
    (tmp_path / "checkpoint").write_text(
        'model_checkpoint_path: "model-7"\n'
        'all_model_checkpoint_paths: "/elsewhere/model-6"\n'
        'all_model_checkpoint_paths: "model-7"\n'
        "all_model_checkpoint_timestamps: 1490000000.25\n"
        "all_model_checkpoint_timestamps: 1490000001\n"
        "last_preserved_timestamp: 1489999999.5\n"
    )
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert state.model_checkpoint_path == str(tmp_path / "model-7")
    assert state.all_model_checkpoint_paths == ["/elsewhere/model-6", str(tmp_path / "model-7")]
    assert state.all_model_checkpoint_timestamps == [1490000000.25, 1490000001.0]
    assert state.last_preserved_timestamp == 1489999999.5


@pytest.mark.parametrize(
    "text", ["", "model_checkpoint_path: 3", 'other: "x"', 'model_checkpoint_path: "a', "nonsense"]
)
def test_a_damaged_state_is_ignored_with_a_warning(tmp_path, caplog, text):
    (tmp_path / "checkpoint").write_text(text)
    assert tf.train.get_checkpoint_state(str(tmp_path)) is None
    assert "Checkpoint ignored" in caplog.text
    assert tf.train.latest_checkpoint(str(tmp_path)) is None


def test_no_state(tmp_path):
    assert tf.train.get_checkpoint_state(str(tmp_path)) is None
    assert tf.train.latest_checkpoint(str(tmp_path)) is None


def test_latest_checkpoint_whose_file_is_gone(tmp_path, caplog):
    tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / "model-1"))
    assert tf.train.latest_checkpoint(str(tmp_path)) is None
    assert "Couldn't match files" in caplog.text


# ---- saving and restoring


def make_variables():
    v = tf.Variable([1.0, 2.0], name="v")
    n = tf.Variable(7, name="scope/n", trainable=False)
    return v, n


def test_save_and_restore_into_another_session(tmp_path):
    v, n = make_variables()
    saver = tf.train.Saver()
    operations = len(tf.get_default_graph().get_operations())
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([tf.assign(v, [3.0, 4.0]), tf.assign(n, 8)])
        prefix = saver.save(sess, str(tmp_path / "model.ckpt"))
        assert prefix == str(tmp_path / "model.ckpt")
        assert sorted(os.listdir(tmp_path)) == [
            "checkpoint",
            "model.ckpt.meta",
            "model.ckpt.safetensors",
        ]
    operations = len(tf.get_default_graph().get_operations())
    with tf.Session() as sess:
        saver.restore(sess, prefix)  # no initializer has run
        got_v, got_n = sess.run([v, n])
        assert got_v.tolist() == [3.0, 4.0] and got_n == 8
        assert got_n.dtype == np.int32
    assert len(tf.get_default_graph().get_operations()) == operations


def test_restore_works_on_a_finalized_graph(tmp_path):
    v, _ = make_variables()
    saver = tf.train.Saver()
    init = tf.global_variables_initializer()
    tf.get_default_graph().finalize()
    with tf.Session() as sess:
        sess.run(init)
        prefix = saver.save(sess, str(tmp_path / "m"))
        saver.restore(sess, prefix)
        assert sess.run(v).tolist() == [1.0, 2.0]


def test_every_dtype_is_restored_to_the_bit(tmp_path):
    variables = {name: tf.Variable(array, name=name) for name, array in ARRAYS.items()}
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        prefix = saver.save(sess, str(tmp_path / "m"))
    with tf.Session() as sess:
        saver.restore(sess, prefix)
        for name, value in sess.run(variables).items():
            assert_same_bits(np.asarray(value), ARRAYS[name])


def test_a_dict_renames(tmp_path):
    v, n = make_variables()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        prefix = tf.train.Saver({"weights": v, "count": n}).save(sess, str(tmp_path / "m"))
        assert tf.train.list_variables(prefix) == [("count", []), ("weights", [2])]
        sess.run(v.assign([0.0, 0.0]))
        tf.train.Saver({"weights": v}).restore(sess, prefix)
        assert sess.run(v).tolist() == [1.0, 2.0]


def test_variables_that_share_an_initial_value_are_restored_apart(tmp_path):
    initial = tf.zeros([2])
    a, b = tf.Variable(initial), tf.Variable(initial)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([a.assign([1.0, 1.0]), b.assign([2.0, 2.0])])
        prefix = saver.save(sess, str(tmp_path / "m"))
    with tf.Session() as sess:
        saver.restore(sess, prefix)
        assert [x.tolist() for x in sess.run([a, b])] == [[1.0, 1.0], [2.0, 2.0]]


def test_global_step_and_max_to_keep(tmp_path):
    make_variables()
    step = tf.Variable(0, name="step")
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        path = str(tmp_path / "model")
        assert saver.save(sess, path, global_step=step) == path + "-0"
        assert saver.save(sess, path, global_step=1) == path + "-1"
        sess.run(step.assign(2))
        assert saver.save(sess, path, global_step=step) == path + "-2"
        assert saver.last_checkpoints == [path + "-1", path + "-2"]
        assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
            "model-1.safetensors",
            "model-2.safetensors",
        ]
        state = tf.train.get_checkpoint_state(str(tmp_path))
        assert state.all_model_checkpoint_paths == [path + "-1", path + "-2"]
        assert tf.train.latest_checkpoint(str(tmp_path)) == path + "-2"
        # saving under the same name again moves it to the end, and deletes nothing
        saver.save(sess, path, global_step=1)
        assert saver.last_checkpoints == [path + "-2", path + "-1"]
        assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_keep_all_and_keep_every_n_hours(tmp_path):
    make_variables()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        everything = tf.train.Saver(max_to_keep=None)
        for step in range(7):
            everything.save(sess, str(tmp_path / "all"), global_step=step)
        assert len(list(tmp_path.glob("all-*.safetensors"))) == 7
        some = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=1e-9)
        for step in range(3):
            some.save(sess, str(tmp_path / "some"), global_step=step)
        assert len(list(tmp_path.glob("some-*.safetensors"))) == 3
        none = tf.train.Saver(max_to_keep=1)
        for step in range(3):
            none.save(sess, str(tmp_path / "one"), global_step=step)
        assert [p.name for p in tmp_path.glob("one-*.safetensors")] == ["one-2.safetensors"]


def test_recover_last_checkpoints_goes_on_deleting(tmp_path):
    make_variables()
    path = str(tmp_path / "m")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = tf.train.Saver(max_to_keep=2)
        for step in range(2):
            first.save(sess, path, global_step=step)
        later = tf.train.Saver(max_to_keep=2)
        state = tf.train.get_checkpoint_state(str(tmp_path))
        later.recover_last_checkpoints([*state.all_model_checkpoint_paths, path + "-99"])
        assert later.last_checkpoints == [path + "-0", path + "-1"]
        later.save(sess, path, global_step=2)
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
        "m-1.safetensors",
        "m-2.safetensors",
    ]


def test_relative_paths(tmp_path, monkeypatch):
    make_variables()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        saver = tf.train.Saver(save_relative_paths=True, pad_step_number=True)
        assert saver.save(sess, "logs/m", global_step=3) == "logs/m-00000003"
        assert 'model_checkpoint_path: "m-00000003"' in Path("logs/checkpoint").read_text()
        assert tf.train.latest_checkpoint("logs") == "logs/m-00000003"
        # without a folder the state lies in the working directory
        assert tf.train.Saver().save(sess, "plain") == "plain"
        assert tf.train.latest_checkpoint("") == "plain"
        tf.train.Saver().restore(sess, "plain")


def test_errors_of_restore(tmp_path):
    v, n = make_variables()
    path = str(tmp_path / "m")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        tf.train.Saver([v]).save(sess, path)
        with pytest.raises(ValueError, match="The passed save_path is not a valid checkpoint: no"):
            tf.train.Saver().restore(sess, "nowhere")
        with pytest.raises(ValueError, match="Can't load save_path when it is None"):
            tf.train.Saver().restore(sess, None)
        sess.run(v.assign([5.0, 5.0]))
        with pytest.raises(tf.errors.NotFoundError, match="Key scope/n not found in checkpoint"):
            tf.train.Saver().restore(sess, path)
        assert sess.run(v).tolist() == [5.0, 5.0]  # nothing was assigned
        other = tf.Variable([1.0, 2.0, 3.0], name="other")
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"lhs shape= \[3\] rhs shape= \[2"
        ):
            tf.train.Saver({"v": other}).restore(sess, path)
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected dtype int32"):
            tf.train.Saver({"v": n}).restore(sess, path)
        with pytest.raises(TypeError, match="'sess' must be a Session"):
            tf.train.Saver().restore(None, path)


def test_reshape_restores_into_another_shape(tmp_path):
    v, _ = make_variables()
    column = tf.Variable([[0.0], [0.0]], name="column")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        prefix = tf.train.Saver([v]).save(sess, str(tmp_path / "m"))
        tf.train.Saver({"v": column}, reshape=True).restore(sess, prefix)
        assert sess.run(column).tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("name", ["made/m", "made//m", "made/"])
def test_a_missing_folder_is_made(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    v = tf.Variable(2.0)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError):
            saver.save(sess, name)
        assert os.listdir(tmp_path) == []
        sess.run(v.initializer)
        saver.save(sess, name)
        sess.run(v.assign(3.0))
        saver.restore(sess, name)
        assert sess.run(v) == 2.0
        assert "checkpoint" in os.listdir("made")


def test_errors_of_save(tmp_path):
    make_variables()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
            saver.save(sess, str(tmp_path / "m"))
        assert os.listdir(tmp_path) == []
        sess.run(tf.global_variables_initializer())
        with pytest.raises(ValueError, match="Parent directory of .* doesn't exist"):
            saver.save(sess, str(tmp_path / "no" / "such" / "m"))
        assert os.listdir(tmp_path) == []
        (tmp_path / "file").write_text("")
        with pytest.raises(ValueError, match="Parent directory of .* doesn't exist"):
            saver.save(sess, str(tmp_path / "file" / "m"))
        with pytest.raises(ValueError, match="must not contain path components"):
            saver.save(sess, str(tmp_path / "m"), latest_filename="a/b")
        with pytest.raises(ValueError, match="collides with 'save_path'"):
            saver.save(sess, str(tmp_path / "checkpoint"))
    with pytest.raises(TypeError, match="'sess' must be a Session"):
        saver.save(None, str(tmp_path / "m"))


def test_errors_of_construction():
    with pytest.raises(ValueError, match="No variables to save"):
        tf.train.Saver()
    assert tf.train.Saver(allow_empty=True).save(tf.Session(), "nothing") is None
    v, _ = make_variables()
    with pytest.raises(TypeError, match="not a Variable"):
        tf.train.Saver([tf.constant(1)])
    with pytest.raises(ValueError, match="restored with two names: b"):
        tf.train.Saver({"a": v, "b": v})
    with pytest.raises(ValueError, match="At least two variables have the same name: v"):
        other = tf.Graph()
        with other.as_default():
            twin = tf.Variable(0.0, name="v")
        tf.train.Saver([v, twin])
    late = tf.train.Saver(defer_build=True)
    late.build()


def test_reading_without_a_graph(tmp_path):
    make_variables()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(sess, str(tmp_path / "m"), global_step=4)
    assert tf.train.checkpoint_exists(prefix) and not tf.train.checkpoint_exists(prefix + "1")
    assert tf.train.list_variables(str(tmp_path)) == [("scope/n", []), ("v", [2])]
    assert tf.train.load_variable(prefix, "v:0").tolist() == [1.0, 2.0]
    reader = tf.train.load_checkpoint(str(tmp_path))
    assert reader.has_tensor("v") and not reader.has_tensor("w")
    assert reader.get_variable_to_shape_map() == {"v": [2], "scope/n": []}
    assert reader.get_variable_to_dtype_map() == {"v": tf.float32, "scope/n": tf.int32}
    assert b"v (DT_FLOAT32) [2]" in reader.debug_string()
    with pytest.raises(tf.errors.NotFoundError, match="Key w not found"):
        reader.get_tensor("w")
    with pytest.raises(tf.errors.NotFoundError, match="No such file"):
        tf.train.NewCheckpointReader(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="Couldn't find 'checkpoint' file"):
        tf.train.load_checkpoint(str(tmp_path / "empty"))


def test_training_goes_on_where_it_was(tmp_path):
    """Slots of the optimizer are saved too: the steps after a restore are those without one."""
    x = tf.Variable([1.0, -2.0])
    train = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(tf.square(x)))
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(train)
        prefix = saver.save(sess, str(tmp_path / "m"))
        for _ in range(3):
            sess.run(train)
        want = sess.run(x)
    with tf.Session() as sess:
        saver.restore(sess, prefix)
        for _ in range(3):
            sess.run(train)
        assert_same_bits(sess.run(x), want)
