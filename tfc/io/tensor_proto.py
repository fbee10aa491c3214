"""Arrays out of TensorProto messages, which may come from anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base.dtypes import as_dtype

LIMIT = 1 << 31  # bytes that one constant may take
REPEATED = 1 << 26  # and one whose last value is repeated: a few bytes may say so
_FIELDS = {
    "float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val",
    "uint32": "uint32_val", "uint64": "uint64_val", "float16": "half_val", "bfloat16": "half_val",
    "complex64": "scomplex_val", "complex128": "dcomplex_val", "string": "string_val",
}  # fmt: skip

# Of these dtypes TensorFlow lists numbers, however many.
LISTED = ("float16", "bfloat16", "bool", "complex64", "complex128", "string")


def put_values(proto: Any, array: np.ndarray) -> None:
    """Add the elements of `array` to the field of its dtype."""
    name, flat = as_dtype(array.dtype).name, array.ravel()
    if name == "string":
        values: list[Any] = [s.encode() if isinstance(s, str) else bytes(s) for s in flat.tolist()]
    elif name in ("float16", "bfloat16"):
        values = flat.view(np.uint16).tolist()
    elif name.startswith("complex"):
        values = flat.view(flat.real.dtype).tolist()
    else:
        values = flat.tolist()
    getattr(proto, _FIELDS.get(name, "int_val")).extend(values)


def dtype_of(enum: int) -> Any:
    """The DType with that number. Raises ValueError: there is none."""
    try:
        return as_dtype(int(enum))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{enum} is the number of no dtype: {error}") from None


def array_of(proto: Any) -> np.ndarray:
    """The array that a TensorProto holds: as bytes, or as numbers of which the last is repeated.

    Raises:
      ValueError: sizes that do not fit, or that are absurd; a dtype that has no arrays.
    """
    dtype = dtype_of(proto.dtype)
    if dtype.name in ("resource", "variant") or dtype.is_ref_dtype:
        raise ValueError(f"a constant cannot be of dtype {dtype.name}")
    if proto.tensor_shape.unknown_rank:
        raise ValueError("the shape of a constant is unknown")
    shape = [int(dim.size) for dim in proto.tensor_shape.dim]
    if len(shape) > 254 or min(shape, default=0) < 0:
        raise ValueError(f"a constant cannot have the shape {shape[:8]}")
    count = 1
    for extent in shape:
        count *= extent
    kind = np.dtype(dtype.as_numpy_dtype)
    if count * kind.itemsize > LIMIT:
        raise ValueError(f"a constant of shape {shape} takes more than {LIMIT} bytes")
    if proto.tensor_content and dtype.name != "string":
        if len(proto.tensor_content) != count * kind.itemsize:
            raise ValueError(
                f"a constant of shape {shape} has {len(proto.tensor_content)} bytes, not "
                f"{count * kind.itemsize}"
            )
        return np.frombuffer(proto.tensor_content, kind).reshape(shape).copy()
    values = _values(proto, dtype.name, kind)
    if len(values) > count:
        raise ValueError(f"a constant of shape {shape} has {len(values)} values")
    if len(values) < count and count * kind.itemsize > REPEATED:
        raise ValueError(f"a constant of shape {shape} has only {len(values)} values")
    result = np.empty(count, kind)
    if not len(values):
        result[:] = b"" if dtype.name == "string" else 0
    else:
        result[: len(values)] = values
        result[len(values) :] = values[-1]
    return result.reshape(shape)


def _values(proto: Any, name: str, kind: np.dtype) -> Any:
    """The numbers of the field that holds those of the dtype."""
    values = list(getattr(proto, _FIELDS.get(name, "int_val")))
    if name in ("float16", "bfloat16"):
        if any(not 0 <= v < 1 << 16 for v in values):
            raise ValueError("a number of 16 bits is out of range")
        return np.array(values, np.uint16).view(kind)
    if name.startswith("complex"):
        if len(values) % 2:
            raise ValueError("a complex constant has an odd number of parts")
        pairs = np.array(values, np.float64).reshape(-1, 2)
        return (pairs[:, 0] + 1j * pairs[:, 1]).astype(kind)
    if kind.kind in "iu" and values:
        info = np.iinfo(kind)
        if min(values) < info.min or max(values) > info.max:
            raise ValueError(f"a number is out of the range of {name}")
    return values
