"""Files and messages of TensorFlow's. Importing this package gives Graph its `as_graph_def`."""

from typing import Any

from tfc.framework.graph import Graph
from tfc.framework.variables import Variable
from tfc.io.files import write_graph
from tfc.io.graphdef import graph_to_proto
from tfc.io.meta_graph import variable_from_proto, variable_to_proto
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


def _as_graph_def(self: Graph, from_version: int | None = None, add_shapes: bool = False) -> Any:
    """The graph as a GraphDef message, or the part of it that came after `from_version`.

    add_shapes: say the shapes of outputs in the attribute `_output_shapes` of every node.
    """
    return graph_to_proto(self, add_shapes, from_version or 0)


Variable.to_proto = variable_to_proto  # type: ignore[attr-defined]
Variable.from_proto = staticmethod(variable_from_proto)  # type: ignore[attr-defined]
Graph.as_graph_def = _as_graph_def  # type: ignore[attr-defined]  # framework imports no protobuf
