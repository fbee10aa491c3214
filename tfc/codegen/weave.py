"""The order of instructions in loops whose time is arithmetic.

What such a loop waits for is chains: a function of one packet is 40 to 120 cycles of instructions
that need each other, and a core looks some hundred instructions ahead. So several packets are
computed in one turn of the loop, and their instructions are written by depth, each no earlier than
what needs it asks for: the chains run side by side. What is computed does not change, only its
order. Where memory decides there is nothing to gain: the gates of an LSTM's training step, which
store eight packets for five that they load, take 2% longer that way.

Packets of such a loop must not need each other: none reads what another one writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tfc.base.target import Target
from tfc.codegen.text import Loop, Text
from tfc.codegen.values import V, i64, lanes_of

MOST_TOGETHER = 4  # packets in a turn
LEAST_PACKETS = 256  # of a kernel: for fewer, compiling more code costs more than it saves
SPILLED = 2  # times the registers: what they do not hold is stored and loaded while chains wait
LEAST_DEPTH = 24  # cycles: shorter chains of neighbouring packets meet in any order
LEAST_WORK = 11  # instructions for each load and store: below that, memory decides

_CYCLES = {"load": 0, "getelementptr": 0, "bitcast": 0, "fneg": 0, "insertelement": 0}
_CYCLES |= {"fmul": 4, "fadd": 3, "fsub": 3, "fdiv": 11}
_NAME = re.compile(r"%v\w+")
_TYPE = re.compile(r"<\d+ x \w+>")
_READS = ("@llvm.masked.load", "@llvm.masked.gather")
_BITS = {"float": 32, "double": 64, "half": 16, "bfloat": 16, "ptr": 64}


class Line:
    """An instruction: its result's name, if it has one, the names it uses, and the cycles it takes;
    whether it `reads` memory, or `acts`: stores, or does what keeps its place among loads."""

    __slots__ = ("acts", "cycles", "name", "reads", "text", "uses")

    def __init__(self, text: str):
        self.text = text
        name, equals, rest = text.partition(" = ")
        self.name, what = (name, rest) if equals and name.startswith("%v") else ("", text)
        self.uses: list[str] = _NAME.findall(what)
        opcode = what[: what.find(" ")]
        self.cycles = _CYCLES.get(opcode, 1)
        self.reads = opcode == "load"
        self.acts = not self.name
        if opcode == "call":
            self.cycles = 4 if "@llvm.fma" in what else 11 if "@llvm.sqrt" in what else 2
            self.reads = any(call in what for call in _READS)
            pure = "@llvm." in what and "@llvm.masked.store" not in what
            self.acts = not (self.reads or (self.name and pure))


Packet = Sequence[Line]


def straight(lines: Sequence[str]) -> bool:
    """Whether the lines are one block."""
    return not any(s[-1] == ":" or s.startswith(("br ", "ret ", "fence")) for s in lines)


def by_depth(packets: Sequence[Packet]) -> list[Line]:
    """The instructions of several packets, each as late as the longest way from it to the end
    allows. Those of one packet that use memory keep their order around what writes there."""
    placed = []
    latest: dict[str, int] = {}
    number = 0
    for lines in reversed(packets):
        read = acted = 0  # the earliest of those that follow
        for line in reversed(lines):
            at = 0
            if line.name:
                at = latest.get(line.name, 0) - line.cycles
            if line.acts:
                at = acted = read = min(at, read, acted)
            elif line.reads:
                at = min(at, acted)
                read = min(at, read)
            for name in line.uses:
                if at < latest.get(name, 1):
                    latest[name] = at
            number -= 1
            placed.append((at, number, line))
    placed.sort(key=lambda entry: entry[:2])
    return [line for _, _, line in placed]


def depth(lines: Packet) -> int:
    """The cycles of the longest chain."""
    ends: dict[str, int] = {}
    for line in lines:
        ends[line.name] = max([ends.get(x, 0) for x in line.uses], default=0) + line.cycles
    return max(ends.values(), default=0)


def most_live(lines: Packet, bits: int) -> int:
    """The most registers of `bits` bits that hold packets at one time."""
    last: dict[str, int] = {}
    for number, line in enumerate(lines):
        for name in line.uses:
            last[name] = number
    change = [0] * (len(lines) + 1)
    for number, line in enumerate(lines):
        type = _TYPE.search(line.text) if line.name in last else None
        if type is not None:
            element = type[0][type[0].index("x ") + 2 : -1]
            size = lanes_of(type[0]) * (_BITS.get(element) or int(element[1:]))
            change[number] += max(1, -(-size // bits))
            change[last[line.name]] -= max(1, -(-size // bits))
    most = live = 0
    for step in change:
        live += step
        most = max(most, live)
    return most


def waits(lines: Packet) -> bool:
    """Whether chains decide how long a packet takes, not memory or the number of instructions."""
    touches = sum(line.reads or line.acts for line in lines)
    return len(lines) >= LEAST_WORK * max(1, touches) and depth(lines) >= LEAST_DEPTH


def together(lines: Packet, target: Target) -> int:
    """How many packets like this one go side by side: 1 if chains do not decide; four if registers
    hold them, else two."""
    if not waits(lines):
        return 1
    live = most_live(by_depth([lines]), target.vector_bits)
    if MOST_TOGETHER * live < target.registers:
        return MOST_TOGETHER
    return 2 if 2 * live <= SPILLED * target.registers else 1


def side_by_side(packets: Sequence[Sequence[str]], target: Target, besides: int) -> list[str]:
    """The lines of packets that one turn computes anyway, by depth where that pays. besides:
    registers that are taken."""
    lines = [text for packet in packets for text in packet]
    if not straight(lines):
        return lines
    parsed = [[Line(text) for text in packet] for packet in packets]
    last = parsed[-1]
    if not waits(last):
        return lines
    live = len(packets) * most_live(by_depth([last]), target.vector_bits) + besides
    return [x.text for x in by_depth(parsed)] if live <= SPILLED * target.registers else lines


def renamed(lines: Packet, mark: str, index: str, other: str) -> list[Line]:
    """The same instructions at another index; `mark` makes names of their own of their results'."""
    names = {line.name: line.name + mark for line in lines if line.name} | {index: other}
    return [Line(_NAME.sub(lambda m: names.get(m[0], m[0]), line.text)) for line in lines]


