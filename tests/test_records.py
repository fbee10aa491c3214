"""Record files, event files, clusters and the devices of replicas."""

from __future__ import annotations

import gzip

import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
RECORDS = [b"", b"abc", bytes(range(256)) * 3]


def test_a_file_byte_for_byte(tmp_path) -> None:
    path = tmp_path / "r"
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        writer.write(b"abc")
    # of real TensorFlow
    assert path.read_bytes().hex() == "0300000000000000b099490e6162636e57f121"


@pytest.mark.parametrize("kind", [None, "", "GZIP", "ZLIB"])
def test_round_trip(tmp_path, kind) -> None:
    path = tmp_path / "r"
    options = tf.io.TFRecordOptions(kind, compression_level=9)
    writer = tf.io.TFRecordWriter(path, options)
    for record in RECORDS:
        writer.write(record)
    writer.flush()
    writer.close()
    writer.close()
    with pytest.raises(tf.errors.FailedPreconditionError, match="closed"):
        writer.write(b"")
    assert list(tf.io.tf_record_iterator(path, options)) == RECORDS
    if kind == "GZIP":
        assert len(gzip.decompress(path.read_bytes())) == 16 * 3 + 3 + 768
        types = tf.python_io.TFRecordCompressionType
        assert list(tf.python_io.tf_record_iterator(str(path), types.GZIP)) == RECORDS


def test_options() -> None:
    of = tf.io.TFRecordOptions
    types = tf.io.TFRecordCompressionType
    text = of.get_compression_type_string
    assert [text(v) for v in (None, "", "GZIP", types.ZLIB, types.NONE, of("ZLIB"))] == [
        "", "", "GZIP", "ZLIB", "", "ZLIB"
    ]  # fmt: skip
    assert of.compression_type_map[types.GZIP] == "GZIP"
    for bad in ("BZIP2", 9):
        with pytest.raises(ValueError, match="Not a valid compression_type"):
            of(bad)
    assert tf.io.TFRecordWriter is tf.python_io.TFRecordWriter
    assert tf.python_io.TFRecordOptions is of


def test_damaged_files(tmp_path) -> None:
    path = tmp_path / "r"
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"abcdef")
        with pytest.raises(TypeError, match="int"):
            writer.write(3)
    whole = path.read_bytes()
    read = tf.io.tf_record_iterator
    for data, match in (
        (whole[:5], "truncated"),
        (whole[:-1], "truncated"),
        (b"\x01" + whole[1:], "corrupted"),
        (whole[:14] + b"x" + whole[15:], "corrupted"),
    ):
        path.write_bytes(data)
        with pytest.raises(tf.errors.DataLossError, match=match):
            list(read(path))
    for kind in ("GZIP", "ZLIB"):
        with pytest.raises(tf.errors.DataLossError):
            list(read(path, kind))
    with pytest.raises(tf.errors.NotFoundError, match="none"):
        list(read(tmp_path / "none"))
    with pytest.raises(tf.errors.NotFoundError):
        tf.io.TFRecordWriter(tmp_path / "none" / "r")


def test_summary_iterator(tmp_path) -> None:
    writer = tf.summary.FileWriter(str(tmp_path))
    with tf.Session() as session:
        writer.add_summary(session.run(tf.summary.scalar("loss", 0.5)), 3)
    writer.close()
    (path,) = tmp_path.iterdir()
    first, second = tf.train.summary_iterator(str(path))
    assert first.file_version == "brain.Event:2"
    assert second.step == 3 and second.summary.value[0].tag == "loss"
    assert second.summary.value[0].simple_value == 0.5


# ---- clusters


def test_cluster_spec() -> None:
    cluster = tf.train.ClusterSpec({"ps": ["a:1", "b:2"], "worker": {0: "c:3", 2: "d:4"}})
    assert cluster and sorted(cluster.jobs) == ["ps", "worker"]
    assert cluster.num_tasks("worker") == 2 and cluster.task_indices("worker") == [0, 2]
    assert cluster.task_address("ps", 1) == "b:2"
    assert cluster.job_tasks("worker") == ["c:3", None, "d:4"]
    assert cluster.as_dict() == {"ps": ["a:1", "b:2"], "worker": {0: "c:3", 2: "d:4"}}
    proto = cluster.as_cluster_def()
    assert isinstance(proto, tf.train.ClusterDef)
    assert [job.name for job in proto.job] == ["ps", "worker"]
    assert tf.train.ClusterSpec(proto) == cluster == tf.train.ClusterSpec(cluster)
    assert not tf.train.ClusterSpec({}) and tf.train.JobDef(name="x").name == "x"
    for error, call in (
        (TypeError, lambda: tf.train.ClusterSpec("a:1")),
        (TypeError, lambda: tf.train.ClusterSpec({"a": "b:1"})),
        (TypeError, lambda: tf.train.ClusterSpec({"a": [3]})),
        (TypeError, lambda: tf.train.ClusterSpec({"a": {"x": "b:1"}})),
        (ValueError, lambda: cluster.num_tasks("none")),
        (ValueError, lambda: cluster.task_address("ps", 7)),
    ):
        with pytest.raises(error):
            call()


def test_replica_device_setter() -> None:
    setter = tf.train.replica_device_setter
    assert setter() is None and setter(cluster={"worker": ["a:1"]}) is None
    cluster = tf.train.ClusterSpec({"ps": ["a:1", "b:2"], "worker": ["c:3"]})
    with tf.device(setter(cluster=cluster, worker_device="/job:worker/task:7")):
        variables = [tf.Variable(1.0) for _ in range(3)]
        with tf.device("/cpu:0"):
            x = tf.constant(1.0)
    assert [v.device for v in variables] == [
        "/job:ps/task:0", "/job:ps/task:1", "/job:ps/task:0"
    ]  # fmt: skip
    assert x.device == "/job:worker/task:7/device:CPU:0"
    with tf.device(setter(3, ps_ops=["Const"], ps_strategy=lambda op: 2)):
        assert tf.constant(1.0).device == "/job:ps/task:2"
    with pytest.raises(TypeError, match="callable"):
        setter(1, ps_strategy=3)
    spec = tf.DeviceSpec(job="a", task=1)
    assert spec.replace(task=2).to_string() == "/job:a/task:2"
    assert spec.make_merged_spec(tf.DeviceSpec(task=3)).to_string() == "/job:a/task:3"
