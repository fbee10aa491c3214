"""tf.map_fn, tf.scan, tf.foldl and tf.foldr: loops over the first axis of tensors.

All four take their operands apart into TensorArrays, and collect what they make in others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, nest
from tfc.base.shapes import Dimension, TensorShape
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.graph import name_scope
from tfc.framework.nested import assert_same_structure
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.ops.tensor_array import TensorArray
from tfc.ops.while_functions import while_loop

Function = Callable[..., Any]


def map_fn(
    fn: Function,
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """`fn` of each slice of `elems` along the first axis; the results stacked along a new one.

    elems: a tensor, or a structure of tensors of one first extent; `fn` takes one slice of each in
    that structure. dtype: the dtypes of what `fn` returns, in the structure in which it returns
    them; by default both are those of `elems`. infer_shape: all results have one shape. back_prop:
    whether gradients flow. parallel_iterations and swap_memory are accepted: a native loop needs
    neither.

    Raises:
      TypeError: `fn` cannot be called, or returns another structure than `dtype` says.
      ValueError: an element is a scalar, or the first extents differ.
    """
    _check_callable(fn)
    leaves = nest.flatten(elems)
    if not leaves:
        raise ValueError(f"elems must be a Tensor or a sequence of Tensors, not {elems!r}")
    with name_scope(name, "map", leaves):
        tensors = [convert_to_tensor(leaf, name="elem") for leaf in leaves]
        kinds = [t.dtype.base_dtype for t in tensors] if dtype is None else nest.flatten(dtype)
        returned = elems if dtype is None else dtype
        known, count = _count(tensors)
        parts = _apart(tensors, count)
        start = constant_tensor(np.zeros((), np.int32), "Const")
        found = [TensorArray(kind, count, infer_shape=infer_shape) for kind in kinds]

        def step(i: Tensor, arrays: list[TensorArray]) -> Any:
            results = fn(nest.pack(elems, [part.read(i) for part in parts]))
            assert_same_structure(returned, results)
            pairs = zip(arrays, nest.flatten(results), strict=True)
            return i + 1, [array.write(i, value) for array, value in pairs]

        _, ends = while_loop(
            lambda i, arrays: i < count,
            step,
            (start, found),
            parallel_iterations=parallel_iterations or 10,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )
        return nest.pack(returned, [_stacked(array, known) for array in ends])


def scan(
    fn: Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """The running results of `acc = fn(acc, slice)` over the slices of `elems` along the first
    axis, stacked along a new one.

    elems: a tensor, or a structure of tensors of one first extent. initializer: the first `acc`, in
    the structure that `fn` returns; without one, the first slices are both the first `acc` and the
    first result. reverse: from the last slice to the first. infer_shape: `acc` keeps its shape.
    back_prop: whether gradients flow. parallel_iterations and swap_memory are accepted: a native
    loop needs neither.

    Raises:
      TypeError, ValueError: `fn` cannot be called, or returns another structure than `acc`'s.
    """
    _check_callable(fn)
    leaves = nest.flatten(elems)
    if not leaves:
        raise ValueError(f"elems must be a Tensor or a sequence of Tensors, not {elems!r}")
    form = elems if initializer is None else initializer
    with name_scope(name, "scan", leaves):
        tensors = [convert_to_tensor(leaf, name="elem") for leaf in leaves]
        known, count = _count(tensors)
        parts = _apart(tensors, count)
        if initializer is None:
            first = _end(count) if reverse else 0
            values = [part.read(first) for part in parts]
        else:
            values = [convert_to_tensor(leaf) for leaf in nest.flatten(initializer)]
        found = [
            TensorArray(
                v.dtype.base_dtype,
                count,
                infer_shape=infer_shape,
                element_shape=v.get_shape() if infer_shape else None,
            )
            for v in values
        ]
        done = 0
        if initializer is None:
            found = [array.write(first, v) for array, v in zip(found, values, strict=True)]
            done = 1

        def step(i: Tensor, state: list[Tensor], arrays: list[TensorArray]) -> Any:
            slices = nest.pack(elems, [part.read(i) for part in parts])
            results = fn(nest.pack(form, state), slices)
            assert_same_structure(form, results)
            new = nest.flatten(results)
            written = [array.write(i, value) for array, value in zip(arrays, new, strict=True)]
            return (i - 1 if reverse else i + 1), new, written

        _, _, ends = while_loop(
            (lambda i, state, arrays: i >= 0) if reverse else (lambda i, state, arrays: i < count),
            step,
            (_end(count) - done if reverse else done, values, found),
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )
        return nest.pack(form, [_stacked(array, known) for array in ends])


def foldl(
    fn: Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last result of `acc = fn(acc, slice)` over the slices of `elems` along the first axis.

    elems: a tensor, or a structure of tensors of one first extent. initializer: the first `acc`, in
    the structure that `fn` returns; without one, the first slices are that. back_prop: whether
    gradients flow. parallel_iterations and swap_memory are accepted: a native loop needs neither.

    Raises:
      TypeError, ValueError: `fn` cannot be called, or returns another structure than `acc`'s.
    """
    _check_callable(fn)
    with name_scope(name, "foldl", nest.flatten(elems)):
        count, parts = _operands(elems)
        if initializer is None:
            first = nest.pack(elems, [part.read(0) for part in parts])
            start = constant_tensor(np.ones((), np.int32), "Const")
        else:
            first, start = initializer, constant_tensor(np.zeros((), np.int32), "Const")

        def step(i: Tensor, state: Any) -> Any:
            return i + 1, fn(state, nest.pack(elems, [part.read(i) for part in parts]))

        _, last = while_loop(
            lambda i, state: i < count,
            step,
            (start, first),
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )
        return last


