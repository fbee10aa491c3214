"""Files and messages of TensorFlow's: `tf.io`, whose names are loaded when they are asked for.
Importing this package gives Graph its `as_graph_def`."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any

from tfc.base.later import later as _later
from tfc.base.later import table as _table
from tfc.framework.graph import Graph
from tfc.framework.variables import Variable

if _TYPE_CHECKING:
    from tfc.io.files import write_graph
    from tfc.io.records import (
        TFRecordCompressionType,
        TFRecordOptions,
        TFRecordWriter,
        tf_record_iterator,
    )
    from tfc.ops.datasets.sparse_ops import (
        deserialize_many_sparse,
        serialize_many_sparse,
        serialize_sparse,
    )
    from tfc.ops.examples.features import (
        FixedLenFeature,
        FixedLenSequenceFeature,
        SparseFeature,
        VarLenFeature,
        parse_example,
        parse_single_example,
    )
    from tfc.ops.examples.sequence_ops import parse_single_sequence_example
    from tfc.ops.image.decode_ops import decode_bmp, decode_gif, decode_image
    from tfc.ops.image.jpeg_ops import (
        decode_and_crop_jpeg,
        decode_jpeg,
        encode_jpeg,
        extract_jpeg_shape,
    )
    from tfc.ops.image.png_ops import decode_png, encode_png, is_jpeg
    from tfc.ops.queues.queue_classes import (
        PaddingFIFOQueue,
        PriorityQueue,
        QueueBase,
        RandomShuffleQueue,
    )
    from tfc.ops.strings.file_ops import decode_compressed, matching_files, read_file, write_file
    from tfc.ops.strings.functions import decode_base64, decode_raw, encode_base64
    from tfc.ops.strings.record_ops import decode_csv
    from tfc.ops.strings.tensor_ops import parse_tensor, serialize_tensor

_LATER = _table("""
tfc.io.files: write_graph
tfc.io.records: TFRecordCompressionType TFRecordOptions TFRecordWriter tf_record_iterator
tfc.ops.datasets.sparse_ops: deserialize_many_sparse serialize_many_sparse serialize_sparse
tfc.ops.examples.features: FixedLenFeature FixedLenSequenceFeature SparseFeature VarLenFeature
  parse_example parse_single_example
tfc.ops.examples.sequence_ops: parse_single_sequence_example
tfc.ops.image.decode_ops: decode_bmp decode_gif decode_image
tfc.ops.image.jpeg_ops: decode_and_crop_jpeg decode_jpeg encode_jpeg extract_jpeg_shape
tfc.ops.image.png_ops: decode_png encode_png is_jpeg
tfc.ops.queues.queue_classes: PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue
tfc.ops.strings.file_ops: decode_compressed matching_files read_file write_file
tfc.ops.strings.functions: decode_base64 decode_raw encode_base64
tfc.ops.strings.record_ops: decode_csv
tfc.ops.strings.tensor_ops: parse_tensor serialize_tensor
""")


def __getattr__(name: str) -> Any:
    return _later("tfc.io", name, _LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


def _as_graph_def(self: Graph, from_version: int | None = None, add_shapes: bool = False) -> Any:
    """The graph as a GraphDef message, or the part of it that came after `from_version`.

    add_shapes: say the shapes of outputs in the attribute `_output_shapes` of every node.
    """
    from tfc.io.graphdef import graph_to_proto

    return graph_to_proto(self, add_shapes, from_version or 0)


def _to_proto(self: Variable, export_scope: str | None = None) -> Any:
    """The VariableDef of the variable, with names relative to `export_scope`; None if the variable
    is not in it."""
    from tfc.io.meta_graph import variable_to_proto

    return variable_to_proto(self, export_scope)


def _from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
    """The Variable whose ops, which are in the default graph, a VariableDef names."""
    from tfc.io.meta_graph import variable_from_proto

    return variable_from_proto(variable_def, import_scope)


Variable.to_proto = _to_proto  # type: ignore[attr-defined]
Variable.from_proto = staticmethod(_from_proto)  # type: ignore[attr-defined]
Graph.as_graph_def = _as_graph_def  # type: ignore[attr-defined]  # framework imports no protobuf
