"""Ops for their effect and their order: NoOp, Assert, Print; group, tuple, with_dependencies."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.number_text import number_text
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import (
    Operation,
    Tensor,
    control_dependencies,
    convert_to_tensor,
    name_scope,
)
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import const_ops
from tfc.ops.common import no_gradient, no_outputs, unchanged
from tfc.ops.lowering import invalid
from tfc.prims.effects import MAX_PAYLOAD


class NoOp(OpDef, sig="NoOp() -> ()"):
    """Nothing; done when everything it depends on is."""

    shape = no_outputs
    stateful = False

    def lower(build: Any) -> tuple[()]:
        return ()


class AssertOp(OpDef, sig="Assert(condition: bool, data: [T], summarize: int = 3) -> ()"):
    """Fail the run with the contents of `data` unless the condition holds."""

    stateful = True
    constant_strings = True
    grad = no_gradient

    def shape(condition: TensorShape, *data: TensorShape) -> list[TensorShape]:
        if not data:
            raise ValueError("Attr 'T' of 'Assert' Op passed list of length 0 less than minimum 1.")
        return []

    def lower(build: Any, condition: Value, *data: Value, summarize: int, **_: Any) -> tuple[()]:
        if condition.type.size != 1:
            shape = shape_text(condition.type.shape)
            raise invalid(build, f"The condition must be a scalar, but it has shape {shape}")
        tensors = list(build.op.inputs)[1:]
        message, payload = _assertion(build, tensors, data, summarize)
        ok = p.reshape(build, condition, shape=()) if condition.type.shape else condition
        build.assert_(ok, payload, "InvalidArgumentError", message)
        return ()

    def host(
        condition: np.ndarray, *data: np.ndarray, summarize: int, op: Any, **_: Any
    ) -> tuple[()]:
        if not condition.all():
            body = " ".join(_report(np.asarray(d), summarize) for d in data)
            raise errors.InvalidArgumentError(None, op, f"assertion failed: {body}")
        return ()


def _report(array: np.ndarray, summarize: int) -> str:
    return f"[{_summary(array, summarize)}]"


def _assertion(
    build: Any, tensors: Sequence[Any], data: Sequence[Value], summarize: int
) -> tuple[str, list[Value]]:
    """The message of an assertion, and the elements that its placeholders stand for."""
    payload: list[Value] = []
    pieces = []
    numbers = sum(t.dtype.base_dtype.name != "string" for t in tensors) or 1
    share = max(MAX_PAYLOAD // numbers, 1)
    for tensor, value in zip(tensors, data, strict=True):
        if tensor.dtype.base_dtype.name == "string":
            pieces.append(_known_text(tensor, summarize))
            continue
        size = value.type.size
        shown = min(size, size if summarize < 0 else summarize, share)
        shown = min(shown, MAX_PAYLOAD - len(payload))
        flat = p.reshape(build, value, shape=(size,))
        places = []
        for i in range(shown):
            element = p.slice_(build, flat, start=(i,), limit=(i + 1,), stride=(1,))
            places.append(f"{{{len(payload)}}}")
            payload.append(p.reshape(build, element, shape=()))
        rest = np.array([*places, *[""] * (size - shown)], object)
        if len(value.type.shape) > 1 and size:
            pieces.append(_nested(rest.reshape(value.type.shape), [shown]))
        else:
            pieces.append(" ".join(places) + ("..." if shown < size else ""))
    return "assertion failed: " + " ".join(f"[{piece}]" for piece in pieces), payload


def _known_text(tensor: Any, summarize: int) -> str:
    """The strings of a constant tensor, as messages with places for numbers hold them."""
    known = constant_value(tensor)
    text = "?" if known is None else _summary(known, summarize)
    return text.replace("{", "{{").replace("}", "}}")


def _summary(array: np.ndarray, summarize: int) -> str:
    """The first elements of an array, separated by spaces, as TensorFlow prints them."""
    flat = np.ravel(array)
    count = flat.size if summarize < 0 else min(summarize, flat.size)
    shown = [_item(v) for v in flat[:count]]
    if array.ndim > 1 and array.size:
        return _nested(array, [count])
    return " ".join(shown) + ("..." if count < flat.size else "")


def _item(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return number_text(value) if isinstance(value, np.generic) else str(value)


def _nested(array: np.ndarray, left: list[int]) -> str:
    """Rows in brackets, while elements are left to show."""
    if array.ndim == 1:
        shown = [_item(v) for v in array[: left[0]]]
        left[0] -= len(shown)
        return " ".join(shown) + ("..." if len(shown) < array.size else "")
    rows = []
    for row in array:
        if left[0] <= 0:
            break
        rows.append(f"[{_nested(row, left)}]")
    return "".join(rows) + ("..." if len(rows) < len(array) else "")


class PrintOp(
    OpDef,
    sig="Print(input: T, data: [U], message: str = '', first_n: int = -1, summarize: int = 3)"
    " -> output: T",
    T=ANY,
):
    """`input`; `data` goes to the standard error each time it is computed, `first_n` times at most
    if that is not negative. A host op."""

    stateful = True
    shape = unchanged

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy] + [None] * (len(op.inputs) - 1)

    def host(
        input: np.ndarray,
        *data: np.ndarray,
        op: Any,
        message: Any,
        first_n: int,
        summarize: int,
        **_: Any,
    ) -> np.ndarray:
        seen = _PRINTED.get(id(op), 0)
        if first_n < 0 or seen < first_n:
            _PRINTED[id(op)] = seen + 1
            prefix = message.decode() if isinstance(message, bytes) else message
            body = "".join(_report(np.asarray(d), summarize) for d in data)
            sys.stderr.write(f"{prefix}{body}\n")
            sys.stderr.flush()
        return input


_PRINTED: dict[int, int] = {}  # how often each Print with first_n has spoken


# ---- the Python API


def no_op(name: str | None = None) -> Operation:
    """An op that does nothing."""
    return apply("NoOp", name=name)


def Assert(
    condition: Any, data: Any, summarize: int | None = None, name: str | None = None
) -> Operation:
    """An op that fails the run with the contents of `data` unless the condition holds.

    Raises:
      TypeError: `data` is no list.
    """
    if not isinstance(data, list | tuple):
        raise TypeError(f"Expected list for 'data' argument to 'Assert' Op, not {data}.")
    with name_scope(name, "Assert", [condition, *data]) as scope:
        test = convert_to_tensor(condition, name="condition")
        tensors = [convert_to_tensor(d, name=f"data_{i}") for i, d in enumerate(data)]
        summarize = 3 if summarize is None else summarize
        return apply("Assert", test, tensors, summarize=summarize, name=f"{scope}Assert/")


def Print(
    input_: Any,
    data: Any,
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`input_`; `data` is printed to the standard error whenever it is computed."""
    return apply(
        "Print",
        input_,
        [convert_to_tensor(d) for d in data],
        message=message or "",
        first_n=-1 if first_n is None else first_n,
        summarize=3 if summarize is None else summarize,
        name=name,
    )


