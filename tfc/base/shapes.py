"""TensorShape and Dimension: shapes of which the rank or some dimensions may be unknown.

A shape holds a tuple of `int | None`, or None where even the rank is unknown. `Dimension` objects
exist only at the surface, where TensorFlow 1 hands them out.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfc.base.dtypes import DType

Dims = tuple[int | None, ...] | None


class Dimension:
    """One extent, which may be unknown. Arithmetic and comparisons with an unknown one give an
    unknown one, or None."""

    __slots__ = ("_value",)

    def __init__(self, value: Any):
        self._value = dimension_value(value)

    @property
    def value(self) -> int | None:
        return self._value

    def is_compatible_with(self, other: Any) -> bool:
        other = dimension_value(other)
        return self._value is None or other is None or self._value == other

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {as_dimension(other)} are not compatible")

    def merge_with(self, other: Any) -> Dimension:
        """The one dimension that both describe; ValueError if there is none."""
        other = as_dimension(other)
        self.assert_is_compatible_with(other)
        return other if self._value is None else self

    def __eq__(self, other: object) -> Any:
        try:
            value = dimension_value(other)
        except (TypeError, ValueError):
            return NotImplemented
        return None if self._value is None or value is None else self._value == value

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is None or equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return hash(self._value)

    def __int__(self) -> int:
        if self._value is None:
            raise TypeError("__int__ returned non-int (type NoneType)")
        return self._value

    def __index__(self) -> int:
        return int(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def _compare(self, other: Any, how: Callable[[int, int], bool]) -> bool | None:
        value = dimension_value(other)
        return None if self._value is None or value is None else how(self._value, value)

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, operator.ge)

    def _combine(self, other: Any, how: Callable[[int, int], int], swap: bool = False) -> Any:
        try:
            value = dimension_value(other)
        except (TypeError, ValueError):
            return NotImplemented
        if self._value is None or value is None:
            return Dimension(None)
        return Dimension(how(value, self._value) if swap else how(self._value, value))

    def __add__(self, other: Any) -> Any:
        return self._combine(other, operator.add)

    def __radd__(self, other: Any) -> Any:
        return self._combine(other, operator.add, swap=True)

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, operator.sub)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, operator.sub, swap=True)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, operator.mul)

    def __rmul__(self, other: Any) -> Any:
        return self._combine(other, operator.mul, swap=True)

    def __floordiv__(self, other: Any) -> Any:
        return self._combine(other, operator.floordiv)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._combine(other, operator.floordiv, swap=True)

    __div__ = __floordiv__

    def __mod__(self, other: Any) -> Any:
        return self._combine(other, operator.mod)

    def __rmod__(self, other: Any) -> Any:
        return self._combine(other, operator.mod, swap=True)

    def __repr__(self) -> str:
        return f"Dimension({self._value})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)


def dimension_value(value: Any) -> int | None:
    """The extent that a Dimension, integer or None stands for.

    Raises:
      TypeError: not an integer. ValueError: negative.
    """
    if value is None:
        return None
    if isinstance(value, Dimension):
        return value._value
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"Ambiguous dimension: {value}")
    try:
        number = operator.index(value) if not isinstance(value, float | str) else int(value)
    except TypeError:
        number = _through_int(value)
    if number < 0:
        raise ValueError(f"Dimension {number} must be >= 0")
    return number


def _through_int(value: Any) -> int:
    """Objects that only offer `__int__`; a value that does not survive it is no dimension."""
    if isinstance(value, DType):
        raise TypeError(f"Cannot convert {value} to Dimension")
    number = int(value)
    if number != value:
        raise ValueError(f"Ambiguous dimension: {value}")
    return number


def as_dimension(value: Any) -> Dimension:
    return value if isinstance(value, Dimension) else Dimension(value)


def _is_single(dims: Any) -> bool:
    """Whether `dims` is one extent rather than a sequence of them."""
    if isinstance(dims, str | Dimension) or not hasattr(dims, "__iter__"):
        return True
    return getattr(dims, "ndim", None) == 0


class TensorShape:
    """The static shape of a tensor: known, partly known (`(?, 10)`) or `<unknown>`.

    `TensorShape(None)` has unknown rank; `TensorShape(5)` is a vector of five.
    """

    __slots__ = ("_dims",)
    _dims: Dims

    def __init__(self, dims: Any):
        if dims is None:
            self._dims = None
        elif isinstance(dims, TensorShape):
            self._dims = dims._dims
        elif hasattr(dims, "unknown_rank"):  # a TensorShapeProto
            unknown = dims.unknown_rank
            sizes = (None if d.size == -1 else d.size for d in dims.dim)
            self._dims = None if unknown else tuple(sizes)
        elif _is_single(dims):
            self._dims = (dimension_value(dims),)
        else:
            self._dims = tuple([dimension_value(d) for d in dims])

    @property
    def dims(self) -> list[Dimension] | None:
        return None if self._dims is None else [Dimension(d) for d in self._dims]

    @property
    def ndims(self) -> int | None:
        return None if self._dims is None else len(self._dims)

    rank = ndims

    @property
    def tuple(self) -> Dims:
        """The extents as a tuple of `int | None`; None if the rank is unknown."""
        return self._dims

    def as_list(self) -> list[int | None]:
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._dims)

    def num_elements(self) -> int | None:
        """The number of elements; None if that is not known."""
        if self._dims is None or None in self._dims:
            return None
        total = 1
        for d in self._dims:
            total *= d or 0
        return total

    def is_fully_defined(self) -> bool:
        return self._dims is not None and None not in self._dims

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether some shape is described by both."""
        a, b = self._dims, as_shape(other)._dims
        if a is None or b is None:
            return True
        return len(a) == len(b) and all(
            x is None or y is None or x == y for x, y in zip(a, b, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {as_shape(other)} are incompatible")

    def merge_with(self, other: Any) -> TensorShape:
        """The shape that says what both say; ValueError if they contradict each other."""
        second = as_shape(other)
        if self._dims is None:
            return second
        if second._dims is None:
            return self
        if not self.is_compatible_with(second):
            raise ValueError(f"Shapes {self} and {second} are not compatible")
        pairs = zip(self._dims, second._dims, strict=True)
        return TensorShape([b if a is None else a for a, b in pairs])

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """The most precise shape that describes all that either describes."""
        a, b = self._dims, as_shape(other)._dims
        if a is None or b is None or len(a) != len(b):
            return TensorShape(None)
        return TensorShape([x if x == y else None for x, y in zip(a, b, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        a, b = self._dims, as_shape(other)._dims
        return TensorShape(None if a is None or b is None else a + b)

    __add__ = concatenate

    def __radd__(self, other: Any) -> TensorShape:
        joined: TensorShape = as_shape(other).concatenate(self)
        return joined

    def assert_same_rank(self, other: Any) -> None:
        other = as_shape(other)
        if None not in (self.ndims, other.ndims) and self.ndims != other.ndims:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_has_rank(self, rank: int | None) -> None:
        if self.ndims not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank(self, rank: int | None) -> TensorShape:
        """This shape, known to have `rank` dimensions; ValueError if it has others."""
        if self._dims is None and rank is not None:
            return unknown_shape(rank)
        self.assert_has_rank(rank)
        return self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        if self._dims is not None and len(self._dims) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of Shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __iter__(self) -> Iterator[Dimension]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter([Dimension(d) for d in self._dims])

    def __getitem__(self, key: Any) -> Any:
        """A Dimension, or for a slice a TensorShape."""
        if self._dims is not None:
            if isinstance(key, slice):
                return TensorShape(self._dims[key])
            return Dimension(self._dims[key])
        if not isinstance(key, slice):
            return Dimension(None)
        start, stop = key.start or 0, key.stop
        if key.step is not None:
            raise ValueError("Steps are not yet handled")
        if stop is None or start < 0 or stop < 0:
            return TensorShape(None)
        return unknown_shape(max(stop - start, 0))

    def __eq__(self, other: object) -> Any:
        try:
            return self._dims == as_shape(other)._dims
        except (TypeError, ValueError):
            return NotImplemented

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return hash(self._dims)

    def __repr__(self) -> str:
        return f"TensorShape({self.dims!r})"

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        inner = ", ".join("?" if d is None else str(d) for d in self._dims)
        return f"({inner},)" if len(self._dims) == 1 else f"({inner})"

    def __reduce__(self) -> Any:
        return TensorShape, (self._dims,)


def as_shape(shape: Any) -> TensorShape:
    """`shape` itself if it is a TensorShape, else the TensorShape made from it."""
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)


def unknown_shape(ndims: int | None = None) -> TensorShape:
    return TensorShape(None if ndims is None else [None] * ndims)


def shape_text(dims: Sequence[int | None] | None) -> str:
    """`[2,?]`, as TensorFlow's runtime prints shapes; `<unknown>` without a rank."""
    if dims is None:
        return "<unknown>"
    return "[" + ",".join("?" if d is None else str(d) for d in dims) + "]"
