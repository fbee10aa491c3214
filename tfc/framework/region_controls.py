"""Waiting for an op of a region from outside of it.

An op that waits for an op of a branch runs only if that branch is taken: TensorFlow leaves it out
otherwise, and fails a run that fetches what it makes. Here it waits for a check that the branch was
taken, and the branch runs the op. No op can wait for an op in a loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.framework.operation import Operation
from tfc.framework.regions import Region
from tfc.ir.core import Literal


def visible_control(graph: Any, op: Operation) -> Operation:
    """What an op that is made now waits for, to wait for `op`."""
    while op._region is not None and not _is_near(graph._region, op):
        op = _stand_in(graph, op)
    return op


def _is_near(region: Region | None, op: Operation) -> bool:
    """Whether ops of `region` can wait for `op`: it is of that region or of one around it, or of a
    region that one of those differentiates."""
    while region is not None:
        if op._region is region or op._region is region.source:
            return True
        region = region.parent
    return False


def _stand_in(graph: Any, op: Operation) -> Operation:
    """An op, where the owner of the region of `op` stands, that runs after `op`, and fails if that
    does not run."""
    region = op._region
    found: Operation | None = region.stand_ins.get(op)
    if found is not None:
        return found
    owner, name = region.owner, f"{op.name}/done"
    if owner is None or owner.type != "If":
        text = f"An op outside of a loop or branch waits for '{op.name}', which is inside"
        at = graph._region if owner is None else owner._region
        never = _constant(graph, at, np.array(False), f"{name}/never")
        return _check(graph, at, never, text, name, [])
    true = _constant(graph, region, np.array(True), f"{name}/true")
    done = _made(graph, region, "Identity", [true], f"{name}/run", [op])
    kept = region._residual_of(done.outputs[0], owner)
    taken = owner.inputs[0]
    if region is not owner.regions[0]:
        taken = _made(graph, owner._region, "LogicalNot", [taken], f"{name}/taken").outputs[0]
    text = f"An op waits for '{op.name}', which did not run: its branch was not taken"
    found = region.stand_ins[op] = _check(graph, owner._region, taken, text, name, [kept.op])
    return found


def _check(graph: Any, region: Any, ok: Any, text: str, name: str, controls: list[Any]) -> Any:
    message = _constant(graph, region, np.array(text.encode(), object), f"{name}/text")
    return _made(graph, region, "Assert", [ok, message], f"{name}/check", controls)


def _constant(graph: Any, region: Any, array: np.ndarray, name: str) -> Any:
    attrs = {"value": Literal(array), "dtype": np.bool_ if array.dtype == bool else str}
    return _made(graph, region, "Const", [], name, attrs=attrs).outputs[0]


def _made(
    graph: Any,
    region: Region | None,
    op_type: str,
    inputs: list[Any],
    name: str,
    controls: list[Operation] | None = None,
    attrs: Any = None,
) -> Operation:
    """An op of `region` under exactly this name."""
    before = graph._region, graph._control_stack
    graph._region, graph._control_stack = region, []
    try:
        with graph.control_dependencies(controls or []):
            op: Operation = graph.create_op(op_type, inputs, name=f"{name}/", attrs=attrs)
    finally:
        graph._region, graph._control_stack = before
    return op
