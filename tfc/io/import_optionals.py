"""Optionals in a GraphDef: what a condition of functions keeps for its gradient.

A branch wraps a value, and the same branch of the gradient unwraps it. So the branch of the
gradient is made the gradient of the branch, and the value is what it was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfc.framework.graph import Graph
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region
from tfc.io.import_nodes import Node


class Optional:
    """The values that branches wrapped, and the regions of those branches."""

    def __init__(self, found: Iterable[tuple[Any, Region | None]] = ()):
        self.found = list(found)


def optional_values(
    node: Node, values: Sequence[Any], graph: Graph, owners: Mapping[Region, Operation]
) -> list[Any]:
    """The outputs of an op of optionals. owners: the conditions of the branches made so far.

    Raises:
      ValueError: there is no value, or it is of no branch that this one is the gradient of.
    """
    if node.op == "OptionalNone":
        return [Optional()]
    if len(values) != 1 or (node.op == "OptionalFromValue") == isinstance(values[0], Optional):
        raise ValueError(f"op {node.op} is of one value")
    if node.op == "OptionalFromValue":
        return [Optional([(values[0], graph._region)])]
    if len(values[0].found) != 1:
        raise ValueError("an optional is of the value of one branch")
    ((value, home),) = values[0].found
    here = region = graph._region
    around = set()
    while region is not None:
        around.add(region)
        region = region.parent
    region = here
    while home is not None and home not in around and region is not None:
        if region.source not in (None, home) or home not in owners:
            raise ValueError("an optional is taken in what is no gradient of its branch")
        region.source, region.forward = home, owners[home]
        region, home = region.parent, home.parent
    if isinstance(value, Tensor) and here is not None:
        (value,) = here.imported(node.op, [value])
    return [value]


def joined(leaves: Iterable[Any]) -> Optional:
    """What an output of a condition is that is an optional in one branch, or in several."""
    return Optional(pair for leaf in leaves if isinstance(leaf, Optional) for pair in leaf.found)


def check_decision(regions: Iterable[Region], pred: Tensor) -> None:
    """Raises ValueError: branches are the gradient of some that another tensor decided, at the
    same place."""
    for region in regions:
        known = region.forward.inputs[0] if region.forward is not None else pred
        if known is not pred and known.op._region is pred.op._region:
            raise ValueError(f"{pred.name} decides the gradient of what {known.name} decided")
