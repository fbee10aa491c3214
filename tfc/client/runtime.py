"""What plans need of their Session, and how they call native code."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field

from tfc import compiler
from tfc.base import errors
from tfc.base.options import options as process_options
from tfc.base.records import dataclass
from tfc.base.uninterrupted import Uninterrupted
from tfc.client.forks import follow
from tfc.client.interrupt import CallsInFlight, session_is_closed, time_is_over
from tfc.client.state import Buffer, VariableStore
from tfc.framework.graph import Graph
from tfc.framework.operation import Operation
from tfc.passes.lessons import GUESSES
from tfc.passes.options import PassOptions


def pass_options() -> PassOptions:
    """Fresh options for one compilation, as the environment asks for."""
    return PassOptions(
        level=process_options.level,
        passes=process_options.passes,
        check=bool(process_options.check),
        fuel=process_options.fuel,
        shuffle=process_options.shuffle,
    )


@dataclass
class Statistics:
    """What a Session's cache of compiled functions did.

    hits, misses: stages run from the cache, and stages that had to be compiled.
    compile_seconds: time spent compiling. host_stages: host ops run. native_calls: native calls.
    """

    hits: int = 0
    misses: int = 0
    compile_seconds: float = 0.0
    host_stages: int = 0
    native_calls: int = 0


@dataclass
class Runtime:
    """What a plan needs of its Session. `deadline`: when this run must be over, by
    `time.monotonic`."""

    graph: Graph
    store: VariableStore
    statistics: Statistics
    threads: int
    options: Callable[[], PassOptions]
    lock: threading.RLock = field(default_factory=threading.RLock)
    calls: CallsInFlight = field(default_factory=CallsInFlight)
    deadline: float | None = None

    def __post_init__(self) -> None:
        if type(self.store) is VariableStore:
            follow(self.store, self.lock)

    @contextmanager
    def locked_in_time(self) -> Iterator[None]:
        """The lock, for a run with a deadline. Raises DeadlineExceededError: others have it."""
        assert self.deadline is not None
        got = False
        try:
            with Uninterrupted():  # or Ctrl-C might leave it held
                got = self.lock.acquire(timeout=max(self.deadline - time.monotonic(), 0))
            if not got:
                raise time_is_over()
            yield
        finally:
            if got:
                self.lock.release()

    def check_open(self) -> None:
        """For the holder of the lock. Raises CancelledError: another thread closed the Session, or
        was in a run of it when this process was forked."""
        if self.store.was_forked:
            text = "Another thread was in a run of this Session when the process was forked."
            raise errors.CancelledError(None, None, text)
        if self.store.closed:
            raise session_is_closed()


class WrongGuess(Exception):
    """A guess of lowering did not hold; the run has changed nothing (`passes/lessons.py`)."""

    def __init__(self, code: str, op: Operation, text: str):
        super().__init__(f"{op.name}: {code} {text}")
        self.lesson = code, op, text


def call_native(
    runtime: Runtime,
    executable: compiler.Executable,
    addresses: Sequence[int],
    held: Mapping[str, Buffer],
) -> None:
    """Call `executable`; one with loops again as often as a signal ends it. held: the contents of
    variables among the `addresses`.

    Raises:
      tf.errors.OpError, WrongGuess: what the function finds wrong.
      Changed: they are no longer the contents.
    """
    try:
        if not executable.has_loops:
            executable(addresses, runtime.threads)
            return
        calls, deadline = runtime.calls, runtime.deadline
        ended = calls.run(executable, addresses, runtime.threads, deadline)
        while not ended:  # signals that keep coming must not keep it from ending
            runtime.store.check_held(held)
            ended = calls.run(executable, addresses, runtime.threads, deadline, only_sigint=True)
    except compiler.AssertFailed as failure:
        raise as_op_error(runtime, failure) from None
    except MemoryError as error:
        raise out_of_memory(executable) from error


def as_op_error(runtime: Runtime, failure: compiler.AssertFailed) -> Exception:
    """The error that TensorFlow raises; WrongGuess if that is what it was."""
    op = runtime.graph.get_operation_by_name(failure.op)
    if failure.code in GUESSES:
        return WrongGuess(failure.code, op, failure.text)
    made: Exception = getattr(errors, failure.code)(None, op, failure.text)
    return made


def out_of_memory(executable: compiler.Executable) -> Exception:
    return errors.ResourceExhaustedError(
        None,
        None,
        f"OOM when allocating {executable.code.arena} bytes for values "
        f"that {executable.signature} computes on its way",
    )
