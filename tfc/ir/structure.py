"""What a function is, apart from where its ops came from: a key, equal for functions that are equal
op for op, and a digest of it that holds between processes."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from tfc.ir.core import Function, Literal, Op, Type, Value, attrs_key

Attrs = tuple[tuple[str, Any], ...]
Write = Callable[[bytes | memoryview], None]


def function_key(fn: Function) -> Hashable:
    """A key under which two functions are equal iff they have the same parameters' types, the same
    definitions with the same attributes on the same operands, and the same results. Names and
    origins do not count. Result types follow from the rest."""
    numbers: dict[Value, int] = {v: n for n, v in enumerate(fn.params)}
    ops: list[Hashable] = []
    for op in fn.ops:
        operands = tuple([numbers[v] for v in op.operands])
        regions = tuple([function_key(r) for r in op.regions])
        ops.append((op.defn, operands, attrs_key(op.attrs), regions))
        for v in op.results:
            numbers[v] = len(numbers)
    types = tuple([v.type for v in fn.params])
    results = tuple([numbers[v] for v in fn.results])
    return types, tuple(ops), results, attrs_key(fn.attrs)


def kernel_key(op: Op, apart_from: Iterable[str]) -> Hashable:
    """A key of a fusion: of its region, its operands' and results' types and its attributes but
    for those named in `apart_from`."""
    attrs = tuple([(name, value) for name, value in op.attrs if name not in apart_from])
    types = tuple([v.type for v in (*op.operands, *op.results)])
    return types, attrs_key(attrs), *(function_key(region) for region in op.regions)


def function_digest(fn: Function, *more: str) -> str:
    """A hash of what `function_key` tells apart, and of the texts `more`: the same in every
    process."""
    hasher = hashlib.sha256()
    for text in more:
        _write_text(hasher.update, text)
    _write_function(hasher.update, fn)
    return hasher.hexdigest()


def _write_function(write: Write, fn: Function) -> None:
    """All of `fn` but names and origins, each part with its length before it."""
    numbers: dict[Value, int] = {v: n for n, v in enumerate(fn.params)}
    lines = [str([(p.type.dtype, p.type.shape) for p in fn.params])]
    _write_attrs(write, fn.attrs)
    for op in fn.ops:
        operands = [numbers[v] for v in op.operands]
        results = [(v.type.dtype, v.type.shape) for v in op.results]
        lines.append(f"{op.defn.name}{operands}{results}{len(op.regions)}")
        _write_attrs(write, op.attrs)
        for region in op.regions:
            _write_function(write, region)
        for v in op.results:
            numbers[v] = len(numbers)
    lines.append(str([numbers[v] for v in fn.results]))
    _write_text(write, "\n".join(lines))


def _write_attrs(write: Write, attrs: Attrs) -> None:
    _write_text(write, str(len(attrs)))
    for name, value in attrs:
        _write_text(write, name)
        _write_value(write, value)


def _write_value(write: Write, value: Any) -> None:
    """One attribute: its Python type, then its content."""
    if isinstance(value, tuple):
        _write_text(write, f"tuple {len(value)}")
        for item in value:
            _write_value(write, item)
    elif isinstance(value, Literal):
        array = value.array
        _write_text(write, f"literal {array.dtype.name} {array.shape}")
        if array.dtype == object:
            _write_text(write, repr(array.ravel().tolist()))
        else:
            write(memoryview(array.reshape(-1).view("u1")))
    elif isinstance(value, float):
        _write_text(write, "float")
        write(struct.pack("<d", value))
    elif isinstance(value, complex):
        _write_text(write, "complex")
        write(struct.pack("<dd", value.real, value.imag))
    elif isinstance(value, str | bytes | int | Type) or value is None:
        _write_text(write, f"{type(value).__name__} {value!r}")
    else:
        raise TypeError(f"no digest of an attribute of type {type(value).__name__}")


def _write_text(write: Write, text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    write(struct.pack("<Q", len(content)))
    write(content)
