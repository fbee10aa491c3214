"""Threads that stop together, and threads that fill queues."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfc.base import errors
from tfc.framework.graph import GraphKeys, add_to_collection, get_collection
from tfc.framework.session_stack import get_default_session


class Coordinator:
    """Lets any of several threads ask all of them to stop, and waits for them."""

    def __init__(self, clean_stop_exception_types: Any = None):
        """clean_stop_exception_types: exceptions that mean a stop and are not raised again;
        OutOfRangeError if None."""
        self._clean = tuple(clean_stop_exception_types or (errors.OutOfRangeError,))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._joined = False
        self._error: BaseException | None = None
        self._threads: set[threading.Thread] = set()

    @property
    def joined(self) -> bool:
        """Whether `join` has ended."""
        return self._joined

    def request_stop(self, ex: Any = None) -> None:
        """Ask the threads to stop. ex: why, an exception or `sys.exc_info()`, which `join` raises;
        the first one counts. Raises it at once if `join` has ended."""
        with self._lock:
            if isinstance(ex, tuple):
                ex = ex[1]
            if isinstance(ex, self._clean):
                ex = None
            if self._joined:
                if ex is not None:
                    raise ex
                return
            if not self._stop.is_set():
                self._error = ex
                self._stop.set()

    def clear_stop(self) -> None:
        """Forget the request, to begin again."""
        with self._lock:
            self._joined, self._error = False, None
            self._stop.clear()

    def should_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.is_set()

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Wait until a stop is asked for, at most `timeout` seconds; whether it was."""
        return self._stop.wait(timeout)

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """A context in which an exception asks for a stop instead of leaving it."""
        try:
            yield
        except BaseException:  # whatever it is, join raises it again
            self.request_stop(sys.exc_info())

    def register_thread(self, thread: threading.Thread) -> None:
        """Let `join` wait for `thread` too."""
        with self._lock:
            self._threads.add(thread)

    def join(
        self,
        threads: Sequence[threading.Thread] | None = None,
        stop_grace_period_secs: float = 120,
        ignore_live_threads: bool = False,
    ) -> None:
        """Wait for the threads (and those registered) to end.

        Once a stop is asked for they have `stop_grace_period_secs` to do so.

        Raises:
          RuntimeError: one has not ended by then, unless `ignore_live_threads`.
          What a thread passed to `request_stop`.
        """
        waiting = set(threads or ()) | self._threads
        while any(t.is_alive() for t in waiting) and not self.wait_for_stop(0.05):
            pass
        end = time.monotonic() + stop_grace_period_secs
        for thread in waiting:
            while thread.is_alive() and time.monotonic() < end:
                thread.join(0.05)
        alive = [t.name for t in waiting if t.is_alive()]
        with self._lock:
            self._joined = True
            self._threads = set()
            error = self._error
        if error is not None:
            raise error
        if alive and not ignore_live_threads:
            raise RuntimeError(f"Coordinator stopped with threads still running: {' '.join(alive)}")

    def raise_requested_exception(self) -> None:
        """Raise what was passed to `request_stop`, if anything was."""
        if self._error is not None:
            raise self._error


class LooperThread(threading.Thread):
    """A thread that calls a function again and again until its coordinator stops."""

    def __init__(
        self,
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None,
        args: Any = None,
        kwargs: Any = None,
    ):
        """timer_interval_secs: seconds from call to call; None calls without a pause. target: what
        is called; without one, a subclass has `run_loop`."""
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__(daemon=True)
        self._coord, self._interval = coord, timer_interval_secs
        self._function, self._call = target, (args or (), kwargs or {})
        coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
    ) -> LooperThread:
        """Start a thread that calls `target`."""
        thread = LooperThread(coord, timer_interval_secs, target, args, kwargs)
        thread.start()
        return thread

    def run(self) -> None:
        with self._coord.stop_on_exception():
            self.start_loop()
            at = time.time()
            while not self._coord.should_stop():
                self.run_loop()
                if self._interval is not None:
                    at += self._interval
                    self._coord.wait_for_stop(max(at - time.time(), 0))
            self.stop_loop()

    def start_loop(self) -> None:
        """Called once, first."""

    def stop_loop(self) -> None:
        """Called once, last."""

    def run_loop(self) -> None:
        """Called again and again."""
        if self._function is not None:
            self._function(*self._call[0], **self._call[1])


