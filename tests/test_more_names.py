"""Logging, compat, nest, resource_loader, graph_util, scopes, tables, versions, written graphs."""

from __future__ import annotations

import collections
import logging
import os

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


@pytest.fixture
def messages():
    """(level, message) of what is logged during the test."""
    seen: list[tuple[str, str]] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append((record.levelname, record.getMessage()))
    logger, before = tf.get_logger(), tf.get_logger().level
    logger.addHandler(handler)
    yield seen
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_logging(messages) -> None:
    log = tf.logging
    assert (log.DEBUG, log.INFO, log.WARN, log.ERROR, log.FATAL) == (10, 20, 30, 40, 50)
    assert log.get_verbosity() == log.WARN
    log.info("not written")
    log.set_verbosity(log.INFO)
    assert log.get_verbosity() == log.INFO
    log.info("a %d", 1)
    log.debug("not written")
    log.warn("b")
    log.warning("c")
    log.error("d")
    log.fatal("e")
    log.log(log.INFO, "f")
    log.vlog(log.INFO, "g")
    log.TaskLevelStatusMessage("h")
    log.log_if(log.INFO, "i", True)
    log.log_if(log.INFO, "not written", False)
    levels = ["INFO", "WARNING", "WARNING", "ERROR", "CRITICAL", "INFO", "INFO", "ERROR", "INFO"]
    texts = ["a 1", *"bcdefghi"]
    assert messages == list(zip(levels, texts, strict=True))
    with pytest.raises(NotImplementedError):
        log.flush()


def test_logging_of_one_line(messages) -> None:
    for i in range(7):
        tf.logging.log_every_n(tf.logging.ERROR, "every %d", 3, i)
        tf.logging.log_first_n(tf.logging.ERROR, "first %d", 2, i)
    texts = [text for _, text in messages]
    assert texts == ["every 0", "first 0", "first 1", "every 3", "every 6"]


def test_logging_goes_to_stderr() -> None:
    import subprocess
    import sys

    program = "import tfc as tf; tf.logging.error('x %s', 1); tf.logging.info('y')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "ERROR:tensorflow:x 1\n"


def test_compat() -> None:
    compat = tf.compat
    assert compat.as_bytes("ä") == b"\xc3\xa4" and compat.as_bytes(b"a") == b"a"
    assert compat.as_bytes(bytearray(b"a")) == b"a"
    assert compat.as_text(b"\xc3\xa4") == compat.as_str("ä") == "ä"
    assert compat.as_str_any(3) == "3" and compat.as_str_any(b"x") == "x"
    assert compat.path_to_str("a") == "a"
    assert isinstance(np.int32(1), compat.integral_types)
    assert isinstance(1.5, compat.real_types) and isinstance(1j, compat.complex_types)
    assert isinstance(b"", compat.bytes_or_text_types)
    assert compat.v1 is tf
    for function in (compat.as_bytes, compat.as_text):
        with pytest.raises(TypeError, match="Expected binary or unicode string"):
            function(3)
    with pytest.raises(AttributeError):
        compat.nothing  # noqa: B018


Point = collections.namedtuple("Point", "x y")


