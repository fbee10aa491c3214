"""tf.cond and what is made of it: tf.case, tf.switch_case."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfc.base import nest
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import control_dependencies, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region, make_region_op
from tfc.framework.sparse_tensor import SparseTensor
from tfc.framework.variables import Variable
from tfc.ops.control_ops import Assert
from tfc.ops.tensor_array import TensorArray, as_result, results_of, with_arrays

Branch = Callable[[], Any]


def cond(
    pred: Any,
    true_fn: Branch | None = None,
    false_fn: Branch | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Branch | None = None,
    fn2: Branch | None = None,
) -> Any:
    """The results of `true_fn()` if `pred` is true when the graph runs, else of `false_fn()`.

    Only the ops made in the chosen function run. Both return the same structure of tensors of the
    same types; a list of one tensor comes back as the tensor, unless `strict`.

    Raises:
      TypeError: `pred` is a Python bool, a function is missing or none. ValueError: `pred` is no
      scalar, the functions return different structures or types, or nothing.
    """
    true_fn, false_fn = _renamed(true_fn, fn1, "fn1"), _renamed(false_fn, fn2, "fn2")
    for which, function in (("true_fn", true_fn), ("false_fn", false_fn)):
        if function is None:
            raise TypeError(f"cond(): {which} argument required")
        if not callable(function):
            raise TypeError(f"{which} must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    with name_scope(name, "cond", [pred]):
        condition = convert_to_tensor(pred, name="pred")
        if condition.get_shape().ndims not in (None, 0):
            raise ValueError(
                f"Shape must be rank 0 but is rank {condition.get_shape().ndims} for the predicate "
                f"{condition.name} of cond()"
            )
        test = apply("Identity", condition, name="pred_id")
        graph = test.graph
        sides = [
            _branch(graph, which, function)
            for which, function in (("true_fn", true_fn), ("false_fn", false_fn))
        ]
        _check_sides(sides)
        regions = [region for _, region in sides]
        op = make_region_op(graph, "If", "If", [test], regions)
        arrays = _arrays(leaves_of(sides[0][0]))
        outputs = op.outputs[:-1]
        count = len(outputs) - len(arrays)
        merged = [apply("Merge", t, name="Merge") for t in outputs[:count]]
    packed = whole_of(sides[0][0], with_arrays([*merged, *outputs[count:]], arrays))
    if not strict and isinstance(packed, list | tuple) and len(packed) == 1:
        return packed[0]
    return packed


def _renamed(function: Branch | None, old: Branch | None, name: str) -> Branch | None:
    if old is not None and function is not None:
        raise TypeError(f"cond(): {name} and its new name may not both be given")
    return old if function is None else function


def _branch(graph: Any, which: str, function: Any) -> tuple[Any, Region]:
    """What a branch returns, and its region."""
    region = Region(graph, graph.get_name_scope() + "/" + which)
    with region:
        result = function()
        if result is None:
            raise ValueError(f"{which} must have a return value.")
        # TensorFlow gives the predicate for an operation, when that is done.
        leaves = [
            as_result(leaf, which == "true_fn") if isinstance(leaf, Operation) else leaf
            for leaf in leaves_of(result)
        ]
        region.results = results_of(leaves, _arrays(leaves))
    return result, region


def _parts(leaf: Any) -> list[Any]:
    """The tensors that a SparseTensor or IndexedSlices is made of; any other leaf as it is."""
    if isinstance(leaf, SparseTensor):
        return [leaf.indices, leaf.values, leaf.dense_shape]
    if isinstance(leaf, IndexedSlices):
        shape = leaf.dense_shape
        return [leaf.values, leaf.indices, *([] if shape is None else [shape])]
    return [leaf]


def leaves_of(result: Any) -> list[Any]:
    """The leaves of a structure, a SparseTensor or IndexedSlices taken apart."""
    return [part for leaf in nest.flatten(result) for part in _parts(leaf)]


def whole_of(result: Any, values: Sequence[Any]) -> Any:
    """`values`, one for each of `leaves_of`, in the structure of `result`."""
    rest, leaves = iter(values), []
    for leaf in nest.flatten(result):
        parts = [next(rest) for _ in _parts(leaf)]
        composite = isinstance(leaf, SparseTensor | IndexedSlices)
        leaves.append(type(leaf)(*parts) if composite else parts[0])
    return nest.pack(result, leaves)


def _arrays(leaves: Sequence[Any]) -> dict[int, TensorArray]:
    return {k: leaf for k, leaf in enumerate(leaves) if isinstance(leaf, TensorArray)}


def _check_sides(sides: Sequence[tuple[Any, Region]]) -> None:
    (a, then), (b, other) = sides
    try:
        nest.check_same(_as_tuple(a), _as_tuple(b))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Outputs of true_fn and false_fn must have the same structure: {error}"
        ) from None
    kinds = [[_kind(v) for v in nest.flatten(side)] for side in (a, b)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "Outputs of true_fn and false_fn must be TensorArrays, SparseTensors and IndexedSlices "
            "at the same places"
        )
    _widen_indices(sides)
    for x, y in zip(then.results, other.results, strict=True):
        if x.dtype.base_dtype != y.dtype.base_dtype:
            raise ValueError(
                "Outputs of true_fn and false_fn must have the same type: "
                f"{x.dtype.name}, {y.dtype.name}"
            )


def _widen_indices(sides: Sequence[tuple[Any, Region]]) -> None:
    """Make indices of IndexedSlices int64 in both branches where they are that in one."""
    at = 0
    for leaf in nest.flatten(sides[0][0]):
        if isinstance(leaf, IndexedSlices):
            pair = [region.results[at + 1] for _, region in sides]
            if pair[0].dtype != pair[1].dtype:
                for (_, region), indices in zip(sides, pair, strict=True):
                    with region:
                        region.results[at + 1] = apply("Cast", indices, DstT=np.int64)
        at += len(_parts(leaf))


def _kind(leaf: Any) -> tuple[str, int]:
    """What a result is beside a tensor, and of how many tensors."""
    special = isinstance(leaf, TensorArray | SparseTensor | IndexedSlices)
    return (type(leaf).__name__ if special else "", len(_parts(leaf)))


def _as_tuple(structure: Any) -> Any:
    """Lists and plain tuples of one level count as the same structure."""
    if type(structure) is list:
        return tuple(structure)
    return structure


def case(
    pred_fn_pairs: Any,
    default: Branch | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """The results of the first function whose predicate is true, else of `default()`.

    exclusive: more than one true predicate is an error when the graph runs. Without a default, the
    last function is taken, its predicate does not count for `exclusive`, and it is an error when
    the graph runs if no predicate is true.

    Raises:
      TypeError: the pairs are no list of (scalar bool tensor, callable), or a dict of them.
    """
    pairs = _pairs(pred_fn_pairs)
    if default is not None and not callable(default):
        raise TypeError("default must be callable.")
    with name_scope(name, "case", [p for p, _ in pairs]):
        predicates = [p for p, _ in pairs]
        checks = []
        stacked = apply("Pack", predicates, axis=0) if predicates else None
        counted = predicates if default is not None else predicates[:-1]
        if exclusive and len(counted) > 1:
            several = stacked if default is not None else apply("Pack", counted, axis=0)
            many = apply("Sum", apply("Cast", several, DstT=np.int32), 0)
            names = ", ".join(p.name for p in counted)
            text = (
                f"Input error: exclusive=True: more than 1 conditions ({names}) evaluated as True:"
            )
            checks.append(Assert(many < 2, [text, several], summarize=len(counted)))
        if default is None:
            checks.append(
                Assert(
                    apply("Any", stacked, 0),
                    ["Input error: None of conditions evaluated as True:", stacked],
                )
            )
            last = pairs.pop()[1]
            default = last
        with control_dependencies(checks):
            guarded = [(apply("Identity", p), f) for p, f in pairs]
            return _nested_conds(guarded, default, strict)


def _nested_conds(pairs: list[tuple[Tensor, Branch]], default: Branch, strict: bool) -> Any:
    result = default
    for pred, function in reversed(pairs[1:]):
        result = functools.partial(cond, pred, function, result, strict=True)
    if not pairs:
        return result()
    return cond(pairs[0][0], pairs[0][1], result, strict=strict)


def _pairs(given: Any) -> list[tuple[Tensor, Branch]]:
    if isinstance(given, Mapping):
        given = sorted(given.items(), key=lambda item: item[0].name)
    if not isinstance(given, list | tuple):
        raise TypeError("fns must be a list, tuple, or dict")
    if not given:
        raise ValueError("case needs at least one pair of a predicate and a function")
    for pair in given:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError("Each entry in pred_fn_pairs must be a 2-tuple")
        pred, function = pair
        if not isinstance(pred, Tensor):
            raise TypeError(f"pred must be Tensor, got {type(pred)}")
        if pred.dtype.name != "bool":
            raise TypeError(f"pred must be of type bool: {pred.name}")
        if not callable(function):
            raise TypeError(f"fn for pred {pred.name} must be callable.")
    return list(given)


def switch_case(
    branch_index: Any,
    branch_fns: Any,
    default: Branch | None = None,
    name: str = "switch_case",
) -> Any:
    """The results of function number `branch_index`; of `default` (or the last function) where
    there is none of that number.

    Raises:
      TypeError: `branch_index` is no integer tensor; `branch_fns` are no callables, nor pairs of
        a number and a callable.
      ValueError: there are none, or their numbers are not 0, 1, 2 and so on.
    """
    if not isinstance(branch_index, Tensor | Variable):
        raise TypeError(f"branch_index must be a Tensor, got {type(branch_index)}")
    if not branch_index.dtype.base_dtype.is_integer:
        raise TypeError(f"branch_index must be an integer Tensor, got {branch_index.dtype}")
    functions = _numbered(branch_fns)
    if sorted(functions) != list(range(len(functions))):
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(functions)}) but "
            f"found {{{','.join(map(str, sorted(functions)))}}}"
        )
    if default is None:
        default = functions[max(functions)]
    with name_scope(name, "switch_case", [branch_index]):
        index = convert_to_tensor(branch_index, name="branch_index")
        pairs = [(apply("Equal", index, number), functions[number]) for number in functions]
        return _nested_conds(pairs, default, False)


def _numbered(branch_fns: Any) -> dict[int, Branch]:
    if not isinstance(branch_fns, list | tuple | Mapping):
        raise TypeError("branch_fns must be a list, tuple, or dict")
    if isinstance(branch_fns, Mapping):
        items = list(branch_fns.items())
    elif all(callable(f) for f in branch_fns):
        items = list(enumerate(branch_fns))
    else:
        items = list(branch_fns)
    for item in items:
        if not isinstance(item, tuple) or len(item) != 2 or not callable(item[1]):
            raise TypeError("branch_fns must be callables, or pairs of an int and a callable")
        if not isinstance(item[0], int | np.integer):
            raise TypeError(f"key must be a Python `int`, got {type(item[0])}")
    if not items:
        raise ValueError("branch_fns must not be empty")
    return {int(number): function for number, function in items}
