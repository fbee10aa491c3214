"""convert_to_tensor: what may stand where a Tensor is wanted, and the registry of such types.

Numbers, strings, lists and arrays become a Const op; a list with tensors in it becomes a Pack;
other classes (Variable, IndexedSlices) register a conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import Dimension, TensorShape
from tfc.framework.literals import as_array
from tfc.framework.operation import Tensor
from tfc.framework.stack import get_default_graph
from tfc.ir.core import Literal

# (value, dtype, name, as_ref) -> Tensor or NotImplemented
Conversion = Callable[..., Any]

_registry: list[tuple[int, Any, Conversion]] = []
_by_type: dict[type, list[Conversion]] = {}
_tensor_like: list[type] = [Tensor]


def register_tensor_conversion_function(
    base_type: Any, conversion_func: Conversion, priority: int = 100
) -> None:
    """Let values of `base_type` (a class or a tuple of them) stand where a Tensor is wanted.

    `conversion_func(value, dtype, name, as_ref)` returns a Tensor or NotImplemented. Lower
    priorities are asked first.

    Raises:
      TypeError: `base_type` is no class, or the function cannot be called.
    """
    classes = base_type if isinstance(base_type, tuple) else (base_type,)
    if not all(isinstance(c, type) for c in classes):
        raise TypeError("base_type must be a type or a tuple of types.")
    if not callable(conversion_func):
        raise TypeError("conversion_func must be callable.")
    _registry.append((priority, base_type, conversion_func))
    _registry.sort(key=lambda entry: entry[0])
    _by_type.clear()


def register_dense_tensor_like_type(tensor_type: type) -> None:
    """Objects of this class, with `name` and `dtype`, count as tensors inside lists."""
    _tensor_like.append(tensor_type)


def is_dense_tensor_like(value: Any) -> bool:
    """Whether `value` is a Tensor or of a class that registered as such."""
    return isinstance(value, tuple(_tensor_like))


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    as_ref: bool = False,
    dtype_hint: Any = None,
) -> Tensor:
    """`value` as a Tensor of `dtype`, or of the dtype it implies.

    preferred_dtype: used if nothing is asked for and the value can be of it. as_ref: variables
    give a reference.

    Raises:
      TypeError: values that cannot be of `dtype`. ValueError: a Tensor of another dtype.
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype).base_dtype
    if isinstance(value, Tensor):
        if dtype is not None and value.dtype.base_dtype != dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype "
                f"{value.dtype.name}: {str(value)!r}"
            )
        return value
    preferred = preferred_dtype if preferred_dtype is not None else dtype_hint
    if dtype is None and preferred is not None:
        try:
            return _convert(value, dtypes.as_dtype(preferred).base_dtype, name, as_ref)
        except (TypeError, ValueError):
            pass  # a wish: the value decides
    return _convert(value, dtype, name, as_ref)


def _convert(value: Any, dtype: DType | None, name: str | None, as_ref: bool) -> Tensor:
    kind = type(value)
    functions = _by_type.get(kind)
    if functions is None:
        functions = _by_type[kind] = [f for _, base, f in _registry if isinstance(value, base)]
    for function in functions:
        tensor = function(value, dtype=dtype, name=name, as_ref=as_ref)
        if tensor is NotImplemented:
            continue
        if not isinstance(tensor, Tensor):
            raise RuntimeError(
                f"Conversion function {function!r} for type {kind} returned non-Tensor: {tensor!r}"
            )
        if dtype is not None and tensor.dtype.base_dtype != dtype:
            raise RuntimeError(
                f"Conversion function {function!r} for type {kind} returned incompatible dtype: "
                f"requested = {dtype.name}, actual = {tensor.dtype.name}"
            )
        return tensor
    return constant_tensor(as_array(value, dtype), name or "Const")


def constant_tensor(array: Any, name: str) -> Tensor:
    """A Const op of the default graph that holds `array`."""
    attrs = {"value": Literal(array), "dtype": dtypes.as_dtype(array.dtype)}
    output: Tensor = get_default_graph().create_op("Const", [], attrs=attrs, name=name).outputs[0]
    return output


def convert_n_to_tensor(
    values: Sequence[Any],
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    as_ref: bool = False,
) -> list[Tensor]:
    """Each of `values` as a Tensor; those that become constants are named `name_0`, `name_1`, …"""
    return [
        convert_to_tensor(v, dtype, f"{name}_{i}" if name else None, preferred_dtype, as_ref)
        for i, v in enumerate(values)
    ]


