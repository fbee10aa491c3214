"""Arguments of an op against its signature: binding, conversion to tensors, type inference, checks.

The messages are TensorFlow's own (its op_def_library), since users search for them.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import as_shape
from tfc.framework.convert import convert_to_tensor, is_dense_tensor_like
from tfc.framework.literals import as_array
from tfc.framework.operation import Tensor
from tfc.framework.signature import Arg, Attr, Signature
from tfc.ir.core import Literal


def length(arg: Arg, attrs: dict[str, Any]) -> int:
    """How many tensors an input or output stands for."""
    if arg.list_attr is not None:
        return len(attrs[arg.list_attr])
    if arg.number_attr is not None:
        count: int = attrs[arg.number_attr]
        return count
    return 1


def bind(
    sig: Signature, args: tuple[Any, ...], keywords: dict[str, Any], name: str | None
) -> tuple[dict[str, Any], str | None]:
    """Arguments by parameter name, and the op's name, which may come last by position."""
    params = sig.params
    if len(args) > len(params) + 1 or (len(args) > len(params) and name is not None):
        raise TypeError(
            f"{sig.name}() takes {len(params)} positional arguments but {len(args)} were given"
        )
    values = dict(zip(params, args, strict=False))
    if len(args) > len(params):
        name = args[-1]
    for key, value in keywords.items():
        if key in values:
            raise TypeError(f"{sig.name}() got multiple values for argument '{key}'")
        if key not in sig.by_name and key not in sig.attrs:
            raise TypeError(f"{sig.name}() got an unexpected keyword argument '{key}'")
        values[key] = value
    for arg in sig.inputs:
        if arg.name not in values:
            raise TypeError(f"{sig.name}() missing required argument: '{arg.name}'")
    return values, name


def graph_of(sig: Signature, values: dict[str, Any]) -> Any:
    """The graph of the tensors among the inputs, None if there are none.

    Raises:
      ValueError: they are of several graphs.
    """
    first = None
    for arg in sig.inputs:
        value = values[arg.name]
        if arg.is_list and not isinstance(value, list | tuple):
            continue  # reported with the right words when it is converted
        for element in value if arg.is_list else (value,):
            if not isinstance(element, Tensor) and not is_dense_tensor_like(element):
                continue
            if first is None:
                first = element
            elif element.graph is not first.graph:
                raise ValueError(f"{element} must be from the same graph as {first}.")
    return None if first is None else first.graph


def convert_inputs(sig: Signature, values: dict[str, Any]) -> list[Tensor]:
    """The inputs as one flat list of tensors; constants are made in the current name scope."""
    known: dict[str, tuple[DType, str]] = {}  # type attribute -> dtype, and the input it is from
    for name, attr in sig.attrs.items():
        if attr.kind == "type" and values.get(name) is not None:
            known[name] = normal_attr(sig, attr, values[name]), name
    tensors: list[Tensor] = []
    for arg in sig.inputs:
        value = values[arg.name]
        if arg.is_list:
            tensors += _convert_list(sig, arg, value, known)
            continue
        wish = None
        if arg.type_attr is not None and arg.type_attr not in known:
            wish = _default_type(sig, arg, value)
        tensor = _convert_one(sig, arg, value, known, wish)
        _learn(sig, arg, tensor.dtype.base_dtype, known)
        if arg.is_ref and not tensor.dtype.is_ref_dtype:
            raise TypeError(
                f"'{sig.name}' Op requires that input '{arg.name}' be a mutable tensor "
                "(e.g.: a tf.Variable)"
            )
        tensors.append(tensor)
    return tensors


def list_attrs(sig: Signature, values: dict[str, Any], inputs: Sequence[Tensor]) -> dict[str, Any]:
    """Lengths and dtypes of the list arguments, given what they were converted to.

    Raises:
      ValueError: a list of tensors of one dtype is empty, or two that must be of one length are
        not.
    """
    found: dict[str, Any] = {}
    owner: dict[str, str] = {}
    at = 0
    for arg in sig.inputs:
        count = len(values[arg.name]) if arg.is_list else 1
        if arg.list_attr is not None:
            found[arg.list_attr] = [t.dtype.base_dtype for t in inputs[at : at + count]]
        elif arg.number_attr is not None:
            if not count and not arg.may_be_empty:
                raise ValueError(
                    f"List argument '{arg.name}' to '{sig.name}' Op with length 0 shorter than "
                    "minimum length 1."
                )
            known = found.setdefault(arg.number_attr, count)
            first = owner.setdefault(arg.number_attr, arg.name)
            if known != count:
                raise ValueError(
                    f"List argument '{arg.name}' to '{sig.name}' Op with length {count} must "
                    f"match length {known} of argument '{first}'."
                )
        at += count
    return found


