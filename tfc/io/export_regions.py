"""Conditions and loops as a GraphDef has them: Switch and Merge, Enter, NextIteration and Exit.

Regions are laid out flat. A tensor that a region takes from outside crosses its border once: into a
branch by a Switch, into a loop by a constant Enter. A TensorArray, which is a value here, is a list
of tensors there (`export_lists.py`); so is what a loop keeps for its gradient, and the loop carries
that list as one more variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region

DENSE, LIST, MASK = 0, 1, -1  # depths: of a list of lists it is 2, and so on


class Ref(NamedTuple):
    """What stands for a tensor in a place. text: as an input of a node is written. dtype: of the
    tensors in a list, too. depth: a list is a TensorArray, a mask of one has no counterpart. here:
    computed in the place, not brought there."""

    text: str
    dtype: DType
    depth: int = DENSE
    here: bool = True


class Place:
    """Where nodes stand: the top level, a branch, the test or the body of a loop.

    pivot: a node of the place that runs whenever the place does; what takes nothing from the place
    waits for it.
    """

    def __init__(
        self,
        nodes: Nodes,
        region: Region | None = None,
        parent: Place | None = None,
        cross: Callable[[Ref], Ref] | None = None,
        scope: str = "",
    ):
        self.nodes, self.region, self.parent, self.cross = nodes, region, parent, cross
        self.scope, self.pivot = scope, ""
        self.known: dict[Tensor, Ref] = {}
        self.guarded = False  # what crosses is there only when the place runs

    def ref(self, tensor: Tensor) -> Ref:
        """What stands for `tensor` here."""
        found = self.known.get(tensor)
        if found is None:
            assert self.parent is not None and self.cross is not None, tensor
            outer = self.parent.ref(tensor)
            found = outer if outer.depth == MASK else self.cross(outer)
            self.known[tensor] = found
        return found

    def add(
        self,
        op: str,
        name: str,
        inputs: Sequence[Ref | str],
        attrs: dict[str, Any],
        controls: Iterable[str] = (),
        like: Operation | None = None,
    ) -> str:
        """A node of this place."""
        waits = ["^" + c for c in controls]
        local = any(isinstance(r, str) or r.here or self.guarded for r in inputs)
        if self.pivot and not local and not waits:
            waits = ["^" + self.pivot]
        texts = [r if isinstance(r, str) else r.text for r in inputs]
        self.nodes.add(op, name, [*texts, *waits], attrs, like)
        return name

    def made(self, op: str, inputs: Sequence[Ref | str], **attrs: Any) -> str:
        """A node that no op of the graph has the name of."""
        return self.add(op, self.nodes.unique(f"{self.scope}{op}"), inputs, attrs)

    def const(self, array: Any, dtype: Any = np.int32) -> Ref:
        """A constant."""
        value = np.asarray(array, dtype)
        kind = dtypes.as_dtype(value.dtype)
        return Ref(self.made("Const", [], value=value, dtype=kind), kind)

    def dense(self, ref: Ref) -> Ref:
        """The tensor that `ref` is, its elements stacked if it is a list."""
        if ref.depth <= DENSE:
            return ref
        if ref.depth > LIST:
            raise ValueError(f"{ref.text}: a GraphDef cannot stack lists of lists")
        shape = self.const(-1)
        attrs = {"element_dtype": ref.dtype, "num_elements": -1}
        return Ref(self.made("TensorListStack", [ref, shape], **attrs), ref.dtype)

    def as_deep(self, ref: Ref, depth: int) -> Ref:
        """`ref` as a list or as a tensor."""
        if ref.depth == depth or depth == MASK:
            return ref
        if depth == DENSE:
            return self.dense(ref)
        if depth > LIST:
            raise ValueError(f"{ref.text}: a GraphDef cannot make lists of lists of it")
        attrs = {"element_dtype": ref.dtype, "shape_type": dtypes.int32}
        made = self.made("TensorListFromTensor", [ref, self.const(-1)], **attrs)
        return Ref(made, ref.dtype, LIST)


def wire_type(ref: Ref) -> DType:
    """The dtype that a GraphDef gives what `ref` stands for."""
    return dtypes.variant if ref.depth >= LIST else ref.dtype


def element_type(ref: Ref) -> DType:
    """The dtype of the elements of a list."""
    return dtypes.variant if ref.depth > LIST else ref.dtype


class Nodes:
    """The nodes written so far, each with the number of the op that it is written for."""

    def __init__(self, graph: Any, write: Callable[..., Any]):
        self.taken = {op.name for op in graph.get_operations()}
        self.every: list[tuple[int, Any]] = []
        self.write, self.number, self.device = write, 0, ""

    def unique(self, name: str) -> str:
        found, k = name, 0
        while found in self.taken:
            k += 1
            found = f"{name}_{k}"
        self.taken.add(found)
        return found

    def add(self, op: str, name: str, inputs: Any, attrs: Any, like: Operation | None) -> None:
        self.every.append((self.number, self.write(op, name, inputs, self.device, attrs, like)))


class Regions:
    """The layout of all conditions and loops of a graph.

    plain: writes an op that owns no region. kept: for each owner, the tensors of its regions that
    gradients ask for; counted: loops whose number of turns they ask for.
    """

    def __init__(self, graph: Any, nodes: Nodes, plain: Callable[[Operation, Place], None]):
        self.nodes, self.plain = nodes, plain
        self.kept: dict[Operation, list[Tensor]] = {}
        self.counted: set[Operation] = set()
        self.places: dict[Region, Place] = {}
        self.controls: dict[Operation, list[str]] = {}
        self.records: dict[tuple[Operation, Any], Ref] = {}
        for op in graph.get_operations():
            if op.type == "Residual":
                of_owner = self.kept.setdefault(op._attrs["_owner"], [])
                if op._attrs["_tensor"] not in of_owner:
                    of_owner.append(op._attrs["_tensor"])
            elif op.type == "LoopCount":
                self.counted.add(op._attrs["_owner"])

    def emit(self, ops: Iterable[Operation], place: Place) -> None:
        """Write ops of one place."""
        for op in ops:
            self.nodes.number, self.nodes.device = op._id, op.device
            if op.type == "If":
                self._if(op, place)
            elif op.type == "While":
                self._while(op, place)
            elif op.type != "RegionParameter":
                self.plain(op, place)

    def waits(self, op: Operation) -> list[str]:
        """The nodes that an op waits for: those of its own place. An owner waits for the rest."""
        ours = [c for c in op.control_inputs if c._region is op._region]
        return [name for c in ours for name in self.controls.get(c, [c.name])]

    # ---- conditions

    def _if(self, op: Operation, place: Place) -> None:
        scope = op.name.rpartition("/")[0]
        scope = scope + "/" if scope else ""
        pred = place.dense(place.ref(op.inputs[0]))
        waits = self.waits(op)
        name = self.nodes.unique(f"{scope}Switch")
        place.add("Switch", name, [pred, pred], {"T": dtypes.bool_}, waits)
        results = []
        for region, side, label in zip(op.regions, (1, 0), ("switch_t", "switch_f"), strict=True):
            branch = Place(self.nodes, region, place, scope=scope)
            branch.guarded = True
            branch.cross = self._switch(place, branch, pred, side, waits)
            pivot = Ref(_output(name, side), dtypes.bool_)
            branch.pivot = branch.add(
                "Identity", self.nodes.unique(scope + label), [pivot], {"T": dtypes.bool_}
            )
            self.places[region] = branch
            self.emit(region.ops, branch)
            self.nodes.number, self.nodes.device = op._id, op.device
            results.append([branch.ref(t) for t in region.results])
        then, other = (self.places[region] for region in op.regions)
        ends = []
        for t, f, output in zip(*results, op.outputs[:-1], strict=True):
            depth = max(t.depth, f.depth)
            if depth == MASK:
                place.known[output] = Ref("", t.dtype, MASK)
                continue
            sides = [other.as_deep(f, depth), then.as_deep(t, depth)]
            place.known[output] = self._merged(place, sides, output, scope)
            ends.append(place.known[output].text)
        self.controls[op] = ends or [then.pivot]

    def _switch(
        self, place: Place, branch: Place, pred: Ref, side: int, waits: list[str]
    ) -> Callable[[Ref], Ref]:
        def cross(outer: Ref) -> Ref:
            ref = place.dense(outer) if outer.dtype.is_ref_dtype else outer
            op = "RefSwitch" if ref.dtype.is_ref_dtype else "Switch"
            name = self.nodes.unique(f"{branch.scope}{op}")
            attrs = {"T": wire_type(ref).base_dtype}
            place.add(op, name, [ref, pred], attrs, waits)
            return ref._replace(text=_output(name, side), here=False)

        return cross

    def _merged(self, place: Place, sides: list[Ref], output: Tensor, scope: str) -> Ref:
        """A Merge of the values of the branches, the false one first."""
        end = _end_of(output, "Merge")
        name = end.name if end else self.nodes.unique(f"{scope}Merge")
        attrs = {"T": wire_type(sides[0]).base_dtype, "N": len(sides)}
        place.add("Merge", name, sides, attrs)
        ref = sides[0]._replace(text=name, here=True)
        if end:
            place.known[end.outputs[0]] = ref
        return ref

    def kept_of_branch(self, op: Operation, place: Place) -> None:
        """A Residual of a condition: the value of the tensor, or zeros if its branch is not
        taken."""
        owner, tensor = op._attrs["_owner"], op._attrs["_tensor"]
        ours = self.places[tensor.op._region]
        (other,) = (self.places[r] for r in owner.regions if r is not tensor.op._region)
        value = ours.ref(tensor)
        if value.depth >= LIST:
            empty = value._replace(text=empty_list(other, element_type(value)), here=True)
        else:
            known = tensor.get_shape()
            extents = known.as_list() if known.is_fully_defined() else []
            empty = other.const(_nothing(value.dtype, extents), None)
        number = 1 if owner.regions[0] is tensor.op._region else 0
        sides = [value, empty] if number == 0 else [empty, value]
        place.add("Merge", op.name, sides, {"T": wire_type(value).base_dtype, "N": 2})
        place.known[op.outputs[0]] = value._replace(text=op.name, here=True)

    # ---- loops

    def _while(self, op: Operation, place: Place) -> None:
        scope = op.name.rpartition("/")[0]
        scope = scope + "/" if scope else ""
        count = len(op.outputs) - 1
        loop = _Loop(self, op, place, scope)
        test, body = op.regions
        inits = [place.ref(t) for t in op.inputs[:count]]
        carried: list[tuple[Any, Ref, str, str]] = []  # key, first value, names in test and body
        for k, init in enumerate(inits):
            names = test.params[k].op.name, body.params[k].op.name
            if init.depth == MASK:
                loop.test.known[test.params[k]] = loop.body.known[body.params[k]] = init
                place.known[op.outputs[k]] = init
            else:
                carried.append((k, init, *names))
        unique = self.nodes.unique
        for key, init in self._extra(op, place):
            carried.append((key, init, unique(f"{scope}Merge"), unique(f"{scope}Identity")))
        for key, init, *_ in carried:
            loop.enter(key, init)
        for key, _, merge, _ in carried:
            loop.merge(key, merge, test.params[key] if isinstance(key, int) else None)
        self.emit(test.ops, loop.test)
        self.nodes.number, self.nodes.device = op._id, op.device
        loop.decide(loop.test.dense(loop.test.ref(test.results[0])))
        for key, _, merge, name in carried:
            loop.switch(key, merge, name, body.params[key] if isinstance(key, int) else None)
        self.places[test], self.places[body] = loop.test, loop.body
        self.emit(body.ops, loop.body)
        self.nodes.number, self.nodes.device = op._id, op.device
        for key, *_ in carried:
            loop.next(key, self._next(op, loop, key, body))
            if isinstance(key, int):
                end = _end_of(op.outputs[key], "Exit")
                ref = place.known[op.outputs[key]] = loop.exit(key, end.name if end else None)
                if end:
                    place.known[end.outputs[0]] = ref
            else:
                self.records[op, key] = loop.exit(key)
        self.controls[op] = [loop.exit(carried[0][0]).text]

    def _extra(self, op: Operation, place: Place) -> list[tuple[Any, Ref]]:
        """Variables that a loop has for its gradient: its count, and lists of what it keeps."""
        extra: list[tuple[Any, Ref]] = []
        if op in self.counted:
            extra.append(("count", place.const(0)))
        for tensor in self.kept.get(op, []):
            name = self.nodes.unique(f"{place.scope}EmptyTensorList")
            extra.append((tensor, Ref(name, tensor.dtype.base_dtype, LIST)))
        return extra

    def _next(self, op: Operation, loop: _Loop, key: Any, body: Region) -> Ref:
        """The next value of a variable of the loop."""
        now = loop.now[key]
        place = loop.body
        if isinstance(key, int):
            return place.as_deep(place.ref(body.results[key]), now.depth)
        if key == "count":
            one = place.const(1)
            return Ref(place.made("AddV2", [now, one], T=dtypes.int32), dtypes.int32)
        value = place.ref(key)
        kept = loop.inits[key] = loop.inits[key]._replace(depth=value.depth + 1)
        empty_list(loop.place, element_type(kept), kept.text)
        name = place.made("TensorListPushBack", [now, value], element_dtype=element_type(kept))
        return Ref(name, now.dtype, kept.depth)


def empty_list(place: Place, dtype: DType, name: str | None = None) -> str:
    """A list of no elements, to which some of any shape may be added."""
    name = name or place.nodes.unique(f"{place.scope}EmptyTensorList")
    attrs = {"element_dtype": dtype, "shape_type": dtypes.int32}
    return place.add("EmptyTensorList", name, [place.const(-1), place.const(-1)], attrs)


class _Loop:
    """The nodes of one loop."""

    def __init__(self, regions: Regions, op: Operation, place: Place, scope: str):
        self.nodes, self.op, self.place, self.scope = regions.nodes, op, place, scope
        self.waits = regions.waits(op)
        self.frame = f"{op.name}_context"
        self.test, self.body = (Place(self.nodes, r, place, self._cross, scope) for r in op.regions)
        self.entered: dict[Ref, Ref] = {}
        self.inits: dict[Any, Ref] = {}
        self.firsts: dict[Any, Ref] = {}
        self.nexts: dict[Any, str] = {}
        self.now: dict[Any, Ref] = {}
        self.switches: dict[Any, str] = {}
        self.exits: dict[Any, Ref] = {}
        self.decision = ""

    def _enter(self, ref: Ref, constant: bool) -> Ref:
        op = "RefEnter" if ref.dtype.is_ref_dtype else "Enter"
        name = self.nodes.unique(f"{self.scope}{op}")
        attrs = {
            "T": wire_type(ref).base_dtype, "frame_name": self.frame, "is_constant": constant,
            "parallel_iterations": self.op._attrs.get("_parallel_iterations", 10),
        }  # fmt: skip
        self.place.add(op, name, [ref], attrs, self.waits)
        return ref._replace(text=name, here=False)

    def _cross(self, outer: Ref) -> Ref:
        if outer not in self.entered:
            self.entered[outer] = self._enter(outer, True)
        return self.entered[outer]

    def enter(self, key: Any, init: Ref) -> None:
        self.inits[key], self.firsts[key] = init, self._enter(init, False)

    def merge(self, key: Any, name: str, param: Tensor | None) -> None:
        """The value of a variable in each test."""
        first = self.firsts[key]
        self.nexts[key] = self.nodes.unique(f"{self.scope}NextIteration")
        attrs = {"T": wire_type(first).base_dtype, "N": 2}
        self.test.add("Merge", name, [first.text, self.nexts[key]], attrs)
        self.test.pivot = self.test.pivot or name
        if param is not None:
            self.test.known[param] = first._replace(text=name, here=True)

    def decide(self, pred: Ref) -> None:
        self.decision = self.nodes.unique(f"{self.scope}LoopCond")
        self.test.add("LoopCond", self.decision, [pred], {})

    def switch(self, key: Any, merge: str, name: str, param: Tensor | None) -> None:
        """The value of a variable in each turn."""
        first = self.firsts[key]
        kind = {"T": wire_type(first).base_dtype}
        switch = self.switches[key] = self.nodes.unique(f"{self.scope}Switch")
        self.test.add("Switch", switch, [merge, self.decision], kind)
        self.body.add("Identity", name, [f"{switch}:1"], kind)
        self.body.pivot = self.body.pivot or name
        self.now[key] = first._replace(text=name, here=True)
        if param is not None:
            self.body.known[param] = self.now[key]

    def next(self, key: Any, ref: Ref) -> None:
        """The end of a turn. What was brought into the loop must not start one by itself."""
        kind = {"T": wire_type(ref).base_dtype}
        if not ref.here:
            ref = ref._replace(text=self.body.made("Identity", [ref], **kind), here=True)
        self.body.add("NextIteration", self.nexts[key], [ref], kind)

    def exit(self, key: Any, name: str | None = None) -> Ref:
        """The last value of a variable, outside."""
        if key not in self.exits:
            name, first = name or self.nodes.unique(f"{self.scope}Exit"), self.firsts[key]
            kind = {"T": wire_type(first).base_dtype}
            self.place.add("Exit", name, [self.switches[key]], kind)
            self.exits[key] = self.inits[key]._replace(text=name, here=True)
        return self.exits[key]


def _end_of(output: Tensor, kind: str) -> Operation | None:
    """The op that has TensorFlow's name for an output of a condition or a loop."""
    return next((op for op in output.consumers() if op.type == kind), None)


def _output(name: str, number: int) -> str:
    return f"{name}:{number}" if number else name


def _nothing(dtype: DType, extents: Sequence[int | None]) -> np.ndarray:
    """Zeros that no one reads."""
    if dtype.name == "string":
        return np.full(tuple(extents), b"", object)  # type: ignore[arg-type]
    return np.zeros(tuple(extents), dtype.as_numpy_dtype)  # type: ignore[arg-type]
