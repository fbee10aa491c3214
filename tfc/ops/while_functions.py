"""tf.while_loop."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

import numpy as np

from tfc.base import nest
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.graph import Graph, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.nested import assert_same_structure
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.regions import Region, make_region_op
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops.cond_functions import leaves_of, whole_of
from tfc.ops.tensor_array import TensorArray, as_result, results_of, with_arrays

_COMPOSITES = (SparseTensor, IndexedSlices)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Repeat `loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)` is true.

    loop_vars: tensors, TensorArrays, SparseTensors and IndexedSlices, nested at will; `body`
    returns the same structure.
    shape_invariants: shapes that hold in every iteration, in the structure of `loop_vars`: of a
    SparseTensor that of its dense_shape, of IndexedSlices that of the values. Without them the
    shapes of the first values must hold, and for TensorArrays that is so anyway.
    maximum_iterations: a bound on the number of iterations.
    back_prop: whether gradients flow through the loop.
    parallel_iterations is what a GraphDef says of the loop; a native loop needs neither it nor
    swap_memory.

    Returns the last values; a single tensor (with maximum_iterations, a single
    variable of any kind) as it is, unless `return_same_structure`.

    Raises:
      TypeError, ValueError: arguments of the wrong kind, or a body that returns other structures,
      types or shapes than it was given.
    """
    if not callable(cond):
        raise TypeError("cond must be callable.")
    if not callable(body):
        raise TypeError("body must be callable.")
    if parallel_iterations < 1:
        raise TypeError("parallel_iterations must be a positive integer.")
    if not loop_vars and not isinstance(loop_vars, Tensor):
        raise ValueError("No loop variables provided")
    about = {"_back_prop": bool(back_prop), "_parallel_iterations": parallel_iterations}
    with name_scope(name, "while"):
        if maximum_iterations is None:
            packed = _loop(cond, body, _as_list(loop_vars), shape_invariants, about)
        else:
            packed = _bounded(
                cond, body, _as_list(loop_vars), shape_invariants, about, maximum_iterations
            )
    single = len(packed) == 1 and (maximum_iterations is not None or len(leaves_of(packed)) == 1)
    return packed[0] if single and not return_same_structure else packed


def _as_list(loop_vars: Any) -> Any:
    return loop_vars if isinstance(loop_vars, list | tuple) else [loop_vars]


def _bounded(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any,
    about: dict[str, Any],
    maximum_iterations: Any,
) -> Any:
    """The loop with a counter in front of its variables."""
    bound = convert_to_tensor(maximum_iterations, name="maximum_iterations")
    if bound.get_shape().ndims not in (0, None):
        raise ValueError(f"maximum_iterations must be a scalar, saw shape: {bound.get_shape()}")
    counter = constant_tensor(np.zeros((), bound.dtype.as_numpy_dtype), "iteration_counter")
    if shape_invariants is not None:
        shape_invariants = [TensorShape([]), shape_invariants]

    def test(i: Any, values: Any) -> Any:
        return apply("LogicalAnd", i < bound, cond(*values))

    def step(i: Any, values: Any) -> Any:
        results = body(*values)
        return i + 1, _like(loop_vars, results)

    return _loop(test, step, [counter, loop_vars], shape_invariants, about)[1]


def _loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any,
    about: dict[str, Any],
) -> Any:
    leaves = leaves_of(loop_vars)
    arrays = {k: leaf for k, leaf in enumerate(leaves) if isinstance(leaf, TensorArray)}
    first = [arrays[k].flow if k in arrays else _first(leaf) for k, leaf in enumerate(leaves)]
    shapes = _shapes(first, loop_vars, shape_invariants, arrays)
    masks = [array.mask for array in arrays.values()]
    first, shapes = [*first, *masks], [*shapes, *(m.get_shape() for m in masks)]
    graph = first[0].graph

    def structure(tensors: Sequence[Tensor]) -> Any:
        return whole_of(loop_vars, with_arrays(tensors, arrays))

    with graph.as_default():
        test = _region(graph, "cond", "Merge", first, shapes, len(leaves))
        with test:
            test.results = [_predicate(cond(*structure(test.params)))]
        step = _region(graph, "body", "Identity", first, shapes, len(leaves))
        with step:
            results = _like(loop_vars, body(*structure(step.params)))
            step.results = results_of(leaves_of(results), arrays)
        _check_results(first, shapes, step.results)
        op = make_region_op(graph, "While", "While", first, [test, step])
        exits = [apply("Exit", t, name="Exit") for t in op.outputs[: len(leaves)]]
        for end in exits:
            end.op._attrs["_back_prop"] = about["_back_prop"]
        op._attrs["_parallel_iterations"] = about["_parallel_iterations"]  # for GraphDefs
    return structure([*exits, *op.outputs[len(leaves) : -1]])


def _first(leaf: Any) -> Tensor:
    tensor = convert_to_tensor(leaf)
    return apply("Identity", tensor) if tensor.dtype.is_ref_dtype else tensor


def _shapes(
    first: Sequence[Tensor], loop_vars: Any, invariants: Any, arrays: Container[int]
) -> list[TensorShape]:
    """The shape that holds for each variable in every iteration. Those of TensorArrays follow from
    the arrays."""
    if invariants is None:
        rest = iter(first)
        return [s for leaf in nest.flatten(loop_vars) for s in _own_shapes(leaf, rest)]
    flat = [
        t.get_shape() if k in arrays else shape
        for k, (t, shape) in enumerate(zip(first, _flat_shapes(loop_vars, invariants), strict=True))
    ]
    for tensor, shape in zip(first, flat, strict=True):
        if not _covers(shape, tensor.get_shape()):
            raise ValueError(
                f"The shape invariant specified for {tensor.name} is not compatible with the "
                f"initial shape of the loop variable. It enters the loop with shape "
                f"{tensor.get_shape()}, but the specified shape invariant is {shape}."
            )
    return flat


