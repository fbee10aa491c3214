"""Which writes to variables an op depends on, and which are written back at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Versions = Mapping[str, int]  # variable key -> number of the last write to it that is depended on
NONE: Versions = {}

_READERS = ("IsVariableInitialized", "InitializedValue")  # of the ops that take references


def variable_of(tensor: Any) -> Any:
    """The variable op behind a reference tensor: `Assign(ref)` and the like return their `ref`."""
    while tensor.op.inputs:
        tensor = tensor.op.inputs[0]
    return tensor.op


def referenced(op: Any) -> list[str]:
    """Keys of the variables that `op` takes references to."""
    pairs = zip(op.inputs, op.defn.ref_inputs(op), strict=True)
    return [variable_of(tensor).name for tensor, is_ref in pairs if is_ref]


def written_in(op: Any) -> set[Any]:
    """The variables that regions of `op` write."""
    written: set[Any] = set()
    owners = [op] if op.regions else []
    while owners:
        inside = [o for region in owners.pop().regions for o in region.ops]
        owners += [o for o in inside if o.regions]
        for o in inside:
            if o.type not in _READERS and not o.regions:
                pairs = zip(o.inputs, o.defn.ref_inputs(o), strict=True)
                written.update(variable_of(t) for t, is_ref in pairs if is_ref)
    return written


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


def is_snapshot(tensor: Any) -> bool:
    """Whether it is what a variable with a reference stands for in expressions: its `…/read`."""
    op = tensor.op
    if op.type != "Identity" or tensor.dtype.is_ref_dtype or not op.inputs[0].dtype.is_ref_dtype:
        return False
    source = op.inputs[0].op
    return not source.inputs and bool(op.name == f"{source.name}/read")


def handed_on(build: Any, tensor: Any, key: str, value: Any, seen: Versions) -> Any:
    """What a reader that depends on the writes `seen` finds behind a reference to variable `key`
    whose content `value` an earlier stage handed on: that, unless it was overwritten since. What
    is fed in the place of a reference stays."""
    versions = build.versions.get(tensor.op)
    number = seen.get(key, 0)
    if versions is None or number <= versions.get(key, 0):
        return value
    return build.content(key, max(number, build.before.get(key, 0)))


def write_back(
    build: Any, outputs: list[tuple[str, Any]], results: list[Any]
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Append the new contents of written variables. Attributes of the function: `donated`,
    (parameter, result) pairs of one variable; `lasting`, the parameters that are variables which it
    does not write, so that they may hold the same from run to run.

    A variable that is not read is a parameter too, so that it is written where it lies. One whose
    new content is the old content of another one is not: the other's may be overwritten first.
    """
    position = {value: index for index, value in enumerate(build.params)}
    donated: list[tuple[int, int]] = []
    for key, number in build.written.items():
        before = build.before.get(key, 0)
        while number > before and (key, number) not in build.contents:
            number -= 1  # a later stage writes it once more
        if number == before:
            continue
        value, old = build.contents[key, number], build.variable_params.get(key)
        if value is old:
            continue
        lasting = value.op is not None or value in build.available  # not another's old content
        if lasting and old is None and build.variables.get(key) == value.type:
            old = build.variable_param(key, value.type)
            position[old] = len(build.params) - 1
        if lasting and old is not None and old.type == value.type:
            donated.append((position[old], len(results)))
        outputs.append(("variable", key))
        results.append(value)
    written = {what for kind, what in outputs if kind == "variable"}
    kept = (position[v] for key, v in build.variable_params.items() if key not in written)
    return ("donated", tuple(donated)), ("lasting", tuple(kept))
