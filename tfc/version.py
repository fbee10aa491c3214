"""The version of this package, and of the graphs that it writes: the one place they are written."""

VERSION = "0.1.0"
GIT_VERSION = f"v{VERSION}"
# Of GraphDefs, as TensorFlow 1.15 counts them.
GRAPH_DEF_VERSION = 134
GRAPH_DEF_VERSION_MIN_CONSUMER = 0
GRAPH_DEF_VERSION_MIN_PRODUCER = 0
