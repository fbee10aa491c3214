"""The functions of a GraphDef's library: If, While and calls of them, inlined where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region
from tfc.io.import_build import Builder, Place, Value
from tfc.io.import_nodes import Called, Key, Node, check_inputs, ordered, read_nodes
from tfc.io.import_parts import DEEPEST
from tfc.io.import_plan import plan

MOST_NODES = 1 << 20  # that calls may make, all in all


@dataclass
class Function:
    """One function. returns: what stands for each output. waits: nodes that run in any case."""

    name: str
    args: list[str]
    types: list[Any]
    nodes: dict[str, Node]
    plan: list[Any]
    returns: list[Key]
    waits: list[str]


class Functions:
    """The functions of a library that nodes call, read and checked.

    Raises:
      ValueError: one is not there, is called by itself, or is no function.
    """

    def __init__(self, library: Any):
        self.protos = {f.signature.name: f for f in library.function}
        if len(self.protos) < len(library.function):
            raise ValueError("graph_def has two functions of one name")
        self.every: dict[str, Function] = {}
        self.sizes: dict[str, int] = {}  # how many nodes a call makes
        self.decisions: dict[Any, Tensor] = {}  # which branch of a Case: by index, number, region

    def all_nodes(self) -> list[Node]:
        """The nodes of all functions that are called."""
        return [node for function in self.every.values() for node in function.nodes.values()]

    def read(self, nodes: Mapping[str, Node]) -> None:
        """Read the functions that `nodes` call, and those that these call."""
        path = [("", iter(self._called(nodes)))]
        while path:
            name = next(path[-1][1], None)
            if name is None:
                done, _ = path.pop()
                self._measure(done, self.every[done].nodes if done else nodes)
            elif any(name == caller for caller, _ in path):
                raise ValueError(f"function {name!r} calls itself")
            elif len(path) > DEEPEST:
                raise ValueError(f"function {name!r}: calls are nested too deep")
            elif name not in self.every:
                found = self.every[name] = _read(self.protos[name], self.protos)
                path.append((name, iter(self._called(found.nodes))))

    def _measure(self, name: str, nodes: Mapping[str, Node]) -> None:
        calls = [call for node in nodes.values() for call in _calls(node)]
        self.sizes[name] = len(nodes) + sum(self.sizes[call] for call in calls)
        if self.sizes[name] > MOST_NODES:
            raise ValueError(f"calls of functions make more than {MOST_NODES} nodes")

    def _called(self, nodes: Mapping[str, Node]) -> list[str]:
        found: dict[str, None] = {}
        for node in nodes.values():
            for value in _calls(node):
                if value not in self.protos:
                    raise ValueError(f"Node {node.name!r}: there is no function {value!r}")
                found[str(value)] = None
        return list(found)

    def _of(self, node: Node, attr: str, number: int | None = None) -> Function:
        name = node.attrs.get(attr)
        if number is not None:
            name = name[number] if isinstance(name, list) else None
        if not isinstance(name, Called):
            raise ValueError(f"attribute {attr} of op {node.op} names no function")
        return self.every[name]

    def outputs(
        self, builder: Builder, node: Node, values: Sequence[Value], place: Place
    ) -> list[Value]:
        """The outputs of a node that calls functions."""
        if node.op in ("If", "StatelessIf"):
            outputs, op = self._if(builder, node, values, place)
        elif node.op in ("Case", "StatelessCase"):
            outputs, op = self._case(builder, node, values, place)
        elif node.op in ("While", "StatelessWhile"):
            outputs, op = self._while(builder, node, values, place)
        else:
            outputs, inner, function = self._call(
                builder, self._of(node, "f"), values, f"{place.prefix}{node.name}/"
            )
            place.ops[node.name] = inner.waits(function.waits)
            if not place.ops[node.name]:
                place.ops[node.name] = [v.op for v in outputs if hasattr(v, "op")]
            return outputs
        place.ops[node.name] = [op]
        builder.made.setdefault(place.prefix + node.name, op)
        return outputs

    def _call(
        self, builder: Builder, function: Function, values: Sequence[Value], prefix: str
    ) -> tuple[list[Value], Place, Function]:
        if len(values) != len(function.args):
            raise ValueError(
                f"function {function.name!r} takes {len(function.args)} values, not {len(values)}"
            )
        for value, dtype, arg in zip(values, function.types, function.args, strict=True):
            given = getattr(value, "dtype", None)
            if dtype is None or given is None or hasattr(value, "flow"):
                continue
            if given.base_dtype.as_datatype_enum != dtype:
                raise ValueError(f"argument {arg!r} of {function.name!r} is {given.name}")
        place = Place(prefix)
        place.values = {arg: [v] for arg, v in zip(function.args, values, strict=True)}
        place.ops = {arg: [] for arg in function.args}
        builder.build(function.plan, place)
        return [place.value(key) for key in function.returns], place, function

    def _if(
        self, builder: Builder, node: Node, values: Sequence[Value], place: Place
    ) -> tuple[list[Value], Operation]:
        sides = []
        for attr in ("else_branch", "then_branch"):
            region = Region(builder.graph, f"{place.prefix}{node.name}/{attr}")
            prefix = f"{place.prefix}{node.name}/{attr.removesuffix('_branch')}/"
            with region:
                results, _, _ = self._call(builder, self._of(node, attr), values[1:], prefix)
            sides.append((region, results))
        if len(sides[0][1]) != len(sides[1][1]):
            raise ValueError("the branches give different numbers of values")
        return builder.decided(values[0], sides, node.name, [], place)

    def _case(
        self, builder: Builder, node: Node, values: Sequence[Value], place: Place
    ) -> tuple[list[Value], Operation]:
        """One of several branches, the last one where the index is none of theirs."""
        branches = node.attrs.get("branches")
        if not isinstance(branches, list) or len(branches) < 1 or not values:
            raise ValueError("a Case has an index and one branch or more")
        last = len(branches) - 1

        def branch(number: int) -> list[Value]:
            prefix = f"{place.prefix}{node.name}/branch{number}/"
            function = self._of(node, "branches", number)
            return self._call(builder, function, values[1:], prefix)[0]

        def build(number: int, inside: Place) -> tuple[list[Value], Operation]:
            label = f"{node.name}/branch{number}"
            key = values[0], number, builder.graph._region
            if key not in self.decisions:  # which a gradient takes again
                self.decisions[key] = apply("Equal", values[0], number)
            regions = [Region(builder.graph, f"{place.prefix}{label}/{n}") for n in ("else", "if")]
            with regions[1]:
                chosen = branch(number)
            with regions[0]:
                others = branch(last) if number + 1 >= last else build(number + 1, inside)[0]
            if len(chosen) != len(others):
                raise ValueError("the branches give different numbers of values")
            sides = [(regions[0], others), (regions[1], chosen)]
            return builder.decided(
                self.decisions[key], sides, label if number else node.name, [], inside
            )

        return build(0, place)

    def _while(
        self, builder: Builder, node: Node, values: Sequence[Value], place: Place
    ) -> tuple[list[Value], Operation]:
        test, body = self._of(node, "cond"), self._of(node, "body")
        count = len(values)
        if len(body.returns) != count or len(test.returns) != 1:
            raise ValueError("the functions of a loop give too many values, or too few")
        # What the body hands on as it is stays what it was.
        fixed = {k for k in range(count) if body.returns[k] == (body.args[k], 0)}
        varying = [k for k in range(count) if k not in fixed]
        if not varying:
            raise ValueError("a loop without variables that change")
        shapes = node.attrs.get("output_shapes", [])
        if len(shapes) != count:
            shapes = [TensorShape(None)] * count

        def whole(given: Sequence[Value]) -> list[Value]:
            now = list(values)
            for k, value in zip(varying, given, strict=True):
                now[k] = value
            return now

        def run(function: Function, given: Sequence[Value], part: str) -> list[Value]:
            prefix = f"{place.prefix}{node.name}/{part}/"
            return self._call(builder, function, whole(given), prefix)[0]

        def turn(given: Sequence[Value]) -> list[Value]:
            results = run(body, given, "body")
            return [results[k] for k in varying]

        names = [f"{node.name}/cond/{test.args[k]}" for k in varying]
        inner = [f"{node.name}/body/{body.args[k]}" for k in varying]
        outputs, op = builder.repeated(
            [values[k] for k in varying],
            [shapes[k] for k in varying],
            lambda given: run(test, given, "cond")[0],
            turn,
            (names, inner),
            node.name,
            [],
            place,
        )
        return whole(outputs), op


def _calls(node: Node) -> list[Called]:
    """The functions that the attributes of a node name."""
    values = [v if isinstance(v, list) else [v] for v in node.attrs.values()]
    return [call for value in values for call in value if isinstance(call, Called)]


def _read(proto: Any, library: Mapping[str, Any]) -> Function:
    """One function of a library, checked."""
    name = proto.signature.name
    args = [arg.name for arg in proto.signature.input_arg]
    for arg in (*proto.signature.input_arg, *proto.signature.output_arg):
        if arg.number_attr or arg.type_list_attr or arg.type_attr:
            raise ValueError(f"function {name!r}: argument {arg.name!r} is of no one dtype")
    types = [None if arg.type in (20, 21) else arg.type for arg in proto.signature.input_arg]
    nodes = read_nodes(proto.node_def, library)
    both = sorted(set(args) & set(nodes))
    if both:
        raise ValueError(f"function {name!r}: {both[0]!r} is both an argument and a node")
    check_inputs(nodes, args)
    returns = []
    for arg in proto.signature.output_arg:
        probe = Node(arg.name, "Identity", inputs=[_key(name, proto.ret.get(arg.name, ""))])
        check_inputs({**nodes, "\0": probe}, args)
        returns.append(probe.inputs[0])
    waits = list(proto.control_ret.values())
    lost = [n for n in waits if n not in nodes]
    if lost:
        raise ValueError(f"function {name!r}: there is no node {lost[0][:80]!r}")
    return Function(name, args, types, nodes, plan(nodes, ordered(nodes)), returns, waits)


def _key(function: str, text: str) -> Key:
    name, _, rest = text.partition(":")
    output, _, number = rest.rpartition(":")
    if not name or (rest and not number.isdigit()):
        raise ValueError(f"function {function!r} returns {text[:80]!r}, which is nothing")
    return (name, (output, int(number))) if output else (name, int(number or 0))
