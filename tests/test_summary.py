"""`tf.summary`: what summary ops give, and what event files say when TensorBoard reads them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(tensor, feed_dict=None):
    with tf.Session() as sess:
        return sess.run(tensor, feed_dict)


def parsed(serialized: bytes):
    return tf.summary.Summary.FromString(serialized)


def read(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0})
    return accumulator.Reload()


def events(folder: Path) -> list:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

    files = sorted(folder.glob("*tfevents*"), key=lambda p: int(p.name.split(".")[-1]))
    Event = tf.summary.Event
    return [Event.FromString(raw) for f in files for raw in RawEventFileLoader(str(f)).Load()]


def decode_png(data: bytes) -> np.ndarray:
    """Rows of an 8-bit PNG without interlacing whose rows use filter 0."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + length
    width, height, depth, color = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    channels = {0: 1, 2: 3, 6: 4}[color]
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8)
    rows = rows.reshape(height, 1 + width * channels)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


# ---- summary ops


def test_scalar():
    made = tf.summary.scalar("loss", tf.constant(1.5))
    assert made.dtype == tf.string and made.get_shape().as_list() == []
    assert made.op.name == "loss" and made.op.type == "ScalarSummary"
    (value,) = parsed(run(made)).value
    assert value.tag == "loss" and value.simple_value == 1.5


def test_tags_follow_name_scopes_and_families():
    with tf.name_scope("layer"):
        inner = tf.summary.scalar("loss", 1.0)
        again = tf.summary.scalar("loss", 1.0)
    family = tf.summary.scalar("loss", 1.0, family="train")
    odd = tf.summary.scalar("/a loss!", 1.0)
    tags = [parsed(s).value[0].tag for s in run([inner, again, family, odd])]
    assert tags == ["layer/loss", "layer/loss_1", "train/train/loss", "a_loss_"]


def test_histogram_counts_every_element():
    data = np.array([-1.0, 0.0, 0.0, 2.5, 1000.0])
    (value,) = parsed(run(tf.summary.histogram("h", data))).value
    histo = value.histo
    assert (histo.min, histo.max, histo.num) == (-1.0, 1000.0, 5.0)
    assert histo.sum == pytest.approx(data.sum())
    assert histo.sum_squares == pytest.approx((data**2).sum())
    limits, counts = list(histo.bucket_limit), list(histo.bucket)
    assert len(limits) == len(counts) and sum(counts) == 5
    assert limits == sorted(limits)
    for element in data:
        # the bucket that holds it: at or above the limit before, below its own
        bucket = int(np.searchsorted(limits, element, side="right"))
        assert counts[bucket] > 0, element


def test_histogram_of_what_is_not_a_number_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Nan|Infinity"):
        run(tf.summary.histogram("h", [1.0, np.nan]))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_image_bytes_are_the_pixels(channels):
    pixels = np.random.RandomState(0).randint(0, 256, (4, 5, 6, channels)).astype(np.uint8)
    values = parsed(run(tf.summary.image("img", pixels, max_outputs=2))).value
    assert [v.tag for v in values] == ["img/image/0", "img/image/1"]
    for value, want in zip(values, pixels, strict=False):
        shown = value.image
        assert (shown.height, shown.width, shown.colorspace) == (5, 6, channels)
        np.testing.assert_array_equal(decode_png(shown.encoded_image_string), want)


def test_float_images_are_scaled_each_by_itself():
    positive = np.array([[0.0, 0.5], [1.0, 2.0]], np.float32).reshape(1, 2, 2, 1)
    both = np.array([[-1.0, 0.0], [0.5, 1.0]], np.float32).reshape(1, 2, 2, 1)
    first, second = (
        decode_png(parsed(run(tf.summary.image("i", a, 1))).value[0].image.encoded_image_string)
        for a in (positive, both)
    )
    # only positive: the greatest becomes 255; with negative ones 0 becomes 128
    assert first.ravel().tolist() == [0, 63, 127, 255]
    assert second.ravel().tolist() == [1, 128, 191, 255]


def test_text():
    (value,) = parsed(run(tf.summary.text("note", tf.constant(["a", "b"])))).value
    assert value.metadata.plugin_data.plugin_name == "text"
    assert list(value.tensor.string_val) == [b"a", b"b"]
    with pytest.raises(ValueError, match="to have dtype string"):
        tf.summary.text("note", tf.constant(1.0))


