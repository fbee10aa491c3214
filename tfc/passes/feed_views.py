"""Results of a stage that are what it was given, in another shape: later stages read them where
they lie, and nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.ir.core import Value

Views = dict[Any, tuple[Any, tuple[int, ...]]]  # tensor -> the one that it is, and its own shape


def without_views(
    build: Any,
    outputs: list[tuple[str, Any]],
    results: list[Value],
    kept: set[Any],
    waiting: Sequence[Any],
) -> tuple[list[tuple[str, Any]], list[Value], Views]:
    """`outputs` and `results` without the views among them, and those. kept: tensors that must be
    arrays of their own, besides what ops take that Python runs: it may write to them."""
    kept = kept | _taken_by_python(waiting, build.hosted.union(build.driven))
    views: Views = {}
    rest: list[tuple[tuple[str, Any], Value]] = []
    for output, value in zip(outputs, results, strict=True):
        source = _source(value)
        if source in build.available and output[0] == "tensor" and output[1] not in kept:
            views[output[1]] = (build.available[source], value.type.shape)
        else:
            rest.append((output, value))
    return [output for output, _ in rest], [value for _, value in rest], views


def _taken_by_python(waiting: Sequence[Any], more: set[Any]) -> set[Any]:
    """Tensors that an op takes that Python runs, or that has regions."""
    runs = (op for op in waiting if op in more or op.regions or op.defn.is_host(op))
    return {tensor for op in runs for tensor in op.inputs}


def _source(value: Value) -> Value:
    """What `value` is in another shape."""
    while value.op is not None and value.op.defn.name == "reshape":
        value = value.op.operands[0]
    return value
