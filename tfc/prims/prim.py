"""Prim: the definition of one primitive, and the constructors that families of primitives share.

A primitive is statically typed, never broadcasts and is total: index primitives clamp, integer
division by zero gives zero; an `assert` made by `lower` reports what was out of range. Its
definition holds its type rule, its numpy meaning and its one output element; a primitive that owns
a loop structure (`dot`, `sort`, …) has a hero in `codegen/heroes` instead of an element.

Every rule takes operands by position and attributes by keyword.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

import numpy as np

from tfc.base.records import dataclass
from tfc.ir.core import Literal, Type, Value

REGISTRY: dict[str, Prim] = {}


@dataclass(frozen=True, eq=False)
class Prim:
    """One primitive.

    infer: operand Types -> result Types (a tuple). Raises ValueError on ill-typed operands.
    eval: operand arrays -> array, or tuple of arrays if there are several results.
    emit: (emitter, index, *elements) -> packet: the result's element at the index; None for heroes.
    """

    name: str
    doc: str
    infer: Callable[..., tuple[Type, ...]]
    eval: Callable[..., Any]
    emit: Callable[..., Any] | None = None
    effects: bool = False  # never merged, dropped or reordered
    moves: bool = False  # a pure index transformation: never a kernel of its own, free to repeat
    cheap: bool = False  # free to repeat in every user
    exact: bool = True  # numpy gives the same bits as compiled code
    folds: bool = True  # the Builder may evaluate it on small constants
    ulp: float = 0.0  # largest error of a float32 result against numpy in float64, in ULP
    defaults: dict[str, Any] = field(default_factory=dict)  # attributes that may be left out

    def __post_init__(self) -> None:
        if self.name in REGISTRY:
            raise ValueError(f"primitive {self.name!r} is defined twice")
        REGISTRY[self.name] = self

    def __call__(self, build: Any, *values: Value, **attrs: Any) -> Any:
        """Append this primitive to `build`; its result, or a tuple of them if not exactly one.

        Lists, numpy scalars and arrays given as attributes are stored as tuples, Python scalars
        and Literals.
        """
        regions = attrs.pop("regions", ())
        normal = {name: normal_attr(value) for name, value in (self.defaults | attrs).items()}
        results = build.emit(self, *values, regions=regions, **normal)
        return results[0] if len(results) == 1 else results

    @property
    def const(self) -> Prim:
        """What the Builder makes folded results of; it knows no primitive by itself."""
        return REGISTRY["const"]

    def __repr__(self) -> str:
        return f"<Prim {self.name}>"


def normal_attr(value: Any) -> Any:
    """`value` in the one form in which attributes hold it: hashable, of plain Python types."""
    if isinstance(value, np.ndarray):
        return Literal(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return tuple(normal_attr(v) for v in value)
    return value


def check(condition: bool, message: str, *values: Any) -> None:
    """Type rules use this: ValueError with `message` unless `condition`. `values` fill the places
    `{}` of the message; rules that run often give them so, because text takes longer than the rule.
    """
    if not condition:
        raise ValueError(message.format(*values) if values else message)


def check_dtype(name: str, type: Type, allowed: tuple[str, ...]) -> None:
    check(type.dtype in allowed, "{} does not take {}", name, type.dtype)


def unary(
    name: str, allowed: tuple[str, ...], eval: Callable[..., Any], doc: str, **flags: Any
) -> Prim:
    """y[i] = f(x[i]), of x's type. The emitter has a method of the primitive's name."""

    def infer(x: Type) -> tuple[Type, ...]:
        check_dtype(name, x, allowed)
        return (x,)

    def emit(e: Any, i: Any, x: Any) -> Any:
        return e.unary(name, x(i))

    return Prim(name, doc, infer, eval, emit, **flags)


def comparison(name: str, allowed: tuple[str, ...], eval: Callable[..., Any], doc: str) -> Prim:
    """p[i] = f(x[i], y[i]) of dtype i1; both operands of one type."""

    def infer(x: Type, y: Type) -> tuple[Type, ...]:
        check_dtype(name, x, allowed)
        check(x == y, "{} takes operands of one type, not {} and {}", name, x, y)
        return (Type("i1", x.shape),)

    def emit(e: Any, i: Any, x: Any, y: Any) -> Any:
        return e.compare(name, x(i), y(i))

    return Prim(name, doc, infer, eval, emit)


def binary(
    name: str,
    allowed: tuple[str, ...],
    eval: Callable[..., Any],
    doc: str,
    **flags: Any,
) -> Prim:
    """z[i] = f(x[i], y[i]); operands and result of one type."""

    def infer(x: Type, y: Type) -> tuple[Type, ...]:
        check_dtype(name, x, allowed)
        check(x == y, "{} takes operands of one type, not {} and {}", name, x, y)
        return (x,)

    def emit(e: Any, i: Any, x: Any, y: Any) -> Any:
        return e.binary(name, x(i), y(i))

    return Prim(name, doc, infer, eval, emit, **flags)


def moves(
    name: str,
    doc: str,
    infer: Callable[..., tuple[Type, ...]],
    eval: Callable[..., Any],
    emit: Callable[..., Any],
    **flags: Any,
) -> Prim:
    """A pure index transformation: each result element is one operand element."""
    return Prim(name, doc, infer, eval, emit, moves=True, cheap=True, **flags)
