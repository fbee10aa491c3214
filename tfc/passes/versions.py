"""Which writes to variables an op depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Versions = Mapping[str, int]  # variable key -> number of the last write to it that is depended on
NONE: Versions = {}


def versions_before(build: Any, op: Any) -> Versions:
    """The writes that `op` depends on: of each variable the newest among its inputs'."""
    sources = dict.fromkeys([*(t.op for t in op.inputs), *op.control_inputs])
    return newest([v for s in sources if (v := build.versions.get(s, NONE))])


def newest(found: Sequence[Versions]) -> Versions:
    """Of each variable the last of the writes that several ops depend on."""
    if not found or all(v is found[0] for v in found):
        return found[0] if found else NONE
    merged = dict(found[0])
    for other in found[1:]:
        for key, number in other.items():
            if merged.get(key, 0) < number:
                merged[key] = number
    return merged


def handed_on(build: Any, tensor: Any, key: str, value: Any, seen: Versions) -> Any:
    """What a reader that depends on the writes `seen` finds behind a reference to variable `key`
    whose content `value` an earlier stage handed on: that, unless it was overwritten since. What
    is fed in the place of a reference stays."""
    versions = build.versions.get(tensor.op)
    number = seen.get(key, 0)
    if versions is None or number <= versions.get(key, 0):
        return value
    return build.content(key, max(number, build.before.get(key, 0)))