def _own_shapes(leaf: Any, rest: Iterator[Tensor]) -> list[TensorShape]:
    """The shapes of the tensors that a variable begins with, the next ones of `rest`. How many
    values a SparseTensor has is open."""
    found = [next(rest).get_shape() for _ in leaves_of([leaf])]
    return _sparse_shapes(found[2]) if isinstance(leaf, SparseTensor) else found


def _sparse_shapes(shape: TensorShape) -> list[TensorShape]:
    """Shapes of the tensors of a SparseTensor whose `dense_shape` has this shape.

    Raises:
      ValueError: that is no vector's.
    """
    if shape.ndims not in (None, 1):
        raise ValueError(
            f"Expected a shape with 1 dimension for the dense_shape of a SparseTensor, not {shape}"
        )
    rank = shape.as_list()[0] if shape.ndims else None
    return [TensorShape([None, rank]), TensorShape([None]), TensorShape([rank])]


def _flat_shapes(loop_vars: Any, invariants: Any) -> list[TensorShape]:
    """Shapes in the order of the leaves: a list may be a shape or a structure of shapes."""
    if isinstance(loop_vars, TensorArray):
        return [TensorShape(None)]
    if isinstance(loop_vars, SparseTensor):
        return _sparse_shapes(as_shape(invariants))
    if isinstance(loop_vars, IndexedSlices):
        shape = as_shape(invariants)
        dense = [] if loop_vars.dense_shape is None else [TensorShape([shape.ndims])]
        return [shape, shape[:1] if shape.ndims else TensorShape([None]), *dense]
    if not nest.is_sequence(loop_vars):
        return [as_shape(invariants)]
    if isinstance(loop_vars, dict):
        pairs = [(loop_vars[key], invariants[key]) for key in sorted(loop_vars)]
    else:
        if len(loop_vars) != len(invariants):
            raise ValueError(
                f"shape_invariants has {len(invariants)} elements for {len(loop_vars)} loop "
                "variables"
            )
        pairs = list(zip(loop_vars, invariants, strict=True))
    return [shape for part, given in pairs for shape in _flat_shapes(part, given)]


def _covers(wide: TensorShape, narrow: TensorShape) -> bool:
    """Whether every shape that `narrow` allows is one that `wide` allows."""
    if wide.ndims is None:
        return True
    if wide.ndims != narrow.ndims:
        return False
    pairs = zip(wide.as_list(), narrow.as_list(), strict=True)
    return all(w is None or w == n for w, n in pairs)


def _region(
    graph: Graph,
    name: str,
    param: str,
    first: Sequence[Tensor],
    shapes: Sequence[TensorShape],
    named: int,
) -> Region:
    """A region whose first `named` parameters have TensorFlow's names."""
    region = Region(graph, f"{graph.get_name_scope()}/{name}")
    with region:
        region.params = [
            apply(
                "RegionParameter",
                T=t.dtype.base_dtype,
                known_shape=shape,
                name=param if k < named else "mask",
            )
            for k, (t, shape) in enumerate(zip(first, shapes, strict=True))
        ]
    return region


def _predicate(value: Any) -> Tensor:
    tensor = as_result(value)
    if tensor.dtype.name != "bool":
        raise TypeError(f"The condition of a loop must be a bool, not {tensor.dtype.name}.")
    if tensor.get_shape().ndims not in (0, None):
        raise ValueError(f"The condition of a loop must be a scalar, not {tensor.get_shape()}.")
    return tensor


def _like(loop_vars: Any, results: Any) -> Any:
    """What the body returned, in the structure of the loop's variables."""
    if not isinstance(results, list | tuple) or (
        len(loop_vars) == 1 and len(results) != 1 and not nest.is_sequence(loop_vars[0])
    ):
        results = [results]
    if len(nest.flatten(results)) != len(nest.flatten(loop_vars)):
        raise ValueError(
            "The two structures don't have the same nested structure. First structure: "
            f"{loop_vars!r}, second structure: {results!r}. The body of a loop returns as many "
            "values as it takes."
        )
    assert_same_structure(list(loop_vars), list(results))
    pairs = list(zip(nest.flatten(loop_vars), nest.flatten(results), strict=True))
    for given, result in pairs:
        composite = next((c for c in _COMPOSITES if isinstance(given, c)), None)
        same = (
            not isinstance(result, _COMPOSITES)
            if composite is None
            else (isinstance(result, composite) and len(leaves_of(given)) == len(leaves_of(result)))
        )
        if not same:
            raise TypeError(
                f"A loop variable that is {given!r} must stay what it is; the body of the loop "
                f"returns {result!r}"
            )
    return nest.pack(loop_vars, [result for _, result in pairs])


def _check_results(
    first: Sequence[Tensor], shapes: Sequence[TensorShape], results: Sequence[Tensor]
) -> None:
    for tensor, shape, result in zip(first, shapes, results, strict=True):
        if result.dtype.base_dtype != tensor.dtype.base_dtype:
            raise TypeError(
                f"Loop variable {tensor.name} enters the loop with type "
                f"{tensor.dtype.base_dtype.name}, but has type {result.dtype.base_dtype.name} "
                "after one iteration."
            )
        if not _covers(shape, result.get_shape()):
            raise ValueError(
                f"Input tensor '{tensor.name}' enters the loop with shape {shape}, but has shape "
                f"{result.get_shape()} after one iteration. To allow the shape to vary across "
                "iterations, use the `shape_invariants` argument of tf.while_loop to specify a "
                "less-specific shape."
            )
