"""How the functions of native dispatch are written: `Code`, a function under construction, and the
list of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from tfc.codegen.dispatch.layout import Entry
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, i64

NULL, ERROR = V("null", "ptr"), V("inttoptr (i64 1 to ptr)", "ptr")
NO, YES, DONE, MISSED = (const("i1", 0), const("i1", 1), const("i32", 0), const("i32", 1))


def py(name: str) -> V:
    return V(f"@py.{name}", "ptr")


class Code(Text):
    """A function of this module under construction."""

    def get(self, record: V, field: IntEnum, type: str = "i64") -> V:
        return self.load(type, self.gep(record, int(field), "i64"), 8)

    def put(self, value: V, record: V, field: IntEnum) -> None:
        self.store(value, self.gep(record, int(field), "i64"), 8)

    def of_object(self, pointer: V, offset: int, type: str = "ptr") -> V:
        """A field of a Python object."""
        size = {"i8": 1, "i32": 4}.get(type, 8)
        return self.load(type, self.gep(pointer, offset, "i8"), size)

    def same(self, a: V, b: V | int) -> V:
        return self.cmp("eq", a, b if isinstance(b, V) else const(a.type, b))

    def differ(self, a: V, b: V | int) -> V:
        return self.cmp("ne", a, b if isinstance(b, V) else const(a.type, b))

    def both(self, a: V, b: V) -> V:
        return self.op("and", a, b)

    def either(self, a: V, b: V) -> V:
        return self.op("or", a, b)

    def pick(self, condition: V, one: Callable[[], V], other: Callable[[], V]) -> V:
        return self.choose(condition, lambda: [one()], lambda: [other()])[0]

    def leave(self, condition: V, value: V) -> None:
        """Return `value` if `condition` holds."""
        with self.when(condition, value):
            pass

    def give(self, value: V) -> None:
        """Return `value`. What is written after it in the block never runs."""
        self.line(f"ret {value.type} {value.ref}")
        region, label = self.scope.regions[-1], self.new_label()
        region.lines.append(f"{label}:")
        region.label = label

    @contextmanager
    def each(self, records: V, count: V, size: int) -> Iterator[V]:
        """The address of each of `count` records of `size` fields."""
        with self.loop(i64(0), count) as loop:
            yield self.gep(records, self.mul(loop.index, size), "i64")
            loop.next([])

    @contextmanager
    def chain(self, first: V) -> Iterator[V]:
        """Each entry from `first` on."""
        with self.repeat([first]) as loop:
            (entry,) = loop.carried
            loop.go_on(self.differ(entry, NULL))
            yield entry
            loop.next([self.get(entry, Entry.NEXT, "ptr")])

    def item(self, of: str, sequence: V, index: V | int) -> V:
        """A borrowed item of a list or tuple."""
        at = index if isinstance(index, V) else i64(index)
        return self.call("ptr", f"Py{of}_GetItem", sequence, at)

    def drop(self, pointer: V) -> None:
        """Give up a reference, if there is one."""
        self.call("void", "Py_DecRef", pointer)


Writer = Callable[..., V]
FUNCTIONS: list[tuple[str, str, Writer]] = []


def function(type: str, parameters: str = "") -> Callable[[Writer], Writer]:
    """A function of the module, under the name of the one that writes its body. `parameters`: the
    types of its parameters."""

    def register(write: Writer) -> Writer:
        FUNCTIONS.append((type, parameters, write))
        return write

    return register
