"""Data types: one row per dtype.

A dtype has a TensorFlow face (`tf.float32`, a `DType`) and a compiler face (the short name
`f32` that IR types carry). Both come from the one table below; nothing else in tfc lists dtypes.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

# short name, TensorFlow name, numpy scalar type, enum in types.proto, bits of one element
_ROWS: tuple[tuple[str, str, Any, int, int], ...] = (
    ("f32", "float32", np.float32, 1, 32),
    ("f64", "float64", np.float64, 2, 64),
    ("i32", "int32", np.int32, 3, 32),
    ("u8", "uint8", np.uint8, 4, 8),
    ("i16", "int16", np.int16, 5, 16),
    ("i8", "int8", np.int8, 6, 8),
    ("str", "string", object, 7, 0),
    ("c64", "complex64", np.complex64, 8, 64),
    ("i64", "int64", np.int64, 9, 64),
    ("i1", "bool", np.bool_, 10, 8),
    ("bf16", "bfloat16", ml_dtypes.bfloat16, 14, 16),
    ("u16", "uint16", np.uint16, 17, 16),
    ("c128", "complex128", np.complex128, 18, 128),
    ("f16", "float16", np.float16, 19, 16),
    ("resource", "resource", object, 20, 0),
    ("variant", "variant", object, 21, 0),
    ("u32", "uint32", np.uint32, 22, 32),
    ("u64", "uint64", np.uint64, 23, 64),
)
_REF_OFFSET = 100  # types.proto: DT_FLOAT_REF = 101 and so on

FLOATS = ("f16", "bf16", "f32", "f64")
COMPLEX = ("c64", "c128")
SIGNED = ("i8", "i16", "i32", "i64")
UNSIGNED = ("u8", "u16", "u32", "u64")
INTEGERS = SIGNED + UNSIGNED
REALS = FLOATS + INTEGERS
NUMBERS = REALS + COMPLEX
INEXACT = FLOATS + COMPLEX
INDEX = ("i32", "i64")  # of positions and shapes
REAL_PART = {"c64": "f32", "c128": "f64"}


class DType:
    """A TensorFlow data type such as `tf.float32`; the reference variant marks a mutable tensor."""

    __slots__ = ("_enum", "_is_ref", "_numpy", "bits", "name", "short")

    def __init__(self, short: str, name: str, numpy: Any, enum: int, bits: int, is_ref: bool):
        self.short = short
        self.name = name + "_ref" if is_ref else name
        self._numpy, self._enum, self.bits, self._is_ref = numpy, enum, bits, is_ref

    @property
    def as_numpy_dtype(self) -> Any:
        """The numpy scalar type of one element (`object` for strings)."""
        return self._numpy

    @property
    def as_datatype_enum(self) -> int:
        """The number of this type in TensorFlow's types.proto."""
        return self._enum

    @property
    def base_dtype(self) -> DType:
        """The type without its reference mark."""
        return _BY_ENUM[self._enum % _REF_OFFSET]

    @property
    def _as_ref(self) -> DType:
        return _BY_ENUM[self._enum % _REF_OFFSET + _REF_OFFSET]

    @property
    def is_ref_dtype(self) -> bool:
        return self._is_ref

    _is_ref_dtype = is_ref_dtype

    @property
    def real_dtype(self) -> DType:
        """The type of the real part of a complex type; the base type itself otherwise."""
        return by_short(REAL_PART.get(self.short, self.short))

    @property
    def is_bool(self) -> bool:
        return self.short == "i1"

    @property
    def is_integer(self) -> bool:
        return self.short in INTEGERS

    @property
    def is_floating(self) -> bool:
        return self.short in FLOATS

    @property
    def is_complex(self) -> bool:
        return self.short in COMPLEX

    @property
    def is_unsigned(self) -> bool:
        return self.short in UNSIGNED

    @property
    def is_numpy_compatible(self) -> bool:
        return self.short not in ("resource", "variant")

    @property
    def size(self) -> int:
        """Bytes of one element; 1 for strings and handles, as TensorFlow says."""
        return max(self.bits // 8, 1)

    @property
    def min(self) -> Any:
        """The least finite value. Raises TypeError for types without an order."""
        return self._limit("min")

    @property
    def max(self) -> Any:
        """The greatest finite value. Raises TypeError for types without an order."""
        return self._limit("max")

    @property
    def limits(self) -> tuple[Any, Any]:
        """(least, greatest) value of an integer or image type as used by image conversions."""
        if self.is_floating:
            return 0, 1
        return (False, True) if self.is_bool else (self.min, self.max)

    def _limit(self, which: str) -> Any:
        if self.is_floating:
            return getattr(ml_dtypes.finfo(self._numpy), which)
        if self.is_integer:
            return getattr(np.iinfo(self._numpy), which)
        raise TypeError(f"Cannot find {which}imum value of {self!r}.")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether `other` converts to this type: a reference is read where its base is wanted."""
        other = as_dtype(other)
        return self._enum in (other._enum, other.base_dtype._enum)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self._enum == other._enum
        if other is None or other is int:  # no dtype is Python's int; as_dtype takes it for one
            return False
        try:
            return self._enum == as_dtype(other)._enum
        except TypeError:
            return False

    def __hash__(self) -> int:
        return self._enum

    def __repr__(self) -> str:
        return "tf." + self.name

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __int__(self) -> int:
        return self._enum

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return as_dtype, (self.name,)


_BY_ENUM: dict[int, DType] = {}
_BY_SHORT: dict[str, DType] = {}
_BY_NAME: dict[str, DType] = {}
_BY_NUMPY: dict[Any, DType] = {}
for _short, _name, _numpy, _enum, _bits in _ROWS:
    _base = DType(_short, _name, _numpy, _enum, _bits, False)
    _ref = DType(_short, _name, _numpy, _enum + _REF_OFFSET, _bits, True)
    _BY_ENUM[_enum], _BY_ENUM[_enum + _REF_OFFSET] = _base, _ref
    _BY_SHORT[_short] = _base
    _BY_NAME[_base.name], _BY_NAME[_ref.name] = _base, _ref
    if _numpy is not object:
        _BY_NUMPY[np.dtype(_numpy)] = _base
_BY_NAME.update(half=_BY_SHORT["f16"], float=_BY_SHORT["f32"], double=_BY_SHORT["f64"])
_BY_PYTHON = {float: "f32", int: "i32", bool: "i1", complex: "c64", str: "str", bytes: "str"}


_KERNEL_NAMES = {"float32": "float", "float64": "double", "float16": "half"}


def kernel_name(dtype: DType) -> str:
    """The dtype as the messages of TensorFlow's kernels name it: `float`, `double`, `half`."""
    return _KERNEL_NAMES.get(dtype.name, dtype.name)


def as_dtype(type_value: Any) -> DType:
    """The DType named by a DType, enum number, name, numpy dtype or Python type.

    Raises:
      TypeError: `type_value` names no type.
    """
    if isinstance(type_value, DType):
        return type_value
    if isinstance(type_value, type) and type_value in _BY_PYTHON:
        return _BY_SHORT[_BY_PYTHON[type_value]]
    if isinstance(type_value, int) and type_value in _BY_ENUM:
        return _BY_ENUM[type_value]
    if isinstance(type_value, str) and type_value in _BY_NAME:
        return _BY_NAME[type_value]
    try:
        numpy = None if type_value is None else np.dtype(type_value)  # None would be float64
    except (TypeError, ValueError):
        numpy = None
    if numpy is not None and numpy in _BY_NUMPY:
        return _BY_NUMPY[numpy]
    if numpy is not None and numpy.kind in "OSU":
        return _BY_SHORT["str"]
    raise TypeError(f"Cannot convert {type_value!r} to a TensorFlow DType.")


def by_short(short: str) -> DType:
    """The DType whose short name, as IR types print it, is `short`."""
    return _BY_SHORT[short]


def numpy_dtype(short: str) -> np.dtype:
    """The numpy dtype of the elements of IR type `short`."""
    found: np.dtype = np.dtype(_BY_SHORT[short].as_numpy_dtype)
    return found


def short_of(numpy: Any) -> str:
    """The short name for a numpy dtype."""
    return as_dtype(numpy).short


def is_short(name: str) -> bool:
    """Whether `name` is a short dtype name."""
    return name in _BY_SHORT


float16 = half = _BY_SHORT["f16"]
bfloat16 = _BY_SHORT["bf16"]
float32 = _BY_SHORT["f32"]
float64 = double = _BY_SHORT["f64"]
int8, int16, int32, int64 = (_BY_SHORT[s] for s in SIGNED)
uint8, uint16, uint32, uint64 = (_BY_SHORT[s] for s in UNSIGNED)
complex64, complex128 = (_BY_SHORT[s] for s in COMPLEX)
bool_ = _BY_SHORT["i1"]
string = _BY_SHORT["str"]
resource, variant = _BY_SHORT["resource"], _BY_SHORT["variant"]