def convert_to_tensor_or_indexed_slices(
    value: Any, dtype: Any = None, name: str | None = None, as_ref: bool = False
) -> Any:
    """An IndexedSlices as it is, anything else as a Tensor; ValueError on another dtype."""
    from tfc.framework.indexed_slices import IndexedSlices

    if isinstance(value, IndexedSlices):
        if dtype is not None and value.dtype.base_dtype != dtypes.as_dtype(dtype).base_dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtypes.as_dtype(dtype).name} for Tensor "
                f"with dtype {value.dtype.name}: {str(value)!r}"
            )
        return value
    return convert_to_tensor(value, dtype, name, as_ref=as_ref)


def _holds_tensor(values: Iterable[Any]) -> Any:
    """The first tensor in nested lists, or None."""
    like = tuple(_tensor_like)
    stack = [iter(values)]
    while stack:
        for v in stack[-1]:
            if isinstance(v, like):
                return v
            if isinstance(v, list | tuple):
                stack.append(iter(v))
                break
        else:
            stack.pop()
    return None


def _pack_list(
    value: Any, dtype: DType | None = None, name: str | None = None, as_ref: bool = False
) -> Any:
    """A list with tensors in it, as a Pack of its elements; those of another dtype than asked for
    are cast."""
    first = _holds_tensor(value)
    if first is None or as_ref:
        return NotImplemented
    found = first.dtype.base_dtype
    if dtype is not None and dtype != found:
        value, found = _cast_tensors(value, dtype), dtype
    return _pack(value, found, name or "packed")


def _cast_tensors(value: Any, dtype: DType) -> Any:
    """Nested lists with their tensors cast."""
    if isinstance(value, list | tuple):
        return [_cast_tensors(v, dtype) for v in value]
    if not is_dense_tensor_like(value):
        return value
    part = convert_to_tensor(value)
    if part.dtype.base_dtype == dtype:
        return part
    graph = get_default_graph()
    return graph.create_op("Cast", [part], attrs={"DstT": dtype}).outputs[0]


def _pack(values: Any, dtype: DType, name: str) -> Tensor:
    graph = get_default_graph()
    with graph.name_scope(name) as scope:
        parts = []
        for i, v in enumerate(values):
            if isinstance(v, list | tuple) and _holds_tensor(v) is not None:
                parts.append(_pack(v, dtype, str(i)))
            elif is_dense_tensor_like(v):
                part = convert_to_tensor(v)
                if part.dtype.base_dtype != dtype:
                    raise TypeError(
                        f"Cannot convert a list containing a tensor of dtype "
                        f"{part.dtype.base_dtype!r} to {dtype!r} (Tensor is: {part!r})"
                    )
                parts.append(part)
            else:
                parts.append(constant_tensor(as_array(v, dtype), str(i)))
        output: Tensor = graph.create_op("Pack", parts, attrs={"axis": 0}, name=scope).outputs[0]
        return output


def _shape_to_tensor(
    value: TensorShape, dtype: DType | None = None, name: str | None = None, as_ref: bool = False
) -> Tensor:
    if not value.is_fully_defined():
        raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {value}")
    dims = value.as_list()
    if dtype is None:
        big = any(d is not None and d >= 2**31 for d in dims)
        dtype = dtypes.int64 if big else dtypes.int32
    elif dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(f"Cannot convert a TensorShape to dtype: {dtype.name}")
    array = as_array(dims, dtype) if dims else as_array([], dtype, [0])
    return constant_tensor(array, name or "shape_as_tensor")


def _dimension_to_tensor(
    value: Dimension, dtype: DType | None = None, name: str | None = None, as_ref: bool = False
) -> Tensor:
    if value.value is None:
        raise ValueError(f"Cannot convert an unknown Dimension to a Tensor: {value}")
    if dtype is None:
        dtype = dtypes.int64 if value.value >= 2**31 else dtypes.int32
    elif dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(f"Cannot convert a TensorShape to dtype: {dtype.name}")
    return constant_tensor(as_array(value.value, dtype), name or "shape_as_tensor")


register_tensor_conversion_function((list, tuple), _pack_list, 99)
register_tensor_conversion_function(TensorShape, _shape_to_tensor, 100)
register_tensor_conversion_function(Dimension, _dimension_to_tensor, 100)
