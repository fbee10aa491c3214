"""The stages of a branch by signature: the ones used last are kept, and many of them are reported.

A program that feeds another shape in every run compiles in every run. That is slow, and without a
bound it would fill the memory; so the stages used longest ago go, and one warning names the feed.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import Any

MOST_STAGES = 128  # of one branch
WARN_AT = 16  # stages compiled for one branch


_logger = logging.getLogger("tfc")


class StageCache:
    """Stages by key: (types of the tensors, types of the variables[, contents of the statics[,
    whatever else they are compiled for]])."""

    def __init__(self) -> None:
        self._stages: OrderedDict[Hashable, Any] = OrderedDict()
        self._met: list[Hashable] = []  # the first keys, by which is told what to warn of

    def __len__(self) -> int:
        return len(self._stages)

    def get(self, key: Hashable) -> Any:
        """The stage stored under `key`, from now on the one used last; None if there is none."""
        found = self._stages.get(key)
        if found is not None:
            with suppress(KeyError):  # another thread has just let it go
                self._stages.move_to_end(key)
        return found

    def drop(self, key: Hashable) -> None:
        """Forget the stage stored under `key`."""
        self._stages.pop(key, None)

    def put(
        self, key: Hashable, stage: Any, tensors: Sequence[Any], statics: Sequence[Any]
    ) -> None:
        """Keep `stage`; `tensors` and `statics` are what the parts of the key belong to."""
        self._stages[key] = stage
        if len(self._met) < WARN_AT:
            self._met.append(key)
            if len(self._met) == WARN_AT:
                self._warn(tensors, statics)
        while len(self._stages) > MOST_STAGES:
            self._stages.popitem(last=False)

    def _warn(self, tensors: Sequence[Any], statics: Sequence[Any]) -> None:
        keys: list[Any] = self._met
        kinds = [(t, "types", {key[0][i] for key in keys}) for i, t in enumerate(tensors)]
        kinds += [
            (t, "values", {key[2][i] for key in keys if len(key) > 2 and i < len(key[2])})
            for i, t in enumerate(statics)
        ]
        if not kinds:
            return
        tensor, what, met = max(kinds, key=lambda kind: len(kind[2]))
        if len(met) < 2:
            return  # the variables change their types
        where = tensor.op.location
        if what == "types":
            met_text = ", ".join(sorted(f"{dtype}{list(shape)}" for dtype, shape in met)[:4])
            advice = "pad batches to one shape if you can"
        else:
            met_text, advice = "its value decides a shape", "feed few different values if you can"
        _logger.warning(
            "%s",
            f"{len(met)} {what} of {tensor.name!r}{f' ({where})' if where else ''} were each "
            f"compiled for: {met_text}. Every new one takes time, and only the last {MOST_STAGES} "
            f"are kept; {advice}.",
        )
