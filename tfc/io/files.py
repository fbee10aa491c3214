"""Graphs as files."""

from __future__ import annotations

import os
from typing import Any

from tfc.framework.graph import Graph
from tfc.io.graphdef import graph_to_proto


def write_whole(path: str, content: bytes) -> None:
    """Put `content` into a file, which holds the old content or the new one, never a part."""
    part = f"{path}.part-{os.getpid()}"
    try:
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        if os.path.exists(part):
            os.remove(part)
        raise


def write_graph(
    graph_or_graph_def: Any,
    logdir: str | os.PathLike[str],
    name: str,
    as_text: bool = True,
) -> str:
    """Write a Graph or a GraphDef to the file `name` in the folder `logdir`, which is made.

    as_text: as protocol buffers print themselves; else as bytes.

    Returns: the path of the file.

    Raises:
      OSError: the file cannot be written.
    """
    from google.protobuf import text_format

    given = graph_or_graph_def
    proto = graph_to_proto(given, False) if isinstance(given, Graph) else given
    folder = os.fspath(logdir)
    os.makedirs(folder or ".", exist_ok=True)
    path = os.path.join(folder, name)
    text = text_format.MessageToString(proto).encode() if as_text else proto.SerializeToString()
    write_whole(path, text)
    return path
