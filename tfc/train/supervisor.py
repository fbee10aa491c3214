"""Supervisor: a Session that initializes or restores, with threads that save and summarize."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfc.base import errors, logging
from tfc.framework.graph import (
    Graph,
    GraphKeys,
    add_to_collection,
    get_collection,
    get_default_graph,
)
from tfc.framework.variable_lists import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
    tables_initializer,
)
from tfc.io.files import write_graph
from tfc.io.protos import message
from tfc.ops.control_ops import group
from tfc.summary.summary import merge_all
from tfc.summary.writer import FileWriter
from tfc.train.coordinator import Coordinator, LooperThread
from tfc.train.saver import Saver
from tfc.train.session_manager import SessionManager
from tfc.train.training_util import get_global_step
from tfc.train.training_util import global_step as step_of


class Supervisor:
    """Keeps a training program going: checkpoints, summaries, threads, errors.

    What is 0 (`USE_DEFAULT`) is taken from the graph's collections or made; what is None is not
    done.
    """

    USE_DEFAULT = 0

    def __init__(
        self,
        graph: Graph | None = None,
        ready_op: Any = USE_DEFAULT,
        ready_for_local_init_op: Any = USE_DEFAULT,
        is_chief: bool = True,
        init_op: Any = USE_DEFAULT,
        init_feed_dict: Any = None,
        local_init_op: Any = USE_DEFAULT,
        logdir: str | None = None,
        summary_op: Any = USE_DEFAULT,
        saver: Any = USE_DEFAULT,
        global_step: Any = USE_DEFAULT,
        save_summaries_secs: float = 120,
        save_model_secs: float = 600,
        recovery_wait_secs: float = 30,
        stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt",
        session_manager: Any = None,
        summary_writer: Any = USE_DEFAULT,
        init_fn: Callable[[Any], Any] | None = None,
        local_init_run_options: Any = None,
    ):
        """Finalizes the graph. logdir: where checkpoints, summaries and the graph are written.
        is_chief: others than the chief wait until it has initialized the model.

        Raises:
          ValueError: a ready_for_local_init_op without a local_init_op.
        """
        self._graph = graph or get_default_graph()
        with self._graph.as_default():
            self._ready_op = _taken(ready_op, GraphKeys.READY_OP, report_uninitialized_variables)
            self._ready_for_local = _taken(
                ready_for_local_init_op, GraphKeys.READY_FOR_LOCAL_INIT_OP, lambda: None
            )
            self._init_op = _taken(init_op, GraphKeys.INIT_OP, global_variables_initializer)
            self._local_init_op = _taken(
                local_init_op,
                GraphKeys.LOCAL_INIT_OP,
                lambda: group(local_variables_initializer(), tables_initializer()),
            )
            self._saver = _taken(
                saver, GraphKeys.SAVERS, lambda: Saver() if global_variables() else None
            )
            self._summary_op = _taken(summary_op, GraphKeys.SUMMARY_OP, merge_all)
            is_default = _is_default(global_step)
            self._global_step = get_global_step() if is_default else global_step
        self._init_feed_dict, self._init_fn = init_feed_dict, init_fn
        self._is_chief, self._coord = is_chief, Coordinator()
        self._grace = stop_grace_secs
        self._threads: list[Any] = []
        self._logdir = logdir if is_chief else None
        self._save_summaries_secs = save_summaries_secs if is_chief else None
        self._save_model_secs = save_model_secs if is_chief else None
        self._save_path = os.path.join(logdir, checkpoint_basename) if self._logdir else None  # type: ignore[arg-type]
        self._summary_writer = None if not is_chief else summary_writer
        if is_chief and _is_default(summary_writer):
            self._summary_writer = FileWriter(logdir) if logdir else None
        self._graph_written = False
        self._session_manager = session_manager or SessionManager(
            self._local_init_op, self._ready_op, self._ready_for_local, self._graph,
            recovery_wait_secs, local_init_run_options,
        )  # fmt: skip
        self._graph.finalize()

    # ---- what it has

    is_chief = property(lambda self: self._is_chief, doc="Whether this initializes the model.")
    session_manager = property(lambda self: self._session_manager, doc="What makes Sessions.")
    coord = property(lambda self: self._coord, doc="The Coordinator of its threads.")
    init_op = property(lambda self: self._init_op, doc="The op that initializes variables.")
    init_feed_dict = property(lambda self: self._init_feed_dict, doc="What init_op is fed.")
    ready_op = property(lambda self: self._ready_op, doc="The op that names what is missing.")
    ready_for_local_init_op = property(
        lambda self: self._ready_for_local, doc="The same, before local variables."
    )
    summary_writer = property(lambda self: self._summary_writer, doc="A FileWriter, or None.")
    summary_op = property(lambda self: self._summary_op, doc="All summaries, or None.")
    save_summaries_secs = property(lambda self: self._save_summaries_secs, doc="How often.")
    global_step = property(lambda self: self._global_step, doc="The step's tensor, or None.")
    saver = property(lambda self: self._saver, doc="The Saver, or None.")
    save_model_secs = property(lambda self: self._save_model_secs, doc="How often.")
    save_path = property(lambda self: self._save_path, doc="The prefix of checkpoints, or None.")

    # ---- the Session

    def prepare_or_wait_for_session(
        self,
        master: str = "",
        config: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        start_standard_services: bool = True,
    ) -> Any:
        """A Session that is ready, with the threads started that save, summarize and fill queues,
        if `start_standard_services`.

        Raises:
          RuntimeError: the model is not ready after initializing it.
        """
        self._coord.clear_stop()
        if self._summary_writer:
            self._summary_writer.reopen()
        if self._is_chief:
            sess = self._session_manager.prepare_session(
                master, init_op=self._init_op, saver=self._saver, checkpoint_dir=self._logdir,
                wait_for_checkpoint=wait_for_checkpoint, max_wait_secs=max_wait_secs,
                config=config, init_feed_dict=self._init_feed_dict, init_fn=self._init_fn,
            )  # fmt: skip
            self._write_graph()
            if start_standard_services:
                self.start_standard_services(sess)
        else:
            sess = self._session_manager.wait_for_session(master, config, max_wait_secs)
        if start_standard_services:
            self.start_queue_runners(sess)
        return sess

    def _write_graph(self) -> None:
        if self._logdir:
            write_graph(self._graph, self._logdir, "graph.pbtxt")
        if self._summary_writer and not self._graph_written:
            self._summary_writer.add_graph(self._graph)
            self._graph_written = True

    @contextlib.contextmanager
    def managed_session(
        self,
        master: str = "",
        config: Any = None,
        start_standard_services: bool = True,
        close_summary_writer: bool = True,
    ) -> Iterator[Any]:
        """A context with such a Session, at whose end all threads stop and the Session closes.
        What is raised inside, or in a thread, is raised at the end."""
        sess = None
        try:
            sess = self.prepare_or_wait_for_session(
                master, config, start_standard_services=start_standard_services
            )
            yield sess
        except Exception as error:
            self.request_stop(error)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                if sess is not None:
                    with contextlib.suppress(errors.OpError, RuntimeError):
                        sess.close()

    def start_standard_services(self, sess: Any) -> list[Any]:
        """Start the threads that write summaries, steps a second and checkpoints.

        Raises:
          RuntimeError: this is not the chief.
        """
        if not self._is_chief:
            raise RuntimeError("Only chief supervisor can start standard services.")
        if not self._logdir:
            logging.warning("Standard services need a 'logdir' passed to the SessionManager")
            return []
        writer = self._summary_writer
        started: list[Any] = []
        if self._global_step is not None and writer:
            self._log(sess, message("SessionLog").START)
        if self._save_summaries_secs and writer:
            if self._summary_op is not None:
                started.append(_Summaries(self, sess))
            if self._global_step is not None:
                started.append(_Steps(self, sess))
        if self._saver and self._save_model_secs:
            started.append(_Checkpoints(self, sess))
        for thread in started:
            thread.start()
        self._threads += started
        return started

    def _log(self, sess: Any, status: int, path: str = "") -> None:
        log = message("SessionLog")(status=status, checkpoint_path=path)
        writer: Any = self._summary_writer
        writer.add_session_log(log, step_of(sess, self._global_step))

    def start_queue_runners(
        self, sess: Any, queue_runners: Sequence[Any] | None = None
    ) -> list[Any]:
        """Start the threads of queue runners (those of the graph)."""
        runners = queue_runners
        if runners is None:
            runners = self._graph.get_collection(GraphKeys.QUEUE_RUNNERS)
        started = [
            thread
            for runner in runners
            for thread in runner.create_threads(sess, coord=self._coord, daemon=True, start=True)
        ]
        self._threads += started
        return started

    def loop(
        self,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Any = None,
    ) -> LooperThread:
        """Start a thread that calls `target` every so many seconds, all the time if None."""
        looper = LooperThread(
            self._coord, timer_interval_secs, target=target, args=args, kwargs=kwargs
        )
        looper.start()
        return looper

    # ---- the end

    def stop(
        self,
        threads: Sequence[Any] | None = None,
        close_summary_writer: bool = True,
        ignore_live_threads: bool = False,
    ) -> None:
        """Stop the threads, wait for them, and close the summary writer. Raises what one of them
        raised."""
        self._coord.request_stop()
        try:
            self._coord.join(
                threads if threads is not None else self._threads,
                stop_grace_period_secs=self._grace,
                ignore_live_threads=ignore_live_threads,
            )
        finally:
            self._threads = []
            if close_summary_writer and self._summary_writer:
                log = message("SessionLog")
                self._summary_writer.add_session_log(log(status=log.STOP))
                self._summary_writer.close()
                self._graph_written = False

    def request_stop(self, ex: Any = None) -> None:
        """Let all threads stop, because of the exception `ex` if given."""
        self._coord.request_stop(ex)

    def should_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._coord.should_stop()

    def stop_on_exception(self) -> Any:
        """A context that asks for a stop where it is left by an exception."""
        return self._coord.stop_on_exception()

    def wait_for_stop(self) -> None:
        """Wait until a stop is asked for."""
        self._coord.wait_for_stop()

    def summary_computed(self, sess: Any, summary: Any, global_step: Any = None) -> None:
        """Write a summary that was computed elsewhere.

        Raises:
          TypeError: it is neither bytes nor a message. RuntimeError: there is no writer.
        """
        if not self._summary_writer:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self._global_step is not None:
            global_step = step_of(sess, self._global_step)
        self._summary_writer.add_summary(summary, global_step)

    PrepareSession = prepare_or_wait_for_session
    StartQueueRunners = start_queue_runners
    StartStandardServices = start_standard_services
    Stop, RequestStop, ShouldStop = stop, request_stop, should_stop
    StopOnException, WaitForStop = stop_on_exception, wait_for_stop
    SummaryComputed, Loop = summary_computed, loop


def _is_default(value: Any) -> bool:
    return isinstance(value, int) and value == Supervisor.USE_DEFAULT


def _taken(given: Any, key: str, make: Callable[[], Any]) -> Any:
    """`given`; by default the first item of a collection, or a new one, which is put there."""
    if not _is_default(given):
        return given
    found = get_collection(key)
    if found:
        return found[0]
    made = make()
    if made is not None:
        add_to_collection(key, made)
    return made


class _Service(LooperThread):
    """A thread of a Supervisor's."""

    def __init__(self, supervisor: Supervisor, sess: Any, seconds: float | None):
        super().__init__(supervisor.coord, seconds)
        self._sv, self._sess = supervisor, sess


