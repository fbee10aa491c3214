"""Records of features: Example messages, read without protobuf."""
