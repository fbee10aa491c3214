"""What hooks of a MonitoredSession are, and what they are given."""

from __future__ import annotations

from typing import Any, NamedTuple


class SessionRunArgs(NamedTuple):
    """What a hook adds to a run."""

    fetches: Any
    feed_dict: Any = None
    options: Any = None


class SessionRunValues(NamedTuple):
    """What a hook is given after a run. results: the values of the fetches that it asked for."""

    results: Any
    options: Any
    run_metadata: Any


class SessionRunContext:
    """One run of a MonitoredSession, as hooks see it."""

    def __init__(self, original_args: SessionRunArgs, session: Any):
        self._original_args, self._session = original_args, session
        self._stop_requested = False

    @property
    def original_args(self) -> SessionRunArgs:
        """What the user asked for."""
        return self._original_args

    @property
    def session(self) -> Any:
        return self._session

    @property
    def stop_requested(self) -> bool:
        return self._stop_requested

    def request_stop(self) -> None:
        """Let the session's `should_stop` be true from now on."""
        self._stop_requested = True


class SessionRunHook:
    """What is called around the runs of a MonitoredSession. Subclasses override what they need."""

    def begin(self) -> None:
        """Once, before the session is made; may still add ops to the graph."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Once, when the session exists and variables have their content."""

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Before each run; what it returns is run too."""
        return None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """After each run."""

    def end(self, session: Any) -> None:
        """Once, at the end, unless it is an error that ends it."""
