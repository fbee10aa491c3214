"""Records of features: Example messages, read without protobuf."""

from tfc.ops.examples import features, parse_ops, sequence_ops
