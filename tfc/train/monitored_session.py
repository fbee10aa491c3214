"""MonitoredSession: a Session that initializes or restores, runs hooks, and closes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfc.base import errors
from tfc.client.session import Session
from tfc.framework.graph import get_default_graph
from tfc.train.checkpoint_state import latest_checkpoint
from tfc.train.coordinator import Coordinator, start_queue_runners
from tfc.train.hooks import CheckpointSaverHook, StepCounterHook, SummarySaverHook
from tfc.train.scaffold import Scaffold
from tfc.train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunValues

_USE_DEFAULT = ...


class SessionCreator:
    """Makes the Session of a MonitoredSession."""

    def create_session(self) -> Any:
        raise NotImplementedError(f"create_session is not implemented for {self}.")


class ChiefSessionCreator(SessionCreator):
    """Makes a Session whose variables are restored from a checkpoint, or initialized."""

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
    ):
        self._scaffold = scaffold or Scaffold()
        self._master, self._config = master, config
        self._dir, self._file = checkpoint_dir, checkpoint_filename_with_path

    def create_session(self) -> Any:
        """Raises RuntimeError where variables remain without content."""
        scaffold = self._scaffold.finalize()
        session = Session(self._master, get_default_graph(), self._config)
        path = self._file or (latest_checkpoint(self._dir) if self._dir else None)
        if path and scaffold.saver is not None:
            scaffold.saver.restore(session, path)
        else:
            session.run(scaffold.init_op, feed_dict=scaffold.init_feed_dict)
            if scaffold.init_fn:
                scaffold.init_fn(scaffold, session)
        session.run(scaffold.local_init_op, feed_dict=scaffold.local_init_feed_dict)
        missing = session.run(scaffold.ready_op)
        if missing is not None and len(missing):
            names = ", ".join(sorted(name.decode() for name in missing))
            session.close()
            raise RuntimeError(
                "Init operations did not make model ready.  Variables not initialized: " + names
            )
        return session


class WorkerSessionCreator(ChiefSessionCreator):
    """As ChiefSessionCreator: there are no other processes that a worker would wait for."""

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        max_wait_secs: float = 30 * 60,
    ):
        super().__init__(scaffold, master, config)


class _MonitoredSession:
    """What both kinds of monitored sessions do."""

    def __init__(self, session_creator: Any, hooks: Any, stop_grace_period_secs: float = 120):
        self._graph = get_default_graph()
        self._hooks = list(hooks or [])
        for hook in self._hooks:
            hook.begin()
        self._coord = Coordinator()
        self._grace = stop_grace_period_secs
        self._stopped = False
        self._creator = session_creator or ChiefSessionCreator()
        self._start()

    def _start(self) -> None:
        self._sess = self._creator.create_session()
        start_queue_runners(sess=self._sess, coord=self._coord)
        for hook in self._hooks:
            hook.after_create_session(self._sess, self._coord)

    @property
    def graph(self) -> Any:
        """The graph that was the default one when this was made."""
        return self._graph

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """As Session.run, with what the hooks ask for in the same run.

        Raises:
          RuntimeError: it is closed, or two feed the same tensor. Whatever Session.run raises.
        """
        session = self._open()
        asked = SessionRunArgs(fetches, feed_dict, options)
        context = SessionRunContext(asked, session)
        wanted: dict[Any, Any] = {"caller": fetches}
        feeds: dict[Any, Any] = dict(feed_dict or {})
        for k, hook in enumerate(self._hooks):
            more = hook.before_run(context)
            if more is None:
                continue
            if more.fetches is not None:
                wanted[k] = more.fetches
            for key, value in (more.feed_dict or {}).items():
                if key in feeds:
                    raise RuntimeError(f"Same tensor is fed twice, by a hook: {key}")
                feeds[key] = value
        values = session.run(wanted, feeds or None, options, run_metadata)
        for k, hook in enumerate(self._hooks):
            hook.after_run(context, SessionRunValues(values.get(k), options, run_metadata))
        if context.stop_requested:
            self._stopped = True
            self._coord.request_stop()
        return values["caller"]

    def run_step_fn(self, step_fn: Any) -> Any:
        """The result of `step_fn(step_context)`, whose `session` runs without hooks and whose
        `run_with_hooks` runs with them; `request_stop` stops."""
        return step_fn(StepContext(self._open(), self.run, self._request_stop))

    def _request_stop(self) -> None:
        self._stopped = True
        self._coord.request_stop()
        raise StopIteration("step_fn has requested the iterations to stop.")

    def _open(self) -> Any:
        if self._sess is None:
            raise RuntimeError("Run called even after should_stop requested.")
        return self._sess

    def should_stop(self) -> bool:
        """Whether a hook or a thread asked to stop, or it is closed."""
        return self._sess is None or self._stopped or self._coord.should_stop()

    def close(self) -> None:
        """Call the hooks' `end`, stop the threads, close the Session."""
        self._close(None)

    def _close(self, error: Any) -> None:
        if self._sess is None:
            return
        try:
            if error is None or issubclass(error, errors.OutOfRangeError | StopIteration):
                for hook in self._hooks:
                    hook.end(self._sess)
        finally:
            session, self._sess = self._sess, None
            try:
                self._coord.request_stop()
                self._coord.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)
            finally:
                session.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        ended = kind is not None and issubclass(kind, errors.OutOfRangeError | StopIteration)
        self._close(kind)
        return ended


