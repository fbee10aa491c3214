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