def test_merge_and_merge_all():
    assert tf.summary.merge_all() is None
    a, b = tf.summary.scalar("a", 1.0), tf.summary.scalar("b", 2.0)
    tf.summary.scalar("c", 3.0, collections=["other"])
    merged, everything = tf.summary.merge([b]), tf.summary.merge_all()
    assert merged.op.name == "Merge/MergeSummary"
    other = tf.summary.merge_all("other")
    got = run([merged, everything, other])
    assert [[v.tag for v in parsed(s).value] for s in got] == [["b"], ["a", "b"], ["c"]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Duplicate tag a"):
        run(tf.summary.merge([a, a]))


# ---- event files


def test_summaries_are_read_back(tmp_path):
    x = tf.placeholder(tf.float32, [None], name="x")
    tf.summary.scalar("mean", tf.reduce_mean(x))
    tf.summary.histogram("all", x)
    tf.summary.image("square", tf.reshape(x, [1, 2, 2, 1]))
    merged = tf.summary.merge_all()
    writer = tf.summary.FileWriter(str(tmp_path))
    with tf.Session() as sess:
        for step in range(3):
            writer.add_summary(sess.run(merged, {x: np.arange(4) + step}), step)
    writer.close()
    accumulator = read(tmp_path)
    assert accumulator.Tags()["scalars"] == ["mean"]
    assert [(e.step, e.value) for e in accumulator.Scalars("mean")] == [
        (0, 1.5),
        (1, 2.5),
        (2, 3.5),
    ]
    assert accumulator.Histograms("all")[-1].histogram_value.num == 4
    assert accumulator.Histograms("all")[-1].histogram_value.max == 5
    assert accumulator.Images("square/image/0")[0].width == 2


def test_summary_protos_and_steps_as_arrays(tmp_path):
    summary = tf.summary.Summary(value=[tf.summary.Summary.Value(tag="by_hand", simple_value=2)])
    with tf.summary.FileWriter(tmp_path) as writer:
        writer.add_summary(summary, np.int64(7))
        writer.add_summary(summary)
    got = read(tmp_path).Scalars("by_hand")
    assert [(e.step, e.value) for e in got] == [(7, 2.0), (0, 2.0)]


def test_description_of_a_tag_is_written_once(tmp_path):
    note = run(tf.summary.text("note", tf.constant("x")))
    with tf.summary.FileWriter(tmp_path) as writer:
        for step in range(2):
            writer.add_summary(note, step)
    written = [v for e in events(tmp_path) for v in e.summary.value]
    assert [v.HasField("metadata") for v in written] == [True, False]


def test_graph_is_read_back(tmp_path):
    with tf.name_scope("scope"):
        a = tf.placeholder(tf.float32, [None, 3], name="a")
        b = tf.constant([1, 2, 3], name="b")
    w = tf.Variable(tf.zeros([3, 2]), name="w")
    with tf.control_dependencies([b.op]):
        product = tf.matmul(a, w, name="product")
    tf.constant("text", name="words")
    tf.summary.FileWriter(str(tmp_path), tf.get_default_graph()).close()
    graph = read(tmp_path).Graph()
    nodes = {node.name: node for node in graph.node}
    assert list(nodes) == [op.name for op in tf.get_default_graph().get_operations()]
    node = nodes[product.op.name]
    assert node.op == "MatMul"
    assert list(node.input) == ["scope/a", "w/read", "^scope/b"]
    assert node.attr["T"].type == tf.float32.as_datatype_enum
    assert node.attr["transpose_a"].b is False and "transpose_a" in node.attr
    (shape,) = node.attr["_output_shapes"].list.shape
    assert [d.size for d in shape.dim] == [-1, 2]
    value = nodes["scope/b"].attr["value"].tensor
    assert value.dtype == tf.int32.as_datatype_enum
    assert np.frombuffer(value.tensor_content, np.int32).tolist() == [1, 2, 3]
    assert list(nodes["words"].attr["value"].tensor.string_val) == [b"text"]
    assert [d.size for d in nodes["scope/a"].attr["shape"].shape.dim] == [-1, 3]


def test_as_graph_def_from_a_version():
    tf.constant(1.0, name="first")
    version = tf.get_default_graph().version
    tf.constant(2.0, name="second")
    graph = tf.get_default_graph()
    assert [n.name for n in graph.as_graph_def().node] == ["first", "second"]
    late = graph.as_graph_def(from_version=version, add_shapes=True)
    assert [n.name for n in late.node] == ["second"]
    assert "_output_shapes" in late.node[0].attr


def test_add_graph_arguments(tmp_path):
    graph = tf.get_default_graph()
    with tf.summary.FileWriter(tmp_path) as writer:
        with pytest.raises(TypeError, match="must be an instance of `Graph`"):
            writer.add_graph("no graph")
        with pytest.raises(ValueError, match="not both"):
            writer.add_graph(graph, graph_def=graph.as_graph_def())
        tf.constant(1.0, name="c")
        writer.add_graph(None, graph_def=graph.as_graph_def())
    assert [n.name for n in read(tmp_path).Graph().node] == ["c"]


def test_session_log_and_events(tmp_path):
    SessionLog, Event = tf.summary.SessionLog, tf.summary.Event
    with tf.summary.FileWriter(tmp_path) as writer:
        writer.add_session_log(SessionLog(status=SessionLog.START), 5)
        writer.add_event(Event(wall_time=1.5, step=9))
        with pytest.raises(TypeError, match="expected an Event"):
            writer.add_event(b"bytes")
    version, start, last = events(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert start.session_log.status == SessionLog.START and start.step == 5
    assert (last.wall_time, last.step) == (1.5, 9)


def test_close_reopen_and_noop(tmp_path, caplog):
    writer = tf.summary.FileWriter(tmp_path, filename_suffix=".x")
    value = tf.summary.Summary(value=[tf.summary.Summary.Value(tag="t", simple_value=1)])
    writer.add_summary(value, 1)
    writer.close()
    writer.close()
    writer.flush()
    writer.add_summary(value, 2)  # lost
    writer.add_summary(value, 3)  # lost
    assert caplog.text.count("closed FileWriter") == 1
    writer.reopen()
    writer.reopen()
    writer.add_summary(value, 4)
    writer.close()
    names = sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == 2 and all(n.endswith(".x") for n in names)
    assert writer.get_logdir() == str(tmp_path)
    steps = [e.step for f in names for e in _steps(tmp_path / f)]
    assert sorted(steps) == [1, 4]


def _steps(path: Path) -> list:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

    loaded = (tf.summary.Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load())
    return [event for event in loaded if event.HasField("summary")]


def test_events_reach_the_file_after_max_queue_or_a_flush(tmp_path):
    writer = tf.summary.FileWriter(tmp_path, max_queue=3)
    (path,) = tmp_path.iterdir()
    value = tf.summary.Summary(value=[tf.summary.Summary.Value(tag="t", simple_value=1)])
    for step in range(2):
        writer.add_summary(value, step)
    assert _steps(path) == []
    writer.add_summary(value, 2)
    assert len(_steps(path)) == 3
    writer.add_summary(value, 3)
    writer.flush()
    assert len(_steps(path)) == 4
    slow = tf.summary.FileWriter(tmp_path / "slow", flush_secs=0)
    slow.add_summary(value, 0)
    (path,) = (tmp_path / "slow").iterdir()
    assert len(_steps(path)) == 1
    writer.close()
    slow.close()


def test_writer_cache(tmp_path):
    tf.constant(1.0, name="c")
    cache = tf.summary.FileWriterCache
    writer = cache.get(str(tmp_path))
    assert cache.get(str(tmp_path)) is writer
    cache.clear()
    assert [n.name for n in read(tmp_path).Graph().node] == ["c"]
    assert cache.get(str(tmp_path)) is not writer
    cache.clear()


def test_a_writer_with_a_session_writes_the_same_file(tmp_path):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.constant(1.0, name="c")
        with tf.summary.FileWriter(str(tmp_path), graph, session=session) as writer:
            writer.add_summary(session.run(tf.summary.scalar("s", 2.0)), 3)
    found = read(tmp_path)
    assert [n.name for n in found.Graph().node] == ["c"]
    assert [(e.step, e.value) for e in found.Scalars("s")] == [(3, 2.0)]
    with pytest.raises(TypeError, match="session must be a tf.Session"):
        tf.summary.FileWriter(str(tmp_path), session=3)


def test_a_writer_of_a_graph_writes_its_meta_graph_too(tmp_path):
    with tf.Graph().as_default() as graph:
        tf.Variable(1.0, name="v")
        tf.summary.FileWriter(str(tmp_path), graph).close()
    (path,) = tmp_path.glob("events*")
    events = list(tf.train.summary_iterator(str(path)))
    assert [bool(e.graph_def) for e in events] == [False, True, False]
    assert [bool(e.meta_graph_def) for e in events] == [False, False, True]
