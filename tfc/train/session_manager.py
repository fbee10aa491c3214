"""SessionManager: Sessions whose variables are restored from a checkpoint, or initialized."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np

from tfc.base import errors, logging
from tfc.client.session import Session
from tfc.framework.graph import Graph, get_default_graph
from tfc.train.checkpoint_state import get_checkpoint_state


class SessionManager:
    """Makes Sessions that are ready: restored or initialized, local variables too."""

    def __init__(
        self,
        local_init_op: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        graph: Graph | None = None,
        recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
        local_init_feed_dict: Any = None,
    ):
        """ready_op, ready_for_local_init_op: give the names of what is not initialized yet.
        recovery_wait_secs: how long to wait between looking for a checkpoint or a ready model.

        Raises:
          ValueError: ready_for_local_init_op without local_init_op.
        """
        if ready_for_local_init_op is not None and local_init_op is None:
            raise ValueError(
                "If you pass a ready_for_local_init_op you must also pass a local_init_op , "
                f"ready_for_local_init_op [{ready_for_local_init_op}]"
            )
        self._graph = graph or get_default_graph()
        self._local_init_op, self._ready_op = local_init_op, ready_op
        self._ready_for_local = ready_for_local_init_op
        self._wait = recovery_wait_secs
        self._options, self._feeds = local_init_run_options, local_init_feed_dict

    def prepare_session(
        self,
        master: str,
        init_op: Any = None,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
        init_feed_dict: Any = None,
        init_fn: Any = None,
    ) -> Session:
        """A Session restored from the checkpoint, or where there is none initialized by `init_op`
        and `init_fn(session)`.

        Raises:
          RuntimeError: nothing is there to initialize with, or the model is not ready after it.
          ValueError: both a folder and a file are given.
        """
        sess, restored = self._restored(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint,
            max_wait_secs, config,
        )  # fmt: skip
        if not restored:
            if init_op is None and not init_fn and self._local_init_op is None:
                raise RuntimeError(
                    "Model is not initialized and no init_op or init_fn or local_init_op was given"
                )
            if init_op is not None:
                sess.run(init_op, feed_dict=init_feed_dict)
            if init_fn:
                init_fn(sess)
        name = getattr(init_op, "name", init_op)
        missing = self._missing_after_local_init(sess)
        if missing:
            raise RuntimeError(
                "Init operations did not make model ready for local_init.  Init op: "
                f"{name}, init fn: {init_fn}, error: {missing}"
            )
        missing = _missing(sess, self._ready_op, "Model not ready")
        if missing:
            raise RuntimeError(
                f"Init operations did not make model ready.  Init op: {name}, init fn: "
                f"{init_fn}, local_init_op: {self._local_init_op}, error: {missing}"
            )
        return sess

    def recover_session(
        self,
        master: str,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
    ) -> tuple[Session, bool]:
        """A Session, and whether it was restored from a checkpoint and is ready.

        Raises:
          ValueError: both a folder and a file are given.
        """
        sess, restored = self._restored(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint,
            max_wait_secs, config,
        )  # fmt: skip
        missing = self._missing_after_local_init(sess)
        if not restored:
            return sess, False
        missing = missing or _missing(sess, self._ready_op, "Model not ready")
        if missing:
            logging.info("A restored model is not ready: %s", missing)
        return sess, not missing

    def wait_for_session(
        self, master: str, config: Any = None, max_wait_secs: float | None = float("inf")
    ) -> Session:
        """A Session in which the model is ready, as it is where others have initialized it.

        Raises:
          errors.DeadlineExceededError: it is not within `max_wait_secs`.
        """
        limit = float("inf") if max_wait_secs is None else max_wait_secs
        ends = time.monotonic() + limit
        while True:
            sess = Session(master, graph=self._graph, config=config)
            missing = self._missing_after_local_init(sess)
            missing = missing or _missing(sess, self._ready_op, "Model not ready")
            if not missing:
                return sess
            with contextlib.suppress(errors.OpError, RuntimeError):
                sess.close()
            if time.monotonic() + self._wait > ends:
                raise errors.DeadlineExceededError(
                    None, None, f"Session was not ready after waiting {max_wait_secs} secs."
                )
            logging.info("Waiting for model to be ready: %s", missing)
            time.sleep(self._wait)

    def _restored(
        self, master: str, saver: Any, folder: str | None, path: str | None, wait: bool,
        limit: float, config: Any,
    ) -> tuple[Session, bool]:  # fmt: skip
        """A Session, and whether a checkpoint was restored into it."""
        if folder and path:
            raise ValueError(
                "Can not provide both checkpoint_dir and checkpoint_filename_with_path."
            )
        sess = Session(master, graph=self._graph, config=config)
        if not saver or not (folder or path):
            return sess, False
        if path:
            saver.restore(sess, path)
            return sess, True
        waited, folder = 0.0, str(folder)
        state = get_checkpoint_state(folder)
        while not (state and state.model_checkpoint_path):
            if not wait or waited >= limit:
                return sess, False
            logging.info("Waiting for checkpoint to be available.")
            time.sleep(self._wait)
            waited += self._wait
            state = get_checkpoint_state(folder)
        saver.restore(sess, state.model_checkpoint_path)
        saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        return sess, True

    def _missing_after_local_init(self, sess: Session) -> str:
        """Run the local initializer; what it lacks, "" if nothing."""
        if self._local_init_op is None:
            return ""
        missing = _missing(sess, self._ready_for_local, "Model not ready for local init")
        if not missing:
            sess.run(self._local_init_op, feed_dict=self._feeds, options=self._options)
        return missing


def _missing(sess: Session, op: Any, message: str) -> str:
    """What an op says is missing, "" if nothing."""
    if op is None:
        return ""
    try:
        found = sess.run(op)
    except errors.FailedPreconditionError as error:
        if "uninitialized" not in str(error):
            logging.warning("%s : error [%s]", message, error)
            raise
        return str(error)
    if found is None or np.asarray(found).dtype == np.int32 or np.size(found) == 0:
        return ""
    names = ", ".join(name.decode() for name in np.ravel(found))
    return f"Variables not initialized: {names}"
