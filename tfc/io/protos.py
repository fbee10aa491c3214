"""TensorFlow's protocol messages, from the tensorboard package, loaded on first use.

They are wire-compatible with TensorFlow's own. Importing this module imports no protobuf.
"""

from __future__ import annotations

import importlib
from typing import Any

# message -> module of tensorboard.compat.proto
MESSAGES = {
    "AttrValue": "attr_value",
    "ClusterDef": "cluster",
    "Event": "event",
    "GraphDef": "graph",
    "HistogramProto": "histogram",
    "JobDef": "cluster",
    "LogMessage": "event",
    "MetaGraphDef": "meta_graph",
    "NameAttrList": "attr_value",
    "NodeDef": "node_def",
    "OpDef": "op_def",
    "RunMetadata": "config",
    "SaverDef": "saver",
    "SessionLog": "event",
    "Summary": "summary",
    "SummaryDescription": "summary",
    "SummaryMetadata": "summary",
    "TaggedRunMetadata": "event",
    "TensorInfo": "meta_graph",
    "TensorProto": "tensor",
    "TensorShapeProto": "tensor_shape",
    "VariableDef": "variable",
}
# those that are names of `tf` itself
TOP_LEVEL = frozenset(
    {
        "AttrValue",
        "Event",
        "GraphDef",
        "HistogramProto",
        "LogMessage",
        "MetaGraphDef",
        "NameAttrList",
        "SessionLog",
        "Summary",
        "SummaryMetadata",
        "TensorInfo",
    }
)


def message(name: str) -> Any:
    """The class of the message called `name`, one of MESSAGES."""
    module = importlib.import_module(f"tensorboard.compat.proto.{MESSAGES[name]}_pb2")
    return getattr(module, name)
