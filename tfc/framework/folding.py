"""Values that the graph alone decides, found by evaluating ops: TensorFlow's shape functions
evaluate the ops in front of a shape, an axis or a count where all that they read is constant."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.framework.opdef import call_rule
from tfc.framework.operation import Operation, Tensor
from tfc.framework.tensor_util import constant_value, dimension_value
from tfc.ir.core import Literal, Value
from tfc.ir.interp import run
from tfc.passes.lower import Lowering
from tfc.passes.lower_errors import NeedsValue, NotNative

# So many ops are looked at, and arrays of so many elements computed; shape arithmetic needs less.
_OPS = 100
_ELEMENTS = 10_000
# Without native form, but functions of their operands; other host ops may look at anything.
_OF_NUMBERS = (
    "DynamicPartition",
    "ListDiff",
    "SparseSlice",
    "SparseSplit",
    "Unique",
    "UniqueWithCounts",
    "Where",
)
_OF_STRINGS = ("StringLength", "StringSplit", "StringSplitV2", "StringToNumber", "UnicodeDecode")
_HOST = frozenset((*_OF_NUMBERS, *_OF_STRINGS))
# Of these it is the static shape of the operands that counts, not their values.
_OF_SHAPES = frozenset(("Shape", "ShapeN", "Size", "Rank"))


_MOST_RESULTS = 1000
_results: dict[Any, tuple[np.ndarray, ...]] = {}


class _Unknown(Exception):
    """The graph does not decide the value."""


def folded_value(tensor: Any) -> np.ndarray | None:
    """The value of `tensor` where the graph alone decides it, found by evaluation if need be."""
    value = constant_value(tensor)
    if value is not None or not isinstance(tensor, Tensor):
        return value
    try:
        return _Evaluation().value(tensor)
    except _Unknown:
        return None


class _Evaluation:
    """The outputs of the ops evaluated so far. An op that fails leaves its error to the run."""

    def __init__(self) -> None:
        self.results: dict[Operation, tuple[np.ndarray, ...]] = {}
        self.left = _OPS

    def value(self, tensor: Tensor) -> np.ndarray:
        found = self.results.get(tensor.op)
        if found is not None:
            return found[tensor.value_index]
        self.left -= 1
        value = constant_value(tensor)
        if value is None:
            self.results[tensor.op] = outputs = self._outputs(tensor.op)
            value = outputs[tensor.value_index]
        return value

    def _outputs(self, op: Operation) -> tuple[np.ndarray, ...]:
        if op.type in _OF_SHAPES:
            return _shapes(op)
        if self.left <= 0 or not _is_function(op):
            raise _Unknown
        extent = dimension_value(op.outputs[0])
        if extent is not None:
            return (np.array(extent, op.outputs[0].dtype.as_numpy_dtype),)
        arrays = [self.value(t) for t in op.inputs]
        if sum(array.size for array in arrays) > _ELEMENTS:
            raise _Unknown
        try:
            with np.errstate(all="ignore"):
                if op.type in _HOST:
                    return op.defn.run_host(op, arrays)
                return _remembered(op, arrays)
        except (
            errors.OpError,
            p.AssertionFailed,
            NeedsValue,
            NotNative,
            ArithmeticError,
            ValueError,
        ):
            raise _Unknown from None


def _shapes(op: Operation) -> tuple[np.ndarray, ...]:
    """The outputs of ShapeN; of the others `constant_value` knows what there is to know."""
    shapes = [tensor.get_shape() for tensor in op.inputs]
    if op.type != "ShapeN" or not all(shape.is_fully_defined() for shape in shapes):
        raise _Unknown
    dtype = op.outputs[0].dtype.as_numpy_dtype
    return tuple(np.array(shape.as_list(), dtype) for shape in shapes)


def _is_function(op: Operation) -> bool:
    """Whether the outputs of `op` are a function of its inputs that is worth evaluating here."""
    defn = op.defn
    if not op.inputs or op.regions or op.type == "PlaceholderWithDefault":
        return False
    if defn.stateful or defn.effects or defn.lower is None and op.type not in _HOST:
        return False
    if any(t.dtype.is_ref_dtype or not t.dtype.is_numpy_compatible for t in op.inputs):
        return False
    if op.type in _OF_STRINGS:
        return True
    if any(t.dtype.short == "str" for t in (*op.inputs, *op.outputs)):
        return False
    return all((t.get_shape().num_elements() or 0) <= _ELEMENTS for t in op.outputs)


def _remembered(op: Operation, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The outputs of `op` for these operands; the same arithmetic comes again and again."""
    operands = tuple((a.dtype.num, a.shape, a.tobytes()) for a in arrays)
    try:
        attrs = tuple((k, v) for k, v in op._attrs.items() if not k.startswith("_"))
        found = _results.get(key := (op.type, attrs, operands))
    except TypeError:  # an attribute that is a list
        return _interpreted(op, arrays)
    if found is None:
        if len(_results) >= _MOST_RESULTS:
            _results.clear()
        found = _results[key] = _interpreted(op, arrays)
    return found


def _interpreted(op: Operation, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    build: Any = Lowering("folding", {}, {})
    build.op = op
    values = [p.const(build, value=Literal(array)) for array in arrays]
    results = call_rule(op.defn.lower, op, values, build)  # type: ignore[arg-type]
    results = tuple(results) if isinstance(results, (tuple, list)) else (results,)
    if not all(isinstance(result, Value) for result in results):
        raise _Unknown
    return run(build.finish(results), [])