class _Summaries(_Service):
    """Writes all summaries."""

    def __init__(self, supervisor: Supervisor, sess: Any):
        super().__init__(supervisor, sess, supervisor.save_summaries_secs)

    def run_loop(self) -> None:
        step = self._sv.global_step
        wanted = [self._sv.summary_op] + ([] if step is None else [step])
        text, *steps = self._sess.run(wanted)
        self._sv.summary_writer.add_summary(text, *steps)


class _Steps(_Service):
    """Writes how many steps a second there are."""

    def __init__(self, supervisor: Supervisor, sess: Any):
        super().__init__(supervisor, sess, supervisor.save_summaries_secs)

    def start_loop(self) -> None:
        self._at, self._step = time.time(), step_of(self._sess, self._sv.global_step)

    def run_loop(self) -> None:
        now, step = time.time(), step_of(self._sess, self._sv.global_step)
        rate = (step - self._step) / (now - self._at) if now > self._at else float("inf")
        self._at, self._step = now, step
        summary = message("Summary")()
        summary.value.add(tag=f"{self._sv.global_step.op.name}/sec", simple_value=rate)
        self._sv.summary_writer.add_summary(summary, step)


class _Checkpoints(_Service):
    """Writes checkpoints."""

    def __init__(self, supervisor: Supervisor, sess: Any):
        super().__init__(supervisor, sess, supervisor.save_model_secs)

    def run_loop(self) -> None:
        sv = self._sv
        sv.saver.save(self._sess, sv.save_path, global_step=sv.global_step)
        if sv.summary_writer and sv.global_step is not None:
            sv._log(self._sess, message("SessionLog").CHECKPOINT, sv.save_path)


def basic_train_loop(
    supervisor: Supervisor,
    train_step_fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Any = None,
    master: str = "",
) -> None:
    """Call `train_step_fn(session, *args, **kwargs)` until the Supervisor stops, anew where a
    session is aborted."""
    again = True
    while again:
        again = False
        try:
            with supervisor.managed_session(master) as sess:
                while not supervisor.should_stop():
                    train_step_fn(sess, *(args or ()), **(kwargs or {}))
        except errors.AbortedError:
            again = True
