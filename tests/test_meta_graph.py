"""Meta graphs: a program's graph saved, and taken up by a program that has none."""

from __future__ import annotations

import os

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def model() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    w = tf.get_variable("w", [2, 1], initializer=tf.ones_initializer())
    tf.get_variable("b", initializer=0.5, trainable=False)
    y = tf.matmul(x, w, name="y")
    loss = tf.reduce_mean(tf.square(y - 3.0), name="loss")
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="train")
    with tf.device("/cpu:0"):
        tf.summary.scalar("loss", loss)
    tf.add_to_collection("fetches", loss)
    tf.add_to_collection("fetches", train)
    tf.add_to_collection("names", "a")
    tf.add_to_collection("counts", 3)
    tf.add_to_collection("rates", 0.5)
    tf.add_to_collection("objects", object())


X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def test_save_and_go_on(tmp_path) -> None:
    prefix = str(tmp_path / "model")
    model()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run("train", {"x:0": X})
        path = tf.train.Saver(max_to_keep=2).save(session, prefix, global_step=7)
        weights = session.run("w:0")
        session.run("train", {"x:0": X})
        after = session.run("w:0")
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "model-7.meta", "model-7.safetensors"]
    with tf.Graph().as_default() as graph:
        saver = tf.train.import_meta_graph(path + ".meta")
        assert [v.name for v in tf.global_variables()] == ["w:0", "b:0"]
        assert [v.name for v in tf.trainable_variables()] == ["w:0"]
        assert tf.trainable_variables()[0] in tf.global_variables()
        assert not tf.global_variables()[1].trainable
        loss, train = tf.get_collection("fetches")
        assert loss is graph.get_tensor_by_name("loss:0") and train.name == "train"
        assert tf.get_collection("names") == [b"a"] and tf.get_collection("counts") == [3]
        assert tf.get_collection("rates") == [0.5] and tf.get_collection("objects") == []
        assert len(tf.get_collection(tf.GraphKeys.SUMMARIES)) == 1
        with tf.Session() as session:
            saver.restore(session, path)
            np.testing.assert_array_equal(session.run("w:0"), weights)
            session.run(train, {"x:0": X})
            np.testing.assert_array_equal(session.run("w:0"), after)
            session.run(tf.global_variables_initializer())
            assert session.run("w:0").tolist() == [[1.0], [1.0]]
            for step in range(3):
                saver.save(session, prefix, global_step=step)
    left = [name for name in os.listdir(tmp_path) if name.endswith(".meta")]
    assert sorted(left) == ["model-1.meta", "model-2.meta", "model-7.meta"]


def test_import_into_a_scope_with_other_inputs(tmp_path) -> None:
    model()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, str(tmp_path / "m"))
    with tf.Graph().as_default():
        x = tf.constant(X)
        saver = tf.train.import_meta_graph(
            path + ".meta", True, "old", input_map={"x:0": x},
            restore_collections_predicate=lambda key: key == "variables",
        )  # fmt: skip
        assert [v.name for v in tf.global_variables()] == ["old/w:0", "old/b:0"]
        assert tf.trainable_variables() == [] == tf.get_collection("fetches")
        assert {op.device for op in tf.get_default_graph().get_operations()} == {""}
        with tf.Session() as session:
            saver.restore(session, path)
            assert session.run("old/y:0").tolist() == [[3.0], [7.0]]


def test_export_options(tmp_path) -> None:
    model()
    path = str(tmp_path / "new" / "graph.txt")
    meta = tf.train.export_meta_graph(path, as_text=True, collection_list=["names"])
    assert list(meta.collection_def) == ["names"]
    assert not meta.HasField("saver_def")
    assert meta.meta_info_def.tensorflow_version == tf.VERSION
    with tf.Graph().as_default():
        assert tf.train.import_meta_graph(path) is None
        assert tf.get_collection("names") == [b"a"]
    stripped = tf.train.export_meta_graph(strip_default_attrs=True, clear_devices=True)
    product = {n.name: n for n in stripped.graph_def.node}["y"]
    assert "transpose_a" not in product.attr and "T" in product.attr
    assert stripped.meta_info_def.stripped_default_attrs
    with tf.Graph().as_default():
        assert isinstance(tf.train.import_meta_graph(stripped), tf.train.Saver)
        assert tf.get_default_graph().get_operation_by_name("y").get_attr("transpose_a") is False
    given = tf.GraphDef()
    assert len(tf.train.export_meta_graph(graph_def=given).graph_def.node) == 0


def test_export_of_a_scope() -> None:
    x = tf.constant(1.0)
    with tf.variable_scope("part"):
        v = tf.get_variable("v", initializer=2.0)
        tf.add_to_collection("doubled", tf.multiply(v, 2.0, name="double"))
    meta = tf.train.export_meta_graph(export_scope="part")
    with tf.Graph().as_default():
        saver = tf.train.import_meta_graph(meta, import_scope="copy")
        assert [v.name for v in tf.global_variables()] == ["copy/v:0"]
        assert tf.get_collection("doubled")[0].name == "copy/double:0"
        assert saver is not None
    with tf.name_scope("other"):
        tf.add(x, 1.0)
    with pytest.raises(ValueError, match="from outside of 'other/'"):
        tf.train.export_meta_graph(export_scope="other")


def test_variables_and_messages() -> None:
    v = tf.Variable([1.0], name="v")
    proto = v.to_proto()
    assert proto.variable_name == "v:0" and proto.initializer_name == "v/Assign"
    assert proto.snapshot_name == "v/read:0" and proto.initial_value_name == "v/initial_value:0"
    again = tf.Variable.from_proto(proto)
    assert again.op is v.op and again.initializer is v.initializer
    assert v.to_proto(export_scope="elsewhere") is None
    with tf.Session() as session:
        session.run(again.initializer)
        assert session.run([v, again + 1.0]) == [[1.0], [2.0]]
    with pytest.raises(ValueError, match="mutually exclusive"):
        tf.Variable(1.0, variable_def=proto)
    saver = tf.train.Saver(max_to_keep=3)
    assert saver.to_proto().max_to_keep == saver.as_saver_def().max_to_keep == 3


def test_errors(tmp_path) -> None:
    with pytest.raises(OSError, match="does not exist"):
        tf.train.import_meta_graph(str(tmp_path / "none.meta"))
    path = tmp_path / "bad.meta"
    path.write_bytes(b"\xff\xfe no graph")
    with pytest.raises(ValueError, match="Cannot parse"):
        tf.train.import_meta_graph(str(path))
    tf.Variable(1.0, name="v")
    meta = tf.train.export_meta_graph()
    with pytest.raises(ValueError, match="already exists"):
        tf.train.import_meta_graph(meta)
    meta.collection_def["fetches"].node_list.value.append("nothing:0")
    with tf.Graph().as_default(), pytest.raises(ValueError, match="not in the graph"):
        tf.train.import_meta_graph(meta)
    del meta.graph_def.node[:]
    del meta.collection_def["fetches"]
    with tf.Graph().as_default(), pytest.raises(ValueError, match="names none"):
        tf.train.import_meta_graph(meta)
    for call in (tf.train.import_meta_graph, tf.train.export_meta_graph):
        with pytest.raises(TypeError, match="colour"):
            call("x", colour=1)
    with pytest.raises(TypeError, match="GraphDef"):
        tf.train.export_meta_graph(graph_def="x")
