"""What ops keep in a Session beside variables: objects of Python, such as queues, by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.records import dataclass

_TURN = 0.05  # seconds between looks at the deadline and at whether the Session is closed


@dataclass
class SessionObjects:
    """The objects of one Session."""

    items: dict[str, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    closed: bool = False

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The object called `key`, made if there is none."""
        with self.lock:
            if key not in self.items:
                self.items[key] = make()
            return self.items[key]


@dataclass(frozen=True)
class Call:
    """One run of a host op that uses objects. deadline: by `time.monotonic`, None for none."""

    objects: SessionObjects
    op: Any
    deadline: float | None = None
    functions: Any = None  # client.functions.Functions: what runs parts of the graph

    def check(self) -> None:
        """Raises CancelledError, DeadlineExceededError: the Session is closed, the time is over."""
        if self.objects.closed:
            raise errors.CancelledError(None, self.op, "Session has been closed.")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise errors.DeadlineExceededError(None, self.op, "The time of the run is over")

    def new_states(self) -> Any:
        """Hidden state of random ops for functions that are to have their own."""
        return self.functions.new_states()

    def function(self, op: Any, number: int, values: Sequence[np.ndarray], states: Any) -> Any:
        """The results of function number `number` of `op`, from the values of its parameters and
        of what it captures."""
        return self.functions.call(op, number, values, states)

    def value(self, tensor: Any) -> np.ndarray:
        """The value of a tensor that depends on nothing that is fed."""
        found: np.ndarray = self.functions.value(tensor)
        return found

    def wait(self, condition: threading.Condition, ready: Callable[[], bool]) -> None:
        """Wait, holding `condition`, until `ready()`. Ctrl-C, the deadline and closing the Session
        end it.

        Raises:
          CancelledError: the Session was closed. DeadlineExceededError: the time is over.
        """
        while not ready():
            if self.objects.closed:
                raise errors.CancelledError(None, self.op, "Session has been closed.")
            if self.deadline is not None and time.monotonic() > self.deadline:
                text = "Timed out waiting for notification"
                raise errors.DeadlineExceededError(None, self.op, text)
            condition.wait(_TURN)