def test_nest() -> None:
    nest = tf.nest
    structure = {"b": 1, "a": (2, [3, Point(4, 5)])}
    assert nest.flatten(structure) == [2, 3, 4, 5, 1]
    assert nest.flatten("abc") == ["abc"]
    packed = nest.pack_sequence_as(structure, list("abcde"))
    assert packed == {"b": "e", "a": ("a", ["b", Point("c", "d")])}
    assert nest.map_structure(lambda a, b: a + b, [1, (2,)], [3, (4,)]) == [4, (6,)]
    assert nest.is_nested([1]) and not nest.is_nested("ab")
    views = [{"b": 1, "a": (2, 3)}.values(), {4: 5}.items()]
    assert nest.flatten(views) == [1, 2, 3, 4, 5]
    assert nest.map_structure(lambda x: -x, views) == [[-1, (-2, -3)], [(-4, -5)]]
    sparse = tf.SparseTensor([[0]], [1], [2])
    parts = nest.flatten([sparse, 7], expand_composites=True)
    assert parts == [sparse.indices, sparse.values, sparse.dense_shape, 7]
    again = nest.pack_sequence_as([sparse, 7], parts, expand_composites=True)
    assert isinstance(again[0], tf.SparseTensor) and again[0].values is sparse.values
    slices = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]))
    assert nest.flatten(slices, expand_composites=True) == [slices.values, slices.indices]
    doubled = nest.map_structure(lambda t: t, slices, expand_composites=True)
    assert doubled.values is slices.values
    nest.assert_same_structure([1, (2,)], [3, (4,)])
    nest.assert_same_structure([1], (1,), check_types=False)
    for error, call in {
        TypeError: [
            lambda: nest.map_structure(1, [1]),
            lambda: nest.pack_sequence_as([1, 2], 3),
            lambda: nest.assert_same_structure([1], (1,)),
            lambda: nest.assert_same_structure(Point(1, 2), (1, 2)),
            lambda: nest.assert_same_structure([sparse], [1], expand_composites=True),
        ],
        ValueError: [
            lambda: nest.map_structure(len),
            lambda: nest.map_structure(len, [1], color=2),
            lambda: nest.pack_sequence_as(1, [1, 2]),
            lambda: nest.pack_sequence_as([1, 2], [1]),
            lambda: nest.assert_same_structure([1], [1, 2]),
            lambda: nest.assert_same_structure([1], [1, 2], check_types=False),
            lambda: nest.assert_same_structure({"a": 1}, {"b": 1}),
        ],
    }.items():
        for each in call:
            with pytest.raises(error):
                each()


def test_resource_loader() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    loader = tf.resource_loader
    assert loader.get_data_files_path() == here
    assert loader.get_root_dir_with_all_resources() == here
    assert loader.get_path_to_datafile("x.txt") == os.path.join(here, "x.txt")
    assert loader.readahead_file_path("x") == "x"
    assert b"VERSION" in loader.load_resource("version.py")
    with pytest.raises(OSError, match="no_such"):
        loader.load_resource("no_such")


def test_versions() -> None:
    assert tf.VERSION == tf.__version__ == tf.version.VERSION
    assert tf.version.VERSION in tf.GIT_VERSION == tf.version.GIT_VERSION
    assert tf.GRAPH_DEF_VERSION == tf.version.GRAPH_DEF_VERSION
    assert tf.GRAPH_DEF_VERSION_MIN_PRODUCER == tf.GRAPH_DEF_VERSION_MIN_CONSUMER == 0
    tf.constant(1)
    assert tf.get_default_graph().as_graph_def().versions.producer == tf.GRAPH_DEF_VERSION


def test_shapes_entries() -> None:
    shape = tf.TensorShape([3, None])
    assert tf.dimension_value(shape[0]) == 3 and tf.dimension_value(shape[1]) is None
    assert tf.dimension_value(4) == 4
    assert tf.dimension_at_index(shape, 0) == 3
    assert tf.dimension_at_index(tf.TensorShape(None), 7).value is None


def test_modes_and_init_scope() -> None:
    assert not tf.resource_variables_enabled()
    tf.enable_resource_variables()
    try:
        assert tf.resource_variables_enabled()
        v = tf.Variable([1.0, 2.0])
        with tf.Session() as session:
            session.run(v.initializer)
            assert session.run(v * 2).tolist() == [2.0, 4.0]
    finally:
        tf.disable_resource_variables()
    assert not tf.resource_variables_enabled()
    tf.disable_control_flow_v2()
    assert not tf.control_flow_v2_enabled()
    assert not tf.executing_eagerly_outside_functions()
    with tf.name_scope("a"), tf.control_dependencies([tf.no_op()]), tf.init_scope():
        x = tf.constant(1.0)
    assert x.op.name == "a/Const" and not x.op.control_inputs
    with tf.control_dependencies([x]), tf.init_scope():
        assert not tf.constant(2.0).op.control_inputs


def test_tables_initializer() -> None:
    op = tf.tables_initializer()
    assert op.name == "init_all_tables" and not op.control_inputs
    first = tf.no_op()
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, first)
    assert tf.initializers.tables_initializer("t").control_inputs == [first]
    assert tf.initialize_all_tables().control_inputs == [first]