class QueueRunner:
    """Threads that run the enqueue ops of a queue until it has had enough."""

    def __init__(
        self,
        queue: Any = None,
        enqueue_ops: Sequence[Any] | None = None,
        close_op: Any = None,
        cancel_op: Any = None,
        queue_closed_exception_types: Any = None,
        queue_runner_def: Any = None,
        import_scope: str | None = None,
    ):
        """queue_closed_exception_types: what an op raises at the end of its input; OutOfRangeError
        if None.

        Raises:
          ValueError: no queue or no ops, or a `queue_runner_def`, which is not read. TypeError:
          `queue_closed_exception_types` is no tuple of classes of `tf.errors`, or empty.
        """
        if queue_runner_def is not None:
            raise ValueError("QueueRunner is not made from a queue_runner_def")
        if queue is None or not enqueue_ops:
            raise ValueError("Must provide queue and enqueue_ops.")
        self._queue, self._ops = queue, list(enqueue_ops)
        self._close = queue.close() if close_op is None else close_op
        self._cancel = queue.close(cancel_pending_enqueues=True) if cancel_op is None else cancel_op
        self._ends = _exception_types(queue_closed_exception_types)
        self._raised: list[BaseException] = []
        self._running: dict[Any, int] = {}
        self._lock = threading.Lock()

    @property
    def queue(self) -> Any:
        return self._queue

    @property
    def enqueue_ops(self) -> list[Any]:
        return self._ops

    @property
    def close_op(self) -> Any:
        """What is run when no op has anything left to put in."""
        return self._close

    @property
    def cancel_op(self) -> Any:
        """What is run when the coordinator stops."""
        return self._cancel

    @property
    def queue_closed_exception_types(self) -> tuple[type[Exception], ...]:
        """What an op raises at the end of its input."""
        return self._ends

    @property
    def name(self) -> str:
        """The name of the queue."""
        return str(self._queue.name)

    @property
    def exceptions_raised(self) -> list[BaseException]:
        """What threads without a coordinator raised."""
        return self._raised

    def create_threads(
        self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """The threads, one for each op and with a coordinator one that closes the queue when it
        stops; none if they run in this Session already."""
        with self._lock:
            if self._running.get(sess, 0) > 0:
                return []
            self._running[sess] = len(self._ops)
            self._raised = []
        calls: list[tuple[str, Any, tuple[Any, ...]]] = [
            (op.name, self._run, (sess, op, coord)) for op in self._ops
        ]
        if coord is not None:
            calls.append(("close_on_stop", self._close_on_stop, (sess, coord)))
        threads = [
            threading.Thread(
                target=call, args=args, name=f"QueueRunnerThread-{self.name}-{what}", daemon=daemon
            )
            for what, call, args in calls
        ]
        for thread in threads:
            if coord is not None:
                coord.register_thread(thread)
            if start:
                thread.start()
        return threads

    def _run(self, sess: Any, op: Any, coord: Any) -> None:
        try:
            while coord is None or not coord.should_stop():
                sess.run(op)
        except (*self._ends, errors.CancelledError):
            pass
        except Exception as error:  # a thread has nobody to raise to but the coordinator
            if coord is not None:
                coord.request_stop(error)
            else:
                self._raised.append(error)
        with self._lock:
            self._running[sess] -= 1
            last = self._running[sess] == 0
        if last:
            with contextlib.suppress(errors.OpError, RuntimeError):
                sess.run(self._close)

    def _close_on_stop(self, sess: Any, coord: Any) -> None:
        coord.wait_for_stop()
        with contextlib.suppress(errors.OpError, RuntimeError):  # the Session may be closed by now
            sess.run(self._cancel)


def _exception_types(given: Any) -> tuple[type[Exception], ...]:
    if given is None:
        return (errors.OutOfRangeError,)
    if isinstance(given, tuple) and given and all(issubclass(t, errors.OpError) for t in given):
        return given
    raise TypeError(
        "queue_closed_exception_types, when provided, must be a tuple of tf.error types, but saw: "
        f"{given}"
    )


def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    """Let `start_queue_runners` start the threads of `qr`."""
    add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None,
    coord: Any = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """The threads of all queue runners of the collection, started if `start`.

    Raises:
      ValueError: no Session is given, and there is no default one.
    """
    sess = sess or get_default_session()
    if sess is None:
        raise ValueError(
            "Cannot start queue runners: No default session is registered. Use `with "
            "sess.as_default()` or pass an explicit session to tf.start_queue_runners(sess=sess)"
        )
    with sess.graph.as_default():
        runners = get_collection(collection)
    return [t for qr in runners for t in qr.create_threads(sess, coord, daemon, start)]
