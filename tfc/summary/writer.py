"""`tf.summary.FileWriter`: events into a file that TensorBoard reads.

Records go through tensorboard's RecordWriter, on the calling thread, into a buffer that is written
out after `max_queue` events, after `flush_secs` seconds, on `flush`, `close` and at exit.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
import time
import weakref
from typing import Any

from tfc.client.config import RunMetadata
from tfc.framework.graph import Graph, get_default_graph
from tfc.io.graphdef import graph_to_proto
from tfc.io.meta_graph import to_meta_graph
from tfc.io.protos import message

_logger = logging.getLogger("tfc")
_file_numbers = itertools.count()
_FILE_VERSION = "brain.Event:2"


class _EventFile:
    """One open event file. Writes whole records."""

    def __init__(self, logdir: str, suffix: str):
        from tensorboard.summary.writer.record_writer import RecordWriter

        os.makedirs(logdir, exist_ok=True)
        host, number = socket.gethostname(), next(_file_numbers)
        name = f"events.out.tfevents.{int(time.time()):010d}.{host}.{os.getpid()}.{number}{suffix}"
        self.path = os.path.join(logdir, name)
        self._file = open(self.path, "wb")  # noqa: SIM115 - it outlives this block
        self._records = RecordWriter(self._file)
        self.close = weakref.finalize(self, self._file.close)

    def write(self, record: bytes) -> None:
        self._records.write(record)

    def flush(self) -> None:
        self._file.flush()


class FileWriter:
    """Writes summaries, graphs and session events of one run to `logdir`."""

    def __init__(
        self,
        logdir: str | os.PathLike[str],
        graph: Graph | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ):
        """Creates the folder and an event file in it; `graph` is written at once.

        session: in TensorFlow, what runs ops that write the events; the file is the same, and this
        class writes it without ops, also of a finalized graph.

        Raises:
          TypeError: `session` is no session.
        """
        if session is not None and not callable(getattr(session, "run", None)):
            raise TypeError(f"session must be a tf.Session, not {session!r}")
        self._logdir, self._suffix = os.fspath(logdir), filename_suffix or ""
        self._max_queue, self._flush_secs = max_queue, flush_secs
        self._lock = threading.Lock()
        self._described: set[str] = set()
        self._run_tags: set[str] = set()
        self._warned = False
        self._open()
        if graph is not None or graph_def is not None:
            given = _as_graph_def(graph, graph_def)
            self.add_graph(None, graph_def=given)
            self.add_meta_graph(to_meta_graph(graph_def=given))

    def _open(self) -> None:
        self._file: _EventFile | None = _EventFile(self._logdir, self._suffix)
        self._pending, self._flushed_at = 0, time.time()
        start = message("Event")(wall_time=time.time(), file_version=_FILE_VERSION)
        self._file.write(start.SerializeToString())
        self._file.flush()

    def get_logdir(self) -> str:
        return self._logdir

    def add_event(self, event: Any) -> None:
        """Write an Event. After `close` this is a no-op, which is logged once."""
        if not isinstance(event, message("Event")):
            raise TypeError(f"expected an Event proto, but got {type(event)}")
        record = event.SerializeToString()
        with self._lock:
            if self._file is None:
                if not self._warned:
                    _logger.warning(
                        "Attempting to use a closed FileWriter. The operation will be a noop "
                        "unless the FileWriter is explicitly reopened."
                    )
                self._warned = True
                return
            self._file.write(record)
            self._pending += 1
            late = time.time() - self._flushed_at >= self._flush_secs
            if late or self._pending >= self._max_queue:
                self._flush()

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Write a Summary, given as a proto or as the bytes that a summary op gives."""
        proto = message("Summary")()
        if isinstance(summary, message("Summary")):
            proto.CopyFrom(summary)
        else:
            proto.ParseFromString(bytes(summary))
        for value in proto.value:
            # TensorBoard wants the description of a tag once
            if value.HasField("metadata"):
                if value.tag in self._described:
                    value.ClearField("metadata")
                self._described.add(value.tag)
        self._add(global_step, summary=proto)

    def add_graph(
        self, graph: Graph | None, global_step: Any = None, graph_def: Any = None
    ) -> None:
        """Write a Graph, or (deprecated) a GraphDef, for the graph tab.

        Raises:
          ValueError: both are given.
          TypeError: what is given is neither.
        """
        given = _as_graph_def(graph, graph_def)
        self._add(global_step, graph_def=given.SerializeToString())

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        """Write a MetaGraphDef proto."""
        if not isinstance(meta_graph_def, message("MetaGraphDef")):
            raise TypeError(f"meta_graph_def must be a MetaGraphDef, but is {type(meta_graph_def)}")
        self._add(global_step, meta_graph_def=meta_graph_def.SerializeToString())

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        """Write a SessionLog proto: the start or end of a session, or a checkpoint."""
        self._add(global_step, session_log=session_log)

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Write a RunMetadata proto under `tag`. Raises ValueError for a tag used before."""
        if tag in self._run_tags:
            raise ValueError(f"The provided tag was already used for this event type: {tag}")
        self._run_tags.add(tag)
        if isinstance(run_metadata, RunMetadata):  # plain Python: running needs no protobuf
            run_metadata = message("RunMetadata")(**vars(run_metadata))
        tagged = message("TaggedRunMetadata")(
            tag=tag, run_metadata=run_metadata.SerializeToString()
        )
        self._add(global_step, tagged_run_metadata=tagged)

    def _add(self, global_step: Any, **what: Any) -> None:
        event = message("Event")(wall_time=time.time(), **what)
        if global_step is not None:
            event.step = int(global_step)
        self.add_event(event)

    def flush(self) -> None:
        """Write out what is buffered."""
        with self._lock:
            if self._file is not None:
                self._flush()

    def _flush(self) -> None:
        assert self._file is not None
        self._file.flush()
        self._pending, self._flushed_at = 0, time.time()

    def close(self) -> None:
        """Write out what is buffered and close the file. A closed writer can be reopened."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None

    def reopen(self) -> None:
        """After `close`: go on in a new file of the same folder. Otherwise nothing happens."""
        with self._lock:
            if self._file is None:
                self._open()
            self._warned = False

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def _as_graph_def(graph: Any, graph_def: Any) -> Any:
    """The one of the two that is given, as a GraphDef. Raises as `add_graph`."""
    if graph is not None and graph_def is not None:
        raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
    given = graph_def if graph is None else graph
    if isinstance(given, Graph):
        return graph_to_proto(given)
    if not isinstance(given, message("GraphDef")):
        raise TypeError(
            "The passed graph must be an instance of `Graph` or the deprecated `GraphDef`, "
            f"but is {type(given)}"
        )
    return given


class FileWriterCache:
    """One FileWriter for each folder."""

    _writers: dict[str, FileWriter] = {}
    _lock = threading.Lock()

    @staticmethod
    def get(logdir: str | os.PathLike[str]) -> FileWriter:
        """The writer for `logdir`, with the default graph written to it if it is new."""
        key = os.fspath(logdir)
        with FileWriterCache._lock:
            if key not in FileWriterCache._writers:
                FileWriterCache._writers[key] = FileWriter(key, graph=get_default_graph())
            return FileWriterCache._writers[key]

    @staticmethod
    def clear() -> None:
        """Close and forget all writers."""
        with FileWriterCache._lock:
            for writer in FileWriterCache._writers.values():
                writer.close()
            FileWriterCache._writers.clear()