def test_no_gradient_is_an_alias() -> None:
    assert tf.no_gradient is tf.NotDifferentiable
    pairs = [
        (tf.io.QueueBase, tf.QueueBase),
        (tf.io.PaddingFIFOQueue, tf.PaddingFIFOQueue),
        (tf.io.PriorityQueue, tf.PriorityQueue),
        (tf.io.RandomShuffleQueue, tf.RandomShuffleQueue),
        (tf.io.write_graph, tf.train.write_graph),
        (tf.io.parse_tensor, tf.parse_tensor),
        (tf.io.serialize_tensor, tf.serialize_tensor),
        (tf.graph_util.import_graph_def, tf.import_graph_def),
        (tf.train.queue_runner.QueueRunner, tf.train.QueueRunner),
        (tf.train.queue_runner.add_queue_runner, tf.train.add_queue_runner),
        (tf.train.queue_runner.start_queue_runners, tf.train.start_queue_runners),
        (tf.math.special.bessel_i0, tf.math.bessel_i0),
        (tf.math.special.bessel_i0e, tf.math.bessel_i0e),
        (tf.math.special.bessel_i1, tf.math.bessel_i1),
        (tf.math.special.bessel_i1e, tf.math.bessel_i1e),
    ]
    assert all(a is b for a, b in pairs)


def test_names_from_before() -> None:
    for module, name, new in (
        (tf, "mul", "tf.multiply"),
        (tf, "scalar_summary", "tf.summary.scalar"),
        (tf.train, "SummaryWriter", "tf.summary.FileWriter"),
        (tf, "nothing", None),
    ):
        assert not hasattr(module, name)
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as info:
            getattr(module, name)
        text = str(info.value)
        assert text.endswith(f"renamed it to {new}" if new else "'nothing'")


def test_messages() -> None:
    info = tf.TensorInfo(name="x:0", dtype=1)
    assert tf.TensorInfo.FromString(info.SerializeToString()) == info
    log = tf.LogMessage(level=20, message="a")
    assert tf.LogMessage.FromString(log.SerializeToString()).message == "a"
    saver = tf.train.SaverDef(max_to_keep=3)
    assert tf.train.SaverDef.FromString(saver.SerializeToString()).max_to_keep == 3


def test_tensor_protos() -> None:
    proto = tf.make_tensor_proto([1, 2], shape=[2, 2])
    assert tf.make_ndarray(proto).tolist() == [[1, 2], [2, 2]]
    assert tf.make_tensor_proto(proto) is proto
    assert tf.make_ndarray(tf.make_tensor_proto(["a"], tf.string)).tolist() == [b"a"]
    assert tf.make_ndarray(tf.make_tensor_proto(3, tf.float64)).dtype == np.float64
    with pytest.raises(TypeError, match="Expected Tensor's shape"):
        tf.make_tensor_proto([1, 2], shape=[2, 1], verify_shape=True)
    with pytest.raises(ValueError, match="Too many"):
        tf.make_tensor_proto([1, 2, 3], shape=[2])
    with pytest.raises(ValueError, match="not both"):
        tf.make_tensor_proto([1], allow_broadcast=True, verify_shape=True)
    with pytest.raises(ValueError, match="None"):
        tf.make_tensor_proto(None)
    proto.dtype = 20  # a resource
    with pytest.raises(TypeError, match="Unsupported"):
        tf.make_ndarray(proto)


@pytest.mark.parametrize(
    "values, dtype, shape, field, want",
    [
        (7, None, None, "int_val", [7]),
        ([-7], tf.int8, None, "int_val", [-7]),
        (1.5, None, [3], "float_val", [1.5]),
        ([1, 2], None, [2, 2], "int_val", [1, 2]),
        ([True, False], None, None, "bool_val", [True, False]),
        ([1.0, 2.0], tf.float16, None, "half_val", [0x3C00, 0x4000]),
        ([1 + 2j, 3], tf.complex64, None, "scomplex_val", [1, 2, 3, 0]),
        ([1, 2], tf.int16, None, "tensor_content", b"\1\0\2\0"),
        ([], tf.int64, None, "int64_val", []),
    ],
)
def test_fields_of_tensor_protos(values, dtype, shape, field, want) -> None:
    """One number, and those of some dtypes, stand in fields; as TensorFlow writes them."""
    proto = tf.make_tensor_proto(values, dtype, shape)
    found = getattr(proto, field)
    assert (found if isinstance(want, bytes) else list(found)) == want
    assert proto.HasField("tensor_shape")
    assert bool(proto.tensor_content) == (field == "tensor_content")
    array = np.array(values, None if dtype is None else dtype.as_numpy_dtype)
    last = array.ravel()[-1:]
    if shape is not None:
        more = int(np.prod(shape)) - array.size
        array = np.concatenate([array.ravel(), np.repeat(last, more)]).reshape(shape)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)


