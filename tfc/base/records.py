"""`dataclass`, for classes that every program loads: what the standard library's does, with one
compilation a class instead of six.

The standard library compiles a text for each method it adds, which took a quarter of the time of
`import tfc`. Here only `__init__` is compiled, and where there are slots what compares values; the
other methods are closures over the fields.
"""

from __future__ import annotations

import dataclasses
import reprlib
import sys
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any, TypeVar, overload

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[Any], Any]:
        """What tells type checkers of a function that it makes dataclasses."""
        return lambda function: function


C = TypeVar("C", bound=type)


class _Factory:
    """Stands for an argument that was not given, of a field with a default factory."""


@overload
def dataclass(cls: C, /) -> C: ...
@overload
def dataclass(
    *, frozen: bool = False, eq: bool = True, slots: bool = False
) -> Callable[[C], C]: ...
@dataclass_transform(field_specifiers=(dataclasses.field,))
def dataclass(
    cls: Any = None, /, *, frozen: bool = False, eq: bool = True, slots: bool = False
) -> Any:
    """The class with `__init__`, `__repr__` and so on, as `dataclasses.dataclass` makes it."""

    def wrap(cls: Any) -> Any:
        return _with_methods(cls, frozen, eq, slots)

    return wrap if cls is None else wrap(cls)


def _with_methods(cls: Any, frozen: bool, eq: bool, slots: bool) -> Any:
    cls.__doc__ = cls.__doc__ or cls.__name__
    # With slots it is a class of its own.
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    fields = dataclasses.fields(cls)
    own = dict(cls.__dict__)
    methods = {"__init__": _init(cls, fields, frozen), "__repr__": _repr(fields)}
    if frozen and slots:
        names = [f.name for f in fields]
        methods["__getstate__"], methods["__setstate__"] = _state(names), _set_state(names)
    if eq:
        compared = [f.name for f in fields if f.compare]
        hashed = [f.name for f in fields if (f.compare if f.hash is None else f.hash)]
        if slots:
            methods["__eq__"], hash_of = _compiled_eq_and_hash(compared, hashed)
        else:
            methods["__eq__"], hash_of = _eq(_getter(compared)), _hash(_getter(hashed))
        if frozen and own.get("__hash__") is None:
            cls.__hash__ = hash_of
        elif "__hash__" not in own:
            cls.__hash__ = None
    if frozen:
        refused = frozenset(f.name for f in fields)
        methods["__setattr__"] = _refuse(cls, refused, "assign to")
        methods["__delattr__"] = _refuse(cls, refused, "delete")
    for name, method in methods.items():
        method.__qualname__, method.__name__ = f"{cls.__qualname__}.{name}", name
        if name not in own:
            setattr(cls, name, method)
    return cls


def _init(cls: Any, fields: Any, frozen: bool) -> Any:
    missing = dataclasses.MISSING
    scope: dict[str, Any] = {"_factory": _Factory, "_set": object.__setattr__}
    params, body = ["self"], []
    for n, field in enumerate(fields):
        name, value = field.name, field.name
        made = field.default_factory is not missing
        if made:
            scope[f"_default{n}"] = field.default_factory
            value = f"_default{n}()"
        if field.init:
            if made:
                params.append(f"{name}=_factory")
                value = f"{value} if {name} is _factory else {name}"
            elif field.default is not missing:
                scope[f"_default{n}"] = field.default
                params.append(f"{name}=_default{n}")
            else:
                params.append(name)
        elif not made:
            continue  # the class's attribute
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    exec(f"def __init__({', '.join(params)}):\n " + "\n ".join(body or ["pass"]), scope)
    return scope["__init__"]


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of some attributes, as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda self: ()
    only = attrgetter(names[0])
    return lambda self: (only(self),)


def _state(names: list[str]) -> Any:
    """What pickle keeps of a frozen object with slots."""

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    return __getstate__


def _set_state(names: list[str]) -> Any:
    def __setstate__(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __setstate__


def _compiled_eq_and_hash(compared: list[str], hashed: list[str]) -> tuple[Any, Any]:
    """As `_eq` and `_hash`, in two thirds of the time: what has slots is compared often."""

    def of(name: str, fields: list[str]) -> str:
        return f"({''.join(f'{name}.{field}, ' for field in fields)})"

    scope: dict[str, Any] = {}
    exec(
        f"def __eq__(self, other):\n if other.__class__ is self.__class__:\n"
        f"  return {of('self', compared)} == {of('other', compared)}\n return NotImplemented\n"
        f"def __hash__(self):\n return hash({of('self', hashed)})",
        scope,
    )
    return scope["__eq__"], scope["__hash__"]


def _eq(compared: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __eq__(self: Any, other: object) -> Any:
        if other.__class__ is self.__class__:
            return compared(self) == compared(other)
        return NotImplemented

    return __eq__


def _hash(hashed: Callable[[Any], Hashable]) -> Any:
    def __hash__(self: Any) -> int:
        return hash(hashed(self))

    return __hash__


def _repr(fields: Any) -> Any:
    names = [f.name for f in fields if f.repr]

    def __repr__(self: Any) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({inside})"

    return reprlib.recursive_repr()(__repr__)


def _refuse(cls: Any, names: frozenset[str], deed: str) -> Any:
    """What changes no field. The attributes of classes derived from `cls` are theirs."""
    change = "__setattr__" if deed == "assign to" else "__delattr__"

    def refuse(self: Any, name: str, *value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot {deed} field {name!r}")
        getattr(super(cls, self), change)(name, *value)

    return refuse