def _default_type(sig: Signature, arg: Arg, value: Any) -> DType | None:
    """The dtype that a Python value should have if it can: the type attribute's default. An array
    that the op computes with keeps its own precision if the op takes that."""
    assert arg.type_attr is not None
    attr = sig.attrs[arg.type_attr]
    default = attr.default
    if not isinstance(default, DType):
        return None
    if not isinstance(value, np.ndarray | np.generic):
        return default
    if default.is_integer:  # which a larger integer must not be wrapped into
        fits = value.dtype.kind not in "iu" or np.array_equal(
            value, value.astype(default.as_numpy_dtype)
        )
        return default if fits else None
    own = value.dtype
    keeps = any(own == dtypes.by_short(short).as_numpy_dtype for short in attr.allowed or ())
    return None if keeps else default


def _learn(sig: Signature, arg: Arg, dtype: DType, known: dict[str, tuple[DType, str]]) -> None:
    """Check `dtype` against what the attribute allows, and remember it."""
    if arg.type_attr is None:
        return
    allowed = sig.attrs[arg.type_attr].allowed
    if allowed is not None and dtype.short not in allowed:
        raise TypeError(_not_allowed(arg.name, dtype, allowed))
    known.setdefault(arg.type_attr, (dtype, arg.name))


def _not_allowed(name: str, dtype: DType, allowed: Sequence[str]) -> str:
    names = ", ".join(dtypes.by_short(s).name for s in allowed)
    return (
        f"Value passed to parameter '{name}' has DataType {dtype.name} not in list of allowed "
        f"values: {names}"
    )


def _convert_one(
    sig: Signature,
    arg: Arg,
    value: Any,
    known: dict[str, tuple[DType, str]],
    wish: DType | None,
) -> Tensor:
    dtype, source = arg.dtype, ""
    if arg.type_attr is not None and arg.type_attr in known:
        dtype, source = known[arg.type_attr]
    try:
        return convert_to_tensor(value, dtype, arg.name, wish, arg.is_ref)
    except TypeError as error:
        if dtype is None:
            raise
        raise TypeError(
            f"Expected {dtype.name} passed to parameter '{arg.name}' of op '{sig.name}', got "
            f"{value!r} of type '{type(value).__name__}' instead. Error: {error}"
        ) from None
    except ValueError:
        observed = _observed(arg, value)
        prefix = f"Input '{arg.name}' of '{sig.name}' Op has type {observed} that does not match"
        assert dtype is not None
        if arg.dtype is not None:
            raise TypeError(f"{prefix} expected type of {dtype.name}.") from None
        raise TypeError(f"{prefix} type {dtype.name} of argument '{source}'.") from None


def _observed(arg: Arg, value: Any) -> str:
    """The dtype name that `value` has by itself."""
    try:
        return convert_to_tensor(value, as_ref=arg.is_ref).dtype.name
    except ValueError as error:
        raise ValueError(
            f"Tried to convert '{arg.name}' to a tensor and failed. Error: {error}"
        ) from None


def _convert_list(
    sig: Signature, arg: Arg, value: Any, known: dict[str, tuple[DType, str]]
) -> list[Tensor]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"Expected list for '{arg.name}' argument to '{sig.name}' Op, not {value}.")
    dtype, source = arg.dtype, ""
    if arg.type_attr is not None and arg.type_attr in known:
        dtype, source = known[arg.type_attr]
    if dtype is None and arg.type_attr is not None:
        found = next((v for v in value if is_dense_tensor_like(v)), None)
        dtype = None if found is None else found.dtype.base_dtype
    try:
        if arg.list_attr is None:
            tensors = _convert_each(arg, value, dtype)
        else:
            tensors = [
                convert_to_tensor(v, None, f"{arg.name}_{i}", None, arg.is_ref)
                for i, v in enumerate(value)
            ]
    except (TypeError, ValueError):
        raise TypeError(_list_mismatch(sig, arg, value, dtype, source)) from None
    if arg.list_attr is None:
        kinds = {t.dtype.base_dtype for t in tensors}
        if len(kinds) > 1:
            raise TypeError(_list_mismatch(sig, arg, value, None, ""))
        if kinds:
            _learn(sig, arg, tensors[0].dtype.base_dtype, known)
    return tensors


def _convert_each(arg: Arg, value: Sequence[Any], dtype: DType | None) -> list[Tensor]:
    """Each element converted; without a dtype the first one decides."""
    tensors: list[Tensor] = []
    for i, v in enumerate(value):
        tensor = convert_to_tensor(v, dtype, f"{arg.name}_{i}", None, arg.is_ref)
        dtype = tensor.dtype.base_dtype
        tensors.append(tensor)
    return tensors


def _list_mismatch(
    sig: Signature, arg: Arg, value: Sequence[Any], dtype: DType | None, source: str
) -> str:
    names = []
    for v in value:
        try:
            names.append(convert_to_tensor(v, as_ref=arg.is_ref).dtype.name)
        except (TypeError, ValueError):
            names.append("<NOT CONVERTIBLE TO TENSOR>")
    prefix = (
        f"Tensors in list passed to '{arg.name}' of '{sig.name}' Op have types [{', '.join(names)}]"
    )
    if arg.list_attr is not None:
        return f"{prefix} that are invalid."
    if arg.dtype is not None:
        return f"{prefix} that do not match expected type {arg.dtype.name}."
    if dtype is not None and source:
        return f"{prefix} that do not match type {dtype.name} inferred from earlier arguments."
    return f"{prefix} that don't all match."