def identity_with_dependencies(
    dependencies: Sequence[Any], output: Any, name: str | None = None
) -> Any:
    """`output`, available only once the dependencies have run."""
    scope_name = name_scope(name, "control_dependency", [*dependencies, output])
    with scope_name as scope, control_dependencies(list(dependencies)):
        if isinstance(output, IndexedSlices):
            values = const_ops.identity(output.values)
            return IndexedSlices(values, output.indices, output.dense_shape)
        return const_ops.identity(convert_to_tensor(output), name=scope)


with_dependencies = identity_with_dependencies


def _operations(inputs: Sequence[Any]) -> Iterator[Operation]:
    """The ops behind nested lists and dictionaries of ops, tensors and variables, in order."""
    stack = list(reversed(list(inputs)))
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple) and not hasattr(item, "op"):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed([item[k] for k in sorted(item)]))
        elif isinstance(item, Operation):
            yield item
        elif getattr(item, "op", None) is not None:
            yield item.op
        else:
            raise TypeError(f"Expected an Operation or Tensor in tf.group, got {item!r}")


def group(*inputs: Any, **kwargs: Any) -> Operation:
    """An op that is done when all `inputs` are. kwargs: `name`.

    Raises:
      TypeError, ValueError: an input is nothing that can run, or a keyword is not `name`.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError("Unknown keyword arguments: " + ", ".join(kwargs))
    ops = list(_operations(inputs))
    with name_scope(name, "group_deps", ops) as scope, control_dependencies(ops):
        return no_op(name=scope)


def tuple_(
    tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None
) -> list[Any]:
    """The tensors, each available only once all of them and the control inputs are. None stays.

    Raises:
      ValueError: there is no tensor among them.
    """
    with name_scope(name, "tuple", list(tensors)):
        if not all(t is None or hasattr(t, "op") for t in tensors):
            raise TypeError(f"tuple takes a list of tensors and operations, not {tensors!r}")
        ops = [t.op for t in tensors if t is not None]
        if control_inputs:
            ops.extend(_operations(control_inputs))
        if not ops:
            raise ValueError(f"Must have at least one Tensor: {tensors}")
        ops = sorted(set(ops), key=lambda op: op._id)
        gate = group(*ops)
        return [None if t is None else identity_with_dependencies([gate], t) for t in tensors]
