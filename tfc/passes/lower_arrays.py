"""What a TensorArray is while a function is lowered, and how it goes into loops and branches.

The content of an array is one value, the elements stacked. Two kinds of arrays have no such value:
one that nothing was written to yet, whose elements may be of any shape, and one whose elements
differ in shape. Those are `Elements`, operands that only ops on arrays take. A region is given an
array that is empty as it is; if the region then writes to it, the type of the elements is learned,
and it is lowered again with zeros of that type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tfc import prims as p
from tfc.ir.core import Type, Value
from tfc.passes import residuals
from tfc.passes.arrays import Elements, stacked, zeros
from tfc.passes.lower_errors import NotNative
from tfc.passes.matching import is_splat
from tfc.passes.residuals import Kept, NotTaken, Remade


def dense(build: Any, array: Any) -> Any:
    """The array as one value, zeros where nothing was written; as it is if nothing tells what its
    elements are.

    Raises:
      NotNative: the elements differ in shape.
    """
    value = stacked(build, residuals.dense(build, array))
    if isinstance(value, Elements) and value.items:
        raise NotNative("the elements of a TensorArray are of several shapes")
    return value


def grown(build: Any, flow: Any, size: int) -> Any:
    """The array with room for `size` elements."""
    more = size - (flow.size if isinstance(flow, Elements) else flow.type.shape[0])
    if more <= 0:
        return flow
    if isinstance(flow, Elements):
        return replace(flow, size=size)
    tail = zeros(build, Type(flow.type.dtype, (more, *flow.type.shape[1:])))
    return p.concat(build, flow, tail, dim=0)


def storable(build: Any, value: Any) -> Any:
    """What of `value` can be kept for a gradient."""
    if not isinstance(value, Elements):
        return value
    made = dense(build, value)
    if isinstance(made, Elements):
        raise NotNative("a gradient needs a TensorArray that nothing was written to")
    return made


def captured(build: Any, operand: Any) -> Any:
    """An operand as a region can take it; what is no value nor array (a reference) is not."""
    if isinstance(operand, Value | Kept | Remade | NotTaken):
        return operand
    return dense(build, operand) if isinstance(operand, Elements) else None


def zeros_like(build: Any, array: Any) -> Any:
    """Zeros for every element that is there."""
    if not isinstance(array, Elements):
        return p.full_like(build, array, 0)
    items = {k: zeros(build, v.type) for k, v in array.items.items()}
    return replace(array, items=items)


def with_part(build: Any, whole: Value, part: Value) -> Value:
    """The sum of two arrays; where `part` is zeros with something written over them, only that is
    added."""
    op = part.op
    if op is None or op.defn.name != "dynamic_update_slice" or not is_splat(op.operands[0], 0):
        return _added(build, [whole, part])
    _, update, *starts = op.operands
    old = p.dynamic_slice(build, whole, *starts, sizes=update.type.shape)
    added = p.add(build, old, update)
    result: Value = p.dynamic_update_slice(build, whole, added, *starts)
    return result


def total(build: Any, arrays: Sequence[Any]) -> Any:
    """The sum of TensorArrays, where elements that are not there count as zeros.

    Raises:
      NotNative: elements at one place differ in shape.
    """
    whole = [v for v in arrays if isinstance(v, Value)]
    parts = [v for v in arrays if isinstance(v, Elements)]
    if whole:
        given = [v for v in (dense(build, part) for part in parts) if isinstance(v, Value)]
        return _added(build, [*whole, *given])
    columns: dict[int, list[Value]] = {}
    for part in parts:
        for k, value in part.items.items():
            columns.setdefault(k, []).append(value)
    items = {k: _added(build, values) for k, values in columns.items()}
    shapes = [part.shape for part in parts if part.shape is not None]
    size = max(part.size for part in parts)
    return Elements(parts[0].dtype, size, items, shapes[0] if shapes else None)


def _added(build: Any, values: Sequence[Value]) -> Value:
    if any(v.type != values[0].type for v in values):
        raise NotNative("the elements of a TensorArray are of several shapes")
    result = values[0]
    for value in values[1:]:
        result = p.add(build, result, value)
    return result


Lower = Callable[[Sequence[Any]], Sequence[Any]]


def learned(
    build: Any, op: Any, first: Sequence[Any], lower: Lower
) -> tuple[list[Any], Sequence[Any], list[Any]]:
    """(first values, lowered regions, next values) of a loop, where the first values of arrays
    are what the body makes of them.

    lower: the regions for these types of the loop's variables, an Elements where one is empty.
    """
    first = [dense(build, v) for v in first]
    while True:
        regions = lower([v.type if isinstance(v, Value) else v for v in first])
        body = regions[1]
        results = [dense(body, body.result(t)) for t in body.wanted]
        known = [_like(build, v, result) for v, result in zip(first, results, strict=True)]
        if all(a is b for a, b in zip(first, known, strict=True)):
            return first, regions, [_like(body, r, v) for r, v in zip(results, first, strict=True)]
        first = known


def _like(build: Any, array: Any, other: Any) -> Any:
    """`array`; zeros of the type of `other` if `array` is empty and `other` is not."""
    if isinstance(array, Value):
        return array
    if isinstance(other, Value):
        if other.type.shape[:1] != (array.size,):
            raise NotNative("a TensorArray changes its size")
        return zeros(build, other.type)
    if other.size != array.size:
        raise NotNative("a TensorArray changes its size")
    return array


def joined(branches: Sequence[Any], results: Sequence[list[Any]]) -> dict[int, Elements]:
    """Make the results of two branches agree in their arrays; those that are empty in both are
    taken out, and returned by position."""
    empty: dict[int, Elements] = {}
    for k, given in enumerate(zip(*results, strict=True)):
        pair = [dense(inner, v) for inner, v in zip(branches, given, strict=True)]
        if not any(isinstance(v, Elements) for v in pair):
            results[0][k], results[1][k] = pair
            continue
        results[0][k] = _like(branches[0], pair[0], pair[1])
        results[1][k] = _like(branches[1], pair[1], pair[0])
        if isinstance(results[0][k], Elements):
            empty[k] = results[0][k]
    for values in results:
        values[:] = [v for k, v in enumerate(values) if k not in empty]
    return empty


def with_empty(values: Sequence[Any], empty: Mapping[int, Any], count: int) -> list[Any]:
    """`count` results of which `empty` gives those that it has, and `values` the others."""
    rest = iter(values)
    return [empty[k] if k in empty else next(rest) for k in range(count)]