class StepContext:
    """What `run_step_fn` gives its function."""

    def __init__(self, session: Any, run_with_hooks: Any, request_stop: Any):
        self._session = session
        self.run_with_hooks = run_with_hooks
        self.request_stop = request_stop

    @property
    def session(self) -> Any:
        return self._session


class MonitoredSession(_MonitoredSession):
    """A Session that is made ready, runs hooks with every run, and ends with its `with` block. A
    run that raises OutOfRangeError ends the block without an error."""

    StepContext = StepContext

    def __init__(
        self, session_creator: Any = None, hooks: Any = None, stop_grace_period_secs: float = 120
    ):
        """session_creator: a ChiefSessionCreator if None. hooks: SessionRunHooks, called in their
        order."""
        super().__init__(session_creator, hooks, stop_grace_period_secs)


class SingularMonitoredSession(_MonitoredSession):
    """As MonitoredSession, with its Session at hand."""

    def __init__(
        self,
        hooks: Any = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: str | None = None,
    ):
        creator = ChiefSessionCreator(
            scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path
        )
        super().__init__(creator, hooks, stop_grace_period_secs)

    def raw_session(self) -> Any:
        """The Session itself."""
        return self._open()


def MonitoredTrainingSession(
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Any = None,
    chief_only_hooks: Any = None,
    save_checkpoint_secs: Any = _USE_DEFAULT,
    save_summaries_steps: Any = _USE_DEFAULT,
    save_summaries_secs: Any = _USE_DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = _USE_DEFAULT,
    summary_dir: str | None = None,
    save_graph_def: bool = True,
) -> MonitoredSession:
    """A MonitoredSession for training. With `checkpoint_dir` it goes on from the latest checkpoint
    there, and saves checkpoints (every 600 s) and summaries (every 100 steps).

    The arguments `save_...` change how often, `None` is never; a summary needs `summary_dir` or
    `checkpoint_dir`. scaffold: ops of your own to make the session ready. max_wait_secs: for
    workers that wait for a chief; here there are none.
    """
    if save_summaries_steps is _USE_DEFAULT and save_summaries_secs is _USE_DEFAULT:
        save_summaries_steps, save_summaries_secs = 100, None
    save_summaries_steps = _given(save_summaries_steps)
    save_summaries_secs = _given(save_summaries_secs)
    if save_checkpoint_secs is _USE_DEFAULT and save_checkpoint_steps is _USE_DEFAULT:
        save_checkpoint_secs, save_checkpoint_steps = 600, None
    save_checkpoint_secs = _given(save_checkpoint_secs)
    save_checkpoint_steps = _given(save_checkpoint_steps)
    scaffold = scaffold or Scaffold()
    every = list(hooks or [])
    if not is_chief:
        return MonitoredSession(WorkerSessionCreator(scaffold, master, config), every)
    every = [*(chief_only_hooks or []), *every]
    folder = summary_dir or checkpoint_dir
    if folder:
        if log_step_count_steps and log_step_count_steps > 0:
            every.append(StepCounterHook(log_step_count_steps, output_dir=folder))
        if (save_summaries_steps or 0) > 0 or (save_summaries_secs or 0) > 0:
            when: Mapping[str, Any] = dict(
                save_steps=save_summaries_steps, save_secs=save_summaries_secs
            )
            every.append(SummarySaverHook(scaffold=scaffold, output_dir=folder, **when))
    if checkpoint_dir and ((save_checkpoint_secs or 0) > 0 or (save_checkpoint_steps or 0) > 0):
        every.append(
            CheckpointSaverHook(
                checkpoint_dir,
                save_checkpoint_secs,
                save_checkpoint_steps,
                scaffold=scaffold,
                save_graph_def=save_graph_def,
            )
        )
    creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir)
    return MonitoredSession(creator, every, stop_grace_period_secs)


def _given(value: Any) -> Any:
    return None if value is _USE_DEFAULT else value
