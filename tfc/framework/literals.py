"""Python values as arrays: which dtype a number, string, list or array becomes, as in TensorFlow 1.

Python floats become float32, ints int32 where they fit, strings arrays of bytes objects; arrays and
single numpy scalars keep their dtype, lists of numpy scalars are narrowed as lists of numbers are.
A dtype asked for must be one that the values are of already: an int may become a float, a float
never an int.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import Dimension


def as_array(
    value: Any,
    dtype: DType | None = None,
    shape: Sequence[int | None] | None = None,
    verify_shape: bool = False,
) -> np.ndarray:
    """`value` as an array of `dtype` (or the dtype it implies), in `shape` if given.

    Fewer values than `shape` holds are continued with the last one.

    Raises:
      TypeError: values that are not of `dtype`, or of no type; an unknown shape; another shape with
        `verify_shape`.
      ValueError: None, a ragged list, or more values than `shape` holds.
    """
    if dtype is not None:
        dtype = dtype.base_dtype
    if isinstance(value, np.ndarray | np.generic) or _is_array_like(value):
        array = _from_numpy(np.asarray(value), dtype)
    else:
        array = _from_python(value, dtype)
    if shape is None:
        return array
    if any(d is None for d in shape):
        raise TypeError(f"a constant needs a known shape, not {list(shape)}")
    return _in_shape(array, tuple(int(d) for d in shape if d is not None), verify_shape)


def _is_array_like(value: Any) -> bool:
    return hasattr(type(value), "__array__") and not isinstance(value, list | tuple)


def _from_numpy(array: np.ndarray, dtype: DType | None) -> np.ndarray:
    if array.dtype.kind in "OSU":
        found = _strings(array)
        if dtype is not None and dtype != dtypes.string:
            mismatch = array.ravel()[0].item() if array.dtype.kind != "O" else array.ravel()[0]
            raise _expected(dtype, mismatch)
        return found
    if dtype is None:
        dtypes.as_dtype(array.dtype)  # TypeError for dtypes that TensorFlow lacks
        return array
    if dtype == dtypes.string:
        raise _expected(dtype, array.tolist())
    return array.astype(dtype.as_numpy_dtype)


def _from_python(value: Any, dtype: DType | None) -> np.ndarray:
    if value is None:
        raise ValueError("None values not supported.")
    leaves: list[Any] = []
    shape = _flatten(value, leaves)
    if dtype is not None:
        _check_leaves(leaves, dtype)
        return _filled(leaves, shape, dtype)
    inferred = _inferred(leaves, value)
    array = _filled(leaves, shape, inferred)
    if inferred not in (dtypes.float64, dtypes.int64) or _holds_array(value):
        return array
    if inferred == dtypes.float64:
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    return array.astype(np.int32) if all(-(2**31) <= int(v) < 2**31 for v in leaves) else array


def _holds_array(value: Any) -> bool:
    """Whether nested lists hold an array that is no scalar."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, list | tuple) and any(_holds_array(v) for v in value)


def _flatten(value: Any, leaves: list[Any]) -> tuple[int, ...]:
    """Append the scalars in `value`, in row-major order; the shape. Depth is the rank."""
    if isinstance(value, np.ndarray):
        leaves.extend(_flat_numpy(value))
        return value.shape
    if isinstance(value, Dimension):
        leaves.append(int(value))
        return ()
    if not _is_sequence(value):
        leaves.append(value)
        return ()
    items = list(value)
    if not items:
        return (0,)
    if not any(_is_sequence(v) or isinstance(v, np.ndarray) for v in items):
        leaves.extend(int(v) if isinstance(v, Dimension) else v for v in items)
        return (len(items),)
    shapes = [_flatten(v, leaves) for v in items]
    for shape in shapes[1:]:
        if shape != shapes[0]:
            wanted = [len(items), *shapes[0]]
            raise ValueError(
                f"Argument must be a dense tensor: {value!r} - got shape {wanted[:-1]}, "
                f"but wanted {wanted}."
            )
    return (len(items), *shapes[0])


def _flat_numpy(array: np.ndarray) -> list[Any]:
    """Elements as numpy scalars, so that their dtype still counts."""
    return list(array.ravel())


