"""py_func: a Python function as an op."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.framework.graph import Tensor, get_default_graph
from tfc.framework.opdef import OpDef, apply
from tfc.ops.common import no_gradient


class _Function:
    """A user's function under its token. The graphs that use it keep it alive."""

    def __init__(self, call: Callable[..., Any], token: str):
        self.call, self.token = call, token


_functions: weakref.WeakValueDictionary[str, _Function] = weakref.WeakValueDictionary()
_numbers = itertools.count()


def register(call: Callable[..., Any], graph: Any) -> str:
    """A token for `call`, which lives as long as `graph`."""
    function = _Function(call, f"pyfunc_{next(_numbers)}")
    _functions[function.token] = function
    kept = graph.__dict__.setdefault("_py_funcs_used_in_graph", [])
    kept.append(function)
    return function.token


def _as_array(value: Any) -> np.ndarray:
    """What the function returned, as TensorFlow reads it: strings are arrays of bytes."""
    array = np.asarray(value, order="C")
    if array.dtype.kind in "SU":
        flat = np.empty(array.size, object)
        source = np.asarray(value, dtype=object)
        items = source.ravel() if source.size == array.size else array.ravel()
        flat[:] = [v.encode() if isinstance(v, str) else bytes(v) for v in items]
        return flat.reshape(array.shape)
    return array


# Which error class an exception of the user's function becomes.
_ERRORS: tuple[tuple[type[BaseException], type[errors.OpError]], ...] = (
    ((TypeError), errors.InvalidArgumentError),
    ((ValueError), errors.InvalidArgumentError),
    ((StopIteration), errors.OutOfRangeError),
    ((MemoryError), errors.ResourceExhaustedError),
    ((NotImplementedError), errors.UnimplementedError),
)


def _call(op: Any, token: str, arrays: Sequence[np.ndarray], types: Sequence[Any]) -> list[Any]:
    """The results of the function under `token`, checked against `types`. It is given numpy's
    scalars, and bytes, where tensors are scalars.

    Raises:
      OpError: the function raised, or returned another number of values or other dtypes.
    """
    function = _functions.get(token)
    if function is None:
        raise errors.InvalidArgumentError(None, op, f"callback {token} is not found")
    try:
        result = function.call(*(a if a.ndim else a[()] for a in arrays))
    except Exception as error:
        kinds = (cls for base, cls in _ERRORS if isinstance(error, base))
        cls = next(kinds, errors.UnknownError)
        raise cls(None, op, f"{type(error).__name__}: {error}") from error
    if result is None:
        results: list[Any] = []
    else:
        results = list(result) if isinstance(result, (list, tuple)) else [result]
    if len(results) != len(types):
        raise errors.InvalidArgumentError(
            None,
            op,
            f"{token} returns {len(results)} values, but expects to see {len(types)} values.",
        )
    found = [_as_array(r) for r in results]
    for i, (array, wanted) in enumerate(zip(found, types, strict=True)):
        kind = dtypes.as_dtype(array.dtype)
        if kind != wanted:
            raise errors.InvalidArgumentError(
                None,
                op,
                f"{i}-th value returned by {token} is {dtypes.kernel_name(kind)}, but expects "
                f"{dtypes.kernel_name(wanted)}",
            )
    return found


def _host(op: Any, *arrays: np.ndarray, token: str, Tout: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_call(op, token, arrays, Tout))


class PyFunc(
    OpDef,
    sig="PyFunc(input: [Tin], token: str, Tout: list(type)) -> output: [Tout]",
):
    """The results of a Python function on arrays; it is called every time the op runs."""

    stateful = True
    grad = no_gradient
    host = _host


class PyFuncStateless(
    OpDef,
    sig="PyFuncStateless(input: [Tin], token: str, Tout: list(type)) -> output: [Tout]",
):
    """The results of a Python function on arrays, which depend on its arguments alone."""

    grad = no_gradient
    host = _host


def py_func(
    func: Callable[..., Any],
    inp: Sequence[Any],
    Tout: Any,
    stateful: bool = True,
    name: str | None = None,
) -> Tensor | list[Tensor]:
    """The results of `func`, which takes and returns arrays, as tensors of the dtypes `Tout`.

    Tout: a dtype, or a list of them for a list of results. Shapes are unknown.

    Raises:
      ValueError: `func` cannot be called.
    """
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func of type {type(func)}")
    several = isinstance(Tout, (list, tuple))
    types = [dtypes.as_dtype(t) for t in (Tout if several else [Tout])]
    token = register(func, get_default_graph())
    kind = "PyFunc" if stateful else "PyFuncStateless"
    results = apply(kind, list(inp), token=token, Tout=types, name=name)
    return results if several else results[0]


def numpy_function(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None
) -> Tensor | list[Tensor]:
    """Like `py_func`."""
    return py_func(func, inp, Tout, stateful=True, name=name)
