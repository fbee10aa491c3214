"""One LLVM function as text, under construction: instructions, scopes, loops.

We write LLVM's assembly ourselves: it is faster to make than objects, and says exactly what will
be compiled, so that kernels with equal text are one kernel.

A `Scope` is the body of a loop (or of the function). While a loop is open, code for an enclosing
scope goes in front of the loop (its `pre` region), so whatever does not vary with a loop variable
is written where it runs least: there is no loop-invariant motion pass behind us. Everything we
emit is total and every load is in bounds, so running it early is always allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfc.codegen.values import V, element_of, i64, is_float, lanes_of, suffix, vec


class Region:
    """Lines in the order they run; `label` is the block that the last of them is in."""

    __slots__ = ("label", "lines")

    def __init__(self, label: str):
        self.lines: list[str] = []
        self.label = label


class Scope:
    """A loop body, a guarded block or the function body, with the packets computed in it."""

    __slots__ = ("depth", "label", "memo", "parent", "regions")

    def __init__(self, parent: Scope | None, label: str):
        self.parent = parent
        self.label = label
        self.depth: int = parent.depth + 1 if parent else 0
        self.regions = [Region(label)]
        self.memo: dict[Any, Any] = {}


class Loop:
    """An open loop. Set `next` values of the carried values before the body ends; read `results`
    after it. The loop ends early after an iteration that has set `stop` to a true i1. Its body may
    change `high` and `step`, to do several iterations in one."""

    __slots__ = ("_next", "carried", "high", "index", "results", "step", "stop")

    def __init__(self, index: V, carried: Sequence[V], high: V, step: int):
        self.index, self.high, self.step = index, high, step
        self.carried = list(carried)
        self._next: list[V] | None = None
        self.stop: V | None = None
        self.results: list[V] = []

    def next(self, values: Sequence[V]) -> None:
        """The carried values for the next iteration."""
        assert len(values) == len(self.carried), "as many next values as carried ones"
        self._next = list(values)

    def taken(self) -> list[V]:
        """The next values, given by the body."""
        assert self._next is not None or not self.carried, "carried values need next()"
        return self._next or []


class Repeat:
    """An open loop of unknown length. `carried`: the values of this turn, and after the loop the
    last ones."""

    __slots__ = ("_next", "_text", "carried", "leave")

    def __init__(self, text: Text, carried: Sequence[V], leave: str):
        self._text = text
        self.carried = list(carried)
        self.leave = leave
        self._next: list[V] | None = None

    def go_on(self, condition: V) -> None:
        """End the test: what follows is the body, which runs if `condition` (i1) is true."""
        text = self._text
        region, body = text.scope.regions[-1], text.new_label()
        region.lines.append(f"br i1 {condition.ref}, label %{body}, label %{self.leave}")
        region.lines.append(f"{body}:")
        region.label = body

    def next(self, values: Sequence[V]) -> None:
        """The carried values of the next turn."""
        assert len(values) == len(self.carried), "as many next values as carried ones"
        self._next = list(values)

    def taken(self) -> list[V]:
        """The next values, given by the body."""
        assert self._next is not None, "a loop needs next()"
        return self._next


class Text:
    """The text of one function: instructions go to the innermost open scope.

    half: the target converts between float16 and float32 itself; else we write it out. scales: it
    multiplies packets by powers of two (AVX-512). widens: LLVM had better not know what masks are.
    """

    def __init__(self, half: bool = True, scales: bool = False, widens: bool = False) -> None:
        self.half, self.scales, self.widens = half, scales, widens
        self.root = Scope(None, "entry")
        self.scope = self.root
        self.declares: dict[str, str] = {}
        self.foreign: set[str] = set()  # those of the declared functions that are LAPACK's
        self.globals: list[str] = []
        self._count = 0

    # -- instructions ---------------------------------------------------------------------------
    def line(self, text: str) -> None:
        self.scope.regions[-1].lines.append(text)

    def fresh(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def ins(self, text: str, type: str) -> V:
        """An instruction with a result."""
        self._count += 1
        name = f"%v{self._count}"
        self.scope.regions[-1].lines.append(f"{name} = {text}")
        return V(name, type)

    def op(self, opcode: str, a: V, b: V) -> V:
        return self.ins(f"{opcode} {a.type} {a.ref}, {b.ref}", a.type)

    def neg(self, a: V) -> V:
        return self.ins(f"fneg {a.type} {a.ref}", a.type)

    def cmp(self, predicate: str, a: V, b: V) -> V:
        """`predicate` is LLVM's: slt, ult, eq, olt, une ..."""
        opcode = "fcmp" if is_float(a.type) else "icmp"
        return self.ins(
            f"{opcode} {predicate} {a.type} {a.ref}, {b.ref}", vec("i1", lanes_of(a.type))
        )

    def select(self, p: V, a: V, b: V) -> V:
        return self.ins(f"select {p.type} {p.ref}, {a.type} {a.ref}, {b.type} {b.ref}", a.type)

    def cast(self, opcode: str, a: V, element: str) -> V:
        """`a` lane by lane to elements of type `element`."""
        type = vec(element, lanes_of(a.type))
        return a if type == a.type else self.ins(f"{opcode} {a.type} {a.ref} to {type}", type)

    def call(self, type: str, name: str, *args: V, notes: Sequence[str] = ()) -> V:
        """Call an intrinsic or external function; `notes` are parameter attributes by position."""
        types = ", ".join(a.type for a in args)
        self.declares.setdefault(name, f"declare {type} @{name}({types})")
        listed = []
        for position, a in enumerate(args):
            note = notes[position] + " " if position < len(notes) and notes[position] else ""
            listed.append(f"{a.type} {note}{a.ref}")
        text = f"call {type} @{name}({', '.join(listed)})"
        if type == "void":
            self.line(text)
            return V("", "void")
        return self.ins(text, type)

    def intrinsic(self, name: str, *args: V) -> V:
        """`llvm.<name>` overloaded on the type of its first argument, which is the result's."""
        return self.call(args[0].type, f"llvm.{name}.{suffix(args[0].type)}", *args)

    def fma(self, a: V, b: V, c: V) -> V:
        return self.intrinsic("fma", a, b, c)

    def splat(self, a: V, lanes: int) -> V:
        """A scalar in every lane."""
        if lanes == 1:
            return a
        type = vec(a.type, lanes)
        if a.ref[0] not in "%@":
            return V(f"splat ({a.type} {a.ref})", type)
        one = self.ins(f"insertelement {type} poison, {a.type} {a.ref}, i64 0", type)
        return self.ins(
            f"shufflevector {type} {one.ref}, {type} poison, <{lanes} x i32> zeroinitializer", type
        )

    def shuffle(self, a: V, b: V | None, lanes: Sequence[int]) -> V:
        """Lanes of `a` (and `b` after it) by position; needs at least two lanes each."""
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        second = b.ref if b else "poison"
        type = vec(element_of(a.type), len(lanes))
        return self.ins(
            f"shufflevector {a.type} {a.ref}, {a.type} {second}, <{len(lanes)} x i32> <{mask}>",
            type,
        )

    def extract(self, a: V, lane: int) -> V:
        """One lane, as a scalar."""
        if a.type[0] != "<":
            return a
        return self.ins(f"extractelement {a.type} {a.ref}, i64 {lane}", element_of(a.type))

    def insert(self, a: V, value: V, lane: int) -> V:
        if a.type[0] != "<":
            return value
        return self.ins(
            f"insertelement {a.type} {a.ref}, {value.type} {value.ref}, i64 {lane}", a.type
        )

    def load(self, type: str, ptr: V, align: int) -> V:
        return self.ins(f"load {type}, ptr {ptr.ref}, align {align}", type)

    def store(self, value: V, ptr: V, align: int) -> None:
        self.line(f"store {value.type} {value.ref}, ptr {ptr.ref}, align {align}")

    def stream(self, value: V, ptr: V, align: int) -> None:
        """A store that leaves no line in the caches."""
        at = f"ptr {ptr.ref}, align {align}"
        self.line(f"store {value.type} {value.ref}, {at}, !nontemporal !{{i32 1}}")

    def gep(self, ptr: V, index: V | int, element: str) -> V:
        """The address of element `index` (i64, may be negative) behind `ptr`."""
        at = index if isinstance(index, V) else i64(index)
        if at.ref == "0":
            return ptr
        return self.ins(f"getelementptr {element}, ptr {ptr.ref}, i64 {at.ref}", "ptr")

    def opaque(self, a: V) -> V:
        """`a`, of which LLVM knows nothing: no instruction. Addresses that a large body makes of it
        stay base and offset; LLVM's loop strength reduction would look for better ones by trial.
        Of packets on x86."""
        kind = "x" if a.type[0] == "<" else "r"
        return self.ins(f'call {a.type} asm "", "={kind},0"({a.type} {a.ref})', a.type)

    def alloca(self, type: str, align: int = 64) -> V:
        """Stack memory of the whole function (placed in its first block)."""
        name = self.fresh()
        self.root.regions[0].lines.insert(0, f"{name} = alloca {type}, align {align}")
        return V(name, "ptr")

    # -- 64-bit index arithmetic, folding constants ---------------------------------------------
    def add(self, a: V, b: V) -> V:
        if a.ref == "0":
            return b
        if b.ref == "0":
            return a
        if _is_literal(a) and _is_literal(b):
            return i64(int(a.ref) + int(b.ref))
        return self.op("add", a, b)

    def mul(self, a: V, factor: int) -> V:
        if factor == 1:
            return a
        if factor == 0 or _is_literal(a):
            return i64(int(a.ref) * factor if factor else 0)
        return self.op("mul", a, V(str(factor), a.type))

    def minimum(self, a: V, b: V) -> V:
        if _is_literal(a) and _is_literal(b):
            return i64(min(int(a.ref), int(b.ref)))
        return self.intrinsic("smin", a, b)

    # -- control flow ---------------------------------------------------------------------------
    def new_label(self) -> str:
        """A name for a block."""
        self._count += 1
        return f"b{self._count}"

    @contextmanager
    def at(self, scope: Scope) -> Iterator[None]:
        """Write into an enclosing scope: in front of the loops that are open inside it."""
        saved, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = saved

    @contextmanager
    def loop(
        self, lo: V | int, hi: V | int, step: int = 1, carried: Sequence[V] = ()
    ) -> Iterator[Loop]:
        """for index in range(lo, hi, step), with values carried from one iteration to the next.

        Bounds are i64. Where both are Python ints the range must not be empty, and a single
        iteration makes no loop; else the loop may run zero times, and its results are then the
        initial values.
        """
        low = i64(lo) if isinstance(lo, int) else lo
        high = i64(hi) if isinstance(hi, int) else hi
        if isinstance(lo, int) and isinstance(hi, int):
            assert lo < hi, f"empty loop {lo}..{hi}"
            if lo + step >= hi:
                once = Loop(low, carried, high, step)
                yield once
                once.results = once.taken()
                return
        parent, header = self.scope, self.new_label()
        pre = Region(parent.regions[-1].label)
        parent.regions.append(pre)
        self.scope = child = Scope(parent, header)
        index, phis = V(self.fresh(), "i64"), [V(self.fresh(), v.type) for v in carried]
        loop = Loop(index, phis, high, step)
        yield loop
        assert self.scope is child and len(child.regions) == 1, "unbalanced scopes"
        self._close_loop(loop, child, low, carried, guarded=low is lo or high is hi)

    def _close_loop(
        self,
        loop: Loop,
        child: Scope,
        low: V,
        carried: Sequence[V],
        guarded: bool,
    ) -> None:
        high, step = loop.high, loop.step
        parent, body = child.parent, child.regions[0]
        assert parent is not None
        pre, target = parent.regions.pop(), parent.regions[-1]
        self.scope = parent
        header, leave = child.label, self.new_label()
        lines, entry, nexts = target.lines, pre.label, loop.taken()
        lines += pre.lines
        if guarded:
            runs = self.fresh()
            lines.append(f"{runs} = icmp slt i64 {low.ref}, {high.ref}")
            lines.append(f"br i1 {runs}, label %{header}, label %{leave}")
        else:
            lines.append(f"br label %{header}")
        lines.append(f"{header}:")
        after, more, index = self.fresh(), self.fresh(), loop.index.ref
        lines.append(f"{index} = phi i64 [{low.ref}, %{entry}], [{after}, %{body.label}]")
        for phi, first, new in zip(loop.carried, carried, nexts, strict=True):
            lines.append(
                f"{phi.ref} = phi {phi.type} [{first.ref}, %{entry}], [{new.ref}, %{body.label}]"
            )
        lines += body.lines
        lines.append(f"{after} = add nsw i64 {index}, {step}")
        lines.append(f"{more} = icmp slt i64 {after}, {high.ref}")
        if loop.stop is not None:
            again = self.fresh()
            lines.append(f"{again} = select i1 {loop.stop.ref}, i1 false, i1 {more}")
            more = again
        lines.append(f"br i1 {more}, label %{header}, label %{leave}")
        lines.append(f"{leave}:")
        target.label = leave
        if not guarded:
            loop.results = nexts
            return
        for first, new in zip(carried, nexts, strict=True):
            out = f"phi {new.type} [{first.ref}, %{entry}], [{new.ref}, %{body.label}]"
            loop.results.append(self.ins(out, new.type))

    @contextmanager
    def repeat(self, carried: Sequence[V]) -> Iterator[Repeat]:
        """A loop whose length is not known, its test at the head. Inside: write the test, give it
        to `go_on`, write the body, give the next values to `next`. After it, `carried` are the
        values at which the test failed."""
        parent, header = self.scope, self.new_label()
        pre = Region(parent.regions[-1].label)
        parent.regions.append(pre)
        self.scope = child = Scope(parent, header)
        phis = [V(self.fresh(), v.type) for v in carried]
        loop = Repeat(self, phis, self.new_label())
        yield loop
        assert self.scope is child and len(child.regions) == 1, "unbalanced scopes"
        self.scope = parent
        parent.regions.pop()
        target, body = parent.regions[-1], child.regions[0]
        lines, last = target.lines, loop.taken()
        lines += pre.lines
        lines += [f"br label %{header}", f"{header}:"]
        for phi, first, new in zip(phis, carried, last, strict=True):
            ways = f"[{first.ref}, %{pre.label}], [{new.ref}, %{body.label}]"
            lines.append(f"{phi.ref} = phi {phi.type} {ways}")
        lines += body.lines
        lines += [f"br label %{header}", f"{loop.leave}:"]
        target.label = loop.leave

    def choose(
        self,
        condition: V,
        on_true: Callable[[], Sequence[V]],
        on_false: Callable[[], Sequence[V]],
    ) -> list[V]:
        """What one of the two writes and gives: the first if `condition` (i1) is true."""
        parent = self.scope
        pre = Region(parent.regions[-1].label)
        parent.regions.append(pre)
        arms = []
        for write in (on_true, on_false):
            self.scope = child = Scope(parent, self.new_label())
            arms.append((child, write()))
            assert self.scope is child and len(child.regions) == 1, "unbalanced scopes"
        self.scope = parent
        parent.regions.pop()
        target, leave = parent.regions[-1], self.new_label()
        one, other = (arm.label for arm, _ in arms)
        target.lines += pre.lines
        target.lines.append(f"br i1 {condition.ref}, label %{one}, label %{other}")
        for arm, _ in arms:
            target.lines += [f"{arm.label}:", *arm.regions[0].lines, f"br label %{leave}"]
        target.lines.append(f"{leave}:")
        target.label = leave
        ends = [arm.regions[0].label for arm, _ in arms]
        return [
            self.ins(f"phi {a.type} [{a.ref}, %{ends[0]}], [{b.ref}, %{ends[1]}]", a.type)
            for a, b in zip(arms[0][1], arms[1][1], strict=True)
        ]

    @contextmanager
    def when(self, condition: V, returns: V | None = None) -> Iterator[None]:
        """Code that runs if `condition` (i1) is true, and then leaves the function with `returns`
        if that is given. No values leave it."""
        parent, inside = self.scope, self.new_label()
        pre = Region(parent.regions[-1].label)
        parent.regions.append(pre)
        self.scope = child = Scope(parent, inside)
        yield
        assert self.scope is child and len(child.regions) == 1, "unbalanced scopes"
        self.scope = parent
        parent.regions.pop()
        target, leave = parent.regions[-1], self.new_label()
        target.lines += pre.lines
        target.lines.append(f"br i1 {condition.ref}, label %{inside}, label %{leave}")
        target.lines.append(f"{inside}:")
        target.lines += child.regions[0].lines
        end = f"ret {returns.type} {returns.ref}" if returns else f"br label %{leave}"
        target.lines.append(end)
        target.lines.append(f"{leave}:")
        target.label = leave

    def body(self) -> str:
        """The finished lines."""
        assert self.scope is self.root and len(self.root.regions) == 1, "a scope is still open"
        return "\n".join(self.root.regions[0].lines)


def _is_literal(a: V) -> bool:
    return a.ref[0] not in "%@"