def packet_loop(
    t: Text,
    bounds: tuple[V | int, V | int],
    lanes: int,
    body: Callable[[Loop], None],
    target: Target,
    grain: int,
) -> None:
    """body(loop) for each packet of a range (not empty, if its bounds are ints), several of them in
    a turn where that pays. grain: divides the number of packets, as far as is known."""
    low, high = bounds
    lines: list[Line] = []
    with t.loop(low, high, lanes) as loop:
        body(loop)
        region = t.scope.regions[-1]
        if loop.index.ref[0] == "%" and straight(region.lines):
            lines = [Line(text) for text in region.lines]
        count = together(lines, target)
        if isinstance(low, int) and isinstance(high, int):
            grain = -(-(high - low) // lanes)
            while count > grain:
                count //= 2
        if count == 1:
            return
        count = next((n for n in (4, 2) if n <= count and grain % n == 0), count)
        region.lines[:] = [line.text for line in by_depth(_copies(loop, lines, lanes, count))]
        middle = _stop_at_whole_turns(t, loop, bounds, lanes * count) if grain % count else high
    if grain % count:
        with t.loop(middle, high, lanes) as rest:
            again = renamed(lines, "r", loop.index.ref, rest.index.ref)
            t.scope.regions[-1].lines += [line.text for line in again]


def _copies(loop: Loop, lines: Packet, lanes: int, count: int) -> list[Packet]:
    """The packets of a turn, of which `lines` is the first; the loop takes larger steps."""
    loop.step, index, copies = lanes * count, loop.index.ref, [lines]
    for number in range(1, count):
        mark = f"u{number}"
        shift = Line(f"{index}{mark} = add nsw i64 {index}, {number * lanes}")
        copies.append([shift, *renamed(lines, mark, index, index + mark)])
    return copies


def _stop_at_whole_turns(
    t: Text, loop: Loop, bounds: tuple[V | int, V | int], step: int
) -> V | int:
    """Where the loop ends that takes `step` elements a turn."""
    low, high = bounds
    if isinstance(low, int) and isinstance(high, int):
        middle: V | int = low + (high - low) // step * step
    else:
        start, end = (i64(x) if isinstance(x, int) else x for x in bounds)
        assert t.scope.parent is not None, "in a loop"
        with t.at(t.scope.parent):
            left = t.op("srem", t.op("sub", end, start), i64(step))
            middle = t.op("sub", end, left)
    loop.high = i64(middle) if isinstance(middle, int) else middle
    return middle