def attrs_of_inputs(
    sig: Signature, inputs: Sequence[Tensor], attrs: dict[str, Any]
) -> dict[str, Any]:
    """The attributes that the inputs decide: types, lengths, lists of types.

    Raises:
      ValueError: the number of inputs is wrong. TypeError: their types contradict each other.
    """
    implied: dict[str, Any] = {}
    at = 0
    for position, arg in enumerate(sig.inputs):
        count = _count(sig, position, len(inputs) - at, attrs, implied)
        part = inputs[at : at + count]
        if len(part) != count:
            raise ValueError(f"op {sig.name} takes more inputs than the {len(inputs)} given")
        at += count
        if arg.list_attr is not None:
            implied[arg.list_attr] = [t.dtype.base_dtype for t in part]
            continue
        for tensor in part:
            _imply(sig, arg, tensor.dtype.base_dtype, implied)
    if at != len(inputs):
        raise ValueError(f"op {sig.name} takes {at} inputs, not {len(inputs)}")
    return implied


def _count(
    sig: Signature, position: int, left: int, attrs: dict[str, Any], implied: dict[str, Any]
) -> int:
    """How many of the `left` inputs belong to the argument at `position`."""
    arg = sig.inputs[position]
    if not arg.is_list:
        return 1
    key = arg.number_attr or arg.list_attr
    assert key is not None
    stated = implied.get(key, attrs.get(key))
    if stated is not None:
        count = stated if arg.number_attr is not None else len(stated)
    else:
        others = sig.inputs[position + 1 :]
        same = sum(1 for o in others if key in (o.number_attr, o.list_attr))
        if any(o.is_list and key not in (o.number_attr, o.list_attr) for o in others):
            raise ValueError(f"op {sig.name} needs the attribute {key!r}")
        count = (left - (len(others) - same)) // (1 + same)
    if arg.number_attr is not None:
        implied[arg.number_attr] = count
    return int(count)


def _imply(sig: Signature, arg: Arg, dtype: DType, implied: dict[str, Any]) -> None:
    if arg.dtype is not None:
        if dtype != arg.dtype:
            raise TypeError(
                f"Input '{arg.name}' of '{sig.name}' Op has type {dtype.name} that does not match "
                f"expected type of {arg.dtype.name}."
            )
        return
    assert arg.type_attr is not None
    before = implied.setdefault(arg.type_attr, dtype)
    if before != dtype:
        raise TypeError(
            f"Input '{arg.name}' of '{sig.name}' Op has type {dtype.name} that does not match "
            f"type {before.name} of argument '{_first_of(sig, arg.type_attr)}'."
        )


def _first_of(sig: Signature, attr: str) -> str:
    return next(a.name for a in sig.inputs if a.type_attr == attr)


def normal_attr(sig: Signature, attr: Attr, value: Any) -> Any:
    """`value` in the form in which ops hold it: DType, TensorShape, Literal, str, tuple, …

    Raises:
      TypeError: it is of another kind. ValueError: it is not among the allowed values.
    """
    if attr.is_list:
        if value is None:
            return None
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, list | tuple):
            raise TypeError(f"Expected list for attr {attr.name}")
        inner = Attr(attr.name, attr.kind[5:-1], allowed=attr.allowed)
        return tuple(normal_attr(sig, inner, v) for v in value)
    if value is None and attr.default is None:
        return None
    value = _of_kind(attr, value)
    if attr.allowed is not None:
        if attr.kind == "type" and value.base_dtype.short not in attr.allowed:
            raise TypeError(_not_allowed(attr.name, value, attr.allowed))
        if attr.kind == "str" and value not in attr.allowed:
            names = ", ".join(f'"{a}"' for a in attr.allowed)
            raise ValueError(
                f"Attr '{attr.name}' of '{sig.name}' Op passed string '{value}' not in: {names}."
            )
    return value


def _of_kind(attr: Attr, value: Any) -> Any:
    name, kind = attr.name, attr.kind
    if kind == "type":
        try:
            return dtypes.as_dtype(value).base_dtype
        except TypeError as error:
            raise TypeError(
                f"Expected DataType for argument '{name}' not {value!r}. ({error})"
            ) from None
    if kind == "shape":
        try:
            return as_shape(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"Error converting {value!r} (for argument '{name}') to a TensorShape: {error}"
            ) from None
    if kind == "tensor":
        return value if isinstance(value, Literal) else Literal(as_array(value))
    if kind == "bool":
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise TypeError(f"Expected bool for argument '{name}' not {value!r}.")
    if kind == "int":
        if isinstance(value, Tensor | str | bytes):
            raise TypeError(f"Expected int for argument '{name}' not {value!r}.")
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"Expected int for argument '{name}' not {value!r}.") from None
    if kind == "float":
        if isinstance(value, numbers.Real | np.floating):
            return float(value)
        raise TypeError(f"Expected float for argument '{name}' not {value!r}.")
    if kind == "str":
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape")
        if isinstance(value, str):
            return value
        raise TypeError(f"Expected string for argument '{name}' not {value!r}.")
    return value
