"""The ops that a plan of nodes stands for, added to a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.arguments import length
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region, make_region_op
from tfc.io.import_flows import Flows
from tfc.io.import_lists import list_values, moved
from tfc.io.import_nodes import CALLS, FLOW, LISTS, OPTIONALS, STACKS, Key, Node
from tfc.io.import_optionals import Optional, check_decision, joined, optional_values
from tfc.io.import_parts import Condition, Loop
from tfc.io.import_stacks import Stack, stack_values
from tfc.ops.tensor_array import TensorArray, results_of, with_arrays

Value = Any  # a Tensor, or a TensorArray


class Place:
    """What names mean where ops are made: at the top, in a branch, in a loop, in a function.

    prefix: in front of the names of ops. values: outputs of nodes. ops: what waits for a node waits
    for these. earlier: a part of the same branch that ran before.
    """

    def __init__(self, prefix: str, parent: Place | None = None, earlier: Place | None = None):
        self.prefix, self.parent, self.earlier = prefix, parent, earlier
        self.values: dict[str, list[Value]] = {}
        self.ops: dict[str, list[Operation]] = {}

    def _around(self) -> Iterator[Place]:
        """The places whose names are known here, the nearest first."""
        outer: Place | None = self
        while outer is not None:
            part: Place | None = outer
            while part is not None:
                yield part
                part = part.earlier
            outer = outer.parent

    def value(self, key: Key) -> Value:
        """Output `key[1]` of the node `key[0]`.

        Raises:
          ValueError: there is none.
        """
        name, k = key
        place = next((p for p in self._around() if name in p.values), None)
        if place is None:
            raise ValueError(f"{name!r} has no value here: it is in a branch or a loop")
        outputs = place.values[name]
        if not isinstance(k, int):
            k = _number(place.ops.get(name, []), k)
        if k >= len(outputs):
            raise ValueError(
                f"Connecting to invalid output {k} of source node {name} which has "
                f"{len(outputs)} outputs."
            )
        return outputs[k]

    def waits(self, names: Iterable[str]) -> list[Operation]:
        found = []
        for name in names:
            place = next((p for p in self._around() if name in p.ops), None)
            found += [] if place is None else place.ops[name]
        return list(dict.fromkeys(found))


def _number(ops: Sequence[Operation], output: tuple[str, int]) -> int:
    """The number of an output that a function names."""
    name, place = output
    if len(ops) != 1:
        return place
    args = ops[0].defn.signature().outputs
    at = 0
    for arg in args:
        if arg.name == name or len(args) == 1:
            return at + place
        at += length(arg, ops[0]._attrs)
    raise ValueError(f"op {ops[0].type} has no output {name!r}")


class Builder:
    """Adds ops to a graph. calls: inlines functions by their names; see `import_functions.py`.
    flows: of gradients of arrays."""

    def __init__(self, graph: Any, grows: bool, calls: Any, flows: Flows):
        self.graph, self.grows, self.calls, self.flows = graph, grows, calls, flows
        self.made: dict[str, Operation] = {}
        self.owners: dict[Region, Operation] = {}  # of branches
        self.taken = set(graph._by_name)

    def build(self, plan: Sequence[Any], place: Place) -> None:
        for item in plan:
            if isinstance(item, Loop):
                self._loop(item, place)
            elif isinstance(item, Condition):
                self._condition(item, place)
            else:
                self._guarded(item, place)

    def name(self, name: str, place: Place) -> str:
        """An absolute name for an op, of the node's name where no op has it."""
        full = place.prefix + name
        if full in self.taken:
            stack, self.graph._name_stack = self.graph._name_stack, ""
            try:
                full = self.graph.unique_name(full)
            finally:
                self.graph._name_stack = stack
        self.taken.add(full)
        return full + "/"

    def _guarded(self, node: Node, place: Place) -> None:
        try:
            self._node(node, place)
        except (TypeError, ValueError, OverflowError, errors.OpError) as error:
            text = str(error)
            known = text.startswith("Node ")
            raise ValueError(text if known else f"Node {node.name!r}: {text}") from None

    def _node(self, node: Node, place: Place) -> None:
        values = [place.value(key) for key in node.inputs]
        waits = place.waits(node.controls)
        with self.graph.control_dependencies(waits), self.graph.device(node.device or None):
            if node.op in CALLS:
                place.values[node.name] = self.calls.outputs(self, node, values, place)
                return
            if node.op in STACKS or any(isinstance(v, Stack) for v in values):
                outputs = stack_values(node, values, self.graph)
            elif node.op in OPTIONALS:
                outputs = optional_values(node, values, self.graph, self.owners)
            elif self.flows.takes(node, values):
                outputs = self.flows.values(node, values, self.name(node.name, place))
            elif node.op in LISTS:
                name = self.name(node.name, place)
                outputs = list_values(node, values, name, self.grows)
            elif any(isinstance(v, TensorArray) for v in values):
                outputs = [moved(node, values)]
            elif node.op in FLOW and node.op != "ControlTrigger":
                raise ValueError(f"op {node.op} outside of loops and conditions")
            else:
                self._op(node, values, place)
                return
        place.values[node.name] = outputs
        place.ops[node.name] = [] if node.op in STACKS else self._ops_of(outputs)
        if place.ops[node.name]:
            self.made.setdefault(place.prefix + node.name, place.ops[node.name][0])

    def _ops_of(self, outputs: Sequence[Value]) -> list[Operation]:
        """What makes the outputs of a node, as far as that is not an earlier turn of a loop."""
        region = self.graph._region
        tensors = [v.flow if isinstance(v, TensorArray) else v for v in outputs]
        found = [t.op for t in tensors if isinstance(t, Tensor)]
        return [op for op in found if op._region is None or region and region.encloses(op)]

    def _op(self, node: Node, values: Sequence[Tensor], place: Place) -> None:
        kind = "NoOp" if node.op == "ControlTrigger" else node.op
        op: Operation = self.graph.create_op(
            kind, values, attrs=node.attrs, name=self.name(node.name, place)
        )
        for key, value in node.attrs.items():
            if op._attrs.get(key) != value and key in _types(op):
                raise ValueError(
                    f"attribute {key} is {value!r}, but its inputs are of {op._attrs.get(key)!r}"
                )
        self.made[op.name] = op
        place.values[node.name] = list(op.outputs)
        # A pivot has no effect, and what it waits for its owner waits for.
        pivot = node.op == "Identity" and values[0].op.type == "RegionParameter"
        place.ops[node.name] = [] if pivot and not node.controls else [op]

    # ---- conditions

    def _condition(self, item: Condition, place: Place) -> None:
        pred = place.value(item.pred)
        names = [n.name for n in (*item.merges, *item.switches)]
        base = (names[0].rpartition("/")[0] or names[0]) if names else item.pred[0]
        branches = []
        for side, plan in enumerate(item.sides):
            inner = Place(place.prefix, place, item.before.built[side][0] if item.before else None)
            region = Region(self.graph, f"{place.prefix}{base}/{'true' if side else 'false'}")
            if item.before:
                region.source = item.before.built[side][1]
                region.forward = item.before.owner
            elif side in item.sources:
                region.source = item.sources[side].built[side][1]
                region.forward = item.sources[side].owner
            for switch in item.switches:
                inner.values[switch.name] = [place.value(switch.inputs[0])] * 2
                inner.ops[switch.name] = []
            with region:
                self.build(plan, inner)
                leaves = [
                    self.flows.started(merge.name, inner.value(merge.inputs[side]), inner)
                    for merge in item.merges
                ]
            branches.append((inner, region, leaves))
        waits = place.waits(c for n in (*item.switches, *item.merges) for c in n.controls)
        outputs, op = self.decided(
            pred, [(r, leaves) for _, r, leaves in branches], base, waits, place
        )
        item.built, item.owner = [(inner, region) for inner, region, _ in branches], op
        ends = branches[0][2]
        for merge, end, output in zip(item.merges, ends, outputs, strict=True):
            if isinstance(output, Tensor):
                output = apply("Merge", output, name=self.name(merge.name, place))
                self.made[output.op.name] = output.op
                self.flows.follow([end], [output])
            place.values[merge.name] = [output]
            place.ops[merge.name] = [_op_of(output)]

    def decided(
        self,
        pred: Tensor,
        sides: Sequence[tuple[Region, Sequence[Value]]],
        base: str,
        waits: Sequence[Operation],
        place: Place,
    ) -> tuple[list[Value], Operation]:
        """An If of the branches, the false one first, and its results.

        Raises:
          ValueError: the branches give different dtypes, or arrays at different places.
        """
        if not isinstance(pred, Tensor) or pred.dtype.base_dtype.name != "bool":
            raise ValueError(f"{pred!r} is no condition: it must be a scalar bool")
        count = len(sides[0][1])
        every = [[leaves[k] for _, leaves in sides] for k in range(count)]
        lost = {k: joined(v) for k, v in enumerate(every) if isinstance(v[0], Optional)}
        sides = [(r, [v for k, v in enumerate(leaves) if k not in lost]) for r, leaves in sides]
        arrays = {k: v for k, v in enumerate(sides[0][1]) if isinstance(v, TensorArray)}
        for region, leaves in sides:
            with region:
                region.results = region.imported("If", results_of(leaves, arrays))
        pairs = zip(sides[0][0].results, sides[1][0].results, strict=True)
        for a, b in pairs:
            if a.dtype.base_dtype != b.dtype.base_dtype:
                raise ValueError(f"the branches of {base!r} give {a.dtype.name} and {b.dtype.name}")
        regions = [sides[1][0], sides[0][0]]
        name = self.name(f"{base}/If", place)
        with self.graph.control_dependencies(list(waits)):
            op = make_region_op(self.graph, "If", name, [pred], regions)
        found = iter(with_arrays(op.outputs[:-1], arrays))
        check_decision(regions, pred)
        self.owners.update(dict.fromkeys(regions, op))
        return [lost[k] if k in lost else next(found) for k in range(count)], op

    # ---- loops

    def _loop(self, loop: Loop, place: Place) -> None:
        test, body = Place(place.prefix, place), Place(place.prefix, place)
        enters = {e.name: e for e in loop.enters}
        for enter in loop.enters:
            if enter.attrs.get("is_constant", False):
                for inner in (test, body):
                    inner.values[enter.name] = [place.value(enter.inputs[0])]
                    inner.ops[enter.name] = []
        assert loop.decides is not None
        decides = loop.decides
        after = {merge: switch for switch, merge in loop.switches.items()}
        names = [m.name for m in loop.merges]

        source = loop.sources[1].built if loop.sources else None

        def decide(values: Sequence[Value]) -> Value:
            self.flows.follow(first, values)
            for name, value in zip(names, values, strict=True):
                test.values[name], test.ops[name] = [value], []
            self.build(loop.test, test)
            return test.value(decides.inputs[0])

        def turn(values: Sequence[Value]) -> list[Value]:
            self.flows.follow(first, values)
            body_region = self.graph._region
            if source is not None and loop.counter is not None:
                body_region.source, body_region.forward = source
                count = values[names.index(loop.counter)]
                body_region.index = apply("Sub", count, 1)
            for name, value in zip(names, values, strict=True):
                body.values[name], body.ops[name] = [value], []
            for switch, merge in loop.switches.items():
                body.values[switch], body.ops[switch] = body.values[merge] * 2, []
            self.build(loop.body, body)
            return [body.value(loop.nexts[name].inputs[0]) for name in names]

        base = names[0].rpartition("/")[0] or names[0]
        waits = place.waits(c for e in loop.enters for c in e.controls)
        first = [
            self.flows.started(m.name, place.value(enters[m.inputs[0][0]].inputs[0]), place)
            for m in loop.merges
        ]
        unknown = [TensorShape(None)] * len(first)
        params = names, [after.get(name, f"{name}_body") for name in names]
        outputs, op = self.repeated(first, unknown, decide, turn, params, base, waits, place)
        loop.built = op.regions[1], op
        self.flows.follow(first, outputs)
        of = dict(zip(names, outputs, strict=True))
        for end in loop.exits:
            value = of[loop.switches[end.inputs[0][0]]]
            if isinstance(value, Tensor):
                last, value = value, apply("Exit", value, name=self.name(end.name, place))
                self.made[value.op.name] = value.op
                self.flows.follow([last], [value])
            place.values[end.name] = [value]
            place.ops[end.name] = [_op_of(value)]

    def repeated(
        self,
        first: Sequence[Value],
        shapes: Sequence[TensorShape],
        decide: Callable[[Sequence[Value]], Value],
        turn: Callable[[Sequence[Value]], list[Value]],
        names: tuple[Sequence[str], Sequence[str]],
        base: str,
        waits: Sequence[Operation],
        place: Place,
    ) -> tuple[list[Value], Operation]:
        """A While, and the last values of its variables. names: of the parameters of the test and
        of the body.

        Raises:
          ValueError: a variable changes its dtype, or the test gives no bool.
        """
        arrays = {k: v for k, v in enumerate(first) if isinstance(v, TensorArray)}
        starts = results_of(first, arrays)
        masks = starts[len(first) :]
        known = [starts[k].get_shape() if k in arrays else s for k, s in enumerate(shapes)]
        known += [m.get_shape() for m in masks]
        regions = [Region(self.graph, f"{place.prefix}{base}/{n}") for n in ("cond", "body")]
        for region, given in zip(regions, names, strict=True):
            labels = [*given, *[f"{base}/mask"] * len(masks)]
            with region:
                region.params = [
                    apply(
                        "RegionParameter",
                        T=t.dtype.base_dtype,
                        known_shape=shape,
                        name=self.name(label, place),
                    )
                    for t, shape, label in zip(starts, known, labels, strict=True)
                ]
                values = with_arrays(region.params, arrays)
                if region is regions[0]:
                    test = decide(values)
                    if not isinstance(test, Tensor) or test.dtype.base_dtype.name != "bool":
                        raise ValueError(f"the test of the loop {base!r} gives {test!r}, no bool")
                    region.results = results_of([test], {})
                else:
                    region.results = region.imported("While", results_of(turn(values), arrays))
        for a, b in zip(starts, regions[1].results, strict=True):
            if a.dtype.base_dtype != b.dtype.base_dtype:
                raise ValueError(
                    f"a variable of the loop {base!r} is {a.dtype.name}, then {b.dtype.name}"
                )
        with self.graph.control_dependencies(list(waits)):
            op = make_region_op(
                self.graph, "While", self.name(f"{base}/While", place), starts, regions
            )
        return with_arrays(op.outputs[:-1], arrays), op


def _op_of(value: Value) -> Operation:
    tensor = value.flow if isinstance(value, TensorArray) else value
    op: Operation = tensor.op
    return op


def _types(op: Operation) -> set[str]:
    """The attributes of an op that its inputs decide."""
    return {a.type_attr for a in op.defn.signature().inputs if a.type_attr is not None}


def top_values(mapped: Mapping[Key, Tensor]) -> dict[str, list[Value]]:
    """The values of the names that `input_map` makes."""
    return {mapped_name(key): [tensor] for key, tensor in mapped.items()}


def mapped_name(key: Key) -> str:
    """A name that no node has, for an input that another tensor stands for."""
    return f"\0{key[0]}:{key[1]}"
