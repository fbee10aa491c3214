"""What a run shows of the variables that are fetched: their content when it ends.

A fetched variable with a reference is its memory, seen through no copy: what the run writes there
after the read shows, be it a training step beside the global step that is fetched with it. So it is
for what TensorFlow's kernels hand on in the same memory, `VIEWS` and the results of writes. Whoever
computes with the variable sees what the order of the ops says, and so does a fetch of a variable
made with `use_resource`, whose reads share nothing with later writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from tfc import prims as p
from tfc.ir.core import Value

VIEWS = frozenset(
    {
        "CheckNumerics",
        "ExpandDims",
        "Identity",
        "PlaceholderWithDefault",
        "PreventGradient",
        "Print",
        "Reshape",
        "Squeeze",
        "StopGradient",
    }
)


def shown_at_end(tensors: Iterable[Any], fed: Set[Any]) -> dict[Any, str]:
    """Those of `tensors` that are a variable's memory, with the variable's key."""
    keys = ((tensor, _memory_of(tensor, fed)) for tensor in tensors)
    return {tensor: key for tensor, key in keys if key is not None}


def _memory_of(tensor: Any, fed: Set[Any]) -> str | None:
    """The key of the variable whose memory `tensor` is, if that is known."""
    while tensor not in fed:
        op = tensor.op
        if tensor.dtype.is_ref_dtype and not op.inputs:
            return None if op._attrs.get("_resource") else op.name
        if not op.inputs or not (tensor.dtype.is_ref_dtype or op.type in VIEWS):
            return None
        tensor = op.inputs[0]
    return None


def at_end(build: Any, key: str, value: Value) -> Value:
    """What of the memory of variable `key`, read as `value`, there is after all writes lowered."""
    number = build.written.get(key, 0)
    if number == build.before.get(key, 0):
        return value
    last: Value = build.contents[key, number]
    if last.type.dtype != value.type.dtype or last.type.size != value.type.size:
        return value  # other memory
    return last if last.type == value.type else p.reshape(build, last, shape=value.type.shape)
