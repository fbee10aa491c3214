"""Regions: the branches of a condition, the test and the body of a loop.

Ops of a region stand in the Graph like all others, under their names, but run only as part of the
op that owns the region. They may take any tensor made outside; the owner finds these captures when
the region is complete, and takes them as inputs. So a region is a closed function of its
parameters and captures, without the user having to say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfc.framework.operation import Operation, Tensor


class Region:
    """A context: ops made inside belong to it.

    ops: its own, not those of regions inside it. params: the tensors it is a function of, results:
    what it gives. parent: the region it stands in, None at the top. hidden: it is a function of its
    own, as of a dataset, whose ops TensorFlow keeps out of the Graph.
    """

    def __init__(self, graph: Any, name: str, hidden: bool = False):
        self.graph, self.name = graph, name
        self.parent: Region | None = graph._region
        self.hidden: bool = hidden or (self.parent is not None and self.parent.hidden)
        self.ops: list[Operation] = []
        self.params: list[Tensor] = []
        self.results: list[Tensor] = []
        self.source: Region | None = None  # the region whose gradient this one computes
        self.forward: Operation | None = None  # the owner of `source`
        self.owner: Operation | None = None  # the If or While, when it is there
        self.stand_ins: dict[Operation, Operation] = {}  # `framework/region_controls.py`
        self.index: Tensor | None = None  # which iteration of `source` this one is for, in a loop
        self._residuals: dict[Tensor, Tensor] = {}  # of its own tensors: what the owner kept
        self._imports: dict[Tensor, Tensor] = {}
        self._outer: tuple[Any, ...] = ()

    def __enter__(self) -> Region:
        # The owner waits for the control inputs of the contexts outside, for all its ops.
        self._outer = self.graph._region, self.graph._control_stack
        self.graph._region, self.graph._control_stack = self, []
        return self

    def __exit__(self, *exception: Any) -> None:
        self.graph._region, self.graph._control_stack = self._outer

    def encloses(self, op: Operation) -> bool:
        """Whether `op` is one of the region's, or of a region inside it."""
        region = op._region
        while region is not None:
            if region is self:
                return True
            region = region.parent
        return False

    def captures(self) -> list[Tensor]:
        """Tensors from outside that ops or results of the region take, in order of first use."""
        found: dict[Tensor, None] = {}
        for op in self.ops:
            found.update((t, None) for t in op.inputs if not self.encloses(t.op))
        found.update((t, None) for t in self.results if not self.encloses(t.op))
        return list(found)

    def imported(self, op_type: str, inputs: Sequence[Tensor]) -> list[Tensor]:
        """`inputs` of an op to be made here. A tensor of a region that this one (or one around it)
        differentiates stands for what it was in that run of the region.

        Raises:
          ValueError: a tensor is of another region, and has no value here.
        """
        return [t if self._is_visible(t) else self._recorded(op_type, t) for t in inputs]

    def _is_visible(self, tensor: Tensor) -> bool:
        home = tensor.op._region
        region: Region | None = self
        while home is not None and region is not home:
            if region is None:
                return False
            region = region.parent
        return True

    def _recorded(self, op_type: str, tensor: Tensor) -> Tensor:
        region: Region | None = self
        while region is not None and region.source is not tensor.op._region:
            region = region.parent
        if region is None:
            raise not_visible(op_type, tensor)
        found = region._imports.get(tensor)
        if found is None and tensor.op.type == "Const":
            # Made again, not kept: it stays a constant in whichever stage the gradient runs.
            found = made_in(self.graph, region, "Const", [], tensor.op._attrs).outputs[0]
            region._imports[tensor] = found
        if found is None:
            assert region.source is not None and region.forward is not None
            found = region.source._residual_of(tensor, region.forward)
            if region.index is not None:
                inputs = [found, region.index]
                found = made_in(self.graph, region, "ResidualAt", inputs).outputs[0]
            elif region.parent is not None:
                (found,) = region.parent.imported(op_type, [found])
            region._imports[tensor] = found
        return found

    def _residual_of(self, tensor: Tensor, owner: Operation) -> Tensor:
        """What `owner` keeps of a tensor of this region, where the owner stands."""
        found = self._residuals.get(tensor)
        if found is None:
            attrs = {"T": tensor.dtype.base_dtype, "_owner": owner, "_tensor": tensor}
            op = made_in(self.graph, owner._region, "Residual", [tape_of(owner)], attrs)
            found = self._residuals[tensor] = op.outputs[0]
        return found

    def outer_controls(self) -> list[Operation]:
        """Ops outside that ops of the region wait for."""
        found = {c: None for op in self.ops for c in op.control_inputs if not self.encloses(c)}
        return list(found)

    def __repr__(self) -> str:
        return f"<Region {self.name}: {len(self.params)} params, {len(self.ops)} ops>"


class TapeGradient:
    """The gradient of a tape: for tensors of its owner's regions, that of what was kept of them."""

    def __init__(self, entries: Mapping[Tensor, Tensor]):
        self.entries = dict(entries)


def tape_of(owner: Operation) -> Tensor:
    """The last output of an op with regions: what it kept of its regions' tensors."""
    return owner.outputs[-1]


def made_in(
    graph: Any,
    region: Region | None,
    op_type: str,
    inputs: Sequence[Tensor],
    attrs: dict[str, Any] | None = None,
) -> Operation:
    """An op added to `region` (None: the top level), whichever is being built now."""
    before = graph._region, graph._control_stack
    graph._region, graph._control_stack = region, []
    try:
        op: Operation = graph.create_op(op_type, inputs, name=op_type, attrs=attrs)
    finally:
        graph._region, graph._control_stack = before
    return op


def not_visible(op_type: str, tensor: Tensor) -> ValueError:
    """The error of taking a tensor out of its region."""
    return ValueError(
        f"Cannot use '{tensor.op.name}' as input to a '{op_type}' op, because "
        f"'{tensor.op.name}' is in the region '{tensor.op._region.name}' of a loop or a "
        "condition: return it from there."
    )


def make_region_op(
    graph: Any,
    op_type: str,
    name: str,
    inputs: Sequence[Tensor],
    regions: Sequence[Region],
) -> Operation:
    """An If or While of `regions`; what they capture is added to the inputs."""
    captures: dict[Tensor, None] = {}
    controls: dict[Operation, None] = {}
    for region in regions:
        captures.update(dict.fromkeys(region.captures()))
        controls.update(dict.fromkeys(region.outer_controls()))
    results = regions[-1].results
    with graph.control_dependencies(list(controls)):
        op: Operation = graph.create_op(
            op_type,
            [*inputs, *captures],
            name=name,
            attrs={
                "Tout": tuple(t.dtype.base_dtype for t in results),
                "_regions": tuple(regions),
            },
        )
    for region in regions:
        region.owner = op
    return op