def foldr(
    fn: Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last result of `acc = fn(acc, slice)` over the slices of `elems` along the first axis,
    from the last to the first.

    elems: a tensor, or a structure of tensors of one first extent. initializer: the first `acc`, in
    the structure that `fn` returns; without one, the last slices are that. back_prop: whether
    gradients flow. parallel_iterations and swap_memory are accepted: a native loop needs neither.

    Raises:
      TypeError, ValueError: `fn` cannot be called, or returns another structure than `acc`'s.
    """
    _check_callable(fn)
    with name_scope(name, "foldr", nest.flatten(elems)):
        count, parts = _operands(elems)
        if initializer is None:
            start = _end(count)
            first = nest.pack(elems, [part.read(start) for part in parts])
        else:
            first, start = initializer, count

        def step(i: Tensor, state: Any) -> Any:
            at = i - 1
            return at, fn(state, nest.pack(elems, [part.read(at) for part in parts]))

        _, last = while_loop(
            lambda i, state: i > 0,
            step,
            (start, first),
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )
        return last


def _check_callable(fn: Any) -> None:
    if not callable(fn):
        raise TypeError("fn must be callable.")


def _count(tensors: Sequence[Tensor]) -> tuple[Dimension, Any]:
    """The first extent of the tensors: as far as it is known, and as it is when the graph runs."""
    known = Dimension(None)
    for tensor in tensors:
        shape = tensor.get_shape()
        if shape.ndims == 0:
            raise ValueError("elems must be 1+ dimensional Tensors, not scalars")
        known = known.merge_with(Dimension(None) if shape.ndims is None else shape[0])
    if known.value is not None:
        return known, known.value
    return known, apply("Shape", tensors[0], out_type=dtypes.int32)[0]


def _end(count: Any) -> Any:
    """The last index of `count`; a number where that is one."""
    return count - 1


def _apart(tensors: Sequence[Tensor], count: Any) -> list[TensorArray]:
    """The slices of each tensor along the first axis."""
    arrays = [TensorArray(t.dtype.base_dtype, count) for t in tensors]
    return [array.unstack(t) for array, t in zip(arrays, tensors, strict=True)]


def _operands(elems: Any) -> tuple[Any, list[TensorArray]]:
    tensors = [convert_to_tensor(leaf, name="elem") for leaf in nest.flatten(elems)]
    if not tensors:
        raise ValueError(f"elems must be a Tensor or a sequence of Tensors, not {elems!r}")
    _, count = _count(tensors)
    return count, _apart(tensors, count)


def _stacked(array: TensorArray, known: Dimension) -> Tensor:
    value = array.stack()
    value.set_shape(TensorShape([known]).concatenate(value.get_shape()[1:]))
    return value
