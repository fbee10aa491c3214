"""What native code may know of CPython and numpy: addresses of their functions and types, and where
some fields of their objects lie.

The fields are those of numpy's published `PyArrayObject_fields`, `PyArray_Descr` and scalar
objects, of `PyObject` itself, and the first slot of a class with `__slots__`. None of them is taken
on trust: `problem` looks each one up in objects whose contents are known. Where one is not where it
should be, where the interpreter has no GIL, or is no CPython, there is no native dispatch.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import signal
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

HEAD = 16  # bytes of PyObject: reference count, type
TYPE = 8
ARRAY_DATA, ARRAY_RANK, ARRAY_DIMS, ARRAY_DESCR, ARRAY_FLAGS = 16, 24, 32, 56, 64
C_CONTIGUOUS_AND_ALIGNED = 0x0001 | 0x0100  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
DESCR_BYTEORDER, DESCR_NUMBER = 26, 28
SCALAR_VALUE = HEAD
FIRST_SLOT = HEAD
_API = {  # places in numpy's table of functions
    "PyArray_CopyInto": 50,
    "PyArray_Scalar": 60,
    "PyArray_NewFromDescr": 94,
    "PyDataMem_SetHandler": 304,
    "PyDataMem_GetHandler": 305,
}
_PYTHON = (
    "Py_IncRef", "Py_DecRef", "PyErr_Clear", "PyEval_SaveThread", "PyEval_RestoreThread",
    "PyObject_Call", "PyObject_CallNoArgs", "PyObject_Vectorcall", "PyFloat_AsDouble",
    "PyLong_AsLongLongAndOverflow", "PyList_New", "PyList_Size", "PyList_GetItem",
    "PyList_SetItem", "PyTuple_New", "PyTuple_Size", "PyTuple_GetItem", "PyTuple_SetItem",
    "PyDict_New", "PyDict_Size", "PyDict_Next", "PyDict_SetItem", "PyErr_CheckSignals",
    "PyObject_CallOneArg", "PyThread_get_thread_ident", "PyUnicode_Compare",
)  # fmt: skip
_OBJECTS = {
    "None": None, "True": True, "False": False, "NotImplemented": NotImplemented,
    "float": float, "int": int, "list": list, "tuple": tuple, "dict": dict,
    "ndarray": np.ndarray, "float64": np.float64, "float32": np.float32, "int64": np.int64,
    "int32": np.int32, "str": str, "feed_dict": sys.intern("feed_dict"),
    "set_wakeup_fd": signal.set_wakeup_fd,
}  # fmt: skip


@functools.cache
def symbols() -> dict[str, int]:
    """The addresses that native code is linked against: functions of C under their names, Python
    objects (they live as long as the process) as `py.<name>`."""
    api = ctypes.pythonapi
    found = {name: _address(getattr(api, name)) for name in _PYTHON}
    found |= {name: _numpy_function(number) for name, number in _API.items()}
    return found | {f"py.{name}": id(value) for name, value in _OBJECTS.items()}


@functools.cache
def problem() -> str:
    """Why native code must not touch Python objects here; empty if it may."""
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} is not CPython"
    if sys.version_info < (3, 11):
        return "CPython before 3.11 lacks functions that are called"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "the interpreter is built without a GIL"
    if sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return "the machine is not a little-endian one of 64 bits"
    if object.__basicsize__ != HEAD or ctypes.c_void_p.from_address(id(1.5) + TYPE).value != id(
        float
    ):
        return "objects have an unknown head"
    checks = (_check_arrays, _check_descriptors, _check_scalars, _check_slots, _check_functions)
    return next((what for check in checks if (what := check())), "")


@functools.cache
def _is_trusted() -> bool:
    return not problem()


def address_of(array: np.ndarray) -> int:
    """Where the data of an array starts; what numpy has for this takes seven times as long."""
    if _is_trusted():
        return ctypes.c_void_p.from_address(id(array) + ARRAY_DATA).value or 0
    address: int = array.__array_interface__["data"][0]
    return address


def keep_forever(value: Any) -> None:
    """Never free `value`: native code has its address, and may run until the process ends, when
    modules and what they hold have gone."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


def new_capsule(address: int, name: bytes) -> Any:
    """A PyCapsule."""
    keep_forever(name)
    prototype = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
    )
    return prototype(("PyCapsule_New", ctypes.pythonapi))(address, name, None)


def set_memory_handler() -> Any:
    """numpy's function that makes a capsule the allocator of new arrays, and gives the old one."""
    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)
    return prototype(symbols()["PyDataMem_SetHandler"])


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef. It must live as long as what is made of it."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


FASTCALL_WITH_KEYWORDS = 0x0080 | 0x0002  # METH_FASTCALL | METH_KEYWORDS


def new_method(owner: type, definition: MethodDef) -> Any:
    """A method of class `owner`."""
    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
    make = prototype(("PyDescr_NewMethod", ctypes.pythonapi))
    return make(owner, ctypes.addressof(definition))


def wakeup_fd_cell(fds: Sequence[int]) -> int:
    """Address of the i32 that holds what `signal.set_wakeup_fd` was told last, or 0 if it is not
    found. Only for reading; asking that function instead takes two calls of the system.

    It is found by trial: the one place among the interpreter's variables that follows as each of
    `fds` is set in turn. For the main thread; afterwards the last of them is set.
    """
    places: list[int] | None = None
    try:
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            for fd in fds:
                signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
                if places is None:
                    places = [
                        low + 4 * int(k)
                        for low, high in _variables_of_interpreter()
                        for k in np.flatnonzero(_ints(memory, low, high) == fd)
                    ]
                places = [place for place in places if fd in _ints(memory, place, place + 4)]
    except OSError:
        return 0
    return places[0] if places is not None and len(places) == 1 else 0


