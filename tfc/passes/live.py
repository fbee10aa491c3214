"""What of loops and conditions a run needs: the results that are taken, and what goes into them.

TensorFlow prunes a graph tensor by tensor, also inside branches and loop bodies: an op there runs
only if a result that is taken needs it. Here an If or While owns its regions, so one of which only
some outputs are taken stands in a run as a `Narrowed` op: the same op with those outputs, and with
the inputs that they need.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any

from tfc.passes.versions import variable_of

_GIVEN = ("Placeholder", "RegionParameter")  # have nothing to do if their value is given


class Narrowed:
    """An If or While of which only some results run. It equals the op itself, which is what its
    tensors, and tables of ops, name; `places` are those of the results among the op's."""

    def __init__(self, op: Any, places: Iterable[int], inputs: Iterable[Any]):
        self._op, self._places, self.inputs = op, sorted(places), tuple(inputs)
        self.outputs = [*(op.outputs[k] for k in self._places), op.outputs[-1]]
        self.operands = self.inputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)

    def __hash__(self) -> int:
        return hash(self._op)

    def __eq__(self, other: object) -> bool:
        return other is self._op or isinstance(other, Narrowed) and other._op is self._op

    def __repr__(self) -> str:
        return repr(self._op)

    def picked(self, tensors: Any) -> list[Any]:
        """Those of `tensors`, one for each result of the op itself, that are of this one's."""
        return [tensors[k] for k in self._places]


def results_of(op: Any, region: Any) -> list[Any]:
    """What `region` of `op` is to give: the test of a loop has one result, others the op's."""
    if isinstance(op, Narrowed) and not (op.type == "While" and region is op.regions[0]):
        return op.picked(region.results)
    return list(region.results)


def params_of(op: Any, region: Any) -> list[Any]:
    """What `region` of `op` is given: a loop's variables, as many as it has results."""
    if isinstance(op, Narrowed) and op.type == "While":
        return op.picked(region.params)
    return list(region.params)


class Needs:
    """The ops, among those that are `inside`, that what was taken needs; `outside` are the tensors
    that they take of others. `stops` are tensors that need nothing: fed ones, parameters.
    texts: also take strings that ops read off the graph."""

    def __init__(self, inside: Callable[[Any], bool], stops: Set[Any], texts: bool = False):
        self._inside, self._stops, self._texts = inside, stops, texts
        self.outside: dict[Any, None] = {}
        self.stopped: dict[Any, None] = {}
        self._ops: set[Any] = set()
        self._owners: dict[Any, _Owner] = {}
        self._stack: list[Any] = []
        self._changed: list[tuple[int, Any]] = []

    def take(self, elements: Iterable[Any]) -> None:
        """Find what these tensors and ops need."""
        for element in elements:
            if hasattr(element, "value_index"):
                self._take(element)
            else:
                self._take_op(element)
        while self._stack or self._changed:
            while self._stack:
                self._visit(self._stack.pop())
            if self._changed:
                # The latest first: what takes its results was made after it, and is known by now.
                _, op = heapq.heappop(self._changed)
                for tensor in self._owners[op].inputs():
                    self._take(tensor)

    def ops(self) -> set[Any]:
        """The ops, loops and conditions as narrow as may be."""
        return {self._owners[op].narrowed() if op in self._owners else op for op in self._ops}

    def _take(self, tensor: Any) -> None:
        op = tensor.op
        if tensor in self._stops:
            self.stopped[tensor] = None
        elif not self._inside(op):
            self.outside[tensor] = None
        elif "_regions" in op._attrs:
            self._take_op(op, [tensor])
        elif op not in self._ops:
            self._take_op(op)

    def _take_op(self, op: Any, outputs: Iterable[Any] | None = None) -> None:
        """`op` is needed; of a loop or condition these outputs are, None: all. What is not inside,
        an op waits for with the owner of its region."""
        if not self._inside(op):
            return
        if "_regions" not in op._attrs:
            if op not in self._ops:
                self._ops.add(op)
                self._stack.append(op)
            return
        if op not in self._owners:
            self._ops.add(op)
            self._owners[op] = _Owner(op)
            self._stack.append(op)
        if self._owners[op].use(op.outputs if outputs is None else outputs):
            heapq.heappush(self._changed, (-op._id, op))

    def _visit(self, op: Any) -> None:
        for control in op.control_inputs:
            if control.type in _GIVEN and control.outputs[0] in self._stops:
                self.stopped[control.outputs[0]] = None
            else:
                self._take_op(control)
        if op in self._owners:
            return  # `take` asks for its inputs
        if op.type == "Residual":
            owner, tensor = op._attrs["_owner"], op._attrs["_tensor"]
            if self._inside(owner) and op.inputs[0] not in self._stops:
                self._take_op(owner, ())
                if self._owners[owner].want(tensor):
                    heapq.heappush(self._changed, (-owner._id, owner))
                return
        for tensor in op.inputs:
            if self._texts or not op.defn.leaves_out(tensor):
                self._take(tensor)


