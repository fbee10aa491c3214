"""Host stages: ops that Python runs on arrays, between compiled stages.

Which ops may is a visible list: those whose definition has a `host` rule and no native form, and
ops that move elements, on strings.
String variables live here as well: their contents are object arrays in the Session's store, and
ops with an `assigns` or a `with_content` rule replace them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.client.state import VariableStore
from tfc.framework.session_objects import Call
from tfc.passes.arrays import Element, Elements
from tfc.passes.residuals import NotTaken
from tfc.passes.versions import variable_of


def run_host_op(
    op: Any,
    values: Mapping[Any, np.ndarray],
    store: VariableStore,
    deadline: float | None = None,
    functions: Any = None,
) -> Sequence[np.ndarray]:
    """The outputs of a host op, each of the dtype that the graph says. `deadline`: when the run
    must be over. `functions`: what runs the functions of datasets."""
    refs = op.defn.ref_inputs(op)
    arrays = [
        value_of(t, values, store) for t, is_ref in zip(op.inputs, refs, strict=True) if not is_ref
    ]
    if op.defn.assigns is not None and any(refs):
        key = variable_of(op.inputs[0]).name
        content = _as_array(op.defn.assigns(*arrays), op.outputs[0])
        store.put(key, content)
        return [content]
    if op.defn.with_content is not None and any(refs):
        key = variable_of(op.inputs[0]).name
        held = store.get(key)
        result, writes = op.defn.with_content(op, None if held is None else held.array, *arrays)
        result = _as_array(result, op.outputs[0])
        if writes:
            store.put(key, result)
        return [result]
    call = (Call(store.objects, op, deadline, functions),) if op.defn.takes_session else ()
    results = op.defn.run_host(op, arrays, *call)
    return [_as_array(r, t) for r, t in zip(results, op.outputs, strict=True)]


def value_of(tensor: Any, values: Mapping[Any, np.ndarray], store: VariableStore) -> np.ndarray:
    """The value of a tensor; a string variable's is its content now.

    Raises:
      FailedPreconditionError: the variable has no content.
    """
    if tensor in values or not tensor.dtype.is_ref_dtype:
        return values[tensor]
    variable = variable_of(tensor)
    buffer = store.get(variable.name)
    if buffer is None:
        raise errors.FailedPreconditionError(
            None, variable, f"Attempting to use uninitialized value {variable.name}"
        )
    return buffer.array


def _as_array(value: Any, tensor: Any) -> np.ndarray:
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value
    dtype = tensor.dtype.as_numpy_dtype
    if dtype is object and not isinstance(value, np.ndarray):
        array = np.empty((), object)
        array[()] = value
        return array
    return np.asarray(value, dtype=dtype, order="C")


def empty_arrays(arrays: Mapping[Any, Elements | NotTaken]) -> dict[Any, Elements | NotTaken]:
    """The arrays that nothing was written to, and what is never taken: later stages know them
    without a value."""
    return {t: a for t, a in arrays.items() if isinstance(a, NotTaken) or not a.items}


def object_array(
    tensor: Any, array: Elements | NotTaken, values: Mapping[Any, np.ndarray]
) -> np.ndarray:
    """The elements of `array` as one array of objects, None where nothing was written."""
    if isinstance(array, NotTaken):
        return np.empty((), object)
    whole = np.full(array.size, None, object)
    for k in array.items:
        whole[k] = values[Element(tensor, k)]
    return whole
