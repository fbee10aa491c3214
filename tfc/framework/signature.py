"""The signature of a TensorFlow op: inputs, attributes and outputs, parsed from one line of text.

    MatMul(a: T, b: T, transpose_a: bool = False, transpose_b: bool = False) -> product: T

An input is `name: T` (T a type attribute, declared beside the signature), `name: int32` (a fixed
dtype), `name: Ref(T)`, `name: N * T` (a list of one dtype; N counts it, and is written `N?` if it
may be empty) or `name: [Ts]` (a list whose dtypes are the attribute Ts). An attribute is `name:
kind` or `name: kind = default`, with kind one of int float bool str type dtype shape tensor func
and list(...) of these, or a set of the strings that it may be: `{'SAME', 'VALID'}`. `bool` without
a default is an input of dtype bool. Outputs are written like inputs; none is `-> ()`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.records import dataclass

KINDS = ("int", "float", "bool", "str", "type", "dtype", "shape", "tensor", "func")
REQUIRED = object()  # the default of an attribute that has none
_ALLOWED_ALL = tuple(d.short for d in dtypes._BY_SHORT.values())


@dataclass(frozen=True, slots=True)
class Arg:
    """One input or output. Exactly one of dtype, type_attr and list_attr is set."""

    name: str
    dtype: DType | None = None
    type_attr: str | None = None
    list_attr: str | None = None  # attribute holding the dtypes of a list of mixed types
    number_attr: str | None = None  # attribute holding the length of a list of one type
    is_ref: bool = False
    may_be_empty: bool = False  # a list of one type that may have no element

    @property
    def is_list(self) -> bool:
        return self.list_attr is not None or self.number_attr is not None


@dataclass(frozen=True, slots=True)
class Attr:
    """One attribute. allowed: short dtype names of a type attribute, or strings of a str one."""

    name: str
    kind: str
    default: Any = REQUIRED
    allowed: tuple[str, ...] | None = None

    @property
    def is_list(self) -> bool:
        return self.kind.startswith("list(")


@dataclass(frozen=True, slots=True)
class Signature:
    """What an op takes and gives.

    params: names of inputs and of the attributes written in the signature and not inferred from
    inputs, in the order in which the Python function takes them.
    attrs: these attributes and those inferred from inputs.
    """

    name: str
    inputs: tuple[Arg, ...]
    attrs: dict[str, Attr]
    outputs: tuple[Arg, ...]
    params: tuple[str, ...]
    by_name: dict[str, Arg] = field(default_factory=dict)


def parse(text: str, allowed: Mapping[str, tuple[str, ...]]) -> Signature:
    """The signature written in `text`; `allowed` declares type attributes and allowed values.

    Raises:
      ValueError: the text does not follow the grammar.
    """
    head, _, tail = text.partition("->")
    match = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", head, re.DOTALL)
    if match is None:
        raise ValueError(f"bad op signature {text!r}")
    name, body = match.groups()
    inputs: list[Arg] = []
    declared: dict[str, Attr] = {}
    params = []
    for piece in _split(body):
        param, spec, default = _piece(piece, text)
        params.append(param)
        if _is_attr(spec, default, allowed):
            declared[param] = _attr(param, spec, default, allowed)
        else:
            inputs.append(_arg(param, spec, text))
    tail = tail.strip()
    outputs = [] if tail in ("", "()") else [_output(p, text) for p in _split(tail)]
    attrs = _inferred_attrs([*inputs, *outputs], declared, allowed)
    for extra in allowed:  # type attributes that no input or output mentions
        attrs.setdefault(extra, Attr(extra, "type", REQUIRED, tuple(allowed[extra])))
    by_name = {arg.name: arg for arg in inputs}
    inferred = {arg.type_attr for arg in inputs}  # by position there is no passing them
    params = [param for param in params if param not in inferred]
    return Signature(name, tuple(inputs), attrs, tuple(outputs), tuple(params), by_name)


def _split(body: str) -> list[str]:
    """`body` at its commas, but not inside brackets or quotes."""
    pieces, depth, quote, start = [], 0, "", 0
    for i, c in enumerate(body):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            pieces.append(body[start:i])
            start = i + 1
    pieces.append(body[start:])
    return [p.strip() for p in pieces if p.strip()]


def _piece(piece: str, text: str) -> tuple[str, str, Any]:
    match = re.fullmatch(r"(\w+)\s*:\s*([^=]+?)\s*(?:=\s*(.*))?", piece, re.DOTALL)
    if match is None:
        raise ValueError(f"bad parameter {piece!r} in op signature {text!r}")
    name, spec, default = match.groups()
    return name, spec, REQUIRED if default is None else _default(default, spec)


def _default(text: str, spec: str) -> Any:
    if spec in ("type", "dtype") and text != "None":
        return dtypes.as_dtype(ast.literal_eval(text) if text[0] in "'\"" else text)
    if spec == "list(type)" and text not in ("None", "[]"):
        return [dtypes.as_dtype(t.strip(" '\"")) for t in text.strip("[]() ").split(",")]
    return ast.literal_eval(text)


def _is_attr(spec: str, default: Any, allowed: Mapping[str, Any]) -> bool:
    if spec in allowed:
        return False
    if default is not REQUIRED or spec.startswith(("list(", "{")):
        return True
    return spec in KINDS and spec != "bool"


def _attr(name: str, spec: str, default: Any, allowed: Mapping[str, tuple[str, ...]]) -> Attr:
    if spec.startswith("{"):
        return Attr(name, "str", default, ast.literal_eval(f"({spec[1:-1]},)"))
    kind = spec.replace("dtype", "type")
    if (kind[5:-1] if kind.startswith("list(") else kind) not in KINDS:
        raise ValueError(f"attribute {name!r} has the unknown kind {spec!r}")
    values = allowed.get(name)
    return Attr(name, kind, default, None if values is None else tuple(values))


def _arg(name: str, spec: str, text: str) -> Arg:
    if match := re.fullmatch(r"Ref\((.*)\)", spec):
        inner = _arg(name, match.group(1).strip(), text)
        return Arg(name, inner.dtype, inner.type_attr, inner.list_attr, inner.number_attr, True)
    if match := re.fullmatch(r"\[(\w+)\]", spec):
        return Arg(name, list_attr=match.group(1))
    if match := re.fullmatch(r"(\w+)(\??)\s*\*\s*(.+)", spec):
        number, empty, element = match.groups()
        inner = _arg(name, element.strip(), text)
        return Arg(name, inner.dtype, inner.type_attr, None, number, inner.is_ref, bool(empty))
    if not re.fullmatch(r"\w+", spec):
        raise ValueError(f"bad type {spec!r} of {name!r} in op signature {text!r}")
    if spec in dtypes._BY_NAME:
        return Arg(name, dtypes.as_dtype(spec))
    return Arg(name, type_attr=spec)


def _output(piece: str, text: str) -> Arg:
    name, spec, _ = _piece(piece, text)
    return _arg(name, spec, text)


def _inferred_attrs(
    args: list[Arg], declared: dict[str, Attr], allowed: Mapping[str, tuple[str, ...]]
) -> dict[str, Attr]:
    """The declared attributes, and those that inputs and outputs bring with them."""
    attrs = dict(declared)
    for arg in args:
        for name, kind in (
            (arg.number_attr, "int"),
            (arg.type_attr, "type"),
            (arg.list_attr, "list(type)"),
        ):
            if name is not None and name not in attrs:
                values = None if kind == "int" else tuple(allowed.get(name, _ALLOWED_ALL))
                attrs[name] = Attr(name, kind, REQUIRED, values)
    return attrs
