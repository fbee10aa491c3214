"""`tf.logging`: messages of programs, by the logger called "tensorflow" of Python's own logging.

Levels are Python's. Where nobody has set handlers up, messages go to stderr as
`LEVEL:tensorflow:message`, warnings and what is worse by default.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50
_counts: dict[tuple[str, int], itertools.count[int]] = {}


def get_logger() -> Any:
    """The logger that the functions of this module write to."""
    import logging

    logger = logging.getLogger("tensorflow")
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(_Stderr())
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        logger.addHandler(handler)
        logger.propagate = False  # the root logger may get handlers later
    return logger


class _Stderr:
    """What sys.stderr is when a message comes, which may not be what it was at first."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """The message `msg % args` at a level."""
    get_logger().log(level, msg, *args, **kwargs)


def debug(msg: str, *args: Any, **kwargs: Any) -> None:
    """A message at level DEBUG."""
    log(DEBUG, msg, *args, **kwargs)


def info(msg: str, *args: Any, **kwargs: Any) -> None:
    """A message at level INFO."""
    log(INFO, msg, *args, **kwargs)


def warn(msg: str, *args: Any, **kwargs: Any) -> None:
    """A message at level WARN."""
    log(WARN, msg, *args, **kwargs)


def warning(msg: str, *args: Any, **kwargs: Any) -> None:
    """A message at level WARN."""
    log(WARN, msg, *args, **kwargs)


def error(msg: str, *args: Any, **kwargs: Any) -> None:
    """A message at level ERROR."""
    log(ERROR, msg, *args, **kwargs)


def fatal(msg: str, *args: Any, **kwargs: Any) -> None:
    """A message at level FATAL; the program goes on."""
    log(FATAL, msg, *args, **kwargs)


def TaskLevelStatusMessage(msg: str) -> None:
    """A message at level ERROR."""
    error(msg)


def vlog(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """The message `msg % args` at a level."""
    log(level, msg, *args, **kwargs)


def log_if(level: int, msg: str, condition: Any, *args: Any) -> None:
    """The message, if `condition` holds."""
    if condition:
        log(level, msg, *args)


def _earlier_calls() -> int:
    """How often the line that called the caller has come here before."""
    frame = sys._getframe(2)
    key = (frame.f_code.co_filename, frame.f_lineno)
    return next(_counts.setdefault(key, itertools.count()))


def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """The message at the first call of this line and at every n-th after it."""
    log_if(level, msg, _earlier_calls() % n == 0, *args)


def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    """The message at the first `n` calls of this line."""
    log_if(level, msg, _earlier_calls() < n, *args)


def get_verbosity() -> int:
    """The lowest level at which messages are written."""
    return int(get_logger().getEffectiveLevel())


def set_verbosity(v: int | str) -> None:
    """Write only messages of level `v` and above."""
    get_logger().setLevel(v)


def flush() -> None:
    """Raises NotImplementedError, as TensorFlow's does: handlers write at once."""
    raise NotImplementedError
