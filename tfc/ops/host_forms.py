"""Host forms of ops that have a native form as well.

Strings have no native form. An op such as Reshape means the same for them as for numbers, so its
`host` rule is made of its `lower` rule and not written a second time. What a loop keeps for its
gradient may differ in shape from iteration to iteration: an object array with an array an entry;
the few ops that such a *ragged* array meets go through its entries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.framework.opdef import call_rule
from tfc.ir.core import Literal
from tfc.ir.interp import run
from tfc.passes.lower import Lowering


def by_lowering(lower: Callable[..., Any]) -> Callable[..., tuple[np.ndarray, ...]]:
    """A `host` rule that runs what `lower` builds for these arrays.

    It raises what the lowering raises, and InvalidArgumentError where one of its asserts fails.
    """

    def host(op: Any, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return _run(Lowering("host", {}, {}), lower, op, arrays)

    return host


def _run(
    build: Lowering, lower: Callable[..., Any], op: Any, arrays: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    build.op = op
    values = [p.const(build, value=Literal(array)) for array in arrays]
    results = call_rule(lower, op, values, build)
    results = results if isinstance(results, tuple) else (results,)
    try:
        return run(build.finish(results), [])
    except p.AssertionFailed as failed:
        raise errors.by_name(failed.code)(None, op, failed.message) from None


class _OfVariable(Lowering):
    """Builds what an op makes of a variable's content, which stands for the reference."""

    def read(self, ref: Any) -> Any:
        return ref

    def write(self, ref: Any, value: Any) -> Any:
        return value


def of_content(lower: Callable[..., Any]) -> Callable[..., tuple[np.ndarray, bool]]:
    """A `with_content` rule that runs what `lower` builds to change a variable.

    It raises what `by_lowering` raises, and FailedPreconditionError without content.
    """

    def changed(op: Any, content: Any, *arrays: np.ndarray) -> tuple[np.ndarray, bool]:
        if content is None:
            name = op.inputs[0].op.name
            text = f"Attempting to use uninitialized value {name}"
            raise errors.FailedPreconditionError(None, op, text)
        return _run(_OfVariable("host", {}, {}), lower, op, (content, *arrays))[0], True

    return changed


def joined_rows(found: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """Strings scattered into `found`; those that go to one place are joined, as numbers add up."""
    places = [tuple(row) for row in indices.reshape(-1, indices.shape[-1]).tolist()]
    if len(set(places)) < len(places):
        found = np.full_like(found, b"")
        rows = updates.reshape(-1, *updates.shape[indices.ndim - 1 :])
        for place, row in zip(places, rows, strict=True):
            found[place] = found[place] + row
    return found


def by_entries(function: Callable[..., Any], *ragged: np.ndarray) -> np.ndarray:
    """`function` of the corresponding entries of ragged arrays. An entry is None where a condition
    did not take the branch that would have given it."""
    result = np.empty(ragged[0].shape, object)
    for index in np.ndindex(ragged[0].shape):
        entries = [array[index] for array in ragged]
        if all(entry is not None for entry in entries):
            nested = isinstance(entries[0], np.ndarray) and entries[0].dtype == object
            result[index] = by_entries(function, *entries) if nested else function(*entries)
    return result


def added_entries(ragged: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of ragged arrays, entry by entry. What is not there counts as zeros, also where one
    is shorter than another."""
    if all(array.dtype != object for array in ragged):
        return functools.reduce(np.add, ragged)
    shape = max(array.shape for array in ragged if array.dtype == object)
    result = np.empty(shape, object)
    for index in np.ndindex(shape):
        there = [array for array in ragged if not index or index[0] < len(array)]
        entries = [np.asarray(a[index]) for a in there if a[index] is not None]
        if entries:
            result[index] = added_entries(entries)
    return result
