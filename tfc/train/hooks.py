"""Hooks: stop at a step, log values, save checkpoints and summaries, look for NaN."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfc.framework.graph import GraphKeys, get_collection, get_default_graph
from tfc.summary.writer import FileWriterCache
from tfc.train.saver import Saver
from tfc.train.session_run_hook import SessionRunArgs, SessionRunHook
from tfc.train.training_util import get_global_step

_logger = logging.getLogger("tensorflow")


class SecondOrStepTimer:
    """Says every so many steps, or seconds, that it is time."""

    def __init__(self, every_secs: float | None = None, every_steps: int | None = None):
        """Exactly one of both. Raises ValueError otherwise."""
        if (every_secs is None) == (every_steps is None):
            raise ValueError("exactly one of every_secs and every_steps should be provided.")
        self._secs, self._steps = every_secs, every_steps
        self.reset()

    def reset(self) -> None:
        """Forget when it was time last."""
        self._last_step: int | None = None
        self._last_time: float | None = None

    def should_trigger_for_step(self, step: int) -> bool:
        """Whether it is time at `step`."""
        if self._last_step is None or self._last_time is None:
            return True
        if self._last_step == step:
            return False
        if self._secs is not None:
            return time.time() >= self._last_time + self._secs
        assert self._steps is not None
        return step >= self._last_step + self._steps

    def update_last_triggered_step(self, step: int) -> tuple[float | None, int | None]:
        """Remember that it was time at `step`; (seconds, steps) since the time before."""
        now = time.time()
        if self._last_step is None or self._last_time is None:
            elapsed = None, None
        else:
            elapsed = now - self._last_time, step - self._last_step  # type: ignore[assignment]
        self._last_time, self._last_step = now, step
        return elapsed

    def last_triggered_step(self) -> int | None:
        return self._last_step


def _step_tensor(what: str) -> Any:
    step = get_global_step()
    if step is None:
        raise RuntimeError(f"Global step should be created to use {what}.")
    return step


class StopAtStepHook(SessionRunHook):
    """Stops at global step `last_step`, or after `num_steps` steps."""

    def __init__(self, num_steps: int | None = None, last_step: int | None = None):
        """Exactly one of both. Raises ValueError otherwise."""
        if (num_steps is None) == (last_step is None):
            which = "Only one" if num_steps is not None else "One"
            raise ValueError(f"{which} of num_steps or last_step must be specified.")
        self._num_steps, self._last_step = num_steps, last_step

    def begin(self) -> None:
        self._global_step = _step_tensor("StopAtStepHook")

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._last_step is None:
            assert self._num_steps is not None
            self._last_step = int(session.run(self._global_step)) + self._num_steps

    def before_run(self, run_context: Any) -> SessionRunArgs:
        return SessionRunArgs(self._global_step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        assert self._last_step is not None
        step = int(run_values.results) + 1
        if step >= self._last_step:  # the step may have been read before the run added to it
            step = int(run_context.session.run(self._global_step))
            if step >= self._last_step:
                run_context.request_stop()


class LoggingTensorHook(SessionRunHook):
    """Logs the values of tensors every so many runs, or seconds, or at the end."""

    def __init__(
        self,
        tensors: Any,
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[dict[str, Any]], str] | None = None,
    ):
        """tensors: tensors or names of them, in a list, or in a dict under what they are called.
        formatter: makes the text of a dict of values.

        Raises:
          ValueError: not exactly one of the intervals, where it is not only for the end.
        """
        only_end = at_end and every_n_iter is None and every_n_secs is None
        if not only_end and (every_n_iter is None) == (every_n_secs is None):
            raise ValueError(
                "either at_end and/or exactly one of every_n_iter and every_n_secs must be "
                "provided."
            )
        if every_n_iter is not None and every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        if not isinstance(tensors, Mapping):
            tensors = {item if isinstance(item, str) else item.name: item for item in tensors}
        self._tensors, self._formatter, self._at_end = dict(tensors), formatter, at_end
        self._timer = None if only_end else SecondOrStepTimer(every_n_secs, every_n_iter)

    def begin(self) -> None:
        graph = get_default_graph()
        self._found = {
            tag: graph.as_graph_element(item, allow_operation=False)
            for tag, item in self._tensors.items()
        }
        self._count = 0
        if self._timer is not None:
            self._timer.reset()

    def before_run(self, run_context: Any) -> SessionRunArgs | None:
        due = self._timer is not None and self._timer.should_trigger_for_step(self._count)
        self._due = due
        return SessionRunArgs(self._found) if due else None

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if self._due and self._timer is not None:
            elapsed, _ = self._timer.update_last_triggered_step(self._count)
            self._log(run_values.results, elapsed)
        self._count += 1

    def end(self, session: Any) -> None:
        if self._at_end:
            self._log(session.run(self._found), None)

    def _log(self, values: dict[str, Any], elapsed: float | None) -> None:
        if self._formatter is not None:
            _logger.info(self._formatter(values))
            return
        text = ", ".join(f"{tag} = {values[tag]}" for tag in self._tensors)
        _logger.info(text if elapsed is None else f"{text} ({elapsed:.3f} sec)")


class NanLossDuringTrainingError(RuntimeError):
    """The loss is NaN."""

    def __str__(self) -> str:
        return "NaN loss during training."


class NanTensorHook(SessionRunHook):
    """Ends the training when a loss is NaN: with an error, or by a stop."""

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True):
        self._loss, self._fails = loss_tensor, fail_on_nan_loss

    def before_run(self, run_context: Any) -> SessionRunArgs:
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if np.isnan(run_values.results):
            if self._fails:
                _logger.error("Model diverged with loss = NaN.")
                raise NanLossDuringTrainingError
            _logger.warning("Model diverged with loss = NaN.")
            run_context.request_stop()


class CheckpointSaverListener:
    """What is called around the saving of a checkpoint. Subclasses override what they need."""

    def begin(self) -> None:
        """Once, before the session is made."""

    def before_save(self, session: Any, global_step_value: int) -> None:
        """Before each checkpoint."""

    def after_save(self, session: Any, global_step_value: int) -> Any:
        """After each checkpoint; what is true stops the training."""

    def end(self, session: Any, global_step_value: int) -> None:
        """Once, after the last."""


class CheckpointSaverHook(SessionRunHook):
    """Saves checkpoints every so many steps or seconds, first at the beginning, last at the
    end."""

    def __init__(
        self,
        checkpoint_dir: str,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Any = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Any = None,
        save_graph_def: bool = True,
    ):
        """saver: the Saver; the scaffold's if None. Exactly one of the intervals.

        Raises:
          ValueError: both or neither of the intervals; a saver and a scaffold.
        """
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._saver, self._scaffold, self._dir = saver, scaffold, checkpoint_dir
        self._path = os.path.join(checkpoint_dir, checkpoint_basename)
        self._timer = SecondOrStepTimer(save_secs, save_steps)
        self._listeners = list(listeners or [])

    def begin(self) -> None:
        self._global_step = _step_tensor("CheckpointSaverHook")
        for listener in self._listeners:
            listener.begin()

    def after_create_session(self, session: Any, coord: Any) -> None:
        step = int(session.run(self._global_step))
        self._save(session, step)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: Any) -> SessionRunArgs:
        return SessionRunArgs(self._global_step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if not self._timer.should_trigger_for_step(int(run_values.results) + 1):
            return
        step = int(run_context.session.run(self._global_step))
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._save(run_context.session, step):
                run_context.request_stop()

    def end(self, session: Any) -> None:
        step = int(session.run(self._global_step))
        if step != self._timer.last_triggered_step():
            self._save(session, step)
        for listener in self._listeners:
            listener.end(session, step)

    def _save(self, session: Any, step: int) -> bool:
        """Save; whether a listener wants to stop."""
        for listener in self._listeners:
            listener.before_save(session, step)
        self._the_saver().save(session, self._path, global_step=step)
        wishes = [listener.after_save(session, step) for listener in self._listeners]
        return any(wishes)

    def _the_saver(self) -> Any:
        if self._saver is not None:
            return self._saver
        if self._scaffold is not None:
            return self._scaffold.saver
        savers = get_collection(GraphKeys.SAVERS)
        if len(savers) > 1:
            raise RuntimeError(
                "More than one item in collection SAVERS. Please indicate which one to use by "
                "passing it to the constructor."
            )
        self._saver = savers[0] if savers else Saver()
        return self._saver


class StepCounterHook(SessionRunHook):
    """Writes and logs how many steps there are in a second."""

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
    ):
        self._timer = SecondOrStepTimer(every_n_secs, every_n_steps)
        self._dir, self._writer = output_dir, summary_writer

    def begin(self) -> None:
        if self._writer is None and self._dir:
            self._writer = FileWriterCache.get(self._dir)
        self._global_step = _step_tensor("StepCounterHook")
        self._tag = f"{self._global_step.op.name}/sec"

    def before_run(self, run_context: Any) -> SessionRunArgs:
        return SessionRunArgs(self._global_step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        step = int(run_values.results)
        if not self._timer.should_trigger_for_step(step + 1):
            return
        step = int(run_context.session.run(self._global_step))
        if self._timer.should_trigger_for_step(step):
            seconds, steps = self._timer.update_last_triggered_step(step)
            if seconds and steps is not None:
                _logger.info("%s: %g", self._tag, steps / seconds)
                if self._writer is not None:
                    from tfc.io.protos import message

                    summary = message("Summary")()
                    summary.value.add(tag=self._tag, simple_value=steps / seconds)
                    self._writer.add_summary(summary, step)


class SummarySaverHook(SessionRunHook):
    """Writes summaries every so many steps or seconds."""

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
        scaffold: Any = None,
        summary_op: Any = None,
    ):
        """Exactly one of `scaffold` and `summary_op`, and one of the intervals.

        Raises:
          ValueError: otherwise.
        """
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        self._op, self._scaffold = summary_op, scaffold
        self._dir, self._writer = output_dir, summary_writer
        self._timer = SecondOrStepTimer(save_secs, save_steps)

    def begin(self) -> None:
        if self._writer is None and self._dir:
            self._writer = FileWriterCache.get(self._dir)
        self._global_step = _step_tensor("SummarySaverHook")
        self._next: int | None = None
        self._timer.reset()

    def before_run(self, run_context: Any) -> SessionRunArgs:
        self._due = self._next is None or self._timer.should_trigger_for_step(self._next)
        fetches = {"global_step": self._global_step}
        summary = self._summary()
        if self._due and summary is not None:
            fetches["summary"] = summary
        return SessionRunArgs(fetches)

    def _summary(self) -> Any:
        found = self._op if self._op is not None else self._scaffold.summary_op
        return found or None if isinstance(found, str | list) else found

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if self._writer is None:
            return
        step = int(run_values.results["global_step"])
        if self._next is None or self._due:
            step = int(run_context.session.run(self._global_step))
        if self._due:
            self._timer.update_last_triggered_step(step)
            written = run_values.results.get("summary")
            for summary in written if isinstance(written, list) else [written]:
                if summary is not None:
                    self._writer.add_summary(summary, step)
        self._next = step + 1

    def end(self, session: Any) -> None:
        if self._writer is not None:
            self._writer.flush()


class FinalOpsHook(SessionRunHook):
    """Runs something at the end, and keeps its value."""

    def __init__(self, final_ops: Any, final_ops_feed_dict: Any = None):
        self._ops, self._feed, self._values = final_ops, final_ops_feed_dict, None

    @property
    def final_ops_values(self) -> Any:
        return self._values

    def end(self, session: Any) -> None:
        if self._ops is not None:
            self._values = session.run(self._ops, feed_dict=self._feed)


class FeedFnHook(SessionRunHook):
    """Feeds every run what a function returns."""

    def __init__(self, feed_fn: Callable[[], Any]):
        self.feed_fn = feed_fn

    def before_run(self, run_context: Any) -> SessionRunArgs:
        return SessionRunArgs(fetches=None, feed_dict=self.feed_fn())


class GlobalStepWaiterHook(SessionRunHook):
    """Delays the first run until the global step is far enough, as others count it."""

    def __init__(self, wait_until_step: int):
        self._wait_until_step = wait_until_step

    def begin(self) -> None:
        self._reached = False
        self._global_step = _step_tensor("_GlobalStepWaiterHook")

    def before_run(self, run_context: Any) -> None:
        while not self._reached and self._wait_until_step > 0:
            if int(run_context.session.run(self._global_step)) >= self._wait_until_step:
                self._reached = True
                return
            time.sleep(0.5)