def _is_sequence(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return True
    if isinstance(value, str | bytes | dict | set | np.generic):
        return False
    return isinstance(value, range) or hasattr(value, "_dims")


def _inferred(leaves: list[Any], value: Any) -> DType:
    """The dtype that numpy and TensorFlow's narrowing give to these scalars; int64 for ints."""
    if not leaves:
        return dtypes.float32
    kinds = set(map(type, leaves))
    if kinds <= {bool, np.bool_}:
        return dtypes.bool_
    if kinds <= {int, bool} and kinds:
        return dtypes.int64 if all(-(2**63) <= v < 2**63 for v in leaves) else dtypes.uint64
    if kinds <= {float, int, bool}:
        return dtypes.float32
    if any(isinstance(v, str | bytes) for v in leaves):
        if all(isinstance(v, str | bytes) for v in leaves):
            return dtypes.string
        raise _not_convertible(value)
    if not all(isinstance(v, numbers.Number | np.generic) for v in leaves):
        raise _not_convertible(value)
    return dtypes.as_dtype(np.result_type(*{_numpy_type(v) for v in leaves}))


def _numpy_type(value: Any) -> Any:
    return np.asarray(value).dtype


def _not_convertible(value: Any) -> TypeError:
    return TypeError(
        f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. "
        "Consider casting elements to a supported type."
    )


def _filled(leaves: list[Any], shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    if dtype == dtypes.string:
        array = np.empty(len(leaves), object)
        array[:] = [as_bytes(v) for v in leaves]
        return array.reshape(shape)
    try:
        return np.array(leaves, dtype=dtype.as_numpy_dtype).reshape(shape)
    except OverflowError as error:
        raise ValueError(f"a value does not fit {dtype.name}: {error}") from None


def _strings(array: np.ndarray) -> np.ndarray:
    flat = np.empty(array.size, object)
    for i, v in enumerate(array.ravel()):
        if not isinstance(v, str | bytes):
            raise TypeError(
                f"Failed to convert object of type {type(v)} to Tensor. Contents: {v}. "
                "Consider casting elements to a supported type."
            )
        flat[i] = as_bytes(v)
    return flat.reshape(array.shape)


def as_bytes(text: Any) -> bytes:
    """Text as UTF-8; bytes as they are."""
    if isinstance(text, bytes):
        return bytes(text)
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    raise TypeError(f"Expected binary or unicode string, got {text!r}")


def _is_int(v: Any) -> bool:
    return isinstance(v, numbers.Integral | np.bool_)


def _is_real(v: Any) -> bool:
    return isinstance(v, numbers.Real | np.floating | np.integer) or _is_small_float(v)


def _is_small_float(v: Any) -> bool:
    """bfloat16 scalars, which are no np.floating."""
    return isinstance(v, np.generic) and v.dtype.kind in "fV"


def _is_number(v: Any) -> bool:
    return _is_real(v) or isinstance(v, numbers.Number)


def _is_bool(v: Any) -> bool:
    return isinstance(v, bool | np.bool_)


def _is_text(v: Any) -> bool:
    return isinstance(v, str | bytes)


def _test_for(dtype: DType) -> Callable[[Any], bool]:
    if dtype.is_integer:
        return _is_int
    if dtype.is_floating:
        return _is_real
    if dtype.is_complex:
        return _is_number
    return _is_bool if dtype.is_bool else _is_text


def _check_leaves(leaves: list[Any], dtype: DType) -> None:
    accepted = _test_for(dtype)
    for v in leaves:
        if not accepted(v):
            raise _expected(dtype, v)


def _expected(dtype: DType, value: Any) -> TypeError:
    kind = type(value).__name__
    return TypeError(f"Expected {dtype.name}, got {value!r} of type '{kind}' instead.")


def _in_shape(array: np.ndarray, shape: tuple[int, ...], verify: bool) -> np.ndarray:
    if verify and array.shape != shape:
        raise TypeError(f"Expected Tensor's shape: {shape}, got {array.shape}.")
    size = 1
    for d in shape:
        size *= d
    if array.size == size or size == 0:  # as TensorFlow: what is empty takes any value
        return array.reshape(-1)[:size].reshape(shape)
    if array.size > size:
        raise ValueError(
            f"Too many elements provided. Needed at most {size}, but received {array.size}"
        )
    if array.size == 0:
        raise ValueError(f"no element to fill the shape {shape} with")
    flat = np.full(size, array.ravel()[-1], dtype=array.dtype)
    flat[: array.size] = array.ravel()
    return flat.reshape(shape)
