"""What the tests of native dispatch share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc.base.options import options


def native_runs(sess: Any) -> int:
    """How many runs of the Session native code has done."""
    return 0 if sess._fast is None else int(sess._fast.runs[0])


def slow_session(**arguments: Any) -> Any:
    """A Session that Python runs always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "fast_run", 0)
        return tf.Session(**arguments)


def known(sess: Any, run: Callable[[], Any]) -> Any:
    """What `run` gives when native code of `sess` does it, alone."""
    for _ in range(3):
        run()
    before = native_runs(sess)
    value = run()
    assert native_runs(sess) == before + 1, "Python ran it"
    return value


def outcome(run: Callable[[], Any]) -> Any:
    """The value, or class and text of what is raised."""
    try:
        return run()
    except Exception as error:
        return type(error), str(error)


def assert_same(a: Any, b: Any) -> None:
    """Equal in type, structure and every bit."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    else:
        assert a == b