# ---- graphs


def small_graph() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    w = tf.Variable([[1.0], [2.0]], name="w")
    checked = tf.check_numerics(tf.identity(x, name="same"), "bad", name="checked")
    tf.matmul(checked, w, name="y")
    tf.constant(1, name="unused")


def test_write_graph(tmp_path) -> None:
    from google.protobuf import text_format

    small_graph()
    graph = tf.get_default_graph()
    path = tf.train.write_graph(graph, str(tmp_path / "new"), "g.pbtxt")
    assert path == str(tmp_path / "new" / "g.pbtxt")
    text = text_format.Parse((tmp_path / "new" / "g.pbtxt").read_text(), tf.GraphDef())
    assert text == graph.as_graph_def()
    path = tf.io.write_graph(text, tmp_path, "g.pb", as_text=False)
    assert tf.GraphDef.FromString((tmp_path / "g.pb").read_bytes()) == text
    assert sorted(os.listdir(tmp_path)) == ["g.pb", "new"]
    with pytest.raises(OSError):
        tf.io.write_graph(text, path, "g.pb")


def test_sub_graphs() -> None:
    small_graph()
    whole = tf.get_default_graph().as_graph_def()
    part = tf.graph_util.extract_sub_graph(whole, ["y"])
    assert [n.name for n in part.node] == [
        n.name for n in whole.node if n.name not in ("unused", "w/Assign", "w/initial_value")
    ]
    assert part.versions == whole.versions
    with pytest.raises(AssertionError, match="nothing is not in graph"):
        tf.graph_util.extract_sub_graph(whole, ["nothing"])
    with pytest.raises(TypeError):
        tf.graph_util.extract_sub_graph(whole, "y")
    with pytest.raises(TypeError):
        tf.graph_util.extract_sub_graph("graph", ["y"])
    lean = tf.graph_util.remove_training_nodes(part, protected_nodes=["y"])
    assert [n.name for n in lean.node] == ["x", "w", "y"]
    assert list(lean.node[2].input) == ["w"]  # what the check handed on is lost, as TensorFlow's
    kept = tf.graph_util.remove_training_nodes(part, ["same", "checked", "w/read"])
    assert [n.name for n in kept.node] == [n.name for n in part.node]


def test_convert_variables_to_constants() -> None:
    small_graph()
    graph = tf.get_default_graph()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(tf.assign(graph.get_collection("variables")[0], [[3.0], [5.0]]))
        names = ["y"]
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), names)
        none = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), names, variable_names_blacklist=["w"]
        )
        assert [n.op for n in none.node if n.name == "w"] == ["VariableV2"]
        some = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), names, variable_names_whitelist=["w"]
        )
        assert some == frozen
    with tf.Graph().as_default() as other:
        y, x = tf.import_graph_def(frozen, return_elements=["y:0", "x:0"], name="")
        with tf.Session() as session:
            assert session.run(y, {x: [[1.0, 1.0], [2.0, 0.0]]}).tolist() == [[8.0], [6.0]]
        assert other.get_operation_by_name("w").type == "Const"


def test_places_of_nodes() -> None:
    small_graph()
    graph = tf.get_default_graph()
    must = tf.graph_util.must_run_on_cpu
    unused = graph.get_operation_by_name("unused")
    w = graph.get_operation_by_name("w")
    assert must(unused) and must(graph.as_graph_def().node[-1])
    assert not must(w) and must(w, pin_variables_on_cpu=True)
    assert must(tf.cast(tf.constant(1), tf.float32).op)
    assert not must(tf.constant(1.0).op)
    stitched = tf.dynamic_stitch([[0]], [tf.constant([1])])
    assert must(stitched.op)
    shape = tf.graph_util.tensor_shape_from_node_def_name
    assert shape(graph, "x").as_list() == shape(graph, "x:0").as_list() == [None, 2]