def _ints(memory: Any, low: int, high: int) -> Any:
    """What lies there, in so far as it is still mapped: other threads may free it meanwhile."""
    try:
        return np.frombuffer(os.pread(memory.fileno(), high - low, low), np.int32)
    except OSError:
        return np.empty(0, np.int32)


def _variables_of_interpreter() -> list[tuple[int, int]]:
    """Where what the interpreter may write is mapped from its file, and what follows at once: its
    variables without initial values. Empty where the system does not tell."""
    try:
        with open("/proc/self/maps") as file:
            lines = [line.rstrip().split(maxsplit=5) for line in file]
    except OSError:
        return []
    code, name, found, after = symbols()["PyErr_CheckSignals"], "", [], 0
    maps = [([int(end, 16) for end in line[0].split("-")], line) for line in lines]
    for (low, high), line in maps:
        if low <= code < high:
            name = line[-1]
    for (low, high), line in maps:
        if line[-1] == name or (len(line) == 5 and low == after):  # 5: without a file
            after = high
            if line[1].startswith("rw"):
                found.append((low, high))
    return found


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _numpy_function(number: int) -> int:
    package = "numpy._core" if int(np.__version__.partition(".")[0]) >= 2 else "numpy.core"
    capsule = importlib.import_module(f"{package}._multiarray_umath")._ARRAY_API
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    table = prototype(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, None)
    return ctypes.c_void_p.from_address(table + 8 * number).value or 0


# -- where fields lie ---------------------------------------------------------------------------
def _pointer(value: Any, offset: int) -> int:
    return ctypes.c_void_p.from_address(id(value) + offset).value or 0


def _int(value: Any, offset: int) -> int:
    return ctypes.c_int32.from_address(id(value) + offset).value


def _check_arrays() -> str:
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    raw = np.zeros(65, np.uint8)[1:].view(np.float32)
    for array in (whole, whole.T, whole[:, ::2], np.zeros((0, 5), np.int16), np.array(1.0), raw):
        dims = _pointer(array, ARRAY_DIMS)
        seen = tuple(ctypes.c_int64.from_address(dims + 8 * d).value for d in range(array.ndim))
        good = array.flags.c_contiguous and array.flags.aligned
        both = _int(array, ARRAY_FLAGS) & C_CONTIGUOUS_AND_ALIGNED == C_CONTIGUOUS_AND_ALIGNED
        if (
            _pointer(array, ARRAY_DATA) != array.__array_interface__["data"][0]
            or _int(array, ARRAY_RANK) != array.ndim
            or seen != array.shape
            or _pointer(array, ARRAY_DESCR) != id(array.dtype)
            or both != good
        ):
            return "arrays of numpy have an unknown layout"
    return ""


def _check_descriptors() -> str:
    for name in ("f4", ">f4", "i8", ">i8", "?", "u1", ml_dtypes.bfloat16):
        dtype = np.dtype(name)
        order = ctypes.c_char.from_address(id(dtype) + DESCR_BYTEORDER).value.decode()
        if order != dtype.byteorder or _int(dtype, DESCR_NUMBER) != dtype.num:
            return "dtypes of numpy have an unknown layout"
    return ""


def _check_scalars() -> str:
    types = (np.bool_, np.int8, np.uint16, np.int32, np.int64, np.uint64, np.float16, np.float32,
             np.float64, np.complex64, np.complex128, ml_dtypes.bfloat16)  # fmt: skip
    for kind in types:
        scalar = kind(1)
        size = scalar.dtype.itemsize
        if ctypes.string_at(id(scalar) + SCALAR_VALUE, size) != scalar.tobytes():
            return f"scalars of {kind.__name__} have an unknown layout"
    return ""


def _check_slots() -> str:
    class Probe:
        __slots__ = ("__dict__", "__weakref__", "_first")

    class Derived(Probe):
        pass

    for probe in (Probe(), Derived()):
        empty = _pointer(probe, FIRST_SLOT)
        probe._first, probe.other = _API, 1  # type: ignore[attr-defined]
        if empty or _pointer(probe, FIRST_SLOT) != id(_API):
            return "slots of classes lie at an unknown place"
    return ""


def _check_functions() -> str:
    """Whether numpy's functions are where its table has them."""
    scalar = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
    )(symbols()["PyArray_Scalar"])
    array = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p,
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p,
    )(symbols()["PyArray_NewFromDescr"])  # fmt: skip
    handler = ctypes.PYFUNCTYPE(ctypes.py_object)(symbols()["PyDataMem_GetHandler"])()
    if "PyCapsule" not in repr(type(handler)) or set_memory_handler()(handler) is not handler:
        return "numpy's memory handlers are not where its table says so"
    number, dims = ctypes.c_float(2.5), (ctypes.c_int64 * 2)(3, 5)
    made = scalar(ctypes.addressof(number), np.dtype(np.float32), None)
    dtype = np.dtype(np.int16)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))  # the next call takes one
    fresh = array(np.ndarray, dtype, 2, ctypes.addressof(dims), None, None, 0, None)
    copy = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.py_object)(
        symbols()["PyArray_CopyInto"]
    )
    fresh[...], given = 0, np.arange(15.0).reshape(5, 3).T
    if copy(fresh, given) or (fresh != given).any():
        return "numpy copies no array where its table says so"
    if type(made) is not np.float32 or made != 2.5:
        return "numpy makes no scalar where its table says so"
    if type(fresh) is not np.ndarray or fresh.shape != (3, 5) or fresh.dtype != dtype:
        return "numpy makes no array where its table says so"
    return ""