class _Owner:
    """An If or While: which outputs are taken, which tensors of its regions are kept for
    gradients, and what these need."""

    def __init__(self, op: Any):
        self.op = op
        self._used: set[int] = set()  # places of results
        self._asked = False
        self._params = [{t: k for k, t in enumerate(r.params)} for r in op.regions]
        self._needs = [
            Needs(lambda o, region=region: o._region is region, params.keys())  # type: ignore[misc]
            for region, params in zip(op.regions, self._params, strict=True)
        ]
        self._wanted: dict[Any, None] = {}

    def use(self, outputs: Iterable[Any]) -> bool:
        """Take these outputs; whether that is news."""
        places = {t.value_index for t in outputs} - {len(self.op.outputs) - 1}
        news = not places <= self._used or not self._asked
        self._used |= places
        self._asked = True
        return news

    def want(self, tensor: Any) -> bool:
        """Keep a tensor of a region; whether that is news."""
        news = tensor not in self._wanted
        self._wanted[tensor] = None
        return news

    def inputs(self) -> list[Any]:
        """The inputs that are needed."""
        op, loop = self.op, self.op.type == "While"
        for region, needs in zip(op.regions, self._needs, strict=True):
            needs.take(t for t in self._wanted if t.op._region is region)
        if loop:
            self._needs[0].take(op.regions[0].results)
        while True:
            before = len(self._used)
            for region, needs, params in zip(op.regions, self._needs, self._params, strict=True):
                if not loop or region is op.regions[1]:
                    needs.take([region.results[k] for k in sorted(self._used)])
                self._used.update(params[t] for t in needs.stopped)
            if len(self._used) == before:
                break
        found = {op.inputs[k] for k in self._used} if loop else {op.inputs[0]}
        outside = {t for needs in self._needs for t in needs.outside}
        given = len(op.outputs) - 1 if loop else 1
        captured = (t for t in op.inputs[given:] if t in outside)
        return [*(t for t in op.inputs[:given] if t in found), *captured]

    def narrowed(self) -> Any:
        """The op with the outputs and inputs that are needed; itself if that is all of them."""
        loop = self.op.type == "While"
        count = len(self.op.outputs) - 1
        given = [self.op.inputs[k] for k in sorted(self._used)] if loop else [self.op.inputs[0]]
        outside = {t for needs in self._needs for t in needs.outside}
        captured = [t for t in self.op.inputs[count if loop else 1 :] if t in outside]
        if len(self._used) == count and len(given) + len(captured) == len(self.op.inputs):
            return self.op
        return Narrowed(self.op, self._used, [*given, *captured])


def region_ops(region: Any, wanted: Sequence[Any], reads: Set[Any] = frozenset()) -> list[Any]:
    """The ops of a region that the tensors `wanted`, some of its results and what gradients want
    kept, need, in the order in which they were made.

    Ops of regions inside are their owners' matter; of what is outside only variables appear, since
    references are looked up by them, and those ops that make the tensors `reads`.
    """
    needs = Needs(lambda op: op._region is region, set(region.params))
    needs.take(wanted)
    needed = needs.ops()
    for tensor in needs.outside:
        if tensor.dtype.is_ref_dtype:
            needed.add(variable_of(tensor))
        elif tensor in reads:
            needed.update((tensor.op, variable_of(tensor.op.inputs[0])))
    return sorted(needed, key=lambda op: op._id)
